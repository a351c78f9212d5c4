//! One load under way: its leader, its followers, and how it ends.
//!
//! Key and value have no types here, so that all this is compiled once and not again for each function.

use super::Origin;
use super::context::Mark;
use crate::invalidations::Marks;
use crate::outcome::SharedError;
use crate::sync::{Condvar, Mutex};
use std::any::Any;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A key whose type its memo knows.
pub(crate) type AnyKey = dyn Any + Send + Sync;

/// One load of one key, from the moment a caller took the lead until it ended.
pub struct Flight<K: ?Sized = AnyKey> {
    /// By the hasher of the table.
    pub(crate) hash: u64,
    /// Whether another key, of the same type, is equal.
    is_key: fn(&AnyKey, &AnyKey) -> bool,
    /// The order in which the memo's loads began. Written as it begins, under the lock of its shard.
    number: AtomicU64,
    /// Whether other callers of the key may wait for it. As above.
    joinable: AtomicBool,
    /// The key was invalidated, or stored by a younger load: this load must not store. Written under the lock of its
    /// shard and that of its state, so either is enough to know.
    doomed: AtomicBool,
    /// A newer value was stored: what this load may have fetched from the shared level is old, what it loads is not.
    /// Under the lock of its shard.
    fetch_is_outdated: AtomicBool,
    /// Whether a task leads it, which may need the thread that would wait for it.
    pub(crate) by_task: bool,
    /// What marks code as inside of this load, where it is one of several that one body runs for; else 0.
    shared_mark: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
    /// Last, so that its type can be forgotten.
    key: K,
}

struct State {
    phase: Phase,
    /// The tasks that wait, by numbers that only grow.
    wakers: Vec<(u64, Waker)>,
    /// The number of the next one.
    next: u64,
}

enum Phase {
    Loading,
    /// The leader writes to the shared level. Whoever dooms the load now must wait for the write to be over.
    Storing,
    Ended(Ending),
}

/// How a load ended, for its followers.
#[derive(Clone)]
pub enum Ending {
    /// The value, whose type the memo knows, and what it goes with. Each follower copies it.
    Value(Arc<dyn Any + Send + Sync>, Option<Arc<Marks>>),
    /// As a value, and each follower copies it.
    Error(SharedError, Option<Arc<Marks>>),
    /// The body returned something that can't be copied: every follower loads for itself, at once.
    Unshared,
    /// The leader panicked or was dropped: one of the followers leads.
    Abandoned,
}

