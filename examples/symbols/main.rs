//! A symbol server on real binaries, with its look-ups cached.
//!
//! The service that Mozilla's symbol server is, in small: debuggers and crash reporters ask it for the symbols of a
//! file by name and build id, and most of what they ask for is not there. `--help` tells what it does and how to run
//! it; `lookup.rs` is where the cache comes in.

mod args;
mod client;
mod elf;
mod failure;
mod index;
mod interrupt;
mod ledger;
mod load;
mod lookup;
mod measure;
mod mode;
mod name;
mod progress;
mod report;
mod run;
#[cfg(test)]
mod sample;
mod say;
mod service;
mod store;
mod table;
mod workload;
mod zipf;

use args::Command;
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = args::parse(std::env::args_os().skip(1)).and_then(|command| match command {
        Command::Help => {
            say::out(args::HELP.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Command::Run(options) => run::run(&options),
    });
    outcome.unwrap_or_else(|failure| {
        say::err(format_args!("symbols: {failure}"));
        failure.exit_code()
    })
}
