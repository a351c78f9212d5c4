//! What a hit in this process costs: memokit beside `cached`, and beside `moka` and `quick_cache` by hand.
//!
//! `cargo bench --bench hit_path` runs criterion's groups and then the tables of ratios, for which the contenders take
//! turns; with `-- --ratios` the tables alone. How to read them is in `README.md`.
#![allow(missing_docs, reason = "criterion's macros and a program")]

use criterion::{BenchmarkId, Criterion};
use equivalent::Equivalent;
use memokit_benches::figures::{self, Better, Chart, Figures, Table};
use memokit_benches::{Contender, Measured, Random, is_measuring, take_turns, zipf};
use std::hash::Hash;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const HELP: &str = "\
What a hit in this process costs. Some minutes.

Usage: cargo bench --bench hit_path -- [--ratios] [options of criterion]

  --ratios   the tables of ratios alone, under a minute
  --help     this
";

const ABOUT: &str = "10,000 live entries, read in the order of Zipf's law, bounds of 20,000, hits only. The contenders take turns \
                     in slices of 12 ms; a figure is the median time of a call on one thread.";

/// Live entries of each contender.
const ENTRIES: usize = 10_000;
/// The bound of those that have one: with room, since the engines divide it between shards.
const CAPACITY: usize = 20_000;
/// Calls until the order of access repeats. A power of two.
const ORDER: usize = 1 << 16;
const THREADS: [usize; 2] = [1, 2];
const ROUNDS: usize = 41;

const MEMOKIT: &str = "memokit, capacity";
const CACHED: &str = "cached, max_size";
const QUICK: &str = "quick_cache by hand";

/// Runs of any contender's body. Every measured call is a hit, which this proves.
static LOADS: AtomicU64 = AtomicU64::new(0);

type Block = Arc<[u8; 1024]>;

trait Load {
    fn load(n: u64) -> Self;
}

impl Load for u64 {
    fn load(n: u64) -> u64 {
        LOADS.fetch_add(1, Ordering::Relaxed);
        n
    }
}

impl Load for Block {
    fn load(n: u64) -> Block {
        LOADS.fetch_add(1, Ordering::Relaxed);
        Arc::new([n.to_le_bytes()[0]; 1024])
    }
}

/// `(String, u64)` by reference, so that a look-up by hand allocates nothing.
#[derive(Hash)]
struct Pair<'a>(&'a str, u64);

impl Equivalent<(String, u64)> for Pair<'_> {
    fn equivalent(&self, key: &(String, u64)) -> bool {
        self.1 == key.1 && self.0 == key.0
    }
}

/// Each contender as the function a user would write, for one type of key and one of value.
macro_rules! functions {
    (
        $module:ident: ($($argument:ident: $type:ty),+) -> $value:ty, seed $seed:expr;
        cached: $cached_key:literal, $cached_convert:literal;
        by hand: $owned:ty = $own:expr, found by $by:expr;
        called with $given:ty: |$key:ident| ($($pass:expr),+)
    ) => {
        mod $module {
            use super::*;
            use std::sync::LazyLock;

            #[memokit::cached]
            fn plain($($argument: $type),+) -> $value {
                <$value>::load($seed)
            }

            #[memokit::cached(capacity = CAPACITY)]
            fn bounded($($argument: $type),+) -> $value {
                <$value>::load($seed)
            }

            #[memokit::cached(timeout = "1h")]
            fn timed($($argument: $type),+) -> $value {
                <$value>::load($seed)
            }

            #[cached::macros::cached(key = $cached_key, convert = $cached_convert)]
            fn cached_plain($($argument: $type),+) -> $value {
                <$value>::load($seed)
            }

            #[cached::macros::cached(max_size = 20_000, key = $cached_key, convert = $cached_convert)]
            fn cached_bounded($($argument: $type),+) -> $value {
                <$value>::load($seed)
            }

            #[cached::macros::cached(ttl_secs = 3600, key = $cached_key, convert = $cached_convert)]
            fn cached_timed($($argument: $type),+) -> $value {
                <$value>::load($seed)
            }

            fn moka($($argument: $type),+) -> $value {
                type Cache = moka::sync::Cache<$owned, $value, foldhash::fast::RandomState>;
                static CACHE: LazyLock<Cache> = LazyLock::new(|| {
                    moka::sync::Cache::builder().max_capacity(CAPACITY as u64).build_with_hasher(Default::default())
                });
                if let Some(found) = CACHE.get(&$by) {
                    return found;
                }
                let value = <$value>::load($seed);
                CACHE.insert($own, value.clone());
                value
            }

            fn quick($($argument: $type),+) -> $value {
                static CACHE: LazyLock<quick_cache::sync::Cache<$owned, $value>> =
                    LazyLock::new(|| quick_cache::sync::Cache::new(CAPACITY));
                if let Some(found) = CACHE.get(&$by) {
                    return found;
                }
                let value = <$value>::load($seed);
                CACHE.insert($own, value.clone());
                value
            }

            pub(super) fn contenders<'a>(keys: &'a [$given], order: &'a [usize]) -> Vec<Contender<'a>> {
                [
                    ("memokit", (|$key| plain($($pass),+)) as fn(&$given) -> $value),
                    (MEMOKIT, |$key| bounded($($pass),+)),
                    ("memokit, timeout", |$key| timed($($pass),+)),
                    ("cached", |$key| cached_plain($($pass),+)),
                    (CACHED, |$key| cached_bounded($($pass),+)),
                    ("cached, ttl", |$key| cached_timed($($pass),+)),
                    ("moka by hand", |$key| moka($($pass),+)),
                    (QUICK, |$key| quick($($pass),+)),
                ]
                .into_iter()
                .map(|(name, call)| contender(name, call, keys, order))
                .collect()
            }
        }
    };
}

