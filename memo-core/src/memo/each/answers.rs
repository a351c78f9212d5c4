//! What a function of several ids returns: a map, or a `Result` of one, and what of it is stored under one id.

use crate::outcome::{Outcome, SharedError};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;

/// A map from ids to values. As with [`Outcome`], nothing here asks for `'static`.
#[diagnostic::on_unimplemented(
    message = "`each` needs a function that returns a map from ids to values",
    label = "this is no map of ids",
    note = "return `HashMap<Id, V>` or `BTreeMap<Id, V>`, or a `Result` of one; an id without a value is left out"
)]
pub trait Answers: Send {
    /// An id, owned.
    type Id: Clone + Send;
    /// What is stored under one.
    type Item: Clone + Send + Sync;

    /// Empty, with room for so many.
    fn with_room(ids: usize) -> Self;

    /// Adds the value of an id, in place of the one that was there.
    fn add(&mut self, id: Self::Id, item: Self::Item);

    /// Takes the value of an id out.
    fn take(&mut self, id: &Self::Id) -> Option<Self::Item>;

    /// All of them.
    fn all(self) -> impl Iterator<Item = (Self::Id, Self::Item)>;
}

impl<I, V, S> Answers for HashMap<I, V, S>
where
    I: Clone + Eq + Hash + Send,
    V: Clone + Send + Sync,
    S: BuildHasher + Default + Send,
{
    type Id = I;
    type Item = V;

    fn with_room(ids: usize) -> Self {
        HashMap::with_capacity_and_hasher(ids, S::default())
    }

    fn add(&mut self, id: I, item: V) {
        self.insert(id, item);
    }

    fn take(&mut self, id: &I) -> Option<V> {
        self.remove(id)
    }

    fn all(self) -> impl Iterator<Item = (I, V)> {
        self.into_iter()
    }
}

impl<I: Clone + Ord + Send, V: Clone + Send + Sync> Answers for BTreeMap<I, V> {
    type Id = I;
    type Item = V;

    fn with_room(_ids: usize) -> Self {
        BTreeMap::new()
    }

    fn add(&mut self, id: I, item: V) {
        self.insert(id, item);
    }

    fn take(&mut self, id: &I) -> Option<V> {
        self.remove(id)
    }

    fn all(self) -> impl Iterator<Item = (I, V)> {
        self.into_iter()
    }
}

/// The outcome for one id of several. It is stored as an `Option`, so that "not there" can be an answer, and a function
/// of one id that returns an `Option` can have the same entries.
pub trait Each:
    Outcome<Value = Option<<Self as Each>::Item>, Return = Result<Option<<Self as Each>::Item>, <Self as Each>::Whole>>
{
    /// What is stored under an id that is there.
    type Item: Clone + Send + Sync;
    /// What the function returns.
    type Whole;
    /// The map in it.
    type Map: Answers<Item = Self::Item>;

    /// The map, or what was returned if that is an error.
    fn map(whole: Self::Whole) -> Result<Self::Map, Self::Whole>;

    /// What is returned if all went well.
    fn whole(map: Self::Map) -> Self::Whole;
}

/// The outcome for one id, by that of the whole function.
pub struct One<O>(PhantomData<fn() -> O>);

impl<O> Clone for One<O> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<O> Copy for One<O> {}

/// The outcome for one id of a function of this outcome.
pub fn each<O: Outcome<Value: Answers>>(_outcome: O) -> One<O> {
    One(PhantomData)
}

type ItemOf<O> = <<O as Outcome>::Value as Answers>::Item;

impl<O: Outcome<Value: Answers>> Outcome for One<O> {
    type Return = Result<Option<ItemOf<O>>, O::Return>;
    type Value = Option<ItemOf<O>>;

    #[inline]
    fn value(returned: &Self::Return) -> Option<&Self::Value> {
        returned.as_ref().ok()
    }

    fn into_value(returned: Self::Return) -> Option<Self::Value> {
        returned.ok()
    }

    #[inline]
    fn from_value(value: Self::Value) -> Self::Return {
        Ok(value)
    }

    fn to_shared_error(returned: &Self::Return) -> Option<SharedError>
    where
        Self: 'static,
    {
        returned.as_ref().err().and_then(O::to_shared_error)
    }

    fn from_shared_error(error: &SharedError) -> Option<Self::Return>
    where
        Self: 'static,
    {
        O::from_shared_error(error).map(Err)
    }
}

impl<O: Outcome<Value: Answers>> Each for One<O> {
    type Item = ItemOf<O>;
    type Whole = O::Return;
    type Map = O::Value;

    fn map(whole: O::Return) -> Result<O::Value, O::Return> {
        if O::value(&whole).is_none() {
            return Err(whole);
        }
        Ok(O::into_value(whole).expect("it was seen to be there"))
    }

    fn whole(map: O::Value) -> O::Return {
        O::from_value(map)
    }
}

impl<W: Each> Each for crate::memo::valid::ValidIf<W> {
    type Item = W::Item;
    type Whole = W::Whole;
    type Map = W::Map;

    fn map(whole: W::Whole) -> Result<W::Map, W::Whole> {
        W::map(whole)
    }

    fn whole(map: W::Map) -> W::Whole {
        W::whole(map)
    }
}

impl<W: Each> Each for crate::weight::Weighed<W> {
    type Item = W::Item;
    type Whole = W::Whole;
    type Map = W::Map;

    fn map(whole: W::Whole) -> Result<W::Map, W::Whole> {
        W::map(whole)
    }

    fn whole(map: W::Map) -> W::Whole {
        W::whole(map)
    }
}
