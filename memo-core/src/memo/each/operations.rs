//! What companions of a function of several ids do beside calling.

use super::{Answers, Doors, Each, Fill, IdList, IdPart, KeyOf};
use crate::Error;
use crate::lookup::Part;
use crate::memo::call::{MemoKey, lead};
use crate::memo::cell::Instance;
use crate::memo::context;
use crate::memo::door::{self, MakeDoor};
use crate::memo::function::Function;
use crate::memo::guard::{Brought, begin_all, store_all};
use crate::memo::io::Io;
use crate::memo::keep::Keep;
use crate::memo::operations::{self, Operation};
use crate::memo::valid;
use crate::stats::Count;
use std::time::Duration;

/// One operation on the entries of these ids.
#[must_use = "nothing happens until one of its methods is called"]
pub struct Operations<W: Each + 'static, K: MemoKey, D: Doors<W::Value>> {
    each: Vec<Operation<W, K, D>>,
    id: fn(&K) -> &<W::Map as Answers>::Id,
}

/// An operation on the entries of these ids.
pub fn operation<'x, T: ?Sized, W, H, M, A, S>(
    function: &'static Function,
    instance: Instance<T>,
    outcome: W,
    rest: H,
    door: M,
    ids: &'x A,
    _how: S,
) -> Operations<W, KeyOf<H, S::Part>, M::Door>
where
    W: Each + 'static,
    W::Map: Answers<Id = S::Owned>,
    A: IdList,
    S: IdPart<'x, Id = A::Id>,
    H: Fill<S::Part>,
    M: MakeDoor<H::Parts, Option<W::Item>, Door: Doors<Option<W::Item>>>,
{
    let each = ids.ids().map(|id| operations::operation(function, instance, outcome, rest.fill(S::part(id)), &door));
    Operations { each: each.collect(), id: H::id }
}

impl<W: Each + 'static, K: MemoKey, D: Doors<W::Value>> Operations<W, K, D> {
    /// Drops the entries in this process. Whether there was a fresh one.
    pub fn invalidate_local(self) -> bool {
        // Each of them, also once one was found.
        self.each.into_iter().fold(false, |found, one| one.invalidate_local() | found)
    }

    /// Drops the entries at both levels. Whether there was a fresh one. In the order of [`Operation::invalidate`].
    pub async fn invalidate<I: Io>(self) -> Result<bool, Error> {
        let Some(first) = self.each.first() else { return Ok(false) };
        let (mut was_local, mut storing) = (false, Vec::new());
        for one in &self.each {
            one.function.count(Count::Invalidations);
            let (was_fresh, loads) = one.memo.drop_entry(&one.key);
            was_local |= was_fresh;
            storing.extend(loads);
        }
        let waited = door::stored::<I, W, D>(&first.door, storing).await;
        let removed = D::invalidate_many::<I>(&self.doors()).await;
        self.each.iter().for_each(|one| drop(one.memo.drop_entry(&one.key)));
        if let Err(error) = &removed {
            first.function.report(error);
        }
        waited?;
        Ok(removed? || was_local)
    }

    fn doors(&self) -> Vec<&D> {
        self.each.iter().map(|one| &one.door).collect()
    }

    /// Whether there is a fresh entry of each id in this process, which may say that there is no value.
    #[must_use]
    pub fn contains_local(self) -> bool {
        self.each.into_iter().all(Operation::contains_local)
    }

    /// Whether there is a fresh entry of each id at either level, which may say that there is no value.
    pub async fn contains<I: Io>(self) -> Result<bool, Error> {
        let mut all = true;
        self.look::<I>(|_, item| all &= item.is_some()).await?;
        Ok(all)
    }

    /// The values in this process that are fresh.
    #[must_use]
    pub fn peek_local(self) -> W::Map {
        let mut map = W::Map::with_room(self.each.len());
        for one in self.each {
            let id = (self.id)(&one.key).clone();
            if let Some(Some(item)) = one.peek_local() {
                map.add(id, item);
            }
        }
        map
    }

    /// The values at either level that are fresh.
    pub async fn peek<I: Io>(self) -> Result<W::Map, Error> {
        let (mut map, id) = (W::Map::with_room(self.each.len()), self.id);
        self.look::<I>(|key, value| {
            if let Some(Some(item)) = value {
                map.add(id(key).clone(), item);
            }
        })
        .await?;
        Ok(map)
    }

    /// [`peek_local`](Operations::peek_local), as the function would return it.
    #[must_use]
    pub fn peek_whole_local(self) -> W::Whole {
        W::whole(self.peek_local())
    }

    /// [`peek`](Operations::peek), as the function would return it.
    pub async fn peek_whole<I: Io>(self) -> Result<W::Whole, Error> {
        Ok(W::whole(self.peek::<I>().await?))
    }

    /// Tells what is under each key at either level.
    async fn look<I: Io>(self, mut tell: impl FnMut(&K, Option<W::Value>) + Send) -> Result<(), Error> {
        let mut elsewhere = Vec::new();
        for one in self.each {
            match one.found_locally().filter(|_| one.function.local) {
                Some(entry) => tell(&one.key, Some(entry.value)),
                None => elsewhere.push(one),
            }
        }
        let Some(first) = elsewhere.first() else { return Ok(()) };
        let doors: Vec<&D> = elsewhere.iter().map(|one| &one.door).collect();
        let mut found = D::fetch_many::<I>(&doors, first.function).await?.into_iter();
        for one in &elsewhere {
            let found = found.next().flatten();
            let found = found.filter(|found| valid::accepts(one.outcome, one.function, &found.value));
            if let Some(found) = &found {
                context::inherit(&found.tags);
            }
            tell(&one.key, found.map(|found| found.value));
        }
        Ok(())
    }
}

