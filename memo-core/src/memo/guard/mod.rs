//! The lead of a load: run the body, store what it returned, let the followers go.

mod each;
mod end;
#[cfg(feature = "shared")]
mod fleet;
mod store;

pub(super) use each::{Brought, begin_all, share, share_tags, store_all};
pub(super) use end::failed;
pub(super) use store::{StopStoring, entry};

use super::Memo;
use super::call::{Begun, MemoKey};
use super::context::{Inside, Mark};
use super::door::{Door, Fetched, Shared};
use super::flight::Flight;
use super::function::Function;
use super::io::{Blocking, Io, Tasks, ready};
use super::keep::Keep;
use super::once::Claim;
use super::valid;
use crate::Error;
use crate::clock::{self, LoadWatch, Tick};
use crate::invalidations::{self, Marks, Name};
use crate::outcome::Outcome;
#[cfg(feature = "shared")]
use crate::shared::lease::Lease;
use crate::stats::Count;
use crate::tags::Tags;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// The lead of a load. Dropping it without [`run`](Guard::run) having ended hands the lead to a follower.
pub struct Guard<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> {
    pub(super) function: &'static Function,
    pub(super) memo: &'static Memo<K, O::Value>,
    outcome: O,
    /// `None` once the load has ended.
    pub(super) flight: Option<Arc<Flight>>,
    pub(super) door: D,
    refreshes: bool,
    pub(super) asked: Asked,
    /// The latest invalidation when this load began.
    stamp: u64,
    /// The latest invalidation that the shared level knew of when the body began; 0, which is safe, before.
    since: u64,
    /// The tags that the body gave. Boxed, since most have none and a guard moves.
    tags: Option<Box<Tags>>,
    /// What the loaded value goes with, once that is known.
    marks: Option<Arc<Marks>>,
    /// The right to load, where one process of all loads.
    #[cfg(feature = "shared")]
    pub(super) lease: Option<Box<Lease>>,
    /// The mark that a guard has set in the shared level for this run, as it is stored there.
    pub(super) claimed: Option<Box<[u8]>>,
    /// When a guard's run began.
    pub(super) began: Tick,
}

