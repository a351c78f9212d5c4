//! How much load time a cache saves where loads don't all cost the same: over whole traces, at some bounds.
//!
//! `cargo bench --bench load_time_saved -- --help`. How to read the table is in `README.md`.
//!
//! What a load costs is given by its key, so bodies need not take that long: the cost of each hit is added up here. A
//! contender that chooses by what loads took has a body that really takes it (`costs::spend`).
#![allow(missing_docs, reason = "a program")]

use memokit_benches::costs::cost;
use memokit_benches::figures::Figures;
use memokit_benches::options::{Bench, Known, Options};
use memokit_benches::rows;
use std::process::ExitCode;

const BENCH: Bench = Bench {
    about: "The share of load time that each contender saves over traces whose keys cost more or less to load. About two \
            minutes.",
    knows: &[Known::Traces],
};

const ABOUT: &str = "Each row is a trace at a bound of entries: all requests once, on one thread, beginning with an empty cache. \
                     What a key costs to load follows Pareto's law (shape 1.2, 200 ns to 200 µs), whatever its place in the \
                     trace. The share saved is the cost of the requests that were hits by the cost of all.";

fn main() -> ExitCode {
    BENCH.main(run)
}

fn run(options: &Options) -> Result<(), String> {
    let figures = Figures::new("load_time_saved", ABOUT, &["quick_cache", "moka", "cached", "lru"]);
    let title = ("Load time saved", "% of the cost of all requests");
    let figures = rows::table(options, figures, title, |call, trace| {
        let costs: Vec<f64> = (0..trace.keys as u64).map(|key| cost(key).as_secs_f64()).collect();
        let (mut saved, mut all) = (0.0, 0.0);
        rows::replay(call, &trace.requests, |key, hit| {
            let cost = costs[key as usize];
            all += cost;
            saved += if hit { cost } else { 0.0 };
        });
        saved / all
    })?;
    options.report(&figures)
}
