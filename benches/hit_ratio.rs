//! How many calls are hits where not all fits: each contender's choice of what to keep, over whole traces.
//!
//! `cargo bench --bench hit_ratio -- --help`. How to read the table is in `README.md`.
#![allow(missing_docs, reason = "a program")]

use memokit_benches::figures::Figures;
use memokit_benches::options::{Bench, Known, Options};
use memokit_benches::{float, rows};
use std::process::ExitCode;

const BENCH: Bench = Bench {
    about: "The ratio of hits of each contender over traces, at some bounds. About two minutes.",
    knows: &[Known::Traces],
};

const ABOUT: &str = "Each row is a trace at a bound of entries: all requests once, on one thread, beginning with an empty \
                     cache; a request is a call of the cached function, so a miss loads and stores.";

fn main() -> ExitCode {
    BENCH.main(run)
}

fn run(options: &Options) -> Result<(), String> {
    let figures = Figures::new("hit_ratio", ABOUT, &["quick_cache", "moka", "cached", "lru"]);
    let figures = rows::table(options, figures, ("Hit ratio", "% of requests"), |call, trace| {
        let mut hits = 0;
        rows::replay(call, &trace.requests, |_, hit| hits += u64::from(hit));
        float(hits) / float(trace.requests.len() as u64)
    })?;
    options.report(&figures)
}
