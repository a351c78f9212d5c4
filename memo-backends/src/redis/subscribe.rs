//! A connection of its own that listens to channels.
//!
//! It is blocking in every build: whoever listens does so on a thread of its own, for as long as the cache lives. When
//! it fails, [`RedisCache::listen`] opens the next one, to another server if that is the one to listen at by then.

use super::command::Commands;
use super::connection::Connection;
use super::deadline::Deadline;
use super::error::{Doing, Failure, Lost, Object, granted, server_error};
use super::io::{Blocking, ready};
use super::node::Node;
use super::{Inner, RedisCache};
use memo_core::Error;
use redis::Value;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How long a node of a cluster is listened at without asking the others whether what is published reaches it. One that
/// was cut off from them, or thrown out, answers us as ever.
const LOOK_EVERY: Duration = Duration::from_secs(2);

const LISTENING: Doing<'static> = Doing { verb: "listening at", object: Object::Server };

/// A connection that listens.
pub(super) struct Listening {
    /// Listening is no reason for the cache to live.
    cache: Weak<Inner>,
    node: Arc<Node>,
    connection: Connection,
    /// A PING was sent, and nothing came since.
    asked: bool,
    /// When it is asked next whether this is still where to listen.
    look: Deadline,
}

/// What was published.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) channel: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

impl RedisCache {
    /// Connects and listens to these channels, at least one, when it returns: at the server, at the master, or at any
    /// master of a cluster, whose nodes pass on to each other what is published at one of them.
    pub(super) fn listen(&self, channels: &[&str]) -> Result<Listening, Error> {
        let topology = self.topology();
        let fail = |lost: Lost| lost.into_error(&LISTENING, &topology.address);
        let node = ready(topology.listening_post(&Blocking)).map_err(fail)?;
        let opened = open(&node, channels).map_err(|failure| Lost::new(failure, false, &node));
        match opened {
            Ok(connection) => {
                let (cache, look) = (Arc::downgrade(&self.inner), Deadline::after(LOOK_EVERY));
                Ok(Listening { cache, node, connection, asked: false, look })
            }
            Err(lost) => {
                ready(topology.post_failed(&Blocking, &node));
                Err(fail(lost))
            }
        }
    }
}

fn open(node: &Node, channels: &[&str]) -> Result<Connection, Failure> {
    let end = Deadline::after(node.settings.connect_timeout);
    let (mut connection, _) = Connection::open(node, end)?;
    let mut subscribe = redis::cmd("SUBSCRIBE");
    subscribe.arg(channels);
    let mut replies = connection.exchange(&Commands::One(subscribe), false, end)?;
    // One reply for each channel.
    while server_error(&replies).is_none() && replies.len() < channels.len() {
        replies.push(connection.receive(end)?);
    }
    granted(replies).map(|_| connection)
}

impl Listening {
    /// What ends a [`next`](Listening::next) that waits on another thread, if the system lets us.
    pub(super) fn hang_up(&self) -> Option<Box<dyn Fn() + Send>> {
        self.connection.hang_up()
    }

    /// The next message, or `None` if none came within `time`.
    ///
    /// # Errors
    ///
    /// The connection is lost: whatever was published from now on until the next [`listen`](RedisCache::listen)
    /// returned is missed. That is also so where the server was asked for a sign of life at the end of one call without
    /// messages and has not given one by the end of the next; so choose a `time` within which it must answer.
    pub(super) fn next(&mut self, time: Duration) -> Result<Option<Message>, Error> {
        let message = self.look().and_then(|()| self.receive(Deadline::after(time)));
        message.map_err(|failure| {
            if let Some(inner) = self.cache.upgrade() {
                ready(inner.topology.post_failed(&Blocking, &self.node));
            }
            Lost::new(failure, false, &self.node).into_error(&LISTENING, "")
        })
    }

    fn look(&mut self) -> Result<(), Failure> {
        if self.look.left().is_ok() {
            return Ok(());
        }
        self.look = Deadline::after(LOOK_EVERY);
        let Some(inner) = self.cache.upgrade() else { return Ok(()) };
        if ready(inner.topology.is_listening_post(&Blocking, &self.node)) { Ok(()) } else { Err(Failure::Left) }
    }

    fn receive(&mut self, end: Deadline) -> Result<Option<Message>, Failure> {
        while let Ok(left) = end.left() {
            self.connection.bound(left)?;
            let reply = match self.connection.receive(end) {
                Ok(reply) => reply,
                Err(failure) if failure.is_timeout() => break,
                Err(failure) => return Err(failure),
            };
            self.asked = false;
            if let Value::ServerError(error) = reply {
                return Err(Failure::Reported(error.into()));
            }
            if let Some(message) = message(reply) {
                return Ok(Some(message));
            }
        }
        if self.asked {
            return Err(Failure::Late);
        }
        self.connection.send(&redis::cmd("PING").get_packed_command())?;
        self.asked = true;
        Ok(None)
    }
}

/// The message in a reply, if it is one: the answers to SUBSCRIBE and PING are none.
fn message(reply: Value) -> Option<Message> {
    let Value::Array(parts) = reply else { return None };
    let [Value::BulkString(kind), Value::BulkString(channel), Value::BulkString(payload)]: [Value; 3] =
        parts.try_into().ok()?
    else {
        return None;
    };
    (kind == b"message").then_some(Message { channel, payload })
}

#[cfg(test)]
mod tests;
