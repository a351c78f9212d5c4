//! One call for several ids, from round to round: what it has found, what it leads, whom it waits for.

use super::{Answers, Doors, Each, IdList, Looked};
use crate::Error;
use crate::local::MAX_SHARDS;
use crate::memo::call::{MemoKey, Open, Started};
use crate::memo::door::Shared;
use crate::memo::flight::Ending;
use crate::memo::function::Function;
use crate::memo::guard::{Brought, Guard, begin_all, failed, share, share_tags, store_all};
use crate::memo::io::{Blocking, Io, Tasks, ready};
use crate::memo::keep::Keep;
use crate::memo::valid;
use crate::outcome::Outcome;
use hashbrown::HashTable;
use std::future::Future;
use std::time::Duration;

/// A call that is answered in part.
#[must_use = "a call that is not settled abandons its loads"]
pub struct Bulk<W: Each + 'static, K: MemoKey, D: Doors<W::Value>> {
    function: &'static Function,
    outcome: W,
    found: W::Map,
    /// The ids that are not answered yet, each once.
    open: Vec<Unanswered<W, K, D>>,
    /// Which of these are of a hash, until all were looked for.
    known: HashTable<usize>,
    /// The id in a key.
    id: fn(&K) -> &<W::Map as Answers>::Id,
    /// Whether the shared level took all that was loaded.
    stored: Result<(), Error>,
}

/// An id that is not answered yet.
struct Unanswered<W: Each + 'static, K: MemoKey, D: Doors<W::Value>> {
    /// Its place in the argument.
    place: usize,
    open: Open<W, K, D>,
}

/// A call that is answered, or that has to run the body for some of its ids.
#[must_use = "a miss must run the body"]
pub enum Settled<W: Each + 'static, K: MemoKey, D: Doors<W::Value>> {
    /// What the function returns, and whether the shared level took all that was loaded.
    Done(W::Whole, Result<(), Error>),
    /// The body is to run.
    Load(Load<W, K, D>),
}

/// A call that leads the load of some ids.
#[must_use = "dropping it abandons the loads"]
pub struct Load<W: Each + 'static, K: MemoKey, D: Doors<W::Value>> {
    leads: Vec<(usize, Guard<W, K, D>)>,
    /// The rest of the call.
    bulk: Bulk<W, K, D>,
}

