//! What a failure of the client or the server means to a caller.

use super::command::{Effect, Nonsense};
use super::node::Node;
use memo_core::{Error, ErrorKind};
use redis::{ErrorKind as Cause, RedisError, ServerError, ServerErrorKind, Value};
use std::{fmt, io};

/// What was attempted, in words for a message; formatted only when something failed.
#[derive(Clone, Copy)]
pub(super) struct Doing<'a> {
    pub(super) verb: &'static str,
    pub(super) object: Object<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Object<'a> {
    Key(&'a str),
    Keys(usize),
    Prefix(&'a str),
    Server,
}

impl Doing<'_> {
    /// The same for many keys.
    pub(super) fn of_many(self, keys: usize) -> Doing<'static> {
        Doing { verb: self.verb, object: Object::Keys(keys) }
    }
}

impl fmt::Display for Doing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb)?;
        match self.object {
            Object::Key(key) => write!(f, " {key} on Redis"),
            Object::Keys(count) => write!(f, " {count} keys on Redis"),
            Object::Prefix(prefix) => write!(f, " keys that start with {prefix:?} on Redis"),
            Object::Server => f.write_str(" Redis"),
        }
    }
}

/// Why an operation failed, before it is said in the caller's words.
#[derive(Clone)]
pub(super) enum Failure {
    /// The client or the server reported it.
    Reported(RedisError),
    /// The server refused the handshake. Kept apart because the server may repeat what it was sent, which here is the
    /// password.
    Handshake(RedisError),
    /// Nothing came within the time.
    Late,
    /// All connections were in use for the whole time.
    PoolExhausted,
    /// An answer that makes no sense for the command.
    Nonsense,
    /// TLS could not be agreed on; says why.
    #[cfg(feature = "redis-tls")]
    Tls(String),
    /// The server closed the connection after TLS was agreed on, before it answered anything.
    #[cfg(feature = "redis-tls")]
    ClosedAfterTls(RedisError),
    /// The server is a replica, and was to be the master.
    Replica,
    /// The server is no master of its cluster any more.
    Left,
    /// No sentinel knows a master of that name.
    UnknownMaster,
    /// No node of the cluster serves the key's slot.
    Uncovered,
}

/// An exchange with a server that did not end with replies.
#[derive(Clone)]
pub(super) struct Lost {
    pub(super) failure: Failure,
    /// Whether the server may have seen the commands.
    pub(super) sent: bool,
    /// Which server.
    pub(super) at: Option<String>,
}

impl Lost {
    pub(super) fn new(failure: Failure, sent: bool, node: &Node) -> Lost {
        Lost { failure, sent, at: Some(node.endpoint.to_string()) }
    }

    /// Whether sending the commands again, to this or another server, can't change what they answer.
    pub(super) fn is_repeatable(&self, effect: Effect) -> bool {
        !self.sent || effect != Effect::Once
    }

    /// The error for the caller; `address` is said where no single server is to blame.
    pub(super) fn into_error(self, doing: &Doing<'_>, address: &str) -> Error {
        self.failure.into_error(doing, self.at.as_deref().unwrap_or(address))
    }
}

impl From<Failure> for Lost {
    /// Of no server in particular, and before anything was sent.
    fn from(failure: Failure) -> Lost {
        Lost { failure, sent: false, at: None }
    }
}

impl From<Nonsense> for Failure {
    fn from(_: Nonsense) -> Self {
        Failure::Nonsense
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        #[cfg(feature = "redis-tls")]
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Failure::Tls(tls.to_string());
        }
        RedisError::from(error).into()
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        if error.is_timeout() { Failure::Late } else { Failure::Reported(error) }
    }
}

impl Failure {
    /// The failure of the first exchange on a connection. A server tells only then, or not at all, that it wants to see
    /// a certificate.
    pub(super) fn of_greeting(self, tls: bool) -> Failure {
        match self {
            #[cfg(feature = "redis-tls")]
            Failure::Reported(error) if tls && error.kind() == Cause::Io => Failure::ClosedAfterTls(error),
            other => {
                let _ = tls;
                other
            }
        }
    }

    pub(super) fn is_timeout(&self) -> bool {
        matches!(self, Failure::Late | Failure::PoolExhausted)
    }