/// Whether the shared level was asked before this load began.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    NotYet,
    /// It had nothing, when the next load was to have this number: true until a load with it has ended.
    Before(u64),
    /// It failed, and is not asked again by this call, nor told what was loaded: a call waits once for a backend that
    /// is down.
    Failed,
}

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Guard<O, K, D> {
    pub(super) fn new(
        function: &'static Function,
        memo: &'static Memo<K, O::Value>,
        outcome: O,
        flight: Arc<Flight>,
        door: D,
        refreshes: bool,
        asked: Asked,
    ) -> Self {
        let began = if O::ONCE { clock::now() } else { Tick::NEVER };
        let flight = Some(flight);
        let (stamp, since, tags, marks) = (invalidations::latest(), 0, None, None);
        Guard {
            function,
            memo,
            outcome,
            flight,
            door,
            refreshes,
            asked,
            stamp,
            since,
            tags,
            marks,
            #[cfg(feature = "shared")]
            lease: None,
            claimed: None,
            began,
        }
    }

    /// Asks the shared level, under the lead, so that one caller of a key asks.
    pub(super) async fn fetch<I: Io>(mut self) -> Begun<O, K, D> {
        if self.must_ask() {
            match valid::fetch::<O, D, I>(self.outcome, self.function, &self.door).await {
                Fetched::Value(found) => return Begun::Hit(self.end_with(found)),
                Fetched::Nothing => {}
                Fetched::Failed(error) => {
                    self.report(&error);
                    self.asked = Asked::Failed;
                }
            }
        }
        if O::ONCE
            && D::SHARED
            && self.asked != Asked::Failed
            && let Claim::Taken(found) = self.claim::<I>().await
        {
            return Begun::Hit(self.end_with(found));
        }
        #[cfg(feature = "shared")]
        if self.function.is_fleet
            && D::SHARED
            && self.asked != Asked::Failed
            // The lease may be that of the load whose body calls.
            && self.flight.as_deref().is_some_and(Flight::is_joinable)
            && let Some(found) = self.take_lease::<I>().await
        {
            return Begun::Hit(self.end_with(found));
        }
        Begun::Miss(self)
    }

    /// Whether the shared level is to be asked now.
    pub(super) fn must_ask(&self) -> bool {
        let number = self.flight.as_ref().map(|flight| flight.number());
        let knows = match self.asked {
            Asked::NotYet => false,
            Asked::Before(next) => number == Some(next),
            Asked::Failed => true,
        };
        D::SHARED && !knows && !self.refreshes
    }

    /// Runs the body, stores what it returned if `keep` says so, and lets the followers go.
    #[inline(never)]
    pub fn run<A: Into<Keep>>(
        mut self,
        body: impl FnOnce() -> O::Return,
        keep: impl FnOnce(&O::Value) -> A,
    ) -> O::Return {
        if D::SHARED {
            ready(self.begin::<Blocking>());
        }
        // Where nobody wants to know what this load took, the time of another one counts for it.
        let stands_for = self.function.measured_for(D::MEASURES);
        let (returned, cost) = self.load_for(stands_for, body);
        let keep = asked::<O, A>(&returned, keep);
        self.complete_now(returned, cost, keep)
    }

    /// Runs the body as a task, stores what it returned if `keep` says so, and lets the followers go.
    pub async fn run_async<A: Into<Keep>>(
        self,
        body: impl Future<Output = O::Return>,
        keep: impl FnOnce(&O::Value) -> A,
    ) -> O::Return {
        self.run_checked_async(body, keep).await.0
    }

    /// As [`run_async`](Guard::run_async) without a shared level: what the body returned crosses no await, so it need
    /// not be `Send`.
    pub async fn run_local_async<A: Into<Keep>>(
        mut self,
        body: impl Future<Output = O::Return>,
        keep: impl FnOnce(&O::Value) -> A,
    ) -> O::Return {
        let (returned, cost) = self.load_async(body).await;
        let keep = asked::<O, A>(&returned, keep);
        self.complete_locally(returned, cost, keep)
    }

    /// As [`run`](Guard::run) with a shared level, and whether that took the value.
    pub fn run_checked<A: Into<Keep>>(
        mut self,
        body: impl FnOnce() -> O::Return,
        keep: impl FnOnce(&O::Value) -> A,
    ) -> (O::Return, Result<(), Error>) {
        ready(self.begin::<Blocking>());
        let (returned, cost) = self.load(body);
        let keep = asked::<O, A>(&returned, keep);
        ready(self.complete::<Blocking>(returned, cost, keep))
    }

    /// As [`run_async`](Guard::run_async), and whether the shared level took the value.
    pub async fn run_checked_async<A: Into<Keep>>(
        mut self,
        body: impl Future<Output = O::Return>,
        keep: impl FnOnce(&O::Value) -> A,
    ) -> (O::Return, Result<(), Error>) {
        self.begin::<Tasks>().await;
        let (returned, cost) = self.load_async(body).await;
        let keep = asked::<O, A>(&returned, keep);
        self.complete::<Tasks>(returned, cost, keep).await
    }

    pub(super) fn load<R>(&mut self, body: impl FnOnce() -> R) -> (R, Duration) {
        self.load_for(1, body)
    }

    /// As [`load`](Guard::load), of a load whose time stands for that of so many; of none, it is said to have taken no time.
    fn load_for<R>(&mut self, stands_for: u32, body: impl FnOnce() -> R) -> (R, Duration) {
        let run = Run::start(self.flight.as_ref(), stands_for);
        let returned = body();
        let cost = run.end(self.function, &mut self.tags);
        (returned, cost)
    }

    pub(super) async fn load_async<R>(&mut self, body: impl Future<Output = R>) -> (R, Duration) {
        let watch = LoadWatch::start();
        let mark = mark(self.flight.as_ref());
        let mut body = pin!(body);
        let returned = poll_fn(|context| {
            let inside = mark.map(Mark::enter);
            let polled = body.as_mut().poll(context);
            leave(inside, &mut self.tags);
            polled
        })
        .await;
        (returned, watch.elapsed())
    }

    /// The body begins: what is invalidated from here on is newer than what it reads.
    pub(super) async fn begin<I: Io>(&mut self) {
        if D::SHARED && self.asked != Asked::Failed {
            self.since = self.door.since::<I>().await;
        }
    }

    /// What the value that this load brought goes with.
    pub(super) fn marks(&mut self) -> Option<Arc<Marks>> {
        self.settle_marks();
        self.marks.clone()
    }

    /// Has `marks` say what the value that this load brought goes with.
    fn settle_marks(&mut self) {
        if self.marks.is_none() {
            self.marks = marks(self.stamp, self.door.names(), &mut self.tags, &|tags| self.door.add_tags(tags));
        }
    }

    /// Reports a failure of the shared level, to the hooks as well.
    fn report(&self, error: &Error) {
        self.function.report(error);
        self.door.note(|facts| facts.failed(error));
    }
}

