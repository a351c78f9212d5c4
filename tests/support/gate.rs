//! A place where threads and tasks are held up until a test lets them go.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;

/// No test holds anything for so long; one that does has hung.
const HANGS: Duration = Duration::from_secs(60);

/// Closed at first; once it is open, it stays so.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
    tasks: Notify,
}

#[derive(Default)]
struct State {
    open: bool,
    arrived: usize,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
        self.tasks.notify_waiters();
    }

    fn wait(&self, until: impl Fn(&State) -> bool) {
        let (_state, waited) =
            self.changed.wait_timeout_while(self.lock(), HANGS, |state| !until(state)).expect("not poisoned");
        assert!(!waited.timed_out(), "a test hangs at a gate");
    }

    async fn wait_async(&self, until: impl Fn(&State) -> bool) {
        let waiting = async {
            loop {
                let mut changed = std::pin::pin!(self.tasks.notified());
                // From here on no change is missed.
                changed.as_mut().enable();
                if until(&self.lock()) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(HANGS, waiting).await.expect("a test hangs at a gate");
    }

    /// Lets everyone go on.
    pub(crate) fn open(&self) {
        self.change(|state| state.open = true);
    }

    /// Arrives, and waits with the thread until it is open.
    pub(crate) fn pass(&self) {
        self.change(|state| state.arrived += 1);
        self.wait(|state| state.open);
    }

    /// Arrives, and waits as a task until it is open.
    pub(crate) async fn pass_async(&self) {
        self.change(|state| state.arrived += 1);
        self.wait_async(|state| state.open).await;
    }

    /// Waits with the thread until so many have arrived.
    pub(crate) fn arrived(&self, count: usize) {
        self.wait(|state| state.arrived >= count);
    }

    /// Waits as a task until so many have arrived.
    pub(crate) async fn arrived_async(&self, count: usize) {
        self.wait_async(|state| state.arrived >= count).await;
    }
}
