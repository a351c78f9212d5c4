//! A value that is being loaded in the background.

mod pool;

use parking_lot::{Condvar, Mutex};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// A value that a thread in the background works out: what `f::spawn(…)` returns.
///
/// Wait for it with the thread ([`wait`](Pending::wait), [`wait_timeout`](Pending::wait_timeout)), as a task (`.await`, under
/// any runtime or none), or look now and then ([`try_get`](Pending::try_get)). What the function returns is delivered as it
/// is, an `Err` too, and a panic goes on in whoever asks for the value. So nobody waits for ever, and nothing is lost
/// unless this is dropped; the work goes on then, and a cached function still stores its value.
///
/// The threads are the library's own: one is started when none is idle, and ends when it was idle for ten seconds. No
/// work ever queues behind other work, which may wait for it: once 256 are busy, the work is done in place, before `spawn`
/// returns. The same goes where the system gives no thread. As with all threads in the background, the end of `main`
/// ends them.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::Pending;
/// use std::time::Duration;
///
/// let mut sum = Pending::spawn(|| (1..=100_u64).sum::<u64>());
/// match sum.wait_timeout(Duration::from_secs(60)) {
///     Some(sum) => assert_eq!(sum, 5050),
///     None => println!("still at it"),
/// }
/// ```
#[must_use = "the work goes on also if this is dropped, but then nobody learns of its errors: `drop` it to say so"]
pub struct Pending<T>(State<T>);

enum State<T> {
    /// It was there when it was asked for.
    Ready(T),
    Working(Arc<Slot<T>>),
    Taken,
}

/// Where the thread puts what the work came to.
struct Slot<T> {
    progress: Mutex<Progress<T>>,
    done: Condvar,
}

enum Progress<T> {
    /// With whom to wake.
    Working(Option<Waker>),
    Done(thread::Result<T>),
    Taken,
}

/// Nothing in it is ever pinned.
impl<T> Unpin for Pending<T> {}

impl<T> Pending<T> {
    /// One that is done.
    pub(crate) fn ready(value: T) -> Self {
        Pending(State::Ready(value))
    }

    /// Whether the value, or the panic, is there: then no way of asking for it waits.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match &self.0 {
            State::Working(slot) => !slot.progress.lock().is_working(),
            State::Ready(_) | State::Taken => true,
        }
    }

    /// The value if it is there; `None` while it is worked out, and once it was taken.
    ///
    /// # Panics
    /// As the work did, if it did.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// let mut text = memokit::Pending::spawn(|| "done".to_owned());
    /// let text = loop {
    ///     if let Some(text) = text.try_get() {
    ///         break text;
    ///     }
    ///     std::thread::yield_now();
    /// };
    /// assert_eq!(text, "done");
    /// ```
    pub fn try_get(&mut self) -> Option<T> {
        self.take(|slot| slot.progress.lock().take())
    }

    /// Waits for the value with the thread. In async code `.await` it instead, which blocks no thread.
    ///
    /// # Panics
    /// As the work did, if it did; and if the value was taken before.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// assert_eq!(memokit::Pending::spawn(|| 2 + 2).wait(), 4);
    /// ```
    #[must_use = "to let the work go on without the value, `drop` it"]
    pub fn wait(mut self) -> T {
        self.take(|slot| {
            let mut progress = slot.progress.lock();
            slot.done.wait_while(&mut progress, |progress| progress.is_working());
            progress.take()
        })
        .unwrap_or_else(|| taken())
    }

    /// Waits for the value with the thread, but no longer than this, in real time. `None` if it is not there then, and if
    /// it was taken before.
    ///
    /// # Panics
    /// As the work did, if it did.
    pub fn wait_timeout(&mut self, at_most: Duration) -> Option<T> {
        self.take(|slot| {
            let mut progress = slot.progress.lock();
            slot.done.wait_while_for(&mut progress, |progress| progress.is_working(), at_most);
            progress.take()
        })
    }

    /// What `from` takes out of the slot, or the value that was ready.
    fn take(&mut self, from: impl FnOnce(&Slot<T>) -> Option<thread::Result<T>>) -> Option<T> {
        let result = match std::mem::replace(&mut self.0, State::Taken) {
            State::Ready(value) => return Some(value),
            State::Taken => return None,
            State::Working(slot) => match from(&slot) {
                Some(result) => result,
                None => {
                    self.0 = State::Working(slot);
                    return None;
                }
            },
        };
        Some(result.unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

impl<T: Send + 'static> Pending<T> {
    /// Does any work in the background: `f::spawn(…)` for calls that it is not there for.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// # fn report(database: &str, year: u32) -> usize { database.len() + year as usize }
    /// let database = String::from("main");
    /// let pending = memokit::Pending::spawn(move || report(&database, 2024));
    /// assert_eq!(pending.wait(), 2028);
    /// ```
    pub fn spawn(work: impl FnOnce() -> T + Send + 'static) -> Self {
        let slot = Arc::new(Slot { progress: Mutex::new(Progress::Working(None)), done: Condvar::new() });
        let pending = Pending(State::Working(Arc::clone(&slot)));
        pool::run(Box::new(move || slot.finish(catch_unwind(AssertUnwindSafe(work)))));
        pending
    }
}

impl<T> Slot<T> {
    fn finish(&self, result: thread::Result<T>) {
        let before = std::mem::replace(&mut *self.progress.lock(), Progress::Done(result));
        self.done.notify_all();
        // Outside the lock: a waker may poll its task in place.
        if let Progress::Working(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl<T> Progress<T> {
    fn is_working(&self) -> bool {
        matches!(self, Progress::Working(_))
    }

    fn take(&mut self) -> Option<thread::Result<T>> {
        match std::mem::replace(self, Progress::Taken) {
            Progress::Done(result) => Some(result),
            before => {
                *self = before;
                None
            }
        }
    }
}

impl<T> Future for Pending<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        if matches!(self.0, State::Taken) {
            taken();
        }
        // The waker of before is dropped outside the lock, since it is code of the runtime.
        let mut waker = Some(context.waker().clone());
        let value = self.take(|slot| {
            let mut progress = slot.progress.lock();
            if let Progress::Working(known) = &mut *progress {
                std::mem::swap(known, &mut waker);
            }
            progress.take()
        });
        value.map_or(Poll::Pending, Poll::Ready)
    }
}

#[cold]
fn taken() -> ! {
    panic!("waiting for a value that was taken out of its `Pending` before: ask for it once")
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("is_done", &self.is_done()).finish_non_exhaustive()
    }
}
