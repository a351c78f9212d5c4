//! The argument that holds the ids: looked through, and made anew of those that are to be loaded.

use super::part::IdOf;
use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::sync::Arc;

/// An argument that holds ids.
#[diagnostic::on_unimplemented(
    message = "`each` names an argument of type `{Self}`, which is no list of ids",
    label = "the body is given a part of them, so it must be a list that can be made anew",
    note = "take the ids as `&[Id]`, `Vec<Id>`, `HashSet<Id>`, `BTreeSet<Id>`, or a reference to one of these, where `Id: Clone`"
)]
pub trait IdList {
    /// One of them.
    type Id;
    /// Some of them, which [lend](Lend::lend) the argument for the body.
    type Some;

    /// How many there are.
    fn count(&self) -> usize;

    /// All of them, in the order in which [`pick`](IdList::pick) counts them.
    fn ids(&self) -> impl Iterator<Item = &Self::Id>;

    /// Those at these places, which are in order.
    fn pick(&self, places: &[usize]) -> Self::Some;
}

/// How ids of this argument are parts of keys.
pub fn ids_of<A: IdList>(_ids: &A) -> IdOf<A::Id> {
    IdOf(PhantomData)
}

/// An argument that the body can be given more than once: it runs again for ids that another call was to load and did not.
#[diagnostic::on_unimplemented(
    message = "`each` may have to run the body again, and this argument can be given to it but once",
    label = "needs `Clone`",
    note = "take it by reference"
)]
pub trait Again: Sized {
    /// The argument for one run of the body.
    fn again(&self) -> Self;
}

impl<A: Clone> Again for A {
    fn again(&self) -> A {
        self.clone()
    }
}

/// The argument for one run of the body.
pub fn again<A: Again>(argument: &A) -> A {
    argument.again()
}

/// A list of which a reference is lent.
pub struct ByRef<C>(C);

/// A list that is given away.
pub struct ByValue<C>(Option<C>);

impl<C> ByRef<C> {
    /// The argument.
    pub fn lend(&self) -> &C {
        &self.0
    }
}

/// A list of which a slice is lent.
pub struct BySlice<I>(Vec<I>);

impl<I> BySlice<I> {
    /// The argument.
    #[must_use]
    pub fn lend(&self) -> &[I] {
        &self.0
    }
}

impl<C> ByValue<C> {
    /// The argument.
    ///
    /// # Panics
    /// If it was lent before.
    pub fn lend(&mut self) -> C {
        self.0.take().expect("an argument is lent once")
    }
}

/// Those at these places. Places are in order, so one pass is enough.
fn picked<'a, I: Clone + 'a, C: FromIterator<I>>(ids: impl Iterator<Item = &'a I>, places: &[usize]) -> C {
    let mut places = places.iter().copied().peekable();
    ids.enumerate().filter(|(at, _)| places.next_if_eq(at).is_some()).map(|(_, id)| id.clone()).collect()
}

/// Declares lists: by reference, and by value.
macro_rules! lists {
    ($([$($generics:tt)*] $list:ty;)*) => {$(
        impl<$($generics)*> IdList for $list {
            type Id = I;
            type Some = ByValue<$list>;

            fn count(&self) -> usize {
                self.len()
            }

            fn ids(&self) -> impl Iterator<Item = &I> {
                self.iter()
            }

            fn pick(&self, places: &[usize]) -> Self::Some {
                ByValue(Some(picked(self.iter(), places)))
            }
        }

        impl<$($generics)*> IdList for &$list {
            type Id = I;
            type Some = ByRef<$list>;

            fn count(&self) -> usize {
                self.len()
            }

            fn ids(&self) -> impl Iterator<Item = &I> {
                self.iter()
            }

            fn pick(&self, places: &[usize]) -> Self::Some {
                ByRef(picked(self.iter(), places))
            }
        }
    )*};
}

lists! {
    [I: Clone] Vec<I>;
    [I: Clone] Box<[I]>;
    [I: Clone] Arc<[I]>;
    [I: Clone + Eq + Hash, S: BuildHasher + Default] HashSet<I, S>;
    [I: Clone + Ord] BTreeSet<I>;
}

impl<I: Clone> IdList for &[I] {
    type Id = I;
    type Some = BySlice<I>;

    fn count(&self) -> usize {
        self.len()
    }

    fn ids(&self) -> impl Iterator<Item = &I> {
        self.iter()
    }

    fn pick(&self, places: &[usize]) -> BySlice<I> {
        BySlice(places.iter().map(|at| self[*at].clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_made_anew_of_some_of_its_ids() {
        let (list, places) = ([10_u8, 11, 12, 13].as_slice(), [1, 3]);
        assert_eq!(list.pick(&places).lend(), [11, 13]);
        assert_eq!(list.to_vec().pick(&places).lend(), [11, 13]);
        assert_eq!(<&Vec<u8>>::pick(&&list.to_vec(), &places).lend(), &[11, 13]);
        let set: BTreeSet<u8> = list.iter().copied().collect();
        assert_eq!(set.pick(&[0, 2]).lend(), BTreeSet::from([10, 12]));
        let set: HashSet<u8> = list.iter().copied().collect();
        let wanted: HashSet<u8> = set.iter().skip(1).copied().collect();
        assert_eq!(<&HashSet<u8>>::pick(&&set, &[1, 2, 3]).lend(), &wanted);
    }
}
