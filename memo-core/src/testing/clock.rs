//! A clock that tests set by hand.

use parking_lot::{Mutex, MutexGuard};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

static INSTALLED: AtomicBool = AtomicBool::new(false);
/// Nanoseconds of the mocked monotonic clock. It only grows within a process, over all mock clocks, so that an entry
/// stored under one of them can't come back to life under the next.
static MONOTONIC: AtomicU64 = AtomicU64::new(1_000_000_000_000_000);
static WALL_MILLIS: AtomicU64 = AtomicU64::new(1_800_000_000_000);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub(crate) fn mocked_monotonic() -> Option<u64> {
    INSTALLED.load(Ordering::Relaxed).then(|| MONOTONIC.load(Ordering::Relaxed))
}

/// How far tests have moved the clock, in nanoseconds from some start.
pub(crate) fn moved() -> u64 {
    MONOTONIC.load(Ordering::Relaxed)
}

pub(crate) fn mocked_wall_millis() -> Option<u64> {
    INSTALLED.load(Ordering::Relaxed).then(|| WALL_MILLIS.load(Ordering::Relaxed))
}

/// The process's clock, held still until it is moved by hand; real time returns when this is dropped.
///
/// How long a body takes is measured in real time, to which counts what the clock is moved by while it runs.
///
/// Only one exists at a time: [`install`](MockClock::install) waits for the one before. Every memo and every
/// in-process backend of the process reads it, so tests of time belong into a test binary of their own.
///
/// ```
/// use memo_core::testing::MockClock;
/// use std::time::Duration;
///
/// let clock = MockClock::install();
/// let before = memo_core::clock::now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(memo_core::clock::now().since(before), Duration::from_secs(60));
/// ```
#[must_use = "real time returns when it is dropped"]
pub struct MockClock {
    _one_at_a_time: MutexGuard<'static, ()>,
}

impl MockClock {
    /// Stops the clock of this process.
    pub fn install() -> Self {
        let guard = ONE_AT_A_TIME.lock();
        INSTALLED.store(true, Ordering::SeqCst);
        MockClock { _one_at_a_time: guard }
    }

    /// Moves the monotonic and the wall clock on.
    pub fn advance(&self, span: Duration) {
        MONOTONIC.fetch_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX / 4), Ordering::SeqCst);
        WALL_MILLIS.fetch_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX / 4), Ordering::SeqCst);
    }

    /// Drops what has expired from the local levels of all functions, which a thread does now and then as real time
    /// passes.
    pub fn sweep(&self) {
        crate::memo::sweeper::sweep();
    }

    /// Moves the wall clock alone, as an administrator or a time server does; negative is back.
    pub fn shift_wall(&self, millis: i64) {
        if millis >= 0 {
            WALL_MILLIS.fetch_add(millis.unsigned_abs(), Ordering::SeqCst);
        } else {
            WALL_MILLIS.fetch_sub(millis.unsigned_abs(), Ordering::SeqCst);
        }
    }
}

impl Drop for MockClock {
    fn drop(&mut self) {
        INSTALLED.store(false, Ordering::SeqCst);
    }
}
