//! Names of types, by which keys of the shared level tell instantiations apart.
//!
//! A name is all that two processes have in common of a type, and not every type has one of its own: all closures of a
//! function are called alike, and so are two types of one name in two blocks of a function, or of two versions of a crate.
//! What such a name stands for is not known, so calls of these types have no key rather than one of others.

use crate::{Error, ErrorKind};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::any::TypeId;

/// The types of an instantiation, and what they are called.
#[derive(Clone, Copy)]
pub struct Named {
    pub(crate) name: &'static str,
    pub(crate) id: TypeId,
}

/// What each name stands for in this process; `None` where it may stand for several types.
type Known = HashMap<&'static str, Option<TypeId>, RandomState>;

static KNOWN: RwLock<Option<Known>> = RwLock::new(None);

impl Named {
    /// The name, if it stands for these types alone. `function` is whose instantiation that is.
    pub(crate) fn unambiguous(self, function: &str) -> Result<&'static str, Error> {
        let known = KNOWN.read().as_ref().and_then(|known| known.get(self.name).copied());
        let stands_for = known.unwrap_or_else(|| self.learn());
        if stands_for == Some(self.id) {
            return Ok(self.name);
        }
        let reason = match stands_for {
            Some(_) => "another type has the same name",
            None => "all closures of a function are called alike",
        };
        Err(Error::new(ErrorKind::Config, format!("naming the types of a call of `{function}`, {}", self.name)).advise(
            format!("{reason}, and keys of the shared level go by names: take `&dyn Fn(…)`, a `fn`, or a type with a name of its own"),
        ))
    }

    fn learn(self) -> Option<TypeId> {
        let stands_for = (!names_a_closure(self.name)).then_some(self.id);
        *KNOWN.write().get_or_insert_default().entry(self.name).or_insert(stands_for)
    }
}

/// Whether a closure or a block of async code is among what is named, and not only what a named type stands in.
fn names_a_closure(name: &str) -> bool {
    name.split("{{closure}}").skip(1).any(|rest| !rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memo::Instance;

    fn named<T>(_value: T) -> Named {
        Instance::<(T,)>::new().name()
    }

    #[test]
    fn closures_have_no_name_and_what_stands_in_one_has() {
        let closure = |x: u8| x;
        assert!(named(closure).unambiguous("f").is_err() && named(Some(&closure)).unambiguous("f").is_err());
        assert!(named(async {}).unambiguous("f").is_err());
        let in_a_closure = || {
            struct Inner;
            named(Inner)
        };
        assert!(in_a_closure().unambiguous("f").is_ok());
        for _ in 0..2 {
            assert!(named(u8::count_ones).unambiguous("f").is_ok() && named("").unambiguous("f").is_ok());
        }
    }

    #[test]
    fn of_two_types_of_one_name_one_has_it() {
        let first = {
            struct Twin;
            named(Twin)
        };
        let second = {
            struct Twin;
            named(Twin)
        };
        assert_eq!(first.name, second.name, "as this compiler names them");
        assert!(first.unambiguous("f").is_ok());
        let error = second.unambiguous("f").expect_err("the name is taken");
        assert!(error.to_string().contains("another type has the same name"), "{error}");
        assert!(first.unambiguous("f").is_ok());
    }
}
