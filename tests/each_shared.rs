//! `each` with a shared level: all ids are asked for in one read, and stored by one operation, each on its own condition.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::unused_async, clippy::unnecessary_wraps, reason = "samples of what users write")]

mod support;

use memokit::{Cache, ErrorKind, cached};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::Duration;
use support::probe::{Op, Probe, Step, When};

/// The Redis database and the folder of this test binary.
const NUMBER: u8 = 14;

type Runs = Mutex<Vec<Vec<u64>>>;

fn runs(runs: &Runs) -> Vec<Vec<u64>> {
    std::mem::take(&mut runs.lock().unwrap())
}

fn squares(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, id * id)).collect()
}

/// Two functions of one prefix on a backend, of which one has no local level, and so meets what the other stored there;
/// and the same as tasks.
macro_rules! on_backend {
    ($($name:ident: $backend:literal;)+) => {$(
        mod $name {
            use super::*;
            static RUNS: Runs = Mutex::new(Vec::new());
            static TASK_RUNS: Runs = Mutex::new(Vec::new());

            #[cached(cache = $backend, prefix = "threads", each = ids)]
            fn near(ids: &[u64]) -> HashMap<u64, u64> {
                RUNS.lock().unwrap().push(ids.to_vec());
                squares(ids)
            }

            #[cached(cache = $backend, prefix = "threads", each = ids, local = false)]
            fn far(ids: &[u64]) -> HashMap<u64, u64> {
                RUNS.lock().unwrap().push(ids.to_vec());
                squares(ids)
            }

            #[test]
            fn what_another_stored_is_not_loaded() {
                support::register(NUMBER);
                assert_eq!(far(&[1, 2]), squares(&[1, 2]));
                assert_eq!(near(&[3, 2, 1, 4]), squares(&[1, 2, 3, 4]));
                assert_eq!(far(&[4, 5, 1]), squares(&[1, 4, 5]));
                assert_eq!(near(&[1, 2, 3]), squares(&[1, 2, 3]));
                assert_eq!(runs(&RUNS), [vec![1, 2], vec![3, 4], vec![5]]);
                let (near_stats, far_stats) = (near::stats(), far::stats());
                assert_eq!((near_stats.shared_hits, near_stats.local_hits, near_stats.misses), (2, 3, 2));
                assert_eq!((far_stats.shared_hits, far_stats.misses, far_stats.backend_errors), (2, 3, 0));

                assert!(near::invalidate(&[1, 9]).unwrap());
                assert!(!far::contains(&[1]).unwrap() && far::contains(&[2, 3, 4, 5]).unwrap());
                assert_eq!(far::peek(&[1, 2]).unwrap(), squares(&[2]));
                near::put(HashMap::from([(1, 100)])).unwrap();
                assert_eq!(far(&[1]), HashMap::from([(1, 100)]));
                assert_eq!(near::refresh(&[1]).unwrap(), squares(&[1]));
                assert_eq!(far(&[1]), squares(&[1]));
                far::invalidate_all().unwrap();
                assert_eq!(near::peek(&[1, 2, 3, 4, 5]).unwrap(), HashMap::new());
            }

            #[cached(cache = $backend, prefix = "tasks", each = ids, cache_none = true)]
            async fn near_task(ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
                TASK_RUNS.lock().unwrap().push(ids.to_vec());
                Ok(ids.iter().filter(|id| **id < 10).map(|id| (*id, id * id)).collect())
            }

            #[cached(cache = $backend, prefix = "tasks", each = ids, cache_none = true, local = false)]
            async fn far_task(ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
                TASK_RUNS.lock().unwrap().push(ids.to_vec());
                Ok(ids.iter().filter(|id| **id < 10).map(|id| (*id, id * id)).collect())
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn nor_is_it_by_tasks() {
                support::register(NUMBER);
                let first = tokio::spawn(async { far_task(&[1, 2, 12]).await });
                assert_eq!(first.await.unwrap(), Ok(squares(&[1, 2])));
                assert_eq!(near_task(&[12, 3, 1]).await, Ok(squares(&[1, 3])));
                assert_eq!(far_task(&[3, 12]).await, Ok(squares(&[3])));
                assert_eq!(runs(&TASK_RUNS), [vec![1, 2, 12], vec![3]], "that 12 has no value is stored");
                assert!(near_task::invalidate(&[12, 1]).await.unwrap());
                assert_eq!(far_task::peek(&[1, 3]).await.unwrap(), squares(&[3]));
                near_task::put(HashMap::from([(12, 12)])).await.unwrap();
                assert_eq!(far_task(&[12]).await, Ok(HashMap::from([(12, 12)])));
                assert_eq!(near_task::refresh(&[12, 3]).await.unwrap(), Ok(squares(&[3])));
                assert!(far_task::contains(&[12, 3]).await.unwrap());
                near_task::invalidate_all().await.unwrap();
            }
        }
    )+};
}

on_backend! {
    memory: "memory";
    file: "file";
    redis: "redis";
}

fn cache(probe: &'static LazyLock<Arc<Probe>>) -> Arc<dyn Cache> {
    Arc::clone(&**probe) as Arc<dyn Cache>
}

/// What a probe was asked since the last call of this.
fn asked(probe: &Probe) -> Vec<Op> {
    probe.log().into_iter().filter(|(_, when)| *when == When::Before).map(|(op, _)| op).collect()
}

#[tokio::test]
async fn one_read_and_one_write_are_for_all_ids() {
    static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);
    #[cached(cache = cache(&PROBE), prefix = "one near", each = ids)]
    fn near(ids: &[u64]) -> HashMap<u64, u64> {
        squares(ids)
    }
    #[cached(cache = cache(&PROBE), prefix = "one far", each = ids, local = false)]
    async fn far(ids: &[u64]) -> HashMap<u64, u64> {
        squares(ids)
    }
    near(&[1, 2, 3]);
    assert_eq!(asked(&PROBE), [Op::GetMany, Op::SetMany]);
    near(&[3, 2, 1]);
    assert_eq!(asked(&PROBE), [], "all are here");
    near(&[1, 4, 5]);
    assert_eq!(asked(&PROBE), [Op::GetMany, Op::SetMany]);
    far(&[1, 2]).await;
    assert_eq!(asked(&PROBE), [Op::GetMany, Op::SetMany]);
    far(&[1, 2]).await;
    assert_eq!(asked(&PROBE), [Op::GetMany]);
    near::refresh(&[1, 2]).unwrap();
    near::put(squares(&[7, 8])).unwrap();
    assert_eq!(asked(&PROBE), [Op::SetMany; 2]);
    near::invalidate(&[7, 8, 9]).unwrap();
    near::peek(&[1, 7, 8]).unwrap();
    assert_eq!(asked(&PROBE), [Op::Remove, Op::GetMany]);
    far::invalidate(&[]).await.unwrap();
    assert_eq!((asked(&PROBE), near(&[])), (vec![], HashMap::new()));
}

