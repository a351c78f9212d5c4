//! Calls of several ids under schedulers that choose who goes on at every lock: see [`super::super::models`].

use super::answers::One;
use super::part::Hole;
use super::private::{KnownId as _, each, ids_of, operation, refresh, start};
use super::round::Settled;
use super::{Bulk, Doors, Looked, ValueToStore};
use crate::Error;
use crate::explain::SharedState;
use crate::lookup::Parts;
use crate::memo::door::{Door, Fetched, Lineage, MakeDoor, Shared};
use crate::memo::function::Function;
use crate::memo::io::{Blocking, Io, ready};
use crate::memo::models::explore;
use crate::memo::{Instance, LocalOnly};
use crate::outcome::{AnyReturn as _, Returns, Whole};
use crate::tags::Tags;
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicU32, Ordering::SeqCst};
use shuttle::thread;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

type Id = u8;
type Map = BTreeMap<Id, u32>;
type Outcome = One<Whole<Map>>;

/// A shared level, and the door of one id to it.
#[derive(Clone, Default)]
struct Shelf {
    stored: Arc<Mutex<BTreeMap<u8, Option<u32>>>>,
    id: u8,
}

impl Shelf {
    fn read(&self, id: u8) -> Option<Option<u32>> {
        self.stored.lock().expect("no panic").get(&id).copied()
    }
}

impl<P: Parts<Owned = (Id, ())>> MakeDoor<P, Option<u32>> for Shelf {
    type Door = Shelf;

    const NOTES: bool = false;

    fn make(&self, _function: &'static Function, parts: P) -> Shelf {
        Shelf { id: parts.to_owned().0, ..self.clone() }
    }
}

fn found(value: Option<u32>) -> Shared<Option<u32>> {
    Shared { value, tags: Tags::default(), age: Duration::ZERO, left: None }
}

impl Door<Option<u32>> for Shelf {
    const SHARED: bool = true;

    async fn fetch<I: Io>(&self, _function: &'static Function) -> Fetched<Option<u32>> {
        self.read(self.id).map_or(Fetched::Nothing, |value| Fetched::Value(found(value)))
    }

    async fn store<I: Io>(
        &self,
        value: &Option<u32>,
        _timeout: Option<Duration>,
        _cost: Duration,
        _lineage: &Lineage,
    ) -> Result<bool, Error> {
        self.stored.lock().expect("no panic").insert(self.id, *value);
        Ok(true)
    }

    async fn since<I: Io>(&self) -> u64 {
        0
    }

    fn encode(&self, _value: &Option<u32>, _timeout: Option<Duration>, _lineage: &Lineage) -> Result<Vec<u8>, Error> {
        unreachable!("guards do")
    }

    async fn add<I: Io>(&self, _bytes: &[u8], _timeout: Option<Duration>) -> Result<bool, Error> {
        unreachable!("guards do")
    }

    async fn remove_if<I: Io>(&self, _bytes: &[u8]) -> Result<(), Error> {
        unreachable!("guards do")
    }

    async fn invalidate<I: Io>(&self) -> Result<bool, Error> {
        self.remove::<I>().await
    }

    async fn remove<I: Io>(&self) -> Result<bool, Error> {
        Ok(self.stored.lock().expect("no panic").remove(&self.id).is_some())
    }

    async fn explain<I: Io>(&self, _is_valid: impl Fn(&Option<u32>) -> bool + Send) -> SharedState {
        SharedState::Nothing
    }

    #[cfg(feature = "shared")]
    fn key(&self) -> Option<&crate::key::Key> {
        None
    }
}

impl Doors<Option<u32>> for Shelf {
    async fn fetch_many<I: Io>(
        doors: &[&Self],
        _function: &'static Function,
    ) -> Result<Vec<Option<Shared<Option<u32>>>>, Error> {
        Ok(doors.iter().map(|door| door.read(door.id).map(found)).collect())
    }

