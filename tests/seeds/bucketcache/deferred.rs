//! `DeferredWriteBucket` and `deferred_write(bucket)`.

use super::bucket;
use crate::SECOND;
use memokit::Bucket;
use memokit::testing::MockClock;

#[test]
fn writes_wait_until_they_are_flushed() {
    let bucket = bucket("deferred");
    let mut waiting = bucket.deferred();
    waiting.set("a", &1).unwrap();
    waiting.set("b", &2).unwrap();
    waiting.set("a", &3).unwrap();
    assert_eq!((waiting.get("a").unwrap(), bucket.get("a").unwrap()), (Some(3), None));
    assert_eq!((waiting.pending(), waiting.flush().unwrap(), waiting.pending()), (2, 2, 0));
    assert_eq!(bucket.get_many(["a", "b"]).unwrap(), [Some(3), Some(2)]);
}

/// There, everything in memory is written again at each `sync`.
#[test]
fn what_was_written_is_not_written_again() {
    let bucket = bucket("once");
    let mut waiting = bucket.deferred();
    waiting.set("a", &1).unwrap();
    assert_eq!(waiting.flush().unwrap(), 1);
    bucket.set("a", &9).unwrap();
    waiting.set("b", &2).unwrap();
    assert_eq!(waiting.flush().unwrap(), 1);
    assert_eq!(bucket.get("a").unwrap(), Some(9));
}

/// There, an exception inside of the block loses all that waits.
#[test]
fn a_panic_inside_of_the_block_loses_nothing() {
    let bucket: Bucket<u32> = bucket("panic");
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut waiting = bucket.deferred();
        waiting.set("a", &1).unwrap();
        panic!("half way: this text belongs into the test's output");
    }));
    assert!(panic.is_err());
    assert_eq!(bucket.get("a").unwrap(), Some(1));
}

#[test]
fn the_end_of_the_block_writes() {
    let bucket = bucket("block");
    {
        let mut waiting = bucket.deferred();
        waiting.set("a", &1).unwrap();
    }
    assert_eq!(bucket.get("a").unwrap(), Some(1));
}

#[test]
fn what_has_expired_meanwhile_is_not_written() {
    let clock = MockClock::install();
    let bucket = bucket("expired").timeout(10 * SECOND).unwrap();
    let mut waiting = bucket.deferred();
    waiting.set("a", &1).unwrap();
    clock.advance(10 * SECOND);
    assert_eq!(waiting.get("a").unwrap(), None);
    waiting.flush().unwrap();
    assert_eq!((bucket.get("a").unwrap(), bucket.keys().unwrap().len()), (None, 0));
}

#[test]
fn removals_wait_too() {
    let bucket = bucket("removals");
    bucket.set("a", &1).unwrap();
    let mut waiting = bucket.deferred();
    waiting.remove("a").unwrap();
    assert_eq!((waiting.get("a").unwrap(), bucket.get("a").unwrap()), (None, Some(1)));
    waiting.flush().unwrap();
    assert_eq!(bucket.get("a").unwrap(), None);
}

/// There an error, or a failure to write a file, ends the block with nothing said of the rest.
#[test]
fn what_could_not_be_written_still_waits() {
    use crate::support::probe::{Op, Probe, Step};
    use memokit::{Cache, ErrorKind};
    use std::sync::Arc;
    let probe = Probe::new();
    let bucket: Bucket<u32> = Bucket::new(Arc::clone(&probe) as Arc<dyn Cache>, "bucket");
    let mut waiting = bucket.deferred();
    waiting.set("a", &1).unwrap();
    probe.rule(|op, _| if op == Op::SetMany { Step::Fail(ErrorKind::Unavailable) } else { Step::Go });
    assert_eq!(waiting.flush().unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(waiting.pending(), 1);
    probe.be_good();
    assert_eq!((waiting.flush().unwrap(), bucket.get("a").unwrap()), (1, Some(1)));
}
