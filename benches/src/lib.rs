//! What the benches share: contenders that take turns, random numbers that repeat, traces, figures and their drawings.
//!
//! Without features there is next to nothing to compile. `figures` brings files of figures, tables and drawings;
//! `contenders` all that the benches run, and they switch it on themselves.

#[cfg(feature = "contenders")]
pub mod contenders;
#[cfg(feature = "contenders")]
pub mod costs;
#[cfg(feature = "figures")]
pub mod drawing;
#[cfg(feature = "figures")]
pub mod figures;
#[cfg(feature = "figures")]
mod machine;
#[cfg(feature = "contenders")]
pub mod options;
#[cfg(feature = "contenders")]
mod progress;
mod random;
#[cfg(feature = "contenders")]
pub mod rows;
#[cfg(feature = "contenders")]
pub mod traces;
mod turns;

#[cfg(feature = "contenders")]
pub use progress::Progress;
pub use random::{Random, Zipf, zipf};
pub use turns::{Contender, Measured, Run, now, take_turns, take_turns_of};

/// Whether cargo asks to measure (`cargo bench`), and not only to see that it runs (`cargo test --benches`).
#[must_use]
pub fn is_measuring() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// A count as a number to divide by.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds of a bench are far below 2^52")]
pub fn float(count: u64) -> f64 {
    count as f64
}
