//! `peek` and `put` by the types that users see: the stored part of what the function returns, or, where the expansion
//! can't tell that part's type, all that the function returns.

use super::call::MemoKey;
use super::cell::Instance;
use super::door::{Door, MakeDoor};
use super::function::Function;
use super::io::Io;
use super::keep::Keep;
use super::operations::{self, Operation};
use crate::Error;
use crate::lookup::Parts;
use crate::outcome::Outcome;

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Operation<O, K, D> {
    /// [`peek_local`](Operation::peek_local), as the function would return it.
    #[must_use]
    pub fn peek_whole_local(self) -> Option<O::Return> {
        self.peek_local().map(O::from_value)
    }

    /// [`peek`](Operation::peek), as the function would return it.
    pub async fn peek_whole<I: Io>(self) -> Result<Option<O::Return>, Error> {
        Ok(self.peek::<I>().await?.map(O::from_value))
    }
}

/// A call that a value is given for.
#[must_use = "nothing is stored until one of its methods is called"]
pub struct Given<T: ?Sized, O, P, M> {
    function: &'static Function,
    instance: Instance<T>,
    outcome: O,
    parts: P,
    door: M,
}

/// A value is to be stored for a call with these arguments. What is asked of their types is asked by the methods.
pub fn put<T: ?Sized, O, P, M>(
    function: &'static Function,
    instance: Instance<T>,
    outcome: O,
    parts: P,
    door: M,
) -> Given<T, O, P, M> {
    Given { function, instance, outcome, parts, door }
}

impl<T: ?Sized, O, P, M> Given<T, O, P, M>
where
    O: Outcome + 'static,
    P: Parts,
    M: MakeDoor<P, O::Value>,
{
    /// Stores a value in this process.
    pub fn store_local(self, value: O::Value, keep: fn(&O::Value) -> Keep) {
        let Given { function, instance, outcome, parts, door } = self;
        operations::put_local(function, instance, outcome, parts, door, Some(value), keep);
    }

    /// Stores what the function would return in this process.
    pub fn store_whole_local(self, returned: O::Return, keep: fn(&O::Value) -> Keep) {
        let Given { function, instance, outcome, parts, door } = self;
        operations::put_local(function, instance, outcome, parts, door, O::into_value(returned), keep);
    }

    /// Stores a value at both levels.
    pub async fn store<I: Io>(self, value: O::Value, keep: fn(&O::Value) -> Keep) -> Result<(), Error> {
        let Given { function, instance, outcome, parts, door } = self;
        operations::put::<I, T, O, P, M>(function, instance, outcome, parts, door, Some(value), keep).await
    }

    /// Stores what the function would return at both levels.
    pub async fn store_whole<I: Io>(self, returned: O::Return, keep: fn(&O::Value) -> Keep) -> Result<(), Error> {
        let Given { function, instance, outcome, parts, door } = self;
        operations::put::<I, T, O, P, M>(function, instance, outcome, parts, door, O::into_value(returned), keep).await
    }
}
