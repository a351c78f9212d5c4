//! A call that its first look did not answer, until it is answered or runs the body: see [`call`](super::call).

use super::call::{Begun, MemoKey, Open, Settled, Started, enter};
use super::context;
use super::door::{Door, Fetched, Shared};
use super::flight::{Ending, Flight};
use super::function::Function;
use super::guard::{Asked, Guard, shared_hit};
use super::io::{Blocking, Io, Tasks, ready};
use super::valid;
use super::{Join, Memo, waits};
use crate::Error;
use crate::outcome::Outcome;
use crate::stats::Count;
use std::sync::Arc;

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Open<O, K, D> {
    /// Settles the call with the thread.
    ///
    /// Not inlined, as [`Guard::run`] is not: the function that users call keeps the stack frame of a hit.
    #[inline(never)]
    pub fn settle(self) -> Begun<O, K, D> {
        ready(self.settle_by::<Blocking>()).begun()
    }

    /// As [`settle`](Open::settle) without a shared level: all there is to wait for is another caller's load, so the
    /// code that asks backends is not compiled for this function.
    #[inline(never)]
    pub fn settle_local(self) -> Begun<O, K, D> {
        let mut open = self;
        loop {
            let follower = match open.lead_or_follow() {
                Ok(guard) => return Begun::Miss(guard),
                Err(follower) => follower,
            };
            let ending = waits::wait(&follower.flight);
            open = match follower.answer(ending.as_ref()) {
                Ok(returned) | Err(Started::Hit(returned)) => return Begun::Hit(returned),
                Err(Started::Open(open)) => open,
            };
        }
    }

    /// As [`settle_local`](Open::settle_local), as a task.
    pub async fn settle_local_async(self) -> Begun<O, K, D> {
        let mut open = self;
        loop {
            let follower = match open.lead_or_follow() {
                Ok(guard) => return Begun::Miss(guard),
                Err(follower) => follower,
            };
            let ending = waits::wait_async(&follower.flight).await;
            open = match follower.answer(ending.as_ref()) {
                Ok(returned) | Err(Started::Hit(returned)) => return Begun::Hit(returned),
                Err(Started::Open(open)) => open,
            };
        }
    }

    /// The two ways there are without a shared level.
    fn lead_or_follow(self) -> Result<Guard<O, K, D>, Follower<O, K, D>> {
        match self {
            Open::Lead(guard) => Ok(guard),
            Open::Follow(follower) => Err(follower),
            Open::Seek(_) => unreachable!("only a shared level is asked before a load"),
        }
    }

    /// Settles the call as a task. Dropping the future before it is done ends nothing but this call: a load that it
    /// led is led by one of its followers.
    #[inline]
    pub async fn settle_async(self) -> Begun<O, K, D> {
        self.settle_by::<Tasks>().await.begun()
    }

    /// As [`settle`](Open::settle), and from where the answer is.
    #[inline(never)]
    pub fn settle_from(self) -> Settled<O, K, D> {
        ready(self.settle_by::<Blocking>())
    }

    /// As [`settle_async`](Open::settle_async), and from where the answer is.
    pub async fn settle_from_async(self) -> Settled<O, K, D> {
        self.settle_by::<Tasks>().await
    }

    async fn settle_by<I: Io>(mut self) -> Settled<O, K, D> {
        loop {
            self = match self {
                Open::Lead(guard) => {
                    return match guard.fetch::<I>().await {
                        Begun::Hit(returned) => Settled::Found(returned),
                        Begun::Miss(guard) => Settled::Miss(guard),
                    };
                }
                Open::Follow(follower) => match follower.follow::<I>().await {
                    Ok(returned) => return Settled::Joined(returned),
                    Err(Started::Hit(returned)) => return Settled::Found(returned),
                    Err(Started::Open(open)) => open,
                },
                Open::Seek(seeker) => match seeker.seek::<I>().await {
                    Ok(returned) | Err(Started::Hit(returned)) => return Settled::Found(returned),
                    Err(Started::Open(open)) => open,
                },
            }
        }
    }
}

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Settled<O, K, D> {
    /// Without the difference between the answers.
    fn begun(self) -> Begun<O, K, D> {
        match self {
            Settled::Found(returned) | Settled::Joined(returned) => Begun::Hit(returned),
            Settled::Miss(guard) => Begun::Miss(guard),
        }
    }
}

