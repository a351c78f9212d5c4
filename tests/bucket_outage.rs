//! A bucket whose cache does not answer.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::testing::{Fault, Faulty, MockClock};
use memokit::{Bucket, ErrorKind, MemoryCache};
use std::sync::Arc;
use std::time::Duration;
use support::eventually;

#[test]
fn it_says_so_without_asking_until_the_cache_answers_again() {
    let clock = MockClock::install();
    let cache = Arc::new(Faulty::new(Arc::new(MemoryCache::new())));
    let bucket: Bucket<u32> =
        Bucket::new(Arc::clone(&cache) as _, "outage").in_memory(10, Duration::from_secs(3600)).unwrap();
    bucket.set(&1, &10).unwrap();
    assert_eq!(bucket.get(&1).unwrap(), Some(10));

    let down = cache.inject(Fault::error(ErrorKind::Unavailable));
    let mut failures = 0;
    while memokit::health(&(Arc::clone(&cache) as _)).answers {
        assert_eq!(bucket.get(&2).unwrap_err().kind(), ErrorKind::Unavailable);
        failures += 1;
        assert!(failures < 20, "it is asked for good");
    }
    let asked = cache.all_calls();
    let errors = [
        bucket.get(&2).unwrap_err(),
        bucket.set(&2, &20).unwrap_err(),
        bucket.add(&2, &20).unwrap_err(),
        bucket.remove(&2).unwrap_err(),
        bucket.get_many([2, 3]).unwrap_err(),
        bucket.set_many([(2, &20)]).unwrap_err(),
        bucket.remove_many([2]).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("is not asked until it does"), "{error}");
    }
    assert_eq!(bucket.get(&1).unwrap(), Some(10), "copies are there all the same");
    assert_eq!(cache.all_calls(), asked);

    cache.withdraw(down);
    clock.advance(Duration::from_secs(1));
    eventually(|| memokit::health(&(Arc::clone(&cache) as _)).answers);
    bucket.set(&2, &20).unwrap();
    assert_eq!(bucket.get(&2).unwrap(), Some(20));
}
