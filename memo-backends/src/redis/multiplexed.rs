//! One connection that many tasks use at once, each without waiting for the others' replies.
//!
//! A request is appended to what is to be written, and its place in the queue of those who wait tells whose replies
//! come when: servers answer in the order of arrival. One task, the driver, writes and reads; while it is awake,
//! requests need not wake it, so many go out in one write and come back in one read. And it has the one timer, which ends
//! the waits of all: a timer for each request would be what tasks on several threads get into each other's way with.

use super::command::Commands;
use super::deadline::Deadline;
use super::error::Failure;
use super::in_flight::{InFlight, Late, Waiting};
use super::resp::{Decoder, closed};
use memo_core::clock::{self, Tick};
use parking_lot::Mutex;
use redis::Value;
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

struct Shared {
    /// Packed requests that the driver has not seen yet.
    requests: Vec<u8>,
    /// Who made them, in their order.
    waiting: Vec<Waiting>,
    /// Wakes the driver, if it is asleep.
    driver: Option<Waker>,
    /// Why the connection is of no use any more.
    ended: Option<io::ErrorKind>,
    /// When the server last said something.
    heard: Tick,
}

/// Replies that are on their way.
pub(super) struct Replies {
    from: oneshot::Receiver<Result<Vec<Value>, Late>>,
    shared: Arc<Mutex<Shared>>,
}

impl Shared {
    /// The driver sleeps until it is woken.
    fn sleeps(&mut self, context: &Context<'_>) {
        if !self.driver.as_ref().is_some_and(|driver| driver.will_wake(context.waker())) {
            self.driver = Some(context.waker().clone());
        }
    }
}

impl Multiplexed {
    /// Takes over a stream; to be called on the runtime that drives it.
    pub(super) fn new(stream: Box<dyn Stream>) -> Multiplexed {
        let shared = Arc::new(Mutex::new(Shared {
            requests: Vec::new(),
            waiting: Vec::new(),
            driver: None,
            ended: None,
            heard: clock::now(),
        }));
        let driver = Driver {
            stream,
            shared: Arc::clone(&shared),
            writing: Vec::new(),
            written: 0,
            unflushed: false,
            gathered: false,
            in_flight: InFlight::default(),
            decoder: Decoder::new(READ),
        };
        Multiplexed { shared, driver: tokio::spawn(driver.run()).abort_handle() }
    }

    /// When the server last said something.
    pub(super) fn heard(&self) -> Tick {
        self.shared.lock().heard
    }

    /// Hands a request over to be sent. From here on it is sent, whether or not anybody waits, which ends at `end`.
    pub(super) fn send(&self, commands: &Commands, asking: bool, end: Deadline) -> Result<Replies, Failure> {
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
            shared.waiting.push(Waiting::new(to, commands.len(), asking, end));
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
    ///
    /// # Errors
    ///
    /// [`Failure::Late`] at the end of the time, else why the connection ended.
    pub(super) async fn all(self) -> Result<Vec<Value>, Failure> {
        match self.from.await {
            Ok(replies) => replies.map_err(|Late| Failure::Late),
            Err(_) => {
                let kind = self.shared.lock().ended;
                Err(kind.map_or_else(closed, io::Error::from).into())
            }
        }
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
    in_flight: InFlight,
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
    /// Replies come first: they are what makes tasks go on to their next requests.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let ended = match self.read(context) {
            Poll::Pending => self.send(context),
            ended @ Poll::Ready(_) => ended,
        };
        // Last, since what was sent just now may have the first end.
        self.in_flight.poll_ends(context);
        ended
    }

    /// Sends what there is. Requests wait for one turn of the runtime's queue, in which other tasks that are ready add
    /// theirs: one write of many costs the system and the server little more than one write of one.
    fn send(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if !std::mem::take(&mut self.gathered) {
            let mut shared = self.shared.lock();
            if !shared.requests.is_empty() {
                drop(shared);
                self.gathered = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.written == self.writing.len() && !self.unflushed {
                shared.sleeps(context);
                return Poll::Pending;
            }
        }
        loop {
            let written = self.write(context);
            let mut shared = self.shared.lock();
            match written {
                Poll::Ready(Err(error)) => return Poll::Ready(error),
                Poll::Ready(Ok(())) if !shared.requests.is_empty() => {}
                _ => {
                    // Before any of their replies is read. Where the stream takes no more, their time goes by all the same.
                    self.in_flight.extend(shared.waiting.drain(..));
                    shared.sleeps(context);
                    return Poll::Pending;
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
                std::mem::swap(&mut self.writing, &mut self.shared.lock().requests);
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
            // Before anybody has a reply and asks how long ago the last one was.
            self.shared.lock().heard = clock::now();
            loop {
                match self.decoder.next() {
                    Ok(Some(reply)) => {
                        if !self.in_flight.deliver(reply) {
                            return Poll::Ready(io::ErrorKind::InvalidData.into());
                        }
                    }
                    Ok(None) => break,
                    Err(_) => return Poll::Ready(io::ErrorKind::InvalidData.into()),
                }
            }
        }
    }
}