#[tokio::test]
async fn a_failing_backend_is_not_a_failing_function() {
    static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);
    #[cached(cache = cache(&PROBE), prefix = "failing near", each = ids)]
    fn near(ids: &[u64]) -> HashMap<u64, u64> {
        squares(ids)
    }
    #[cached(cache = cache(&PROBE), prefix = "failing far", each = ids, local = false)]
    async fn far(ids: &[u64]) -> HashMap<u64, u64> {
        squares(ids)
    }
    let fail = |op| {
        PROBE.rule(move |o, w| if (o, w) == (op, When::Before) { Step::Fail(ErrorKind::Timeout) } else { Step::Go });
    };
    fail(Op::GetMany);
    assert_eq!(near(&[1, 2]), squares(&[1, 2]));
    assert_eq!(far(&[1, 2]).await, squares(&[1, 2]));
    assert_eq!(asked(&PROBE), [Op::GetMany, Op::GetMany], "a backend that is down is waited for once");
    assert_eq!((near::stats().backend_errors, far::stats().backend_errors), (1, 1), "one failure for all ids");
    assert_eq!(near::peek(&[1, 9]).unwrap_err().kind(), ErrorKind::Timeout);
    fail(Op::SetMany);
    PROBE.log();
    assert_eq!(near(&[3, 4]), squares(&[3, 4]));
    assert_eq!(far(&[3, 4]).await, squares(&[3, 4]));
    assert_eq!((near::stats().backend_errors, far::stats().backend_errors), (2, 2));
    assert_eq!(asked(&PROBE), [Op::GetMany, Op::SetMany, Op::GetMany, Op::SetMany]);
    assert_eq!(near::refresh(&[1]).unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(near::put(squares(&[1])).unwrap_err().kind(), ErrorKind::Timeout);
    fail(Op::Remove);
    assert_eq!(near::invalidate(&[1]).unwrap_err().kind(), ErrorKind::Timeout, "a failed invalidation is loud");
    PROBE.be_good();
    assert_eq!(near(&[2, 3, 4]), squares(&[2, 3, 4]));
    assert_eq!(near::stats().local_hits, 3, "they are in this process, though not in the backend");
}

