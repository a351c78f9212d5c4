//! For tests: a clock that is set by hand, and the conformance suite for backends.

pub mod clock;
#[cfg(feature = "shared")]
pub mod conformance;

pub use clock::MockClock;