    // Each by itself, so that others come in between.
    async fn store_many<I: Io>(
        values: &[ValueToStore<'_, Self, Option<u32>>],
        cost: Duration,
        _took: Duration,
    ) -> (Vec<bool>, Result<(), Error>) {
        for ValueToStore { door, value, timeout, lineage } in values {
            door.store::<I>(value, *timeout, cost, lineage).await.expect("it takes all");
        }
        (vec![true; values.len()], Ok(()))
    }

    async fn invalidate_many<I: Io>(doors: &[&Self]) -> Result<bool, Error> {
        let mut any = false;
        for door in doors {
            any |= door.remove::<I>().await?;
        }
        Ok(any)
    }
}

fn function() -> &'static Function {
    Box::leak(Box::new(Function::new("model").capacity(|| 4)))
}

fn outcome() -> Outcome {
    each(Returns::<Map>::new().outcome())
}

/// The rounds of a call, up to its end; `None` if the body gives up, as one that panics does.
fn rounds<D: Doors<Option<u32>>>(
    mut bulk: Bulk<Outcome, (Id, ()), D>,
    ids: &[Id],
    body: impl Fn(&[Id]) -> Option<Map>,
) -> Option<Map> {
    loop {
        let load = match bulk.settle() {
            Settled::Done(map, stored) => {
                stored.expect("the shelf takes it");
                return Some(map);
            }
            Settled::Load(load) => load,
        };
        let some = load.pick(&ids);
        let map = body(some.lend())?;
        bulk = load.run(|| map, |item| item.is_some()).expect("it is no error");
    }
}

/// What the attribute makes of a function of several ids.
macro_rules! call {
    ($function:expr, $door:expr, $ids:expr, $body:expr) => {{
        let ids: &[Id] = $ids;
        match start($function, Instance::<()>::new(), outcome(), (Hole, ()), $door, &ids, ids_of(&ids).how()) {
            Looked::Hit(map) => Some(map),
            Looked::Open(bulk) => rounds(bulk, ids, $body),
        }
    }};
}

/// What is there at the source, of each id.
#[derive(Default)]
struct Source([AtomicU32; 4]);

impl Source {
    fn read(&self, ids: &[Id]) -> Map {
        ids.iter().map(|id| (*id, self.0[usize::from(*id)].load(SeqCst))).collect()
    }

    fn change(&self, id: Id) -> u32 {
        self.0[usize::from(id)].fetch_add(1, SeqCst) + 1
    }
}

fn together<const N: usize>(threads: [Box<dyn FnOnce() + Send>; N]) {
    for thread in threads.map(|run| thread::spawn(run)) {
        thread.join().expect("no panic");
    }
}

#[test]
fn models_of_calls_that_share_ids_end_and_load_each_id_once() {
    explore(|| {
        let (function, runs) = (function(), Arc::new(AtomicU32::new(0)));
        let caller = |ids: [Id; 2]| -> Box<dyn FnOnce() + Send> {
            let runs = Arc::clone(&runs);
            Box::new(move || {
                let body = |ids: &[Id]| {
                    runs.fetch_add(u32::try_from(ids.len()).expect("few"), SeqCst);
                    Some(ids.iter().map(|id| (*id, u32::from(*id))).collect())
                };
                let map = call!(function, LocalOnly, &ids, body).expect("no body gives up");
                assert!(ids.iter().all(|id| map[id] == u32::from(*id)) && map.len() == 2);
            })
        };
        together([caller([1, 2]), caller([2, 1]), caller([2, 3])]);
        assert_eq!(runs.load(SeqCst), 3);
    });
}

#[test]
fn models_of_a_call_that_gives_up_leave_its_ids_to_others() {
    explore(|| {
        let function = function();
        let caller = |ids: [Id; 2], gives_up: bool| -> Box<dyn FnOnce() + Send> {
            Box::new(move || {
                let body = |ids: &[Id]| (!gives_up).then(|| ids.iter().map(|id| (*id, u32::from(*id))).collect());
                let map = call!(function, LocalOnly, &ids, body);
                assert!(gives_up || map.is_some_and(|map| map.len() == 2));
            })
        };
        together([caller([1, 2], true), caller([2, 3], false), caller([3, 1], false)]);
    });
}

