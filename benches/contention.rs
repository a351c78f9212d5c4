//! What hits cost when several threads call the same function at once.
//!
//! `cargo bench --bench contention -- --help`. How to read the tables is in `README.md`.
#![allow(missing_docs, reason = "a program")]

use memokit_benches::contenders::{
    CACHED, CACHED_CONCURRENT, Call, MEMOKIT, MOKA, PAPAYA, QUICK, SCC, load, loads, misses, moka, papaya, quick_cache,
    scc,
};
use memokit_benches::figures::{Better, Chart, Figures, Table};
use memokit_benches::options::{Bench, Known, Options};
use memokit_benches::{Contender, Measured, Progress, Random, bounded, float, take_turns_of, zipf};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

const BENCH: Bench = Bench {
    about: "Hits of several threads at once: on the same keys, on keys of their own, on eight keys. About two minutes.",
    knows: &[Known::Threads, Known::Rounds],
};

const ABOUT: &str = "10,000 live entries (u64 to u64), bounds of 20,000, hits only. \"The same keys\": all threads read all keys \
                     by Zipf's law. \"Own keys\": each thread reads a part of the keys that no other reads, evenly. \"Eight \
                     keys\": all threads read the same eight. Throughput is of all threads together.";

/// Live entries of each contender.
const ENTRIES: usize = 10_000;
/// Calls until the order of access repeats. A power of two.
const ORDER: usize = 1 << 16;
const ROUNDS: usize = 41;
const SLICE: Duration = Duration::from_millis(12);
/// Without a bound.
const MEMOKIT_PLAIN: &str = "memokit, no bound";

/// Which keys the threads read.
#[derive(Clone, Copy)]
enum Keys {
    Same,
    Own,
    Eight,
}

impl Keys {
    const ALL: [(Keys, &str); 3] =
        [(Keys::Same, "The same keys"), (Keys::Own, "Own keys"), (Keys::Eight, "Eight keys")];

    /// The order in which a thread reads them.
    fn order(self, keys: &[u64], thread: usize, threads: usize) -> Vec<u64> {
        let mut random = Random::new(thread as u64);
        let part = keys.len() / threads.max(1);
        match self {
            // All in the same order, each from another place on.
            Keys::Same => {
                let mut order: Vec<u64> = zipf(keys.len(), ORDER).into_iter().map(|at| keys[at]).collect();
                order.rotate_left(thread * 7_919 % ORDER);
                order
            }
            Keys::Own => (0..ORDER).map(|_| keys[thread * part + random.below(part)]).collect(),
            Keys::Eight => (0..ORDER).map(|_| keys[random.below(8)]).collect(),
        }
    }
}

#[memokit::cached]
fn plain(key: u64) -> u64 {
    load(key)
}

fn main() -> ExitCode {
    BENCH.main(run)
}

fn run(options: &Options) -> Result<(), String> {
    let mut random = Random::new(1);
    let keys: Vec<u64> = (0..ENTRIES).map(|_| random.next()).collect();
    let calls: Vec<_> = calls().into_iter().filter(|(name, _)| options.takes(name)).collect();
    let names: Vec<&str> = calls.iter().map(|(name, _)| *name).collect();
    let progress = Progress::new(Keys::ALL.len() * options.threads.len());
    let mut figures = Figures::new("contention", ABOUT, &["quick_cache", "moka", "cached", "scc", "papaya"]);

    for (pattern, title) in Keys::ALL {
        let unit = "millions of calls a second";
        let mut table = Table::new(title, unit, Better::More, "threads", &names).drawn(Chart::Bars);
        let mut relative = Table::new(
            &format!("{title}: time of a call"),
            "times quick_cache's in the same round",
            Better::Less,
            "threads",
            &names,
        )
        .decimals(2);
        for &threads in &options.threads {
            progress.begin(format!("{title}, {threads} threads"));
            let measured = measure(options, &calls, pattern, &keys, threads)?;
            let millions = |name: &&str| 1e3 * float(threads as u64) / measured.median(name);
            let label = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
            table.push(label.clone(), names.iter().map(millions));
            if names.contains(&QUICK) {
                relative.push(label, names.iter().map(|name| measured.ratio(name, QUICK)));
            }
            progress.step();
        }
        figures.tables.extend([table, relative]);
    }
    drop(progress);
    options.report(&figures)
}

fn calls() -> Vec<(&'static str, Call)> {
    let [memo, locked, sharded, _] = bounded!(20_000);
    vec![
        (MEMOKIT, Box::new(memo) as Call),
        (MEMOKIT_PLAIN, Box::new(plain)),
        (QUICK, quick_cache(2 * ENTRIES)),
        (MOKA, moka(2 * ENTRIES)),
        (CACHED, Box::new(locked)),
        (CACHED_CONCURRENT, Box::new(sharded)),
        (SCC, scc()),
        (PAPAYA, papaya()),
    ]
}

fn measure(
    options: &Options,
    calls: &[(&'static str, Call)],
    pattern: Keys,
    keys: &[u64],
    threads: usize,
) -> Result<Measured, String> {
    let orders: Vec<Vec<u64>> = (0..threads).map(|thread| pattern.order(keys, thread, threads)).collect();
    let mut contenders = Vec::new();
    for (name, call) in calls {
        misses(call, keys.iter().copied());
        if misses(call, keys.iter().copied()) > 0 {
            return Err(format!("{name} did not keep {ENTRIES} entries, so not every call would be a hit"));
        }
        contenders.push(Contender::new(name, |thread, count| {
            let order = &orders[thread];
            let before = loads();
            for at in 0..usize::try_from(count).unwrap_or(usize::MAX) {
                black_box(call(order[at % ORDER]));
            }
            assert_eq!(loads(), before, "every measured call is a hit");
        }));
    }
    let (slice, rounds) = options.scaled((SLICE, options.rounds.unwrap_or(ROUNDS)), (Duration::from_millis(1), 1));
    Ok(take_turns_of(slice, &contenders, threads, rounds))
}
