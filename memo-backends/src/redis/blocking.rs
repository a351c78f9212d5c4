//! The blocking client: a pool of connections, each used by one operation at a time.

use super::abandoned::Identity;
use super::command::{Effect, ping};
use super::connection::Connection;
use super::deadline::Deadline;
use super::error::{Failure, Lost, is_demoted, server_error};
use super::node::{Node, Request};
use memo_core::clock::{self, Tick};
use parking_lot::{Condvar, Mutex};
use redis::Value;
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
    connection: Connection,
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
    /// Sends a request and waits for its replies, the server's refusals among them.
    pub(super) fn exchange(node: &Node, request: Request<'_>, end: Deadline) -> Result<Vec<Value>, Lost> {
        let pool = &node.pool;
        let mut more_attempts = MORE_ATTEMPTS;
        loop {
            let mut place = pool.take(node, end).map_err(|failure| Lost::new(failure, false, node))?;
            let Some(link) = place.link.as_mut() else { return Err(Lost::new(Failure::Nonsense, false, node)) };
            let was_fresh = link.fresh;
            let mut sent = false;
            let end_of_this = end.at_most(node.settings.operation_timeout);
            let result = link.attempt(node, request, end_of_this, &mut sent);
            match result {
                Ok(replies) => {
                    link.fresh = false;
                    link.last_answer = clock::now();
                    if server_error(&replies).is_some_and(is_demoted) {
                        place.discard(false);
                    }
                    return Ok(replies);
                }
                Err(failure) => {
                    if sent && request.effect != Effect::Read {
                        node.abandoned.note(&link.identity);
                    }
                    let timeout = failure.is_timeout();
                    place.discard(timeout);
                    // A connection that had been idle was most likely closed by the server long before. A new one
                    // that fails, or a server that is slow, would fail again.
                    let lost = Lost::new(failure, sent, node);
                    if was_fresh || timeout || !lost.is_repeatable(request.effect) || more_attempts == 0 {
                        return Err(lost);
                    }
                    more_attempts -= 1;
                }
            }
        }
    }

    /// An idle connection, or a new one, or the next one that is returned.
    fn take<'a>(&'a self, node: &Node, end: Deadline) -> Result<Place<'a>, Failure> {
        let mut connections = self.connections.lock();
        let none_free =
            |connections: &mut Connections| connections.idle.is_empty() && connections.open >= node.settings.pool_size;
        if none_free(&mut connections) {
            let time = end.left()?.min(node.settings.operation_timeout);
            let wait = self.returned.wait_while_for(&mut connections, none_free, time);
            if wait.timed_out() && none_free(&mut connections) {
                return Err(Failure::PoolExhausted);
            }
        }
        if let Some(link) = connections.idle.pop() {
            return Ok(Place { pool: self, link: Some(link) });
        }
        connections.open += 1;
        drop(connections);
        let mut place = Place { pool: self, link: None };
        let (connection, identity) = Connection::open(node, end.at_most(node.settings.connect_timeout))?;
        place.link = Some(Link { connection, identity, last_answer: clock::now(), fresh: true });
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
    /// Sends a request and waits for its replies. `sent` tells a failure that came before the server could have seen
    /// anything from the others.
    fn attempt(
        &mut self,
        node: &Node,
        request: Request<'_>,
        end: Deadline,
        sent: &mut bool,
    ) -> Result<Vec<Value>, Failure> {
        if let Some(kill) = node.abandoned.before_sending_on(&self.identity) {
            self.connection.exchange(&kill.commands, false, end)?;
            node.abandoned.killed(&kill);
        }
        if request.effect == Effect::Once && clock::now().since(self.last_answer) > TRUSTED_FOR {
            self.connection.exchange(&ping().commands, false, end)?;
        }
        *sent = true;
        self.connection.exchange(request.commands, request.asking, end)
    }
}
