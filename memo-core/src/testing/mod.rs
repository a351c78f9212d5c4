//! For tests: a clock that is set by hand, and the conformance suite for backends.

pub mod clock;

pub use clock::MockClock;
