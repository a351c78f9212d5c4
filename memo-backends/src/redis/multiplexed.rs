//! One connection that many tasks use at once, each without waiting for the others' replies.
//!
//! A request is appended to what is to be written, and its place in the queue of those who wait tells whose replies
//! come when: servers answer in the order of arrival. One task, the driver, writes and reads; while it is awake,
//! requests need not wake it, so many go out in one write and come back in one read.

use super::command::Commands;
use super::error::Failure;
use super::resp::{Decoder, closed};
use parking_lot::Mutex;
use redis::Value;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// What one read may bring: some dozens of small values.
const READ: usize = 64 << 10;

/// A buffer that had to be larger once is not kept.
const MOST_KEPT: usize = 1 << 20;

/// What the three kinds of streams have in common.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The connection; it closes when this is dropped.
pub(super) struct Multiplexed {
    shared: Arc<Mutex<Shared>>,
    driver: AbortHandle,
}

#[derive(Default)]
struct Shared {
    /// Packed requests that the driver has not seen yet.
    requests: Vec<u8>,
    /// Who made them, in their order.
    waiting: Vec<Waiting>,
    /// Wakes the driver, if it is asleep.
    driver: Option<Waker>,
    /// Why the connection is of no use any more.
    ended: Option<io::ErrorKind>,
}

/// One who waits for replies.
struct Waiting {
    /// Of these, the first is nobody's: that to ASKING.
    asking: bool,
    left: usize,
    replies: Vec<Value>,
    to: oneshot::Sender<Vec<Value>>,
}

/// Replies that are on their way.
pub(super) struct Replies {
    from: oneshot::Receiver<Vec<Value>>,
    shared: Arc<Mutex<Shared>>,
}

impl Multiplexed {
    /// Takes over a stream; to be called on the runtime that drives it.
    pub(super) fn new(stream: Box<dyn Stream>) -> Multiplexed {
        let shared = Arc::<Mutex<Shared>>::default();
        let driver = Driver {
            stream,
            shared: Arc::clone(&shared),
            writing: Vec::new(),
            written: 0,
            unflushed: false,
            gathered: false,
            in_flight: VecDeque::new(),
            decoder: Decoder::new(READ),
        };
        Multiplexed { shared, driver: tokio::spawn(driver.run()).abort_handle() }
    }

    /// Hands a request over to be sent. From here on it is sent, whether or not anybody waits.
    pub(super) fn send(&self, commands: &Commands, asking: bool) -> Result<Replies, Failure> {
        let (to, from) = oneshot::channel();
        let driver = {
            let mut shared = self.shared.lock();
            if let Some(kind) = shared.ended {
                return Err(io::Error::from(kind).into());
            }
            if asking {
                Commands::One(redis::cmd("ASKING")).pack(&mut shared.requests);
            }
            commands.pack(&mut shared.requests);
            let left = commands.len();
            shared.waiting.push(Waiting { asking, left, replies: Vec::with_capacity(left), to });
            shared.driver.take()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
        Ok(Replies { from, shared: Arc::clone(&self.shared) })
    }
}

impl Drop for Multiplexed {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Replies {
    /// Waits for them.
    pub(super) async fn all(self) -> Result<Vec<Value>, Failure> {
        self.from.await.map_err(|_| {
            let kind = self.shared.lock().ended;
            kind.map_or_else(closed, io::Error::from).into()
        })
    }
}

struct Driver {
    stream: Box<dyn Stream>,
    shared: Arc<Mutex<Shared>>,
    writing: Vec<u8>,
    written: usize,
    unflushed: bool,
    /// Other tasks had their turn to add requests to those there are.
    gathered: bool,
    in_flight: VecDeque<Waiting>,
    decoder: Decoder,
}

impl Driver {
    /// Until the connection ends. Those who wait then find their senders gone.
    async fn run(mut self) {
        let ended = poll_fn(|context| self.poll(context)).await;
        let waiting = {
            let mut shared = self.shared.lock();
            shared.ended = Some(ended.kind());
            std::mem::take(&mut shared.waiting)
        };
        drop(waiting);
    }

    /// Reads and writes as far as it can; ready when the connection has ended.
    ///
    /// Replies come first: they are what makes tasks go on to their next requests. And requests wait for one turn of the
    /// runtime's queue, in which other tasks that are ready add theirs: one write of many costs the system and the server
    /// little more than one write of one.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if let Poll::Ready(error) = self.read(context) {
            return Poll::Ready(error);
        }
        if !std::mem::take(&mut self.gathered) {
            let mut shared = self.shared.lock();
            if !shared.requests.is_empty() {
                drop(shared);
                self.gathered = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.written == self.writing.len() && !self.unflushed {
                if !shared.driver.as_ref().is_some_and(|driver| driver.will_wake(context.waker())) {
                    shared.driver = Some(context.waker().clone());
                }
                return Poll::Pending;
            }
        }
        loop {
            match self.write(context) {
                Poll::Ready(Err(error)) => return Poll::Ready(error),
                // The stream wakes us.
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {
                    let mut shared = self.shared.lock();
                    if shared.requests.is_empty() {
                        shared.driver = Some(context.waker().clone());
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Writes all requests there are. Pending: some are left.
    fn write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.written == self.writing.len() {
                self.writing.clear();
                self.writing.shrink_to(MOST_KEPT);
                self.written = 0;
                let mut shared = self.shared.lock();
                std::mem::swap(&mut self.writing, &mut shared.requests);
                self.in_flight.extend(shared.waiting.drain(..));
            }
            if self.writing.is_empty() {
                break;
            }
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, &self.writing[self.written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads all replies there are. Pending: more may come.
    fn read(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            let mut buffer = ReadBuf::new(self.decoder.space());
            if let Err(error) = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
                return Poll::Ready(error);
            }
            let count = buffer.filled().len();
            if count == 0 {
                return Poll::Ready(closed());
            }
            self.decoder.filled(count);
            loop {
                match self.decoder.next() {
                    Ok(Some(reply)) => {
                        if !self.deliver(reply) {
                            return Poll::Ready(io::ErrorKind::InvalidData.into());
                        }
                    }
                    Ok(None) => break,
                    Err(_) => return Poll::Ready(io::ErrorKind::InvalidData.into()),
                }
            }
        }
    }

    /// Gives a reply to whose turn it is; false if it is nobody's.
    fn deliver(&mut self, reply: Value) -> bool {
        let Some(waiting) = self.in_flight.front_mut() else { return false };
        if std::mem::take(&mut waiting.asking) {
            return true;
        }
        waiting.replies.push(reply);
        waiting.left -= 1;
        if waiting.left == 0
            && let Some(waiting) = self.in_flight.pop_front()
        {
            // Nobody waits any more: then nobody does.
            let _ = waiting.to.send(waiting.replies);
        }
        true
    }
}
