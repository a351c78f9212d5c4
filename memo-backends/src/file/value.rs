//! What lies under a key: when it expires, then the bytes. See `docs/file-layout.md`.

use memo_core::{TimeToLive, Want, clock};
use std::time::Duration;

/// Bytes before the value: its expiry in milliseconds since 1970, little endian; 0 is never.
pub(super) const HEADER: usize = 8;

/// When an entry stored now expires.
///
/// A fraction of a millisecond counts as a whole one, so that no timeout becomes "never" or "at once". The wall clock
/// it is, since other processes and later boots read it.
pub(super) fn expiry(timeout: Option<Duration>) -> u64 {
    let Some(timeout) = timeout else { return 0 };
    let millis = timeout.as_nanos().div_ceil(1_000_000).max(1);
    clock::wall_millis().saturating_add(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// A stored entry, where it lies.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) expiry: u64,
    pub(super) bytes: &'a [u8],
}

impl<'a> Stored<'a> {
    /// `None` for what this library did not write.
    pub(super) fn split(stored: &'a [u8]) -> Option<Stored<'a>> {
        let (header, bytes) = stored.split_first_chunk::<HEADER>()?;
        Some(Stored { expiry: u64::from_le_bytes(*header), bytes })
    }

    /// The entry, if it is whole and not expired. Reads the clock only if it can expire.
    pub(super) fn live(stored: &'a [u8]) -> Option<Stored<'a>> {
        Self::split(stored).filter(|stored| stored.expiry == 0 || stored.expiry > clock::wall_millis())
    }

    pub(super) fn time_to_live(self, want: Want) -> TimeToLive {
        match (want, self.expiry) {
            (Want::Bytes, _) => TimeToLive::Unknown,
            (Want::BytesAndTimeToLive, 0) => TimeToLive::Forever,
            (Want::BytesAndTimeToLive, expiry) => {
                // At least 1 ms: the entry was found live a moment ago.
                let left = expiry.saturating_sub(clock::wall_millis()).max(1);
                TimeToLive::Left(Duration::from_millis(left))
            }
        }
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
        assert!(Stored::split(&[0; 7]).is_none());
        assert!(Stored::live(&[0; 8]).is_some_and(|stored| stored.bytes.is_empty()));
        assert!(Stored::live(&1_u64.to_le_bytes()).is_none(), "expired in 1970");
    }
}
