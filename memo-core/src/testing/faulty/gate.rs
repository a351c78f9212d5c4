//! Where operations wait: until a fault is withdrawn, or until time has passed.

use crate::clock::{self, Tick};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// Shut until it is opened for good.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Default)]
struct State {
    is_open: bool,
    wakers: Vec<Waker>,
}

impl Gate {
    /// A gate that opens after a while, which passes when a test says so if the clock is a test's.
    pub(super) fn after(span: Duration) -> Arc<Self> {
        let gate = Arc::new(Gate::default());
        let (until, opens) = (clock::now().after(span), Arc::clone(&gate));
        thread::spawn(move || {
            sleep_until(until);
            opens.open();
        });
        gate
    }

    pub(super) fn open(&self) {
        let wakers = {
            let mut state = self.state.lock();
            state.is_open = true;
            self.opened.notify_all();
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn pass(&self) {
        let mut state = self.state.lock();
        self.opened.wait_while(&mut state, |state| !state.is_open);
    }

    pub(super) fn poll_pass(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.is_open {
            return Poll::Ready(());
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            state.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }
}

pub(super) fn sleep_until(until: Tick) {
    loop {
        let left = until.since(clock::now());
        if left.is_zero() {
            return;
        }
        thread::sleep(if clock::is_mocked() { Duration::from_millis(1) } else { left });
    }
}

/// Counts an operation that hangs, until it is dropped.
pub(super) struct Hanging<'a>(&'a AtomicUsize);

impl<'a> Hanging<'a> {
    pub(super) fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Hanging(count)
    }
}

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
