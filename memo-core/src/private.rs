//! What generated code calls. Not for use by hand: it changes without notice.

pub use crate::__companions as companions;
pub use crate::hooks::{
    AnyShown, Fallible, KeepArguments, KeepNothing, Shown, call_hook, call_hook_2, call_hook_3, error_hook,
    error_hook_2, error_hook_3, hook_1, keep, kept_for_call, kept_for_error,
};
pub use crate::known::KnownArg;
pub use crate::lookup::{AnyArg, Arg};
pub use crate::memo::each::private as each;
pub use crate::memo::spawn::{AnyPack, Pack, Sends, Sent, found, unseen, whole};
pub use crate::memo::thread;
pub use crate::memo::{
    Begun, Blocking, Function, Guard, Instance, Io, Keep, LocalOnly, Note, Noted, Open, Operation, Registered, Settled,
    Started, Tagged, Tasks, comparable, count_bypass, evictions, invalidate_all_local, keep_for, key_type, operation,
    put, ready, refresh, start, tag_with, valid_if, verify, verify_due,
};
pub use crate::outcome::{AnyOnce, AnyResult, AnyReturn, MaybeNone, Outcome, Returns, once_plain, storing_errors};
pub use crate::tags::Tags;
pub use crate::weight::{weighed, weight_of};
pub use inventory;

#[cfg(feature = "shared")]
pub use crate::lookup::shared_part;
#[cfg(feature = "shared")]
pub use crate::memo::invalidate_all;
#[cfg(feature = "shared")]
pub use crate::shared::{
    level::{SharedBy, key},
    source::Source,
};

/// Asks the closure of `cache_if`. The value comes first, so that the closure's argument has a type.
pub fn agrees<V>(value: &V, predicate: impl FnOnce(&V) -> bool) -> bool {
    predicate(value)
}
