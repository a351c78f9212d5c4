//! One stored entry in memory: a head whose layout is the same for all types, behind it key and value, and before it what
//! only some entries have.
//!
//! Table and policy know the head alone, so they are compiled once and not again for each function.
#![allow(unsafe_code)]

use super::prefetch;
use crate::clock::Tick;
use crate::invalidations::{Checked, Marks, Name};
use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What the engine knows of an entry. What changes after it was made is changed under the lock of its shard, but for
/// `uses`, which readers raise.
#[repr(C)]
pub(super) struct Head {
    /// The bits of the key's hash that say where in its shard it is.
    pub(super) hash: u32,
    /// Where in its queue it is.
    pub(super) place: AtomicU32,
    /// When it came into its queue, in ticks of the policy.
    pub(super) since: AtomicU16,
    /// How often it was found since the policy looked last, up to [`MAX_USES`].
    uses: AtomicU8,
    /// In which queue it is.
    pub(super) queue: AtomicU8,
    /// When it was stored, in quarters of a second, above the bits that say what it is; one that expires says it finely.
    /// One that never does is only asked for its age by people.
    stamp: u32,
}

/// The entry has an [`Extension`] before it.
pub(super) const EXTENDED: u32 = 1;
/// It goes with its key and what all such entries of its engine go with: it has [`Checked`] alone before it, or is an
/// extended or timed one without marks of its own.
pub(super) const MARKED: u32 = 1 << 1;
/// It has [`Times`] alone before it.
pub(super) const TIMED: u32 = 1 << 2;
/// It is extended, and has tags for whoever gets its value. Both bits, since an extended entry is not timed: so three are
/// enough, and what is left of the stamp lasts for four years of a machine.
pub(super) const TAGGED: u32 = EXTENDED | TIMED;
const FLAGS: u32 = 3;
const ALL_FLAGS: u32 = (1 << FLAGS) - 1;

/// A head is sixteen bytes, so that an entry of a number for a number takes half a cache line.
const _: () = assert!(size_of::<Head>() == 16);

/// A quarter of a second, in nanoseconds.
const QUARTER: u64 = Tick::at(Duration::from_millis(250)).nanos();

/// What only some entries have: those that can expire, have a weight, or go with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extra {
    pub(super) created: Tick,
    /// Fresh before this, expired from then on.
    pub(super) deadline: Tick,
    /// At least 1.
    pub(super) weight: u64,
    /// What it cost, where the policy goes by cost.
    pub(super) class: Option<u8>,
}

impl Extra {
    /// Whether it says when the entry expires.
    pub(super) fn has_times(self) -> bool {
        self.deadline != Tick::NEVER
    }

    /// Whether it says anything else.
    pub(super) fn has_more(self) -> bool {
        self.weight != 1 || self.class.is_some()
    }
}

/// The bits of a hash that say where in its shard a key is. The shard goes by others.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
pub(super) fn in_shard(hash: u64) -> u32 {
    hash as u32
}

/// Uses are counted up to this.
pub(super) const MAX_USES: u8 = 3;

/// Key and value, in the order the compiler likes.
pub(super) struct Payload<K, V> {
    pub(super) key: K,
    pub(super) value: V,
}

/// What every entry has. An entry of which there is no more to say is this alone.
#[repr(C)]
pub(super) struct Body<K, V> {
    pub(super) head: Head,
    pub(super) payload: Payload<K, V>,
}

/// What an entry has right before its head, if it has a weight or a cost, or goes with others. What fewer entries have
/// stands further from the head, and what a hit looks at next to it. So a hit of a small entry touches one or two lines,
/// whatever else is known of it.
#[repr(C)]
pub(super) struct Extension {
    pub(super) weight: u64,
    /// What the policy thinks it is worth, where it goes by cost. Changed under the lock of its shard.
    pub(super) worth: AtomicU64,
    pub(super) marks: Option<Arc<Marks>>,
    pub(super) times: Times,
}

/// This alone stands there for an entry that expires, and of which there is no more to say.
#[repr(C)]
pub(super) struct Times {
    pub(super) created: Tick,
    pub(super) deadline: Tick,
    /// This alone stands there for an entry in front of a cache of which there is no more to say: its other names are
    /// those of its engine.
    pub(super) checked: Checked,
}

const _: () = assert!(offset_of!(Extension, times) + size_of::<Times>() == size_of::<Extension>());
const _: () = assert!(offset_of!(Times, checked) + size_of::<Checked>() == size_of::<Times>());

/// A node, wherever it is: in a table, in a queue, or waiting to be freed.
///
/// Invariant: whoever has one either holds the lock of the shard that the node belongs to, or is pinned since before it
/// was found in the table; so it is not freed meanwhile. Only [`Owned`] frees.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Node(pub(super) NonNull<Head>);

// SAFETY: a node is made of a key and a value that are `Send` and `Sync` (`Owned::new` asks for it), of atomics, and of
// plain data that nobody changes.
unsafe impl Send for Node {}
// SAFETY: as above.
unsafe impl Sync for Node {}

impl Node {
    #[inline(always)]
    pub(super) fn head(&self) -> &Head {
        // SAFETY: by the invariant of this type the node is not freed, and nobody has it mutably.
        unsafe { self.0.as_ref() }
    }

    /// Has the processor fetch it.
    #[inline(always)]
    pub(super) fn prefetch(self) {
        prefetch::line(self.0.as_ptr());
    }

    /// When it expires.
    #[inline(always)]
    pub(super) fn deadline(self) -> Tick {
        self.times().map_or(Tick::NEVER, |times| times.deadline)
    }

