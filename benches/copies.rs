//! What a hit in this process costs where a shared level stands behind it, and where values have tags.
//!
//! `cargo bench --bench copies` prints the table. How to read it is in `README.md`.
#![allow(missing_docs, reason = "a program")]

use memokit::FileCache;
use memokit_benches::figures::{self, Better, Chart, Figures, Table};
use memokit_benches::{Contender, Measured, Random, is_measuring, take_turns, zipf};
use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const HELP: &str = "\
What a hit in this process costs with and without a shared level behind it. Under a minute.

Usage: cargo bench --bench copies -- [--help]
";

const ABOUT: &str = "10,000 live entries (u64 to u64), read in the order of Zipf's law, bounds of 20,000, hits of the local level only. \
                     The cache behind it is a FileCache, but for the row that says otherwise. \
                     The contenders take turns in slices of 12 ms, each in five functions; a figure is the median time of a call on one thread.";

const ENTRIES: usize = 10_000;
const CAPACITY: usize = 20_000;
/// Calls until the order of access repeats. A power of two.
const ORDER: usize = 1 << 16;
const ROUNDS: usize = 101;

const PLAIN: &str = "without a cache";
const SHARED: &str = "with a cache";
const TIMED: &str = "timeout, without a cache";
const SHARED_TIMED: &str = "timeout, with a cache";

/// Runs of any body. Every measured call is a hit, which this proves.
static LOADS: AtomicU64 = AtomicU64::new(0);

fn load(n: u64) -> u64 {
    LOADS.fetch_add(1, Ordering::Relaxed);
    n
}

/// So many functions of each kind are measured in turns: where the entries of one come to lie in memory makes a sixth of the
/// time of a hit, and is another in each run.
const PLACES: usize = 5;

/// Functions of `n` with the same options.
macro_rules! functions {
    ($kind:ident, $n:ident, $($options:tt)*) => {
        mod $kind {
            pub(super) const ALL: [fn(u64) -> u64; super::PLACES] = [one, two, three, four, five];
            functions!(@ one $n $($options)*);
            functions!(@ two $n $($options)*);
            functions!(@ three $n $($options)*);
            functions!(@ four $n $($options)*);
            functions!(@ five $n $($options)*);
        }
    };
    (@ $name:ident $n:ident $($options:tt)*) => {
        #[memokit::cached(capacity = super::CAPACITY, $($options)*)]
        fn $name($n: u64) -> u64 {
            super::load($n)
        }
    };
}

functions!(plain, n,);
functions!(shared, n, cache = "file");
// Its cache puts its own memory between the entries, so fewer of them share a processor's cache.
functions!(in_memory, n, cache = "default");
functions!(plain_timed, n, timeout = "1h");
functions!(shared_timed, n, timeout = "1h", cache = "file");
functions!(tagged, n, tags = [if n.is_multiple_of(2) { "even" } else { "odd" }]);

fn contender<'a>(
    name: &'static str,
    calls_of: [fn(u64) -> u64; PLACES],
    keys: &'a [u64],
    order: &'a [usize],
) -> Contender<'a> {
    for call in calls_of {
        for key in keys {
            black_box(call(*key));
        }
    }
    let slices = AtomicUsize::new(0);
    Contender::new(name, move |thread, calls| {
        // Not known to the compiler, so that no contender is merged into the loop and another is not.
        let call = black_box(calls_of[slices.load(Ordering::Relaxed) % PLACES]);
        let start = thread * (ORDER / 2 + 7);
        for at in (start..).take(usize::try_from(calls).unwrap_or(usize::MAX)) {
            black_box(call(keys[order[at % ORDER]]));
        }
        // At the end, when all threads of this slice have begun.
        if thread == 0 {
            slices.fetch_add(1, Ordering::Relaxed);
        }
    })
}

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--help" || argument == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    memokit::register("file", Arc::new(FileCache::open(folder.path().join("memokit"))?));
    let mut random = Random::new(1);
    let keys: Vec<u64> = (0..ENTRIES).map(|_| random.next()).collect();
    let order = zipf(ENTRIES, ORDER);
    let contenders = [
        contender(PLAIN, plain::ALL, &keys, &order),
        contender(SHARED, shared::ALL, &keys, &order),
        contender("with one in memory", in_memory::ALL, &keys, &order),
        contender(TIMED, plain_timed::ALL, &keys, &order),
        contender(SHARED_TIMED, shared_timed::ALL, &keys, &order),
        contender("tags", tagged::ALL, &keys, &order),
    ];
    let loads = LOADS.load(Ordering::Relaxed);
    if is_measuring() {
        measure(&contenders)?;
    }
    assert_eq!(LOADS.load(Ordering::Relaxed), loads, "every measured call is a hit");
    Ok(())
}

fn measure(contenders: &[Contender<'_>]) -> Result<(), String> {
    let names: Vec<&str> = contenders.iter().map(|contender| contender.name).collect();
    let mut times = Table::new("Time of a call", "ns", Better::Less, "threads", &names).drawn(Chart::Bars);
    let ratio = "times its time in the same round";
    let mut ratios = Table::new("Relative to one without a cache", ratio, Better::Less, "threads", &names).decimals(2);
    for threads in [1, 2] {
        let measured: Measured = take_turns(contenders, threads, ROUNDS);
        println!("\n### {threads} thread{}\n", if threads == 1 { "" } else { "s" });
        println!("{}", measured.table(&[PLAIN]));
        println!("{}", measured.bar(SHARED, PLAIN, 1.1));
        println!("{}", measured.bar(SHARED_TIMED, TIMED, 1.1));
        times.push(threads.to_string(), names.iter().map(|name| measured.median(name)));
        ratios.push(threads.to_string(), names.iter().map(|name| measured.ratio(name, PLAIN)));
    }
    let mut figures = Figures::new("copies", ABOUT, &[]);
    figures.tables.extend([times, ratios]);
    figures
        .write(&figures::folder())
        .map(|path| println!("\nfigures: {}; `cargo xtask draw` draws them", path.display()))
}
