//! How waiting is done: with the thread, or as a task.
//!
//! Finding the right server and asking it again is written once, as async code over an [`Io`]. With [`Blocking`] none
//! of its futures ever waits, so the blocking door runs it to the end by polling it once.

use super::blocking;
use super::deadline::Deadline;
use super::error::{Failure, Lost};
use super::node::{Node, Request};
use redis::Value;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub(super) trait Io: Sync {
    /// Sends a request to a server and waits for its replies, the server's refusals among them.
    fn exchange(
        &self,
        node: &Node,
        request: Request<'_>,
        end: Deadline,
    ) -> impl Future<Output = Result<Vec<Value>, Lost>> + Send;

    /// Does nothing for a while.
    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// Waits with the thread.
pub(super) struct Blocking;

/// Waits as a task of this runtime, on which the caller is.
#[cfg(feature = "redis-tokio")]
pub(super) struct Tasks {
    pub(super) runtime: ::tokio::runtime::Handle,
}

impl Io for Blocking {
    async fn exchange(&self, node: &Node, request: Request<'_>, end: Deadline) -> Result<Vec<Value>, Lost> {
        blocking::Pool::exchange(node, request, end)
    }

    async fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

#[cfg(feature = "redis-tokio")]
impl Io for Tasks {
    fn exchange(
        &self,
        node: &Node,
        request: Request<'_>,
        end: Deadline,
    ) -> impl Future<Output = Result<Vec<Value>, Lost>> + Send {
        super::tokio::exchange(&self.runtime, node, request, end)
    }

    async fn pause(&self, time: Duration) {
        ::tokio::time::sleep(time).await;
    }
}

/// Runs code that waits with the thread, which therefore never is pending.
///
/// # Panics
/// If the future waits for anything else: only futures over [`Blocking`] come here.
pub(super) fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("blocking code waits with its thread"),
    }
}

/// Runs all of them at the same time, as far as their way to wait lets them; the outputs in order.
pub(super) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    enum Each<F: Future> {
        Running(Pin<Box<F>>),
        Done(F::Output),
    }
    // Nothing in it is pinned: the boxes are, on their own.
    impl<F: Future> Unpin for Each<F> {}

    let mut each: Vec<_> = futures.into_iter().map(|future| Each::Running(Box::pin(future))).collect();
    poll_fn(|context| {
        let mut pending = false;
        for one in &mut each {
            if let Each::Running(future) = one {
                match future.as_mut().poll(context) {
                    Poll::Ready(output) => *one = Each::Done(output),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let done = each.into_iter().filter_map(|one| if let Each::Done(output) = one { Some(output) } else { None });
    done.collect()
}

/// One at a time finds out what all want to know, and the others take what it found.
#[derive(Default)]
pub(super) struct Turns {
    taken: AtomicBool,
    ended: AtomicU64,
}

/// A turn, until it is dropped. Where that comes before its [`end`](Turn::end), as the future that had it was dropped,
/// one of the others has the next.
pub(super) struct Turn<'a>(&'a Turns);

impl Turn<'_> {
    /// All that there is to find out is known.
    pub(super) fn end(self) {
        self.0.ended.fetch_add(1, Ordering::AcqRel);
    }
}

impl Turns {
    const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

    /// A turn of one's own, or `None` after somebody else's has ended.
    ///
    /// # Errors
    ///
    /// [`Failure::Late`].
    pub(super) async fn take<I: Io>(&self, io: &I, end: Deadline) -> Result<Option<Turn<'_>>, Failure> {
        let ended = self.ended.load(Ordering::Acquire);
        loop {
            if !self.taken.swap(true, Ordering::AcqRel) {
                let turn = Turn(self);
                return Ok(if self.ended.load(Ordering::Acquire) == ended { Some(turn) } else { None });
            }
            end.left()?;
            // Looking is rare and short: what is waited for is one round trip.
            io.pause(Self::BETWEEN_LOOKS).await;
            if self.ended.load(Ordering::Acquire) != ended {
                return Ok(None);
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.taken.store(false, Ordering::Release);
    }
}