impl<W: Each + 'static, K: MemoKey, D: Doors<W::Value>> Bulk<W, K, D> {
    /// A call of so many ids, of which `id` finds one in its key.
    pub(super) fn new(
        function: &'static Function,
        outcome: W,
        ids: usize,
        id: fn(&K) -> &<W::Map as Answers>::Id,
    ) -> Self {
        let found = W::Map::with_room(ids);
        Bulk { function, outcome, found, open: Vec::new(), known: HashTable::new(), id, stored: Ok(()) }
    }

    /// Answers an id.
    pub(super) fn add(&mut self, id: <W::Map as Answers>::Id, item: W::Item) {
        self.found.add(id, item);
    }

    /// Takes an id that is not answered. One that is there already is the same call again, which must not wait for
    /// itself: what it began is let go.
    #[cold]
    pub(super) fn open(&mut self, place: usize, open: Open<W, K, D>) {
        let (hash, key) = (hash_of(&open), key_of(&open));
        if self.known.find(hash, |at| key_of(&self.open[*at].open) == key).is_some() {
            return;
        }
        self.known.insert_unique(hash, self.open.len(), |at| hash_of(&self.open[*at].open));
        self.open.push(Unanswered { place, open });
    }

    /// The call after all ids were looked for.
    pub(super) fn looked(self) -> Looked<W, K, D> {
        match self.open.is_empty() {
            true => Looked::Hit(W::whole(self.found)),
            false => Looked::Open(self),
        }
    }

    /// Takes what became of an id; all that is returned if that is an error.
    fn answer(
        &mut self,
        place: usize,
        id: <W::Map as Answers>::Id,
        began: Result<W::Return, Started<W, K, D>>,
    ) -> Result<(), W::Whole> {
        match began {
            Ok(Ok(item)) | Err(Started::Hit(Ok(item))) => {
                if let Some(item) = item {
                    self.found.add(id, item);
                }
            }
            Ok(Err(whole)) | Err(Started::Hit(Err(whole))) => return Err(whole),
            Err(Started::Open(open)) => self.open.push(Unanswered { place, open }),
        }
        Ok(())
    }

    /// Settles the call with the thread, up to the next run of the body.
    #[inline(never)]
    pub fn settle(self) -> Settled<W, K, D> {
        ready(self.settle_by::<Blocking>())
    }

    /// Settles the call as a task, up to the next run of the body. Dropping the future ends nothing but this call: what
    /// it led is led by one of the followers.
    pub async fn settle_async(self) -> Settled<W, K, D> {
        self.settle_by::<Tasks>().await
    }

    async fn settle_by<I: Io>(mut self) -> Settled<W, K, D> {
        loop {
            if D::SHARED {
                self = match self.seek::<I>().await {
                    Ok(bulk) => bulk,
                    Err(whole) => return Settled::Done(whole, Ok(())),
                };
                self = match self.fetch::<I>().await {
                    Ok(bulk) => bulk,
                    Err(whole) => return Settled::Done(whole, Ok(())),
                };
            }
            self = match self.lead() {
                Ok(load) => return Settled::Load(load),
                Err(bulk) => bulk,
            };
            if self.open.is_empty() {
                return Settled::Done(W::whole(self.found), self.stored);
            }
            let mut endings = Vec::with_capacity(self.open.len());
            for one in &self.open {
                if let Open::Follow(follower) = &one.open {
                    endings.push(I::ended(&follower.flight).await);
                }
            }
            // Only now, when all have ended or can't be waited for, it may lead again.
            if let Err(whole) = self.follow(endings) {
                return Settled::Done(whole, Ok(()));
            }
        }
    }

    /// Takes how the loads ended that were waited for.
    fn follow(&mut self, endings: Vec<Option<Ending>>) -> Result<(), W::Whole> {
        for (Unanswered { place, open }, ending) in std::mem::take(&mut self.open).into_iter().zip(endings) {
            let Open::Follow(follower) = open else { continue };
            let id = (self.id)(follower.flight.key()).clone();
            self.answer(place, id, follower.answer(ending.as_ref()))?;
        }
        Ok(())
    }

    /// Asks the shared level for the ids that are looked for there first.
    async fn seek<I: Io>(mut self) -> Result<Self, W::Whole> {
        let seekers = self.open.iter().filter_map(|one| match &one.open {
            Open::Seek(seeker) => Some(&seeker.door),
            _ => None,
        });
        let doors: Vec<&D> = seekers.collect();
        if doors.is_empty() {
            return Ok(self);
        }
        let fetched = D::fetch_many::<I>(&doors, self.function).await;
        let mut fetched = self.told(fetched);
        // The loads of each shard that this call has begun, which tell nothing of other keys.
        let mut leads = [0; MAX_SHARDS];
        for Unanswered { place, open } in std::mem::take(&mut self.open) {
            let Open::Seek(seeker) = open else {
                self.open.push(Unanswered { place, open });
                continue;
            };
            let id = (self.id)(&seeker.key).clone();
            let mut began = match &mut fetched {
                Ok(found) => match self.usable(found.next().flatten()) {
                    Some(found) => Ok(seeker.found(found)),
                    None => Err(seeker.found_nothing()),
                },
                Err(error) => Err(seeker.failed(error)),
            };
            if let Err(Started::Open(Open::Lead(guard))) = &mut began {
                let before = &mut leads[guard.memo.shard_of(guard.key())];
                guard.began_after(*before);
                *before += 1;
            }
            self.answer(place, id, began)?;
        }
        Ok(self)
    }

    /// Asks the shared level for the ids that this call leads.
    async fn fetch<I: Io>(mut self) -> Result<Self, W::Whole> {
        let leads = self.open.iter().filter_map(|one| match &one.open {
            Open::Lead(guard) if guard.must_ask() => Some(&guard.door),
            _ => None,
        });
        let doors: Vec<&D> = leads.collect();
        if doors.is_empty() {
            return Ok(self);
        }
        let fetched = D::fetch_many::<I>(&doors, self.function).await;
        let mut fetched = self.told(fetched);
        for Unanswered { place, open } in std::mem::take(&mut self.open) {
            let mut guard = match open {
                Open::Lead(guard) if guard.must_ask() => guard,
                open => {
                    self.open.push(Unanswered { place, open });
                    continue;
                }
            };
            let found = match &mut fetched {
                Ok(found) => self.usable(found.next().flatten()),
                Err(error) => {
                    guard.has_failed(error);
                    None
                }
            };
            match found {
                Some(found) => {
                    let id = (self.id)(guard.key()).clone();
                    self.answer(place, id, Ok(guard.end_with(found)))?;
                }
                None => self.open.push(Unanswered { place, open: Open::Lead(guard) }),
            }
        }
        Ok(self)
    }

    /// What the shared level answered; a failure is reported, once for all ids.
    fn told(&self, fetched: Result<Vec<Option<Shared<W::Value>>>, Error>) -> Result<FromShared<W>, Error> {
        fetched.map(Vec::into_iter).inspect_err(|error| self.function.report(error))
    }

    /// What was found, unless `valid_if` refuses it.
    fn usable(&self, found: Option<Shared<W::Value>>) -> Option<Shared<W::Value>> {
        found.filter(|found| valid::accepts(self.outcome, self.function, &found.value))
    }

    /// The loads that this call leads, if it leads any.
    fn lead(mut self) -> Result<Load<W, K, D>, Self> {
        if !self.open.iter().any(|one| matches!(one.open, Open::Lead(_))) {
            return Err(self);
        }
        let mut leads = Vec::with_capacity(self.open.len());
        for Unanswered { place, open } in std::mem::take(&mut self.open) {
            match open {
                Open::Lead(guard) => leads.push((place, guard)),
                open => self.open.push(Unanswered { place, open }),
            }
        }
        leads.sort_unstable_by_key(|(place, _)| *place);
        Ok(Load { leads, bulk: self })
    }
}

