//! What one body loaded for several ids. Each id has a load of its own, which is stored and ended as any other; what goes
//! to the shared level goes there together.

use super::{Asked, Guard, StopStoring};
use crate::Error;
use crate::invalidations::Marks;
use crate::local::Entry;
use crate::memo::Origin;
use crate::memo::call::MemoKey;
use crate::memo::context;
use crate::memo::door::{self, Lineage};
use crate::memo::each::{Doors, ValueToStore};
use crate::memo::flight::Ending;
use crate::memo::io::Io;
use crate::memo::keep::Keep;
use crate::outcome::Outcome;
use crate::stats::Count;
use std::sync::Arc;
use std::time::Duration;

/// What was loaded under the lead of one id.
pub(in crate::memo) struct Brought<O: Outcome + 'static, K: MemoKey, D: Doors<O::Value>> {
    pub(in crate::memo) guard: Guard<O, K, D>,
    value: O::Value,
    keep: Keep,
    /// It was invalidated while it was loaded, as the shared level told.
    is_refused: bool,
}

/// It is not to be stored.
struct NotStored;

impl<O: Outcome + 'static, K: MemoKey, D: Doors<O::Value>> Brought<O, K, D> {
    /// What was loaded under this lead.
    pub(in crate::memo) fn new(guard: Guard<O, K, D>, value: O::Value, keep: Keep) -> Self {
        Brought { guard, value, keep, is_refused: false }
    }

    /// How long it is fresh, if it is to be stored; a time of zero is reported.
    fn timeout(&self) -> Result<Option<Duration>, NotStored> {
        self.guard.timeout(self.keep.0.ok_or(NotStored)?).map_err(|_| NotStored)
    }

    /// Whether the entry before must go without another in its place.
    fn replaces_nothing(&self) -> bool {
        self.keep.0.is_none() && self.guard.refreshes
    }

    /// The entry for the local level. The shared level was written to before.
    fn entry(&self) -> Option<Entry<O::Value>> {
        let timeout = self.timeout();
        if self.replaces_nothing() || (timeout.is_ok() && D::SHARED && !self.guard.function.local) {
            self.guard.outdate();
        }
        if self.is_refused {
            self.guard.function.count(Count::Discarded);
            return None;
        }
        self.guard.local_entry(&self.value, timeout.ok()?)
    }

    /// Ends the load, whose share of what the body took is `cost`.
    pub(in crate::memo) fn end(self, cost: Duration) -> O::Return {
        let entry = self.entry();
        self.guard.end(O::from_value(self.value), cost, entry)
    }

    /// Ends it as a value that a caller brought.
    pub(in crate::memo) fn end_put(mut self) {
        let entry = self.entry();
        self.guard.end_put(&self.value, entry);
    }
}

/// Writes to the shared level what is to be kept there, and drops there what a refresh replaces by nothing.
///
/// None of these loads waits while another of them is announced as writing, or two calls could wait for each other:
/// first all wait for older loads of their keys, then all are announced at once.
pub(in crate::memo) async fn store_all<I: Io, O, K, D>(
    loads: &mut [Brought<O, K, D>],
    took: Duration,
) -> Result<(), Error>
where
    O: Outcome + 'static,
    K: MemoKey,
    D: Doors<O::Value>,
{
    if loads.is_empty() || !D::SHARED {
        return Ok(());
    }
    let lineages: Vec<Lineage> = loads.iter_mut().map(|load| load.guard.lineage()).collect();
    let mut refused = Vec::new();
    let stored = write_all::<I, O, K, D>(loads, &lineages, took, &mut refused).await;
    for at in refused {
        loads[at].is_refused = true;
    }
    stored.inspect_err(|error| loads[0].guard.report(error))
}

/// What each of so many has of the time that one body took for all.
pub(in crate::memo) fn share(took: Duration, among: usize) -> Duration {
    took / u32::try_from(among).unwrap_or(u32::MAX).max(1)
}

/// A body begins for all these loads.
pub(in crate::memo) async fn begin_all<'g, I: Io, O, K, D>(guards: impl Iterator<Item = &'g mut Guard<O, K, D>>)
where
    O: Outcome + 'static,
    K: MemoKey,
    D: Doors<O::Value> + 'g,
{
    let mut guards = guards;
    let Some(first) = guards.next() else { return };
    first.begin::<I>().await;
    let since = first.since;
    guards.for_each(|guard| guard.since = since);
}

