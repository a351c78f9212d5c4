//! One server, with all that we have open to it.

use super::abandoned::Abandoned;
use super::address::Endpoint;
use super::blocking;
use super::command::{Commands, Effect};
use super::handshake::Handshake;
use super::tls::Tls;
use std::sync::Arc;
use std::time::Duration;

/// The settings that all servers of a cache share.
pub(super) struct Settings {
    pub(super) tls: Option<Tls>,
    pub(super) connect_timeout: Duration,
    pub(super) operation_timeout: Duration,
    /// For each server.
    pub(super) pool_size: usize,
}

/// One server.
pub(super) struct Node {
    pub(super) endpoint: Endpoint,
    pub(super) settings: Arc<Settings>,
    pub(super) handshake: Arc<Handshake>,
    pub(super) abandoned: Abandoned,
    pub(super) pool: blocking::Pool,
    #[cfg(feature = "redis-tokio")]
    pub(super) runtimes: super::tokio::Runtimes,
}

/// What is sent to a node in one go.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) commands: &'a Commands,
    pub(super) effect: Effect,
    /// The node is taking over the key's slot, and serves it only to those who were sent by the node that gives it up.
    pub(super) asking: bool,
}

impl Node {
    /// Connects to nothing yet.
    pub(super) fn new(endpoint: Endpoint, handshake: &Arc<Handshake>, settings: &Arc<Settings>) -> Arc<Node> {
        Arc::new(Node {
            endpoint,
            settings: Arc::clone(settings),
            handshake: Arc::clone(handshake),
            abandoned: Abandoned::default(),
            pool: blocking::Pool::default(),
            #[cfg(feature = "redis-tokio")]
            runtimes: super::tokio::Runtimes::default(),
        })
    }
}
