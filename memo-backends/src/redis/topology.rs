//! The servers of a cache in their shape, and which of them runs an operation.

use super::address::{Endpoint, Shape};
use super::cluster::Cluster;
use super::command::{Operation, Page, Place, scan};
use super::deadline::Deadline;
use super::error::{Failure, Lost};
use super::handshake::Handshake;
use super::io::Io;
use super::node::{Node, Request, Settings};
use super::sentinel::Sentinels;
use memo_core::Error;
use redis::Value;
use std::sync::Arc;

pub(super) struct Topology {
    /// What the settings name, for messages.
    pub(super) address: String,
    pub(super) settings: Arc<Settings>,
    servers: Servers,
}

enum Servers {
    Single(Arc<Node>),
    Sentinel(Sentinels),
    Cluster(Cluster),
}

/// Where a scan stands.
#[derive(Default)]
pub(super) struct Scan {
    /// The masters to look through, the present one last. Empty outside of a cluster.
    nodes: Vec<Arc<Node>>,
    version: u64,
    cursor: u64,
    passes: u32,
    state: ScanState,
}

#[derive(Default, PartialEq, Eq)]
enum ScanState {
    #[default]
    New,
    Going,
    Ended,
}

/// How often a cluster is looked through where slots have moved meanwhile.
const MOST_PASSES: u32 = 4;

impl Topology {
    pub(super) fn new(
        shape: &Shape,
        address: String,
        endpoints: &[Endpoint],
        handshake: Handshake,
        sentinel_handshake: Handshake,
        settings: Settings,
    ) -> Topology {
        let (settings, handshake) = (Arc::new(settings), Arc::new(handshake));
        let nodes = |handshake: &Arc<Handshake>| -> Vec<Arc<Node>> {
            endpoints.iter().map(|endpoint| Node::new(endpoint.clone(), handshake, &settings)).collect()
        };
        let servers = match shape {
            Shape::Single => Servers::Single(Node::new(endpoints[0].clone(), &handshake, &settings)),
            Shape::Sentinel { master } => {
                let sentinels = nodes(&Arc::new(sentinel_handshake));
                Servers::Sentinel(Sentinels::new(master.clone(), sentinels, handshake, Arc::clone(&settings)))
            }
            Shape::Cluster => {
                let seeds = nodes(&handshake);
                Servers::Cluster(Cluster::new(seeds, handshake, Arc::clone(&settings)))
            }
        };
        Topology { address, settings, servers }
    }

    /// Whether the keys of one command must be in one slot.
    pub(super) fn splits_keys(&self) -> bool {
        matches!(self.servers, Servers::Cluster(_))
    }

    /// The moment by which an operation that begins now has ended, whatever it has to do.
    fn end(&self) -> Deadline {
        Deadline::after(self.settings.connect_timeout.saturating_add(self.settings.operation_timeout))
    }

    /// Runs an operation where it belongs, and says what its replies mean.
    pub(super) async fn run<T, I: Io>(&self, io: &I, operation: &Operation<'_, T>) -> Result<T, Error> {
        let result = self.attempt(io, operation).await;
        result.map_err(|lost| lost.into_error(&operation.doing, &self.address))
    }

    /// As [`run`](Topology::run), for who can do something about a failure. A refusal is the operation's failure.
    pub(super) async fn attempt<T, I: Io>(&self, io: &I, operation: &Operation<'_, T>) -> Result<T, Lost> {
        let replies = self.send(io, operation).await?;
        Ok(operation.understand(replies)?)
    }

    /// Sends an operation where it belongs; its replies, a refusal among them.
    async fn send<T, I: Io>(&self, io: &I, operation: &Operation<'_, T>) -> Result<Vec<Value>, Lost> {
        let request = Request { commands: &operation.commands, effect: operation.effect, asking: false };
        let end = self.end();
        match &self.servers {
            Servers::Single(node) => io.exchange(node, request, end).await,
            Servers::Sentinel(sentinels) => sentinels.send(io, request, end).await,
            Servers::Cluster(cluster) => cluster.send(io, operation.place, request, end).await,
        }
    }

    /// Runs many operations of one command each, those of one node in one request; what they gave, in order.
    pub(super) async fn run_all<T, I: Io>(&self, io: &I, operations: &[Operation<'_, T>]) -> Result<Vec<T>, Error> {
        if let Servers::Cluster(cluster) = &self.servers {
            let Some(first) = operations.first() else { return Ok(Vec::new()) };
            let doing = first.doing.of_many(operations.len());
            let results = cluster.scatter(io, operations, self.end()).await;
            return results.map_err(|lost| lost.into_error(&doing, &self.address));
        }
        let mut results = Vec::with_capacity(operations.len());
        for operation in operations {
            results.push(self.run(io, operation).await?);
        }
        Ok(results)
    }

    /// The next keys of a scan, none at its end. Each master of a cluster is looked through by itself; if slots have
    /// moved meanwhile, all of them again, so that no key is missed by being where it was looked for too early.
    pub(super) async fn next_page<I: Io>(
        &self,
        io: &I,
        prefix: &str,
        place: &mut Scan,
    ) -> Result<Option<Vec<String>>, Error> {
        let fail = |lost: Lost| lost.into_error(&scan(prefix, 0).doing, &self.address);
        let Servers::Cluster(cluster) = &self.servers else {
            if place.state == ScanState::Ended {
                return Ok(None);
            }
            let Page { cursor, keys } = self.run(io, &scan(prefix, place.cursor)).await?;
            place.cursor = cursor;
            place.state = if cursor == 0 { ScanState::Ended } else { ScanState::Going };
            return Ok(Some(keys));
        };
        if place.nodes.is_empty() {
            let (nodes, version) = cluster.masters(io, self.end()).await.map_err(fail)?;
            let complete = place.state == ScanState::Going && version == place.version;
            if complete || place.passes == MOST_PASSES {
                return Ok(None);
            }
            *place = Scan { nodes, version, cursor: 0, passes: place.passes + 1, state: ScanState::Going };
        }
        let Some(node) = place.nodes.last() else { return Err(fail(Failure::Uncovered.into())) };
        let operation = scan(prefix, place.cursor);
        let request = Request { commands: &operation.commands, effect: operation.effect, asking: false };
        let replies = io.exchange(node, request, self.end()).await.map_err(fail)?;
        let page = operation.understand(replies);
        let Page { cursor, keys } = page.map_err(|failure| fail(Lost::new(failure, true, node)))?;
        place.cursor = cursor;
        if cursor == 0 {
            place.nodes.pop();
        }
        Ok(Some(keys))
    }

    /// A server at which one may listen: what is published anywhere in this cache reaches it.
    pub(super) async fn listening_post<I: Io>(&self, io: &I) -> Result<Arc<Node>, Lost> {
        match &self.servers {
            Servers::Single(node) => Ok(Arc::clone(node)),
            Servers::Sentinel(sentinels) => sentinels.master(io, &[], self.end()).await,
            Servers::Cluster(cluster) => cluster.find(io, Place::Any, self.end()).await,
        }
    }

    /// The server of [`listening_post`](Topology::listening_post) failed: another may have taken over.
    pub(super) async fn post_failed<I: Io>(&self, io: &I, node: &Arc<Node>) {
        match &self.servers {
            Servers::Single(_) => {}
            Servers::Sentinel(sentinels) => sentinels.forget(node),
            Servers::Cluster(cluster) => cluster.avoid(io, node, self.end()).await,
        }
    }
}
