//! One load under way: its leader, its followers, and how it ends.

use super::{Origin, Storing};
use crate::outcome::SharedError;
use crate::sync::{Condvar, Mutex};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// One load of one key, from the moment a caller took the lead until it ended.
pub struct Flight<K, V> {
    pub(crate) key: K,
    /// The order in which the memo's loads began.
    pub(crate) number: u64,
    /// Whether other callers of the key may wait for it.
    pub(crate) joinable: bool,
    /// Whether a task leads it, which may need the thread that would wait for it.
    pub(crate) by_task: bool,
    state: Mutex<State<V>>,
    changed: Condvar,
}

struct State<V> {
    phase: Phase<V>,
    /// The key was invalidated, or stored by a younger load: this load must not store.
    doomed: bool,
    /// A newer value was stored: what this load may have fetched from the shared level is old, what it loads is not.
    fetch_is_outdated: bool,
    wakers: Vec<Waker>,
}

enum Phase<V> {
    Loading,
    /// The leader writes to the shared level. Whoever dooms the load now must wait for the write to be over.
    Storing,
    Ended(Ending<V>),
}

/// How a load ended, for its followers.
#[derive(Clone)]
pub enum Ending<V> {
    Value(V),
    Error(SharedError),
    /// The body returned something that can't be copied: every follower loads for itself, at once.
    Unshared,
    /// The leader panicked or was dropped: one of the followers leads.
    Abandoned,
}

impl<K, V: Clone> Flight<K, V> {
    pub(crate) fn new(key: K, number: u64, joinable: bool, by_task: bool) -> Self {
        Flight {
            key,
            number,
            joinable,
            by_task,
            state: Mutex::new(State {
                phase: Phase::Loading,
                doomed: false,
                fetch_is_outdated: false,
                wakers: Vec::new(),
            }),
            changed: Condvar::new(),
        }
    }

    /// Forbids this load to store; whether it is storing right now.
    pub(crate) fn doom(&self) -> bool {
        let mut state = self.state.lock();
        state.doomed = true;
        matches!(state.phase, Phase::Storing)
    }

    pub(crate) fn is_doomed(&self) -> bool {
        self.state.lock().doomed
    }

    /// Forbids this load to store what it fetched from the shared level.
    pub(crate) fn outdate_fetch(&self) {
        self.state.lock().fetch_is_outdated = true;
    }

    pub(crate) fn may_store(&self, origin: Origin) -> bool {
        let state = self.state.lock();
        !state.doomed && (origin == Origin::Loaded || !state.fetch_is_outdated)
    }

    /// Announces a write to the shared level; `false` if this load is doomed and must not write.
    pub(crate) fn start_storing(&self) -> bool {
        let mut state = self.state.lock();
        if !state.doomed {
            state.phase = Phase::Storing;
        }
        !state.doomed
    }

    /// The write to the shared level is over.
    pub(crate) fn stop_storing(&self) {
        self.change(Phase::Loading);
    }

    /// Ends the load and lets every follower go.
    pub(crate) fn end(&self, ending: Ending<V>) {
        self.change(Phase::Ended(ending));
    }

    fn change(&self, phase: Phase<V>) {
        let (wakers, _before) = {
            let mut state = self.state.lock();
            let before = std::mem::replace(&mut state.phase, phase);
            self.changed.notify_all();
            (std::mem::take(&mut state.wakers), before)
        };
        // Outside the lock: a waker may poll its task in place.
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits for the end, with the thread.
    pub(crate) fn wait(&self) -> Ending<V> {
        let mut state = self.state.lock();
        loop {
            if let Phase::Ended(ending) = &state.phase {
                return ending.clone();
            }
            self.changed.wait(&mut state);
        }
    }

    /// Waits for the end, as a task.
    pub(crate) async fn wait_async(&self) -> Ending<V> {
        poll_fn(|context| {
            let mut state = self.state.lock();
            match &state.phase {
                Phase::Ended(ending) => Poll::Ready(ending.clone()),
                _ => state.wait_with(context.waker()),
            }
        })
        .await
    }
}

impl<K: Send + Sync, V: Clone + Send + Sync> Storing for Flight<K, V> {
    fn wait_stored(&self, at_most: Duration) -> bool {
        let mut state = self.state.lock();
        while matches!(state.phase, Phase::Storing) {
            if self.changed.wait_for(&mut state, at_most).timed_out() {
                return !matches!(state.phase, Phase::Storing);
            }
        }
        true
    }

    fn poll_stored(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        match state.phase {
            Phase::Storing => state.wait_with(context.waker()),
            _ => Poll::Ready(()),
        }
    }
}

impl<V> State<V> {
    /// Remembers who to wake. A task that is dropped leaves a waker behind, which wakes nobody.
    fn wait_with<T>(&mut self, waker: &Waker) -> Poll<T> {
        if !self.wakers.iter().any(|known| known.will_wake(waker)) {
            self.wakers.push(waker.clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    #[test]
    fn followers_get_the_value_in_threads_and_tasks() {
        let flight = Flight::new((), 0, true, false);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| flight.wait());
            let mut task = pin!(flight.wait_async());
            let mut context = Context::from_waker(Waker::noop());
            assert!(task.as_mut().poll(&mut context).is_pending());
            flight.end(Ending::Value(7));
            assert!(matches!(task.poll(&mut context), Poll::Ready(Ending::Value(7))));
            assert!(matches!(waiting.join().expect("no panic"), Ending::Value(7)));
        });
    }

    #[test]
    fn a_doomed_load_does_not_start_to_store() {
        let flight = Flight::<(), u8>::new((), 0, true, false);
        assert!(flight.start_storing());
        assert!(flight.doom(), "it is storing");
        flight.stop_storing();
        assert!(flight.wait_stored(Duration::ZERO));
        assert!(!flight.start_storing());
    }
}
