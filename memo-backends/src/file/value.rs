//! What lies under a key: when it expires, when it was stored, then the bytes. See `docs/file-layout.md`.

use crate::common::whole_millis;
use memo_core::{TimeToLive, Want, clock};
use std::time::Duration;

/// Bytes before the value: its expiry and when it was stored, in milliseconds since 1970, little endian. An expiry of 0
/// is never.
pub(super) const HEADER: usize = 16;

/// The two times of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) expiry: u64,
    pub(super) stored: u64,
}

impl Times {
    /// Of an entry stored now.
    pub(super) fn now(timeout: Option<Duration>) -> Times {
        Times { expiry: expiry(timeout), stored: clock::wall_millis() }
    }

    /// When it ends, given how old any entry may get; both 0 for never.
    fn end(self, max_age: u64) -> u64 {
        match (self.expiry, max_age) {
            (expiry, 0) => expiry,
            (0, max_age) => self.stored.saturating_add(max_age),
            (expiry, max_age) => expiry.min(self.stored.saturating_add(max_age)),
        }
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&self.expiry.to_le_bytes());
        bytes[8..].copy_from_slice(&self.stored.to_le_bytes());
        bytes
    }
}

/// When an entry stored now expires. The wall clock it is, since other processes and later boots read it.
fn expiry(timeout: Option<Duration>) -> u64 {
    timeout.map_or(0, |timeout| clock::wall_millis().saturating_add(whole_millis(timeout)))
}

/// A stored entry, where it lies.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) times: Times,
    pub(super) bytes: &'a [u8],
}

impl<'a> Stored<'a> {
    /// `None` for what this library did not write.
    pub(super) fn split(stored: &'a [u8]) -> Option<Stored<'a>> {
        let (expiry, rest) = stored.split_first_chunk()?;
        let (stored, bytes) = rest.split_first_chunk()?;
        let times = Times { expiry: u64::from_le_bytes(*expiry), stored: u64::from_le_bytes(*stored) };
        Some(Stored { times, bytes })
    }

    /// The entry, if it is whole, not expired and not older than `max_age` (0 is any age). Reads the clock only if it
    /// can end.
    #[inline]
    pub(super) fn live(stored: &'a [u8], max_age: u64) -> Option<Stored<'a>> {
        Self::split(stored).filter(|stored| {
            let end = stored.times.end(max_age);
            end == 0 || end > clock::wall_millis()
        })
    }

    pub(super) fn time_to_live(self, want: Want, max_age: u64) -> TimeToLive {
        match (want, self.times.end(max_age)) {
            (Want::Bytes, _) => TimeToLive::Unknown,
            (Want::BytesAndTimeToLive, 0) => TimeToLive::Forever,
            (Want::BytesAndTimeToLive, end) => {
                // At least 1 ms: the entry was found live a moment ago.
                let left = end.saturating_sub(clock::wall_millis()).max(1);
                TimeToLive::Left(Duration::from_millis(left))
            }
        }
    }

    pub(super) fn age(self) -> Duration {
        Duration::from_millis(clock::wall_millis().saturating_sub(self.times.stored))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_round_up_to_milliseconds() {
        let lasts = |timeout, millis: u64| {
            let before = clock::wall_millis();
            let expiry = expiry(Some(timeout));
            // However long this thread was interrupted in between.
            (before + millis..=clock::wall_millis() + millis).contains(&expiry)
        };
        assert_eq!(expiry(None), 0);
        assert!(lasts(Duration::from_nanos(1), 1));
        assert!(lasts(Duration::from_micros(1_500), 2));
        assert!(lasts(Duration::from_millis(90_500), 90_500));
        assert_eq!(expiry(Some(Duration::MAX)), u64::MAX);
    }

    #[test]
    fn what_is_too_short_is_no_entry() {
        assert!(Stored::split(&[0; HEADER - 1]).is_none());
        assert!(Stored::live(&[0; HEADER], 0).is_some_and(|stored| stored.bytes.is_empty()));
        let expired = Times { expiry: 1, stored: 0 }.to_bytes();
        assert!(Stored::live(&expired, 0).is_none(), "expired in 1970");
    }

    #[test]
    fn the_earlier_of_timeout_and_age_ends_an_entry() {
        let end = |expiry, max_age| Times { expiry, stored: 1_000 }.end(max_age);
        assert_eq!([end(0, 0), end(5_000, 0), end(0, 300)], [0, 5_000, 1_300]);
        assert_eq!([end(5_000, 300), end(1_200, 300), end(5_000, u64::MAX)], [1_300, 1_200, 5_000]);
    }
}
