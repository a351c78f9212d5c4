//! The type-erased slots behind each cached function.
//!
//! A `static` can't name the types of a generic function, nor the type of a `key = expr`, so a function's memos are
//! found by the [`TypeId`] of what it was instantiated with: the first instantiation in a slot of its own, any other in a
//! side map. A hit finds the first one by an address instead, one comparison and one load away.
#![allow(unsafe_code)]

use super::{AnyMemo, Memo};
#[cfg(feature = "shared")]
use crate::shared::names::Named;
use crate::sync::{AtomicPtr, Mutex, OnceLock, RwLock};
use hashbrown::HashMap;
use std::any::TypeId;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;

/// What a function was instantiated with: its type parameters, and `Self` in a method.
///
/// `T` need not be `'static`: lifetimes are erased from its [`TypeId`], which is right because entries can't hold
/// borrowed data.
pub struct Instance<T: ?Sized>(PhantomData<fn() -> PhantomData<T>>);

impl<T: ?Sized> Instance<T> {
    /// The instance.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "only generated code makes one")]
    pub const fn new() -> Self {
        Instance(PhantomData)
    }

    /// The instance of a value's type, for types without a name.
    #[must_use]
    pub const fn of(_value: &T) -> Self {
        Instance(PhantomData)
    }

    /// This and another instance as one.
    #[must_use]
    pub const fn and<U: ?Sized>(self, _other: Instance<U>) -> Instance<(PhantomData<T>, PhantomData<U>)> {
        Instance(PhantomData)
    }

    /// The names of the types.
    #[cfg(feature = "shared")]
    #[must_use]
    pub fn name(self) -> Named {
        Named { name: std::any::type_name::<T>(), id: typeid::of::<PhantomData<T>>() }
    }
}

impl<T: ?Sized> Clone for Instance<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Instance<T> {}

/// An instantiation, and the types its entries have: made by [`id`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id {
    /// Of instance, key and value together, so that a call compares one.
    all: TypeId,
    /// Of key and value. It follows from `all`.
    entry: TypeId,
}

/// What a memo is of, told by an address: what is at one address tells one id.
///
/// Where code of one instantiation was compiled twice there may be two of them, so another address tells nothing.
pub(super) struct Kind {
    id: fn() -> Id,
}

/// A [`Kind`] that tells the id of these types: made by [`kind`] alone.
pub(super) struct KindOf<T: ?Sized, K, V> {
    pub(super) untyped: &'static Kind,
    _instance: Instance<T>,
    _entry: PhantomData<fn() -> (K, V)>,
}

/// What a memo of this instantiation is of, with entries of these types.
#[inline(always)]
pub(super) fn kind<T: ?Sized, K: 'static, V: 'static>(instance: Instance<T>) -> KindOf<T, K, V> {
    let untyped = const { &Kind { id: || id::<T, K, V>(Instance::new()) } };
    KindOf { untyped, _instance: instance, _entry: PhantomData }
}

type Map<I> = HashMap<I, Slot, foldhash::fast::RandomState>;

#[inline]
pub(super) fn id<T: ?Sized, K: 'static, V: 'static>(_instance: Instance<T>) -> Id {
    Id { all: typeid::of::<PhantomData<(PhantomData<T>, K, V)>>(), entry: TypeId::of::<(K, V)>() }
}

/// A memo whose types are forgotten, and what they were: `memo` is a `Memo<K, V>` where `id.entry` is the id of `(K, V)`.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    id: Id,
    memo: &'static dyn AnyMemo,
}

impl Slot {
    /// # Panics
    /// If the id is not that of these types, on which the safety of [`get`](Slot::get) rests.
    pub(super) fn new<K, V>(id: Id, memo: &'static Memo<K, V>) -> Self
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        assert_eq!(id.entry, TypeId::of::<(K, V)>(), "a memo of other types");
        Slot { id, memo }
    }

    /// The memo, if it is of this instantiation and of these types.
    #[inline(always)]
    fn get<K: 'static, V: 'static>(self, id: Id) -> Option<&'static Memo<K, V>> {
        // Of two ids whose `all` is the same, `entry` is.
        if self.id.all != id.all || id.entry != TypeId::of::<(K, V)>() {
            return None;
        }
        // SAFETY: `self.id.entry` is the id of `(K, V)`.
        Some(unsafe { self.memo() })
    }

    /// The memo with its types.
    ///
    /// # Safety
    /// `self.id.entry` is the id of `(K, V)`.
    #[expect(clippy::cast_ptr_alignment, reason = "it points to a `Memo<K, V>`, as shown below")]
    #[inline(always)]
    unsafe fn memo<K, V>(self) -> &'static Memo<K, V> {
        // SAFETY: as the caller says, so by the invariant of `Slot` the memo is a `Memo<K, V>`. It lives for ever.
        unsafe { &*std::ptr::from_ref(self.memo).cast::<Memo<K, V>>() }
    }
}