impl Flight {
    /// A load that has not begun: it is nobody's lead until it [is in the table](super::flights::Loads::begin).
    pub(crate) fn new<K: Eq + Send + Sync + 'static>(key: K, hash: u64, by_task: bool) -> Arc<Self> {
        Arc::new(Flight {
            hash,
            is_key: |one, other| matches!((one.downcast_ref::<K>(), other.downcast_ref::<K>()), (Some(a), Some(b)) if a == b),
            number: AtomicU64::new(0),
            joinable: AtomicBool::new(false),
            by_task,
            shared_mark: AtomicUsize::new(0),
            doomed: AtomicBool::new(false),
            fetch_is_outdated: AtomicBool::new(false),
            state: Mutex::new(State { phase: Phase::Loading, wakers: Vec::new(), next: 0 }),
            changed: Condvar::new(),
            key,
        })
    }

    /// The key.
    ///
    /// # Panics
    /// If it is of another type: a memo has keys of one type.
    pub(crate) fn key<K: 'static>(&self) -> &K {
        self.key.downcast_ref().expect("a key of the memo's own type")
    }

    /// It begins: this is its number, and so others may wait for it or not.
    pub(crate) fn begin(&self, number: u64, joinable: bool) {
        self.number.store(number, Ordering::Relaxed);
        self.joinable.store(joinable, Ordering::Relaxed);
    }

    /// Its place in the order in which the memo's loads began.
    pub(crate) fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    /// Whether other callers of the key may wait for it.
    pub(crate) fn is_joinable(&self) -> bool {
        self.joinable.load(Ordering::Relaxed)
    }

    /// What marks code as inside of this load.
    pub(crate) fn mark(&self) -> Mark {
        match self.shared_mark.load(Ordering::Relaxed) {
            0 => Mark::of(self),
            address => Mark::at(address),
        }
    }

    /// The body that runs for this load runs for others too, under one mark. For the leader, before it runs.
    pub(crate) fn share_mark(&self, mark: Mark) {
        self.shared_mark.store(mark.address(), Ordering::Relaxed);
    }

    /// The key, without its type.
    pub(crate) fn any_key(&self) -> &AnyKey {
        &self.key
    }

    /// Whether this is a load of the key that `is` says yes to.
    pub(crate) fn is_of(&self, is: &dyn Fn(&AnyKey) -> bool) -> bool {
        is(&self.key)
    }

    /// Whether a key is that of this load.
    pub(crate) fn is_for(&self, key: &AnyKey) -> bool {
        (self.is_key)(&self.key, key)
    }

    // Whoever calls these holds the lock of its shard.

    /// Forbids this load to store; whether it is storing right now.
    pub(crate) fn doom(&self) -> bool {
        let state = self.state.lock();
        self.doomed.store(true, Ordering::Relaxed);
        matches!(state.phase, Phase::Storing)
    }

    pub(crate) fn is_doomed(&self) -> bool {
        self.doomed.load(Ordering::Relaxed)
    }

    /// Forbids this load to store what it fetched from the shared level.
    pub(crate) fn outdate_fetch(&self) {
        self.fetch_is_outdated.store(true, Ordering::Relaxed);
    }

    pub(crate) fn may_store(&self, origin: Origin) -> bool {
        !self.is_doomed() && (origin == Origin::Loaded || !self.fetch_is_outdated.load(Ordering::Relaxed))
    }

    // Whoever calls the rest does not.

    /// Announces a write to the shared level; `false` if this load is doomed and must not write.
    pub(crate) fn start_storing(&self) -> bool {
        let mut state = self.state.lock();
        let may = !self.doomed.load(Ordering::Relaxed);
        if may {
            state.phase = Phase::Storing;
        }
        may
    }

    /// The write to the shared level is over.
    pub(crate) fn stop_storing(&self) {
        self.change(Phase::Loading);
    }

    /// Ends the load and lets every follower go.
    pub(crate) fn end(&self, ending: Ending) {
        self.change(Phase::Ended(ending));
    }

    /// Ends the load for its followers, if it has any. It has left the table, so nobody can come any more.
    pub(crate) fn tell(self: &Arc<Self>, ending: &dyn Fn() -> Ending) {
        if Arc::strong_count(self) > 1 {
            self.end(ending());
        }
    }

    fn change(&self, phase: Phase) {
        let (wakers, _before) = {
            let mut state = self.state.lock();
            let before = std::mem::replace(&mut state.phase, phase);
            self.changed.notify_all();
            (std::mem::take(&mut state.wakers), before)
        };
        // Outside the lock: a waker may poll its task in place.
        for (_, waker) in wakers {
            waker.wake();
        }
    }

    /// Waits for the end, with the thread.
    pub(crate) fn wait(&self) -> Ending {
        let mut state = self.state.lock();
        loop {
            if let Phase::Ended(ending) = &state.phase {
                return ending.clone();
            }
            self.changed.wait(&mut state);
        }
    }

    /// Waits for the end, as a task.
    pub(crate) async fn wait_async(&self) -> Ending {
        self.wait_until(|phase| match phase {
            Phase::Ended(ending) => Some(ending.clone()),
            _ => None,
        })
        .await
    }

    /// Waits with the thread until the load does not write to the shared level; `false` if it took longer than `at_most`.
    pub(crate) fn wait_stored(&self, at_most: Duration) -> bool {
        let mut state = self.state.lock();
        while matches!(state.phase, Phase::Storing) {
            if self.changed.wait_for(&mut state, at_most).timed_out() {
                return !matches!(state.phase, Phase::Storing);
            }
        }
        true
    }

    /// Waits as a task until the load does not write to the shared level.
    pub(crate) async fn wait_stored_async(&self) {
        self.wait_until(|phase| (!matches!(phase, Phase::Storing)).then_some(())).await;
    }

    async fn wait_until<T>(&self, is: impl Fn(&Phase) -> Option<T>) -> T {
        let mut place = Place { flight: self, number: None };
        poll_fn(|context| place.poll(context, &is)).await
    }
}