/// What the shared level answered for each id.
type FromShared<W> = std::vec::IntoIter<Option<Shared<<W as Outcome>::Value>>>;

impl<W: Each + 'static, K: MemoKey, D: Doors<W::Value>> Load<W, K, D> {
    /// The ids that are to be loaded, as the argument of the body.
    pub fn pick<A: IdList>(&self, ids: &A) -> A::Some {
        let places: Vec<usize> = self.leads.iter().map(|(place, _)| *place).collect();
        ids.pick(&places)
    }

    /// Runs the body, stores what it returned for each id if `keep` says so, and lets the followers go. The rest of the
    /// call, or what the body returned if that is an error.
    #[inline(never)]
    pub fn run<A: Into<Keep>>(
        mut self,
        body: impl FnOnce() -> W::Whole,
        keep: impl Fn(Option<&W::Item>) -> A,
    ) -> Result<Bulk<W, K, D>, W::Whole> {
        ready(self.begin::<Blocking>());
        let (whole, cost) = self.leads[0].1.load(body);
        let (brought, bulk) = self.brought::<A>(whole, cost, keep)?;
        Ok(ready(bulk.store::<Blocking>(brought, cost)))
    }

    /// As [`run`](Load::run), as a task.
    pub async fn run_async<A: Into<Keep>>(
        mut self,
        body: impl Future<Output = W::Whole>,
        keep: impl Fn(Option<&W::Item>) -> A,
    ) -> Result<Bulk<W, K, D>, W::Whole> {
        self.begin::<Tasks>().await;
        let (whole, cost) = self.leads[0].1.load_async(body).await;
        let (brought, bulk) = self.brought::<A>(whole, cost, keep)?;
        Ok(bulk.store::<Tasks>(brought, cost).await)
    }

    /// From here on, code that the body runs is inside of all these loads.
    async fn begin<I: Io>(&mut self) {
        begin_all::<I, W, K, D>(self.leads.iter_mut().map(|(_, guard)| guard)).await;
        let mark = self.leads[0].1.flight.as_ref().map(|flight| flight.mark());
        for (flight, mark) in self.leads[1..].iter().filter_map(|(_, guard)| Some((guard.flight.as_ref()?, mark?))) {
            flight.share_mark(mark);
        }
    }

    /// What the body brought for each id. An error ends all the loads: it says nothing of any of their ids, unless there
    /// is but one, so that is alone in being told to those who wait for it.
    #[expect(clippy::type_complexity, reason = "two things, each with its types")]
    fn brought<A: Into<Keep>>(
        self,
        whole: W::Whole,
        cost: Duration,
        keep: impl Fn(Option<&W::Item>) -> A,
    ) -> Result<(Vec<Brought<W, K, D>>, Bulk<W, K, D>), W::Whole> {
        let Load { mut leads, bulk } = self;
        share_tags(leads.iter_mut().map(|(_, guard)| guard));
        let each = share(cost, leads.len());
        let mut map = match W::map(whole) {
            Ok(map) => map,
            Err(whole) => {
                let is_of_one = leads.len() == 1;
                let returned = Err(whole);
                let ending = |marks| match is_of_one {
                    true => failed::<W>(&returned, marks),
                    false => Ending::Unshared,
                };
                for (_, guard) in leads {
                    guard.end_failed(each, &ending);
                }
                return Err(returned.err().expect("it was made of an error"));
            }
        };
        let brought = leads.into_iter().map(|(_, guard)| {
            let value = map.take((bulk.id)(guard.key()));
            let keep = keep(value.as_ref()).into();
            Brought::new(guard, value, keep)
        });
        Ok((brought.collect(), bulk))
    }
}

impl<W: Each + 'static, K: MemoKey, D: Doors<W::Value>> Bulk<W, K, D> {
    /// Stores what was brought, at both levels, and lets the followers go.
    async fn store<I: Io>(mut self, mut brought: Vec<Brought<W, K, D>>, cost: Duration) -> Self {
        let each = share(cost, brought.len());
        let stored = store_all::<I, W, K, D>(&mut brought, cost).await;
        self.stored = self.stored.and(stored);
        for brought in brought {
            let id = (self.id)(brought.guard.key()).clone();
            if let Ok(Some(item)) = brought.end(each) {
                self.found.add(id, item);
            }
        }
        self
    }
}

/// The key of an id that is not answered.
fn key_of<W: Each + 'static, K: MemoKey, D: Doors<W::Value>>(open: &Open<W, K, D>) -> &K {
    match open {
        Open::Lead(guard) => guard.key(),
        Open::Follow(follower) => follower.flight.key(),
        Open::Seek(seeker) => &seeker.key,
    }
}

/// Its hash.
fn hash_of<W: Each + 'static, K: MemoKey, D: Doors<W::Value>>(open: &Open<W, K, D>) -> u64 {
    match open {
        Open::Lead(guard) => guard.memo.hash(guard.key()),
        Open::Follow(follower) => follower.flight.hash,
        Open::Seek(seeker) => seeker.memo.hash(&seeker.key),
    }
}
