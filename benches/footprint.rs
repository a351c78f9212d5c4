//! What a million entries weigh in memory, by an allocator that counts.
//!
//! `cargo bench --bench footprint -- --help`. How to read the table is in `README.md`.
#![allow(missing_docs, reason = "a program")]
#![allow(unsafe_code, reason = "a global allocator can't be written without")]

use cached::Cached as _;
use foldhash::fast::RandomState;
use memokit_benches::figures::{Better, Chart, Figures, Table};
use memokit_benches::options::{Bench, Options};
use memokit_benches::{Progress, Random, float};
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

const BENCH: Bench = Bench { about: "Memory for a million entries of u64 to u64. Ten seconds.", knows: &[] };

const ABOUT: &str = "1,000,000 different keys (u64 to u64) are stored, one after the other on one thread; then what is allocated, \
                     less what was before, is divided by the entries that are there. Contenders with a bound have one of \
                     1,000,000 and may hold fewer. The map of the standard library, without a lock, is the measure.";

const ENTRIES: usize = 1_000_000;

/// Bytes allocated and not freed yet.
static LIVE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is handed on to the system's allocator as it came; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is handed on, and `place` came from `System`.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.fetch_add(size, Ordering::Relaxed);
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is handed on, and `place` came from `System`.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[memokit::cached(capacity = ENTRIES)]
fn memo(key: u64) -> u64 {
    key
}

#[memokit::cached]
fn memo_plain(key: u64) -> u64 {
    key
}

#[cached::macros::cached(max_size = 1_000_000)]
fn locked(key: u64) -> u64 {
    key
}

#[cached::macros::cached]
fn locked_plain(key: u64) -> u64 {
    key
}

#[cached::macros::concurrent_cached(max_size = 1_000_000)]
fn sharded(key: u64) -> u64 {
    key
}

/// Stores entries under these keys, and says how many of them are there then. What it keeps beyond that call is in a
/// `static`, or leaked.
type Fill = fn(&[u64]) -> usize;

fn fillers() -> [(&'static str, Fill); 10] {
    [
        ("std HashMap, no lock", |keys| {
            let map = keep(HashMap::<u64, u64, RandomState>::default());
            map.extend(keys.iter().map(|key| (*key, *key)));
            map.len()
        }),
        ("memokit", |keys| {
            call(memo, keys);
            usize::try_from(memo::stats().entries).unwrap_or(0)
        }),
        ("memokit, no bound", |keys| {
            call(memo_plain, keys);
            usize::try_from(memo_plain::stats().entries).unwrap_or(0)
        }),
        ("quick_cache", |keys| {
            let cache = keep(quick_cache::sync::Cache::<u64, u64>::new(ENTRIES));
            for key in keys {
                cache.insert(*key, *key);
            }
            cache.len()
        }),
        ("moka", |keys| {
            let cache = moka::sync::Cache::builder().max_capacity(ENTRIES as u64);
            let cache = keep(cache.build_with_hasher(RandomState::default()));
            for key in keys {
                cache.insert(*key, *key);
            }
            // What it has put off.
            cache.run_pending_tasks();
            usize::try_from(cache.entry_count()).unwrap_or(0)
        }),
        ("cached", |keys| {
            call(locked, keys);
            LOCKED.read().cache_size()
        }),
        ("cached, no bound", |keys| {
            call(locked_plain, keys);
            LOCKED_PLAIN.read().cache_size()
        }),
        ("cached, concurrent", |keys| {
            call(sharded, keys);
            SHARDED.len()
        }),
        ("scc, no bound", |keys| {
            let map = keep(scc::HashIndex::<u64, u64, RandomState>::with_hasher(RandomState::default()));
            for key in keys {
                let _ = map.insert_sync(*key, *key);
            }
            map.len()
        }),
        ("papaya, no bound", |keys| {
            let map = keep(papaya::HashMap::<u64, u64, RandomState>::with_hasher(RandomState::default()));
            for key in keys {
                map.pin().insert(*key, *key);
            }
            map.len()
        }),
    ]
}

fn keep<T>(cache: T) -> &'static mut T {
    Box::leak(Box::new(cache))
}

fn call(function: fn(u64) -> u64, keys: &[u64]) {
    for key in keys {
        black_box(function(*key));
    }
}

fn main() -> ExitCode {
    BENCH.main(run)
}

fn run(options: &Options) -> Result<(), String> {
    let mut random = Random::new(5);
    let keys: Vec<u64> = (0..options.scaled(ENTRIES, 1_000)).map(|_| random.next()).collect();
    let fillers: Vec<_> = fillers().into_iter().filter(|(name, _)| options.takes(name)).collect();
    let progress = Progress::new(fillers.len());
    let mut filled = Vec::new();
    for (name, fill) in &fillers {
        progress.begin(*name);
        let before = LIVE.load(Ordering::Relaxed);
        let entries = fill(&keys);
        let bytes = LIVE.load(Ordering::Relaxed).saturating_sub(before);
        if entries == 0 {
            return Err(format!("{name} kept no entry"));
        }
        filled.push((float(bytes as u64), float(entries as u64)));
        progress.step();
    }
    drop(progress);

    let names: Vec<&str> = fillers.iter().map(|(name, _)| *name).collect();
    let row = "1 M of u64 to u64";
    let table = |title, unit, better| Table::new(title, unit, better, "entries", &names);
    let mut each = table("Bytes per entry", "bytes by entries held", Better::Less).drawn(Chart::Bars);
    each.push(row, filled.iter().map(|(bytes, entries)| bytes / entries));
    let mut total = table("Total", "MB", Better::Less);
    total.push(row, filled.iter().map(|(bytes, _)| bytes / 1e6));
    let mut held = table("Entries held", "entries after a million were stored", Better::More).decimals(0);
    held.push(row, filled.iter().map(|(_, entries)| *entries));
    let mut figures = Figures::new("footprint", ABOUT, &["quick_cache", "moka", "cached", "scc", "papaya"]);
    figures.tables.extend([each, total, held]);
    options.report(&figures)
}
