//! What is said first on every new connection: who we are, which database, and under which name the server knows the
//! connection.

use super::abandoned::{Abandoned, Identity};
use super::address::Credentials;
use super::error::Failure;
use redis::{Pipeline, ServerError, Value};

/// What is said to the servers of a cache.
pub(super) struct Handshake {
    pub(super) credentials: Credentials,
    pub(super) database: i64,
    /// Whether the server must be a master: one that was named by sentinels may no longer be.
    pub(super) asks_role: bool,
}

impl Handshake {
    /// The commands, at least one, answered one by one.
    pub(super) fn commands(&self) -> Pipeline {
        let mut pipeline = Pipeline::with_capacity(4);
        let Credentials { user, password } = &self.credentials;
        if user.is_some() || password.is_some() {
            let mut auth = redis::cmd("AUTH");
            if let Some(user) = user {
                auth.arg(user);
            }
            // A user may have no password (`nopass`), and then any is right.
            auth.arg(password.as_deref().unwrap_or_default());
            pipeline.add_command(auth);
        }
        if self.database != 0 {
            pipeline.cmd("SELECT").arg(self.database);
        }
        if self.asks_role {
            pipeline.cmd("ROLE");
        }
        pipeline.cmd("CLIENT").arg("INFO");
        pipeline
    }

    /// Checks the replies to [`commands`](Handshake::commands).
    pub(super) fn finish(&self, replies: &[Value], abandoned: &Abandoned) -> Result<Identity, Failure> {
        let Some((info, before)) = replies.split_last() else { return Err(Failure::Nonsense) };
        let (role, before) = match before.split_last() {
            Some((role, before)) if self.asks_role => (Some(role), before),
            _ => (None, before),
        };
        if let Some(error) = before.iter().find_map(error).or_else(|| [role, Some(info)].into_iter().find_map(fatal)) {
            return Err(Failure::Handshake(error.clone().into()));
        }
        match role {
            Some(Value::Array(role))
                if role.first().is_some_and(|role| *role != Value::BulkString(b"master".into())) =>
            {
                Err(Failure::Replica)
            }
            _ => Ok(abandoned.identify(Some(info))),
        }
    }
}

fn error(reply: &Value) -> Option<&ServerError> {
    if let Value::ServerError(error) = reply { Some(error) } else { None }
}

/// Not knowing the command or forbidding it is allowed to the last two; asking for a password, or still loading, is
/// not.
fn fatal(reply: Option<&Value>) -> Option<&ServerError> {
    reply.and_then(error).filter(|error| matches!(error.code(), "NOAUTH" | "LOADING"))
}