/// A call that waits for another caller's load.
pub struct Follower<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> {
    pub(super) function: &'static Function,
    pub(super) memo: &'static Memo<K, O::Value>,
    pub(super) outcome: O,
    pub(super) flight: Arc<Flight>,
    pub(super) door: D,
}

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Follower<O, K, D> {
    /// What the load brought, or the start of a load by this caller.
    async fn follow<I: Io>(self) -> Result<O::Return, Started<O, K, D>> {
        let ending = I::ended(&self.flight).await;
        self.answer(ending.as_ref())
    }

    /// As [`follow`](Follower::follow), of a load that ended, or can't be waited for.
    pub(super) fn answer(self, ending: Option<&Ending>) -> Result<O::Return, Started<O, K, D>> {
        match usable(ending).and_then(Self::taken) {
            Ok(returned) => {
                joined(self.function, ending);
                self.door.note(|facts| facts.miss(None));
                Ok(returned)
            }
            Err(join) => Err(self.lead(join)),
        }
    }

    /// A copy of what a load brought; how to lead if it can't be this caller's.
    fn taken(ending: &Ending) -> Result<O::Return, Join> {
        let returned = match ending {
            // A memo has values of one type.
            Ending::Value(value, _) => value.downcast_ref::<O::Value>().map(|value| O::from_value(value.clone())),
            // Functions of one prefix share a memo and may fail with different types.
            Ending::Error(error, _) => O::from_shared_error(error),
            Ending::Unshared | Ending::Abandoned => None,
        };
        returned.ok_or(Join::Alone)
    }

    fn lead(self, join: Join) -> Started<O, K, D> {
        let flight = self.memo.flight(self.function, self.flight.key::<K>().clone());
        enter(self.function, self.memo, self.outcome, flight, self.door, join, Asked::NotYet)
    }
}

// These two know no types, so that they are not compiled again for each function.

/// What a load brought that ended, if it may be used; else how to lead.
fn usable(ending: Option<&Ending>) -> Result<&Ending, Join> {
    match ending {
        // It was invalidated while it was loaded, and maybe before this call began.
        Some(Ending::Value(_, Some(marks)) | Ending::Error(_, Some(marks))) if !marks.is_valid() => Err(Join::Any),
        Some(ending @ (Ending::Value(..) | Ending::Error(..))) => Ok(ending),
        Some(Ending::Abandoned) => Err(Join::Any),
        Some(Ending::Unshared) | None => Err(Join::Alone),
    }
}

/// Counts a call that got what a load brought, and hands its tags on.
fn joined(function: &Function, ending: Option<&Ending>) {
    if let Some(Ending::Value(_, marks) | Ending::Error(_, marks)) = ending {
        context::inherit_from(marks.as_deref());
    }
    function.count(Count::Misses);
    function.count(Count::Joins);
}

/// A call of a function without a local level. It asks the shared level before it enters the table of loads: its hits
/// have nothing to store, so they need not meet there.
pub struct Seeker<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> {
    pub(super) function: &'static Function,
    pub(super) memo: &'static Memo<K, O::Value>,
    pub(super) outcome: O,
    pub(super) key: K,
    pub(super) door: D,
    /// The number of the next load, as it was before the shared level was asked.
    pub(super) next: u64,
}

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Seeker<O, K, D> {
    /// What the shared level has, or the start of a load.
    async fn seek<I: Io>(self) -> Result<O::Return, Started<O, K, D>> {
        match valid::fetch::<O, D, I>(self.outcome, self.function, &self.door).await {
            Fetched::Value(found) => Ok(self.found(found)),
            Fetched::Nothing => Err(self.found_nothing()),
            Fetched::Failed(error) => {
                self.function.report(&error);
                Err(self.failed(&error))
            }
        }
    }

    /// The shared level has this.
    pub(super) fn found(self, found: Shared<O::Value>) -> O::Return {
        shared_hit(self.function, &self.door, &found);
        let mut tags = found.tags;
        self.door.add_tags(&mut tags);
        context::inherit(&tags);
        O::from_value(found.value)
    }

    /// The shared level has nothing.
    pub(super) fn found_nothing(self) -> Started<O, K, D> {
        let next = self.next;
        self.enter(Asked::Before(next))
    }

    /// The shared level failed, which is reported.
    pub(super) fn failed(self, error: &Error) -> Started<O, K, D> {
        self.door.note(|facts| facts.failed(error));
        self.enter(Asked::Failed)
    }

    fn enter(self, asked: Asked) -> Started<O, K, D> {
        let Seeker { function, memo, outcome, key, door, .. } = self;
        enter(function, memo, outcome, memo.flight(function, key), door, Join::Any, asked)
    }
}