functions! {
    numbers: (n: u64) -> u64, seed n;
    cached: "u64", "{ n }";
    by hand: u64 = n, found by n;
    called with u64: |key| (*key)
}

functions! {
    blocks: (n: u64) -> Block, seed n;
    cached: "u64", "{ n }";
    by hand: u64 = n, found by n;
    called with u64: |key| (*key)
}

functions! {
    pairs: (name: &str, n: u64) -> u64, seed n ^ name.len() as u64;
    cached: "(String, u64)", "{ (name.to_owned(), n) }";
    by hand: (String, u64) = (name.to_owned(), n), found by Pair(name, n);
    called with (String, u64): |key| (&key.0, key.1)
}

functions! {
    pair_blocks: (name: &str, n: u64) -> Block, seed n ^ name.len() as u64;
    cached: "(String, u64)", "{ (name.to_owned(), n) }";
    by hand: (String, u64) = (name.to_owned(), n), found by Pair(name, n);
    called with (String, u64): |key| (&key.0, key.1)
}

/// Calls `call` with the keys in this order, after it has been called with each of them once.
fn contender<'a, K: Sync, V: 'a>(
    name: &'static str,
    call: fn(&K) -> V,
    keys: &'a [K],
    order: &'a [usize],
) -> Contender<'a> {
    for key in keys {
        black_box(call(key));
    }
    Contender::new(name, move |thread, calls| {
        // Not known to the compiler, so that no contender is merged into the loop and another is not.
        let call = black_box(call);
        let start = thread * (ORDER / 2 + 7);
        for at in (start..).take(usize::try_from(calls).unwrap_or(usize::MAX)) {
            black_box(call(&keys[order[at % ORDER]]));
        }
    })
}

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--help" || argument == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let mut random = Random::new(1);
    let numbers: Vec<u64> = (0..ENTRIES).map(|_| random.next()).collect();
    let pairs: Vec<(String, u64)> = numbers.iter().map(|n| (format!("item-{:011x}", n >> 20), n % 1000)).collect();
    let order = zipf(ENTRIES, ORDER);
    let tables = [
        ("u64 to u64", numbers::contenders(&numbers, &order)),
        ("u64 to Arc of 1 KiB", blocks::contenders(&numbers, &order)),
        ("(&str, u64) to u64", pairs::contenders(&pairs, &order)),
        ("(&str, u64) to Arc of 1 KiB", pair_blocks::contenders(&pairs, &order)),
    ];
    let loads = LOADS.load(Ordering::Relaxed);
    if !std::env::args().any(|argument| argument == "--ratios") {
        criterion(&tables);
    }
    let outcome = if is_measuring() { ratios(&tables) } else { Ok(()) };
    assert_eq!(LOADS.load(Ordering::Relaxed), loads, "every measured call is a hit");
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn criterion(tables: &[(&str, Vec<Contender<'_>>)]) {
    let settings = Criterion::default().sample_size(20);
    let settings = settings.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600));
    let mut criterion = settings.configure_from_args();
    for (title, contenders) in tables {
        for threads in THREADS {
            let plural = if threads == 1 { "" } else { "s" };
            let mut group = criterion.benchmark_group(format!("{title}, {threads} thread{plural}"));
            for contender in contenders {
                group.bench_function(BenchmarkId::from_parameter(contender.name), |bencher| {
                    bencher.iter_custom(|calls| contender.time(threads, calls));
                });
            }
            group.finish();
        }
    }
    criterion.final_summary();
}

fn ratios(tables: &[(&str, Vec<Contender<'_>>)]) -> Result<(), String> {
    let names: Vec<&str> = tables[0].1.iter().map(|contender| contender.name).collect();
    let table = |title, unit| Table::new(title, unit, Better::Less, "keys and values", &names);
    let ratio = "times its time in the same round";
    let mut times = table("Time of a call", "ns").drawn(Chart::Bars);
    let mut to_quick = table("Relative to quick_cache", ratio).decimals(2);
    let mut to_cached = table("Relative to cached with max_size", ratio).decimals(2);
    for (title, contenders) in tables {
        for threads in THREADS {
            let title = format!("{title}, {threads} thread{}", if threads == 1 { "" } else { "s" });
            let measured: Measured = take_turns(contenders, threads, ROUNDS);
            println!("\n### {title}\n");
            println!("{}", measured.table(&[QUICK, CACHED]));
            println!("{}", measured.bar(MEMOKIT, CACHED, 1.0));
            println!("{}", measured.bar(MEMOKIT, QUICK, 1.5));
            times.push(title.clone(), names.iter().map(|name| measured.median(name)));
            to_quick.push(title.clone(), names.iter().map(|name| measured.ratio(name, QUICK)));
            to_cached.push(title, names.iter().map(|name| measured.ratio(name, CACHED)));
        }
    }
    let mut figures = Figures::new("hit_path", ABOUT, &["quick_cache", "moka", "cached"]);
    figures.tables.extend([times, to_quick, to_cached]);
    figures
        .write(&figures::folder())
        .map(|path| println!("\nfigures: {}; `cargo xtask draw` draws them", path.display()))
}
