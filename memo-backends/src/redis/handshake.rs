//! What is said first on every new connection.
//!
//! The client's own handshake waits without a limit, so it is told to say nothing, and this one follows once the
//! socket has its timeouts: who we are, which database, and under which name the server knows the connection.

use super::abandoned::{Abandoned, Identity};
use super::error::Failure;
use redis::{Pipeline, RedisConnectionInfo, Value};

/// The credentials and the database of an address.
pub(super) struct Handshake {
    user: Option<String>,
    password: Option<String>,
    database: i64,
}

impl Handshake {
    pub(super) fn new(info: &RedisConnectionInfo) -> Self {
        Handshake {
            user: info.username().map(str::to_owned),
            password: info.password().map(str::to_owned),
            database: info.db(),
        }
    }

    pub(super) fn database(&self) -> i64 {
        self.database
    }

    /// The commands, at least one, answered one by one.
    pub(super) fn commands(&self) -> Pipeline {
        let mut pipeline = Pipeline::with_capacity(3);
        if let Some(password) = &self.password {
            let mut auth = redis::cmd("AUTH");
            if let Some(user) = &self.user {
                auth.arg(user);
            }
            auth.arg(password);
            pipeline.add_command(auth);
        }
        if self.database != 0 {
            pipeline.cmd("SELECT").arg(self.database);
        }
        pipeline.cmd("CLIENT").arg("INFO");
        pipeline
    }
}

/// Checks the replies to [`Handshake::commands`].
pub(super) fn finish(replies: &[Value], abandoned: &Abandoned) -> Result<Identity, Failure> {
    let Some((info, before)) = replies.split_last() else { return Err(Failure::Nonsense) };
    // Not knowing the command or forbidding it is allowed to the last one alone; asking for a password, or still
    // loading, is not.
    let fatal =
        |value: &Value| matches!(value, Value::ServerError(error) if matches!(error.code(), "NOAUTH" | "LOADING"));
    let refused = before.iter().find(|reply| matches!(reply, Value::ServerError(_)));
    let refused = refused.or_else(|| Some(info).filter(|info| fatal(info)));
    if let Some(Value::ServerError(error)) = refused {
        return Err(Failure::Handshake(error.clone().into()));
    }
    Ok(abandoned.identify(Some(info)))
}