/// The memos of one function.
pub(super) struct Slots {
    /// What the first one, which is there, is of, where it was first looked for by who looks into it at every call; null
    /// before.
    kind: AtomicPtr<Kind>,
    first: OnceLock<Slot>,
    others: RwLock<Option<Map<Id>>>,
}

impl Slots {
    pub(super) const fn new() -> Self {
        Slots { kind: AtomicPtr::new(std::ptr::null_mut()), first: OnceLock::new(), others: RwLock::new(None) }
    }

    /// The memo of this instantiation, if it is the first one and was [noted](Slots::note) to be of this kind.
    #[inline(always)]
    pub(super) fn noted<T, K, V>(&self, kind: &KindOf<T, K, V>) -> Option<&'static Memo<K, V>>
    where
        T: ?Sized,
        K: 'static,
        V: 'static,
    {
        if !std::ptr::eq(self.kind.load(Ordering::Acquire), kind.untyped) {
            return None;
        }
        // SAFETY: whoever noted the kind found the slot there before, and of the id that the kind tells. What is at one
        // address tells one id, and this one tells that of `(K, V)`.
        Some(unsafe { self.first.get().unwrap_unchecked().memo() })
    }

    /// The memo of this kind, which is there, is [found at once](Slots::noted) from here on, if it is the first one.
    pub(super) fn note(&self, kind: &'static Kind) {
        // If there is one, code of the instantiation was compiled twice, and the other copy came first.
        if !self.kind.load(Ordering::Relaxed).is_null() {
            return;
        }
        if self.first.get().is_some_and(|slot| slot.id == (kind.id)()) {
            let new = std::ptr::from_ref(kind).cast_mut();
            let _ = self.kind.compare_exchange(std::ptr::null_mut(), new, Ordering::Release, Ordering::Relaxed);
        }
    }

    /// The memo of this instantiation, found or made by `find` if it is not the first one.
    #[inline]
    pub(super) fn get<T, K, V>(&self, instance: Instance<T>, find: impl FnOnce(Id) -> Slot) -> &'static Memo<K, V>
    where
        T: ?Sized,
        K: Clone + Eq + Hash + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let id = id::<T, K, V>(instance);
        // Without an option of both looks, which would be asked once more.
        if let Some(slot) = self.first.get()
            && let Some(memo) = slot.get(id)
        {
            return memo;
        }
        // By the instance, not by its id, which would have to be written to memory on every call.
        found(instance, find)
    }

    /// The slot of an instantiation, made by `make` at first use. It knows no types, so that it is compiled once.
    pub(super) fn find(&self, id: Id, make: &dyn Fn() -> Slot) -> Slot {
        let of_id = |slot: &&Slot| slot.id == id;
        if let Some(slot) = self.others.read().as_ref().and_then(|others| others.get(&id)) {
            return *slot;
        }
        let mut others = self.others.write();
        let known = self.first.get().filter(of_id);
        if let Some(slot) = known.or_else(|| others.as_ref()?.get(&id)) {
            return *slot;
        }
        let slot = make();
        // Every slot is filled under the lock on `others`, so nobody else can have filled the first one since.
        if self.first.set(slot).is_err() {
            others.get_or_insert_default().insert(id, slot);
        }
        slot
    }

    /// The memos of all instantiations.
    pub(super) fn all(&self) -> Vec<&'static dyn AnyMemo> {
        let others = self.others.read();
        let others = others.iter().flat_map(HashMap::values);
        self.first.get().into_iter().chain(others).map(|slot| slot.memo).collect()
    }
}

#[cold]
fn found<T, K, V>(instance: Instance<T>, find: impl FnOnce(Id) -> Slot) -> &'static Memo<K, V>
where
    T: ?Sized,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let id = id::<T, K, V>(instance);
    find(id).get(id).expect("it was looked for by this id")
}

/// A prefix that functions name, its version, and where their entries are.
type Place = (&'static str, u32, &'static str);

