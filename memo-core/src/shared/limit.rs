//! The time that an operation may take as a task, for backends that do not bound it themselves.
//!
//! The core knows no runtime, so there is no timer to ask. A thread wakes the tasks whose time is over. It is there
//! while such operations wait, and for some time after; backends that say [`Capabilities::bounded`] never come here, so
//! ours cost nothing. A blocking operation can't be bounded from outside: it has the thread of its caller.
//!
//! [`Capabilities::bounded`]: crate::Capabilities::bounded

use crate::clock::{self, Tick};
use crate::{Error, ErrorKind};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

/// How long an operation may take.
pub(super) const OPERATION_TIMEOUT: Duration = Duration::from_millis(500);

/// How long the thread waits for another operation before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// Runs an operation for [`OPERATION_TIMEOUT`] at most; then its future is dropped. One that never waits costs nothing.
pub(super) async fn limited<T>(
    operation: impl Future<Output = Result<T, Error>>,
    doing: impl FnOnce() -> String,
) -> Result<T, Error> {
    let mut operation = pin!(operation);
    let mut alarm: Option<Alarm> = None;
    let ended = poll_fn(|context| {
        if let Poll::Ready(result) = operation.as_mut().poll(context) {
            return Poll::Ready(Some(result));
        }
        match alarm.get_or_insert_with(|| Alarm::set(OPERATION_TIMEOUT)).has_rung(context.waker()) {
            true => Poll::Ready(None),
            false => Poll::Pending,
        }
    });
    match ended.await {
        Some(result) => result,
        None => Err(Error::new(ErrorKind::Timeout, doing()).advise(
            "no answer in time; a backend that bounds its operations itself says so by `Capabilities::bounded`",
        )),
    }
}

/// Wakes a task when its time is over.
struct Alarm {
    until: Tick,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl Alarm {
    fn set(after: Duration) -> Self {
        let alarm = Alarm { until: clock::now().after(after), waker: Arc::default() };
        let mut waiting = WAITING.lock();
        waiting.queue.push_back((alarm.until, Arc::downgrade(&alarm.waker)));
        if !waiting.runs {
            // Where there is no thread to be had, the operation takes as long as it takes.
            waiting.runs = thread::Builder::new().name("memokit-limit".into()).spawn(ring).is_ok();
        } else if waiting.queue.len() == 1 {
            CAME.notify_one();
        }
        alarm
    }

    /// Whether the time is over. If not, this task is woken when it is.
    fn has_rung(&self, waker: &Waker) -> bool {
        let mut mine = self.waker.lock();
        // Under the lock: who rings takes the waker after the time was over, and so after this look.
        if self.until <= clock::now() {
            return true;
        }
        if !mine.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *mine = Some(waker.clone());
        }
        false
    }
}

/// The operations that wait, those whose time is over first: all have the same time.
static WAITING: Mutex<Waiting> = Mutex::new(Waiting { queue: VecDeque::new(), runs: false });
static CAME: Condvar = Condvar::new();

struct Waiting {
    /// Of operations that have ended the wakers are gone.
    queue: VecDeque<(Tick, Weak<Mutex<Option<Waker>>>)>,
    /// Whether the thread runs.
    runs: bool,
}

fn ring() {
    let mut waiting = WAITING.lock();
    loop {
        while waiting.queue.front().is_some_and(|(_, waker)| waker.strong_count() == 0) {
            waiting.queue.pop_front();
        }
        let Some(&(until, _)) = waiting.queue.front() else {
            if CAME.wait_for(&mut waiting, IDLE).timed_out() && waiting.queue.is_empty() {
                waiting.runs = false;
                return;
            }
            continue;
        };
        let left = until.since(clock::now());
        if !left.is_zero() {
            // Under a test's clock time passes when the test says so.
            let wait = if clock::is_mocked() { Duration::from_millis(1) } else { left };
            CAME.wait_for(&mut waiting, wait);
            continue;
        }
        let waker = waiting.queue.pop_front().and_then(|(_, waker)| waker.upgrade());
        let waker = waker.and_then(|waker| waker.lock().take());
        if let Some(waker) = waker {
            // Outside of the lock: a waker may poll its task in place.
            MutexGuard::unlocked(&mut waiting, || drop(catch_unwind(AssertUnwindSafe(|| waker.wake()))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Context;

    #[test]
    fn an_operation_that_is_done_at_once_sets_no_alarm() {
        let mut limited = pin!(limited(std::future::ready(Ok(7)), || unreachable!("it is not late")));
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(limited.as_mut().poll(&mut context), Poll::Ready(Ok(7))));
    }
}
