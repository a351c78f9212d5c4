//! One stored entry in memory: a head whose layout is the same for all types, and behind it key and value.
//!
//! Table and policy know the head alone, so they are compiled once and not again for each function.
#![allow(unsafe_code)]

use crate::clock::Tick;
use crate::invalidations::{self, Marks};
use crate::sync::IS_MODEL;
use std::any::Any;
use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
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
    /// When it was stored, in quarters of a second, above the [`EXTENDED`] and [`TAGGED`] bits; an extended entry says it
    /// finely. One that never expires is only asked for its age by people.
    stamp: u32,
}

/// The entry is an [`Extended`] one.
const EXTENDED: u32 = 1;
/// It has tags, for whoever gets its value.
const TAGGED: u32 = 1 << 1;
const FLAGS: u32 = 2;

/// A head is sixteen bytes, so that an entry of a number for a number takes half a cache line.
const _: () = assert!(size_of::<Head>() == 16);

const QUARTER: Duration = Duration::from_millis(250);

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
    /// Whether an entry needs it for its own sake.
    fn says_something(self) -> bool {
        self.deadline != Tick::NEVER || self.weight != 1 || self.class.is_some()
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

#[repr(C)]
struct Plain<K, V> {
    head: Head,
    payload: Payload<K, V>,
}

/// What a hit looks at stands together, from the head on; the rest stands before it. So a hit of a small entry touches one
/// or two lines, whatever else is known of it.
#[repr(C)]
struct Extended<K, V> {
    rest: Rest,
    head: Head,
    hot: Hot,
    payload: Payload<K, V>,
}

/// What a hit does not look at.
struct Rest {
    created: Tick,
    weight: u64,
    /// What the policy thinks it is worth, where it goes by cost. Changed under the lock of its shard.
    worth: AtomicU64,
    marks: Option<Arc<Marks>>,
}

struct Hot {
    deadline: Tick,
    /// Up to this number, nothing that it goes with was invalidated; what goes with nothing is ahead of all numbers.
    checked: AtomicU64,
}

/// From the head of an extended entry to its other parts. `repr(C)`, and the types of all that comes before are known, so it is
/// the same whatever the key and the value are.
const TO_REST: usize = offset_of!(Extended<(), ()>, head) - offset_of!(Extended<(), ()>, rest);
const TO_HOT: usize = offset_of!(Extended<(), ()>, hot) - offset_of!(Extended<(), ()>, head);

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
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: a hint, which reads nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(self.0.as_ptr().cast()) }
        }
    }

    /// When it expires.
    #[inline(always)]
    pub(super) fn deadline(self) -> Tick {
        self.hot().map_or(Tick::NEVER, |hot| hot.deadline)
    }

    pub(super) fn weight(self) -> u64 {
        self.rest().map_or(1, |rest| rest.weight)
    }

    /// When it was stored.
    #[inline(always)]
    pub(super) fn created(self) -> Tick {
        self.rest().map_or_else(|| Tick::at(QUARTER * (self.head().stamp >> FLAGS)), |rest| rest.created)
    }

    #[inline(always)]
    fn hot(&self) -> Option<&Hot> {
        if !self.head().is_extended() {
            return None;
        }
        // SAFETY: the head of an extended entry is followed by this. By the invariant of this type the node is not freed.
        Some(unsafe { self.0.byte_add(TO_HOT).cast().as_ref() })
    }

    #[inline(always)]
    fn rest(&self) -> Option<&Rest> {
        if !self.head().is_extended() {
            return None;
        }
        // SAFETY: this stands before the head of an extended entry, in one allocation, of all of which the pointer was
        // made. By the invariant of this type the node is not freed.
        Some(unsafe { self.0.byte_sub(TO_REST).cast().as_ref() })
    }

    /// Whether nothing that it goes with was invalidated since its load began.
    #[inline(always)]
    pub(super) fn is_valid(self) -> bool {
        let Some(hot) = self.hot() else { return true };
        invalidations::is_latest(hot.checked.load(Ordering::Relaxed)) || self.check(hot)
    }

    #[cold]
    fn check(self, hot: &Hot) -> bool {
        let Some(marks) = self.rest().and_then(|rest| rest.marks.as_ref()) else { return true };
        let latest = invalidations::latest();
        let is_valid = marks.check();
        if is_valid {
            hot.checked.fetch_max(latest, Ordering::Relaxed);
        }
        is_valid
    }

    /// What it goes with, if that has tags.
    #[inline(always)]
    pub(super) fn tagged(&self) -> Option<&Marks> {
        if self.head().stamp & TAGGED == 0 {
            return None;
        }
        self.rest()?.marks.as_deref()
    }

    /// What the policy thought it was worth.
    pub(super) fn worth(self) -> u64 {
        self.rest().map_or(0, |rest| rest.worth.load(Ordering::Relaxed))
    }

    pub(super) fn set_worth(self, worth: u64) {
        if let Some(rest) = self.rest() {
            rest.worth.store(worth, Ordering::Relaxed);
        }
    }

    /// Key and value.
    ///
    /// # Safety
    /// The node was made by `Owned::new::<K, V>`, and is not freed for the lifetime.
    #[inline(always)]
    pub(super) unsafe fn payload<'a, K, V>(self) -> &'a Payload<K, V> {
        let offset = match self.head().is_extended() {
            true => offset_of!(Extended<K, V>, payload) - offset_of!(Extended<K, V>, head),
            false => offset_of!(Plain<K, V>, payload),
        };
        // SAFETY: a node of these types, as the caller says, has its payload there.
        unsafe { self.0.byte_add(offset).cast::<Payload<K, V>>().as_ref() }
    }
}