    /// The error for the caller: the one place that decides its kind, and so whether it is retryable.
    pub(super) fn into_error(self, doing: &Doing<'_>, address: &str) -> Error {
        let attempted = format!("{doing} at {address}");
        match self {
            Failure::Late => Error::new(ErrorKind::Timeout, attempted).advise(LATE),
            Failure::PoolExhausted => Error::new(ErrorKind::Timeout, attempted)
                .advise("every connection was in use for the whole operation timeout; raise `pool_size`"),
            Failure::Nonsense => Error::new(ErrorKind::Backend, attempted)
                .advise("the answer is none that Redis or Valkey gives; is it one of them at this address?"),
            #[cfg(feature = "redis-tls")]
            Failure::Tls(why) => Error::new(ErrorKind::Config, attempted).advise(UNTRUSTED).because(why),
            #[cfg(feature = "redis-tls")]
            Failure::ClosedAfterTls(error) => {
                Error::new(ErrorKind::Unavailable, attempted).advise(HUNG_UP).because(harmless_text(&error))
            }
            Failure::Replica => Error::new(ErrorKind::Unavailable, attempted)
                .advise("the server is a replica at the moment; the call may be tried again"),
            Failure::Left => Error::new(ErrorKind::Unavailable, attempted)
                .advise("the server is no master of the cluster any more; another one is looked for"),
            Failure::UnknownMaster => Error::new(ErrorKind::Config, attempted)
                .advise("no sentinel knows a master of this name; check the name, and that these are its sentinels"),
            Failure::Uncovered => Error::new(ErrorKind::Unavailable, attempted)
                .advise("no node of the cluster serves this key at the moment; the call may be tried again"),
            Failure::Handshake(error) => {
                let (kind, advice) = classify(&error);
                Error::new(kind, attempted).advise(advice).because(error.code().unwrap_or(error.category()).to_owned())
            }
            Failure::Reported(error) => {
                let (kind, advice) = classify(&error);
                Error::new(kind, attempted).advise(advice).because(harmless_text(&error))
            }
        }
    }
}

const LATE: &str = "no answer in time; the call may be tried again, or raise `operation_timeout`";
const DOWN: &str = "is the server running, and does this machine reach it?";
const RECOVERING: &str = "the server can't serve this at the moment; the call may be tried again";
const REFUSED: &str = "the server does not accept these credentials, or asks for some; check user, password and their \
                       permissions";

#[cfg(feature = "redis-tls")]
const UNTRUSTED: &str = "no TLS connection that both ends accept: check that the port speaks TLS, that \
                         `root_certificates` has the authority of the server's certificate, that this certificate \
                         names the host, and whether the server asks for a client certificate";

#[cfg(feature = "redis-tls")]
const HUNG_UP: &str = "the server closed the connection once TLS was agreed on; does it ask for a client certificate?";

fn classify(error: &RedisError) -> (ErrorKind, &'static str) {
    match error.kind() {
        Cause::Io => (ErrorKind::Unavailable, DOWN),
        Cause::AuthenticationFailed | Cause::Server(ServerErrorKind::NoPerm) => (ErrorKind::Config, REFUSED),
        Cause::InvalidClientConfig => (ErrorKind::Config, "check the address"),
        Cause::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ReadOnly,
        ) => (ErrorKind::Unavailable, RECOVERING),
        Cause::Server(ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::CrossSlot) => {
            (ErrorKind::Config, "the server is a node of a Redis Cluster: write redis+cluster://host:port")
        }
        Cause::Parse => (ErrorKind::Backend, "the answer can't be read; is it Redis or Valkey at this address?"),
        _ => match code(error).as_deref() {
            Some("OOM") => (ErrorKind::Full, "raise `maxmemory` on the server, or choose an eviction policy"),
            Some("NOAUTH" | "WRONGPASS") => (ErrorKind::Config, REFUSED),
            Some("BUSY" | "NOREPLICAS") => (ErrorKind::Unavailable, RECOVERING),
            _ if error.detail().is_some_and(|detail| detail.contains("max number of clients")) => {
                (ErrorKind::Unavailable, "the server has no connection left for us; raise its `maxclients`")
            }
            _ => (ErrorKind::Backend, "the server refused it"),
        },
    }
}

/// The code of the server's error, also where it came from within a transaction.
fn code(error: &RedisError) -> Option<String> {
    let errors = error.clone().into_server_errors()?;
    errors.first().map(|(_, error)| error.code().to_owned())
}

/// The error in words that hold nothing of what was sent: the server repeats the arguments of a command it does not
/// know, values included.
fn harmless_text(error: &RedisError) -> String {
    let text = error.to_string();
    match text.split_once(", with args beginning with") {
        Some((harmless, _)) => harmless.to_owned(),
        None => text,
    }
}

/// Whether the connection leads to a server that was the master and no longer is. Another look-up of the address may
/// lead to the new one, so such a connection is not kept.
pub(super) fn is_demoted(error: &ServerError) -> bool {
    error.kind() == Some(ServerErrorKind::ReadOnly)
}

/// The replies, if the server refused nothing.
pub(super) fn granted(replies: Vec<Value>) -> Result<Vec<Value>, Failure> {
    match server_error(&replies) {
        Some(error) => Err(Failure::Reported(error.clone().into())),
        None => Ok(replies),
    }
}

/// The first error of the server among the replies, also within a transaction's.
pub(super) fn server_error(replies: &[Value]) -> Option<&ServerError> {
    replies.iter().find_map(|reply| match reply {
        Value::ServerError(error) => Some(error),
        Value::Array(results) => results.iter().find_map(|result| match result {
            Value::ServerError(error) => Some(error),
            _ => None,
        }),
        _ => None,
    })
}
