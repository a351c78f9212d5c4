//! The cached look-up: where the cache comes into this program.

use crate::elf::Facts;
use crate::measure::time;
use crate::name::Name;
use crate::store::{LookUpError, Store};
use memokit::{Cache, CallInfo, Error, cached};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The facts about a symbol file, or `None` if there is none of this name, which is kept as well: it is what most
/// callers get. An error is not kept: it tells nothing about the file, and the next caller tries again.
///
/// The store is where the answer comes from and no part of the question, so it is not part of the key.
#[cached(timeout = "1h", cache = "symbols", ignore = store, on_hit = note_age, on_miss = note_load)]
pub(crate) fn look_up(store: &Store, name: &Name) -> Result<Option<Facts>, LookUpError> {
    store.find(name)
}

// The sums are in `look_up::stats()`; the hooks keep the extremes, in nanoseconds.
static OLDEST_ANSWER: AtomicU64 = AtomicU64::new(0);
static SLOWEST_LOAD: AtomicU64 = AtomicU64::new(0);

fn note_age(call: &CallInfo<'_>) {
    note(&OLDEST_ANSWER, call.age());
}

fn note_load(call: &CallInfo<'_>) {
    // Those that waited for another caller's load have no load time of their own.
    note(&SLOWEST_LOAD, call.load_time());
}

fn note(most: &AtomicU64, time: Option<Duration>) {
    let nanoseconds = time.unwrap_or_default().as_nanos();
    most.fetch_max(u64::try_from(nanoseconds).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// What the cache has done so far, in a line for people.
pub(crate) fn summary() -> String {
    let stats = look_up::stats();
    let most = |nanoseconds: &AtomicU64| time(Duration::from_nanos(nanoseconds.load(Ordering::Relaxed)));
    format!(
        "{} hits, {} misses so far; the oldest answer was kept for {}, the slowest load took {}",
        stats.hits(),
        stats.misses,
        most(&OLDEST_ANSWER),
        most(&SLOWEST_LOAD),
    )
}

/// Keeps what is looked up from now on in this cache, and forgets what was looked up before, which may have been in
/// another store.
pub(crate) fn keep_in(cache: Arc<dyn Cache>) -> Result<(), Error> {
    memokit::register("symbols", cache);
    memokit::check()?;
    look_up::invalidate_all()
}
