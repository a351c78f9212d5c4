//! One stored entry in memory: a head whose layout is the same for all types, and behind it key and value.
//!
//! Table and policy know the head alone, so they are compiled once and not again for each function.
#![allow(unsafe_code)]

use crate::clock::Tick;
use crate::invalidations::Marks;
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
    /// When it was stored, in quarters of a second, and in the lowest bit whether it is extended, which says it finely.
    /// An entry that never expires is only asked for its age by people.
    stamp: u32,
}

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

#[repr(C)]
struct Extended<K, V> {
    head: Head,
    extra: Extra,
    /// What the policy thinks it is worth, where it goes by cost. Changed under the lock of its shard.
    worth: AtomicU64,
    marks: Option<Arc<Marks>>,
    payload: Payload<K, V>,
}

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
        self.extra().map_or(Tick::NEVER, |extra| extra.deadline)
    }

    pub(super) fn weight(self) -> u64 {
        self.extra().map_or(1, |extra| extra.weight)
    }

    /// When it was stored.
    #[inline(always)]
    pub(super) fn created(self) -> Tick {
        self.extra().map_or_else(|| Tick::at(QUARTER * (self.head().stamp >> 1)), |extra| extra.created)
    }

    #[inline(always)]
    fn extra(self) -> Option<Extra> {
        if !self.head().is_extended() {
            return None;
        }
        // SAFETY: an extended node begins as an `Extended<K, V>` does, whose second field stands at this offset
        // whatever `K` and `V` are: `repr(C)`, and the types of what comes before are known.
        Some(unsafe { self.0.byte_add(offset_of!(Extended<(), ()>, extra)).cast::<Extra>().read() })
    }

    /// What it goes with.
    #[inline(always)]
    pub(super) fn marks(&self) -> Option<&Marks> {
        if !self.head().is_extended() {
            return None;
        }
        // SAFETY: as for `extra`; and nobody changes it as long as the node is there.
        unsafe { self.0.byte_add(offset_of!(Extended<(), ()>, marks)).cast::<Option<Arc<Marks>>>().as_ref() }.as_deref()
    }

    fn worth_place(&self) -> Option<&AtomicU64> {
        if !self.head().is_extended() {
            return None;
        }
        // SAFETY: as for `extra`.
        Some(unsafe { self.0.byte_add(offset_of!(Extended<(), ()>, worth)).cast().as_ref() })
    }

    /// What the policy thought it was worth.
    pub(super) fn worth(self) -> u64 {
        self.worth_place().map_or(0, |worth| worth.load(Ordering::Relaxed))
    }

    pub(super) fn set_worth(self, worth: u64) {
        if let Some(place) = self.worth_place() {
            place.store(worth, Ordering::Relaxed);
        }
    }

    /// Key and value.
    ///
    /// # Safety
    /// The node was made by `Owned::new::<K, V>`, and is not freed for the lifetime.
    #[inline(always)]
    pub(super) unsafe fn payload<'a, K, V>(self) -> &'a Payload<K, V> {
        let offset = match self.head().is_extended() {
            true => offset_of!(Extended<K, V>, payload),
            false => offset_of!(Plain<K, V>, payload),
        };
        // SAFETY: a node of these types, as the caller says, has its payload there.
        unsafe { self.0.byte_add(offset).cast::<Payload<K, V>>().as_ref() }
    }
}

impl Head {
    #[inline(always)]
    fn is_extended(&self) -> bool {
        self.stamp & 1 != 0
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
        let quarters = extra.created.since(Tick::at(Duration::ZERO)).as_millis() / QUARTER.as_millis();
        let stamp =
            u32::try_from(quarters << 1 | u128::from(is_extended)).unwrap_or(u32::MAX - u32::from(!is_extended));
        let head = Head {
            hash,
            place: AtomicU32::new(0),
            since: AtomicU16::new(0),
            uses: AtomicU8::new(0),
            queue: AtomicU8::new(extra.class.unwrap_or(0)),
            stamp,
        };
        let payload = Payload { key, value };
        let node = match is_extended {
            true => {
                NonNull::from(Box::leak(Box::new(Extended { head, extra, worth: AtomicU64::new(0), marks, payload })))
                    .cast()
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
        // SAFETY: it was leaked from such a box.
        drop(unsafe { Box::from_raw(node.0.cast::<Extended<K, V>>().as_ptr()) });
    } else {
        // SAFETY: as above.
        drop(unsafe { Box::from_raw(node.0.cast::<Plain<K, V>>().as_ptr()) });
    }
}
