//! What calls cost when not all fits: popular keys and rare ones, a bound of a tenth of them.
//!
//! `cargo bench --bench eviction -- --help`. How to read the tables is in `README.md`.
#![allow(missing_docs, reason = "a program")]

use memokit_benches::contenders::{
    CACHED, CACHED_CONCURRENT, Call, LRU, MEMOKIT, MOKA, PAPAYA, QUICK, SCC, lru, misses, moka, papaya, quick_cache,
    scc,
};
use memokit_benches::figures::{Better, Chart, Figures, Table};
use memokit_benches::options::{Bench, Known, Options};
use memokit_benches::{Contender, Progress, Random, Zipf, bounded, float, take_turns_of};
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const BENCH: Bench = Bench {
    about: "Throughput and ratio of hits where a tenth of the keys fits. About three minutes.",
    knows: &[Known::Threads, Known::Rounds],
};

const ABOUT: &str = "1,000,000 keys by Zipf's law with the exponents 0.9 and 1.0, bounds of 100,000 entries (u64 to u64); a call \
                     looks, and loads and inserts on a miss. After 1.5 million calls to warm up the hits of 4 million calls \
                     of one thread are counted, then the contenders take turns in slices of 100 ms. Throughput is of all \
                     threads together. Those without a bound keep all keys: what a call costs where nothing has to go.";

const CAPACITY: usize = 100_000;
const WARM_UP: usize = 1_500_000;
const COUNTED: usize = 4_000_000;
const ROUNDS: usize = 15;
const SLICE: Duration = Duration::from_millis(100);

/// A contender's function and how far it is in the sequence. It goes on there at each turn: at the same start each time
/// it would find what it stored a turn before.
struct Entrant {
    name: &'static str,
    call: Call,
    at: AtomicUsize,
}

/// What `bounded!` writes.
type Functions = [fn(u64) -> u64; 4];

fn main() -> ExitCode {
    BENCH.main(run)
}

fn run(options: &Options) -> Result<(), String> {
    let all = entrants([bounded!(100_000), bounded!(100_000)]);
    let names: Vec<&str> = all[0].iter().map(|one| one.name).filter(|name| options.takes(name)).collect();
    let mut speed = Table::new("Throughput", "millions of calls a second", Better::More, "keys, threads", &names)
        .drawn(Chart::Bars);
    let unit = "times quick_cache's in the same round";
    let mut relative = Table::new("Time of a call", unit, Better::Less, "keys, threads", &names).decimals(2);
    let bounded: Vec<&str> = names.iter().copied().filter(|name| ![SCC, PAPAYA].contains(name)).collect();
    let mut ratios =
        Table::new("Hit ratio", "% of calls", Better::More, "keys", &bounded).decimals(2).drawn(Chart::Bars);

    let progress = Progress::new(all.len() * options.threads.len());
    for (exponent, entrants) in [0.9, 1.0].into_iter().zip(all) {
        let entrants: Vec<_> = entrants.into_iter().filter(|one| options.takes(one.name)).collect();
        progress.begin(format!("Zipf {exponent:.1}: ratios of hits"));
        let sequence = sequence(options, exponent);
        let hits = entrants.iter().map(|one| 100.0 * hit_ratio(options, one, &sequence));
        let hits = entrants.iter().zip(hits).filter(|(one, _)| bounded.contains(&one.name)).map(|(_, hits)| hits);
        ratios.push(format!("Zipf {exponent:.1}"), hits.collect::<Vec<_>>());
        let contenders: Vec<_> = entrants.iter().map(|one| contender(one, &sequence)).collect();
        for &threads in &options.threads {
            let label = format!("Zipf {exponent:.1}, {threads} thread{}", if threads == 1 { "" } else { "s" });
            progress.begin(label.clone());
            let (slice, rounds) =
                options.scaled((SLICE, options.rounds.unwrap_or(ROUNDS)), (Duration::from_millis(1), 1));
            let measured = take_turns_of(slice, &contenders, threads, rounds);
            let millions = |name: &&str| 1e3 * float(threads as u64) / measured.median(name);
            speed.push(label.clone(), names.iter().map(millions));
            if names.contains(&QUICK) {
                relative.push(label, names.iter().map(|name| measured.ratio(name, QUICK)));
            }
            progress.step();
        }
    }
    drop(progress);
    let mut figures = Figures::new("eviction", ABOUT, &["quick_cache", "moka", "cached", "lru", "scc", "papaya"]);
    figures.tables.extend([speed, relative, ratios]);
    options.report(&figures)
}

/// For each exponent contenders of their own, which begin empty.
fn entrants(functions: [Functions; 2]) -> [Vec<Entrant>; 2] {
    functions.map(|[memo, locked, sharded, _]| {
        let calls: [(&'static str, Call); 8] = [
            (MEMOKIT, Box::new(memo)),
            (QUICK, quick_cache(CAPACITY)),
            (MOKA, moka(CAPACITY)),
            (CACHED, Box::new(locked)),
            (CACHED_CONCURRENT, Box::new(sharded)),
            (LRU, lru(CAPACITY)),
            (SCC, scc()),
            (PAPAYA, papaya()),
        ];
        calls.into_iter().map(|(name, call)| Entrant { name, call, at: AtomicUsize::new(0) }).collect()
    })
}

/// Keys, many more than are asked for until the end of the warm-up.
fn sequence(options: &Options, exponent: f64) -> Vec<u32> {
    let mut random = Random::new(3);
    let zipf = Zipf::new(options.scaled(1_000_000, 1_000), exponent, &mut random);
    let pick = |_| u32::try_from(zipf.pick(&mut random)).unwrap_or(u32::MAX);
    (0..options.scaled(1 << 23, 1 << 13)).map(pick).collect()
}

/// Warms up, and counts.
fn hit_ratio(options: &Options, entrant: &Entrant, sequence: &[u32]) -> f64 {
    let [warm_up, counted] = [WARM_UP, COUNTED].map(|calls| options.scaled(calls, calls / 1_000));
    let keys = |from: usize, count: usize| sequence[from..from + count].iter().map(|key| u64::from(*key));
    misses(&entrant.call, keys(0, warm_up));
    let misses = misses(&entrant.call, keys(warm_up, counted));
    entrant.at.store(warm_up + counted, Ordering::Relaxed);
    1.0 - float(misses) / float(counted as u64)
}

fn contender<'a>(entrant: &'a Entrant, sequence: &'a [u32]) -> Contender<'a> {
    Contender::new(entrant.name, |_, calls| {
        let calls = usize::try_from(calls).unwrap_or(usize::MAX);
        let start = entrant.at.fetch_add(calls, Ordering::Relaxed) % sequence.len();
        for key in sequence.iter().cycle().skip(start).take(calls) {
            black_box((entrant.call)(u64::from(*key)));
        }
    })
}
