//! The steps of a memo that touch the table of loads and the local level together. They know neither key nor value, so
//! that they are compiled once and not again for each function.

use super::flight::{AnyKey, Ending, Flight};
use super::flights::Flights;
use super::function::Function;
use super::{Join, Origin, sweeper};
use crate::clock::Tick;
use crate::epoch::{self, Pin};
use crate::events::Cause;
use crate::local::{Engine, Owned, Seen};
use std::sync::Arc;

/// A memo without its types.
#[derive(Clone, Copy)]
pub(super) struct Untyped<'m> {
    /// Loads and entries.
    pub(super) engine: &'m Engine,
    /// Whether there is a local level, or loads alone.
    pub(super) keeps: bool,
}

/// What a caller finds when it looks again under the lock of its key.
pub(super) enum Entered<T> {
    /// A load ended between the two looks.
    Found(T),
    /// The caller runs its load.
    Lead,
    /// Another caller runs it.
    Follow(Arc<Flight>),
}

/// How a load ended for the local level.
#[derive(Clone, Copy)]
pub(super) struct Finished {
    pub(super) stored: bool,
    pub(super) evicted: usize,
    /// Not in the local level after all, since it is heavier than all there may be.
    pub(super) too_heavy: bool,
}

impl<'m> Untyped<'m> {
    pub(super) fn flights(self) -> Flights<'m> {
        Flights(self.engine)
    }

    /// Joins the load under way or begins this one, for a call of this function.
    pub(super) fn enter<'p>(
        self,
        pin: &'p Pin,
        function: &Function,
        flight: &Arc<Flight>,
        join: Join,
    ) -> Entered<Seen<'p>> {
        let is = |key: &AnyKey| flight.is_for(key);
        let mut loads = self.flights().lock(flight.hash, &is);
        if join == Join::Any {
            match loads.joinable() {
                Some(other) if may_wait(function, other) => return Entered::Follow(Arc::clone(other)),
                Some(_) => {
                    loads.begin(flight, false);
                    return Entered::Lead;
                }
                None => {}
            }
            if function.local
                && let Some(seen) = self.engine.find_key(pin, flight.hash, flight.any_key())
                && self.engine.is_fresh(seen)
            {
                seen.serve();
                return Entered::Found(seen);
            }
        }
        loads.begin(flight, join != Join::Alone);
        Engine::prefetch_in(&loads.shard, pin, flight.hash);
        Entered::Lead
    }

    /// Ends a load: stores what it brought unless it is doomed, and lets its followers go. `gone` is told what left the
    /// local level by itself. Whoever is pinned should [free](Untyped::free_sometimes) afterwards what went.
    pub(super) fn finish<'p>(
        self,
        pin: &'p Pin,
        flight: &Arc<Flight>,
        mut node: Option<Owned>,
        (brings, origin): (bool, Origin),
        ending: &dyn Fn() -> Ending,
        gone: &mut dyn FnMut(Seen<'p>, Cause),
    ) -> (Finished, bool) {
        let mut went = None;
        let is = |key: &AnyKey| flight.is_for(key);
        let mut loads = self.flights().lock(flight.hash, &is);
        let stored = loads.end(flight, brings, origin);
        if stored {
            went = node.take().map(|node| self.engine.insert_in(&mut loads.shard, pin, flight.hash, node));
        }
        drop(loads);
        flight.tell(ending);
        let mut finished = Finished { stored, evicted: 0, too_heavy: false };
        let Some(went) = went else { return (finished, false) };
        (finished.evicted, finished.too_heavy) = (went.evicted(), went.is_too_heavy());
        went.tell(gone);
        self.engine.sweep_sometimes(pin, &mut |seen| gone(seen, Cause::Expired));
        if let Some(deadline) = went.expires() {
            sweeper::expect(deadline);
        }
        (finished, went.is_due())
    }

    /// Drops the entry of a key and dooms its loads. Whether there was a fresh entry, and the loads that are writing to
    /// the shared level.
    pub(super) fn drop_entry(self, hash: u64, key: &AnyKey, is: &dyn Fn(&AnyKey) -> bool) -> (bool, Vec<Arc<Flight>>) {
        let pin = epoch::pin();
        let mut loads = self.flights().lock(hash, is);
        let storing = loads.doom(u64::MAX);
        let removed = self.engine.remove_in(&mut loads.shard, &pin, hash, key, &|_| true);
        drop(loads);
        let was_fresh = removed.is_some_and(|seen| self.engine.is_fresh(seen));
        drop(pin);
        self.free_sometimes(hash);
        (was_fresh, storing)
    }

    /// Drops what is remembered under the key of a load that brought a newer value and does not remember it itself:
    /// one that is not to be kept, or of a function without a local level whose prefix others share.
    pub(super) fn outdate(self, flight: &Flight) {
        if !self.keeps {
            return;
        }
        let is = |key: &AnyKey| flight.is_for(key);
        let mut loads = self.flights().lock(flight.hash, &is);
        if loads.outdate(flight) {
            self.engine.remove_in(&mut loads.shard, &epoch::pin(), flight.hash, flight.any_key(), &|_| true);
            drop(loads);
            self.free_sometimes(flight.hash);
        }
    }

    /// Takes the entry of a key out if it has expired: another caller may have stored a new one since it was seen.
    pub(super) fn take_expired(self, flight: &Flight, gone: &mut dyn FnMut(Seen<'_>)) {
        let pin = epoch::pin();
        if let Some(seen) = self.engine.remove(&pin, flight.hash, flight.any_key(), &|seen| seen.is_expired()) {
            gone(seen);
        }
        drop(pin);
        self.free_sometimes(flight.hash);
    }

    /// Drops what had expired by then.
    pub(super) fn sweep(self, now: Tick) {
        let mut sweep = self.engine.sweep(now);
        while sweep.some(&epoch::pin()).is_some() {
            sweep.free_sometimes();
        }
    }

    /// Drops every entry and dooms every load; the loads that are writing to the shared level.
    pub(super) fn drop_all(self) -> Vec<Arc<Flight>> {
        // The loads first: one that ends now can't store any more, and what others stored before goes with the rest.
        let storing = self.flights().doom_all();
        self.engine.clear(&epoch::pin());
        self.engine.free_now();
        storing
    }

    /// Frees what went, if that is worth it by now: outside of all locks and pins.
    pub(super) fn free_sometimes(self, hash: u64) {
        self.engine.free_sometimes(hash);
    }
}

/// Whether a call of this function may wait for a load. The code that the load runs must not wait for itself: it runs
/// the body. Nor must a thread wait for a task, which may need that thread to go on.
pub(super) fn may_wait(function: &Function, flight: &Flight) -> bool {
    !flight.mark().is_inside() && (function.is_async || !flight.by_task)
}
