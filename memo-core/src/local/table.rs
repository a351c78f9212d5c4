//! Where nodes are found by the hash of their key: read by anybody without a lock, changed under the lock of its shard.
//!
//! Buckets of a cache line, with a byte of the hash and a pointer for each of seven nodes. A node whose bucket is full
//! goes to the next one, and each bucket that was passed by counts it, so that a search knows when to end; removing it
//! counts back, so nothing is left behind. Source: the overflow counts of F14 (N. Bronson, X. Shi, "Open-sourcing F14",
//! 2019).
#![allow(unsafe_code)]

use super::node::{Head, Node};
use super::prefetch;
use crate::sync::{AtomicPtr, AtomicU64};
use std::ptr::NonNull;
use std::sync::atomic::Ordering;

const SLOTS: usize = 7;
/// Nodes in a bucket on average, at the most.
const FILL: usize = 5;
const LOW_BITS: u64 = 0x0001_0101_0101_0101;
/// The count of nodes that passed a bucket by, above the tags.
const PASSED: u32 = 56;
/// A count that has come this far stays: it may be of more nodes than it can tell.
const UNKNOWN: u64 = 0xff;

#[repr(align(64))]
#[derive(Default)]
struct Bucket {
    /// A byte for each slot, zero where it is empty, and may be where it is not; on top how many nodes passed by.
    tags: AtomicU64,
    nodes: [AtomicPtr<Head>; SLOTS],
}

pub(super) struct Table {
    buckets: Box<[Bucket]>,
}

/// The search goes on in the next bucket.
pub(super) struct Further;

/// The part of a hash that a bucket keeps.
#[inline(always)]
fn tag(hash: u32) -> u64 {
    let [tag, ..] = hash.to_le_bytes();
    u64::from(tag)
}

/// One bit for each slot that has this tag, at the top of its byte. There may be too many, above a right one.
#[inline(always)]
fn matches(tags: u64, tag: u64) -> u64 {
    // The byte on top is no tag, and is lost at the end: nothing is carried down.
    let differ = tags ^ (LOW_BITS * tag);
    differ.wrapping_sub(LOW_BITS) & !differ & (LOW_BITS << 7)
}

impl Table {
    /// With room for so many nodes.
    pub(super) fn with_room(nodes: usize) -> Self {
        let buckets = nodes.div_ceil(FILL).max(1);
        Table { buckets: (0..buckets).map(|_| Bucket::default()).collect() }
    }

    /// How many nodes it has room for.
    pub(super) fn room(&self) -> usize {
        self.buckets.len() * FILL
    }

    #[inline(always)]
    fn home(&self, hash: u32) -> usize {
        // A part of the range, by the hash's upper bits: the number of buckets need be no power of two.
        ((u64::from(hash) * self.buckets.len() as u64) >> 32) as usize
    }

    /// Has the processor fetch where a node of this hash is.
    pub(super) fn prefetch(&self, hash: u32) {
        prefetch::line(self.bucket(hash));
    }

    /// The bucket where the search for a hash begins.
    #[inline(always)]
    fn bucket(&self, hash: u32) -> &Bucket {
        // SAFETY: a part of their number is below it, and there is one at least.
        unsafe { self.buckets.get_unchecked(self.home(hash)) }
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 < self.buckets.len() { at + 1 } else { 0 }
    }

    /// The first node of this hash to which `is` says yes.
    #[inline(always)]
    pub(super) fn find(&self, hash: u32, mut is: impl FnMut(Node) -> bool) -> Option<Node> {
        match self.find_at_once(hash, &mut is) {
            Ok(found) => found,
            Err(Further) => self.find_further(self.home(hash), hash, is),
        }
    }

    /// As [`find`](Table::find), in the bucket where the search begins; it may go on behind it.
    #[inline(always)]
    pub(super) fn find_at_once(&self, hash: u32, mut is: impl FnMut(Node) -> bool) -> Result<Option<Node>, Further> {
        let bucket = self.bucket(hash);
        let tags = bucket.tags.load(Ordering::Acquire);
        match bucket.find(matches(tags, tag(hash)), &mut is) {
            None if tags >> PASSED != 0 => Err(Further),
            found => Ok(found),
        }
    }

    /// As [`find`](Table::find), past the bucket where the search began. Apart, since it is seldom needed and its loop
    /// would take the registers of the first look.
    #[inline(never)]
    fn find_further(&self, mut at: usize, hash: u32, mut is: impl FnMut(Node) -> bool) -> Option<Node> {
        for _ in 1..self.buckets.len() {
            at = self.after(at);
            let bucket = &self.buckets[at];
            let tags = bucket.tags.load(Ordering::Acquire);
            let found = bucket.find(matches(tags, tag(hash)), &mut is);
            if found.is_some() || tags >> PASSED == 0 {
                return found;
            }
        }
        None
    }

