//! For tests: a clock that is set by hand, a cache that fails on request, and the conformance suite for backends.

pub mod clock;
#[cfg(feature = "shared")]
pub mod conformance;
#[cfg(feature = "shared")]
mod faulty;

pub use clock::MockClock;
#[cfg(feature = "shared")]
pub use faulty::{Fault, FaultId, Faulty, Operation};
