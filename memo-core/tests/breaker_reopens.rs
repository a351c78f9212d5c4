//! A breaker that opens again before the thread that closed it has ended.
#![cfg(all(feature = "testing", feature = "shared"))]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use memo_core::testing::{Fault, Faulty, MockClock, Operation};
use memo_core::{Bucket, Cache, Capabilities, Error, ErrorKind, health};
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Nothing is ever there.
struct Empty;

impl Cache for Empty {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new("empty")
    }

    fn get(&self, _: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(None)
    }

    fn set(&self, _: &str, _: &[u8], _: Option<Duration>) -> Result<(), Error> {
        Ok(())
    }

    fn add(&self, _: &str, _: &[u8], _: Option<Duration>) -> Result<bool, Error> {
        Ok(true)
    }

    fn remove(&self, _: &str) -> Result<bool, Error> {
        Ok(false)
    }
}

/// Asks a cache in vain as soon as it is told, by the thread that has seen it, that the cache answers again.
struct Asks {
    cache: Arc<Faulty>,
    bucket: Bucket<u32>,
}

/// Whether an event says so.
struct AnswersAgain(bool);

impl Visit for AnswersAgain {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 |= field.name() == "message" && format!("{value:?}") == "the cache answers again";
    }
}

impl Subscriber for Asks {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut said = AnswersAgain(false);
        event.record(&mut said);
        // Once only.
        if said.0 && health(&shared(&self.cache)).outages == 1 {
            self.cache.inject(Fault::error(ErrorKind::Unavailable).times(1));
            self.bucket.get(&1).unwrap_err();
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn shared(cache: &Arc<Faulty>) -> Arc<dyn Cache> {
    Arc::clone(cache) as Arc<dyn Cache>
}

/// Waits until another thread has done something; far longer than it takes.
fn eventually(mut is_done: impl FnMut() -> bool) {
    let done = (0..5_000).any(|_| {
        let done = is_done();
        if !done {
            thread::sleep(Duration::from_millis(2));
        }
        done
    });
    assert!(done, "it does not happen");
}

#[test]
fn it_is_not_looked_at_before_the_pause_has_passed_again() {
    let clock = MockClock::install();
    let cache = Arc::new(Faulty::new(Arc::new(Empty)));
    let bucket: Bucket<u32> = Bucket::new(shared(&cache), "reopens");
    tracing::subscriber::set_global_default(Asks { cache: Arc::clone(&cache), bucket: bucket.clone() }).unwrap();

    let down = cache.inject(Fault::error(ErrorKind::Unavailable));
    (0..5).for_each(|_| _ = bucket.get(&1).unwrap_err());
    assert_eq!((health(&shared(&cache)).answers, health(&shared(&cache)).outages), (false, 1));
    cache.withdraw(down);
    let asked = cache.calls(Operation::Get);
    clock.advance(Duration::from_millis(100));
    eventually(|| health(&shared(&cache)).outages == 2);
    // The thread that looks is given time for what it must not do.
    thread::sleep(Duration::from_millis(50));
    assert_eq!((health(&shared(&cache)).answers, cache.calls(Operation::Get)), (false, asked + 1));

    eventually(|| {
        clock.advance(Duration::from_millis(100));
        health(&shared(&cache)).answers
    });
    assert_eq!((health(&shared(&cache)).outages, bucket.get(&1).unwrap()), (2, None));
}
