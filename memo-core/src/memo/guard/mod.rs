//! The lead of a load: run the body, store what it returned, let the followers go.

mod each;
mod store;

pub(super) use each::{Brought, store_all};
pub(super) use store::{StopStoring, entry};

use super::call::{Begun, MemoKey};
use super::context::{Inside, Mark};
use super::door::{Door, Fetched, Shared};
use super::flight::{Ending, Flight};
use super::function::Function;
use super::io::{Blocking, Io, Tasks, ready};
use super::keep::{Fresh, Keep};
use super::once::Claim;
use super::valid;
use super::{Memo, Origin};
use crate::Error;
use crate::clock::{self, Stopwatch, Tick};
use crate::local::Entry;
use crate::outcome::Outcome;
use crate::stats::Count;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use store::shorter;

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
    /// The number of the mark that a guard has set in the shared level for this run; 0 for none.
    pub(super) claimed: u64,
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
        Guard { function, memo, outcome, flight: Some(flight), door, refreshes, asked, claimed: 0, began }
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

    /// Ends the load with what the shared level has.
    pub(super) fn end_with(mut self, found: Shared<O::Value>) -> O::Return {
        shared_hit(self.function, &self.door, &found);
        let left = shorter(found.left, self.function.trusted_time());
        let keeps = self.function.local && left != Some(Duration::ZERO);
        let entry = keeps.then(|| entry(found.value.clone(), left));
        if let Some(flight) = self.flight.take() {
            let ending = || Ending::Value(Arc::new(found.value.clone()));
            let finished = self
                .memo
                .finish(&flight, entry, (Origin::Fetched, Duration::ZERO), &ending, &mut |gone| self.door.gone(gone));
            self.function.count_finished(finished);
        }
        O::from_value(found.value)
    }

    /// Runs the body, stores what it returned if `keep` says so, and lets the followers go.
    #[inline(never)]
    pub fn run<A: Into<Keep>>(self, body: impl FnOnce() -> O::Return, keep: impl FnOnce(&O::Value) -> A) -> O::Return {
        let (returned, cost) = self.load(body);
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
        self,
        body: impl Future<Output = O::Return>,
        keep: impl FnOnce(&O::Value) -> A,
    ) -> O::Return {
        let (returned, cost) = self.load_async(body).await;
        let keep = asked::<O, A>(&returned, keep);
        self.complete_locally(returned, cost, keep)
    }

    /// As [`run`](Guard::run) with a shared level, and whether that took the value.
    pub fn run_checked<A: Into<Keep>>(
        self,
        body: impl FnOnce() -> O::Return,
        keep: impl FnOnce(&O::Value) -> A,
    ) -> (O::Return, Result<(), Error>) {
        let (returned, cost) = self.load(body);
        let keep = asked::<O, A>(&returned, keep);
        ready(self.complete::<Blocking>(returned, cost, keep))
    }

    /// As [`run_async`](Guard::run_async), and whether the shared level took the value.
    pub async fn run_checked_async<A: Into<Keep>>(
        self,
        body: impl Future<Output = O::Return>,
        keep: impl FnOnce(&O::Value) -> A,
    ) -> (O::Return, Result<(), Error>) {
        let (returned, cost) = self.load_async(body).await;
        let keep = asked::<O, A>(&returned, keep);
        self.complete::<Tasks>(returned, cost, keep).await
    }

    pub(super) fn load<R>(&self, body: impl FnOnce() -> R) -> (R, Duration) {
        let run = Run::start(self.mark());
        let returned = body();
        (returned, run.end())
    }

    pub(super) async fn load_async<R>(&self, body: impl Future<Output = R>) -> (R, Duration) {
        let watch = Stopwatch::start();
        let mark = self.mark();
        let mut body = pin!(body);
        let returned = poll_fn(|context| {
            let _inside = mark.map(Mark::enter);
            body.as_mut().poll(context)
        })
        .await;
        (returned, watch.elapsed())
    }

    /// Stores a value that a caller brought, as a load that took no time. One that is not to be kept drops the one
    /// before.
    pub(super) async fn put<I: Io>(mut self, value: O::Value, keep: Keep) -> Result<(), Error> {
        let (entry, stored) = match keep.0 {
            Some(fresh) => self.store::<I>(&value, fresh, Duration::ZERO).await,
            None => (None, self.forget::<I>().await),
        };
        self.end_put(&value, entry);
        stored
    }

    /// As [`put`](Guard::put) without a shared level.
    pub(super) fn put_locally(mut self, value: &O::Value, keep: Keep) {
        // A timeout of zero is reported, and then nothing is stored.
        let entry = keep.0.and_then(|fresh| self.local_entry(value, self.timeout(fresh).ok()?));
        if keep.0.is_none() {
            self.outdate();
        }
        self.end_put(value, entry);
    }

    pub(super) fn end_put(&mut self, value: &O::Value, entry: Option<Entry<O::Value>>) {
        if let Some(flight) = self.flight.take() {
            let ending = || Ending::Value(Arc::new(value.clone()));
            let finished =
                self.memo.finish(&flight, entry, (Origin::Loaded, self.function.usual_cost()), &ending, &mut |gone| {
                    self.door.gone(gone);
                });
            self.function.count_finished(finished);
        }
    }

    fn mark(&self) -> Option<Mark> {
        self.flight.as_deref().map(Flight::mark)
    }

    // What follows is told whether the value is to be kept, instead of asking: a closure of each function would have
    // all of it compiled for each function.

    /// Ends the load with the thread.
    pub(super) fn complete_now(self, returned: O::Return, cost: Duration, keep: Keep) -> O::Return {
        if D::SHARED {
            ready(self.complete::<Blocking>(returned, cost, keep)).0
        } else {
            self.complete_locally(returned, cost, keep)
        }
    }

    /// Ends the load at both levels.
    pub(super) async fn complete<I: Io>(
        mut self,
        returned: O::Return,
        cost: Duration,
        keep: Keep,
    ) -> (O::Return, Result<(), Error>) {
        let (entry, stored) = match kept::<O>(&returned, keep) {
            // The mark is there already.
            Some((value, fresh)) if O::ONCE && self.claimed != 0 => {
                self.claimed = 0;
                (self.timeout(fresh).ok().and_then(|timeout| self.local_entry(value, timeout)), Ok(()))
            }
            Some((value, fresh)) => self.store::<I>(value, fresh, cost).await,
            None if O::ONCE => (None, self.release::<I>().await),
            None if self.replaces_nothing(&returned) => (None, self.forget::<I>().await),
            None => (None, Ok(())),
        };
        (self.end(returned, cost, entry), stored)
    }

    /// Whether a refresh brought a value that is not to be kept, so that the one before must go.
    fn replaces_nothing(&self, returned: &O::Return) -> bool {
        self.refreshes && !O::is_error(returned)
    }

    /// Ends the load without a shared level.
    pub(super) fn complete_locally(self, returned: O::Return, cost: Duration, keep: Keep) -> O::Return {
        let kept = kept::<O>(&returned, keep);
        let entry = kept.and_then(|(value, fresh)| self.local_entry(value, self.timeout(fresh).ok()?));
        if kept.is_none() && self.replaces_nothing(&returned) {
            self.outdate();
        }
        self.end(returned, cost, entry)
    }

    /// Ends the load: counts it, stores the entry in the local level and lets the followers go.
    pub(super) fn end(mut self, returned: O::Return, cost: Duration, entry: Option<Entry<O::Value>>) -> O::Return {
        self.function.count_load(cost, !self.refreshes, O::is_error(&returned));
        if let Some(flight) = self.flight.take() {
            let keeps = entry.is_some();
            let ending = || match O::value(&returned) {
                Some(value) => Ending::Value(Arc::new(value.clone())),
                // One of the followers runs it, not all.
                None if O::ONCE => Ending::Abandoned,
                None => O::to_shared_error(&returned).map_or(Ending::Unshared, Ending::Error),
            };
            let finished =
                self.memo.finish(&flight, entry, (Origin::Loaded, cost), &ending, &mut |gone| self.door.gone(gone));
            self.function.count_finished(finished);
            if keeps && !finished.stored {
                self.function.count(Count::Discarded);
            }
        }
        self.door.note(|facts| facts.miss(Some(cost)));
        returned
    }

    /// Reports a failure of the shared level, to the hooks as well.
    fn report(&self, error: &Error) {
        self.function.report(error);
        self.door.note(|facts| facts.failed(error));
    }
}

/// A body that runs with the thread.
struct Run {
    watch: Stopwatch,
    _inside: Option<Inside>,
}

impl Run {
    fn start(load: Option<Mark>) -> Self {
        Run { watch: Stopwatch::start(), _inside: load.map(Mark::enter) }
    }

    /// How long it took.
    fn end(self) -> Duration {
        self.watch.elapsed()
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

/// The part of a return value that is to be stored, and for how long.
fn kept<O: Outcome>(returned: &O::Return, keep: Keep) -> Option<(&O::Value, Fresh)> {
    Some((O::value(returned)?, keep.0?))
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
