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
use memo_core::clock;
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
    places: Arc<Places>,
}

type Places = Mutex<Vec<Place>>;

/// One runtime. All operations of a healthy server look here and no further.
struct Place {
    runtime: Id,
    link: Option<Arc<Link>>,
    slot: Arc<Slot>,
}

/// What a runtime has beside its connection.
#[derive(Default)]
struct Slot {
    /// Held while connecting: one connects, the others wait and share what it made.
    connecting: tokio::sync::Mutex<()>,
    /// The task whose end tells that the runtime has ended.
    sentinel: OnceLock<AbortHandle>,
}

struct Link {
    connection: Multiplexed,
    identity: Identity,
}

/// Lives in a task of the runtime; dropped with it.
struct Sentinel {
    places: Weak<Places>,
    slot: Weak<Slot>,
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        if let Some(places) = self.places.upgrade() {
            let ended = {
                let mut places = places.lock();
                let place = places.iter().position(|place| std::ptr::eq(Arc::as_ptr(&place.slot), self.slot.as_ptr()));
                place.map(|place| places.swap_remove(place))
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
    let runtimes = &node.runtimes;
    let mut more_attempts = MORE_ATTEMPTS;
    loop {
        let (link, fresh) = match runtimes.known(handle.id()) {
            Some(link) => (link, false),
            // In a box: it would make all futures of operations larger, and is seldom needed.
            None => Box::pin(runtimes.connect(handle, node, end))
                .await
                .map_err(|failure| Lost::new(failure, false, node))?,
        };
        let mut sent = false;
        let end_of_this = end.at_most(node.settings.operation_timeout);
        let failure = match link.attempt(&node.abandoned, request, end_of_this, &mut sent).await {
            Ok(replies) => {
                if server_error(&replies).is_some_and(is_demoted) {
                    runtimes.retire(&link);
                }
                return Ok(replies);
            }
            Err(failure) => failure,
        };
        // Also after a timeout: a connection that a network swallowed would never answer again. The next operation
        // opens another, and others that still wait on this one may get their answers.
        runtimes.retire(&link);
        let timeout = failure.is_timeout();
        let lost = Lost::new(failure, sent, node);
        if fresh || timeout || !lost.is_repeatable(request.effect) || more_attempts == 0 {
            return Err(lost);
        }
        more_attempts -= 1;
    }
}

impl Runtimes {
    /// The connection of a runtime, if there is one.
    fn known(&self, runtime: Id) -> Option<Arc<Link>> {
        self.places.lock().iter().find(|place| place.runtime == runtime)?.link.clone()
    }

    /// The connection, and whether it was made for this call.
    async fn connect(&self, handle: &Handle, node: &Node, end: Deadline) -> Result<(Arc<Link>, bool), Failure> {
        let slot = self.slot(handle);
        let end = end.at_most(node.settings.connect_timeout);
        let connect = async {
            let _one_at_a_time = slot.connecting.lock().await;
            if let Some(link) = self.known(handle.id()) {
                return Ok((link, false));
            }
            let link = Arc::new(Link::open(node, end).await?);
            if let Some(place) = self.places.lock().iter_mut().find(|place| Arc::ptr_eq(&place.slot, &slot)) {
                place.link = Some(Arc::clone(&link));
            }
            Ok((link, true))
        };
        timeout_at(end.instant().into(), connect).await.unwrap_or(Err(Failure::Late))
    }

    /// Lets go of a connection that failed, unless it was replaced already.
    fn retire(&self, failed: &Arc<Link>) {
        let retired = {
            let mut places = self.places.lock();
            let is_failed = |place: &&mut Place| place.link.as_ref().is_some_and(|link| Arc::ptr_eq(link, failed));
            places.iter_mut().find(is_failed).and_then(|place| place.link.take())
        };
        drop(retired);
    }

    fn slot(&self, handle: &Handle) -> Arc<Slot> {
        let runtime = handle.id();
        let slot = {
            let mut places = self.places.lock();
            if let Some(place) = places.iter().find(|place| place.runtime == runtime) {
                return Arc::clone(&place.slot);
            }
            let slot = Arc::new(Slot::default());
            places.push(Place { runtime, link: None, slot: Arc::clone(&slot) });
            slot
        };
        // Outside of the lock: a runtime that is ending drops the task, and so the sentinel, at once.
        let sentinel = Sentinel { places: Arc::downgrade(&self.places), slot: Arc::downgrade(&slot) };
        let task = handle.spawn(async move {
            let _dropped_with_the_runtime = sentinel;
            pending::<()>().await;
        });
        let _ = slot.sentinel.set(task.abort_handle());
        slot
    }
}

impl Link {
    async fn open(node: &Node, end: Deadline) -> Result<Link, Failure> {
        let connection = Multiplexed::new(connect(&node.endpoint, node.settings.tls.as_ref()).await?);
        let greeting = connection.send(&Commands::Many(node.handshake.commands()), false, end);
        let replies = match greeting {
            Ok(replies) => replies.all().await,
            Err(failure) => Err(failure),
        };
        let replies = replies.map_err(|failure| failure.of_greeting(node.settings.tls.is_some()))?;
        let identity = node.handshake.finish(&replies, &node.abandoned)?;
        Ok(Link { connection, identity })
    }

    /// Whether an operation of this effect needs a sign of life first.
    fn must_prove_itself(&self, effect: Effect) -> bool {
        effect == Effect::Once && clock::now().since(self.connection.heard()) > TRUSTED_FOR
    }

    /// All that has to be answered before an operation is sent.
    async fn prepare(&self, abandoned: &Abandoned, effect: Effect, end: Deadline) -> Result<(), Failure> {
        if let Some(kill) = abandoned.before_sending_on(&self.identity) {
            self.connection.send(&kill.commands, false, end)?.all().await?;
            abandoned.killed(&kill);
        }
        if self.must_prove_itself(effect) {
            self.connection.send(&ping().commands, false, end)?.all().await?;
        }
        Ok(())
    }

    /// Twin of the blocking one.
    async fn attempt(
        &self,
        abandoned: &Abandoned,
        request: Request<'_>,
        end: Deadline,
        sent: &mut bool,
    ) -> Result<Vec<Value>, Failure> {
        if abandoned.has_any() || self.must_prove_itself(request.effect) {
            // In a box: it is seldom needed, and would make each operation's future larger.
            Box::pin(self.prepare(abandoned, request.effect, end)).await?;
        }
        let then = abandoned.now();
        let replies = self.connection.send(request.commands, request.asking, end)?;
        *sent = true;
        let armed = request.effect != Effect::Read;
        let mut waiting = Waiting { abandoned, connection: &self.identity, armed };
        // On a failure it stays armed.
        let replies = replies.all().await?;
        waiting.armed = false;
        abandoned.answered(&self.identity, then);
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
