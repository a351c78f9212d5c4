//! The async client: one connection per Tokio runtime, shared by all of its tasks.
//!
//! Requests of many tasks go out one behind the other without waiting for each other's answers, so one connection is
//! as fast as many. It is driven by a task of the runtime it was made in and dies with that runtime, hence one for
//! each.

use super::abandoned::{Abandoned, Identity};
use super::blocking::{MORE_ATTEMPTS, TRUSTED_FOR};
use super::command::{Commands, Effect, Nonsense, Operation, ping};
use super::config::Config;
use super::error::{Failure, is_demoted, server_error};
use super::handshake;
use memo_core::Error;
use memo_core::clock::{self, Tick};
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Value};
use std::future::pending;
use std::sync::{Arc, OnceLock, Weak};
use tokio::runtime::{Handle, Id};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

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
    connection: MultiplexedConnection,
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

impl Runtimes {
    /// Runs an operation and says what its replies mean; the caller is on the runtime of `handle`.
    pub(super) async fn run<T>(
        &self,
        handle: Handle,
        config: &Config,
        abandoned: &Abandoned,
        operation: &Operation<'_, T>,
    ) -> Result<T, Error> {
        self.attempt(&handle, config, abandoned, operation)
            .await
            .and_then(|replies| (operation.parse)(replies).map_err(|Nonsense| Failure::Nonsense))
            .map_err(|failure| failure.into_error(&operation.doing, &config.address))
    }

    async fn attempt<T>(
        &self,
        handle: &Handle,
        config: &Config,
        abandoned: &Abandoned,
        operation: &Operation<'_, T>,
    ) -> Result<Vec<Value>, Failure> {
        let slot = self.slot(handle);
        let mut more_attempts = MORE_ATTEMPTS;
        loop {
            let (link, fresh) = slot.link(config, abandoned).await?;
            let mut sent = false;
            let deadline = Instant::now() + config.operation_timeout;
            let result = timeout_at(deadline, link.attempt(abandoned, operation, &mut sent)).await;
            let failure = match result {
                Ok(Ok(replies)) => {
                    let Some(error) = server_error(&replies) else { return Ok(replies) };
                    if is_demoted(&error) {
                        slot.retire(&link);
                    }
                    return Err(Failure::Reported(error.into()));
                }
                Ok(Err(failure)) => failure,
                Err(_) => Failure::Late,
            };
            // Also after a timeout: a connection that a network swallowed would never answer again. The next
            // operation opens another, and others that still wait on this one may get their answers.
            slot.retire(&link);
            let harmless = !sent || operation.effect != Effect::Once;
            if fresh || failure.is_timeout() || !harmless || more_attempts == 0 {
                return Err(failure);
            }
            more_attempts -= 1;
        }
    }

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
    async fn link(&self, config: &Config, abandoned: &Abandoned) -> Result<(Arc<Link>, bool), Failure> {
        let known = || self.link.lock().clone();
        if let Some(link) = known() {
            return Ok((link, false));
        }
        let connect = async {
            let _one_at_a_time = self.connecting.lock().await;
            if let Some(link) = known() {
                return Ok((link, false));
            }
            let link = Arc::new(Link::open(config, abandoned).await?);
            *self.link.lock() = Some(Arc::clone(&link));
            Ok((link, true))
        };
        timeout(config.connect_timeout, connect).await.unwrap_or(Err(Failure::Late))
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
    async fn open(config: &Config, abandoned: &Abandoned) -> Result<Link, Failure> {
        // The times are ours: see the callers.
        let plain = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connection = config.client.get_multiplexed_async_connection_with_config(&plain);
        let connection = connection.await?;
        let replies = exchange(&connection, &Commands::Many(config.handshake.commands())).await?;
        let identity = handshake::finish(&replies, abandoned)?;
        Ok(Link { connection, identity, last_answer: Mutex::new(clock::now()) })
    }

    /// Twin of the blocking one.
    async fn attempt<T>(
        &self,
        abandoned: &Abandoned,
        operation: &Operation<'_, T>,
        sent: &mut bool,
    ) -> Result<Vec<Value>, Failure> {
        if let Some(kill) = abandoned.before_sending_on(&self.identity) {
            exchange(&self.connection, &Commands::Many(kill.pipeline.clone())).await?;
            abandoned.killed(&kill);
        }
        let silent = clock::now().since(*self.last_answer.lock());
        if operation.effect == Effect::Once && silent > TRUSTED_FOR {
            exchange(&self.connection, &ping().commands).await?;
        }
        let then = abandoned.now();
        *sent = true;
        let armed = operation.effect != Effect::Read;
        let mut waiting = Waiting { abandoned, connection: &self.identity, armed };
        // On a failure it stays armed.
        let replies = exchange(&self.connection, &operation.commands).await?;
        waiting.armed = false;
        abandoned.answered(&self.identity, then);
        *self.last_answer.lock() = clock::now();
        Ok(replies)
    }
}

async fn exchange(connection: &MultiplexedConnection, commands: &Commands) -> Result<Vec<Value>, Failure> {
    let mut connection = connection.clone();
    let replies = match commands {
        Commands::One(command) => connection.send_packed_command(command).await.map(|reply| vec![reply]),
        Commands::Many(pipeline) => connection.send_packed_commands(pipeline, 0, pipeline.len()).await,
    };
    Ok(replies?)
}
