//! What is evicted: two queues, a memory of what went, and two rules that keep them honest.
//!
//! New entries come into a small queue. Those used twice by the time they reach its end move to the main one, whose
//! entries get another round for each use; the others go, and are remembered as ghosts. Source: S3-FIFO (J. Yang et al.,
//! "FIFO queues are all you need for cache eviction", SOSP 2023). Two things differ, which make it hold its own where
//! that one fails:
//!
//! - A key that comes back while it is a ghost enters the main queue only if the entry that would have to go for it has
//!   been there unused for twice as long as the key was away. In a loop longer than the cache everything comes back
//!   after the same time, so S3-FIFO replaces all by all and never hits. Here what is in stays, and is hit once a round.
//!   Source: LIRS compares reuse distances so (S. Jiang, X. Zhang, SIGMETRICS 2002).
//! - The small queue's part is between a fiftieth and a half: keys that come back so soon that a small queue twice as long
//!   had kept them make it longer, uses that show what the main queue is good for make it shorter. Source: ARC weighs
//!   ghosts so (N. Megiddo, D. Modha, FAST 2003).
//!
//! Time is the number of insertions into the shard, in ticks that wrap.

use super::ghosts::Ghosts;
use super::node::Node;
use super::ring::Ring;
use std::sync::atomic::Ordering;

const SMALL: u8 = 0;
const MAIN: u8 = 1;

/// Parts of a unit of weight, for the target.
const ONE: u64 = 1024;
/// Uses in the small queue that lead to the main one.
const USES_TO_STAY: u8 = 2;

pub(super) struct Policy {
    small: Ring,
    main: Ring,
    small_weight: u64,
    main_weight: u64,
    max: u64,
    /// What the small queue should weigh, in parts.
    target: u64,
    ghosts: Ghosts,
    /// Insertions into the shard so far.
    now: u32,
    /// How many of them are a tick, as a power of two.
    tick: u32,
    /// Whether nobody knows how many entries there will be.
    weighs: bool,
}

/// What is known of an entry that is about to come.
#[derive(Clone, Copy)]
pub(super) struct Coming {
    to_main: bool,
}

impl Policy {
    /// For `max` entries, or for as many as weigh that together.
    pub(super) fn new(max: u64, weighs: bool) -> Self {
        // Beyond, parts would overflow, and nobody has so much memory.
        let max = max.min(u64::MAX / ONE / 4);
        Policy {
            small: Ring::default(),
            main: Ring::default(),
            small_weight: 0,
            main_weight: 0,
            max,
            target: part(max, 20),
            ghosts: Ghosts::default(),
            now: 0,
            tick: if weighs { 0 } else { tick(max) },
            weighs,
        }
    }

    /// An entry is about to come; `is_full` says whether something must go for it.
    pub(super) fn expect(&mut self, hash: u32, weight: u64, is_full: bool) -> Coming {
        self.now = self.now.wrapping_add(1);
        let Some(away) = self.ghosts.take(hash, self.ticks()) else { return Coming { to_main: false } };
        if let Some(oldest) = self.small.oldest()
            && away <= 2 * self.age(oldest)
        {
            self.target = (self.target + ONE / 4 * weight).min(part(self.max, 2));
        }
        let to_main = !is_full || self.unused_in_main().is_none_or(|victim| self.age(victim) >= 2 * away);
        Coming { to_main }
    }

    /// Queues the entry that was expected.
    pub(super) fn add(&mut self, node: Node, coming: Coming) {
        node.head().since.store(self.ticks(), Ordering::Relaxed);
        if coming.to_main {
            return self.push_main(node);
        }
        node.head().queue.store(SMALL, Ordering::Relaxed);
        self.small_weight += node.weight();
        self.small.push(node);
        // As long as there is room, what the small queue has none for fills the main one.
        while self.small_weight.saturating_mul(ONE) > self.target && self.small_weight + self.main_weight < self.max {
            let Some(oldest) = self.pop_small() else { break };
            self.push_main(oldest);
        }
    }

