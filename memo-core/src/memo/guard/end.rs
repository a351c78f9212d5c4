//! How a lead ends: what is stored, what followers get, what counts.

use super::store::shorter;
use super::{Guard, add_tags, entry, shared_hit};
use crate::Error;
use crate::invalidations::Marks;
use crate::local::Entry;
use crate::memo::call::MemoKey;
use crate::memo::door::{Door, Shared};
use crate::memo::flight::Ending;
use crate::memo::function::Function;
use crate::memo::io::{Blocking, Io, ready};
use crate::memo::keep::{Fresh, Keep};
use crate::memo::untyped::Finished;
use crate::memo::{Origin, context};
use crate::outcome::Outcome;
use crate::stats::Count;
use std::sync::Arc;
use std::time::Duration;

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Guard<O, K, D> {
    /// Ends the load with what the shared level has.
    pub(in crate::memo) fn end_with(mut self, found: Shared<O::Value>) -> O::Return {
        shared_hit(self.function, &self.door, &found);
        let left = shorter(found.left, self.function.trusted_time());
        add_tags(&mut self.tags, &found.tags);
        let keeps = self.function.local && left != Some(Duration::ZERO);
        let marks = self.marks();
        context::inherit_from(marks.as_deref());
        let entry = keeps.then(|| Entry { marks: marks.clone(), ..entry(found.value.clone(), left) });
        if let Some(flight) = self.flight.take() {
            let ending = || Ending::Value(Arc::new(found.value.clone()), marks.clone());
            let finished = self
                .memo
                .finish(&flight, entry, (Origin::Fetched, Duration::ZERO), &ending, &mut |gone| self.door.gone(gone));
            self.function.count_finished(finished);
        }
        O::from_value(found.value)
    }

    /// Stores a value that a caller brought, as a load that took no time. One that is not to be kept drops the one
    /// before.
    pub(in crate::memo) async fn put<I: Io>(mut self, value: O::Value, keep: Keep) -> Result<(), Error> {
        self.begin::<I>().await;
        let (entry, stored) = match keep.0 {
            Some(fresh) => self.store::<I>(&value, fresh, Duration::ZERO).await,
            None => (None, self.forget::<I>().await),
        };
        self.end_put(&value, entry);
        stored
    }

    /// As [`put`](Guard::put) without a shared level.
    pub(in crate::memo) fn put_locally(mut self, value: &O::Value, keep: Keep) {
        let entry = keep.0.and_then(|fresh| self.fresh_entry(value, fresh));
        if keep.0.is_none() {
            self.outdate();
        }
        self.end_put(value, entry);
    }

    pub(in crate::memo) fn end_put(&mut self, value: &O::Value, mut entry: Option<Entry<O::Value>>) {
        let marks = self.marks();
        if let Some(entry) = &mut entry {
            entry.marks.clone_from(&marks);
        }
        if let Some(flight) = self.flight.take() {
            let ending = || Ending::Value(Arc::new(value.clone()), marks.clone());
            let finished =
                self.memo.finish(&flight, entry, (Origin::Loaded, self.function.usual_cost()), &ending, &mut |gone| {
                    self.door.gone(gone);
                });
            self.function.count_finished(finished);
        }
    }

    // What follows is told whether the value is to be kept, instead of asking: a closure of each function would have
    // all of it compiled for each function.

    /// Ends the load with the thread.
    pub(in crate::memo) fn complete_now(self, returned: O::Return, cost: Duration, keep: Keep) -> O::Return {
        if D::SHARED {
            ready(self.complete::<Blocking>(returned, cost, keep)).0
        } else {
            self.complete_locally(returned, cost, keep)
        }
    }

    /// Ends the load at both levels.
    pub(in crate::memo) async fn complete<I: Io>(
        mut self,
        returned: O::Return,
        cost: Duration,
        keep: Keep,
    ) -> (O::Return, Result<(), Error>) {
        let (entry, stored) = match kept::<O>(&returned, keep) {
            // The mark is there already.
            Some((value, fresh)) if O::ONCE && self.claimed.is_some() => {
                self.claimed = None;
                (self.fresh_entry(value, fresh), Ok(()))
            }
            Some((value, fresh)) => self.store::<I>(value, fresh, cost).await,
            None if O::ONCE => (None, self.release::<I>().await),
            None if self.replaces_nothing(&returned) => (None, self.forget::<I>().await),
            None => (None, Ok(())),
        };
        #[cfg(feature = "shared")]
        self.end_lease::<I>().await;
        (self.end(returned, cost, entry), stored)
    }

    /// Whether a refresh brought a value that is not to be kept, so that the one before must go.
    fn replaces_nothing(&self, returned: &O::Return) -> bool {
        self.refreshes && !O::is_error(returned)
    }

    /// Ends the load without a shared level. Apart, or it would be compiled for each body.
    #[inline(never)]
    pub(in crate::memo) fn complete_locally(self, returned: O::Return, cost: Duration, keep: Keep) -> O::Return {
        let kept = kept::<O>(&returned, keep);
        let entry = kept.and_then(|(value, fresh)| self.fresh_entry(value, fresh));
        if kept.is_none() && self.replaces_nothing(&returned) {
            self.outdate();
        }
        self.end(returned, cost, entry)
    }

    /// Ends the load: counts it, stores the entry in the local level and lets the followers go.
    pub(in crate::memo) fn end(
        mut self,
        returned: O::Return,
        cost: Duration,
        mut entry: Option<Entry<O::Value>>,
    ) -> O::Return {
        self.function.count_load(cost, !self.refreshes, O::is_error(&returned));
        self.settle_marks();
        context::inherit_from(self.marks.as_deref());
        if let Some(entry) = &mut entry {
            entry.marks.clone_from(&self.marks);
        }
        if let Some(flight) = self.flight.take() {
            let keeps = entry.is_some();
            let ending = || match O::value(&returned) {
                Some(value) => Ending::Value(Arc::new(value.clone()), self.marks.clone()),
                // One of the followers runs it, not all.
                None if O::ONCE => Ending::Abandoned,
                None => failed::<O>(&returned, self.marks.clone()),
            };
            let finished =
                self.memo.finish(&flight, entry, (Origin::Loaded, cost), &ending, &mut |gone| self.door.gone(gone));
            count_end(self.function, finished, keeps);
        }
        self.door.note(|facts| facts.miss(Some(cost)));
        returned
    }
}

/// Counts what became of the entry that a load brought, if it brought one, and of others.
fn count_end(function: &Function, finished: Finished, brought: bool) {
    function.count_finished(finished);
    if brought && !finished.stored {
        function.count(Count::Discarded);
    }
}

/// The part of a return value that is to be stored, and for how long.
fn kept<O: Outcome>(returned: &O::Return, keep: Keep) -> Option<(&O::Value, Fresh)> {
    Some((O::value(returned)?, keep.0?))
}

/// How a load ends that failed.
pub(in crate::memo) fn failed<O: Outcome + 'static>(returned: &O::Return, marks: Option<Arc<Marks>>) -> Ending {
    O::to_shared_error(returned).map_or(Ending::Unshared, |error| Ending::Error(error, marks))
}
