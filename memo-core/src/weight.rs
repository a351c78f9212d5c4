//! What entries weigh: `weigh = …` with `max_weight = …`.

use crate::outcome::{Outcome, SharedError};

/// The outcome of a function whose values have a weight.
pub struct Weighed<O: Outcome> {
    outcome: O,
    weigh: fn(&O::Value) -> u64,
}

#[expect(clippy::expl_impl_clone_on_copy, reason = "deriving it would ask for `Copy` of the value")]
impl<O: Outcome> Clone for Weighed<O> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<O: Outcome> Copy for Weighed<O> {}

/// The outcome with what a value weighs.
pub fn weighed<O: Outcome>(outcome: O, weigh: fn(&O::Value) -> u64) -> Weighed<O> {
    Weighed { outcome, weigh }
}

/// Asks the closure of `weigh`. The value comes first, so that the closure's argument has a type.
pub fn weight_of<V>(value: &V, weigh: impl FnOnce(&V) -> u64) -> u64 {
    weigh(value)
}

impl<O: Outcome> Outcome for Weighed<O> {
    type Return = O::Return;
    type Value = O::Value;

    const CHECKS: bool = O::CHECKS;

    fn is_valid(self, value: &O::Value) -> bool {
        self.outcome.is_valid(value)
    }

    fn is_error(returned: &O::Return) -> bool {
        O::is_error(returned)
    }

    fn is_failure(value: &O::Value) -> bool {
        O::is_failure(value)
    }

    #[inline]
    fn value(returned: &O::Return) -> Option<&O::Value> {
        O::value(returned)
    }

    fn into_value(returned: O::Return) -> Option<O::Value> {
        O::into_value(returned)
    }

    #[inline]
    fn from_value(value: O::Value) -> O::Return {
        O::from_value(value)
    }

    #[inline]
    fn weigher(self) -> Option<fn(&O::Value) -> u64> {
        Some(self.weigh)
    }

    fn to_shared_error(returned: &O::Return) -> Option<SharedError>
    where
        Self: 'static,
    {
        O::to_shared_error(returned)
    }

    fn from_shared_error(error: &SharedError) -> Option<O::Return>
    where
        Self: 'static,
    {
        O::from_shared_error(error)
    }
}
