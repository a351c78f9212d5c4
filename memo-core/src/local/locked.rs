//! What is done under the lock of a shard.

use super::node::Node;
use super::owned::Owned;
use super::seen::{Evicted, Seen, Went};
use super::shard::{Shard, State};
use super::waiting::Removed;
use crate::clock::Tick;
use crate::epoch::Pin;
use crate::memo::Underway;
use crate::sync::MutexGuard;

/// A shard whose lock is held.
pub(crate) struct Locked<'s> {
    shard: &'s Shard,
    state: MutexGuard<'s, State>,
}

impl<'s> Locked<'s> {
    pub(super) fn new(shard: &'s Shard) -> Self {
        Locked { shard, state: shard.state().lock() }
    }

    /// The loads under way of the keys of this shard.
    pub(crate) fn loads(&self) -> &Underway {
        &self.state.loads
    }

    pub(crate) fn loads_mut(&mut self) -> &mut Underway {
        &mut self.state.loads
    }

    /// A key may be stored soon: has the processor fetch what is needed for that.
    pub(super) fn prefetch(&self, pin: &Pin, hash: u32) {
        if let Some(policy) = &self.state.policy {
            policy.prefetch(hash, self.shard.table(pin));
        }
    }

    /// Stores a node in the place of the one of its hash to which `is` says yes, and evicts what there is no room for.
    pub(super) fn store<'a>(&mut self, pin: &'a Pin, hash: u32, node: Owned, is: &dyn Fn(Node) -> bool) -> Went<'a> {
        let (weight, deadline) = (node.node().weight(), node.node().deadline());
        let mut went =
            Went { replaced: None, evicted: Evicted::default(), too_heavy: None, is_due: false, expires: None };
        let old = self.shard.table(pin).find(hash, is);
        went.replaced = old.map(|old| Seen::new(old, pin));
        match old {
            // As heavy as the one before, so there is room for it.
            Some(old) if weight == old.weight() => self.put_instead(pin, old, node.give()),
            _ => {
                if let Some(old) = old {
                    self.take_out(pin, old);
                }
                if weight > self.state.max {
                    went.too_heavy = Some(node);
                } else {
                    self.put(pin, node.give(), &mut went.evicted);
                }
            }
        }
        went.is_due = self.state.waiting.is_due(self.shard.len());
        if deadline != Tick::NEVER && self.shard.expect(deadline) {
            went.expires = Some(deadline);
        }
        went
    }

    /// Takes out the node of this hash that has the key, if `is` says yes.
    pub(super) fn remove<'a>(
        &mut self,
        pin: &'a Pin,
        hash: u32,
        has_key: &dyn Fn(Node) -> bool,
        is: &dyn Fn(Seen<'a>) -> bool,
    ) -> Option<Seen<'a>> {
        let seen = Seen::new(self.shard.table(pin).find(hash, has_key)?, pin);
        if !is(seen) {
            return None;
        }
        self.take_out(pin, seen.node());
        Some(seen)
    }

    /// Takes out every node to which `is` says yes.
    pub(super) fn remove_all<'a>(&mut self, pin: &'a Pin, is: &dyn Fn(Node) -> bool) -> Vec<Seen<'a>> {
        let nodes = self.shard.table(pin).nodes().filter(|node| is(*node));
        let taken: Vec<Seen<'a>> = nodes.map(|node| Seen::new(node, pin)).collect();
        for seen in &taken {
            self.take_out(pin, seen.node());
        }
        self.shrink(pin);
        taken
    }

    /// Puts a node in whose key is not there, and evicts what there is no room for with it.
    fn put<'a>(&mut self, pin: &'a Pin, node: Node, evicted: &mut Evicted<'a>) {
        let weight = node.weight();
        let most = self.state.max - weight;
        let State { policy, waiting, .. } = &mut *self.state;
        if let Some(policy) = policy {
            let coming = policy.expect(node, self.shard.weight() > most);
            // First, so that it is not itself what is evicted.
            while self.shard.weight() > most
                && let Some(victim) = policy.evict(coming)
            {
                drop_from_table(self.shard, pin, victim);
                waiting.push(Removed::Node(victim));
                evicted.push(Seen::new(victim, pin));
            }
            policy.add(node, coming);
        }
        let len = self.shard.len();
        if len >= self.shard.table(pin).room() {
            self.grow(pin);
        }
        self.shard.table(pin).insert(node);
        self.shard.set_len(len + 1);
        add_weight(self.shard, node);
    }

    fn put_instead(&mut self, pin: &Pin, old: Node, new: Node) {
        self.shard.table(pin).replace(old, new);
        add_weight(self.shard, new);
        subtract_weight(self.shard, old);
        if let Some(policy) = &mut self.state.policy {
            policy.replace(old, new);
        }
        self.state.waiting.push(Removed::Node(old));
    }

    /// Takes a node out of table and queue.
    pub(super) fn take_out(&mut self, pin: &Pin, node: Node) {
        if let Some(policy) = &mut self.state.policy {
            policy.remove(node);
        }
        drop_from_table(self.shard, pin, node);
        self.state.waiting.push(Removed::Node(node));
    }

    /// Moves to a table twice as large, or as large as will ever be needed.
    fn grow(&mut self, pin: &Pin) {
        let room = self.shard.table(pin).room();
        let most = usize::try_from(self.state.max).unwrap_or(usize::MAX);
        self.shard.move_to(pin, &mut self.state, (room * 2).min(most.max(room + 1)));
    }

    /// Gives memory back if so many entries went that an eighth of the room is enough.
    pub(super) fn shrink(&mut self, pin: &Pin) {
        let len = self.shard.len();
        if len < self.shard.table(pin).room() / 8 {
            self.shard.move_to(pin, &mut self.state, len * 2);
            if let Some(policy) = &mut self.state.policy {
                policy.shrink();
            }
        }
    }
}

fn drop_from_table(shard: &Shard, pin: &Pin, node: Node) {
    shard.table(pin).remove(node);
    shard.set_len(shard.len() - 1);
    subtract_weight(shard, node);
}

fn add_weight(shard: &Shard, node: Node) {
    shard.set_weight(shard.weight().saturating_add(node.weight()));
}

fn subtract_weight(shard: &Shard, node: Node) {
    shard.set_weight(shard.weight().saturating_sub(node.weight()));
}
