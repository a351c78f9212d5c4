//! The project's own commands: `cargo xtask --help`.

mod bench;
mod ci;
mod compile_time;
mod deep;
mod features;
mod servers;
mod steps;
mod test;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
The project's own commands.

Usage: cargo xtask <command>

Commands:
  test    All tests: the workspace with all features (unit, integration, doc tests; examples are built), memokit with
          its default features and with each feature by itself (check), the crates under tests/consumer
  bench   All benches, beside other libraries and by hand; prints tables and how to read them, and draws. About 15 minutes
  draw    Tables (.md) and plots (.svg) in benches/results, of the figures that the benches left there
  compile-time
          What #[cached] adds to compiling a crate of 200 functions, beside by hand and another library: check and
          release; fails if it is more than 15 ms a function over by hand. Some minutes
  deep    What takes longer, each night: models of what threads do to each other (shuttle, loom), AddressSanitizer and valgrind
          over the unsafe code and what stands on it, the random tests at length, servers that fail for 10 s, and a million
          operations of four processes on one server. Linux; needs a nightly toolchain, and valgrind, which is installed
          with apt-get if it is not there, as is the server. Each step ends after 10 minutes at most; about 20 in all
  ci      What a change must pass: format, clippy, test, rustdoc

Environment:
  MEMOKIT_TEST_REDIS     redis://… of a server the tests may fill and empty; without it one is started for the run
  MEMOKIT_TEST_EFFORT    how many times longer the random tests and the models run than by themselves: 1 unless given
  MEMOKIT_REDIS_SERVER   the server program; else redis-server or valkey-server on the PATH, else installed with apt-get

Exit code: 0 all passed, 1 a step failed (the last lines say which, and how to repeat it), 2 wrong usage.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["test"] => test::run(),
        ["bench"] => bench::run(),
        ["draw"] => bench::draw(),
        ["compile-time"] => compile_time::run(),
        ["deep"] => deep::run(),
        ["ci"] => ci::run(),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folder.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
