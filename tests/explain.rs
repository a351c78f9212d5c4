//! `explain`: why the next call would hit or miss.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::unused_async, reason = "samples of what users write")]

mod support;

use memokit::testing::MockClock;
use memokit::{Cache, ErrorKind, Level, LoadState, LocalState, NextCall, SharedState, cached};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;
use support::gate::Gate;
use support::probe::{Op, Probe, Step, When};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn from_never_stored_to_fresh_to_expired() {
    #[cached(timeout = 10)]
    fn timed(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    let before = timed::explain(1);
    assert_eq!(
        (before.next_call(), before.local(), before.would_hit()),
        (NextCall::Load, LocalState::NeverStored, false)
    );
    assert_eq!(before.function(), concat!(module_path!(), "::timed"));
    assert!(before.key().is_none() && matches!(before.shared(), SharedState::Off) && before.backend_error().is_none());
    assert_eq!(timed(1), 1);
    clock.advance(SECOND * 3);
    let fresh = timed::explain(1);
    assert_eq!(fresh.local(), LocalState::Fresh { age: SECOND * 3, left: Some(SECOND * 7) });
    assert_eq!((fresh.next_call(), fresh.would_hit()), (NextCall::Hit(Level::Local), true));
    clock.advance(SECOND * 9);
    let expired = timed::explain(1);
    assert_eq!(expired.local(), LocalState::Expired { age: SECOND * 12, since: SECOND * 2 });
    assert_eq!((expired.next_call(), expired.would_hit()), (NextCall::Load, false));
    assert_eq!(timed::explain(2).local(), LocalState::NeverStored, "of other arguments");
}

#[test]
fn without_a_timeout_a_value_stays() {
    #[cached]
    fn kept(text: &str) -> usize {
        text.len()
    }
    let clock = MockClock::install();
    kept("a");
    clock.advance(SECOND * 1000);
    assert_eq!(kept::explain("a").local(), LocalState::Fresh { age: SECOND * 1000, left: None });
}

#[test]
fn what_is_gone_may_have_been_evicted_or_invalidated() {
    #[cached(capacity = 2)]
    fn few(n: u32) -> u32 {
        n
    }
    assert_eq!(few(1), 1);
    assert!(few::invalidate(1));
    assert_eq!(few::explain(1).local(), LocalState::Nothing { evicted: 0, invalidations: 1, expired: 0 });
    (0..10).for_each(|n| assert_eq!(few(n), n));
    let gone = (0..10).map(few::explain).find(|gone| !gone.would_hit()).unwrap();
    let evicted = few::stats().evicted;
    assert!(evicted >= 8);
    assert_eq!(gone.local(), LocalState::Nothing { evicted, invalidations: 1, expired: 0 });
}

#[test]
fn a_value_that_is_not_valid_is_refused_at_both_levels() {
    #[cached(cache = "default", valid_if = |n| *n < 3)]
    fn small(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    assert_eq!((small(1), small(7)), (1, 7));
    clock.advance(SECOND);
    assert!(small::explain(1).would_hit());
    let refused = small::explain(7);
    assert_eq!((refused.next_call(), refused.local()), (NextCall::Load, LocalState::Refused { age: SECOND }));
    assert!(matches!(refused.shared(), SharedState::Refused { .. }));
    assert!(refused.to_string().contains("local level: refused by `valid_if`, stored 1.0s ago"), "{refused}");
}

#[test]
fn asking_counts_nothing() {
    #[cached(capacity = 100)]
    fn few(n: u32) -> u32 {
        n
    }
    (0..100).for_each(|n| assert_eq!(few(n), n));
    let before = few::stats();
    for _ in 0..10 {
        (0..200).for_each(|n| drop(few::explain(n)));
    }
    assert_eq!(few::stats(), before);
}

#[test]
fn bypass_and_refresh_keep_a_call_from_the_cache() {
    #[cached(bypass = live, refresh = again)]
    fn steered(n: u32, live: bool, again: bool) -> u32 {
        n
    }
    steered(1, false, false);
    assert_eq!(steered::explain(1, true, true).next_call(), NextCall::Bypass);
    assert_eq!(steered::explain(1, false, true).next_call(), NextCall::Refresh);
    assert_eq!(steered::explain(1, false, false).next_call(), NextCall::Hit(Level::Local));
    assert!(matches!(steered::explain(1, true, true).local(), LocalState::Fresh { .. }), "it is there all the same");
}

#[test]
fn a_load_under_way_is_waited_for() {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    #[cached]
    fn slow(n: u32) -> u32 {
        GATE.pass();
        assert_eq!(slow::explain(n).load(), LoadState::Apart, "the load does not wait for itself");
        n
    }
    #[cached(single_flight = false)]
    fn alone(n: u32) -> u32 {
        assert_eq!(alone::explain(n).load(), LoadState::None);
        n
    }
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(slow(1), 1));
        GATE.arrived(1);
        let explained = slow::explain(1);
        assert_eq!((explained.load(), explained.next_call()), (LoadState::Joinable, NextCall::Join));
        assert_eq!(slow::explain(2).load(), LoadState::None);
        GATE.open();
    });
    assert_eq!((slow::explain(1).load(), alone(1)), (LoadState::None, 1));
    assert_eq!(slow::stats().joins, 0);
}

