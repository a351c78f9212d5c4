//! The thread that keeps leases and wakes those who wait for other processes' loads.
//!
//! There is one for the process, and only while a lease is held, is to be given back, or somebody waits. It does what must not
//! wait for a caller: it renews the lease of a load that takes long, gives back that of a load that was dropped, and is the
//! clock of tasks that wait, which the core has none of otherwise. It goes by real time, also where a test moves the clock:
//! what it waits for are other processes.

use super::lease::{LEASE, Term};
use crate::clock::Stopwatch;
use crate::sync::IS_MODEL;
use parking_lot::{Condvar, Mutex};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

static START: LazyLock<Stopwatch> = LazyLock::new(Stopwatch::start);

/// Time since the first question for it.
fn now() -> Duration {
    START.elapsed()
}

static STATE: Mutex<State> =
    Mutex::new(State { held: Vec::new(), dropped: Vec::new(), waiting: Vec::new(), runs: false });
static CHANGED: Condvar = Condvar::new();

struct State {
    /// Leases, each with the time at which it is to be renewed.
    held: Vec<(Duration, Arc<Term>)>,
    /// Leases that nobody gave back.
    dropped: Vec<Arc<Term>>,
    waiting: Vec<Arc<Wait>>,
    runs: bool,
}

impl State {
    fn is_idle(&self) -> bool {
        self.held.is_empty() && self.dropped.is_empty() && self.waiting.is_empty()
    }

    /// When there is something to do next.
    fn next(&self) -> Duration {
        let renewals = self.held.iter().map(|(at, _)| *at);
        renewals.chain(self.waiting.iter().map(|wait| wait.until)).min().unwrap_or(Duration::MAX)
    }

    /// Sees to it that the thread runs, and looks.
    fn changed(&mut self) {
        if self.runs {
            CHANGED.notify_one();
        } else if !IS_MODEL {
            // Where there is no thread to be had, a lease ends by itself, and who waits with a thread has its own clock.
            self.runs = thread::Builder::new().name("memokit-leases".into()).spawn(run).is_ok();
        }
    }
}

/// Keeps a lease until it is [let go](let_go).
pub(super) fn keep(term: &Arc<Term>) {
    let mut state = STATE.lock();
    state.held.push((now() + LEASE / 3, Arc::clone(term)));
    state.changed();
}

/// A lease is kept no more. It is given back by this thread if nobody else does.
pub(super) fn let_go(term: &Arc<Term>, gives_back: bool) {
    let mut state = STATE.lock();
    state.held.retain(|(_, held)| !Arc::ptr_eq(held, term));
    if gives_back {
        state.dropped.push(Arc::clone(term));
        state.changed();
    }
}

/// Somebody who waits for the load of another process, or for some time.
pub(super) struct Wait {
    /// The key of the entry; nothing where no message is waited for.
    key: Box<str>,
    until: Duration,
    state: Mutex<Woken>,
    changed: Condvar,
}

#[derive(Default)]
struct Woken {
    /// By a message, or by the time.
    by: Option<By>,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Message,
    Time,
}

impl Wait {
    /// Begins to wait for the load of a key, at most so long. From here on no message is missed.
    pub(super) fn begin(key: &str, at_most: Duration) -> Arc<Self> {
        let until = now() + at_most;
        let wait = Wait { key: key.into(), until, state: Mutex::default(), changed: Condvar::new() };
        let wait = Arc::new(wait);
        let mut state = STATE.lock();
        state.waiting.push(Arc::clone(&wait));
        state.changed();
        wait
    }

    fn wake(&self, by: By) {
        let waker = {
            let mut state = self.state.lock();
            state.by.get_or_insert(by);
            state.waker.take()
        };
        self.changed.notify_all();
        // It runs code of a runtime's, and of a task's where that is polled in place.
        if let Some(waker) = waker {
            guarded((), || waker.wake());
        }
    }