#[test]
fn an_entry_that_can_not_be_read_is_loaded_beside_others_that_can() {
    static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);
    static RUNS: Runs = Mutex::new(Vec::new());
    #[cached(cache = cache(&PROBE), prefix = "unreadable", each = ids, local = false)]
    fn users(ids: &[u64]) -> HashMap<u64, u64> {
        RUNS.lock().unwrap().push(ids.to_vec());
        squares(ids)
    }
    #[cached(cache = cache(&PROBE), prefix = "unreadable", local = false)]
    fn user(id: u64) -> Option<u64> {
        Some(id)
    }
    users(&[1, 2, 3]);
    assert_eq!(user(3), Some(9), "it has the same entries there, too");
    PROBE.memory.set(user::key(2).unwrap().text(), b"memo? no", None).unwrap();
    assert_eq!(users(&[1, 2, 3]), squares(&[1, 2, 3]));
    assert_eq!(runs(&RUNS), [vec![1, 2, 3], vec![2]]);
    assert_eq!((users::stats().rejected, users::stats().shared_hits), (1, 2));
}

#[test]
fn each_value_has_its_own_time() {
    static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);
    #[cached(cache = cache(&PROBE), prefix = "times load", each = ids, timeout_with = |v: &u64| (*v > 1).then(|| Duration::from_secs(*v % 3 + 1)))]
    fn load(ids: &[u64]) -> HashMap<u64, u64> {
        squares(ids)
    }
    assert_eq!(load(&[1, 2, 3, 4, 6]), squares(&[1, 2, 3, 4, 6]));
    let mut timeouts = PROBE.timeouts();
    timeouts.sort_unstable();
    assert_eq!(timeouts, [1, 1, 2, 2].map(|seconds| Some(Duration::from_secs(seconds))));
    assert_eq!(asked(&PROBE), [Op::GetMany, Op::SetMany], "of all times together");
    assert!(load::contains(&[2, 3, 4, 6]).unwrap() && !load::contains(&[1]).unwrap());
}

#[test]
fn an_invalidation_waits_for_the_write_and_removes_what_it_wrote() {
    static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);
    #[cached(cache = cache(&PROBE), prefix = "waits load", each = ids)]
    fn load(ids: &[u64]) -> HashMap<u64, u64> {
        squares(ids)
    }
    let gate = PROBE.stop(Op::SetMany, When::Before);
    let first = thread::spawn(|| load(&[1, 2, 3]));
    gate.arrived(1);
    let invalidation = thread::spawn(|| load::invalidate(&[2, 7]).unwrap());
    for _ in 0..2_000 {
        assert!(!invalidation.is_finished());
        thread::yield_now();
    }
    gate.open();
    assert!(invalidation.join().unwrap(), "it was there by then");
    assert_eq!(first.join().unwrap(), squares(&[1, 2, 3]));
    PROBE.be_good();
    assert_eq!(load::peek(&[1, 2, 3]).unwrap(), squares(&[1, 3]));
}