/// Values that a caller brought, by their ids.
pub struct Values<I, V> {
    ids: Vec<I>,
    values: Vec<V>,
}

/// The values of a map, for [`put`].
pub fn given<W: Each>(_outcome: W, map: W::Map) -> Values<<W::Map as Answers>::Id, W::Item> {
    let (ids, values) = map.all().unzip();
    Values { ids, values }
}

/// The values of what a function of this outcome would return, for [`put`]; none of an error.
pub fn given_whole<W: Each>(outcome: W, whole: W::Whole) -> Values<<W::Map as Answers>::Id, W::Item> {
    let nothing = |_| Values { ids: Vec::new(), values: Vec::new() };
    W::map(whole).map_or_else(nothing, |map| given(outcome, map))
}

/// Calls that values are given for.
#[must_use = "nothing is stored until one of its methods is called"]
pub struct Given<W: Each + 'static, K: MemoKey, D: Doors<W::Value>> {
    loads: Vec<Brought<W, K, D>>,
}

/// Values are to be stored for these ids.
pub fn put<'x, T: ?Sized, W, H, M, I>(
    function: &'static Function,
    instance: Instance<T>,
    outcome: W,
    rest: H,
    door: M,
    values: &'x Values<I, W::Item>,
    keep: fn(&W::Item) -> Keep,
) -> Given<W, KeyOf<H, &'x I>, M::Door>
where
    W: Each + 'static,
    I: 'x,
    &'x I: Part<Owned = I>,
    H: Fill<&'x I>,
    M: MakeDoor<H::Parts, Option<W::Item>, Door: Doors<Option<W::Item>>>,
{
    let loads = values.ids.iter().zip(&values.values).map(|(id, item)| {
        let keep = keep(item);
        let guard = lead(function, instance, outcome, rest.fill(id), &door);
        Brought::new(guard, Some(item.clone()), keep)
    });
    Given { loads: loads.collect() }
}

impl<W: Each + 'static, K: MemoKey, D: Doors<W::Value>> Given<W, K, D> {
    /// Stores them in this process.
    pub fn store_local(self) {
        self.loads.into_iter().for_each(Brought::end_put);
    }

    /// Stores them at both levels.
    pub async fn store<I: Io>(mut self) -> Result<(), Error> {
        begin_all::<I, W, K, D>(self.loads.iter_mut().map(|load| &mut load.guard)).await;
        let stored = store_all::<I, W, K, D>(&mut self.loads, Duration::ZERO).await;
        self.loads.into_iter().for_each(Brought::end_put);
        stored
    }
}
