//! The nodes of a cluster: each key's operations go to the node that owns its slot, also while slots move.

use super::address::Endpoint;
use super::command::{Commands, Effect, Place};
use super::deadline::Deadline;
use super::error::{Failure, Lost, granted, server_error};
use super::handshake::Handshake;
use super::io::{Io, Turns};
use super::node::{Node, Request, Settings};
use super::slots::{Map, Redirect, ranges, slot_of};
use memo_core::BoxFuture;
use parking_lot::RwLock;
use redis::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often a request is sent on: the map may be old, its correction too, and the slot on its way.
pub(super) const MOST_REDIRECTS: u32 = 8;

/// Until a cluster that elects a master is asked again.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

pub(super) struct Cluster {
    settings: Arc<Settings>,
    handshake: Arc<Handshake>,
    /// The nodes that the settings name: asked where no other is known.
    seeds: Vec<Arc<Node>>,
    map: RwLock<Arc<Map>>,
    refreshing: Turns,
    /// Which of the masters is [`Place::Any`].
    any: AtomicUsize,
}

impl Cluster {
    pub(super) fn new(seeds: Vec<Arc<Node>>, handshake: Arc<Handshake>, settings: Arc<Settings>) -> Cluster {
        let map = RwLock::new(Arc::new(Map::empty()));
        Cluster { settings, handshake, seeds, map, refreshing: Turns::default(), any: AtomicUsize::new(0) }
    }

    /// Sends a request where it belongs, and on where it is sent on to. A refusal that is left at the end is among the
    /// replies.
    pub(super) async fn send<I: Io>(
        &self,
        io: &I,
        place: Place<'_>,
        mut request: Request<'_>,
        end: Deadline,
    ) -> Result<Vec<Value>, Lost> {
        let mut node = self.find(io, place, end).await?;
        let mut redirects = 0;
        loop {
            let result = io.exchange(&node, request, end).await;
            let redirect = match &result {
                Ok(replies) => server_error(replies).and_then(|error| Redirect::read(error, &node.endpoint)),
                Err(_) => Some(Redirect::Elsewhere),
            };
            let Some(redirect) = redirect else { return result };
            redirects += 1;
            if redirects > MOST_REDIRECTS || end.left().is_err() {
                return result;
            }
            match redirect {
                Redirect::Moved { slot, to } => {
                    request.asking = false;
                    node = self.moved(slot, to);
                }
                Redirect::Ask { to } => {
                    request.asking = true;
                    node = self.node(to);
                }
                Redirect::Elsewhere => {
                    request.asking = false;
                    if self.refresh(io, Some(&node), end).await.is_err() {
                        return result;
                    }
                    self.pass_over(&node);
                    let Ok(owner) = self.find(io, place, end).await else { return result };
                    let same = Arc::ptr_eq(&owner, &node);
                    match &result {
                        // It failed, and nobody has taken over yet.
                        Err(lost) if same || !lost.is_repeatable(request.effect) => return result,
                        Ok(_) if same => io.pause(PAUSE).await,
                        _ => node = owner,
                    }
                }
            }
        }
    }

    /// The node for a place, as far as the map tells. Asks for the map where it has none.
    pub(super) async fn find<I: Io>(&self, io: &I, place: Place<'_>, end: Deadline) -> Result<Arc<Node>, Lost> {
        if let Some(node) = self.known(place) {
            return Ok(node);
        }
        self.refresh(io, None, end).await?;
        self.known(place).ok_or_else(|| Failure::Uncovered.into())
    }

    fn known(&self, place: Place<'_>) -> Option<Arc<Node>> {
        let map = self.map.read();
        match place {
            Place::OwnerOf(key) => map.owner(slot_of(key)).map(Arc::clone),
            Place::Any => {
                let masters = map.masters();
                let number = self.any.load(Ordering::Relaxed).checked_rem(masters.len())?;
                masters.into_iter().nth(number)
            }
        }
    }

    /// All nodes that own slots, after asking anew, and the version of the map that says so.
    pub(super) async fn masters<I: Io>(&self, io: &I, end: Deadline) -> Result<(Vec<Arc<Node>>, u64), Lost> {
        self.refresh(io, None, end).await?;
        let map = Arc::clone(&self.map.read());
        Ok((map.masters(), map.version))
    }

