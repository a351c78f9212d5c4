//! Calls of several ids that meet: ids that another call loads are joined, whatever becomes of that call.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::unnecessary_wraps, reason = "samples of what users write")]

mod support;

use memokit::cached;
use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Barrier, LazyLock, Mutex};
use std::thread;
use support::gate::Gate;
use support::threads::all_wait;

/// A function whose body says which ids it runs for, and stops at a gate if one of them has one.
macro_rules! stopped {
    ($name:ident($ids:ident, $runs:ident, $gates:ident $(, $option:ident = $value:expr)*) -> $map:ty, $answer:expr) => {
        static $runs: Mutex<Vec<Vec<u64>>> = Mutex::new(Vec::new());
        static $gates: LazyLock<HashMap<u64, Gate>> = LazyLock::new(|| (1..10).map(|id| (id, Gate::default())).collect());
        #[cached(each = $ids $(, $option = $value)*)]
        fn $name($ids: &[u64]) -> $map {
            $runs.lock().unwrap().push($ids.to_vec());
            $gates[&$ids[0]].pass();
            $answer($ids)
        }
    };
}

fn squares(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, id * id)).collect()
}

fn open(gates: &HashMap<u64, Gate>, ids: &[u64]) {
    for id in ids {
        gates[id].open();
    }
}

/// A call in a thread of this name.
fn call<T: Send + 'static>(name: &str, call: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::Builder::new().name(name.into()).spawn(call).unwrap()
}

#[test]
fn an_id_that_another_call_loads_is_joined() {
    stopped!(load(ids, RUNS, GATES) -> HashMap<u64, u64>, squares);
    let first = thread::spawn(|| load(&[1, 2]));
    GATES[&1].arrived(1);
    let second = call("joined", || load(&[2, 3, 1, 4]));
    GATES[&3].arrived(1);
    GATES[&3].open();
    all_wait("joined", 1);
    GATES[&1].open();
    assert_eq!(first.join().unwrap(), squares(&[1, 2]));
    assert_eq!(second.join().unwrap(), squares(&[1, 2, 3, 4]));
    assert_eq!(*RUNS.lock().unwrap(), [vec![1, 2], vec![3, 4]]);
    let stats = load::stats();
    assert_eq!((stats.joins, stats.loads, stats.misses, stats.local_hits), (2, 4, 6, 0), "{stats:?}");
}

/// An id at whose first look two calls meet, if they are of [`MEETING`].
#[derive(Clone, Debug, PartialEq, Eq)]
struct Met(u64);

thread_local! {
    static MEETING: Cell<Option<(&'static Barrier, u64)>> = const { Cell::new(None) };
}

impl Hash for Met {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if let Some((barrier, id)) = MEETING.get()
            && id == self.0
        {
            MEETING.set(None);
            barrier.wait();
        }
        self.0.hash(state);
    }
}

#[test]
fn calls_that_lead_what_the_other_wants_do_not_wait_for_each_other() {
    static LEADING: Barrier = Barrier::new(2);
    static RUNS: Mutex<Vec<Vec<u64>>> = Mutex::new(Vec::new());
    static BODIES: Barrier = Barrier::new(2);
    #[cached(each = ids)]
    fn load(ids: &[Met]) -> HashMap<Met, u64> {
        RUNS.lock().unwrap().push(ids.iter().map(|id| id.0).collect());
        // Both run at once, so neither waited for the other.
        BODIES.wait();
        ids.iter().map(|id| (id.clone(), id.0)).collect()
    }
    let meeting = |first: u64, second: u64| {
        thread::spawn(move || {
            // Looks for the second one when the other call leads it.
            MEETING.set(Some((&LEADING, second)));
            load(&[Met(first), Met(second)])
        })
    };
    let calls = [meeting(1, 2), meeting(2, 1)];
    for call in calls {
        assert_eq!(call.join().unwrap().len(), 2);
    }
    let mut runs = RUNS.lock().unwrap().clone();
    runs.sort();
    assert_eq!(runs, [vec![1], vec![2]]);
    assert_eq!(load::stats().joins, 2);
}

#[test]
fn what_a_call_that_panics_was_to_load_is_loaded_by_those_who_waited() {
    static PANICS: AtomicBool = AtomicBool::new(true);
    fn answer(ids: &[u64]) -> HashMap<u64, u64> {
        assert!(!ids.contains(&1) || !PANICS.swap(false, SeqCst), "the body fails");
        squares(ids)
    }
    stopped!(load(ids, RUNS, GATES) -> HashMap<u64, u64>, answer);
    let first = thread::spawn(|| catch_unwind(|| load(&[1, 2, 3])).is_err());
    GATES[&1].arrived(1);
    let second = call("panics", || load(&[4, 3, 2]));
    GATES[&4].arrived(1);
    open(&GATES, &[4, 3, 2]);
    all_wait("panics", 1);
    GATES[&1].open();
    assert!(first.join().unwrap());
    assert_eq!(second.join().unwrap(), squares(&[2, 3, 4]));
    assert_eq!(*RUNS.lock().unwrap(), [vec![1, 2, 3], vec![4], vec![3, 2]]);
    assert_eq!(load(&[1, 2, 3, 4]), squares(&[1, 2, 3, 4]));
}

