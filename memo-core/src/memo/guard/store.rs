//! What the leader of a load stores, and what it drops.

use super::{Asked, Guard};
use crate::Error;
use crate::clock::{self, Tick};
use crate::local::Entry;
use crate::memo::call::MemoKey;
use crate::memo::door::{self, Door, Lineage};
use crate::memo::flight::Flight;
use crate::memo::function::Function;
use crate::memo::io::Io;
use crate::memo::keep::Fresh;
use crate::outcome::Outcome;
use crate::stats::Count;
use std::time::Duration;

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Guard<O, K, D> {
    /// Drops the value before this load, at both levels. The local one last, since a load that began meanwhile may have
    /// fetched the shared one.
    pub(in crate::memo) async fn forget<I: Io>(&self) -> Result<(), Error> {
        let Some(flight) = &self.flight else { return Ok(()) };
        let waited = door::stored::<I, O, D>(&self.door, self.memo.flights().supersede(flight)).await;
        let removed = match waited {
            Ok(_) => self.door.invalidate::<I>().await.map(drop),
            Err(error) => Err(error),
        };
        self.memo.untyped().outdate(flight);
        removed.inspect_err(|error| self.report(error))
    }

    /// Drops the value before this load from the local level.
    pub(in crate::memo) fn outdate(&self) {
        if let Some(flight) = &self.flight {
            self.memo.untyped().outdate(flight);
        }
    }

    /// How long a value stored now is fresh; one of zero is reported.
    pub(in crate::memo) fn timeout(&self, fresh: Fresh) -> Result<Option<Duration>, Error> {
        timeout(self.function, fresh)
    }

    /// The entry for the local level of a value that is this fresh, if that is to hold one: where its timeout is zero it is
    /// not.
    pub(in crate::memo) fn fresh_entry(&self, value: &O::Value, fresh: Fresh) -> Option<Entry<O::Value>> {
        if O::ONCE {
            return self.local_entry(value, self.timeout(fresh).ok()?);
        }
        let (created, deadline) = times_of(self.function, fresh, D::SHARED)?;
        Some(Entry { value: value.clone(), created, deadline, marks: None })
    }

    /// The entry for the local level, if it is to hold one.
    pub(in crate::memo) fn local_entry(&self, value: &O::Value, timeout: Option<Duration>) -> Option<Entry<O::Value>> {
        let timeout = if O::ONCE { self.left_of_run(timeout) } else { timeout };
        let (created, deadline) = times(self.function, timeout, D::SHARED)?;
        Some(Entry { value: value.clone(), created, deadline, marks: None })
    }

    /// Stores in the shared level; the entry for the local one, and whether the shared one took the value.
    pub(in crate::memo) async fn store<I: Io>(
        &mut self,
        value: &O::Value,
        fresh: Fresh,
        cost: Duration,
    ) -> (Option<Entry<O::Value>>, Result<(), Error>) {
        let timeout = match self.timeout(fresh) {
            Ok(timeout) => timeout,
            Err(error) => return (None, Err(error)),
        };
        let mut stored = Ok(true);
        if D::SHARED && self.asked != Asked::Failed {
            stored = self.store_shared::<I>(value, timeout, cost).await;
            if let Err(error) = &stored {
                self.report(error);
            }
        }
        if D::SHARED && !self.function.local {
            self.outdate();
        }
        match stored {
            // Another process has invalidated it meanwhile.
            Ok(false) => {
                self.function.count(Count::Discarded);
                (None, Ok(()))
            }
            stored => (self.local_entry(value, timeout), stored.map(drop)),
        }
    }

    /// What the loaded value goes with in the shared level.
    pub(in crate::memo) fn lineage(&mut self) -> Lineage {
        let tags = self.marks().map(|marks| marks.tags().clone()).unwrap_or_default();
        Lineage { since: self.since, tags }
    }

    /// Writes under the flight's announcement, so that whoever dooms this load waits for the write to be over and
    /// removes what it wrote.
    async fn store_shared<I: Io>(
        &mut self,
        value: &O::Value,
        timeout: Option<Duration>,
        cost: Duration,
    ) -> Result<bool, Error> {
        let lineage = self.lineage();
        let Some(flight) = &self.flight else { return Ok(true) };
        if !door::stored::<I, O, D>(&self.door, self.memo.flights().supersede(flight)).await? {
            // An older load goes on writing. It must not come after this one, so neither of them stays.
            return self.door.invalidate::<I>().await.map(|_| true);
        }
        if !flight.start_storing() {
            return Ok(true);
        }
        let _storing = StopStoring(flight);
        self.door.store::<I>(value, timeout, cost, &lineage).await
    }
}

/// Ends the announcement of a write, also when its future is dropped.
pub(in crate::memo) struct StopStoring<'a>(pub(in crate::memo) &'a Flight);

impl Drop for StopStoring<'_> {
    fn drop(&mut self) {
        self.0.stop_storing();
    }
}

/// An entry stored now, fresh for `left`.
pub(in crate::memo) fn entry<V>(value: V, left: Option<Duration>) -> Entry<V> {
    let (created, deadline) = times_from_now(left);
    Entry { value, created, deadline, marks: None }
}

// What follows knows no types, so that it is not compiled again for each function.

/// How long a value stored now is fresh; one of zero is reported.
fn timeout(function: &Function, fresh: Fresh) -> Result<Option<Duration>, Error> {
    function.time_of(fresh).inspect_err(|error| function.report(error))
}

/// As [`times`], of an entry that is this fresh; a timeout of zero is reported.
fn times_of(function: &Function, fresh: Fresh, is_shared: bool) -> Option<(Tick, Tick)> {
    times(function, timeout(function, fresh).ok()?, is_shared)
}

/// When an entry was stored that is stored now, and when it expires; `None` if the local level is not to hold it.
fn times(function: &Function, timeout: Option<Duration>, is_shared: bool) -> Option<(Tick, Tick)> {
    let trusted = if is_shared { function.trusted_time() } else { None };
    let left = shorter(timeout, trusted);
    (function.local && left != Some(Duration::ZERO)).then(|| times_from_now(left))
}

fn times_from_now(left: Option<Duration>) -> (Tick, Tick) {
    let created = clock::now();
    (created, left.map_or(Tick::NEVER, |left| created.after(left)))
}

/// The shorter of two times, where `None` is for ever.
pub(in crate::memo) fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
