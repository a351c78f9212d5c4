//! Evicts what is not used: two queues, a memory of what went, and two rules that keep them honest.
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
use super::queued::{Coming, MAIN, SMALL, Time, is_small};
use super::ring::Ring;
use super::table::Table;
use std::sync::atomic::Ordering;

/// Uses in the small queue that lead to the main one.
const USES_TO_STAY: u8 = 2;

pub(super) struct ByUse {
    small: Ring,
    main: Ring,
    small_weight: u64,
    main_weight: u64,
    max: u64,
    /// What the small queue should weigh. It moves by parts of a unit, and weights may be as large as `u64` is.
    target: f64,
    ghosts: Ghosts,
    time: Time,
    /// The hash of what goes next, as it looks.
    next: Option<u32>,
}

impl ByUse {
    /// For `max` entries, or for as many as weigh that together.
    pub(super) fn new(max: u64, weighs: bool) -> Self {
        ByUse {
            small: Ring::default(),
            main: Ring::default(),
            small_weight: 0,
            main_weight: 0,
            max,
            target: part(max, 20.0),
            ghosts: Ghosts::default(),
            time: Time::new(max, weighs),
            next: None,
        }
    }

    /// An entry is about to come; `is_full` says whether something must go for it.
    pub(super) fn expect(&mut self, node: Node, is_full: bool) -> Coming {
        self.time.pass();
        let Some(away) = self.ghosts.take(node.head().hash, self.time.now()) else { return Coming { to_main: false } };
        if let Some(oldest) = self.small.oldest()
            && away <= 2 * self.time.age(oldest)
        {
            self.target = (self.target + float(node.weight()) / 4.0).min(part(self.max, 2.0));
        }
        let to_main = !is_full || self.unused_in_main().is_none_or(|victim| self.time.age(victim) >= 2 * away);
        Coming { to_main }
    }

    /// Queues the entry that was expected.
    pub(super) fn add(&mut self, node: Node, coming: Coming) {
        node.head().since.store(self.time.now(), Ordering::Relaxed);
        if coming.to_main {
            return self.push_main(node);
        }
        node.head().queue.store(SMALL, Ordering::Relaxed);
        self.small_weight += node.weight();
        self.small.push(node);
        // As long as there is room, what the small queue has none for fills the main one.
        while float(self.small_weight) > self.target && self.small_weight + self.main_weight < self.max {
            let Some(oldest) = self.pop_small() else { break };
            self.push_main(oldest);
        }
    }

    /// Takes out of its queue what goes for an entry that is expected.
    pub(super) fn evict(&mut self, coming: Coming) -> Option<Node> {
        let victim = if coming.to_main && self.main.len() > 0 { self.evict_main() } else { self.evict_any() };
        let next = if self.is_small_long() { &mut self.small } else { &mut self.main };
        next.prefetch();
        self.next = next.oldest().map(|next| next.head().hash);
        victim
    }

    /// A key may come: has the processor fetch what will be looked at then.
    pub(super) fn prefetch(&self, hash: u32, table: &Table) {
        self.ghosts.prefetch(hash);
        if let Some(next) = self.next {
            table.prefetch(next);
            self.ghosts.prefetch(next);
        }
    }

    fn is_small_long(&self) -> bool {
        float(self.small_weight) >= self.target
    }

    fn evict_any(&mut self) -> Option<Node> {
        if self.is_small_long() || self.main.len() == 0 {
            while let Some(node) = self.pop_small() {
                let head = node.head();
                if head.uses() < USES_TO_STAY {
                    let room = self.small.len() + self.main.len() + 1;
                    self.ghosts.add(node, &mut self.time, room);
                    return Some(node);
                }
                head.set_uses(0);
                head.since.store(self.time.now(), Ordering::Relaxed);
                self.push_main(node);
                if float(self.main_weight) + self.target > float(self.max) {
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
                let main = (float(self.max) - self.target).max(1.0);
                let less = self.target * float(node.weight()) / main;
                self.target = (self.target - less).max(part(self.max, 50.0));
            }
            head.set_uses(uses - 1);
            head.since.store(self.time.now(), Ordering::Relaxed);
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
        let (old_head, head) = (old.head(), new.head());
        head.queue.store(old_head.queue.load(Ordering::Relaxed), Ordering::Relaxed);
        head.since.store(old_head.since.load(Ordering::Relaxed), Ordering::Relaxed);
        head.set_uses(old_head.uses());
        if is_small(old) { self.small.replace(old, new) } else { self.main.replace(old, new) }
    }

    pub(super) fn shrink(&mut self) {
        self.small.shrink();
        self.main.shrink();
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
}

/// A weight, to be compared with the target.
#[expect(clippy::cast_precision_loss, reason = "what is lost of a weight so large is less than the target knows")]
fn float(weight: u64) -> f64 {
    weight as f64
}

/// One part in `of`, as a target.
fn part(max: u64, of: f64) -> f64 {
    (float(max) / of).max(1.0)
}
