//! The async client: one connection per Tokio runtime, shared by all of its tasks.
//!
//! Requests of many tasks go out one behind the other without waiting for each other's answers, so one connection is
//! as fast as many. It is driven by a task of the runtime it was made in and dies with that runtime, hence one for
//! each.

use super::abandoned::{Abandoned, Identity};
use super::address::Endpoint;
use super::blocking::{MORE_ATTEMPTS, TRUSTED_FOR};
use super::command::{Commands, Effect, ping};
use super::deadline::Deadline;
use super::error::{Failure, Lost, is_demoted, server_error};
use super::multiplexed::{Multiplexed, Stream};
use super::node::{Node, Request};
use super::tls::Tls;
use memo_core::clock::{self, Tick};
use parking_lot::Mutex;
use redis::Value;
use std::future::pending;
use std::sync::{Arc, OnceLock, Weak};
use tokio::net::TcpStream;
use tokio::runtime::{Handle, Id};
use tokio::task::AbortHandle;
use tokio::time::timeout_at;

/// The connections, by runtime. Few: a program has one runtime, tests one after the other.
#[derive(Default)]
pub(super) struct Runtimes {
    slots: Arc<Slots>,
}

type Slots = Mutex<Vec<Arc<Slot>>>;

/// The connection of one runtime.
struct Slot {
    runtime: Id,
    link: Mutex<Option<Arc<Link>>>,
    /// Held while connecting: one connects, the others wait and share what it made.
    connecting: tokio::sync::Mutex<()>,
    /// The task whose end tells that the runtime has ended.
    sentinel: OnceLock<AbortHandle>,
}

struct Link {
    connection: Multiplexed,
    identity: Identity,
    last_answer: Mutex<Tick>,
}

/// Lives in a task of the runtime; dropped with it.
struct Sentinel {
    slots: Weak<Slots>,
    slot: Weak<Slot>,
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        if let Some(slots) = self.slots.upgrade() {
            let ended = {
                let mut slots = slots.lock();
                let place = slots.iter().position(|slot| std::ptr::eq(Arc::as_ptr(slot), self.slot.as_ptr()));
                place.map(|place| slots.swap_remove(place))
            };
            // Outside of the lock: it drops the connection.
            drop(ended);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(sentinel) = self.sentinel.get() {
            sentinel.abort();
        }
    }
}

/// Notes a write whose answer nobody waited for, because its future was dropped or its time was over.
struct Waiting<'a> {
    abandoned: &'a Abandoned,
    connection: &'a Identity,
    armed: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.abandoned.note(self.connection);
        }
    }
}

/// Sends a request and waits for its replies, the server's refusals among them; the caller is on the runtime of
/// `handle`.
pub(super) async fn exchange(
    handle: &Handle,
    node: &Node,
    request: Request<'_>,
    end: Deadline,
) -> Result<Vec<Value>, Lost> {
    let slot = node.runtimes.slot(handle);
    let mut more_attempts = MORE_ATTEMPTS;
    loop {
        let (link, fresh) = slot.link(node, end).await.map_err(|failure| Lost::new(failure, false, node))?;
        let mut sent = false;
        let end_of_this = end.at_most(node.settings.operation_timeout);
        let result = timeout_at(end_of_this.instant().into(), link.attempt(&node.abandoned, request, &mut sent)).await;
        let failure = match result {
            Ok(Ok(replies)) => {
                if server_error(&replies).is_some_and(is_demoted) {
                    slot.retire(&link);
                }
                return Ok(replies);
            }
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Late,
        };
        // Also after a timeout: a connection that a network swallowed would never answer again. The next operation
        // opens another, and others that still wait on this one may get their answers.
        slot.retire(&link);
        let timeout = failure.is_timeout();
        let lost = Lost::new(failure, sent, node);
        if fresh || timeout || !lost.is_repeatable(request.effect) || more_attempts == 0 {
            return Err(lost);
        }
        more_attempts -= 1;
    }
}

