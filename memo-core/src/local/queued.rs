//! What the policies say of nodes in their queues, and when.

use super::node::Node;
use std::sync::atomic::Ordering;

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