#[test]
fn it_reads_well() {
    #[cached(timeout = 60, prefix = "explain/read", cache = "default")]
    fn shared(n: u32) -> u32 {
        n
    }
    #[cached(timeout = "2m")]
    fn local(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    let path = module_path!();
    assert_eq!(
        local::explain(1).to_string(),
        format!(
            "{path}::local: the next call is a miss, and runs the body\n  local level: nothing, since no call stored it"
        )
    );
    local(1);
    clock.advance(Duration::from_millis(1500));
    assert_eq!(
        local::explain(1).to_string(),
        format!(
            "{path}::local: the next call is a hit in the local level\n  local level: fresh, stored 1.5s ago, expires in 118.5s"
        )
    );
    clock.advance(SECOND * 120);
    assert_eq!(
        local::explain(1).to_string(),
        format!(
            "{path}::local: the next call is a miss, and runs the body\n  local level: expired 1.5s ago, stored 121.5s ago"
        )
    );
    shared(1);
    shared::invalidate(1).unwrap();
    shared(1);
    clock.advance(SECOND * 2);
    let key = shared::key(1).unwrap();
    assert_eq!(
        shared::explain(1).to_string(),
        format!(
            "{path}::shared: the next call is a hit in the local level\n  key: {key}\n  local level: fresh, stored 2.0s ago, \
             expires in 58.0s\n  shared level: fresh, stored 2.0s ago, expires in 58.0s"
        )
    );
    assert_eq!(
        shared::explain(2).to_string(),
        format!(
            "{path}::shared: the next call is a miss, and runs the body\n  key: {}\n  local level: nothing: never stored, or \
             gone; so far 0 evicted, 0 found expired, 1 invalidations\n  shared level: nothing",
            shared::key(2).unwrap()
        )
    );
}

mod shared_level {
    use super::*;

    static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);

    #[cached(cache = PROBE.clone(), timeout = 100, local_timeout = 10)]
    fn both(n: u32) -> u32 {
        n
    }

    #[cached(cache = PROBE.clone(), timeout = 100, local = false)]
    async fn without_local(n: u32) -> u32 {
        n
    }

    #[tokio::test]
    async fn is_asked_and_its_failure_is_part_of_the_answer() {
        let clock = MockClock::install();
        let absent = both::explain(1);
        assert!(matches!(absent.shared(), SharedState::Nothing));
        assert_eq!((absent.next_call(), absent.key()), (NextCall::Load, Some(&both::key(1).unwrap())));
        both(1);
        clock.advance(SECOND * 11);
        let fresh = both::explain(1);
        assert_eq!(fresh.local(), LocalState::Expired { age: SECOND * 11, since: SECOND });
        assert_eq!(fresh.next_call(), NextCall::Hit(Level::Shared));
        let SharedState::Fresh { age, left } = fresh.shared() else { panic!("{fresh}") };
        assert_eq!((*age, *left), (SECOND * 11, Some(SECOND * 89)));

        let (key, before) = (both::key(1).unwrap(), both::stats());
        PROBE
            .memory
            .set(key.text(), b"these are no bytes of ours, but there are enough of them for an entry; really", None)
            .unwrap();
        let rejected = both::explain(1);
        let SharedState::Rejected { reason } = rejected.shared() else { panic!("{rejected}") };
        assert_eq!((*reason, rejected.next_call()), ("magic", NextCall::Load));
        assert!(rejected.to_string().ends_with("\n  shared level: an entry that can't be used: magic"), "{rejected}");

        PROBE.rule(|op, when| match (op, when) {
            (Op::Read, When::Before) => Step::Fail(ErrorKind::Unavailable),
            _ => Step::Go,
        });
        let failed = both::explain(1);
        assert_eq!(failed.backend_error().unwrap().kind(), ErrorKind::Unavailable);
        assert_eq!(failed.next_call(), NextCall::Load);
        assert!(failed.to_string().ends_with("\n  shared level: can't be asked: asking the probe failed"), "{failed}");
        assert_eq!(both::stats(), before, "nothing is counted");
        PROBE.be_good();

        assert_eq!(without_local::explain(5).await.local(), LocalState::Off);
        assert_eq!(without_local(5).await, 5);
        let fresh = without_local::explain(5).await;
        assert_eq!((fresh.next_call(), fresh.local()), (NextCall::Hit(Level::Shared), LocalState::Off));
    }

    #[test]
    fn that_nobody_registered_is_a_failure_too() {
        #[cached(cache = "explain: nobody registers this")]
        fn unregistered(n: u32) -> u32 {
            n
        }
        let explained = unregistered::explain(1);
        assert_eq!(explained.backend_error().unwrap().kind(), ErrorKind::NotRegistered);
        assert_eq!((explained.next_call(), unregistered::stats().backend_errors), (NextCall::Load, 0));
    }
}

#[test]
fn methods_and_generic_functions_have_it_too() {
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Shop(u32);
    impl Shop {
        #[cached]
        fn stock(&self, article: &str) -> usize {
            article.len() + self.0 as usize
        }
    }
    #[cached]
    fn generic<T: Clone + Eq + std::hash::Hash + Send + Sync + 'static>(value: T) -> T {
        value
    }
    Shop(1).stock("tea");
    generic(1);
    assert!(Shop(1).stock_explain("tea").would_hit() && !Shop(2).stock_explain("tea").would_hit());
    assert!(generic::explain(1).would_hit() && !generic::explain("a").would_hit());
}
