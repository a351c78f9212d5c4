//! Queues of nodes: in at the one end, out at the other, and out of the middle.

use super::node::Node;
use std::sync::atomic::Ordering;

/// Nodes to be looked at soon: an eviction passes two or three.
const PREFETCHED: usize = 4;

/// Nodes in the order they came. A node that leaves from the middle leaves a hole, so nothing has to move.
#[derive(Default)]
pub(super) struct Ring {
    /// From `first` on round the end: nodes and holes.
    places: Vec<Option<Node>>,
    first: usize,
    /// Places in use, holes among them.
    used: usize,
    /// Nodes.
    len: usize,
}

impl Ring {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Queues a node behind all others.
    pub(super) fn push(&mut self, node: Node) {
        if self.used == self.places.len() {
            self.make_room();
        }
        let at = self.at(self.used);
        self.places[at] = Some(node);
        // Who has so many entries has no memory left for their nodes.
        node.head().place.store(u32::try_from(at).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.used += 1;
        self.len += 1;
    }

    /// The node that has been here longest.
    pub(super) fn oldest(&mut self) -> Option<Node> {
        while self.used > 0 {
            if let Some(node) = self.places[self.first] {
                return Some(node);
            }
            self.first = self.at(1);
            self.used -= 1;
        }
        None
    }

    /// Takes out the node that has been here longest.
    pub(super) fn pop(&mut self) -> Option<Node> {
        let node = self.oldest()?;
        self.places[self.first] = None;
        self.len -= 1;
        Some(node)
    }

    /// Has the processor fetch what will be asked for next. Each node is a line of its own, last seen long ago and maybe
    /// by another core, so waiting for it is most of what an eviction costs.
    pub(super) fn prefetch(&self) {
        for offset in 0..PREFETCHED.min(self.used) {
            if let Some(node) = self.places[self.at(offset)] {
                node.prefetch();
            }
        }
    }

    /// Takes out a node, which is in this queue.
    pub(super) fn remove(&mut self, node: Node) {
        let at = node.head().place.load(Ordering::Relaxed) as usize;
        debug_assert!(self.places[at] == Some(node), "it is in another queue");
        self.places[at] = None;
        self.len -= 1;
    }

    /// Puts a node in the place of another.
    pub(super) fn replace(&mut self, old: Node, new: Node) {
        let place = old.head().place.load(Ordering::Relaxed);
        self.places[place as usize] = Some(new);
        new.head().place.store(place, Ordering::Relaxed);
    }

    fn at(&self, offset: usize) -> usize {
        let at = self.first + offset;
        if at < self.places.len() { at } else { at - self.places.len() }
    }

    /// Closes the holes if they are an eighth of all, else takes more memory: either way many pushes pay for it.
    fn make_room(&mut self) {
        let is_full = self.len >= self.places.len() - self.places.len() / 8;
        self.resize(if is_full { self.places.len() + (self.places.len() / 4).max(4) } else { self.places.len() });
    }

    /// Gives memory back that its nodes don't need.
    pub(super) fn shrink(&mut self) {
        self.resize(self.len + self.len / 4);
    }

    fn resize(&mut self, size: usize) {
        let nodes: Vec<Node> = (0..self.used).filter_map(|offset| self.places[self.at(offset)]).collect();
        self.places = vec![None; size];
        (self.first, self.used, self.len) = (0, 0, 0);
        for node in nodes {
            self.push(node);
        }
    }
}
