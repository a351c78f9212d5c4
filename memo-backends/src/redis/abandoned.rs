//! Commands that were sent and that nobody waits for any more.
//!
//! An operation that timed out, or an async one whose future was dropped, may still be on its way to the server. Were
//! it to arrive after an operation that began later on another connection, a value could come back after it was
//! removed. So before anything else is sent on another connection, the server is told to close the one that holds the
//! abandoned command (`CLIENT KILL`): from then on the command has been executed or never will be. On the same
//! connection no care is needed, since the server works in the order of arrival.
//!
//! The server names connections by an id that starts anew with each start of the server. The address of our end goes
//! with it, so that after a restart nobody else's connection is hit.

use super::command::Commands;
use parking_lot::Mutex;
use redis::{Pipeline, Value};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// One of our connections, as the server and we know it.
pub(super) struct Identity {
    /// Ours: never used twice for one server.
    token: u64,
    /// The server's, where it tells: Redis from 6.2 on and Valkey, unless a rule or a proxy forbids `CLIENT INFO`.
    client: Option<Client>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Client {
    id: u64,
    address: String,
}

struct Entry {
    token: u64,
    client: Client,
    /// When the latest command was abandoned on it, by [`Abandoned::clock`].
    latest: u64,
}

/// The connections to one server that hold abandoned commands.
#[derive(Default)]
pub(super) struct Abandoned {
    /// Whether the list has entries: all that an operation looks at when nothing was abandoned.
    any: AtomicBool,
    list: Mutex<Vec<Entry>>,
    clock: AtomicU64,
    tokens: AtomicU64,
}

/// The connections that must be closed before something is sent on another one.
pub(super) struct Kill {
    pub(super) commands: Commands,
    tokens: Vec<u64>,
}

impl Abandoned {
    /// Names a new connection, given the server's answer to `CLIENT INFO`.
    pub(super) fn identify(&self, info: Option<&Value>) -> Identity {
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        Identity { token, client: info.and_then(parse_client) }
    }

    /// Remembers that a command on this connection was abandoned.
    pub(super) fn note(&self, connection: &Identity) {
        // Without a name it can't be closed: the docs of `RedisCache` say what that means.
        let Some(client) = &connection.client else { return };
        let mut list = self.list.lock();
        let latest = self.clock.fetch_add(1, Ordering::Relaxed) + 1;
        match list.iter_mut().find(|entry| entry.token == connection.token) {
            Some(entry) => entry.latest = latest,
            None => list.push(Entry { token: connection.token, client: client.clone(), latest }),
        }
        self.any.store(true, Ordering::Release);
    }

    /// Whether anything was abandoned, on whichever connection.
    pub(super) fn has_any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// What must be sent and answered on `connection` before anything else is.
    pub(super) fn before_sending_on(&self, connection: &Identity) -> Option<Kill> {
        if !self.has_any() {
            return None;
        }
        let (mut pipeline, mut tokens) = (Pipeline::new(), Vec::new());
        for entry in self.list.lock().iter().filter(|entry| entry.token != connection.token) {
            let Client { id, address } = &entry.client;
            pipeline.cmd("CLIENT").arg("KILL").arg("ID").arg(id).arg("ADDR").arg(address);
            tokens.push(entry.token);
        }
        if tokens.is_empty() { None } else { Some(Kill { commands: Commands::Many(pipeline), tokens }) }
    }

    /// The server has answered the [`Kill`]. A refusal counts too: asking again would not help.
    pub(super) fn killed(&self, kill: &Kill) {
        self.retain(|entry| !kill.tokens.contains(&entry.token));
    }

    /// To be taken before an operation is sent, and given to [`answered`](Abandoned::answered).
    #[cfg(feature = "redis-tokio")]
    pub(super) fn now(&self) -> u64 {
        self.clock.load(Ordering::Acquire)
    }

    /// An operation that was sent after `then` on this connection was answered, and so was all before it.
    #[cfg(feature = "redis-tokio")]
    pub(super) fn answered(&self, connection: &Identity, then: u64) {
        if self.has_any() {
            self.retain(|entry| entry.token != connection.token || entry.latest > then);
        }
    }

    fn retain(&self, keep: impl FnMut(&Entry) -> bool) {
        let mut list = self.list.lock();
        list.retain(keep);
        self.any.store(!list.is_empty(), Ordering::Release);
    }
}

/// Reads the id and the address from `id=7 addr=127.0.0.1:50312 laddr=… …`.
fn parse_client(info: &Value) -> Option<Client> {
    let text = match info {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok()?,
        Value::SimpleString(text) => text,
        _ => return None,
    };
    let field = |name: &str| text.split_ascii_whitespace().find_map(|field| field.strip_prefix(name));
    Some(Client { id: field("id=")?.parse().ok()?, address: field("addr=")?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(id: u64) -> Value {
        Value::BulkString(format!("id={id} addr=127.0.0.1:5{id} laddr=127.0.0.1:6379 fd=8 name=").into_bytes())
    }

    #[test]
    fn only_other_connections_wait_for_a_kill() {
        let abandoned = Abandoned::default();
        let (one, two) = (abandoned.identify(Some(&info(1))), abandoned.identify(Some(&info(2))));
        assert!(abandoned.before_sending_on(&two).is_none());

        abandoned.note(&one);
        assert!(abandoned.before_sending_on(&one).is_none(), "the server keeps the order of one connection");
        let kill = abandoned.before_sending_on(&two).unwrap();
        let mut sent = Vec::new();
        kill.commands.pack(&mut sent);
        let sent = String::from_utf8(sent).unwrap();
        assert!(sent.contains("127.0.0.1:51"), "{sent:?}");

        abandoned.killed(&kill);
        assert!(abandoned.before_sending_on(&two).is_none());
    }

    #[cfg(feature = "redis-tokio")]
    #[test]
    fn an_answer_settles_what_was_abandoned_before_it_was_sent() {
        let abandoned = Abandoned::default();
        let (one, two) = (abandoned.identify(Some(&info(1))), abandoned.identify(Some(&info(2))));
        let sent_before = abandoned.now();
        abandoned.note(&one);
        abandoned.answered(&one, sent_before);
        assert!(abandoned.before_sending_on(&two).is_some());
        abandoned.answered(&one, abandoned.now());
        assert!(abandoned.before_sending_on(&two).is_none());
    }

    #[test]
    fn a_connection_without_a_name_is_left_alone() {
        let abandoned = Abandoned::default();
        let (one, two) = (abandoned.identify(None), abandoned.identify(Some(&Value::Nil)));
        abandoned.note(&one);
        assert!(abandoned.before_sending_on(&two).is_none());
    }
}
