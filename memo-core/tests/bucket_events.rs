//! What is told when deferred writes are lost.
#![cfg(feature = "shared")]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use memo_core::{Bucket, Cache, Capabilities, Error, ErrorKind};
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A cache that is down; one that panics where it is told to.
#[derive(Default)]
struct Down {
    panics: AtomicBool,
}

impl Down {
    fn error(&self) -> Error {
        assert!(!self.panics.load(SeqCst), "a backend that panics");
        Error::new(ErrorKind::Unavailable, "asking the cache").because("no route to host")
    }
}

impl Cache for Down {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new("down")
    }

    fn get(&self, _: &str) -> Result<Option<Vec<u8>>, Error> {
        Err(self.error())
    }

    fn set(&self, _: &str, _: &[u8], _: Option<Duration>) -> Result<(), Error> {
        Err(self.error())
    }

    fn add(&self, _: &str, _: &[u8], _: Option<Duration>) -> Result<bool, Error> {
        Err(self.error())
    }

    fn remove(&self, _: &str) -> Result<bool, Error> {
        Err(self.error())
    }
}

/// Writes down the events of this thread.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Events {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_drop_that_can_not_write_says_what_is_lost() {
    let events = Events::default();
    let cache = Arc::new(Down::default());
    let bucket: Bucket<u32> = Bucket::new(cache.clone(), "lost");
    tracing::subscriber::with_default(events.clone(), || {
        let mut guard = bucket.deferred();
        guard.set(&1, &1).unwrap();
        guard.set(&2, &2).unwrap();
        assert_eq!(guard.flush().unwrap_err().kind(), ErrorKind::Unavailable);
        assert!(events.0.lock().unwrap().is_empty(), "what is returned needs no event");
        drop(guard);
        cache.panics.store(true, SeqCst);
        bucket.deferred().remove(&1).unwrap();
        drop(bucket.deferred());
        bucket.deferred().discard();
    });
    let events = events.0.lock().unwrap();
    let [down, panicked] = &events[..] else { panic!("{events:?}") };
    for part in ["ERROR", "memo:lost:0:", "lost=2", "asking the cache failed", "no route to host"] {
        assert!(down.contains(part), "no {part} in {down}");
    }
    for part in ["ERROR", "memo:lost:0:", "lost=1", "panicked"] {
        assert!(panicked.contains(part), "no {part} in {panicked}");
    }
}
