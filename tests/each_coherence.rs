//! `each` and invalidations: what was invalidated while it was loaded, by tag and by key, in this process and in another.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![allow(clippy::unnecessary_wraps, reason = "samples of what users write")]

mod support;

use memokit::invalidation::{Invalidation, tag_name};
use memokit::testing::{Faulty, Operation};
use memokit::{Cache, MemoryCache, cached, invalidate_tag, tag};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;
use support::gate::Gate;
use support::probe::Probe;
use support::{given, run};

type Map = HashMap<u64, u64>;

/// What another process does to a cache that it shares with this one.
fn elsewhere(cache: &dyn Cache, keys: &[&str], names: &[&str]) {
    let keep = Duration::from_secs(600);
    cache.invalidate(&Invalidation { keys, names, seen: 0, sender: 1, keep }).unwrap();
}

/// What a call returns, of whose load `meanwhile` happens inside.
fn during(gate: &Gate, call: impl FnOnce() -> Map + Send, meanwhile: impl FnOnce()) -> Map {
    thread::scope(|scope| {
        let call = scope.spawn(call);
        gate.arrived(1);
        meanwhile();
        gate.open();
        call.join().unwrap()
    })
}

#[test]
fn a_tag_invalidated_during_the_load_voids_all_that_it_loaded() {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    #[cached(each = ids)]
    fn load(ids: &[u64]) -> Map {
        tag(format!("under way {}", ids[0]));
        if ids[0] == 1 {
            GATE.pass();
        }
        run(ids)
    }
    let other = load(&[7, 8]);
    let old = during(&GATE, || load(&[1, 2, 3, 8]), || invalidate_tag("under way 1").unwrap());
    assert!([1, 2, 3].iter().all(|id| !load::contains(&[*id])));
    let new = load(&[3, 2]);
    assert!(new[&2] > old[&2] && new[&3] == new[&2], "{old:?} {new:?}");
    assert_eq!(load(&[7, 8]), other, "they have another tag");
}

/// A call that comes after the invalidation must not be answered by the load from before it.
#[test]
fn who_joins_it_after_that_loads_again() {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    #[cached(each = ids)]
    fn load(ids: &[u64]) -> Map {
        tag("joined");
        GATE.pass();
        run(ids)
    }
    thread::scope(|scope| {
        let leader = scope.spawn(|| load(&[1, 2]));
        GATE.arrived(1);
        invalidate_tag("joined").unwrap();
        let follower = scope.spawn(|| load(&[2, 3]));
        // It leads the load of 3, and has joined that of 2 by then.
        GATE.arrived(2);
        GATE.open();
        let (old, new) = (leader.join().unwrap(), follower.join().unwrap());
        assert!(new[&2] > old[&2], "{old:?} {new:?}");
    });
}

#[test]
fn another_process_invalidates_a_tag_during_the_load() {
    static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    #[cached(cache = given(&PROBE), prefix = "tagged elsewhere", each = ids, local = false)]
    fn load(ids: &[u64]) -> Map {
        if ids[0] == 1 {
            tag("elsewhere");
            GATE.pass();
        }
        run(ids)
    }
    let name = tag_name("elsewhere");
    let other = load(&[7, 8]);
    let old = during(&GATE, || load(&[1, 2, 8]), || elsewhere(&PROBE.memory, &[], &[&name]));
    let new = load(&[1, 2, 7, 8]);
    assert!(new[&1] > old[&1] && new[&2] > old[&2], "{old:?} {new:?}");
    assert_eq!((new[&7], new[&8]), (other[&7], other[&8]), "they have no tag");
    assert_eq!(load(&[8, 2, 1]), HashMap::from([(8, new[&8]), (2, new[&2]), (1, new[&1])]), "these began after it");
}

