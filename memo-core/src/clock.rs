//! The only source of time.
//!
//! A hit on an entry that can expire reads the clock, and `Instant::now` costs three whole hits, so ages come from
//! the coarse monotonic clock where the system has one. It steps every 1 to 10 ms (the kernel's tick): an entry can
//! be fresh for that much longer than its timeout, never for less than its timeout minus one step.

use std::time::Duration;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use std::{sync::OnceLock, time::Instant};

/// A point in monotonic time: nanoseconds since a start that is the same for the whole process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(u64);

impl Tick {
    /// Later than every reading of the clock: the deadline of an entry that never expires.
    pub const NEVER: Tick = Tick(u64::MAX);

    /// This long after the start.
    pub(crate) const fn at(since: Duration) -> Tick {
        Tick(since.as_secs() * 1_000_000_000 + since.subsec_nanos() as u64)
    }

    pub(crate) const fn nanos(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_nanos(nanos: u64) -> Tick {
        Tick(nanos)
    }

    /// This much later; [`Tick::NEVER`] where that is past the end of time.
    #[must_use]
    pub fn after(self, span: Duration) -> Tick {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Tick(self.0.saturating_add(nanos))
    }

    /// How long after `earlier` this is, zero where it is before.
    #[must_use]
    pub fn since(self, earlier: Tick) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The monotonic time now, for ages within this process.
#[inline]
#[must_use]
pub fn now() -> Tick {
    #[cfg(feature = "testing")]
    if let Some(nanos) = crate::testing::clock::mocked_monotonic() {
        return Tick(nanos);
    }
    monotonic()
}

/// Whether a test moves the clock.
pub(crate) fn is_mocked() -> bool {
    #[cfg(feature = "testing")]
    return crate::testing::clock::mocked_monotonic().is_some();
    #[cfg(not(feature = "testing"))]
    false
}

/// The monotonic time now, also under a mock clock: for waits on other processes.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
pub(crate) fn monotonic() -> Tick {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    #[expect(clippy::cast_sign_loss, reason = "the kernel's monotonic clock starts at boot and is never negative")]
    Tick(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[inline]
#[expect(clippy::disallowed_methods, reason = "this is the source of time")]
pub(crate) fn monotonic() -> Tick {
    static START: OnceLock<Instant> = OnceLock::new();
    let nanos = START.get_or_init(Instant::now).elapsed().as_nanos();
    Tick(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Measures how long a load takes: finely and in real time, and by what a test moves the clock meanwhile.
pub(crate) struct LoadWatch {
    real: Stopwatch,
    #[cfg(feature = "testing")]
    moved: Tick,
}

impl LoadWatch {
    pub(crate) fn start() -> Self {
        LoadWatch {
            real: Stopwatch::start(),
            #[cfg(feature = "testing")]
            moved: Tick(crate::testing::clock::moved()),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        let elapsed = self.real.elapsed();
        #[cfg(feature = "testing")]
        let elapsed = elapsed + Tick(crate::testing::clock::moved()).since(self.moved);
        elapsed
    }
}

/// Measures how long something takes, finely and in real time also under a mock clock.
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "this module is where time comes from")]
    pub(crate) fn start() -> Self {
        Stopwatch(std::time::Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Milliseconds since 1970 on the wall clock: for the header of a stored entry, which other processes read. As coarse
/// as [`now`], since a hit on such an entry reads it.
#[must_use]
pub fn wall_millis() -> u64 {
    #[cfg(feature = "testing")]
    if let Some(millis) = crate::testing::clock::mocked_wall_millis() {
        return millis;
    }
    wall()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn wall() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn wall() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