    pub(super) fn weight(self) -> u64 {
        self.extension().map_or(1, |extension| extension.weight)
    }

    /// When it was stored.
    #[inline(always)]
    pub(super) fn created(self) -> Tick {
        // One multiplication: a look, unlike a glance, works it out whether or not somebody asks.
        let stored = |stamp: u32| Tick::from_nanos(QUARTER * u64::from(stamp >> FLAGS));
        self.times().map_or_else(|| stored(self.head().stamp), |times| times.created)
    }

    #[inline(always)]
    fn times(&self) -> Option<&Times> {
        if !self.head().has(EXTENDED | TIMED) {
            return None;
        }
        // SAFETY: both kinds have it before the head, in one allocation, of all of which the pointer was made. By the
        // invariant of this type the node is not freed.
        Some(unsafe { self.0.byte_sub(size_of::<Times>()).cast().as_ref() })
    }

    fn extension(&self) -> Option<&Extension> {
        if !self.head().has(EXTENDED) {
            return None;
        }
        // SAFETY: as above, of an extended one.
        Some(unsafe { self.0.byte_sub(size_of::<Extension>()).cast().as_ref() })
    }

    /// Whether nothing that it goes with was invalidated since its load began. `others` are the names of the marked
    /// entries of its engine.
    #[inline(always)]
    pub(super) fn is_valid(self, others: &OnceLock<[Name; 2]>) -> bool {
        if !self.head().has(EXTENDED | TIMED | MARKED) {
            return true;
        }
        // SAFETY: it is one of them.
        let checked = unsafe { self.checked() };
        checked.is_latest() || self.check(checked, others)
    }

    /// Whether it can't expire, has no tags, and goes with nothing, or nothing at all was invalidated since its load began.
    /// `false` is for who looks closer.
    #[inline(always)]
    pub(super) fn is_simply_fresh(self) -> bool {
        match self.head().stamp & ALL_FLAGS {
            0 => true,
            // SAFETY: it is marked.
            MARKED => unsafe { self.checked() }.is_latest(),
            _ => false,
        }
    }

    /// Whether it is timed or extended and has not expired, and nothing at all was invalidated since its load began or it
    /// goes with nothing. `false` is for who looks closer.
    #[inline(always)]
    pub(super) fn is_fresh_by_its_times(self) -> bool {
        self.times().is_some_and(|times| times.checked.is_latest() && super::is_fresh(times.deadline))
    }

    /// Up to which number it is known to be valid.
    ///
    /// # Safety
    /// It is marked, timed or extended.
    #[inline(always)]
    unsafe fn checked(&self) -> &Checked {
        // SAFETY: all these have it there, in one allocation with the head, of all of which the pointer was made. By the
        // invariant of this type the node is not freed.
        unsafe { self.0.byte_sub(size_of::<Checked>()).cast().as_ref() }
    }

    #[cold]
    fn check(self, checked: &Checked, others: &OnceLock<[Name; 2]>) -> bool {
        match self.extension().and_then(|extension| extension.marks.as_ref()) {
            Some(marks) => checked.check(marks),
            // There are some, since it is marked.
            None if self.head().has(MARKED) => others.get().is_some_and(|others| checked.check_alone(*others)),
            None => true,
        }
    }

    /// What it goes with, if that has tags.
    #[inline(always)]
    pub(super) fn tagged(&self) -> Option<&Marks> {
        if self.head().stamp & TAGGED != TAGGED {
            return None;
        }
        self.extension()?.marks.as_deref()
    }

    /// What the policy thought it was worth.
    pub(super) fn worth(self) -> u64 {
        self.extension().map_or(0, |extension| extension.worth.load(Ordering::Relaxed))
    }

    pub(super) fn set_worth(self, worth: u64) {
        if let Some(extension) = self.extension() {
            extension.worth.store(worth, Ordering::Relaxed);
        }
    }

    /// Key and value.
    ///
    /// # Safety
    /// The node was made by `Owned::new::<K, V>`, and is not freed for the lifetime.
    #[inline(always)]
    pub(super) unsafe fn payload<'a, K, V>(self) -> &'a Payload<K, V> {
        // SAFETY: the head is that of a body of these types, as the caller says.
        unsafe { &self.0.cast::<Body<K, V>>().as_ref().payload }
    }
}

impl Head {
    /// Of an entry that was stored then, and is this.
    pub(super) fn new(hash: u32, created: Tick, class: Option<u8>, flags: u32) -> Self {
        let quarters = u32::try_from(created.nanos() / QUARTER).unwrap_or(u32::MAX).min(u32::MAX >> FLAGS);
        Head {
            hash,
            place: AtomicU32::new(0),
            since: AtomicU16::new(0),
            uses: AtomicU8::new(0),
            queue: AtomicU8::new(class.unwrap_or(0)),
            stamp: quarters << FLAGS | flags,
        }
    }

    /// Whether it has one of these flags.
    #[inline(always)]
    pub(super) fn has(&self, flags: u32) -> bool {
        self.stamp & flags != 0
    }

    /// Notes that the entry was found. Not an atomic addition: a use that gets lost does no harm, and an entry that is
    /// in use is not written to at all.
    #[inline(always)]
    pub(super) fn use_once(&self) {
        let uses = self.uses.load(Ordering::Relaxed);
        if uses < MAX_USES {
            self.uses.store(uses + 1, Ordering::Relaxed);
        }
    }

    pub(super) fn uses(&self) -> u8 {
        self.uses.load(Ordering::Relaxed)
    }

    pub(super) fn set_uses(&self, uses: u8) {
        self.uses.store(uses, Ordering::Relaxed);
    }
}