// What follows knows no types, so that it is not compiled again for each function.

fn add_tags(all: &mut Option<Box<Tags>>, some: &Tags) {
    if !some.is_empty() {
        all.get_or_insert_default().extend(some);
    }
}

/// What a value goes with: the tags its body gave, and what `add` adds to them.
fn marks(
    stamp: u64,
    names: Option<[Name; 3]>,
    tags: &mut Option<Box<Tags>>,
    add: &dyn Fn(&mut Tags),
) -> Option<Arc<Marks>> {
    let mut tags = tags.take().map_or_else(Tags::default, |tags| *tags);
    add(&mut tags);
    Marks::new(stamp, names, tags)
}

fn mark(flight: Option<&Arc<Flight>>) -> Option<Mark> {
    flight.map(|flight| flight.mark())
}

/// The running code leaves a load. The tags it got there are added to others.
fn leave(inside: Option<Inside>, tags: &mut Option<Box<Tags>>) {
    add_tags(tags, &inside.map(Inside::leave).unwrap_or_default());
}

/// A body that runs with the thread.
struct Run {
    watch: Option<LoadWatch>,
    inside: Option<Inside>,
    /// How many loads its time stands for.
    stands_for: u32,
}

impl Run {
    fn start(flight: Option<&Arc<Flight>>, stands_for: u32) -> Self {
        Run { watch: (stands_for > 0).then(LoadWatch::start), inside: mark(flight).map(Mark::enter), stands_for }
    }

    /// How long it took, if that is measured; counts it for the other loads it stands for. The tags it gave are added to
    /// others.
    fn end(self, function: &Function, tags: &mut Option<Box<Tags>>) -> Duration {
        let cost = self.watch.as_ref().map(LoadWatch::elapsed).unwrap_or_default();
        leave(self.inside, tags);
        if self.stands_for > 1 {
            function.count_time(cost.saturating_mul(self.stands_for - 1));
        }
        cost
    }
}

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Drop for Guard<O, K, D> {
    fn drop(&mut self) {
        if O::ONCE {
            self.release_now();
        }
        if let Some(flight) = self.flight.take() {
            // Nothing is stored, so nothing goes.
            self.memo.abandon(&flight);
        }
    }
}

/// What the attribute says of a value that was loaded.
#[inline]
pub(super) fn asked<O: Outcome, A: Into<Keep>>(returned: &O::Return, keep: impl FnOnce(&O::Value) -> A) -> Keep {
    O::value(returned).map_or(Keep(None), |value| keep(value).into())
}

/// Counts a hit in the shared level, and notes it.
pub(super) fn shared_hit<V>(function: &'static Function, door: &impl Door<V>, found: &Shared<V>) {
    function.count(Count::SharedHits);
    door.note(|facts| facts.shared_hit(found.age, found.left));
}
