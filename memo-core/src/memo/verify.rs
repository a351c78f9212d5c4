//! `verify`: some hits run the body again, and a value that differs from the stored one is reported and stored.

use super::Origin;
use super::call::{MemoKey, lead};
use super::cell::Instance;
use super::door::{Door, MakeDoor};
use super::function::Function;
use super::guard::{Guard, asked};
use super::io::{Blocking, Tasks, ready};
use super::keep::Keep;
use crate::lookup::Parts;
use crate::outcome::Outcome;
use crate::stats::Count;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;

/// A value that `verify` can compare.
#[diagnostic::on_unimplemented(
    message = "`verify` compares values, and values of type `{Self}` can't be compared",
    label = "`verify` needs `PartialEq` of what is stored",
    note = "derive `PartialEq`, or remove `verify`"
)]
pub trait Comparable {
    /// Whether the two are equal.
    fn equals(&self, other: &Self) -> bool;
}

impl<T: PartialEq> Comparable for T {
    fn equals(&self, other: &T) -> bool {
        self == other
    }
}

/// Asks that the values of an outcome can be compared.
pub fn comparable<O: Outcome>(_outcome: O)
where
    O::Value: Comparable,
{
}

thread_local! {
    /// Whether the running code is a body that is being verified.
    static VERIFYING: Cell<bool> = const { Cell::new(false) };
    /// The state of this thread's random numbers; zero before the first.
    static RANDOM: Cell<u64> = const { Cell::new(0) };
}

/// Whether this hit is to be verified, for this share of the hits. Not where the call is part of a body that is being
/// verified: a recursive function would run its body for every path through its calls.
#[must_use]
pub fn verify_due(share: f64) -> bool {
    share > 0.0 && !VERIFYING.get() && (share >= 1.0 || random() < share)
}

