//! When a wait must be over: real time, also where a test moves the clock of the entries.

use super::error::Failure;
use std::time::{Duration, Instant};

/// A moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Instant);

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "the bound of a wait on a socket, which no mock clock may stop")]
    pub(super) fn after(time: Duration) -> Deadline {
        let now = Instant::now();
        // A century: what overflows is no bound that anybody waits for.
        Deadline(now.checked_add(time).unwrap_or(now + Duration::from_secs(3_000_000_000)))
    }

    /// The time that is left.
    ///
    /// # Errors
    ///
    /// [`Failure::Late`] if it is none.
    #[expect(clippy::disallowed_methods, reason = "as above")]
    pub(super) fn left(self) -> Result<Duration, Failure> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(Failure::Late) } else { Ok(left) }
    }

    /// This moment, or sooner if `time` from now is sooner.
    pub(super) fn at_most(self, time: Duration) -> Deadline {
        Deadline(self.0.min(Deadline::after(time).0))
    }

    #[cfg(feature = "redis-tokio")]
    pub(super) fn instant(self) -> Instant {
        self.0
    }
}
