//! `valid_if`: a stored value counts as a hit only if the function's predicate says so.

use super::Memo;
use super::call::MemoKey;
use super::door::{Door, Fetched};
use super::function::Function;
use super::io::Io;
use crate::local::Hit;
use crate::outcome::{Outcome, SharedError};
use crate::stats::Count;

/// An outcome whose stored values are asked before they count as hits.
///
/// A plain `fn`, so that its type has nothing of the lifetimes of the function it was written at.
pub struct ValidIf<O: Outcome> {
    outcome: O,
    predicate: fn(&O::Value) -> bool,
}

/// `valid_if = …`
pub fn valid_if<O: Outcome>(outcome: O, predicate: fn(&O::Value) -> bool) -> ValidIf<O> {
    ValidIf { outcome, predicate }
}

#[expect(clippy::expl_impl_clone_on_copy, reason = "deriving it would ask for `Copy` of the value")]
impl<O: Outcome> Clone for ValidIf<O> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<O: Outcome> Copy for ValidIf<O> {}

impl<O: Outcome> Outcome for ValidIf<O> {
    type Return = O::Return;
    type Value = O::Value;

    const CHECKS: bool = true;

    fn is_valid(self, value: &O::Value) -> bool {
        (self.predicate)(value) && self.outcome.is_valid(value)
    }

    fn is_error(returned: &O::Return) -> bool {
        O::is_error(returned)
    }

    fn is_failure(value: &O::Value) -> bool {
        O::is_failure(value)
    }

    fn value(returned: &O::Return) -> Option<&O::Value> {
        O::value(returned)
    }

    fn into_value(returned: O::Return) -> Option<O::Value> {
        O::into_value(returned)
    }

    fn from_value(value: O::Value) -> O::Return {
        O::from_value(value)
    }

    fn weigher(self) -> Option<fn(&O::Value) -> u64> {
        self.outcome.weigher()
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

/// Whether an entry that is fresh counts as a hit. One that does not is counted and dropped, so that the next look
/// does not meet it again.
#[inline]
pub(super) fn is_hit<O: Outcome + 'static, K: MemoKey>(
    outcome: O,
    function: &Function,
    memo: &Memo<K, O::Value>,
    key: impl FnOnce() -> K,
    hit: &Hit<O::Value>,
) -> bool {
    if !O::CHECKS || outcome.is_valid(&hit.value) {
        return true;
    }
    function.count(Count::Refused);
    memo.drop_refused(&key(), hit);
    false
}

/// Asks the shared level, where a value that is refused counts as nothing.
pub(super) async fn fetch<O: Outcome + 'static, D: Door<O::Value>, I: Io>(
    outcome: O,
    function: &'static Function,
    door: &D,
) -> Fetched<O::Value> {
    match door.fetch::<I>(function).await {
        Fetched::Value(found) if !accepts(outcome, function, &found.value) => Fetched::Nothing,
        fetched => fetched,
    }
}

/// Whether a value of the shared level counts as a hit; one that does not is counted.
pub(super) fn accepts<O: Outcome>(outcome: O, function: &Function, value: &O::Value) -> bool {
    let is_valid = !O::CHECKS || outcome.is_valid(value);
    if !is_valid {
        function.count(Count::Refused);
    }
    is_valid
}
