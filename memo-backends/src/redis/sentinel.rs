//! The master of a name, as the sentinels know it.

use super::address::Endpoint;
use super::command::{Commands, Effect};
use super::deadline::Deadline;
use super::error::{Failure, Lost, granted, server_error};
use super::handshake::Handshake;
use super::io::{Io, Turns};
use super::node::{Node, Request, Settings};
use parking_lot::Mutex;
use redis::{ServerErrorKind, Value};
use std::sync::Arc;

pub(super) struct Sentinels {
    master: String,
    settings: Arc<Settings>,
    /// For the servers, not for the sentinels.
    handshake: Arc<Handshake>,
    /// The one that answered last comes first.
    nodes: Mutex<Vec<Arc<Node>>>,
    known: Mutex<Known>,
    asking: Turns,
}

#[derive(Default)]
struct Known {
    /// The master, until it fails.
    current: Option<Arc<Node>>,
    /// Every master there was: what was abandoned on one must be known when it is the master again.
    all: Vec<Arc<Node>>,
}

impl Sentinels {
    pub(super) fn new(
        master: String,
        sentinels: Vec<Arc<Node>>,
        handshake: Arc<Handshake>,
        settings: Arc<Settings>,
    ) -> Sentinels {
        let (nodes, known, asking) = (Mutex::new(sentinels), Mutex::default(), Turns::default());
        Sentinels { master, settings, handshake, nodes, known, asking }
    }

    /// Sends a request to the master. Where it fails, the sentinels are asked, and if they name another one the request
    /// goes there, unless sending it twice could change its answer.
    pub(super) async fn send<I: Io>(&self, io: &I, request: Request<'_>, end: Deadline) -> Result<Vec<Value>, Lost> {
        let mut failed: Vec<Arc<Node>> = Vec::new();
        let mut latest: Option<Result<Vec<Value>, Lost>> = None;
        loop {
            let master = match self.master(io, &failed, end).await {
                Ok(master) => master,
                Err(lost) => return latest.unwrap_or(Err(lost)),
            };
            if failed.iter().any(|node| Arc::ptr_eq(node, &master)) {
                return latest.unwrap_or(Err(Failure::Replica.into()));
            }
            let result = io.exchange(&master, request, end).await;
            let again = match &result {
                Ok(replies) if !server_error(replies).is_some_and(is_no_master) => return result,
                Ok(_) => true,
                Err(lost) => lost.is_repeatable(request.effect),
            };
            self.forget(&master);
            if !again {
                return result;
            }
            failed.push(master);
            latest = Some(result);
        }
    }

    /// The master, asking the sentinels if it is not known. One of those that failed comes back only if no sentinel
    /// names another.
    pub(super) async fn master<I: Io>(&self, io: &I, failed: &[Arc<Node>], end: Deadline) -> Result<Arc<Node>, Lost> {
        if let Some(master) = self.known() {
            return Ok(master);
        }
        // In a box: it is seldom needed, and would make each operation's future larger.
        Box::pin(async {
            let turn = self.asking.take(io, end).await?;
            if let Some(master) = self.known() {
                return Ok(master);
            }
            let named = self.ask(io, failed, end).await;
            if let Some(turn) = turn {
                turn.end();
            }
            named
        })
        .await
    }

    /// The master, unless the sentinels have to be asked.
    pub(super) fn known(&self) -> Option<Arc<Node>> {
        self.known.lock().current.clone()
    }

    /// Asks one sentinel after the other, each for its share of the time.
    async fn ask<I: Io>(&self, io: &I, failed: &[Arc<Node>], end: Deadline) -> Result<Arc<Node>, Lost> {
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
        let commands = Commands::One(command);
        let request = Request { commands: &commands, effect: Effect::Read, asking: false };
        let sentinels = self.nodes.lock().clone();
        let share = self.settings.connect_timeout / u32::try_from(sentinels.len()).unwrap_or(u32::MAX);
        let mut answer = Err(Failure::UnknownMaster.into());
        for sentinel in &sentinels {
            match io.exchange(sentinel, request, end.at_most(share)).await {
                Ok(replies) => match named(replies) {
                    Ok(endpoint) => {
                        self.first(sentinel);
                        let master = self.remember(endpoint);
                        let tried = failed.iter().any(|node| Arc::ptr_eq(node, &master));
                        answer = Ok(master);
                        if !tried {
                            break;
                        }
                    }
                    Err(failure) if answer.is_err() => answer = Err(Lost::new(failure, false, sentinel)),
                    Err(_) => {}
                },
                Err(lost) if answer.is_err() => answer = Err(Lost { sent: false, ..lost }),
                Err(_) => {}
            }
        }
        answer
    }

    /// The node of this address becomes the current one.
    fn remember(&self, endpoint: Endpoint) -> Arc<Node> {
        let mut known = self.known.lock();
        let node = match known.all.iter().find(|node| node.endpoint == endpoint) {
            Some(node) => Arc::clone(node),
            None => {
                let node = Node::new(endpoint, &self.handshake, &self.settings);
                known.all.push(Arc::clone(&node));
                node
            }
        };
        known.current = Some(Arc::clone(&node));
        node
    }

    /// Asks the sentinels again next time.
    pub(super) fn forget(&self, master: &Arc<Node>) {
        let mut known = self.known.lock();
        if known.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, master)) {
            known.current = None;
        }
    }

    fn first(&self, sentinel: &Arc<Node>) {
        let mut sentinels = self.nodes.lock();
        if let Some(place) = sentinels.iter().position(|node| Arc::ptr_eq(node, sentinel)) {
            sentinels[..=place].rotate_right(1);
        }
    }
}

/// The address in a sentinel's reply.
fn named(replies: Vec<Value>) -> Result<Endpoint, Failure> {
    match granted(replies)?.into_iter().next() {
        Some(Value::Nil) => Err(Failure::UnknownMaster),
        Some(Value::Array(parts)) => match &parts[..] {
            [Value::BulkString(host), Value::BulkString(port)] => {
                let host = String::from_utf8(host.clone()).map_err(|_| Failure::Nonsense)?;
                let port = std::str::from_utf8(port).ok().and_then(|port| port.parse().ok());
                Ok(Endpoint::Tcp { host, port: port.ok_or(Failure::Nonsense)? })
            }
            _ => Err(Failure::Nonsense),
        },
        _ => Err(Failure::Nonsense),
    }
}

/// Whether the server refused because it is not, or not yet, the master. It has not run the commands then.
fn is_no_master(error: &redis::ServerError) -> bool {
    matches!(error.kind(), Some(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading))
}
