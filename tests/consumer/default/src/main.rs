//! What the README says to write, with nothing but the default features.
#![deny(warnings, missing_docs, clippy::all)]
#![forbid(unsafe_code)]

use memokit::{CallInfo, cached};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

static RUNS: AtomicU32 = AtomicU32::new(0);
static HITS: AtomicU32 = AtomicU32::new(0);
static MISSES: AtomicU32 = AtomicU32::new(0);

/// Adds up what is expensive to add up.
#[cached(timeout = 100)]
pub fn expensive_function(start: i32, end: i32) -> i32 {
    RUNS.fetch_add(1, Ordering::Relaxed);
    (start..end).sum()
}

#[cached]
fn fibonacci(n: u64) -> u64 {
    if n < 2 { n } else { fibonacci(n - 1) + fibonacci(n - 2) }
}

#[cached(timeout = "1h 30m", capacity = 1_000, ignore = verbose)]
fn read_port(text: &str, verbose: bool) -> Result<u16, std::num::ParseIntError> {
    if verbose {
        println!("parsing {text}");
    }
    text.parse()
}

fn count_hit(call: &CallInfo<'_>) {
    assert_eq!(call.function(), "consumer_default::watched");
    HITS.fetch_add(1, Ordering::Relaxed);
}

#[cached(timeout = Duration::from_secs(5), on_hit = count_hit, on_miss = |_| { MISSES.fetch_add(1, Ordering::Relaxed); })]
fn watched(n: Option<&str>) -> Option<usize> {
    n.map(str::len)
}

/// A shop with a price list.
pub struct Shop {
    /// Identifies the shop.
    pub id: u32,
    /// What each thing costs, times the length of its name.
    pub factor: usize,
}

#[cached]
impl Shop {
    /// Opens the shop of this number.
    #[cached]
    pub fn open(id: u32) -> std::sync::Arc<Shop> {
        std::sync::Arc::new(Shop { id, factor: 3 })
    }

    /// What a thing costs.
    #[cached(key = (self.id, thing))]
    pub fn price(&self, thing: &str) -> usize {
        RUNS.fetch_add(1, Ordering::Relaxed);
        thing.len() * self.factor
    }
}

/// Another one, whose methods need no attribute on the block.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scale(u32);

impl Scale {
    /// The weight of so many.
    #[cached]
    pub fn weigh(&self, many: u32) -> u32 {
        self.0 * many
    }
}

#[cached]
async fn fetch(id: u64) -> std::io::Result<String> {
    Ok(format!("item {id}"))
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("nothing here waits"),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    memokit::check()?;

    assert_eq!((expensive_function(0, 100), expensive_function(0, 100)), (4950, 4950));
    assert_eq!(RUNS.load(Ordering::Relaxed), 1);
    assert_eq!(expensive_function::peek(0, 100), Some(4950));
    assert!(expensive_function::contains(0, 100));
    assert!(expensive_function::invalidate(0, 100));
    assert!(!expensive_function::invalidate(0, 100));
    assert_eq!(expensive_function::refresh(0, 100), 4950);
    expensive_function::put(0, 1, 7);
    assert_eq!((expensive_function(0, 1), expensive_function::uncached(0, 1)), (7, 0));
    expensive_function::invalidate_all();
    assert_eq!(expensive_function::peek(0, 100), None);
    let stats = expensive_function::stats();
    assert_eq!((stats.hits(), stats.misses, stats.refreshes), (2, 1, 1));

    assert_eq!(fibonacci(80), 23_416_728_348_467_685);

    assert!(read_port("http", true).is_err());
    assert_eq!((read_port("80", false)?, read_port("80", true)?), (80, 80));
    assert_eq!(read_port::stats().load_errors, 1);

    assert_eq!((watched(Some("four")), watched(Some("four")), watched(None)), (Some(4), Some(4), None));
    assert_eq!((HITS.load(Ordering::Relaxed), MISSES.load(Ordering::Relaxed)), (1, 2));

    let shop = Shop::open(1);
    assert_eq!((shop.price("tea"), Shop::open(1).price("tea")), (9, 9));
    assert_eq!(Shop::price_stats().loads, 1);
    assert!(shop.price_invalidate("tea"));
    assert!(Shop::open_contains(1));
    assert_eq!(Shop::open_refresh(1).id, 1);
    assert_eq!((Scale(2).weigh(3), Scale(2).weigh_peek(3), Scale(3).weigh_peek(3)), (6, Some(6), None));

    assert_eq!((run(fetch(1))?, run(fetch(1))?), ("item 1".to_owned(), "item 1".to_owned()));
    assert!(fetch::invalidate(1));
    assert_eq!(run(fetch::refresh(1))?, "item 1");
    Ok(())
}