#[test]
fn tagged_entries_stand_beside_others_in_one_map_and_hand_on_their_tags() {
    static CACHE: LazyLock<Arc<Faulty>> = LazyLock::new(|| Arc::new(Faulty::new(Arc::new(MemoryCache::new()))));
    #[cached(cache = given(&CACHE), prefix = "beside others", each = ids, local = false)]
    fn load(ids: &[u64]) -> Map {
        if ids[0] % 2 == 1 {
            tag("odd beside others");
        }
        run(ids)
    }
    #[cached]
    fn sum(first: u64) -> u64 {
        load(&[first, first + 2]).values().sum()
    }
    let (odd, even) = (load(&[1, 3]), load(&[2, 4]));
    sum(1);
    sum(2);
    let asked = CACHE.calls(Operation::Records);
    let all = load(&[1, 2, 3, 4]);
    assert!(CACHE.calls(Operation::Records) <= asked + 1, "one question for all entries");
    assert_eq!((all[&1], all[&2], all[&3], all[&4]), (odd[&1], even[&2], odd[&3], even[&4]));
    invalidate_tag("odd beside others").unwrap();
    assert!(!sum::contains(1) && sum::contains(2), "what was found has tags as what was loaded has");
    let new = load(&[1, 2, 3, 4]);
    assert!(new[&1] > all[&1] && new[&3] == new[&1], "{all:?} {new:?}");
    assert_eq!((new[&2], new[&4]), (all[&2], all[&4]));
}

#[test]
fn a_key_that_another_process_invalidates_during_the_load_is_not_stored() {
    static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    #[cached(cache = given(&PROBE), prefix = "key elsewhere", each = ids)]
    fn load(ids: &[u64]) -> Map {
        GATE.pass();
        run(ids)
    }
    #[cached(cache = given(&PROBE), prefix = "key elsewhere")]
    fn one(id: u64) -> Option<u64> {
        Some(id)
    }
    let key = one::key(2).unwrap();
    let old = during(&GATE, || load(&[1, 2, 3]), || elsewhere(&PROBE.memory, &[key.text()], &[]));
    assert_eq!(load::stats().discarded, 1);
    assert_eq!(PROBE.memory.get(key.text()).unwrap(), None, "it is not there");
    assert!(!load::contains(&[2]).unwrap(), "nor here");
    let new = load(&[1, 2, 3]);
    assert_eq!((new[&1], new[&3]), (old[&1], old[&3]), "the others are");
    assert!(new[&2] > old[&2], "{old:?} {new:?}");
    assert_eq!(load::stats().backend_errors, 0);
}

#[test]
fn tags_of_the_other_arguments_are_those_of_each_id() {
    static CACHE: LazyLock<Arc<MemoryCache>> = LazyLock::new(|| Arc::new(MemoryCache::new()));
    #[cached(each = ids, tags = [format!("tenant {tenant}"), "its ids"])]
    fn near(tenant: String, ids: Vec<u64>) -> Map {
        run(&[tenant.len() as u64, ids.len() as u64]);
        run(&ids)
    }
    #[cached(cache = given(&CACHE), prefix = "tenants far", each = ids, tags = [format!("tenant {tenant}")], local = false)]
    async fn far(tenant: u8, ids: &[u64]) -> Result<Map, String> {
        tag("of the body");
        Ok(run(ids))
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let far = |tenant, ids| runtime.block_on(far(tenant, ids)).unwrap();
    let near = |tenant: &str, ids| near(tenant.to_owned(), ids);

    let (a, b) = (near("1", vec![1, 2]), near("2", vec![1, 2]));
    let (one, two) = (far(1, &[1, 2]), far(2, &[1, 2]));
    near::put("1".to_owned(), HashMap::from([(9, 9)]));
    runtime.block_on(far::put(1, HashMap::from([(9, 9)]))).unwrap();
    assert_eq!((near("1", vec![1, 9])[&9], far(1, &[9])[&9]), (9, 9));
    invalidate_tag("tenant 1").unwrap();
    let (new_a, new_one) = (near("1", vec![1, 2, 9]), far(1, &[1, 2, 9]));
    assert!(new_a[&1] > a[&1] && new_a[&2] == new_a[&1] && new_a[&9] == new_a[&1], "{new_a:?}");
    assert!(new_one[&1] > one[&1] && new_one[&2] == new_one[&1] && new_one[&9] == new_one[&1], "{new_one:?}");
    assert_eq!((near("2", vec![1, 2]), far(2, &[1, 2])), (b, two), "they have another tag");

    near::refresh("2".to_owned(), vec![1]);
    runtime.block_on(far::refresh(2, &[1])).unwrap().unwrap();
    invalidate_tag("tenant 2").unwrap();
    assert!(!near::contains("2".to_owned(), vec![1]) && !near::contains("2".to_owned(), vec![2]));
    assert!(!runtime.block_on(far::contains(2, &[1])).unwrap());
    let before = far(1, &[1]);
    invalidate_tag("of the body").unwrap();
    assert!(far(1, &[1])[&1] > before[&1]);
}
