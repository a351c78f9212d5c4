//! Functions with a shared level of one entry: see [`super`].

use super::*;
use crate::Error;
use crate::explain::SharedState;
use crate::memo::door::{Door, Fetched, Lineage, MakeDoor, Shared};
use crate::memo::io::{Io, Tasks};

/// A shared level of one entry, whose operations others may interrupt.
#[derive(Clone)]
struct Store(Arc<shuttle::sync::Mutex<Option<u32>>>);

impl Store {
    fn new() -> Self {
        Store(Arc::new(shuttle::sync::Mutex::new(None)))
    }

    fn entry(&self) -> Option<u32> {
        *self.0.lock().expect("no panic")
    }
}

fn decode(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("four bytes"))
}

impl<P> MakeDoor<P, u32> for Store {
    type Door = Store;

    const NOTES: bool = false;

    fn make(&self, _function: &'static Function, _parts: P) -> Store {
        self.clone()
    }
}

impl Door<u32> for Store {
    const SHARED: bool = true;

    async fn fetch<I: Io>(&self, _function: &'static Function) -> Fetched<u32> {
        match self.entry() {
            Some(value) => Fetched::Value(Shared { value, tags: Tags::default(), age: Duration::ZERO, left: None }),
            None => Fetched::Nothing,
        }
    }

    async fn since<I: Io>(&self) -> u64 {
        0
    }

    async fn store<I: Io>(
        &self,
        value: &u32,
        _timeout: Option<Duration>,
        _cost: Duration,
        _lineage: &Lineage,
    ) -> Result<bool, Error> {
        *self.0.lock().expect("no panic") = Some(*value);
        Ok(true)
    }

    async fn remove<I: Io>(&self) -> Result<bool, Error> {
        Ok(self.0.lock().expect("no panic").take().is_some())
    }

    async fn invalidate<I: Io>(&self) -> Result<bool, Error> {
        self.remove::<I>().await
    }

    fn encode(&self, value: &u32, _timeout: Option<Duration>, _lineage: &Lineage) -> Result<Vec<u8>, Error> {
        Ok(value.to_le_bytes().to_vec())
    }

    async fn add<I: Io>(&self, bytes: &[u8], _timeout: Option<Duration>) -> Result<bool, Error> {
        let mut entry = self.0.lock().expect("no panic");
        let is_absent = entry.is_none();
        entry.get_or_insert(decode(bytes));
        Ok(is_absent)
    }

    async fn remove_if<I: Io>(&self, bytes: &[u8]) -> Result<(), Error> {
        self.0.lock().expect("no panic").take_if(|entry| *entry == decode(bytes));
        Ok(())
    }

    async fn explain<I: Io>(&self, is_valid: impl Fn(&u32) -> bool + Send) -> SharedState {
        match self.entry() {
            Some(value) if is_valid(&value) => SharedState::Fresh { age: Duration::ZERO, left: None },
            Some(_) => SharedState::Refused { age: Duration::ZERO },
            None => SharedState::Nothing,
        }
    }

    #[cfg(feature = "shared")]
    fn key(&self) -> Option<&crate::key::Key> {
        None
    }
}

fn call_shared(function: &'static Function, store: &Store, body: impl FnOnce() -> u32) -> u32 {
    match start(function, here(), outcome(), (Arg(&1_u8).part(), ()), store.clone()) {
        Started::Hit(value) => value,
        Started::Open(open) => match open.settle() {
            Begun::Hit(value) => value,
            Begun::Miss(guard) => guard.run(body, |_| true),
        },
    }
}

async fn call_shared_async(function: &'static Function, store: &Store, body: impl Future<Output = u32>) -> u32 {
    match start(function, here(), outcome(), (Arg(&1_u8).part(), ()), store.clone()) {
        Started::Hit(value) => value,
        Started::Open(open) => match open.settle_async().await {
            Begun::Hit(value) => value,
            Begun::Miss(guard) => guard.run_async(body, |_| true).await,
        },
    }
}

/// A load of what is true when its body runs.
fn loading(function: &'static Function, store: &Store, truth: &Arc<AtomicU32>) -> impl FnOnce() + Clone + Send + use<> {
    let (store, truth) = (store.clone(), Arc::clone(truth));
    move || {
        call_shared(function, &store, || truth.load(SeqCst));
    }
}