/// A number from 0 to 1 by splitmix64 (Steele, Lea and Flood 2014).
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
fn random() -> f64 {
    let before = match RANDOM.get() {
        0 => crate::random::number(),
        state => state,
    };
    let state = before.wrapping_add(0x9e37_79b9_7f4a_7c15);
    RANDOM.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The running code is a body that is being verified, until this is dropped.
struct Verifying {
    before: bool,
}

impl Verifying {
    fn enter() -> Self {
        Verifying { before: VERIFYING.replace(true) }
    }
}

impl Drop for Verifying {
    fn drop(&mut self) {
        VERIFYING.set(self.before);
    }
}

/// A hit whose value is to be compared with what the body returns now.
#[must_use = "nothing is verified until it is run"]
pub struct Verification<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> {
    guard: Guard<O, K, D>,
    /// What was found. A hit is made of a stored value, so it has one.
    found: Option<O::Value>,
    is_comparable: bool,
}

/// What a run of the body says of the value that was found.
enum Verdict {
    /// Both are the same.
    Confirmed,
    /// The body failed, which says nothing of the value.
    Unknown,
    /// The value that was found is to be replaced.
    Replaced,
}

/// Begins to verify a hit. It leads a load of its own, so that an invalidation which comes meanwhile is seen.
pub fn verify<T: ?Sized, O, P, M>(
    function: &'static Function,
    instance: Instance<T>,
    outcome: O,
    parts: P,
    door: M,
    found: O::Return,
) -> Verification<O, P::Owned, M::Door>
where
    O: Outcome + 'static,
    O::Value: Comparable,
    P: Parts,
    M: MakeDoor<P, O::Value>,
{
    function.count(Count::Verified);
    let guard = lead(function, instance, outcome, parts, door);
    let found = O::into_value(found);
    // A value that was invalidated or replaced since it was found may differ by right, and one that does not equal
    // itself says nothing.
    let is_comparable = found.as_ref().zip(guard.flight.as_ref()).is_some_and(|(found, flight)| {
        let stays = || {
            guard.memo.peek(flight.key::<P::Owned>()).is_some_and(|entry| entry.is_fresh() && entry.value.equals(found))
        };
        found.equals(found) && (!function.local || stays())
    });
    Verification { guard, found, is_comparable }
}

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Verification<O, K, D>
where
    O::Value: Comparable,
{
    /// Runs the body and returns its value, which takes the place of one that differs.
    #[inline(never)]
    pub fn run<A: Into<Keep>>(
        mut self,
        body: impl FnOnce() -> O::Return,
        keep: impl FnOnce(&O::Value) -> A,
    ) -> O::Return {
        ready(self.guard.begin::<Blocking>());
        let (returned, cost) = self.guard.load(|| {
            let _verifying = Verifying::enter();
            body()
        });
        let (returned, guard) = self.settle(returned);
        let Some(guard) = guard else { return returned };
        let keep = asked::<O, A>(&returned, keep);
        guard.complete_now(returned, cost, keep)
    }

    /// As [`run`](Verification::run), as a task.
    pub async fn run_async<A: Into<Keep>>(
        mut self,
        body: impl Future<Output = O::Return>,
        keep: impl FnOnce(&O::Value) -> A,
    ) -> O::Return {
        self.guard.begin::<Tasks>().await;
        let (returned, cost) = self.guard.load_async(verifying(body)).await;
        let (returned, guard) = self.settle(returned);
        let Some(guard) = guard else { return returned };
        let keep = asked::<O, A>(&returned, keep);
        guard.complete::<Tasks>(returned, cost, keep).await.0
    }

    /// As [`run_async`](Verification::run_async) without a shared level: what the body returned crosses no await.
    pub async fn run_local_async<A: Into<Keep>>(
        mut self,
        body: impl Future<Output = O::Return>,
        keep: impl FnOnce(&O::Value) -> A,
    ) -> O::Return {
        let (returned, cost) = self.guard.load_async(verifying(body)).await;
        let (returned, guard) = self.settle(returned);
        let Some(guard) = guard else { return returned };
        let keep = asked::<O, A>(&returned, keep);
        guard.complete_locally(returned, cost, keep)
    }

    /// What the call returns, and the load that is to store it, if it takes the place of what was found.
    fn settle(self, returned: O::Return) -> (O::Return, Option<Guard<O, K, D>>) {
        match self.judge(&returned) {
            Verdict::Confirmed => (returned, None),
            Verdict::Unknown => (self.found.map_or(returned, O::from_value), None),
            Verdict::Replaced => (returned, Some(self.guard)),
        }
    }

    fn judge(&self, returned: &O::Return) -> Verdict {
        if O::is_error(returned) {
            return Verdict::Unknown;
        }
        let was_invalidated = self.guard.flight.as_ref().is_none_or(|flight| !flight.may_store(Origin::Loaded));
        if was_invalidated || !self.is_comparable || self.found.as_ref().is_some_and(O::is_failure) {
            return Verdict::Replaced;
        }
        if O::value(returned).zip(self.found.as_ref()).is_some_and(|(value, found)| value.equals(found)) {
            return Verdict::Confirmed;
        }
        self.guard.function.count(Count::Mismatches);
        #[cfg(feature = "shared")]
        tracing::error!(
            function = self.guard.function.name,
            "a stored value differs from what the body returns now: the function depends on more than its key"
        );
        Verdict::Replaced
    }
}

/// A body that knows, wherever it is polled, that it is being verified.
async fn verifying<R>(body: impl Future<Output = R>) -> R {
    let mut body = pin!(body);
    poll_fn(|context| {
        let _verifying = Verifying::enter();
        body.as_mut().poll(context)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_hits_is_verified() {
        let due = |share| (0..10_000).filter(|_| verify_due(share)).count();
        assert_eq!([0.0, -1.0, f64::NAN, 1.0, 2.0].map(due), [0, 0, 0, 10_000, 10_000]);
        let tenth = due(0.1);
        assert!((800..1_200).contains(&tenth), "{tenth} of ten thousand");
        let _inside = Verifying::enter();
        assert_eq!(due(1.0), 0);
    }
}
