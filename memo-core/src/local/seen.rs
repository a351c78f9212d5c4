//! Nodes that somebody found, for as long as nothing can free them.

use super::node::Node;
use super::owned::Owned;
use crate::clock::Tick;
use crate::epoch::{Alone, Pinned};
use crate::events::Cause;
use crate::memo::context;
use std::marker::PhantomData;

/// A node that somebody found while pinned: as long as the pin lives, it is not freed.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    node: Node,
    /// No reference, so that a pin need not be in memory.
    _pin: PhantomData<&'a ()>,
}

impl<'a> Seen<'a> {
    #[inline(always)]
    pub(super) fn new(node: Node, _pin: &'a impl Pinned) -> Self {
        Seen { node, _pin: PhantomData }
    }

    #[inline(always)]
    pub(super) fn node(self) -> Node {
        self.node
    }

    #[inline(always)]
    pub(crate) fn deadline(self) -> Tick {
        self.node.deadline()
    }

    /// Whether its time has passed. Reads the clock only if the entry can expire.
    #[inline(always)]
    pub(crate) fn is_expired(self) -> bool {
        !super::is_fresh(self.deadline())
    }

    /// Whether it may be served without a further look: nothing at all was invalidated since its load began, or it goes with
    /// nothing, it can't expire, and it has no tags.
    #[inline(always)]
    pub(crate) fn is_simply_fresh(self) -> bool {
        self.node.is_simply_fresh()
    }

    /// Such a one is served: marks it as used.
    #[inline(always)]
    pub(crate) fn serve_simply(self) {
        self.node.head().use_once();
    }

    /// As [`is_simply_fresh`](Seen::is_simply_fresh), of one that can expire or has tags.
    #[inline(always)]
    pub(crate) fn is_fresh_by_its_times(self) -> bool {
        self.node.is_fresh_by_its_times()
    }

    /// It is served: marks it as used, and hands its tags to the load that the running code is inside of.
    #[inline(always)]
    pub(crate) fn serve(self) {
        self.node.head().use_once();
        self.hand_on_tags();
    }

    /// Hands its tags to the load that the running code is inside of.
    #[inline(always)]
    pub(crate) fn hand_on_tags(self) {
        context::inherit_from(self.node.tagged());
    }

    #[inline(always)]
    pub(crate) fn created(self) -> Tick {
        self.node.created()
    }
}

/// A node, and the pin under which it was found.
pub(crate) struct Held {
    pin: Alone,
    node: Node,
}

impl Held {
    #[inline(always)]
    pub(super) fn new(node: Node, pin: Alone) -> Self {
        Held { pin, node }
    }

    #[inline(always)]
    pub(crate) fn seen(&self) -> Seen<'_> {
        Seen::new(self.node, &self.pin)
    }
}

/// What went for a new entry.
pub(crate) struct Went<'a> {
    pub(super) replaced: Option<Seen<'a>>,
    pub(super) evicted: Evicted<'a>,
    /// The entry itself, which is heavier than all there may be.
    pub(super) too_heavy: Option<Owned>,
    /// Whether it is time to free what went.
    pub(super) is_due: bool,
    /// When the entry that came expires, if it does so before all others of its shard.
    pub(super) expires: Option<Tick>,
}

impl<'a> Went<'a> {
    /// How many entries went for want of room.
    pub(crate) fn evicted(&self) -> usize {
        self.evicted.len()
    }

    /// Whether the entry itself was not stored, since it is heavier than all there may be.
    pub(crate) fn is_too_heavy(&self) -> bool {
        self.too_heavy.is_some()
    }

    /// Whether it is time for [`free_sometimes`](Engine::free_sometimes).
    pub(crate) fn is_due(&self) -> bool {
        self.is_due
    }

    /// When the entry that came expires, if it does so before all others near it.
    pub(crate) fn expires(&self) -> Option<Tick> {
        self.expires
    }

    /// Tells of what left by itself: of a fresh entry that was replaced its caller knows.
    pub(crate) fn tell(&self, gone: &mut dyn FnMut(Seen<'a>, Cause)) {
        if let Some(replaced) = self.replaced.filter(|seen| seen.is_expired()) {
            gone(replaced, Cause::Expired);
        }
        self.evicted.iter().for_each(|seen| gone(seen, Cause::Evicted));
    }
}

/// Mostly one, or none.
#[derive(Default)]
pub(super) struct Evicted<'a> {
    first: Option<Seen<'a>>,
    others: Vec<Seen<'a>>,
}

impl<'a> Evicted<'a> {
    pub(super) fn push(&mut self, seen: Seen<'a>) {
        if self.first.is_none() {
            self.first = Some(seen);
        } else {
            self.others.push(seen);
        }
    }

    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Seen<'a>> {
        self.first.into_iter().chain(self.others.iter().copied())
    }
}
