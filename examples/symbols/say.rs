//! Lines for the user. A reader that has gone away (`| head`) is no reason to fail, which `println!` would do.

use std::fmt::Display;
use std::io::Write;

/// A line on standard output: results.
pub(crate) fn out(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A line on standard error: errors and progress.
pub(crate) fn err(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