/// Two loads and an invalidation of both levels: afterwards neither has the old value.
fn invalidate_both_levels(with: fn(Function) -> Function, by_task: bool) {
    explore(move || {
        let function = function(with);
        let (store, truth) = (Store::new(), Arc::new(AtomicU32::new(0)));
        let load = move |store: &Store, truth: &AtomicU32| match by_task {
            true => block_on(call_shared_async(function, store, async { truth.load(SeqCst) })),
            false => call_shared(function, store, || truth.load(SeqCst)),
        };
        let loader = || -> Box<dyn FnOnce() + Send> {
            let (store, truth) = (store.clone(), Arc::clone(&truth));
            Box::new(move || {
                load(&store, &truth);
            })
        };
        let (first, second) = (loader(), loader());
        let (kept, known) = (store.clone(), Arc::clone(&truth));
        let writer = move || {
            truth.store(1, SeqCst);
            let operation = operation(function, here(), outcome(), (Arg(&1_u8).part(), ()), store.clone());
            let invalidated = match by_task {
                true => block_on(operation.invalidate::<Tasks>()),
                false => ready(operation.invalidate::<Blocking>()),
            };
            assert!(invalidated.is_ok());
            assert_ne!(store.entry(), Some(0), "the old value is in the shared level");
            assert_eq!(load(&store, &truth), 1, "an old value after the invalidation");
        };
        together([first, second, Box::new(writer)]);
        assert_ne!(kept.entry(), Some(0), "the old value came back to the shared level");
        assert_eq!(load(&kept, &known), 1, "the old value came back");
    });
}

#[test]
fn an_invalidation_reaches_both_levels_of_threads() {
    invalidate_both_levels(|function| function, false);
}

#[test]
fn an_invalidation_reaches_both_levels_of_tasks() {
    invalidate_both_levels(Function::asynchronous, true);
}

#[test]
fn an_invalidation_reaches_a_function_without_a_local_level() {
    invalidate_both_levels(Function::without_local, false);
}

#[test]
fn an_invalidation_reaches_loads_that_are_not_shared() {
    invalidate_both_levels(Function::without_single_flight, false);
}

#[test]
fn a_refresh_replaces_both_levels() {
    explore(|| {
        let function = function(|function| function);
        let (store, truth) = (Store::new(), Arc::new(AtomicU32::new(0)));
        let loader = loading(function, &store, &truth);
        let kept = store.clone();
        let refresher = move || {
            truth.store(1, SeqCst);
            let guard = refresh(function, here(), outcome(), (Arg(&1_u8).part(), ()), store.clone());
            assert_eq!(guard.run(|| truth.load(SeqCst), |_| true), 1);
            assert_eq!(call_shared(function, &store, || 1), 1, "the refresh is lost");
        };
        together([Box::new(loader.clone()), Box::new(loader), Box::new(refresher)]);
        assert_eq!(kept.entry(), Some(1), "the old value came back to the shared level");
        assert_eq!(call_shared(function, &kept, || 1), 1, "the old value came back");
    });
}

#[test]
fn every_one_of_several_invalidations_and_refreshes_reaches_both_levels() {
    explore(|| {
        let function = function(|function| function);
        let (store, truth) = (Store::new(), Arc::new(AtomicU32::new(0)));
        let loader = loading(function, &store, &truth);
        let (seen, theirs) = (Arc::clone(&truth), store.clone());
        let refresher = move || {
            let guard = refresh(function, here(), outcome(), (Arg(&1_u8).part(), ()), theirs);
            guard.run(|| seen.load(SeqCst), |_| true);
        };
        let writer = || -> Box<dyn FnOnce() + Send> {
            let (store, truth) = (store.clone(), Arc::clone(&truth));
            Box::new(move || {
                truth.store(1, SeqCst);
                let operation = operation(function, here(), outcome(), (Arg(&1_u8).part(), ()), store.clone());
                assert!(ready(operation.invalidate::<Blocking>()).is_ok());
                assert_ne!(store.entry(), Some(0), "the old value is in the shared level");
                assert_eq!(call_shared(function, &store, || 1), 1, "an old value after the invalidation");
            })
        };
        together([Box::new(loader), Box::new(refresher), writer(), writer()]);
        assert_ne!(store.entry(), Some(0), "the old value came back to the shared level");
    });
}
