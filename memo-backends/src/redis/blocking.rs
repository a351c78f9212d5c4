//! The blocking client: a pool of connections, each used by one operation at a time.

use super::abandoned::{Abandoned, Identity};
use super::command::{Commands, Effect, Nonsense, Operation, ping};
use super::config::Config;
use super::error::{Failure, is_demoted, server_error};
use super::handshake;
use memo_core::Error;
use memo_core::clock::{self, Tick};
use parking_lot::{Condvar, Mutex};
use redis::{RedisResult, Value};
use std::time::Duration;

/// A connection that was silent for longer is asked for a sign of life before an operation that must not run twice.
/// Reads and plain writes never pay for that: they are sent again on a new connection instead.
pub(super) const TRUSTED_FOR: Duration = Duration::from_millis(10);

/// How often an operation is sent again. Once is enough for the connections of one lost server; the second is for one
/// that another thread returned in between.
pub(super) const MORE_ATTEMPTS: u32 = 2;

/// The idle connections, and how many there are in all.
#[derive(Default)]
struct Connections {
    /// Used from the end, so that few are kept warm.
    idle: Vec<Link>,
    /// Idle, in use and being opened; at most `pool_size`.
    open: usize,
}

struct Link {
    connection: redis::Connection,
    identity: Identity,
    last_answer: Tick,
    fresh: bool,
}

/// The pool.
#[derive(Default)]
pub(super) struct Pool {
    connections: Mutex<Connections>,
    returned: Condvar,
}

/// A place in the pool, taken: gives it back however the operation ends.
struct Place<'a> {
    pool: &'a Pool,
    /// `None` while connecting, and after a failure: then the place alone goes back.
    link: Option<Link>,
}

impl Pool {
    /// Runs an operation and says what its replies mean.
    pub(super) fn run<T>(
        &self,
        config: &Config,
        abandoned: &Abandoned,
        operation: &Operation<'_, T>,
    ) -> Result<T, Error> {
        self.attempt(config, abandoned, operation)
            .and_then(|replies| (operation.parse)(replies).map_err(|Nonsense| Failure::Nonsense))
            .map_err(|failure| failure.into_error(&operation.doing, &config.address))
    }

    fn attempt<T>(
        &self,
        config: &Config,
        abandoned: &Abandoned,
        operation: &Operation<'_, T>,
    ) -> Result<Vec<Value>, Failure> {
        let mut more_attempts = MORE_ATTEMPTS;
        loop {
            let mut place = self.take(config, abandoned)?;
            let Some(link) = place.link.as_mut() else { return Err(Failure::Nonsense) };
            let was_fresh = link.fresh;
            let mut sent = false;
            let result = link.attempt(abandoned, operation, &mut sent);
            match result {
                Ok(replies) => {
                    link.fresh = false;
                    link.last_answer = clock::now();
                    let Some(error) = server_error(&replies) else { return Ok(replies) };
                    if is_demoted(&error) {
                        place.discard(false);
                    }
                    return Err(Failure::Reported(error.into()));
                }
                Err(failure) => {
                    if sent && operation.effect != Effect::Read {
                        abandoned.note(&link.identity);
                    }
                    let timeout = failure.is_timeout();
                    place.discard(timeout);
                    // A connection that had been idle was most likely closed by the server long before. A new one
                    // that fails, or a server that is slow, would fail again.
                    let harmless = !sent || operation.effect != Effect::Once;
                    if was_fresh || timeout || !harmless || more_attempts == 0 {
                        return Err(failure);
                    }
                    more_attempts -= 1;
                }
            }
        }
    }

    /// An idle connection, or a new one, or the next one that is returned.
    fn take(&self, config: &Config, abandoned: &Abandoned) -> Result<Place<'_>, Failure> {
        let mut connections = self.connections.lock();
        let none_free =
            |connections: &mut Connections| connections.idle.is_empty() && connections.open >= config.pool_size;
        let wait = self.returned.wait_while_for(&mut connections, none_free, config.operation_timeout);
        if wait.timed_out() && none_free(&mut connections) {
            return Err(Failure::PoolExhausted);
        }
        if let Some(link) = connections.idle.pop() {
            return Ok(Place { pool: self, link: Some(link) });
        }
        connections.open += 1;
        drop(connections);
        let mut place = Place { pool: self, link: None };
        place.link = Some(Link::open(config, abandoned)?);
        Ok(place)
    }
}

impl Place<'_> {
    /// Closes the connection after a failure. Unless the server was merely slow, the idle ones are closed with it: a
    /// server that went away took them all.
    fn discard(mut self, timeout: bool) {
        self.link = None;
        if !timeout {
            let mut connections = self.pool.connections.lock();
            connections.open -= connections.idle.len();
            let idle = std::mem::take(&mut connections.idle);
            drop(connections);
            self.pool.returned.notify_all();
            drop(idle);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut connections = self.pool.connections.lock();
        match self.link.take() {
            Some(link) => connections.idle.push(link),
            None => connections.open -= 1,
        }
        drop(connections);
        self.pool.returned.notify_one();
    }
}

impl Link {
    fn open(config: &Config, abandoned: &Abandoned) -> Result<Link, Failure> {
        let open = || -> RedisResult<_> {
            let mut connection = config.client.get_connection_with_timeout(config.connect_timeout)?;
            connection.set_read_timeout(Some(config.connect_timeout))?;
            connection.set_write_timeout(Some(config.connect_timeout))?;
            let replies = exchange(&mut connection, &Commands::Many(config.handshake.commands()))?;
            connection.set_read_timeout(Some(config.operation_timeout))?;
            connection.set_write_timeout(Some(config.operation_timeout))?;
            Ok((connection, replies))
        };
        let (connection, replies) = open()?;
        let identity = handshake::finish(&replies, abandoned)?;
        Ok(Link { connection, identity, last_answer: clock::now(), fresh: true })
    }

    /// Sends an operation and waits for its replies. `sent` tells a failure that came before the server could have
    /// seen anything from the others.
    fn attempt<T>(
        &mut self,
        abandoned: &Abandoned,
        operation: &Operation<'_, T>,
        sent: &mut bool,
    ) -> Result<Vec<Value>, Failure> {
        if let Some(kill) = abandoned.before_sending_on(&self.identity) {
            let commands = Commands::Many(kill.pipeline.clone());
            exchange(&mut self.connection, &commands)?;
            abandoned.killed(&kill);
        }
        if operation.effect == Effect::Once && clock::now().since(self.last_answer) > TRUSTED_FOR {
            exchange(&mut self.connection, &ping().commands)?;
        }
        *sent = true;
        Ok(exchange(&mut self.connection, &operation.commands)?)
    }
}

/// Sends commands and reads one reply for each. Stops at the first failure: after one timeout the client's own
/// pipelines would go on to wait for every reply that is left.
fn exchange(connection: &mut redis::Connection, commands: &Commands) -> RedisResult<Vec<Value>> {
    let (packed, count) = match commands {
        Commands::One(command) => (command.get_packed_command(), 1),
        Commands::Many(pipeline) => (pipeline.get_packed_pipeline(), pipeline.len()),
    };
    connection.send_packed_command(&packed)?;
    let mut replies = Vec::with_capacity(count);
    for _ in 0..count {
        replies.push(connection.recv_response()?);
    }
    Ok(replies)
}
