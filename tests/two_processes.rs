//! Cached functions of two processes on one cache. The other process is this test binary, run again with a part to
//! play and where the caches are in its environment; it answers line by line.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::{Bucket, FileCache, cached};
use std::env;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

/// The Redis database of this test binary.
const NUMBER: u8 = 11;
const FOLDER: &str = "MEMOKIT_TEST_FOLDER";
const ADDRESS: &str = "MEMOKIT_TEST_ADDRESS";

/// Who loaded a value: `name` is ignored, so both processes have one key.
macro_rules! functions {
    ($module:ident, $cache:literal) => {
        mod $module {
            use super::*;

            #[cached(cache = $cache, local = false, ignore = name)]
            pub(super) fn load(n: u32, name: &str) -> Option<String> {
                (n > 0).then(|| format!("{n} by {name}"))
            }

            #[cached(cache = $cache, timeout = "1h", ignore = name)]
            pub(super) fn with_copy(n: u32, name: &str) -> String {
                format!("{n} by {name}")
            }
        }
    };
}

functions!(file, "file");
functions!(redis, "redis");

/// One request of the parent, answered in the child or in the parent itself.
fn answer(request: &str, name: &str) -> String {
    let words: Vec<&str> = request.split(' ').collect();
    let [cache, operation, n] = words[..] else { panic!("{request}") };
    let n: u32 = n.parse().unwrap();
    let bucket = || -> Bucket<String> { Bucket::new(memokit::cache(cache).unwrap(), "of both") };
    match (cache, operation) {
        ("file", "load") => format!("{:?}", file::load(n, name)),
        ("redis", "load") => format!("{:?}", redis::load(n, name)),
        ("file", "copy") => file::with_copy(n, name),
        ("redis", "copy") => redis::with_copy(n, name),
        ("file", "invalidate") => file::load::invalidate(n, name).unwrap().to_string(),
        ("redis", "invalidate") => redis::load::invalidate(n, name).unwrap().to_string(),
        ("file", "contains") => file::load::contains(n, name).unwrap().to_string(),
        ("redis", "contains") => redis::load::contains(n, name).unwrap().to_string(),
        ("file", "forget") => file::load::invalidate_all().map(|()| String::new()).unwrap(),
        ("redis", "forget") => redis::load::invalidate_all().map(|()| String::new()).unwrap(),
        ("file", "key") => file::load::key(n, name).unwrap().text().to_owned(),
        ("redis", "key") => redis::load::key(n, name).unwrap().text().to_owned(),
        (_, "set") => bucket().set(&n, &name.to_owned()).map(|()| String::new()).unwrap(),
        (_, "get") => format!("{:?}", bucket().get(&n).unwrap()),
        (_, "add") => bucket().add(&n, &name.to_owned()).unwrap().to_string(),
        (_, "count") => bucket().increment("count", 1).unwrap().to_string(),
        _ => panic!("{request}"),
    }
}

/// The part of the child; nothing when the tests are run as such.
#[test]
fn child() {
    let Ok(folder) = env::var(FOLDER) else { return };
    memokit::register("file", Arc::new(FileCache::open(folder).unwrap()));
    memokit::register("redis", Arc::new(support::patient(env::var(ADDRESS).unwrap())));
    for request in std::io::stdin().lines() {
        println!("\n= {}", answer(&request.unwrap(), "the child"));
    }
}

struct Other {
    process: Child,
    requests: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn start(folder: &std::path::Path, address: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder)
            .env(ADDRESS, address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        Other { requests: process.stdin.take(), process, answers }
    }

    fn ask(&mut self, request: &str) -> String {
        writeln!(self.requests.as_ref().unwrap(), "{request}").unwrap();
        let mut answers = self.answers.by_ref().map_while(Result::ok);
        answers.find_map(|line| line.strip_prefix("= ").map(str::to_owned)).expect("the child answers")
    }

    fn end(mut self) {
        drop(self.requests.take());
        self.answers.by_ref().for_each(drop);
        assert!(self.process.wait().unwrap().success());
    }
}

#[test]
fn what_one_process_stores_and_invalidates_the_other_sees() {
    let folder = support::folder("two-processes");
    memokit::register("file", Arc::new(FileCache::open(&folder).unwrap()));
    memokit::register("redis", Arc::new(support::redis(NUMBER)));
    let mut child = Other::start(&folder, &support::redis_url(NUMBER));
    for cache in ["file", "redis"] {
        let here = |request: &str| answer(&format!("{cache} {request}"), "the parent");
        let mut there = |request: &str| child.ask(&format!("{cache} {request}"));
        assert_eq!(here("key 1"), there("key 1"));

        // A hit on what the other loaded, in both directions, `None` included.
        assert_eq!(
            (here("load 1"), there("load 1")),
            (r#"Some("1 by the parent")"#.into(), r#"Some("1 by the parent")"#.into())
        );
        assert_eq!(
            (there("load 2"), here("load 2")),
            (r#"Some("2 by the child")"#.into(), r#"Some("2 by the child")"#.into())
        );
        assert_eq!((here("load 0"), there("load 0")), ("None".into(), "None".into()));
        // An invalidation is seen by both, and one of them is told that there was something.
        assert_eq!((there("invalidate 1"), here("invalidate 1")), ("true".into(), "false".into()));
        // What the child loads is stored once it has heard of what the parent invalidated.
        let mut stored = false;
        while !stored {
            assert_eq!(there("load 1"), r#"Some("1 by the child")"#);
            stored = here("contains 1") == "true";
        }
        assert_eq!(here("load 1"), r#"Some("1 by the child")"#);
        assert_eq!((here("invalidate 1"), there("load 1")), ("true".into(), r#"Some("1 by the child")"#.into()));
        here("forget 0");
        assert_eq!(
            (here("load 1"), here("load 2")),
            (r#"Some("1 by the parent")"#.into(), r#"Some("2 by the parent")"#.into())
        );
        there("forget 0");
        assert_eq!(there("load 2"), r#"Some("2 by the child")"#);

        // With a local copy in front, the shared value is what the other starts from.
        assert_eq!(
            (here("copy 1"), there("copy 1"), there("copy 1")),
            ("1 by the parent".into(), "1 by the parent".into(), "1 by the parent".into())
        );

        there("set 1");
        assert_eq!(here("get 1"), r#"Some("the child")"#);
        assert_eq!((here("add 1"), here("add 2"), there("add 2")), ("false".into(), "true".into(), "false".into()));
        assert_eq!((here("count 0"), there("count 0"), here("count 0")), ("1".into(), "2".into(), "3".into()));
    }
    assert_eq!((file::load::stats().rejected, redis::load::stats().rejected), (0, 0));
    child.end();

    // A process that comes later finds what the one before left.
    let mut next = Other::start(&folder, &support::redis_url(NUMBER));
    for cache in ["file", "redis"] {
        assert_eq!(next.ask(&format!("{cache} load 2")), r#"Some("2 by the child")"#);
        assert_eq!(next.ask(&format!("{cache} copy 1")), "1 by the parent");
    }
    next.end();
}
