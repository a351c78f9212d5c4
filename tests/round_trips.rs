//! What the server is asked: its own log of commands, while calls are made.
#![cfg(unix)]
#![allow(clippy::unused_async, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::{Cache as _, RedisCache, cached};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
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
            let is_background = ["\"PING\"", "\"SUBSCRIBE\"", "\"CLIENT\"", "\"HELLO\"", "\"INFO\""]
                .iter()
                .any(|word| line.contains(word));
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

/// The one server of the tests, which use it in turns: an invalidated tag is told to every cache of a program.
fn watched() -> MutexGuard<'static, (Server, Log)> {
    static WATCHED: LazyLock<Mutex<(Server, Log)>> = LazyLock::new(|| {
        let server = Server::start(&find_program().expect("`cargo xtask test` finds or installs a server")).unwrap();
        memokit::register("watched", Arc::new(support::patient(server.url())));
        support::hears("watched", || {
            f(0);
        });
        let log = Log::of(&server.address().to_string(), support::patient(server.url()));
        Mutex::new((server, log))
    });
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was asked, without what it was asked about.
fn names(commands: &[String]) -> Vec<&str> {
    commands.iter().map(|line| line.split('"').nth(1).expect("a command")).collect()
}

#[test]
fn a_hit_is_one_round_trip_and_a_miss_that_stores_two() {
    let (_, log) = &mut *watched();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // The scripts are on the server from here on, and both doors are connected.
    runtime.block_on(task(0));

    let miss = log.during(|| assert_eq!(f(1), 2));
    assert_eq!(miss.len(), 2, "{miss:#?}");
    let hit = log.during(|| assert_eq!(f(1), 2));
    assert_eq!(names(&hit), ["GET"], "{hit:#?}");
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

#[cached(cache = "watched", timeout = "1h", local = false, each = ids)]
fn each(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, id + 1)).collect()
}

#[cached(cache = "watched", timeout = "1h", each = ids)]
fn each_with_copies(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, id + 1)).collect()
}

/// What was read, and how many stores followed.
fn reads_and_stores(commands: &[String]) -> (Vec<&str>, usize) {
    let (stores, reads): (Vec<&str>, Vec<&str>) =
        names(commands).into_iter().partition(|name| name.starts_with("EVAL"));
    (reads, stores.len())
}

#[test]
fn several_ids_are_one_read() {
    let (_, log) = &mut *watched();
    each(&[0]);
    each_with_copies(&[0]);
    let miss = log.during(|| assert_eq!(each(&[1, 2, 3]).len(), 3));
    let (reads, stores) = reads_and_stores(&miss);
    assert!(reads == ["MGET"] && stores == 3, "{miss:#?}");
    let hit = log.during(|| assert_eq!(each(&[3, 2, 1]).len(), 3));
    assert_eq!(names(&hit), ["MGET"], "{hit:#?}");
    let both = log.during(|| assert_eq!(each(&[1, 4, 2, 5]).len(), 4));
    let (reads, stores) = reads_and_stores(&both);
    assert!(reads == ["MGET"] && stores == 2, "{both:#?}");
    assert_eq!((each::stats().shared_hits, each::stats().misses), (5, 6));

    let miss = log.during(|| assert_eq!(each_with_copies(&[1, 2, 3]).len(), 3));
    let (reads, stores) = reads_and_stores(&miss);
    assert!(reads == ["MGET"] && stores == 3, "{miss:#?}");
    let copies = log.during(|| assert_eq!(each_with_copies(&[3, 2, 1]).len(), 3));
    assert!(copies.is_empty(), "{copies:#?}");
}

#[cached(cache = "watched", timeout = "1h", local = false, each = ids)]
fn each_by_thread(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, id + 1)).collect()
}

#[cached(cache = "watched", timeout = "1h", local = false, each = ids)]
async fn each_by_task(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, id + 1)).collect()
}

/// How often the server has read from its clients, this time included: what was sent in one go is read at once.
fn reads(client: &mut TcpStream) -> u64 {
    client.write_all(b"INFO stats\r\n").unwrap();
    let (mut reply, mut some) = (String::new(), [0; 4096]);
    while !reply.contains("total_reads_processed:") || !reply.ends_with("\r\n") {
        let count = client.read(&mut some).unwrap();
        assert!(count > 0, "{reply}");
        reply.push_str(std::str::from_utf8(&some[..count]).unwrap());
    }
    let (_, number) = reply.split_once("total_reads_processed:").unwrap();
    number.lines().next().unwrap().parse().unwrap()
}

#[test]
fn stores_of_several_ids_are_sent_in_one_go() {
    let (server, log) = &mut *watched();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    each_by_thread(&[0]);
    runtime.block_on(each_by_task(&[0]));
    let mut client = TcpStream::connect(server.address()).unwrap();
    let mut round_trips = |call: &dyn Fn(&[u64])| {
        // The least of some: now and then a connection of the background is read in between.
        let of_round = |round: u64| {
            let ids = [1, 2, 3].map(|n| 10 * round + n);
            let mut read = 0;
            let commands = log.during(|| {
                let before = reads(&mut client);
                call(&ids);
                read = reads(&mut client) - before - 1;
            });
            assert_eq!(names(&commands), ["MGET", "EVALSHA", "EVALSHA", "EVALSHA"], "{commands:#?}");
            read
        };
        (1..=5).map(of_round).min().unwrap()
    };
    assert_eq!(round_trips(&|ids| assert_eq!(each_by_thread(ids).len(), 3)), 2);
    assert_eq!(round_trips(&|ids| assert_eq!(runtime.block_on(each_by_task(ids)).len(), 3)), 2);
}

#[cached(cache = "watched", timeout = "1h")]
fn with_copies(n: u64) -> u64 {
    n + 1
}

#[cached(cache = "watched", timeout = "1h", each = ids)]
fn several(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, id + 1)).collect()
}

/// Of the messages to other processes, those of functions and tags are sent by the script that gives the number.
#[test]
fn an_invalidation_is_a_number_and_for_keys_their_removal_and_one_message() {
    let (_, log) = &mut *watched();
    with_copies(0);
    with_copies::invalidate(0).unwrap();
    assert_eq!((with_copies(1), several(&[1, 2, 3]).len()), (2, 3));

    let of_keys = ["EVALSHA", "EVALSHA", "PUBLISH"];
    let one = log.during(|| assert!(with_copies::invalidate(1).unwrap()));
    assert_eq!(names(&one), of_keys, "{one:#?}");
    let many = log.during(|| assert!(several::invalidate(&[1, 2, 3]).unwrap()));
    assert_eq!(names(&many), of_keys, "{many:#?}");
    let all = log.during(|| with_copies::invalidate_all().unwrap());
    assert_eq!(names(&all), ["EVALSHA"], "{all:#?}");
    let tag = log.during(|| memokit::invalidate_tag("any").unwrap());
    assert_eq!(names(&tag), ["EVALSHA"], "{tag:#?}");
}