impl Head {
    #[inline(always)]
    fn is_extended(&self) -> bool {
        self.stamp & EXTENDED != 0
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

/// What can be done with nodes of some types by those who do not know them.
pub(super) struct Types {
    /// Frees a node. Safety: it is of these types, and nobody uses it any more.
    free: unsafe fn(Node),
    /// Whether two have one key. Safety: they are of these types.
    pub(super) have_one_key: unsafe fn(Node, Node) -> bool,
    /// Whether a node has this key. Safety: it is of these types.
    pub(super) has_key: unsafe fn(Node, &(dyn Any + Send + Sync)) -> bool,
}

impl Types {
    pub(super) const fn of<K: Eq + 'static, V>() -> &'static Self {
        const {
            &Types {
                free: free::<K, V>,
                // SAFETY: the caller says that they are of these types.
                have_one_key: |one, other| unsafe { one.payload::<K, V>().key == other.payload::<K, V>().key },
                // SAFETY: as above.
                has_key: |node, key| key.downcast_ref() == Some(unsafe { &node.payload::<K, V>().key }),
            }
        }
    }
}

/// A node that nobody else has. Dropping it frees it, with the code of the owner of key and value.
pub(crate) struct Owned {
    node: Node,
    types: &'static Types,
}

impl Owned {
    pub(super) fn new<K, V>(hash: u32, key: K, value: V, extra: Extra, marks: Option<Arc<Marks>>) -> Self
    where
        K: Eq + Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        let is_extended = extra.says_something() || marks.is_some();
        let is_tagged = marks.as_ref().is_some_and(|marks| !marks.tags().is_empty());
        let quarters = extra.created.since(Tick::at(Duration::ZERO)).as_millis() / QUARTER.as_millis();
        let quarters = u32::try_from(quarters).unwrap_or(u32::MAX).min(u32::MAX >> FLAGS);
        let flags = if is_extended { EXTENDED } else { 0 } | if is_tagged { TAGGED } else { 0 };
        let head = Head {
            hash,
            place: AtomicU32::new(0),
            since: AtomicU16::new(0),
            uses: AtomicU8::new(0),
            queue: AtomicU8::new(extra.class.unwrap_or(0)),
            stamp: quarters << FLAGS | flags,
        };
        let payload = Payload { key, value };
        let node: NonNull<Head> = match is_extended {
            true => {
                let Extra { created, deadline, weight, .. } = extra;
                let checked = AtomicU64::new(marks.as_ref().map_or(u64::MAX, |marks| marks.stamp()));
                let rest = Rest { created, weight, worth: AtomicU64::new(0), marks };
                let extended = Extended { rest, head, hot: Hot { deadline, checked }, payload };
                let leaked = NonNull::from(Box::leak(Box::new(extended)));
                // SAFETY: it is within the allocation.
                unsafe { leaked.byte_add(offset_of!(Extended<K, V>, head)).cast() }
            }
            false => NonNull::from(Box::leak(Box::new(Plain { head, payload }))).cast(),
        };
        Owned { node: Node(node), types: Types::of::<K, V>() }
    }

    /// A node that was [given away](Owned::give).
    ///
    /// # Safety
    /// It is of these types, nobody finds it any more, and nobody still has it.
    pub(super) unsafe fn taken(node: Node, types: &'static Types) -> Self {
        Owned { node, types }
    }

    pub(super) fn node(&self) -> Node {
        self.node
    }

    /// Gives the node to a table.
    pub(super) fn give(self) -> Node {
        let node = self.node;
        std::mem::forget(self);
        node
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: it is of these types, and it is the only one.
        unsafe { (self.types.free)(self.node) }
    }
}

/// # Safety
/// The node was made by `Owned::new::<K, V>`, and nobody uses it any more.
unsafe fn free<K, V>(node: Node) {
    if IS_MODEL {
        // Its memory stays, so that a model sees who reads it. SAFETY: as below.
        return unsafe { std::ptr::drop_in_place(std::ptr::from_ref(node.payload::<K, V>()).cast_mut()) };
    }
    if node.head().is_extended() {
        // SAFETY: it was leaked from such a box, whose beginning is so far from its head.
        drop(unsafe {
            Box::from_raw(node.0.byte_sub(offset_of!(Extended<K, V>, head)).cast::<Extended<K, V>>().as_ptr())
        });
    } else {
        // SAFETY: as above.
        drop(unsafe { Box::from_raw(node.0.cast::<Plain<K, V>>().as_ptr()) });
    }
}
