//! A server that loses everything while all are connected to it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![allow(clippy::disallowed_methods, reason = "a message takes real time, which is bounded")]

mod support;

use memokit::invalidation::{Invalidation, tag_name};
use memokit::{Cache as _, cached, invalidate_tag};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};
use support::server::{Server, find_program};

static RUNS: AtomicU64 = AtomicU64::new(0);

#[cached(cache = "emptied", local = false, tags = ["emptied"])]
fn load() -> u64 {
    RUNS.fetch_add(1, SeqCst)
}

/// The bus stays up, so no snapshot shows it: a process that begins then is given numbers that were given before.
#[test]
fn it_is_noticed_by_the_next_invalidation_of_a_process_that_began_later() {
    let server = Server::start(&find_program().expect("`cargo xtask test` finds or installs a server")).unwrap();
    memokit::register("emptied", Arc::new(support::patient(server.url())));
    support::hears("emptied", || {
        load();
    });
    for _ in 0..5 {
        invalidate_tag("emptied").unwrap();
    }
    let mut admin = TcpStream::connect(server.address()).unwrap();
    admin.write_all(b"FLUSHDB\r\n").unwrap();
    let mut answer = [0; 5];
    admin.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+OK\r\n");

    let old = load();
    assert_eq!(load(), old);
    let later = support::patient(server.url());
    let (name, keep) = (tag_name("emptied"), Duration::from_secs(600));
    let what = Invalidation { keys: &[], names: &[&name], seen: 0, sender: 1, keep };
    assert_eq!(later.invalidate(&what).unwrap().sequence, 1, "it knows of none");
    let told = Instant::now();
    while load() == old {
        assert!(told.elapsed() < Duration::from_secs(1), "what was invalidated is served");
        thread::yield_now();
    }
    let new = load();
    assert_eq!(load(), new, "and from then on values are kept again");
}
