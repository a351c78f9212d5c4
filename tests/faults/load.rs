//! Threads and tasks that call and invalidate cached functions, check each value, and measure how long each call took.
//!
//! What is true of a key is a number that only grows: the body returns it. A caller who begins after an invalidation
//! returned, also one that failed, must not get a number from before it.

use super::{TIMEOUT, last};
use memokit::{Cache, cached};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

pub(crate) const KEYS: u32 = 16;
/// Threads that call, and as many tasks.
const CALLERS: u32 = 3;

struct Truth {
    is: AtomicU64,
    /// What whoever begins now must see, or newer.
    known: AtomicU64,
}

static TRUTHS: [Truth; KEYS as usize] =
    [const { Truth { is: AtomicU64::new(1), known: AtomicU64::new(1) } }; KEYS as usize];

static CACHE: Mutex<Option<Arc<dyn Cache>>> = Mutex::new(None);

fn current() -> Arc<dyn Cache> {
    CACHE.lock().unwrap().clone().expect("a load has started")
}

fn truth(key: u32) -> &'static Truth {
    &TRUTHS[key as usize]
}

#[cached(cache = current(), local = false)]
pub(crate) fn without_copy(key: u32) -> (u32, u64) {
    let loaded = (key, truth(key).is.load(SeqCst));
    thread::sleep(Duration::from_millis(1));
    loaded
}

#[cached(cache = current(), timeout = "1h")]
pub(crate) fn with_copy(key: u32) -> (u32, u64) {
    let loaded = (key, truth(key).is.load(SeqCst));
    thread::sleep(Duration::from_millis(1));
    loaded
}

#[cached(cache = current(), local = false)]
pub(crate) async fn as_a_task(key: u32) -> (u32, u64) {
    let loaded = (key, truth(key).is.load(SeqCst));
    tokio::time::sleep(Duration::from_millis(1)).await;
    loaded
}

/// When a call was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Before,
    Outage,
    After,
}

/// A call: when, whether the breaker was open as it began, and how long it took.
type Call = (Phase, bool, Duration);

struct Shared {
    stop: AtomicBool,
    phase: AtomicUsize,
    calls: Mutex<Vec<Call>>,
    /// How many calls of each phase have ended.
    ended: [AtomicUsize; 3],
    invalidations: AtomicU64,
    failed: AtomicU64,
    cache: Arc<dyn Cache>,
}

pub(crate) struct Load {
    shared: Arc<Shared>,
    runtime: Runtime,
    threads: Vec<JoinHandle<()>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Shared {
    fn runs(&self) -> bool {
        !self.stop.load(SeqCst)
    }

    fn phase(&self) -> Phase {
        [Phase::Before, Phase::Outage, Phase::After][self.phase.load(SeqCst)]
    }

    /// A call that began then, and with the breaker open or not, has ended.
    fn note(&self, calls: &mut Vec<Call>, (phase, is_open): (Phase, bool), begun: Instant) {
        calls.push((phase, is_open, begun.elapsed()));
        self.ended[phase as usize].fetch_add(1, SeqCst);
    }

    fn is_open(&self) -> bool {
        !memokit::health(&self.cache).answers
    }
}

/// Keys in an order that looks random.
fn next(state: &mut u64) -> u32 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    u32::try_from(*state >> 33).unwrap() % KEYS
}

fn check(key: u32, known: u64, (found_key, found): (u32, u64)) {
    assert_eq!(found_key, key, "a value of another key");
    assert!(found >= known, "key {key}: {found} after {known} was known");
    assert!(found <= truth(key).is.load(SeqCst), "key {key}: {found} was never true");
}

