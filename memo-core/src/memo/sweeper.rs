//! The thread that drops expired entries nobody asks for.
//!
//! There is one for the whole process, while there are entries that expire. It wakes when the first of them does, but
//! once a second at the most, and rests fifty times as long as it worked: so an entry is dropped a second or so after
//! it expired, and a memo of millions costs a fiftieth of one processor.

use super::{AnyMemo, Swept};
use crate::clock::{self, Tick};
use crate::sync::IS_MODEL;
use parking_lot::{Condvar, Mutex};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// From one sweep to the next, at the least.
const REST: Duration = Duration::from_secs(1);
/// How many times as long as it worked it rests.
const REST_FOR_WORK: u32 = 50;
/// How long the thread waits for entries that expire before it ends.
const IDLE: Duration = Duration::from_secs(60);

/// When the first entry expires, as far as is known.
static NEXT: AtomicU64 = AtomicU64::new(Tick::NEVER.nanos());

static STATE: Mutex<State> = Mutex::new(State { memos: Vec::new(), runs: false });
static SOONER: Condvar = Condvar::new();

struct State {
    memos: Vec<&'static dyn AnyMemo>,
    /// Whether the thread runs.
    runs: bool,
}

/// A memo that may come to have entries that expire.
pub(super) fn register(memo: &'static dyn AnyMemo) {
    STATE.lock().memos.push(memo);
}

/// An entry was stored that expires then.
#[inline]
pub(super) fn expect(deadline: Tick) {
    if deadline.nanos() < NEXT.load(Ordering::SeqCst) {
        wake(deadline);
    }
}

#[cold]
fn wake(deadline: Tick) {
    NEXT.fetch_min(deadline.nanos(), Ordering::SeqCst);
    let mut state = STATE.lock();
    if state.runs {
        SOONER.notify_one();
    } else if !IS_MODEL {
        // Where there is no thread to be had, entries are dropped as others are stored.
        state.runs = thread::Builder::new().name("memokit-sweep".into()).spawn(run).is_ok();
    }
}

fn run() {
    let mut rest = REST;
    loop {
        thread::sleep(rest);
        if clock::is_mocked() {
            // Time passes when a test says so.
            rest = REST;
            continue;
        }
        let mut state = STATE.lock();
        let due = Tick::from_nanos(NEXT.load(Ordering::Relaxed));
        if due > clock::now() {
            let left = due.since(clock::now()).min(IDLE);
            let waited = SOONER.wait_for(&mut state, left);
            if waited.timed_out() && NEXT.load(Ordering::Relaxed) == Tick::NEVER.nanos() {
                state.runs = false;
                return;
            }
            rest = Duration::ZERO;
            continue;
        }
        drop(state);
        let watch = clock::Stopwatch::start();
        let told = sweep();
        rest = REST.max(watch.elapsed().saturating_sub(told) * REST_FOR_WORK);
    }
}

/// Drops what has expired, in all memos, and tells the hooks that want to hear of it. How long these took.
pub(crate) fn sweep() -> Duration {
    NEXT.swap(Tick::NEVER.nanos(), Ordering::SeqCst);
    let memos = STATE.lock().memos.clone();
    let now = clock::now();
    let sweep = |memo: &dyn AnyMemo| {
        // A value that panics as it is dropped must not end this for all others. What is stored meanwhile says so itself.
        let swept = catch_unwind(AssertUnwindSafe(|| memo.sweep(now)));
        let Swept { next, told } = swept.unwrap_or(Swept { next: now, told: Duration::ZERO });
        NEXT.fetch_min(next.nanos(), Ordering::SeqCst);
        told
    };
    memos.into_iter().map(sweep).sum()
}
