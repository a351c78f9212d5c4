//! Guards: functions of which a mark is stored instead of a value, so that the body runs once.
//!
//! In this process a run is a load like any other, and single flight lets no second one begin. Where other processes
//! see the mark, it must be there before the body runs: the leader claims the run with [`Door::add`], which is atomic.
//! A run that fails, panics or is dropped takes its mark back before its load ends, so that a follower can claim it.

use super::call::MemoKey;
use super::door::{self, Door, Fetched, Shared};
use super::guard::{Asked, Guard, StopStoring};
use super::io::{Blocking, Io, ready};
use super::keep::Fresh;
use crate::Error;
use crate::clock;
use crate::outcome::Outcome;
use crate::random;
use std::time::Duration;

/// How often a claim is tried while what is in its way goes as soon as it is looked at.
const TRIES: u32 = 4;

/// How a claim ended.
pub(super) enum Claim<V> {
    /// This caller runs the body.
    Ours,
    /// The body ran already, or another process runs it.
    Taken(Shared<V>),
}

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Guard<O, K, D> {
    /// Claims the run in the shared level. Where that fails, the body runs, and the mark is this process's alone.
    pub(super) async fn claim<I: Io>(&mut self) -> Claim<O::Value> {
        // One of zero was reported: nothing is marked.
        let Ok(timeout) = self.timeout(Fresh::AsFunction) else { return Claim::Ours };
        for attempt in 1..=TRIES {
            match self.add_mark::<I>(timeout).await {
                Ok(true) => return Claim::Ours,
                Ok(false) => {}
                Err(error) => return self.unclaimed(&error),
            }
            match self.door.fetch::<I>(self.function).await {
                Fetched::Value(found) => return Claim::Taken(found),
                // It went since, or it is no mark: bytes that are damaged, or of another type. Those are a miss, and must
                // not keep the body from running for ever. A mark that another process sets between the last look and
                // this removal is lost.
                Fetched::Nothing if attempt + 1 == TRIES => {
                    if let Err(error) = self.door.remove::<I>().await {
                        return self.unclaimed(&error);
                    }
                }
                Fetched::Nothing => {}
                Fetched::Failed(error) => return self.unclaimed(&error),
            }
        }
        Claim::Ours
    }

    fn unclaimed(&mut self, error: &Error) -> Claim<O::Value> {
        self.function.report(error);
        self.asked = Asked::Failed;
        Claim::Ours
    }

    /// Sets the mark under the load's announcement, like any write. A load that is doomed sets none: it counts for the
    /// time before the invalidation.
    async fn add_mark<I: Io>(&mut self, timeout: Option<Duration>) -> Result<bool, Error> {
        self.begin::<I>().await;
        let lineage = self.lineage();
        let (Some(flight), Some(mark)) = (&self.flight, O::mark(random::number())) else { return Ok(true) };
        let bytes = self.door.encode(&mark, timeout, &lineage)?;
        door::stored::<I, O, D>(&self.door, self.memo.flights().supersede(flight)).await?;
        if !flight.start_storing() {
            return Ok(true);
        }
        let _storing = StopStoring(flight);
        // Before it is asked: a future that is dropped meanwhile may have set it.
        self.claimed = Some(bytes.as_slice().into());
        let added = self.door.add::<I>(&bytes, timeout).await;
        if !matches!(added, Ok(true)) {
            self.claimed = None;
        }
        added
    }

    /// Takes the mark of this run back, if there is one. What stands there may be another run's by now, since the mark
    /// may have expired or been invalidated.
    pub(super) async fn release<I: Io>(&mut self) -> Result<(), Error> {
        let Some(mark) = self.claimed.take() else { return Ok(()) };
        self.door.remove_if::<I>(&mark).await.inspect_err(|error| self.function.report(error))
    }

    /// As [`release`](Guard::release), with the thread: for a guard that is dropped, by a panic or with its future.
    pub(super) fn release_now(&mut self) {
        if self.claimed.is_some() {
            let _reported = ready(self.release::<Blocking>());
        }
    }

    /// What is left of a mark's time. It counts from the start of the run, as it does where it was set by then.
    pub(super) fn left_of_run(&self, timeout: Option<Duration>) -> Option<Duration> {
        timeout.map(|timeout| timeout.saturating_sub(clock::now().since(self.began)))
    }
}
