//! A bucket with copies in memory, another door to its entries and a guard over pending writes, against two plain maps.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use memokit::testing::MockClock;
use memokit::{Bucket, Cache, MemoryCache};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
/// How long values live, in seconds.
const TIMEOUT: u64 = 5;

/// What happens, through which of the buckets.
#[derive(Clone, Debug)]
enum Step {
    Set(usize, u8, u32),
    Add(usize, u8, u32),
    Remove(usize, u8),
    Touch(usize, u8),
    Clear(usize),
    Get(usize, u8),
    GetAll(usize),
    Unload(u8),
    UnloadAll,
    Hold(u8, u32),
    HoldRemoval(u8),
    Flush,
    Discard,
    Wait,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (door, key, value) = (0..3_usize, 0..4_u8, any::<u32>());
    let step = prop_oneof![
        1 => (door.clone(), key.clone(), value).prop_map(|(door, key, value)| Step::Set(door, key, value)),
        1 => (door.clone(), key.clone(), value).prop_map(|(door, key, value)| Step::Add(door, key, value)),
        1 => (door.clone(), key.clone()).prop_map(|(door, key)| Step::Remove(door, key)),
        1 => (door.clone(), key.clone()).prop_map(|(door, key)| Step::Touch(door, key)),
        1 => door.clone().prop_map(Step::Clear),
        5 => (door.clone(), key.clone()).prop_map(|(door, key)| Step::Get(door, key)),
        1 => door.prop_map(Step::GetAll),
        1 => key.clone().prop_map(Step::Unload),
        1 => Just(Step::UnloadAll),
        2 => (key.clone(), value).prop_map(|(key, value)| Step::Hold(key, value)),
        1 => key.prop_map(Step::HoldRemoval),
        1 => Just(Step::Flush),
        1 => Just(Step::Discard),
        2 => Just(Step::Wait),
    ];
    prop::collection::vec(step, 1..60)
}

/// Values and the second in which they expire; `None` is a removal that waits.
#[derive(Default)]
struct Model {
    now: u64,
    stored: HashMap<u8, (u32, u64)>,
    waiting: HashMap<u8, Option<(u32, u64)>>,
}

impl Model {
    fn get(&self, key: u8) -> Option<u32> {
        self.stored.get(&key).filter(|(_, until)| *until > self.now).map(|(value, _)| *value)
    }

    fn of_guard(&self, key: u8) -> Option<u32> {
        match self.waiting.get(&key) {
            Some(waiting) => waiting.filter(|(_, until)| *until > self.now).map(|(value, _)| value),
            None => self.get(key),
        }
    }

    fn set_now(&self, value: u32) -> (u32, u64) {
        (value, self.now + TIMEOUT)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn any_steps_leave_what_the_maps_hold(steps in steps()) {
        let clock = MockClock::install();
        let cache: Arc<dyn Cache> = Arc::new(MemoryCache::new());
        let bucket: Bucket<u32> = Bucket::new(cache, "model").timeout(Duration::from_secs(TIMEOUT)).unwrap();
        let with_memory = bucket.clone().in_memory(3, 60 * SECOND).unwrap();
        let doors = [bucket.clone(), with_memory.clone(), bucket.clone().in_memory(100, 60 * SECOND).unwrap()];
        let mut guard = with_memory.deferred();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Set(door, key, value) => {
                    doors[door].set(&key, &value).unwrap();
                    model.stored.insert(key, model.set_now(value));
                }
                Step::Add(door, key, value) => {
                    prop_assert_eq!(doors[door].add(&key, &value).unwrap(), model.get(key).is_none());
                    if model.get(key).is_none() {
                        model.stored.insert(key, model.set_now(value));
                    }
                }
                Step::Remove(door, key) => {
                    prop_assert_eq!(doors[door].remove(&key).unwrap(), model.get(key).is_some());
                    model.stored.remove(&key);
                }
                Step::Touch(door, key) => {
                    let touched = doors[door].touch(&key, Some(SECOND)).unwrap();
                    prop_assert_eq!(touched, model.get(key).is_some());
                    if touched {
                        model.stored.get_mut(&key).unwrap().1 = model.now + 1;
                    }
                }
                Step::Clear(door) => {
                    let count = (0..4).filter(|key| model.get(*key).is_some()).count();
                    prop_assert_eq!(doors[door].clear().unwrap(), count as u64);
                    model.stored.clear();
                }
                Step::Get(door, key) => prop_assert_eq!(doors[door].get(&key).unwrap(), model.get(key)),
                Step::GetAll(door) => {
                    let all: Vec<Option<u32>> = (0..4).map(|key| model.get(key)).collect();
                    prop_assert_eq!(doors[door].get_many(0..4_u8).unwrap(), all);
                }
                Step::Unload(key) => drop(with_memory.unload(&key).unwrap()),
                Step::UnloadAll => with_memory.unload_all(),
                Step::Hold(key, value) => {
                    guard.set(&key, &value).unwrap();
                    model.waiting.insert(key, Some(model.set_now(value)));
                }
                Step::HoldRemoval(key) => {
                    guard.remove(&key).unwrap();
                    model.waiting.insert(key, None);
                }
                Step::Flush => {
                    prop_assert_eq!(guard.flush().unwrap(), model.waiting.len());
                    for (key, waiting) in model.waiting.drain() {
                        match waiting {
                            Some(entry) => drop(model.stored.insert(key, entry)),
                            None => drop(model.stored.remove(&key)),
                        }
                    }
                }
                Step::Discard => {
                    prop_assert_eq!(guard.discard(), model.waiting.len());
                    model.waiting.clear();
                }
                Step::Wait => {
                    clock.advance(SECOND);
                    model.now += 1;
                }
            }
            let all: Vec<Option<u32>> = (0..4).map(|key| model.of_guard(key)).collect();
            prop_assert_eq!(guard.get_many(0..4_u8).unwrap(), all);
            prop_assert_eq!(guard.pending(), model.waiting.len());
        }
    }
}
