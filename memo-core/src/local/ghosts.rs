//! Which keys were evicted not long ago, and when they had come.
//!
//! A fingerprint and a time for each, in buckets of one cache line, in the order they went; the last one makes way. A
//! wrong answer, once in some thousands, costs an entry its fair place, no more.

use super::node::Node;
use super::prefetch;
use super::queued::Time;
use std::sync::atomic::Ordering;

/// Ghosts in a bucket.
const WAYS: usize = 16;

#[derive(Clone)]
#[repr(align(64))]
struct Bucket {
    /// Zero where there is none.
    fingerprints: [u16; WAYS],
    since: [u16; WAYS],
}

impl Bucket {
    // All ways and no way out of the loop in between, so that the compiler looks at all of them at once.
    fn way_of(&self, fingerprint: u16) -> Option<usize> {
        let known = self.fingerprints.iter().enumerate();
        let ways = known.fold(0_u32, |ways, (way, known)| ways | u32::from(*known == fingerprint) << way);
        (ways != 0).then(|| ways.trailing_zeros() as usize)
    }

    /// Puts one before all others, in the place of one that was forgotten or of the last.
    fn push(&mut self, fingerprint: u16, since: u16) {
        let way = self.way_of(0).unwrap_or(WAYS - 1);
        self.fingerprints.copy_within(..way, 1);
        self.since.copy_within(..way, 1);
        (self.fingerprints[0], self.since[0]) = (fingerprint, since);
    }
}

const EMPTY: Bucket = Bucket { fingerprints: [0; WAYS], since: [0; WAYS] };

/// The ghosts of one shard. Times are ticks of its policy, which wrap.
#[derive(Default)]
pub(super) struct Ghosts {
    /// None before the first eviction: most caches never fill.
    buckets: Vec<Bucket>,
}

/// Ghosts for each entry there is room for.
const PER_ENTRY: usize = 2;

impl Ghosts {
    /// Remembers the key of a node that goes. There is room for so many entries: of twice as many is known that they
    /// went.
    pub(super) fn add(&mut self, node: Node, time: &mut Time, room: usize) {
        let (hash, since) = (node.head().hash, node.head().since.load(Ordering::Relaxed));
        let buckets = (room * PER_ENTRY).div_ceil(WAYS);
        // By weight, there may be many more entries at one time than at another.
        if self.buckets.len() * 2 < buckets {
            self.buckets = vec![EMPTY; buckets];
            time.learn(room);
        }
        let at = self.at(hash);
        self.buckets[at].push(fingerprint(hash), since);
    }

    /// Forgets a key that comes back; how many ticks ago it had come before, if it is known.
    pub(super) fn take(&mut self, hash: u32, now: u16) -> Option<u32> {
        let (at, fingerprint) = (self.at(hash), fingerprint(hash));
        let bucket = self.buckets.get_mut(at)?;
        let way = bucket.way_of(fingerprint)?;
        bucket.fingerprints[way] = 0;
        Some(u32::from(now.wrapping_sub(bucket.since[way])))
    }

    /// Has the processor fetch where a key of this hash is known.
    pub(super) fn prefetch(&self, hash: u32) {
        self.buckets.get(self.at(hash)).into_iter().for_each(prefetch::all);
    }

    fn at(&self, hash: u32) -> usize {
        usize::try_from((u64::from(hash) * self.buckets.len() as u64) >> 32).unwrap_or(0)
    }
}

/// By the lower bits of a hash, where its upper ones choose the bucket.
fn fingerprint(hash: u32) -> u16 {
    u16::try_from(hash & 0xffff).unwrap_or(0).max(1)
}
