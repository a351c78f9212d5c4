//! A function and its async twin with the entries of one prefix, on a thread that drives the tasks.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![allow(clippy::unused_async, reason = "samples of what users write")]

mod support;

use memokit::testing::{Fault, Faulty, Operation};
use memokit::{Cache, FileCache, MemoryCache, cached, health, register};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

static TRUTH: AtomicU32 = AtomicU32::new(0);

#[cached(cache = "twins", prefix = "twins")]
fn by_thread(id: u32) -> u32 {
    id + TRUTH.load(SeqCst)
}

#[cached(cache = "twins", prefix = "twins")]
async fn by_task(id: u32) -> u32 {
    id + TRUTH.load(SeqCst)
}

/// Asks the shared level only.
#[cached(cache = "twins", prefix = "twins", local = false)]
fn stored(id: u32) -> u32 {
    id + TRUTH.load(SeqCst)
}

#[cached(cache = "twins", prefix = "twins of several", each = ids)]
fn several_by_thread(ids: &[u32]) -> HashMap<u32, u32> {
    ids.iter().map(|id| (*id, id + TRUTH.load(SeqCst))).collect()
}

#[cached(cache = "twins", prefix = "twins of several", each = ids)]
async fn several_by_task(ids: &[u32]) -> HashMap<u32, u32> {
    ids.iter().map(|id| (*id, id + TRUTH.load(SeqCst))).collect()
}

/// Asks the shared level only.
#[cached(cache = "twins", prefix = "twins of several", each = ids, local = false)]
fn several_stored(ids: &[u32]) -> HashMap<u32, u32> {
    ids.iter().map(|id| (*id, id + TRUTH.load(SeqCst))).collect()
}

/// Has a task load 7 as the value of 7 and write it, while the thread that drives the task does something. Then the task
/// goes on.
fn while_a_task_writes(faulty: &Faulty, several: bool, act: fn()) {
    stored::invalidate_all().unwrap();
    several_stored::invalidate_all().unwrap();
    TRUTH.store(0, SeqCst);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stuck = faulty.inject(Fault::hang().on(Operation::Store).on(Operation::StoreMany));
        let task =
            tokio::spawn(async move { if several { several_by_task(&[7]).await[&7] } else { by_task(7).await } });
        while faulty.hanging() == 0 {
            tokio::task::yield_now().await;
        }
        TRUTH.store(100, SeqCst);
        faulty.withdraw(stuck);
        act();
        assert_eq!(task.await.unwrap(), 7, "whoever had begun gets what was loaded");
    });
}

fn backends() -> [Arc<dyn Cache>; 3] {
    let file = FileCache::builder(support::folder("twins")).build().unwrap();
    [Arc::new(MemoryCache::new()), Arc::new(file), Arc::new(support::redis(1))]
}

/// One after the other: all of them use one name.
#[test]
fn a_thread_that_drives_a_task_does_not_wait_for_what_the_task_writes() {
    for inner in backends() {
        println!("{}", inner.capabilities().name);
        let faulty = Arc::new(Faulty::new(inner));
        let cache = Arc::clone(&faulty) as Arc<dyn Cache>;
        register("twins", Arc::clone(&cache));
        if cache.capabilities().bus {
            support::hears("twins", || drop(stored::peek(0)));
        }
        let invalidations: [(bool, fn()); 4] = [
            (false, || assert!(by_thread::invalidate(7).is_ok())),
            (false, || by_thread::invalidate_all().unwrap()),
            (true, || assert!(several_by_thread::invalidate(&[6, 7]).is_ok())),
            (true, || several_by_thread::invalidate_all().unwrap()),
        ];
        for (several, invalidate) in invalidations {
            while_a_task_writes(&faulty, several, invalidate);
            assert_eq!(stored::peek(7).unwrap(), None, "what began before is gone");
            assert!(several_stored::peek(&[7]).unwrap().is_empty(), "what began before is gone");
            assert_eq!((by_thread(7), stored(7)), (107, 107));
            assert_eq!((several_by_thread(&[7])[&7], several_stored(&[7])[&7]), (107, 107));
        }
        let stores: [(bool, fn()); 6] = [
            (false, || assert_eq!(by_thread(7), 107)),
            (false, || assert_eq!(by_thread::refresh(7).unwrap(), 107)),
            (false, || by_thread::put(7, 107).unwrap()),
            (true, || assert_eq!(several_by_thread(&[6, 7]), HashMap::from([(6, 106), (7, 107)]))),
            (true, || assert_eq!(several_by_thread::refresh(&[7]).unwrap()[&7], 107)),
            (true, || several_by_thread::put(HashMap::from([(7, 107)])).unwrap()),
        ];
        for (several, store) in stores {
            while_a_task_writes(&faulty, several, store);
            assert_ne!(stored::peek(7).unwrap(), Some(7), "what is older does not replace what is newer");
            assert_ne!(several_stored::peek(&[7]).unwrap().get(&7), Some(&7), "nor of several");
            if several {
                assert_eq!(several_by_thread::peek(&[7]).unwrap()[&7], 107);
            } else {
                assert_eq!(by_thread::peek(7).unwrap(), Some(107));
            }
        }
        assert_eq!(health(&cache).owed, 0);
    }
}