#[test]
fn an_error_of_several_ids_is_that_of_its_own_caller() {
    type Answer = Result<HashMap<u64, u64>, String>;
    fn answer(ids: &[u64]) -> Answer {
        if ids.contains(&1) { Err("1 is not to be asked for".into()) } else { Ok(squares(ids)) }
    }
    stopped!(load(ids, RUNS, GATES) -> Answer, answer);
    let first = thread::spawn(|| load(&[1, 2]));
    GATES[&1].arrived(1);
    let second = call("errors", || load(&[3, 2]).unwrap());
    GATES[&3].arrived(1);
    open(&GATES, &[3, 2]);
    all_wait("errors", 1);
    GATES[&1].open();
    assert!(first.join().unwrap().is_err());
    assert_eq!(second.join().unwrap(), squares(&[2, 3]), "who did not ask for 1 hears nothing of it");
    assert_eq!(*RUNS.lock().unwrap(), [vec![1, 2], vec![3], vec![2]]);
}

#[test]
fn an_error_of_one_id_is_told_to_those_who_waited_for_it() {
    type Answer = Result<HashMap<u64, u64>, String>;
    fn answer(ids: &[u64]) -> Answer {
        if ids.contains(&1) { Err("down".into()) } else { Ok(squares(ids)) }
    }
    stopped!(load(ids, RUNS, GATES) -> Answer, answer);
    let first = thread::spawn(|| load(&[1]));
    GATES[&1].arrived(1);
    let second = call("error of one", || load(&[3, 1]));
    GATES[&3].arrived(1);
    GATES[&3].open();
    all_wait("error of one", 1);
    GATES[&1].open();
    assert!(first.join().unwrap().is_err());
    assert_eq!(second.join().unwrap(), Err("down".into()));
    assert!(load::contains(&[3]), "what was loaded before is there");
}

#[tokio::test]
async fn what_a_dropped_call_was_to_load_is_loaded_by_those_who_waited() {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    static RUNS: Mutex<Vec<Vec<u64>>> = Mutex::new(Vec::new());
    #[cached(each = ids)]
    async fn load(ids: Vec<u64>) -> HashMap<u64, u64> {
        RUNS.lock().unwrap().push(ids.clone());
        if ids.contains(&1) {
            GATE.pass_async().await;
        }
        squares(&ids)
    }
    let first = tokio::spawn(load(vec![1, 2]));
    GATE.arrived_async(1).await;
    let second = tokio::spawn(load(vec![2, 3]));
    while RUNS.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(second.await.unwrap(), squares(&[2, 3]));
    assert_eq!(*RUNS.lock().unwrap(), [vec![1, 2], vec![3], vec![2]]);
}

#[test]
fn an_invalidation_meanwhile_dooms_that_id_alone() {
    stopped!(load(ids, RUNS, GATES) -> HashMap<u64, u64>, squares);
    let first = thread::spawn(|| load(&[1, 2, 3]));
    GATES[&1].arrived(1);
    assert!(!load::invalidate(&[2]), "it is not there yet");
    GATES[&1].open();
    assert_eq!(first.join().unwrap(), squares(&[1, 2, 3]));
    assert_eq!(load::peek(&[1, 2, 3]), squares(&[1, 3]));
    assert_eq!(load::stats().discarded, 1);
    load::invalidate_all();
    assert_eq!(load::peek(&[1, 2, 3]), squares(&[]));
}

#[test]
fn a_call_of_one_id_joins_the_load_of_several() {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    static ALONE: AtomicU64 = AtomicU64::new(0);
    #[cached(prefix = "each_flight::user", each = ids)]
    fn users(ids: &[u64]) -> HashMap<u64, u64> {
        GATE.pass();
        ids.iter().filter(|id| **id < 10).map(|id| (*id, id * id)).collect()
    }
    #[cached(prefix = "each_flight::user")]
    fn user(id: u64) -> Option<u64> {
        ALONE.fetch_add(1, SeqCst);
        Some(id)
    }
    let first = thread::spawn(|| users(&[1, 11]));
    GATE.arrived(1);
    let (one, none) = (call("user 1", || user(1)), call("user 11", || user(11)));
    all_wait("user 1", 1);
    all_wait("user 11", 1);
    GATE.open();
    assert_eq!(first.join().unwrap(), squares(&[1]));
    assert_eq!((one.join().unwrap(), none.join().unwrap()), (Some(1), None), "that there is no 11 is its answer");
    assert_eq!(ALONE.load(SeqCst), 0);
}

