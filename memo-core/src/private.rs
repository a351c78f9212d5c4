//! What generated code calls. Not for use by hand: it changes without notice.

pub use crate::lookup::{AnyArg, Arg};
pub use crate::memo::{
    Begun, Blocking, Function, Guard, Instance, Io, LocalOnly, Open, Operation, Registered, Started, Tasks,
    count_bypass, invalidate_all_local, operation, put, put_local, ready, refresh, start,
};
pub use crate::outcome::{AnyResult, AnyReturn, MaybeNone, Outcome, Returns};
pub use inventory;

#[cfg(feature = "shared")]
pub use crate::memo::invalidate_all;
#[cfg(feature = "shared")]
pub use crate::shared::{
    level::{SharedBy, key},
    source::Source,
};

/// A type for each value of a const parameter, named as the type of the value.
#[allow(non_camel_case_types, reason = "generated code finds each by the spelling of the parameter's type")]
pub mod constant {
    use core::primitive;

    macro_rules! constants {
        ($($name:ident)*) => { $(
            /// A value of this type as a type.
            pub struct $name<const VALUE: primitive::$name>;
        )* };
    }
    constants!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize bool char);
}

/// Asks the closure of `cache_if`. The value comes first, so that the closure's argument has a type.
pub fn agrees<V>(value: &V, predicate: impl FnOnce(&V) -> bool) -> bool {
    predicate(value)
}
