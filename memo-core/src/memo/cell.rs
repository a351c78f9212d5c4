//! The type-erased slots behind each cached function.
//!
//! A `static` can't name the types of a generic function, nor the type of a `key = expr`, so a function's memos are
//! found by the [`TypeId`] of what it was instantiated with: the first instantiation in a slot of its own, one
//! pointer load and one comparison away, any other in a side map.
#![allow(unsafe_code)]

use super::{AnyMemo, Memo};
use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use std::any::TypeId;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::OnceLock;

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
    #[must_use]
    pub fn name(self) -> &'static str {
        std::any::type_name::<T>()
    }
}

impl<T: ?Sized> Clone for Instance<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Instance<T> {}

/// An instantiation, and the types its entries have.
pub(super) type Id = (TypeId, TypeId);

type Map<I> = HashMap<I, Slot, foldhash::fast::RandomState>;

#[inline]
pub(super) fn id<T: ?Sized, K: 'static, V: 'static>(_instance: Instance<T>) -> Id {
    (typeid::of::<PhantomData<T>>(), TypeId::of::<(K, V)>())
}

/// A memo whose types are forgotten, and what they were: `memo` is a `Memo<K, V>` where `id.1` is the id of `(K, V)`.
#[derive(Clone, Copy)]
struct Slot {
    id: Id,
    memo: &'static dyn AnyMemo,
}

impl Slot {
    fn new<K, V>(id: Id, memo: &'static Memo<K, V>) -> Self
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        debug_assert_eq!(id.1, TypeId::of::<(K, V)>());
        Slot { id, memo }
    }

    /// The memo, if it is of this instantiation and of these types.
    #[inline]
    #[expect(clippy::cast_ptr_alignment, reason = "it points to a `Memo<K, V>`, as shown below")]
    fn get<K: 'static, V: 'static>(self, id: Id) -> Option<&'static Memo<K, V>> {
        if self.id != id || id.1 != TypeId::of::<(K, V)>() {
            return None;
        }
        // SAFETY: `self.id.1` is the id of `(K, V)`, so by the invariant of `Slot` the memo is a `Memo<K, V>`. It
        // lives for ever.
        Some(unsafe { &*std::ptr::from_ref(self.memo).cast::<Memo<K, V>>() })
    }
}

/// The memos of one function.
pub(super) struct Slots {
    first: OnceLock<Slot>,
    others: RwLock<Option<Map<Id>>>,
}

impl Slots {
    pub(super) const fn new() -> Self {
        Slots { first: OnceLock::new(), others: RwLock::new(None) }
    }

    /// The memo of this instantiation, made by `make` at first use.
    #[inline]
    pub(super) fn get<T, K, V>(
        &self,
        instance: Instance<T>,
        make: impl FnOnce() -> &'static Memo<K, V>,
    ) -> &'static Memo<K, V>
    where
        T: ?Sized,
        K: Clone + Eq + Hash + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let id = id::<T, K, V>(instance);
        match self.first.get().and_then(|slot| slot.get(id)) {
            Some(memo) => memo,
            None => self.find(instance, make),
        }
    }

    /// Takes the instance, not its id, which would have to be written to memory on every call.
    #[cold]
    fn find<T, K, V>(&self, instance: Instance<T>, make: impl FnOnce() -> &'static Memo<K, V>) -> &'static Memo<K, V>
    where
        T: ?Sized,
        K: Clone + Eq + Hash + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let id = id::<T, K, V>(instance);
        if let Some(memo) = self.others.read().as_ref().and_then(|others| others.get(&id)?.get(id)) {
            return memo;
        }
        let mut others = self.others.write();
        let known = self.first.get().and_then(|slot| slot.get(id));
        if let Some(memo) = known.or_else(|| others.as_ref()?.get(&id)?.get(id)) {
            return memo;
        }
        let memo = make();
        let slot = Slot::new(id, memo);
        // Every slot is filled under the lock on `others`, so nobody else can have filled the first one since.
        if self.first.set(slot).is_err() {
            others.get_or_insert_default().insert(id, slot);
        }
        memo
    }

    /// The memos of all instantiations.
    pub(super) fn all(&self) -> Vec<&'static dyn AnyMemo> {
        let others = self.others.read();
        let others = others.iter().flat_map(HashMap::values);
        self.first.get().into_iter().chain(others).map(|slot| slot.memo).collect()
    }
}

/// A prefix that functions name, its version, and where their entries are.
type Place = (&'static str, u32, &'static str);

/// Memos of functions that name their prefix: functions that name the same one, with keys and values of the same
/// types, share a memo, so that an invalidation through one reaches the other.
static BY_PREFIX: Mutex<Option<Map<(Place, Id)>>> = Mutex::new(None);

/// The memo that all functions of this prefix share.
pub(super) fn shared_by_prefix<T, K, V>(
    place: Place,
    instance: Instance<T>,
    make: impl FnOnce() -> &'static Memo<K, V>,
) -> &'static Memo<K, V>
where
    T: ?Sized,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let id = id::<T, K, V>(instance);
    let mut memos = BY_PREFIX.lock();
    let memos = memos.get_or_insert_default();
    if let Some(memo) = memos.get(&(place, id)).and_then(|slot| slot.get(id)) {
        return memo;
    }
    let memo = make();
    memos.insert((place, id), Slot::new(id, memo));
    memo
}

/// The memos of all functions of this prefix, whatever their types.
pub(super) fn all_of_prefix(place: Place) -> Vec<&'static dyn AnyMemo> {
    let memos = BY_PREFIX.lock();
    let memos = memos.iter().flatten().filter(|((of, _), _)| *of == place);
    memos.map(|(_, slot)| slot.memo).collect()
}
