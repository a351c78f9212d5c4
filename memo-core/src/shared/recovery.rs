//! The thread that asks a cache which does not answer, and applies to it what it is owed.
//!
//! There is one for each such cache, and only while its breaker is open or something is owed. So no caller waits for a
//! cache that is down once the breaker is open, and a cache that is back is noticed also if nobody calls.

use super::breaker::is_down;
use super::cache::Cache;
use super::invalidation::function_name;
use super::link::Link;
use super::owed::Due;
use crate::clock::{self, Tick};
use crate::sync::IS_MODEL;
use crate::{Error, ErrorKind};
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What is read to see whether a cache answers. Nothing is stored under it.
const ASKED: &str = "memo!answers";

/// The longest that the thread sleeps before it looks whether it is still of use.
const SLEEP: Duration = Duration::from_millis(100);

/// Whether the thread runs.
#[derive(Default)]
pub(super) struct Recovery(Mutex<bool>);

impl Recovery {
    /// Sees to it that the thread runs. For whoever has just opened the breaker, or added to what is owed.
    pub(super) fn start(&self, link: &Arc<Link>) {
        let mut runs = self.0.lock();
        if !*runs && !IS_MODEL {
            // Counted from here, and not from when the thread comes to it.
            let due = clock::now().after(link.breaker.pause());
            let link = Arc::clone(link);
            // Where there is no thread to be had, the next one who finds the breaker open tries.
            let thread = thread::Builder::new().name("memokit-recover".into()).spawn(move || recover(&link, due));
            *runs = thread.is_ok();
        }
    }
}

fn recover(link: &Link, mut due: Tick) {
    let mut keys = usize::MAX;
    let mut opened = link.breaker.opened();
    while is_of_use(link) {
        let latest = link.breaker.opened();
        if opened != latest {
            // A caller has just asked in vain, while this thread was about to end or applied what was owed.
            opened = latest;
            due = clock::now().after(link.breaker.pause());
        }
        if !has_slept_until(due) {
            continue;
        }
        let Some(cache) = link.cache() else { continue };
        // With the cache, whose last owner this may be by then: its drop is code of users.
        match catch_unwind(AssertUnwindSafe(move || attempt(link, &*cache, keys))) {
            Ok(Ok(())) => keys = keys.saturating_mul(2),
            // One key that it refuses must not keep the others from being applied.
            Ok(Err(_)) | Err(_) => {
                keys = 1;
                link.breaker.back_off();
                due = clock::now().after(link.breaker.pause());
            }
        }
    }
}

/// Whether there is anything to do. If not, the thread counts as ended from here on.
fn is_of_use(link: &Link) -> bool {
    let mut runs = link.recovery.0.lock();
    if link.is_gone() {
        let lost = link.owed.count();
        if lost > 0 {
            tracing::error!(lost, "a cache was dropped before invalidations that had failed were applied to it");
        }
        link.owed.drop_all();
        *runs = false;
    } else {
        *runs = link.breaker.is_open() || link.owed.count() > 0;
    }
    *runs
}

/// Sleeps, but not for long; whether it is time.
fn has_slept_until(due: Tick) -> bool {
    let left = due.since(clock::now());
    if !left.is_zero() {
        // Time passes when a test says so, so it is asked often.
        thread::sleep(if clock::is_mocked() { Duration::from_millis(1) } else { left.min(SLEEP) });
    }
    due <= clock::now()
}

/// Applies the oldest of what is owed, at most so many keys. Where nothing is, asks the cache for an answer.
fn attempt(link: &Link, cache: &dyn Cache, keys: usize) -> Result<(), Error> {
    let due = link.owed.due(clock::now(), keys);
    let done = match &due {
        None => cache.get(ASKED).map(drop),
        Some(Due::Keys(keys)) => {
            let keys: Vec<&str> = keys.iter().map(|(_, key)| &**key).collect();
            invalidate(link, cache, &keys, &[])
        }
        Some(Due::Function(_, prefix)) => invalidate(link, cache, &[], &[&function_name(prefix)]),
        Some(Due::Tag(_, name)) => invalidate(link, cache, &[], &[name]),
    };
    if let Err(error) = &done
        && is_down(error)
    {
        return done;
    }
    if link.breaker.close() {
        tracing::info!(cache = cache.capabilities().name, "the cache answers again");
    }
    match (due, done) {
        (None, _) => Ok(()),
        (Some(due), Ok(())) => {
            let taken = link.owed.take(&due);
            tracing::info!(cache = cache.capabilities().name, taken, "invalidations that had failed are applied");
            Ok(())
        }
        (Some(due), Err(error)) if may_succeed_later(&error) || due.is_several() => {
            link.owed.put_off(&due);
            Err(error)
        }
        (Some(due), Err(error)) => {
            link.owed.give_up(&due);
            tracing::error!(cache = cache.capabilities().name, "an invalidation that had failed is given up: {error}");
            Err(error)
        }
    }
}

fn invalidate(link: &Link, cache: &dyn Cache, keys: &[&str], names: &[&str]) -> Result<(), Error> {
    let _own = link.begin_own();
    let done = cache.invalidate(&link.invalidation(keys, names))?;
    link.hear(names, &[], done.sequence);
    Ok(())
}

/// Whether an invalidation that failed so may succeed later: when the cache is back, has room, or takes our credentials.
pub(super) fn may_succeed_later(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Key | ErrorKind::Codec | ErrorKind::NotRegistered)
}
