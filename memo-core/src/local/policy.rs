//! What is evicted.

use super::by_cost::ByCost;
use super::by_use::ByUse;
use super::node::Node;
use std::sync::atomic::Ordering;

/// What says which entries of a shard go. Every node of the shard is in a queue of its.
pub(super) enum Policy {
    /// What is not used goes: all that a function says nothing of.
    ByUse(ByUse),
    /// What is cheap to load again goes first: `evict = "cost"`.
    ByCost(Box<ByCost>),
}

/// What is known of an entry that is about to come.
#[derive(Clone, Copy)]
pub(super) struct Coming {
    pub(super) to_main: bool,
}

/// In which queue a node is: the highest bit of `queue`. What is below it is the policy's.
pub(super) const SMALL: u8 = 0;
pub(super) const MAIN: u8 = 1 << 7;

pub(super) fn is_small(node: Node) -> bool {
    node.head().queue.load(Ordering::Relaxed) & MAIN == 0
}

impl Policy {
    /// For `max` entries, or for as many as weigh that together.
    pub(super) fn new(max: u64, weighs: bool, by_cost: bool) -> Self {
        match by_cost {
            true => Policy::ByCost(Box::new(ByCost::new(max, weighs))),
            false => Policy::ByUse(ByUse::new(max, weighs)),
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
        let (old_head, head) = (old.head(), new.head());
        head.queue.store(old_head.queue.load(Ordering::Relaxed), Ordering::Relaxed);
        head.since.store(old_head.since.load(Ordering::Relaxed), Ordering::Relaxed);
        head.set_uses(old_head.uses());
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

/// The time of a policy: insertions into the shard, in ticks that wrap.
pub(super) struct Time {
    /// Insertions so far.
    insertions: u32,
    /// How many of them are a tick, as a power of two.
    tick: u32,
    /// Whether nobody knows how many entries there will be.
    weighs: bool,
}

impl Time {
    pub(super) fn new(max: u64, weighs: bool) -> Self {
        Time { insertions: 0, tick: if weighs { 0 } else { tick(max) }, weighs }
    }

    /// One more entry comes.
    pub(super) fn pass(&mut self) {
        self.insertions = self.insertions.wrapping_add(1);
    }

    #[expect(clippy::cast_possible_truncation, reason = "it wraps")]
    pub(super) fn now(&self) -> u16 {
        (self.insertions >> self.tick) as u16
    }

    /// How many ticks ago a node came into its queue.
    pub(super) fn age(&self, node: Node) -> u32 {
        u32::from(self.now().wrapping_sub(node.head().since.load(Ordering::Relaxed)))
    }

    /// There is room for so many entries, as it turns out.
    pub(super) fn learn(&mut self, room: usize) {
        if self.weighs {
            self.tick = tick(room as u64);
        }
    }
}

/// Insertions that are a tick: there are some thousand until as many entries came as there is room for, so ticks wrap
/// after a dozen times that.
fn tick(entries: u64) -> u32 {
    (u64::BITS - entries.leading_zeros()).saturating_sub(12).min(16)
}