    /// Waits with the thread.
    pub(super) fn block(&self) {
        let mut state = self.state.lock();
        while state.by.is_none() {
            let left = self.until.saturating_sub(now());
            if left.is_zero() || self.changed.wait_for(&mut state, left).timed_out() {
                return;
            }
        }
    }

    /// Waits as a task.
    pub(super) fn poll(&self, waker: &Waker) -> Poll<()> {
        let mut state = self.state.lock();
        if state.by.is_some() {
            return Poll::Ready(());
        }
        state.waker = Some(waker.clone());
        Poll::Pending
    }

    /// Whether it was woken by a message.
    pub(super) fn was_told(&self) -> bool {
        self.state.lock().by == Some(By::Message)
    }

    /// Ends the wait, however it came to its end.
    pub(super) fn end(self: &Arc<Self>) {
        STATE.lock().waiting.retain(|wait| !Arc::ptr_eq(wait, self));
    }
}

/// The load of a key has ended in some process.
pub(super) fn woken(key: &str) {
    let waiting: Vec<_> = STATE.lock().waiting.iter().filter(|wait| &*wait.key == key).map(Arc::clone).collect();
    // Outside of the lock: a waker may poll its task in place.
    for wait in waiting {
        wait.wake(By::Message);
    }
}

/// What this returns, or the other where it panics.
fn guarded<T>(otherwise: T, run: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(otherwise)
}

fn run() {
    let mut state = STATE.lock();
    while !state.is_idle() {
        let now = now();
        let due: Vec<_> = state.held.iter().filter(|(at, _)| *at <= now).map(|(_, term)| Arc::clone(term)).collect();
        let dropped = std::mem::take(&mut state.dropped);
        let over: Vec<_> = state.waiting.iter().filter(|wait| wait.until <= now).map(Arc::clone).collect();
        if due.is_empty() && dropped.is_empty() && over.is_empty() {
            let left = state.next().saturating_sub(now);
            CHANGED.wait_for(&mut state, left);
            continue;
        }
        state.waiting.retain(|wait| wait.until > now);
        state.held.iter_mut().filter(|(at, _)| *at <= now).for_each(|(at, _)| *at = now + LEASE / 3);
        drop(state);
        for wait in over {
            wait.wake(By::Time);
        }
        // A backend that panics must not end this for all others.
        // Nor when it is dropped here, by its last owner.
        for term in dropped {
            guarded((), move || term.give_back());
        }
        for term in due {
            guarded((), move || {
                if !guarded(true, || term.renew()) {
                    let_go(&term, false);
                }
            });
        }
        state = STATE.lock();
    }
    state.runs = false;
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Wake};

    #[test]
    fn who_waits_is_woken_by_the_key_or_by_the_time() {
        let wait = Wait::begin("keeper: a key", Duration::from_secs(60));
        let other = Wait::begin("keeper: another key", Duration::from_millis(1));
        woken("keeper: a key");
        wait.block();
        other.block();
        assert!(wait.was_told() && !other.was_told());
        wait.end();
        other.end();
    }

    #[test]
    fn a_task_is_woken_by_the_time() {
        struct Told(Mutex<bool>, Condvar);
        impl Wake for Told {
            fn wake(self: Arc<Self>) {
                *self.0.lock() = true;
                self.1.notify_all();
            }
        }
        let told = Arc::new(Told(Mutex::new(false), Condvar::new()));
        let waker = Waker::from(Arc::clone(&told));
        let wait = Wait::begin("keeper: a task", Duration::from_millis(1));
        let mut polled = pin!(std::future::poll_fn(|context: &mut Context<'_>| wait.poll(context.waker())));
        let mut context = Context::from_waker(&waker);
        while polled.as_mut().poll(&mut context).is_pending() {
            let mut is_told = told.0.lock();
            while !*is_told {
                told.1.wait(&mut is_told);
            }
        }
        wait.end();
    }
}
