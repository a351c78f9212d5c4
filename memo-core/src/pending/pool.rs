//! The threads that work in the background.
//!
//! Work never waits for a thread: an idle thread takes it, or a new one, or the caller does it. So no work is stuck
//! behind other work that waits for it.

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

pub(super) type Work = Box<dyn FnOnce() + Send>;

/// Threads there are at most.
const MOST: usize = 256;

/// How long a thread waits for more work before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// Invariant: `unclaimed` threads, and one for each work in `handed_over`, wait for work or are about to.
struct Pool {
    threads: usize,
    /// Waiting threads that no work was handed over for.
    unclaimed: usize,
    handed_over: VecDeque<Work>,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { threads: 0, unclaimed: 0, handed_over: VecDeque::new() });
static MORE: Condvar = Condvar::new();

/// Runs the work in a thread, or in place where there is none for it.
pub(super) fn run(work: Work) {
    let mut pool = POOL.lock();
    if pool.unclaimed > 0 {
        pool.unclaimed -= 1;
        pool.handed_over.push_back(work);
        drop(pool);
        MORE.notify_one();
    } else if pool.threads < MOST {
        pool.threads += 1;
        pool.handed_over.push_back(work);
        drop(pool);
        if thread::Builder::new().name("memokit".into()).spawn(serve).is_err() {
            instead_of_a_thread();
        }
    } else {
        drop(pool);
        work();
    }
}

/// The thread for which work was handed over could not be started.
fn instead_of_a_thread() {
    let mut pool = POOL.lock();
    pool.threads -= 1;
    match pool.handed_over.pop_back() {
        Some(work) => {
            drop(pool);
            work();
        }
        // A waiting thread took it, for which there is none to wait in its place.
        None => pool.unclaimed -= 1,
    }
}

/// The life of a thread.
fn serve() {
    let mut pool = POOL.lock();
    loop {
        let waited = MORE.wait_while_for(&mut pool, |pool| pool.handed_over.is_empty(), IDLE);
        match pool.handed_over.pop_front() {
            Some(work) => {
                drop(pool);
                // The work itself catches panics; this is for wakers, and for what it drops.
                if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
                    // Its destructor could panic again, and the thread would end uncounted.
                    std::mem::forget(panic);
                }
                pool = POOL.lock();
                pool.unclaimed += 1;
            }
            None if waited.timed_out() => {
                pool.unclaimed -= 1;
                pool.threads -= 1;
                return;
            }
            None => {}
        }
    }
}
