//! What is evicted.

use super::by_cost::ByCost;
use super::by_use::ByUse;
use super::node::Node;
use super::queued::Coming;
use super::table::Table;
use std::num::{NonZeroU64, NonZeroUsize};

/// What says which entries of a shard go. Every node of the shard is in a queue of its.
pub(super) enum Policy {
    /// What is not used goes: all that a function says nothing of.
    ByUse(ByUse),
    /// What is cheap to load again goes first: `evict = "cost"`.
    ByCost(Box<ByCost>),
}

/// How much there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    None,
    Entries(NonZeroUsize),
    Weight(NonZeroU64),
}

impl Policy {
    /// For `max` entries, or for as many as weigh that together.
    pub(super) fn new(max: u64, weighs: bool, by_cost: bool) -> Self {
        match by_cost {
            true => Policy::ByCost(Box::new(ByCost::new(max, weighs))),
            false => Policy::ByUse(ByUse::new(max, weighs)),
        }
    }

    /// A key may come: has the processor fetch what will be looked at then.
    pub(super) fn prefetch(&self, hash: u32, table: &Table) {
        match self {
            Policy::ByUse(policy) => policy.prefetch(hash, table),
            Policy::ByCost(_) => {}
        }
    }

    /// An entry is about to come; `is_full` says whether something must go for it.
    pub(super) fn expect(&mut self, node: Node, is_full: bool) -> Coming {
        match self {
            Policy::ByUse(policy) => policy.expect(node, is_full),
            Policy::ByCost(policy) => policy.expect(node, is_full),
        }
    }

    /// Takes out of its queue what goes for an entry that is expected.
    pub(super) fn evict(&mut self, coming: Coming) -> Option<Node> {
        match self {
            Policy::ByUse(policy) => policy.evict(coming),
            Policy::ByCost(policy) => policy.evict(),
        }
    }

    /// Queues the entry that was expected.
    pub(super) fn add(&mut self, node: Node, coming: Coming) {
        match self {
            Policy::ByUse(policy) => policy.add(node, coming),
            Policy::ByCost(policy) => policy.add(node, coming),
        }
    }

    /// Takes a node out of its queue.
    pub(super) fn remove(&mut self, node: Node) {
        match self {
            Policy::ByUse(policy) => policy.remove(node),
            Policy::ByCost(policy) => policy.remove(node),
        }
    }

    /// Puts a node in the place of another that is as heavy.
    pub(super) fn replace(&mut self, old: Node, new: Node) {
        match self {
            Policy::ByUse(policy) => policy.replace(old, new),
            Policy::ByCost(policy) => policy.replace(old, new),
        }
    }

    /// Gives memory back that its queues don't need.
    pub(super) fn shrink(&mut self) {
        match self {
            Policy::ByUse(policy) => policy.shrink(),
            Policy::ByCost(policy) => policy.shrink(),
        }
    }
}