#[test]
fn models_of_invalidations_meanwhile_never_leave_what_is_old() {
    explore(|| {
        let (function, shelf, source) = (function(), Shelf::default(), Arc::new(Source::default()));
        let reader = |ids: [Id; 2]| -> Box<dyn FnOnce() + Send> {
            let (shelf, source) = (shelf.clone(), Arc::clone(&source));
            Box::new(move || drop(call!(function, shelf, &ids, |ids: &[Id]| Some(source.read(ids)))))
        };
        let writer: Box<dyn FnOnce() + Send> = {
            let (shelf, source) = (shelf.clone(), Arc::clone(&source));
            Box::new(move || {
                let newest = source.change(1);
                let ids: &[Id] = &[1];
                let operation = operation(
                    function,
                    Instance::<()>::new(),
                    outcome(),
                    (Hole, ()),
                    shelf.clone(),
                    &ids,
                    ids_of(&ids).how(),
                );
                ready(operation.invalidate::<Blocking>()).expect("the shelf takes it");
                let map = call!(function, shelf, &[1, 2], |ids: &[Id]| Some(source.read(ids)));
                assert!(map.is_some_and(|map| map[&1] >= newest));
            })
        };
        together([reader([1, 2]), writer, reader([2, 1])]);
    });
}

#[test]
fn models_of_calls_that_write_the_same_ids_end_and_agree() {
    explore(|| {
        let (function, shelf, newest) = (function(), Shelf::default(), Arc::new(AtomicU32::new(0)));
        let writer = |ids: [Id; 2]| -> Box<dyn FnOnce() + Send> {
            let (shelf, newest) = (shelf.clone(), Arc::clone(&newest));
            Box::new(move || {
                let ids: &[Id] = &ids;
                let how = ids_of(&ids).how();
                let bulk = refresh(function, Instance::<()>::new(), outcome(), (Hole, ()), shelf, &ids, how);
                let body = |ids: &[Id]| {
                    let newest = newest.fetch_add(1, SeqCst) + 1;
                    Some(ids.iter().map(|id| (*id, newest)).collect())
                };
                assert!(rounds(bulk, ids, body).is_some_and(|map| map.len() == 2));
            })
        };
        together([writer([1, 2]), writer([2, 1])]);
        let here = call!(function, shelf.clone(), &[1, 2], |_: &[Id]| None).expect("all are there");
        assert!([1, 2].iter().all(|id| shelf.read(*id) == Some(Some(here[id]))), "{here:?}");
    });
}

#[test]
fn models_of_bodies_that_need_ids_of_each_other_end() {
    /// How deep an id is in a tree that is a list.
    fn depths(function: &'static Function, ids: &[Id]) -> Map {
        let mut bulk =
            match start(function, Instance::<()>::new(), outcome(), (Hole, ()), LocalOnly, &ids, ids_of(&ids).how()) {
                Looked::Hit(map) => return map,
                Looked::Open(bulk) => bulk,
            };
        loop {
            let load = match bulk.settle() {
                Settled::Done(map, _) => return map,
                Settled::Load(load) => load,
            };
            let some = load.pick(&ids);
            let body = || {
                let parents: Vec<Id> = some.lend().iter().filter_map(|id| id.checked_sub(1)).collect();
                let above = if parents.is_empty() { Map::new() } else { depths(function, &parents) };
                some.lend().iter().map(|id| (*id, id.checked_sub(1).map_or(0, |parent| above[&parent] + 1))).collect()
            };
            bulk = load.run(body, |item| item.is_some()).expect("it is no error");
        }
    }
    explore(|| {
        let function = function();
        let caller = |ids: &'static [Id]| -> Box<dyn FnOnce() + Send> {
            Box::new(move || {
                let map = depths(function, ids);
                assert!(map.len() == ids.len() && map.iter().all(|(id, depth)| *depth == u32::from(*id)), "{map:?}");
            })
        };
        together([caller(&[3, 1]), caller(&[2, 0]), caller(&[1, 2])]);
    });
}
