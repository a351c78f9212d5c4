//! Evicts what is cheap to load again: `evict = "cost"`.
//!
//! Two queues and ghosts as in `by_use.rs`, but each queue is a list of rings, one for each class of cost: how long the
//! load took for each unit of weight, as a power of two. An entry's worth is that of its class on top of what the last
//! one to go was worth when it came into its queue, so what was dear once goes after all if it is not used. The oldest
//! of each ring is worth the least of it, so only these are looked at. Source: GreedyDual-Size-Frequency (L. Cherkasova,
//! 1998) in the classes of CAMP (S. Ghandeharizadeh et al., Middleware 2014).

use super::ghosts::Ghosts;
use super::node::Node;
use super::queued::{Coming, MAIN, SMALL, Time, is_small};
use super::ring::Ring;
use std::array;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Classes of cost. The last one has all that is dearer.
const CLASSES: usize = 32;
/// The bits of a class, and the highest one.
const CLASS: u8 = 31;
const _: () = assert!(CLASS as usize + 1 == CLASSES);

/// The class of an entry: each has twice the cost for its weight of the one before. What takes less than 64 ns, or, of
/// entries with weights, less than 1 ns for 64 units, is of the first.
pub(super) fn class(cost: Duration, weight: u64, by_weight: bool) -> u8 {
    let unit = if by_weight { 6 } else { 0 };
    let for_weight = ((cost.as_nanos() << unit) / u128::from(weight.max(1))) >> (6 - unit);
    u8::try_from(for_weight.max(1).ilog2()).unwrap_or(CLASS).min(CLASS)
}

pub(super) struct ByCost {
    small: Queue,
    main: Queue,
    max: u64,
    ghosts: Ghosts,
    time: Time,
}

impl ByCost {
    pub(super) fn new(max: u64, weighs: bool) -> Self {
        ByCost {
            small: Queue::new(SMALL),
            main: Queue::new(MAIN),
            max,
            ghosts: Ghosts::default(),
            time: Time::new(max, weighs),
        }
    }

    pub(super) fn expect(&mut self, node: Node, is_full: bool) -> Coming {
        self.time.pass();
        let away = self.ghosts.take(node.head().hash, self.time.now());
        let to_main = !is_full || away.is_some_and(|away| self.is_worth_more(node, away));
        Coming { to_main }
    }

    /// Whether a key that comes back is worth more, for each time that it may miss, than what would go first.
    fn is_worth_more(&mut self, node: Node, away: u32) -> bool {
        loop {
            let Some(victim) = self.main.least() else { return true };
            if victim.head().uses() == 0 {
                let waits = u64::from(self.time.age(victim)) << class_of(node);
                return waits >= u64::from(away) << (1 + class_of(victim));
            }
            self.again(victim);
        }
    }

    /// Another round for a use.
    fn again(&mut self, node: Node) {
        self.main.remove(node);
        node.head().set_uses(node.head().uses() - 1);
        self.main.push(node, self.time.now());
    }

    pub(super) fn add(&mut self, node: Node, coming: Coming) {
        let queue = if coming.to_main { &mut self.main } else { &mut self.small };
        queue.push(node, self.time.now());
    }

    pub(super) fn evict(&mut self) -> Option<Node> {
        loop {
            let from_small = self.small.weight >= (self.max / 5).max(1) || self.main.len == 0;
            let queue = if from_small { &mut self.small } else { &mut self.main };
            let node = queue.least()?;
            queue.floor = queue.floor.max(node.worth());
            if node.head().uses() == 0 {
                queue.remove(node);
                let room = self.small.len + self.main.len + 1;
                self.ghosts.add(node, &mut self.time, room);
                return Some(node);
            }
            if from_small {
                self.small.remove(node);
                node.head().set_uses(0);
                self.main.push(node, self.time.now());
            } else {
                self.again(node);
            }
        }
    }

    pub(super) fn remove(&mut self, node: Node) {
        self.queue_of(node).remove(node);
    }

    /// Puts a node in the queue of another, as what it is worth itself: it was loaded anew, at a cost of its own.
    pub(super) fn replace(&mut self, old: Node, new: Node) {
        new.head().set_uses(old.head().uses());
        let now = self.time.now();
        let queue = self.queue_of(old);
        queue.remove(old);
        queue.push(new, now);
    }

    pub(super) fn shrink(&mut self) {
        self.small.rings.iter_mut().chain(&mut self.main.rings).for_each(Ring::shrink);
    }

    fn queue_of(&mut self, node: Node) -> &mut Queue {
        if is_small(node) { &mut self.small } else { &mut self.main }
    }
}

struct Queue {
    /// [`SMALL`] or [`MAIN`].
    name: u8,
    rings: [Ring; CLASSES],
    len: usize,
    weight: u64,
    /// What the last one to go was worth.
    floor: u64,
}

impl Queue {
    fn new(name: u8) -> Self {
        Queue { name, rings: array::from_fn(|_| Ring::default()), len: 0, weight: 0, floor: 0 }
    }

    fn push(&mut self, node: Node, now: u16) {
        let class = class_of(node);
        node.head().queue.store(self.name | class, Ordering::Relaxed);
        node.head().since.store(now, Ordering::Relaxed);
        node.set_worth(self.floor.saturating_add(1 << class));
        self.rings[usize::from(class)].push(node);
        self.len += 1;
        self.weight += node.weight();
    }

    fn remove(&mut self, node: Node) {
        self.rings[usize::from(class_of(node))].remove(node);
        self.len -= 1;
        self.weight -= node.weight();
    }

    /// What is worth the least.
    fn least(&mut self) -> Option<Node> {
        self.rings.iter_mut().filter_map(Ring::oldest).min_by_key(|node| node.worth())
    }
}

fn class_of(node: Node) -> u8 {
    node.head().queue.load(Ordering::Relaxed) & CLASS
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_twice_as_dear_as_the_one_before() {
        let of = |nanos| class(Duration::from_nanos(nanos), 1, false);
        assert_eq!([of(0), of(64), of(127), of(128), of(1 << 20)], [0, 0, 0, 1, 14]);
        assert_eq!(class(Duration::MAX, 1, false), 31);
    }

    #[test]
    fn what_is_heavy_must_be_dear_too() {
        let of = |millis, weight| class(Duration::from_millis(millis), weight, true);
        assert_eq!(of(1, 1_000), of(2, 2_000));
        assert!(of(1, 1_000) > of(1, 1_000_000) && of(1, 1_000_000) > of(0, 1));
        assert_eq!(class(Duration::MAX, 1, true), 31);
    }
}
