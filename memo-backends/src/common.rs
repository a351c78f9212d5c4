//! What the backends that ship here have in common.

/// Names of functions and tags whose records of invalidations a backend keeps.
pub(crate) const MOST_NAMES: usize = 16_384;

/// Whole milliseconds, rounded up, so that no timeout ends before its time, or is none.
#[cfg(any(feature = "file", feature = "redis"))]
pub(crate) fn whole_millis(timeout: std::time::Duration) -> u64 {
    u64::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX).max(1)
}