impl Load {
    pub(crate) fn start(cache: &Arc<dyn Cache>) -> Self {
        *CACHE.lock().unwrap() = Some(Arc::clone(cache));
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            phase: AtomicUsize::new(0),
            calls: Mutex::default(),
            ended: Default::default(),
            invalidations: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            cache: Arc::clone(cache),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut threads: Vec<_> = (0..CALLERS)
            .map(|number| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || call(&shared, u64::from(number)))
            })
            .collect();
        let tasks = (0..CALLERS).map(|number| runtime.spawn(call_async(Arc::clone(&shared), u64::from(number) + 100)));
        let tasks = tasks.collect();
        let (handle, invalidating) = (runtime.handle().clone(), Arc::clone(&shared));
        threads.push(thread::spawn(move || invalidate(&invalidating, &handle)));
        Load { shared, runtime, threads, tasks }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.shared.phase.store(phase as usize, SeqCst);
    }

    /// For so long, and until there were some calls.
    pub(crate) fn goes_on(&self, span: Duration) {
        last(span);
        let (deadline, phase) = (Instant::now() + 40 * TIMEOUT, self.shared.phase.load(SeqCst));
        while self.shared.ended[phase].load(SeqCst) <= 100 {
            assert!(Instant::now() < deadline, "there are no calls");
            last(Duration::from_millis(5));
        }
    }

    /// Stops. Whoever has not ended long after that hangs; whoever panicked saw a wrong value.
    pub(crate) fn end(mut self) -> Report {
        self.shared.stop.store(true, SeqCst);
        let deadline = Instant::now() + 40 * TIMEOUT;
        let has_ended = || {
            self.threads.iter().all(JoinHandle::is_finished)
                && self.tasks.iter().all(tokio::task::JoinHandle::is_finished)
        };
        while !has_ended() {
            assert!(Instant::now() < deadline, "a call hangs");
            last(Duration::from_millis(5));
        }
        for thread in self.threads.drain(..) {
            thread.join().expect("no panic, no wrong value");
        }
        for task in self.tasks.drain(..) {
            self.runtime.block_on(task).expect("no panic, no wrong value");
        }
        let calls = std::mem::take(&mut *self.shared.calls.lock().unwrap());
        let failed = self.shared.failed.load(SeqCst);
        Report { calls, invalidations: self.shared.invalidations.load(SeqCst), failed }
    }
}

/// A test that failed leaves no callers to the next one.
impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
    }
}

fn call(shared: &Shared, seed: u64) {
    let (mut state, mut calls) = (seed, Vec::new());
    while shared.runs() {
        let key = next(&mut state);
        let (phase, is_open, known) = (shared.phase(), shared.is_open(), truth(key).known.load(SeqCst));
        let begun = Instant::now();
        let found = if state % 3 == 0 { with_copy(key) } else { without_copy(key) };
        shared.note(&mut calls, (phase, is_open), begun);
        check(key, known, found);
    }
    shared.calls.lock().unwrap().append(&mut calls);
}

async fn call_async(shared: Arc<Shared>, seed: u64) {
    let (mut state, mut calls) = (seed, Vec::new());
    while shared.runs() {
        let key = next(&mut state);
        let (phase, is_open, known) = (shared.phase(), shared.is_open(), truth(key).known.load(SeqCst));
        let begun = Instant::now();
        let found = as_a_task(key).await;
        shared.note(&mut calls, (phase, is_open), begun);
        check(key, known, found);
    }
    shared.calls.lock().unwrap().append(&mut calls);
}

/// One thread, so that what is true and what is known only grow.
fn invalidate(shared: &Shared, runtime: &tokio::runtime::Handle) {
    let mut state = 7;
    while shared.runs() {
        let key = next(&mut state);
        let now = truth(key).is.fetch_add(1, SeqCst) + 1;
        let results =
            [without_copy::invalidate(key), with_copy::invalidate(key), runtime.block_on(as_a_task::invalidate(key))];
        truth(key).known.store(now, SeqCst);
        shared.invalidations.fetch_add(3, SeqCst);
        for error in results.into_iter().filter_map(Result::err) {
            assert!(error.to_string().contains("it is queued"), "{error}");
            shared.failed.fetch_add(1, SeqCst);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// What a load saw.
pub(crate) struct Report {
    calls: Vec<Call>,
    pub(crate) invalidations: u64,
    pub(crate) failed: u64,
}

/// How long some calls took.
pub(crate) struct Spans(Vec<Duration>);

impl Spans {
    pub(crate) fn of_hundred(&self, percent: usize) -> Duration {
        self.0.get(self.0.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

impl Report {
    fn spans(&self, is: impl Fn(&Call) -> bool) -> Spans {
        let mut spans: Vec<Duration> = self.calls.iter().filter(|call| is(call)).map(|(.., span)| *span).collect();
        spans.sort_unstable();
        Spans(spans)
    }

    pub(crate) fn of(&self, phase: Phase) -> Spans {
        self.spans(|(of, ..)| *of == phase)
    }

    /// Of the calls that began while the breaker was open.
    pub(crate) fn open(&self) -> Spans {
        self.spans(|(_, is_open, _)| *is_open)
    }

    pub(crate) fn print(&self, what: &str, back_after: Duration) {
        println!(
            "{what}: back after {back_after:?}; {} invalidations, {} of them late",
            self.invalidations, self.failed
        );
        let parts = [
            ("before", self.of(Phase::Before)),
            ("outage", self.of(Phase::Outage)),
            ("breaker open", self.open()),
            ("after", self.of(Phase::After)),
        ];
        for (name, spans) in parts {
            let [median, most, longest] = [50, 99, 100].map(|percent| spans.of_hundred(percent));
            println!("  {name}: {} calls, median {median:?}, 99 % {most:?}, longest {longest:?}", spans.count());
        }
    }
}
