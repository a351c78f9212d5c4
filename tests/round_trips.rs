//! What the server is asked: its own log of commands, while calls are made.
#![cfg(unix)]
#![allow(clippy::unused_async, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::{Cache as _, RedisCache, cached};
use std::io::{BufRead, BufReader, Lines, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use support::server::{Server, find_program};

#[cached(cache = "watched", timeout = "1h", local = false, tags = ["all"])]
fn f(n: u64) -> u64 {
    n + 1
}

#[cached(cache = "watched", timeout = "1h")]
async fn task(n: u64) -> u64 {
    n + 1
}

/// The server's log. `MONITOR` shows each command that a client sent, and those that scripts run marked as such.
struct Log {
    lines: Lines<BufReader<TcpStream>>,
    marks: RedisCache,
}

impl Log {
    fn of(address: &str, marks: RedisCache) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(b"MONITOR\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "+OK");
        Log { lines, marks }
    }

    /// What clients sent while this ran. A transaction is sent as one, and answered as one.
    fn during(&mut self, run: impl FnOnce()) -> Vec<String> {
        self.mark("begin");
        run();
        self.marks.get("mark: end").unwrap();
        let mut commands = Vec::new();
        loop {
            let line = self.lines.next().unwrap().unwrap();
            if line.contains("mark: end") {
                return commands;
            }
            if line.contains("\"MULTI\"") {
                while !self.lines.next().unwrap().unwrap().contains("\"EXEC\"") {}
            }
            let by_script = line.contains(" lua]");
            let is_background =
                ["\"PING\"", "\"SUBSCRIBE\"", "\"CLIENT\"", "\"HELLO\""].iter().any(|word| line.contains(word));
            if !by_script && !is_background {
                commands.push(line);
            }
        }
    }

    fn mark(&mut self, mark: &str) {
        self.marks.get(&format!("mark: {mark}")).unwrap();
        while !self.lines.next().unwrap().unwrap().contains(&format!("mark: {mark}")) {}
    }
}

#[test]
fn a_hit_is_one_round_trip_and_a_miss_that_stores_two() {
    let server = Server::start(&find_program().expect("`cargo xtask test` finds or installs a server")).unwrap();
    let cache = RedisCache::connect(server.url()).unwrap();
    memokit::register("watched", Arc::new(cache.clone()));
    support::hears("watched", || {
        f(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // The scripts are on the server from here on, and both doors are connected.
    runtime.block_on(task(0));
    let address = server.url().trim_start_matches("redis://").trim_end_matches('/').to_owned();
    let mut log = Log::of(&address, RedisCache::connect(server.url()).unwrap());

    let miss = log.during(|| assert_eq!(f(1), 2));
    assert_eq!(miss.len(), 2, "{miss:#?}");
    let hit = log.during(|| assert_eq!(f(1), 2));
    assert_eq!(hit.len(), 1, "{hit:#?}");
    assert_eq!(f::stats().shared_hits, 1);

    let miss = log.during(|| assert_eq!(runtime.block_on(task(1)), 2));
    assert_eq!(miss.len(), 2, "{miss:#?}");
    let copy = log.during(|| assert_eq!(runtime.block_on(task(1)), 2));
    assert!(copy.is_empty(), "{copy:#?}");

    // Invalidated entries are judged by what this process has heard.
    memokit::invalidate_tag("all").unwrap();
    let miss = log.during(|| assert_eq!(f(1), 2));
    assert_eq!(miss.len(), 2, "{miss:#?}");
}