    /// Puts a node in, into a table with room for it.
    pub(super) fn insert(&self, node: Node) {
        let hash = node.head().hash;
        let mut at = self.home(hash);
        for _ in 0..self.buckets.len() {
            let bucket = &self.buckets[at];
            let tags = bucket.tags.load(Ordering::Relaxed);
            let is_empty = |slot: &usize| bucket.nodes[*slot].load(Ordering::Relaxed).is_null();
            if let Some(slot) = (0..SLOTS).find(is_empty) {
                // The pointer first: who sees the tag finds it.
                bucket.nodes[slot].store(node.0.as_ptr(), Ordering::Release);
                bucket.tags.store(tags | tag(hash) << (slot * 8), Ordering::Release);
                return;
            }
            if tags >> PASSED != UNKNOWN {
                bucket.tags.store(tags + (1 << PASSED), Ordering::Release);
            }
            at = self.after(at);
        }
        unreachable!("a table is grown before it is full");
    }

    /// Puts a node in the place of another one of its hash, which is there.
    pub(super) fn replace(&self, old: Node, new: Node) {
        let (at, slot) = self.place(old);
        self.buckets[at].nodes[slot].store(new.0.as_ptr(), Ordering::Release);
    }

    /// Takes a node out that is there.
    pub(super) fn remove(&self, node: Node) {
        let (at, slot) = self.place(node);
        let bucket = &self.buckets[at];
        let tags = bucket.tags.load(Ordering::Relaxed);
        bucket.tags.store(tags & !(0xff << (slot * 8)), Ordering::Release);
        bucket.nodes[slot].store(std::ptr::null_mut(), Ordering::Release);
        let mut passed = self.home(node.head().hash);
        while passed != at {
            let bucket = &self.buckets[passed];
            let tags = bucket.tags.load(Ordering::Relaxed);
            if tags >> PASSED != UNKNOWN {
                bucket.tags.store(tags - (1 << PASSED), Ordering::Release);
            }
            passed = self.after(passed);
        }
    }

    fn place(&self, node: Node) -> (usize, usize) {
        let hash = node.head().hash;
        let mut at = self.home(hash);
        for _ in 0..self.buckets.len() {
            let bucket = &self.buckets[at];
            let is_it = |slot: &usize| bucket.nodes[*slot].load(Ordering::Relaxed) == node.0.as_ptr();
            if let Some(slot) = (0..SLOTS).find(is_it) {
                return (at, slot);
            }
            at = self.after(at);
        }
        unreachable!("it is there");
    }

    /// All nodes that are there now.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node> {
        self.buckets.iter().flat_map(Bucket::nodes)
    }

    /// The nodes of one part of it that are there now; `None` past its end.
    pub(super) fn part(&self, at: usize) -> Option<impl Iterator<Item = Node>> {
        self.buckets.get(at).map(Bucket::nodes)
    }
}

impl Bucket {
    fn nodes(&self) -> impl Iterator<Item = Node> {
        self.nodes.iter().filter_map(|slot| NonNull::new(slot.load(Ordering::Acquire)).map(Node))
    }

    #[inline(always)]
    fn find(&self, mut matches: u64, is: &mut impl FnMut(Node) -> bool) -> Option<Node> {
        while matches != 0 {
            let slot = matches.trailing_zeros() as usize / 8;
            // Null where the slot is empty or its node is being taken out. Another one than the tag was of, where it is used
            // again.
            if let Some(node) = NonNull::new(self.nodes[slot].load(Ordering::Acquire)).map(Node)
                && is(node)
            {
                return Some(node);
            }
            matches &= matches - 1;
        }
        None
    }
}

#[cfg(all(test, not(any(shuttle, loom))))]
mod tests {
    use super::super::node::Extra;
    use super::super::owned::Owned;
    use super::*;
    use crate::clock::Tick;
    use std::sync::OnceLock;

    #[test]
    fn a_node_whose_tag_is_that_of_an_empty_slot_is_found_until_it_is_taken_out() {
        let others = OnceLock::new();
        let extra = Extra { created: Tick::from_nanos(0), deadline: Tick::NEVER, weight: 1, class: None };
        // Of one bucket, and its tags are zero.
        let hash = |at: u32| at << 8;
        let owned: Vec<Owned> = (0..5).map(|at| Owned::new(hash(at), (at, ()), extra, None, &others)).collect();
        let table = Table::with_room(owned.len());
        let find = |at: u32| table.find(hash(at), |node| node.head().hash == hash(at));
        for (at, owned) in (0..).zip(&owned) {
            assert!(find(at).is_none());
            table.insert(owned.node());
            assert!(find(at) == Some(owned.node()), "{at} was put in");
        }
        assert_eq!(table.nodes().count(), 5);
        table.remove(owned[2].node());
        table.remove(owned[0].node());
        assert!((0..5).all(|at| find(at).is_some() == (at != 0 && at != 2)));
        // Into a slot between others.
        table.insert(owned[2].node());
        assert!((0..5).all(|at| find(at).is_some() == (at != 0)));
    }
}
