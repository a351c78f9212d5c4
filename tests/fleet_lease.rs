//! `single_flight = "fleet"` where a load takes longer than a lease lives, and where one fails. What another process would do
//! with the lease is seen in the cache.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::testing::{Faulty, Operation};
use memokit::{Cache, MemoryCache, cached};
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
