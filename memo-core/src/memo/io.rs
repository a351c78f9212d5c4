//! How waiting is done: with the thread, or as a task.
//!
//! The path of a call is written once, as async code over an [`Io`]. With [`Blocking`] none of its futures ever
//! waits, so the sync door runs it to the end by polling it once.

use super::flight::{Ending, Flight};
use super::waits;
#[cfg(feature = "shared")]
use crate::shared::ask::Ask;
use crate::{Error, ErrorKind};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// How long an invalidation waits for a load of its key that is writing to the shared level at that moment. Backends
/// bound their operations far below; this bounds what a broken one can do.
const STORE_WAIT: Duration = Duration::from_secs(10);

/// A way to wait. Sealed: [`Blocking`] and [`Tasks`].
#[cfg(feature = "shared")]
pub trait Io: sealed::Wait + Ask {}

/// A way to wait. Sealed: [`Blocking`] and [`Tasks`].
#[cfg(not(feature = "shared"))]
pub trait Io: sealed::Wait {}

/// Waits with the thread.
pub struct Blocking;

/// Waits as a task.
pub struct Tasks;

impl Io for Blocking {}
impl Io for Tasks {}

/// Runs code that waits with the thread, which therefore never is pending.
///
/// # Panics
/// If the future waits for anything else: only futures over [`Blocking`] come here.
#[inline]
pub fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("blocking code waits with its thread"),
    }
}

pub(super) mod sealed {
    use super::{Arc, Ending, Error, Flight, Future};
    /// The waits there are.
    pub trait Wait: Send + Sync + 'static {
        /// Whether the thread waits.
        #[cfg(feature = "shared")]
        const BLOCKS: bool;

        /// Waits for a load to end; `None` if that would be for ever.
        fn ended(flight: &Arc<Flight>) -> impl Future<Output = Option<Ending>> + Send;

        /// Waits until loads have stopped writing to the shared level. Where that `refuses` what is older than an
        /// invalidation, a thread does not wait for tasks, which may need it to go on: `false` if one of them writes.
        fn stored(loads: Vec<Arc<Flight>>, refuses: bool) -> impl Future<Output = Result<bool, Error>> + Send;
    }
}

impl sealed::Wait for Blocking {
    #[cfg(feature = "shared")]
    const BLOCKS: bool = true;

    async fn ended(flight: &Arc<Flight>) -> Option<Ending> {
        waits::wait(flight)
    }

    async fn stored(loads: Vec<Arc<Flight>>, refuses: bool) -> Result<bool, Error> {
        let mut all = true;
        for load in loads {
            if refuses && load.by_task {
                all &= load.wait_stored(Duration::ZERO);
            } else if !load.wait_stored(STORE_WAIT) {
                return Err(Error::new(ErrorKind::Timeout, "waiting for a load to stop storing").advise(
                    "the backend holds up a write for longer than any timeout, or this thread drives the task that \
                     writes; invalidate again",
                ));
            }
        }
        Ok(all)
    }
}

impl sealed::Wait for Tasks {
    #[cfg(feature = "shared")]
    const BLOCKS: bool = false;

    async fn ended(flight: &Arc<Flight>) -> Option<Ending> {
        waits::wait_async(flight).await
    }

    async fn stored(loads: Vec<Arc<Flight>>, _refuses: bool) -> Result<bool, Error> {
        for load in loads {
            load.wait_stored_async().await;
        }
        Ok(true)
    }
}