    /// Takes out of its queue what goes for an entry that is expected.
    pub(super) fn evict(&mut self, coming: Coming) -> Option<Node> {
        let victim = if coming.to_main && self.main.len() > 0 { self.evict_main() } else { self.evict_any() };
        self.small.prefetch();
        self.main.prefetch();
        victim
    }

    fn evict_any(&mut self) -> Option<Node> {
        if self.small_weight.saturating_mul(ONE) >= self.target || self.main.len() == 0 {
            while let Some(node) = self.pop_small() {
                let head = node.head();
                if head.uses() < USES_TO_STAY {
                    let room = self.small.len() + self.main.len() + 1;
                    let grown = self.ghosts.add(head.hash, head.since.load(Ordering::Relaxed), self.ticks(), room);
                    if grown && self.weighs {
                        self.tick = tick(room as u64);
                    }
                    return Some(node);
                }
                head.set_uses(0);
                head.since.store(self.ticks(), Ordering::Relaxed);
                self.push_main(node);
                if self.main_weight.saturating_mul(ONE) + self.target > self.max * ONE {
                    break;
                }
            }
        }
        self.evict_main()
    }

    fn evict_main(&mut self) -> Option<Node> {
        self.unused_in_main()?;
        let node = self.main.pop()?;
        self.main_weight -= node.weight();
        Some(node)
    }

    /// Gives entries of the main queue another round for their uses until one without stands at its end.
    fn unused_in_main(&mut self) -> Option<Node> {
        loop {
            let node = self.main.oldest()?;
            let head = node.head();
            let uses = head.uses();
            if uses == 0 {
                return Some(node);
            }
            if uses == 1 {
                // Used once in a whole round: were the main queue as much shorter as the small one is long, it might
                // have been lost.
                let main = (self.max * ONE).saturating_sub(self.target).max(ONE);
                let less = u128::from(self.target) * u128::from(ONE * node.weight()) / u128::from(main);
                let less = u64::try_from(less).unwrap_or(self.target);
                self.target = self.target.saturating_sub(less).max(part(self.max, 50));
            }
            head.set_uses(uses - 1);
            head.since.store(self.ticks(), Ordering::Relaxed);
            self.main.pop();
            self.main.push(node);
        }
    }

    /// Takes a node out of its queue.
    pub(super) fn remove(&mut self, node: Node) {
        let weight = node.weight();
        if is_small(node) {
            self.small_weight -= weight;
            self.small.remove(node);
        } else {
            self.main_weight -= weight;
            self.main.remove(node);
        }
    }

    /// Puts a node in the place of another that is as heavy.
    pub(super) fn replace(&mut self, old: Node, new: Node) {
        new.head().queue.store(old.head().queue.load(Ordering::Relaxed), Ordering::Relaxed);
        new.head().since.store(old.head().since.load(Ordering::Relaxed), Ordering::Relaxed);
        new.head().set_uses(old.head().uses());
        if is_small(old) { self.small.replace(old, new) } else { self.main.replace(old, new) }
    }

    fn push_main(&mut self, node: Node) {
        node.head().queue.store(MAIN, Ordering::Relaxed);
        self.main_weight += node.weight();
        self.main.push(node);
    }

    fn pop_small(&mut self) -> Option<Node> {
        let node = self.small.pop()?;
        self.small_weight -= node.weight();
        Some(node)
    }

    /// How many ticks ago a node came into its queue.
    fn age(&self, node: Node) -> u32 {
        u32::from(self.ticks().wrapping_sub(node.head().since.load(Ordering::Relaxed)))
    }

    /// The time now.
    #[expect(clippy::cast_possible_truncation, reason = "it wraps")]
    fn ticks(&self) -> u16 {
        (self.now >> self.tick) as u16
    }
}

fn is_small(node: Node) -> bool {
    node.head().queue.load(Ordering::Relaxed) == SMALL
}

/// Insertions that are a tick: there are some thousand until as many entries came as there is room for, so ticks wrap
/// after a dozen times that.
fn tick(entries: u64) -> u32 {
    (u64::BITS - entries.leading_zeros()).saturating_sub(12).min(16)
}

/// One part in `of`, as a target.
fn part(max: u64, of: u64) -> u64 {
    (max * ONE / of).max(ONE)
}
