//! The servers of a cache in their shape, and which of them runs an operation.

use super::address::{Endpoint, Shape};
use super::cluster::Cluster;
use super::command::{Operation, Page, Place, scan, together};
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
    /// The masters to look through, the present one last.
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

/// How often keys are looked through where slots or the master have moved meanwhile.
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
    pub(super) fn end(&self) -> Deadline {
        Deadline::after(self.settings.connect_timeout.saturating_add(self.settings.operation_timeout))
    }

    /// Runs an operation where it belongs, and says what its replies mean.
    pub(super) async fn run<T, I: Io>(&self, io: &I, operation: &Operation<'_, T>) -> Result<T, Error> {
        let result = self.attempt(io, operation, self.end()).await;
        result.map_err(|lost| lost.into_error(&operation.doing, &self.address))
    }

    /// As [`run`](Topology::run), for who can do something about a failure. A refusal is the operation's failure.
    pub(super) async fn attempt<T, I: Io>(
        &self,
        io: &I,
        operation: &Operation<'_, T>,
        end: Deadline,
    ) -> Result<T, Lost> {
        let request = Request { commands: &operation.commands, effect: operation.effect, asking: false };
        let replies = self.send(io, operation.place, request, end).await?;
        Ok(operation.understand(replies)?)
    }

    /// Sends a request where it belongs; its replies, a refusal among them.
    async fn send<I: Io>(
        &self,
        io: &I,
        place: Place<'_>,
        request: Request<'_>,
        end: Deadline,
    ) -> Result<Vec<Value>, Lost> {
        match &self.servers {
            Servers::Single(node) => io.exchange(node, request, end).await,
            Servers::Sentinel(sentinels) => sentinels.send(io, request, end).await,
            // In a box: it is the largest, and would make the others' futures as large.
            Servers::Cluster(cluster) => Box::pin(cluster.send(io, place, request, end)).await,
        }
    }

    /// Runs many operations of one command each, those of one node in one request; what they gave, in order.
    pub(super) async fn run_all<T, I: Io>(&self, io: &I, operations: &[Operation<'_, T>]) -> Result<Vec<T>, Error> {
        let Some(first) = operations.first() else { return Ok(Vec::new()) };
        let doing = first.doing.of_many(operations.len());
        let results = self.attempt_all(io, operations, self.end()).await.into_iter().collect::<Result<_, _>>();
        results.map_err(|lost| lost.into_error(&doing, &self.address))
    }

    /// As [`run_all`](Topology::run_all), for who can do something about each failure.
    pub(super) async fn attempt_all<T, I: Io>(
        &self,
        io: &I,
        operations: &[Operation<'_, T>],
        end: Deadline,
    ) -> Vec<Result<T, Lost>> {
        if let Servers::Cluster(cluster) = &self.servers {
            return cluster.scatter(io, operations, end).await;
        }
        let sent = async {
            let (commands, effect) = together(operations.iter(), false).map_err(Failure::from)?;
            self.send(io, Place::Any, Request { commands: &commands, effect, asking: false }, end).await
        };
        match sent.await {
            Ok(replies) => {
                let each = operations.iter().zip(replies);
                each.map(|(operation, reply)| Ok(operation.understand(vec![reply])?)).collect()
            }
            Err(lost) => operations.iter().map(|_| Err(lost.clone())).collect(),
        }
    }

    /// The next keys of a scan, none at its end. Where the master has changed meanwhile, or slots have moved, all is looked
    /// through again, so that no key is missed by being where it was looked for too early.
    pub(super) async fn next_page<I: Io>(
        &self,
        io: &I,
        prefix: &str,
        place: &mut Scan,
    ) -> Result<Option<Vec<String>>, Error> {
        match &self.servers {
            _ if place.state == ScanState::Ended => Ok(None),
            Servers::Single(_) | Servers::Sentinel(_) => self.next_page_of_one(io, prefix, place).await.map(Some),
            Servers::Cluster(cluster) => self.next_page_of_cluster(io, cluster, prefix, place).await,
        }
    }

    async fn next_page_of_one<I: Io>(&self, io: &I, prefix: &str, place: &mut Scan) -> Result<Vec<String>, Error> {
        let fail = |lost: Lost| lost.into_error(&scan(prefix, 0).doing, &self.address);
        let before = match place.nodes.pop() {
            Some(node) => node,
            None => self.listening_post(io).await.map_err(fail)?,
        };
        let Page { cursor, keys } = self.run(io, &scan(prefix, place.cursor)).await?;
        if self.only_server().is_some_and(|now| Arc::ptr_eq(&now, &before)) {
            place.nodes.push(before);
            place.cursor = cursor;
            place.state = if cursor == 0 { ScanState::Ended } else { ScanState::Going };
        } else if place.passes < MOST_PASSES {
            // A cursor is a place in the table of one server, and another has its keys elsewhere.
            (place.cursor, place.passes) = (0, place.passes + 1);
        } else {
            return Err(fail(Failure::Replica.into()));
        }
        Ok(keys)
    }

    /// Each master is looked through by itself.
    async fn next_page_of_cluster<I: Io>(
        &self,
        io: &I,
        cluster: &Cluster,
        prefix: &str,
        place: &mut Scan,
    ) -> Result<Option<Vec<String>>, Error> {
        let fail = |lost: Lost| lost.into_error(&scan(prefix, 0).doing, &self.address);
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

    /// The one that runs all operations at present, if there is one and it is known.
    fn only_server(&self) -> Option<Arc<Node>> {
        match &self.servers {
            Servers::Single(node) => Some(Arc::clone(node)),
            Servers::Sentinel(sentinels) => sentinels.known(),
            Servers::Cluster(_) => None,
        }
    }

    /// A server at which one may listen: what is published anywhere in this cache reaches it.
    pub(super) async fn listening_post<I: Io>(&self, io: &I) -> Result<Arc<Node>, Lost> {
        match &self.servers {
            Servers::Single(node) => Ok(Arc::clone(node)),
            Servers::Sentinel(sentinels) => sentinels.master(io, &[], self.end()).await,
            Servers::Cluster(cluster) => cluster.find(io, Place::Any, self.end()).await,
        }
    }

    /// Whether what is published in this cache still reaches a listener at this server, as far as it can be known.
    pub(super) async fn is_listening_post<I: Io>(&self, io: &I, node: &Arc<Node>) -> bool {
        match &self.servers {
            // A server that is another's replica by now passes on what is published there.
            Servers::Single(_) | Servers::Sentinel(_) => true,
            Servers::Cluster(cluster) => cluster.is_master(io, node, self.end()).await,
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