    /// Whether a node owns slots, as the others say; it does where nobody says anything.
    pub(super) async fn is_master<I: Io>(&self, io: &I, node: &Arc<Node>, end: Deadline) -> bool {
        let told = self.refresh(io, Some(node), end).await;
        told.is_err() || self.map.read().masters().iter().any(|master| Arc::ptr_eq(master, node))
    }

    /// Learns which nodes there are after one of them failed, and has [`Place::Any`] mean another one.
    pub(super) async fn avoid<I: Io>(&self, io: &I, failed: &Arc<Node>, end: Deadline) {
        let _ = self.refresh(io, Some(failed), end).await;
        self.pass_over(failed);
    }

    /// Has [`Place::Any`] mean another master, unless somebody else who met this failure has done so.
    fn pass_over(&self, failed: &Arc<Node>) {
        let number = self.any.load(Ordering::Relaxed);
        if self.known(Place::Any).is_some_and(|any| Arc::ptr_eq(&any, failed)) {
            let next = number.wrapping_add(1);
            let _ = self.any.compare_exchange(number, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Asks for the map. Whoever finds another asking takes what that one finds. Boxed, since it is seldom needed and
    /// would make each operation's future larger.
    pub(super) fn refresh<'a, I: Io>(
        &'a self,
        io: &'a I,
        failed: Option<&'a Arc<Node>>,
        end: Deadline,
    ) -> BoxFuture<'a, Result<(), Lost>> {
        Box::pin(async move {
            let Some(turn) = self.refreshing.take(io, end).await? else { return Ok(()) };
            let result = self.ask(io, failed, end).await;
            turn.end();
            result
        })
    }

    /// Asks nodes for the map until one answers, `failed` last.
    async fn ask<I: Io>(&self, io: &I, failed: Option<&Arc<Node>>, end: Deadline) -> Result<(), Lost> {
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let commands = Commands::One(command);
        let request = Request { commands: &commands, effect: Effect::Read, asking: false };

        let map = Arc::clone(&self.map.read());
        let mut nodes: Vec<&Arc<Node>> = map.nodes().iter().collect();
        nodes.extend(self.seeds.iter().filter(|seed| !map.nodes().iter().any(|node| node.endpoint == seed.endpoint)));
        nodes.sort_by_key(|node| failed.is_some_and(|failed| failed.endpoint == node.endpoint));
        // Three that hang leave time for one that answers.
        let share = self.settings.connect_timeout / u32::try_from(nodes.len().clamp(1, 4)).unwrap_or(1);
        let mut reason: Lost = Failure::Uncovered.into();
        for node in nodes {
            let told = match io.exchange(node, request, end.at_most(share)).await {
                Ok(replies) => granted(replies).and_then(|replies| ranges(replies, &node.endpoint)),
                Err(lost) => {
                    reason = Lost { sent: false, ..lost };
                    continue;
                }
            };
            match told {
                // A node that was just started, or that was thrown out, knows of nobody.
                Ok(ranges) if ranges.is_empty() => {}
                Ok(ranges) => {
                    let mut map = self.map.write();
                    *map = Arc::new(map.told(ranges, |endpoint| self.new_node(endpoint)));
                    return Ok(());
                }
                Err(failure) => reason = Lost::new(failure, false, node),
            }
        }
        Err(reason)
    }

    fn new_node(&self, endpoint: Endpoint) -> Arc<Node> {
        let seed = self.seeds.iter().find(|seed| seed.endpoint == endpoint);
        seed.map_or_else(|| Node::new(endpoint, &self.handshake, &self.settings), Arc::clone)
    }

    /// The node of this address.
    pub(super) fn node(&self, endpoint: Endpoint) -> Arc<Node> {
        if let Some(node) = self.map.read().nodes().iter().find(|node| node.endpoint == endpoint) {
            return Arc::clone(node);
        }
        let mut map = self.map.write();
        Arc::make_mut(&mut *map).node(endpoint, |endpoint| self.new_node(endpoint))
    }

    /// A node said that a slot is another's.
    pub(super) fn moved(&self, slot: u16, to: Endpoint) -> Arc<Node> {
        let mut map = self.map.write();
        let map = Arc::make_mut(&mut *map);
        let node = map.node(to, |endpoint| self.new_node(endpoint));
        map.give(slot..=slot, &node);
        node
    }
}