impl Runtimes {
    fn slot(&self, handle: &Handle) -> Arc<Slot> {
        let runtime = handle.id();
        let slot = {
            let mut slots = self.slots.lock();
            if let Some(slot) = slots.iter().find(|slot| slot.runtime == runtime) {
                return Arc::clone(slot);
            }
            let slot = Arc::new(Slot {
                runtime,
                link: Mutex::default(),
                connecting: tokio::sync::Mutex::default(),
                sentinel: OnceLock::new(),
            });
            slots.push(Arc::clone(&slot));
            slot
        };
        // Outside of the lock: a runtime that is ending drops the task, and so the sentinel, at once.
        let sentinel = Sentinel { slots: Arc::downgrade(&self.slots), slot: Arc::downgrade(&slot) };
        let task = handle.spawn(async move {
            let _dropped_with_the_runtime = sentinel;
            pending::<()>().await;
        });
        let _ = slot.sentinel.set(task.abort_handle());
        slot
    }
}

impl Slot {
    /// The connection, and whether it was made for this call.
    async fn link(&self, node: &Node, end: Deadline) -> Result<(Arc<Link>, bool), Failure> {
        let known = || self.link.lock().clone();
        if let Some(link) = known() {
            return Ok((link, false));
        }
        let connect = async {
            let _one_at_a_time = self.connecting.lock().await;
            if let Some(link) = known() {
                return Ok((link, false));
            }
            let link = Arc::new(Link::open(node).await?);
            *self.link.lock() = Some(Arc::clone(&link));
            Ok((link, true))
        };
        let end = end.at_most(node.settings.connect_timeout);
        timeout_at(end.instant().into(), connect).await.unwrap_or(Err(Failure::Late))
    }

    /// Lets go of a connection that failed, unless it was replaced already.
    fn retire(&self, failed: &Arc<Link>) {
        let mut link = self.link.lock();
        if link.as_ref().is_some_and(|link| Arc::ptr_eq(link, failed)) {
            *link = None;
        }
    }
}

impl Link {
    async fn open(node: &Node) -> Result<Link, Failure> {
        let connection = Multiplexed::new(connect(&node.endpoint, node.settings.tls.as_ref()).await?);
        let greeting = connection.send(&Commands::Many(node.handshake.commands()), false);
        let replies = match greeting {
            Ok(replies) => replies.all().await,
            Err(failure) => Err(failure),
        };
        let replies = replies.map_err(|failure| failure.of_greeting(node.settings.tls.is_some()))?;
        let identity = node.handshake.finish(&replies, &node.abandoned)?;
        Ok(Link { connection, identity, last_answer: Mutex::new(clock::now()) })
    }

    /// Twin of the blocking one.
    async fn attempt(
        &self,
        abandoned: &Abandoned,
        request: Request<'_>,
        sent: &mut bool,
    ) -> Result<Vec<Value>, Failure> {
        if let Some(kill) = abandoned.before_sending_on(&self.identity) {
            self.connection.send(&kill.commands, false)?.all().await?;
            abandoned.killed(&kill);
        }
        let once = request.effect == Effect::Once;
        if once && clock::now().since(*self.last_answer.lock()) > TRUSTED_FOR {
            self.connection.send(&ping().commands, false)?.all().await?;
        }
        let then = abandoned.now();
        let replies = self.connection.send(request.commands, request.asking)?;
        *sent = true;
        let armed = request.effect != Effect::Read;
        let mut waiting = Waiting { abandoned, connection: &self.identity, armed };
        // On a failure it stays armed.
        let replies = replies.all().await?;
        waiting.armed = false;
        abandoned.answered(&self.identity, then);
        *self.last_answer.lock() = clock::now();
        Ok(replies)
    }
}

/// A connection to which nothing was said yet.
async fn connect(endpoint: &Endpoint, tls: Option<&Tls>) -> Result<Box<dyn Stream>, Failure> {
    let (host, port) = match endpoint {
        Endpoint::Tcp { host, port } => (host.as_str(), *port),
        #[cfg(unix)]
        Endpoint::Unix(path) => return Ok(Box::new(::tokio::net::UnixStream::connect(path).await?)),
        #[cfg(not(unix))]
        Endpoint::Unix(_) => return Err(Failure::Nonsense),
    };
    let tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    match tls {
        None => Ok(Box::new(tcp)),
        #[cfg(feature = "redis-tls")]
        Some(tls) => {
            let connector = tokio_rustls::TlsConnector::from(Arc::clone(&tls.config));
            Ok(Box::new(connector.connect(super::tls::server_name(host)?, tcp).await?))
        }
        #[cfg(not(feature = "redis-tls"))]
        Some(tls) => match *tls {},
    }
}
