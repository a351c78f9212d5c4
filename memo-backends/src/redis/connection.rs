//! A blocking connection: packed commands out, replies in.

use super::abandoned::Identity;
use super::command::Commands;
use super::deadline::Deadline;
use super::error::Failure;
use super::node::Node;
use super::resp::{Decoder, closed};
use super::stream::Stream;
use redis::Value;
use std::io::{self, Read as _, Write as _};
use std::time::Duration;

/// What one read may bring; what is larger is read to its place.
const READ: usize = 16 << 10;

pub(super) struct Connection {
    stream: Stream,
    decoder: Decoder,
    /// What each wait on the stream is bounded by at present.
    timeout: Duration,
}

impl Connection {
    /// Connects, and says what is said first.
    pub(super) fn open(node: &Node, end: Deadline) -> Result<(Connection, Identity), Failure> {
        let stream = Stream::connect(&node.endpoint, node.settings.tls.as_ref(), end)?;
        let mut connection = Connection { stream, decoder: Decoder::new(READ), timeout: Duration::ZERO };
        let replies = connection.exchange(&Commands::Many(node.handshake.commands()), false, end);
        let replies = replies.map_err(|failure| failure.of_greeting(node.settings.tls.is_some()))?;
        let identity = node.handshake.finish(&replies, &node.abandoned)?;
        Ok((connection, identity))
    }

    /// Sends commands and reads one reply for each. Stops at the first failure: the connection is of no use after it.
    pub(super) fn exchange(&mut self, commands: &Commands, asking: bool, end: Deadline) -> Result<Vec<Value>, Failure> {
        self.bound(end.left()?)?;
        let mut packed = if asking { redis::cmd("ASKING").get_packed_command() } else { Vec::new() };
        commands.pack(&mut packed);
        self.send(&packed)?;
        let mut replies = Vec::with_capacity(commands.len());
        if asking {
            // Refused where cluster support is switched off, and then the command after it is refused, too.
            self.receive(end)?;
        }
        for _ in 0..commands.len() {
            replies.push(self.receive(end)?);
        }
        Ok(replies)
    }

    /// Makes no wait longer than this. Costs nothing while it is about the same.
    pub(super) fn bound(&mut self, timeout: Duration) -> Result<(), Failure> {
        if timeout.abs_diff(self.timeout) > self.timeout / 16 {
            self.stream.set_timeout(timeout)?;
            self.timeout = timeout;
        }
        Ok(())
    }

    /// What ends a wait of this connection on another thread, if the system lets us.
    pub(super) fn hang_up(&self) -> Option<Box<dyn Fn() + Send>> {
        self.stream.hang_up().ok()
    }

    pub(super) fn send(&mut self, packed: &[u8]) -> io::Result<()> {
        self.stream.write_all(packed)?;
        self.stream.flush()
    }

    /// The next reply. What was read of one before the time was over is kept for the next call.
    pub(super) fn receive(&mut self, end: Deadline) -> Result<Value, Failure> {
        let mut again = false;
        loop {
            if let Some(reply) = self.decoder.next()? {
                return Ok(reply);
            }
            // Most replies come in one piece, and then the time is looked at no second time.
            if again {
                end.left()?;
            }
            again = true;
            match self.stream.read(self.decoder.space())? {
                0 => return Err(closed().into()),
                count => self.decoder.filled(count),
            }
        }
    }
}