/// The body ran under the first of these leads: the tags that it gave are those of all.
pub(in crate::memo) fn share_tags<'g, O, K, D>(guards: impl Iterator<Item = &'g mut Guard<O, K, D>>)
where
    O: Outcome + 'static,
    K: MemoKey,
    D: Doors<O::Value> + 'g,
{
    let mut guards = guards;
    let Some(first) = guards.next() else { return };
    guards.for_each(|guard| guard.tags.clone_from(&first.tags));
}

async fn write_all<I: Io, O, K, D>(
    loads: &[Brought<O, K, D>],
    lineages: &[Lineage],
    took: Duration,
    refused: &mut Vec<usize>,
) -> Result<(), Error>
where
    O: Outcome + 'static,
    K: MemoKey,
    D: Doors<O::Value>,
{
    let mut dropped: Vec<usize> = Vec::new();
    for (at, load) in loads.iter().enumerate() {
        let Some(flight) = load.guard.flight.as_ref() else { continue };
        if load.keep.0.is_some() || load.replaces_nothing() {
            let older = load.guard.memo.flights().supersede(flight);
            // One that goes on writing must not come after this one, so neither of them stays.
            if !door::stored::<I, O, D>(&load.guard.door, older).await? || load.replaces_nothing() {
                dropped.push(at);
            }
        }
    }
    let gone: Vec<&D> = dropped.iter().map(|at| &loads[*at].guard.door).collect();
    let outcome = match gone.is_empty() {
        true => Ok(()),
        false => D::invalidate_many::<I>(&gone).await.map(drop),
    };
    let (mut values, mut places, mut announced) = (Vec::new(), Vec::new(), Vec::new());
    for (at, load) in loads.iter().enumerate().filter(|(_, load)| load.guard.asked != Asked::Failed) {
        if dropped.binary_search(&at).is_ok() {
            continue;
        }
        let (Ok(timeout), Some(flight)) = (load.timeout(), &load.guard.flight) else { continue };
        if !flight.start_storing() {
            continue;
        }
        announced.push(StopStoring(flight));
        values.push(ValueToStore { door: &load.guard.door, value: &load.value, timeout, lineage: &lineages[at] });
        places.push(at);
    }
    if values.is_empty() {
        return outcome;
    }
    let (taken, stored) = D::store_many::<I>(&values, share(took, loads.len()), took).await;
    refused.extend(places.into_iter().zip(taken).filter(|(_, taken)| !taken).map(|(at, _)| at));
    outcome.and(stored)
}

impl<O: Outcome + 'static, K: MemoKey, D: Doors<O::Value>> Guard<O, K, D> {
    /// The key.
    ///
    /// # Panics
    /// If the load has ended.
    pub(in crate::memo) fn key(&self) -> &K {
        self.flight.as_ref().expect("it is led until it ends").key()
    }

    /// Says that before this load began, only `own` loads of its shard did since the shared level was asked, none of which
    /// is of its key: if that is so, what was found there then is still true.
    pub(in crate::memo) fn began_after(&mut self, own: u64) {
        if let (Asked::Before(next), Some(flight)) = (self.asked, &self.flight)
            && flight.number() == next + own
        {
            self.asked = Asked::Before(flight.number());
        }
    }

    /// The shared level failed, which is reported.
    pub(in crate::memo) fn has_failed(&mut self, error: &Error) {
        self.door.note(|facts| facts.failed(error));
        self.asked = Asked::Failed;
    }

    /// Ends a load that failed.
    pub(in crate::memo) fn end_failed(mut self, cost: Duration, ending: &dyn Fn(Option<Arc<Marks>>) -> Ending) {
        self.function.count_load(cost, !self.refreshes, true);
        let marks = self.marks();
        context::inherit_from(marks.as_deref());
        if let Some(flight) = self.flight.take() {
            self.memo.finish(&flight, None, (Origin::Loaded, cost), &|| ending(marks.clone()), &mut |gone| {
                self.door.gone(gone);
            });
        }
    }
}