#[test]
fn a_call_whose_write_panics_leaves_nobody_waiting() {
    static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);
    #[cached(cache = cache(&PROBE), prefix = "panics load", each = ids)]
    fn load(ids: &[u64]) -> HashMap<u64, u64> {
        squares(ids)
    }
    PROBE.rule(|op, when| if (op, when) == (Op::SetMany, When::Before) { Step::Panic } else { Step::Go });
    assert!(std::panic::catch_unwind(|| load(&[1, 2])).is_err());
    PROBE.be_good();
    assert_eq!(load(&[1, 2, 3]), squares(&[1, 2, 3]));
    assert!(load::invalidate(&[1]).unwrap());
}

/// Refreshes lead whatever is under way, so they meet while they write.
#[test]
fn calls_that_write_the_same_ids_do_not_wait_for_each_other() {
    static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);
    static NEWEST: AtomicU64 = AtomicU64::new(0);
    #[cached(cache = cache(&PROBE), prefix = "writers load", each = ids)]
    fn load(ids: &[u64]) -> HashMap<u64, u64> {
        let newest = NEWEST.fetch_add(1, SeqCst) + 1;
        ids.iter().map(|id| (*id, newest)).collect()
    }
    PROBE.rule(|_, _| {
        thread::yield_now();
        Step::Go
    });
    let work = |ids: [u64; 3]| move || (0..500).for_each(|_| drop(load::refresh(&ids).unwrap()));
    let threads = [[1, 2, 3], [3, 2, 1], [2, 3, 4], [4, 1, 2]].map(|ids| thread::spawn(work(ids)));
    for thread in threads {
        thread.join().unwrap();
    }
    let ids = [1, 2, 3, 4];
    let (here, there) = (load::peek(&ids).unwrap(), load(&ids));
    assert_eq!(here, there);
    assert_eq!(load::stats().backend_errors, 0);
}

#[test]
fn what_was_invalidated_is_never_served_again() {
    static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);
    static CURRENT: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];
    static SETTLED: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];
    static OVER: AtomicBool = AtomicBool::new(false);
    fn read(of: &[AtomicU64; 8], ids: &[u64]) -> HashMap<u64, u64> {
        ids.iter().map(|id| (*id, of[usize::try_from(*id).unwrap()].load(SeqCst))).collect()
    }
    #[cached(cache = "settled", prefix = "settled", each = ids)]
    fn near(ids: &[u64]) -> HashMap<u64, u64> {
        read(&CURRENT, ids)
    }
    #[cached(cache = "settled", prefix = "settled", each = ids, local = false)]
    fn far(ids: &[u64]) -> HashMap<u64, u64> {
        read(&CURRENT, ids)
    }
    PROBE.rule(|_, _| {
        thread::yield_now();
        Step::Go
    });
    // By its name it is one cache to both functions, so that they are one to an invalidation, too.
    assert!(memokit::register("settled", cache(&PROBE)).is_none());
    let readers = [near as fn(&[u64]) -> HashMap<u64, u64>, far, near].map(|call| {
        thread::spawn(move || {
            let mut round = 0_u64;
            while !OVER.load(SeqCst) {
                round += 1;
                let ids = [round % 8, (round * 3 + 1) % 8, (round * 5 + 2) % 8];
                let settled = read(&SETTLED, &ids);
                let values = call(&ids);
                for (id, version) in settled {
                    assert!(values[&id] >= version, "{id} is of version {}, and {version} was settled", values[&id]);
                }
            }
        })
    });
    for round in 0..2_000_usize {
        let ids = [round % 8, (round + 3) % 8];
        let versions = ids.map(|id| CURRENT[id].fetch_add(1, SeqCst) + 1);
        near::invalidate(&ids.map(|id| id as u64)).unwrap();
        ids.iter().zip(versions).for_each(|(id, version)| SETTLED[*id].store(version, SeqCst));
    }
    OVER.store(true, SeqCst);
    for reader in readers {
        reader.join().unwrap();
    }
}