/// A task's place among those that a load wakes. It is given up as it is dropped, so that tasks which come and go while a
/// load runs leave nothing behind.
struct Place<'f> {
    flight: &'f Flight,
    number: Option<u64>,
}

impl Place<'_> {
    fn poll<T>(&mut self, context: &Context<'_>, is: impl Fn(&Phase) -> Option<T>) -> Poll<T> {
        let mut state = self.flight.state.lock();
        if let Some(so) = is(&state.phase) {
            return Poll::Ready(so);
        }
        let before = state.wait_with(&mut self.number, context.waker());
        drop(state);
        // Outside the lock: with its last waker a task may be dropped.
        drop(before);
        Poll::Pending
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let given_up = self.number.and_then(|number| self.flight.state.lock().forget(number));
        drop(given_up);
    }
}

impl State {
    /// Remembers who to wake at this number, or at a new one if there is none; what was there before.
    fn wait_with(&mut self, number: &mut Option<u64>, waker: &Waker) -> Option<Waker> {
        let known = number.and_then(|number| self.find(number));
        match known {
            Some(at) if self.wakers[at].1.will_wake(waker) => None,
            Some(at) => Some(std::mem::replace(&mut self.wakers[at].1, waker.clone())),
            None => {
                *number = Some(self.next);
                self.wakers.push((self.next, waker.clone()));
                self.next += 1;
                None
            }
        }
    }

    fn forget(&mut self, number: u64) -> Option<Waker> {
        let at = self.find(number)?;
        Some(self.wakers.remove(at).1)
    }

    fn find(&self, number: u64) -> Option<usize> {
        self.wakers.binary_search_by_key(&number, |(number, _)| *number).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::Wake;

    #[test]
    fn followers_get_the_value_in_threads_and_tasks() {
        let flight = Flight::new((), 0, false);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| flight.wait());
            let mut task = pin!(flight.wait_async());
            let mut context = Context::from_waker(Waker::noop());
            assert!(task.as_mut().poll(&mut context).is_pending());
            let is_seven = |ending| matches!(ending, Ending::Value(value, None) if value.downcast_ref() == Some(&7_u8));
            flight.end(Ending::Value(Arc::new(7_u8), None));
            let Poll::Ready(ending) = task.poll(&mut context) else { panic!("the load has ended") };
            assert!(is_seven(ending) && is_seven(waiting.join().expect("no panic")));
        });
    }

    #[test]
    fn a_task_that_leaves_leaves_nothing_behind() {
        struct Task;
        impl Wake for Task {
            fn wake(self: Arc<Self>) {}
        }
        let flight = Flight::new((), 0, false);
        let (stays, leaves) = (Arc::new(Task), Arc::new(Task));
        let (stays_waker, leaves_waker) = (Waker::from(Arc::clone(&stays)), Waker::from(Arc::clone(&leaves)));
        let mut waiting = pin!(flight.wait_async());
        for _ in 0..3 {
            assert!(waiting.as_mut().poll(&mut Context::from_waker(&stays_waker)).is_pending());
            let mut left = Box::pin(flight.wait_async());
            assert!(left.as_mut().poll(&mut Context::from_waker(&leaves_waker)).is_pending());
            // Another call of the same task stays.
            let same = pin!(flight.wait_async());
            assert!(same.poll(&mut Context::from_waker(&stays_waker)).is_pending());
        }
        assert_eq!(Arc::strong_count(&leaves), 2, "nobody has it but its waker");
        assert_eq!(Arc::strong_count(&stays), 3, "the one that waits");
        flight.end(Ending::Abandoned);
        assert_eq!(Arc::strong_count(&stays), 2, "it is woken");
        assert!(waiting.poll(&mut Context::from_waker(&stays_waker)).is_ready());
    }

    #[test]
    fn a_doomed_load_does_not_start_to_store() {
        let flight = Flight::new((), 0, false);
        assert!(flight.start_storing());
        assert!(flight.doom(), "it is storing");
        flight.stop_storing();
        assert!(flight.wait_stored(Duration::ZERO));
        assert!(!flight.start_storing());
    }
}