#[test]
fn with_single_flight_off_nobody_is_waited_for() {
    stopped!(load(ids, RUNS, GATES, single_flight = false) -> HashMap<u64, u64>, squares);
    let first = thread::spawn(|| load(&[1, 2]));
    GATES[&1].arrived(1);
    GATES[&2].open();
    assert_eq!(load(&[2, 1]), squares(&[1, 2]));
    GATES[&1].open();
    first.join().unwrap();
    assert_eq!(*RUNS.lock().unwrap(), [vec![1, 2], vec![2, 1]]);
}

/// The version of each id at its source, and the one whose invalidation is over.
struct Source {
    current: [AtomicU64; 16],
    settled: [AtomicU64; 16],
}

impl Source {
    const fn new() -> Self {
        Source { current: [const { AtomicU64::new(0) }; 16], settled: [const { AtomicU64::new(0) }; 16] }
    }

    fn read(of: &[AtomicU64; 16], ids: &[u64]) -> HashMap<u64, u64> {
        ids.iter().map(|id| (*id, of[usize::try_from(*id).unwrap()].load(SeqCst))).collect()
    }

    /// Changes an id. By the one who changes that id, since versions are settled in their order.
    fn change(&self, id: u64, invalidate: impl FnOnce()) {
        let at = usize::try_from(id).unwrap();
        let version = self.current[at].fetch_add(1, SeqCst) + 1;
        invalidate();
        self.settled[at].store(version, SeqCst);
    }
}

/// Some ids, another selection and order for each number.
fn some(number: u64) -> Vec<u64> {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let start = mixed >> 60;
    (0..=(mixed >> 56) % 8).map(|i| (start + i * (1 + 2 * ((mixed >> 50) % 8))) % 16).collect()
}

fn none_is_older(values: &HashMap<u64, u64>, settled: &HashMap<u64, u64>) {
    for (id, version) in settled {
        assert!(values[id] >= *version, "{id} is of version {}, and {version} was settled", values[id]);
    }
}

#[test]
fn many_threads_never_hang_and_never_get_what_was_invalidated() {
    static SOURCE: Source = Source::new();
    static RUNS: AtomicU64 = AtomicU64::new(0);
    #[cached(each = ids)]
    fn load(ids: &[u64]) -> HashMap<u64, u64> {
        let values = Source::read(&SOURCE.current, ids);
        thread::yield_now();
        assert!(RUNS.fetch_add(1, SeqCst) % 11 != 10, "a body that fails");
        values
    }
    let work = |thread: u64| {
        move || {
            for round in 0..2_000 {
                let ids = some(thread * 1_000_003 + round);
                if round % 5 == 0 {
                    let id = (round / 5 % 4) * 4 + thread;
                    SOURCE.change(id, || {
                        load::invalidate(&[id]);
                    });
                }
                let settled = Source::read(&SOURCE.settled, &ids);
                if let Ok(values) = catch_unwind(|| load(&ids)) {
                    none_is_older(&values, &settled);
                }
            }
        }
    };
    let threads: Vec<_> = (0..4).map(|thread| thread::spawn(work(thread))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_do_many_tasks_some_of_which_are_dropped() {
    static SOURCE: Source = Source::new();
    #[cached(each = ids)]
    async fn load(ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
        let values = Source::read(&SOURCE.current, ids);
        for _ in 0..ids[0] % 4 {
            tokio::task::yield_now().await;
        }
        if values.values().sum::<u64>() % 13 == 12 { Err("a body that fails".into()) } else { Ok(values) }
    }
    let work = |task: u64| async move {
        for round in 0..1_000 {
            let ids = some(task * 1_000_003 + round);
            if round % 5 == 0 {
                let id = (round / 5 % 2) * 8 + task;
                SOURCE.change(id, || {
                    load::invalidate(&[id]);
                });
            }
            let settled = Source::read(&SOURCE.settled, &ids);
            let called = async { load(&ids).await };
            let impatient = async {
                for _ in 0..(if round % 3 == 0 { 3 } else { 1_000_000 }) {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                values = called => if let Ok(values) = values { none_is_older(&values, &settled) },
                () = impatient => {}
            }
        }
    };
    let tasks: Vec<_> = (0..8).map(|task| tokio::spawn(work(task))).collect();
    for task in tasks {
        task.await.unwrap();
    }
}