/// Memos of functions that name their prefix: functions that name the same one, with keys and values of the same
/// types, share a memo, so that an invalidation through one reaches the other.
static BY_PREFIX: Mutex<Option<Map<(Place, Id)>>> = Mutex::new(None);

/// The slot of the memo that all functions of this prefix share.
pub(super) fn shared_by_prefix(place: Place, id: Id, make: &dyn Fn() -> Slot) -> Slot {
    let mut memos = BY_PREFIX.lock();
    *memos.get_or_insert_default().entry((place, id)).or_insert_with(make)
}

/// The memos of all functions of this prefix, whatever their types.
pub(super) fn all_of_prefix(place: Place) -> Vec<&'static dyn AnyMemo> {
    let memos = BY_PREFIX.lock();
    let memos = memos.iter().flatten().filter(|((of, _), _)| *of == place);
    memos.map(|(_, slot)| slot.memo).collect()
}

// Those that the tools for memory run: Miri, AddressSanitizer, valgrind. What schedulers can do is in `models.rs`.
#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::memo::Function;
    use std::thread;

    fn leak<K, V>() -> &'static Memo<K, V>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        Box::leak(Box::new(Memo::new(None)))
    }

    #[test]
    fn a_slot_gives_its_memo_for_its_types_only() {
        let (mine, other) = (id::<u8, u8, u32>(Instance::new()), id::<u16, u8, u32>(Instance::new()));
        let memo = leak::<u8, u32>();
        let slot = Slot::new(mine, memo);
        assert!(slot.get::<u8, u32>(mine).is_some_and(|found| std::ptr::eq(found, memo)));
        assert!(slot.get::<u8, u32>(other).is_none(), "another instantiation");
        assert!(slot.get::<u8, i32>(mine).is_none(), "its id, and other types");
        assert!(slot.get::<u8, i32>(id::<u8, u8, i32>(Instance::new())).is_none(), "another value");
    }

    #[test]
    #[should_panic(expected = "a memo of other types")]
    fn a_slot_is_not_made_for_other_types() {
        let _ = Slot::new(id::<u8, u8, i32>(Instance::new()), leak::<u8, u32>());
    }

    #[test]
    fn a_memo_is_found_by_its_kind_once_that_is_noted_and_by_no_other() {
        let slots = Slots::new();
        let (mine, other) = (kind::<u8, u8, u32>(Instance::new()), kind::<u16, u8, u32>(Instance::new()));
        // Of code that was compiled twice: it tells the same id from another address.
        let copy: &'static Kind = Box::leak(Box::new(Kind { id: mine.untyped.id }));
        let id = id::<u8, u8, u32>(Instance::new());
        slots.note(mine.untyped);
        assert!(slots.noted(&mine).is_none(), "there is none");
        let memo = leak::<u8, u32>();
        slots.find(id, &|| Slot::new(id, memo));
        let second = super::id::<u16, u8, u32>(Instance::new());
        slots.find(second, &|| Slot::new(second, leak::<u8, u32>()));
        assert!(slots.noted(&mine).is_none(), "nobody looks into it");
        slots.note(other.untyped);
        assert!(slots.noted(&other).is_none() && slots.noted(&mine).is_none(), "the second is not kept at hand");
        slots.note(mine.untyped);
        assert!(slots.noted(&mine).is_some_and(|found| std::ptr::eq(found, memo)));
        assert!(slots.noted(&other).is_none() && slots.noted(&kind::<u8, u8, i32>(Instance::new())).is_none());
        slots.note(copy);
        assert!(slots.noted(&mine).is_some(), "the copy came later");
        assert!(slots.noted(&KindOf { untyped: copy, ..mine }).is_none());
    }

    #[test]
    fn threads_that_ask_at_once_get_one_memo_for_each_instantiation() {
        let function: &'static Function = Box::leak(Box::new(Function::new("cell")));
        let ask = || {
            let text = function.memo_of::<str, String, Vec<u8>>(Instance::new(), || None);
            let number = function.memo_of::<u8, u64, u64>(Instance::new(), || None);
            let same_types = function.memo_of::<u16, u64, u64>(Instance::new(), || None);
            assert_eq!(text.entries() + number.entries() + same_types.entries(), 0);
            [std::ptr::from_ref(text).addr(), std::ptr::from_ref(number).addr(), std::ptr::from_ref(same_types).addr()]
        };
        let seen: Vec<[usize; 3]> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert!(seen.iter().all(|memos| *memos == ask()));
        assert_eq!(function.reached().len(), 3);
    }
}
