//! `single_flight = "fleet"` where a load takes longer than a lease lives, and where one fails. What another process would do
//! with the lease is seen in the cache.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![allow(clippy::unnecessary_wraps, reason = "samples of what users write")]

mod support;

use memokit::testing::{Faulty, Operation};
use memokit::{Cache, MemoryCache, cached, health};
use std::sync::{Arc, LazyLock};
use std::thread;
use support::gate::Gate;

static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
static CACHE: LazyLock<Arc<Faulty>> = LazyLock::new(|| Arc::new(Faulty::new(Arc::new(MemoryCache::new()))));

#[cached(cache = Arc::clone(&CACHE) as Arc<dyn Cache>, prefix = "long", single_flight = "fleet")]
fn long(n: u64) -> u64 {
    GATE.pass();
    n
}

/// A lease lives three seconds and is renewed each second, in real time: other processes go by it.
#[test]
fn a_lease_is_renewed_for_as_long_as_its_load_runs() {
    let lease = format!("memo!lease:{}", long::key(1).unwrap().text());
    let call = thread::spawn(|| long(1));
    GATE.arrived(1);
    let token = CACHE.get(&lease).unwrap().unwrap();
    while CACHE.calls(Operation::TouchIf) < 5 {
        assert_eq!(CACHE.get(&lease).unwrap().as_ref(), Some(&token));
        thread::yield_now();
    }
    GATE.open();
    assert_eq!(call.join().unwrap(), 1);
    assert_eq!(CACHE.get(&lease).unwrap(), None, "it is given back");
}

/// The Redis database of this test binary.
const NUMBER: u8 = 12;

/// A cache each for three functions of one entry, as in three processes.
static OF: [LazyLock<Arc<Faulty>>; 3] =
    [const { LazyLock::new(|| Arc::new(Faulty::new(Arc::new(support::redis_of(NUMBER))))) }; 3];
static FAILS: LazyLock<Gate> = LazyLock::new(Gate::default);
static LOAD: LazyLock<Gate> = LazyLock::new(Gate::default);

fn of(process: usize) -> Arc<dyn Cache> {
    Arc::clone(&OF[process]) as Arc<dyn Cache>
}

#[cached(cache = of(0), prefix = "failing", single_flight = "fleet")]
fn fails(n: u64) -> Result<u64, String> {
    FAILS.pass();
    Err(format!("no value of {n}"))
}

#[cached(cache = of(1), prefix = "failing", single_flight = "fleet")]
fn second(n: u64) -> Result<u64, String> {
    LOAD.pass();
    Ok(n)
}

#[cached(cache = of(2), prefix = "failing", single_flight = "fleet")]
fn third(n: u64) -> Result<u64, String> {
    LOAD.pass();
    Ok(n)
}

#[test]
fn a_load_that_fails_lets_the_others_load_at_once() {
    drop(support::redis(NUMBER));
    for process in 0..3 {
        let listens = [fails::peek, second::peek, third::peek][process];
        while !health(&of(process)).hears {
            assert_eq!(listens(0).unwrap(), None);
            thread::yield_now();
        }
    }
    let failing = thread::spawn(|| fails(1));
    FAILS.arrived(1);
    let waiting = [thread::spawn(|| second(1)), thread::spawn(|| third(1))];
    for process in [1, 2] {
        // It has found the lease taken, and looked again once its wait had begun.
        while OF[process].calls(Operation::Add) < 2 {
            thread::yield_now();
        }
    }
    FAILS.open();
    assert_eq!(failing.join().unwrap().unwrap_err(), "no value of 1");
    // Both are in their bodies, so neither waits for the other.
    LOAD.arrived(2);
    LOAD.open();
    assert_eq!(waiting.map(|call| call.join().unwrap()), [Ok(1), Ok(1)]);
    assert_eq!(fails(1), Ok(1), "what they stored is there for all");
}
