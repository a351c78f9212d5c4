//! Two processes on one server, one of which is cut off from it for a while. The other process is this test binary, run
//! again with the address in its environment; it answers line by line.
//!
//! What is true is given along with each call and is no part of its key.

use super::outages::one_at_a_time;
use super::{Ground, last, outage, patient};
use memokit::{cached, health};
use std::env;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const ADDRESS: &str = "MEMOKIT_TEST_FAULTS";

#[cached(cache = "of both", local = false, ignore = truth)]
fn told(_n: u32, truth: u64) -> u64 {
    truth
}

/// With copies in both processes.
#[cached(cache = "of both", ignore = truth)]
fn copied(_n: u32, truth: u64) -> u64 {
    truth
}

fn answer(request: &str) -> String {
    let words: Vec<&str> = request.split(' ').collect();
    let [operation, n, truth] = words[..] else { panic!("{request}") };
    let (n, truth) = (n.parse().unwrap(), truth.parse().unwrap());
    match operation {
        "call" => told(n, truth).to_string(),
        "invalidate" => told::invalidate(n, truth).is_ok().to_string(),
        "copy" => copied(n, truth).to_string(),
        "drop" => copied::invalidate(n, truth).is_ok().to_string(),
        _ => panic!("{request}"),
    }
}

/// The part of the child; nothing when the tests are run as such.
#[test]
fn child() {
    let Ok(address) = env::var(ADDRESS) else { return };
    // Nobody cuts this one off.
    memokit::register("of both", patient(&address));
    for request in std::io::stdin().lines() {
        println!("\n= {}", answer(&request.unwrap()));
    }
}

struct Other {
    process: Child,
    requests: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn start(address: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "partition::child", "--nocapture", "--test-threads=1"])
            .env(ADDRESS, address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (requests, answers) = (process.stdin.take(), process.stdout.take().unwrap());
        Other { process, requests, answers: BufReader::new(answers).lines() }
    }

    fn ask(&mut self, request: &str) -> String {
        writeln!(self.requests.as_mut().unwrap(), "{request}").unwrap();
        let answer =
            self.answers.by_ref().map(Result::unwrap).find_map(|line| line.strip_prefix("= ").map(str::to_owned));
        answer.expect("the other process answers")
    }

    fn copy(&mut self, n: u32, truth: u64) -> u64 {
        self.ask(&format!("copy {n} {truth}")).parse().unwrap()
    }

    fn call(&mut self, n: u32, truth: u64) -> u64 {
        self.ask(&format!("call {n} {truth}")).parse().unwrap()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It ends when its input does.
        self.requests = None;
        let _ = self.process.wait();
    }
}

#[test]
fn one_of_two_processes_is_cut_off() {
    let _one = one_at_a_time();
    let ground = Ground::new();
    let mut other = Other::start(&ground.server.url());
    memokit::register("of both", std::sync::Arc::clone(&ground.cache));
    for n in 0..3 {
        assert_eq!((told(n, 1), other.call(n, 9)), (1, 1), "both use one entry");
    }
    // Both hear each other, and both have a copy.
    let heard = Instant::now();
    while !health(&ground.cache).hears {
        assert!(heard.elapsed() < Duration::from_secs(20), "{:?}", health(&ground.cache));
        last(Duration::from_millis(2));
    }
    for n in 0..2 {
        assert_eq!((copied(n, 1), other.copy(n, 9), copied(n, 9)), (1, 1, 1));
    }
    ground.proxy.hold_all();
    // Invalidated here, where it can't be told: an `Err`, and not used here any more. The other process does not know.
    let error = told::invalidate(0, 0).unwrap_err();
    assert!(error.to_string().contains("it is queued") && error.to_string().contains("while others may"), "{error}");
    assert_eq!((told(0, 2), other.call(0, 9)), (2, 1));
    // Invalidated there: here each call loads for itself.
    assert_eq!(other.ask("invalidate 1 0"), "true");
    assert_eq!((other.call(1, 3), told(1, 4), told(1, 5)), (3, 4, 5));
    // Invalidated on both sides.
    assert!(told::invalidate(2, 0).is_err());
    assert_eq!(other.ask("invalidate 2 0"), "true");
    assert_eq!((told(2, 6), other.call(2, 7)), (6, 7));
    // Invalidated here, and there, where each has a copy of its own.
    copied::invalidate(0, 0).unwrap_err();
    assert_eq!(copied(0, 20), 20);
    assert_eq!((other.ask("drop 1 0").as_str(), other.copy(1, 21)), ("true", 21));
    let deadline = Instant::now() + outage();
    while Instant::now() < deadline {
        told(3, 1);
        last(Duration::from_millis(10));
    }
    assert!(!health(&ground.cache).answers);

    ground.proxy.release();
    let healed = Instant::now();
    while health(&ground.cache).owed > 0 || !health(&ground.cache).answers {
        assert!(healed.elapsed() < Duration::from_secs(1), "{:?}", health(&ground.cache));
        last(Duration::from_millis(2));
    }
    println!("partition: back after {:?}", healed.elapsed());
    // Copies from before go on both sides.
    while copied(1, 22) == 1 || other.copy(0, 23) == 1 {
        assert!(healed.elapsed() < Duration::from_secs(1), "an old copy is served");
        last(Duration::from_millis(2));
    }
    println!("partition: copies gone after {:?}", healed.elapsed());
    // The invalidations of here have reached the server: nobody gets what was before.
    assert_eq!((other.call(0, 10), told(0, 11)), (10, 10));
    assert_eq!((told(1, 12), other.call(1, 13)), (3, 3), "what the other loaded after its own is there for both");
    assert_eq!((told(2, 14), other.call(2, 15)), (14, 14));
}
