//! `on_error`: told of loads that returned an error; and what hooks are told of failures of the shared level.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::needless_pass_by_value,
    clippy::trivially_copy_pass_by_ref,
    clippy::ptr_arg,
    reason = "the forms are what is tested"
)]
#![allow(clippy::unnecessary_wraps, reason = "samples of what users write")]

mod support;

use memokit::{CallInfo, ErrorKind, Level, cached};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Mutex};
use support::probe::{Op, Probe, Step, When};

/// What hooks have told so far.
struct Log(Mutex<Vec<String>>);

impl Log {
    const fn new() -> Self {
        Log(Mutex::new(Vec::new()))
    }

    fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// An error that nobody can clone.
#[derive(Debug, PartialEq)]
struct Refused(u32);

#[test]
fn a_closure_is_told_of_the_error_and_of_the_arguments_if_it_asks() {
    static LOG: Log = Log::new();
    #[cached(on_error = |call| LOG.add(format!("{} {}", call.function(), call.load_time().is_some())))]
    fn one(n: u32) -> Result<u32, Refused> {
        if n == 0 { Err(Refused(n)) } else { Ok(n) }
    }
    #[cached(on_error = |_, error| LOG.add(error.0.to_string()))]
    fn two(n: u32) -> Result<u32, Refused> {
        Err(Refused(n))
    }
    #[cached(on_error = |_, error, (n, text)| LOG.add(format!("{} {n} {text}", error.0)))]
    fn three(n: u32, text: String) -> Result<usize, Refused> {
        Err(Refused(n + u32::try_from(text.len()).unwrap()))
    }
    assert_eq!((one(1), one(1), one(0)), (Ok(1), Ok(1), Err(Refused(0))));
    assert_eq!(LOG.take(), [format!("{}::one true", module_path!())]);
    assert_eq!((two(7), two(7)), (Err(Refused(7)), Err(Refused(7))));
    assert_eq!(LOG.take(), ["7", "7"], "an error is not stored, so each call loads");
    assert_eq!(three(1, "ab".into()), Err(Refused(3)));
    assert_eq!(LOG.take(), ["3 1 ab"]);
    assert_eq!(three::refresh(2, "ab".into()), Err(Refused(4)));
    assert_eq!(LOG.take(), ["4 2 ab"], "a refresh is a load");
}

#[test]
fn a_path_is_given_what_its_type_asks_for() {
    static LOG: Log = Log::new();
    type Answer<T> = Result<T, String>;
    fn one(call: &CallInfo<'_>) {
        LOG.add(format!("{:?}", call.level()));
    }
    fn two(_: &CallInfo<'_>, error: &String) {
        LOG.add(error.clone());
    }
    fn three<E: AsRef<str>>(_: &CallInfo<'_>, error: &E, (n, text): (&u32, &str)) {
        LOG.add(format!("{} {n} {text}", error.as_ref()));
    }
    #[cached(on_error = one)]
    fn first(n: u32, text: &str) -> Answer<u32> {
        Err(format!("{n}{text}"))
    }
    #[cached(on_error = two)]
    fn second(n: u32, text: &str) -> Answer<u32> {
        Err(format!("{n}{text}"))
    }
    #[cached(on_error = three, on_miss = one)]
    fn third(n: u32, text: &str) -> Answer<u32> {
        Err(format!("{n}{text}"))
    }
    assert!(first(1, "a").is_err() && second(1, "a").is_err() && third(1, "a").is_err());
    assert_eq!(LOG.take(), ["None", "1a", "None", "1a 1 a"], "a failed load is a miss as well");
}

#[test]
fn a_hook_that_panics_leaves_the_error_as_it_is() {
    #[cached(on_error = |_, error| panic!("from a hook about {error:?}: this text belongs into the test's output"))]
    fn fails(n: u32) -> Result<u32, Refused> {
        Err(Refused(n))
    }
    assert_eq!(fails(1), Err(Refused(1)));
    assert_eq!((fails::stats().hook_panics, fails::stats().load_errors), (1, 1));
}

#[tokio::test]
async fn a_load_is_told_once_however_many_wait_for_it() {
    static LOG: Log = Log::new();
    #[cached(on_error = |_, error, (n,)| LOG.add(format!("{error} {n}")))]
    async fn fails(_n: u32) -> Result<u32, String> {
        tokio::task::yield_now().await;
        Err("down".into())
    }
    let (first, second) = tokio::join!(fails(1), fails(1));
    assert_eq!((first, second), (Err("down".into()), Err("down".into())));
    assert_eq!((fails::stats().joins, LOG.take()), (1, vec!["down 1".to_owned()]));
}

mod backends {
    use super::*;

    static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);
    static LOG: Log = Log::new();
    static LOADS: AtomicU32 = AtomicU32::new(0);

    fn log(call: &CallInfo<'_>) {
        let level = call.level().map(|level| if level == Level::Shared { "shared" } else { "local" });
        LOG.add(format!("{level:?} {:?}", call.backend_error().map(memokit::Error::kind)));
    }

    #[cached(cache = PROBE.clone(), local = false, on_hit = log, on_miss = log, on_error = |_| LOG.add("error".into()))]
    fn without_local(n: u32) -> Result<u32, Refused> {
        LOADS.fetch_add(1, SeqCst);
        Ok(n)
    }

    #[cached(cache = PROBE.clone(), on_hit = log, on_miss = log, on_error = |_| LOG.add("error".into()))]
    fn with_local(n: u32) -> Result<u32, Refused> {
        LOADS.fetch_add(1, SeqCst);
        Ok(n)
    }

    #[test]
    fn that_fail_are_no_errors_of_the_function_but_what_a_miss_is_told() {
        for call in [without_local, with_local] {
            PROBE.rule(|op, when| match (op, when) {
                (Op::Read, When::Before) => Step::Fail(ErrorKind::Unavailable),
                _ => Step::Go,
            });
            assert_eq!(call(1), Ok(1));
            assert_eq!(LOG.take(), ["None Some(Unavailable)"]);
            PROBE.rule(|op, when| match (op, when) {
                (Op::Set, When::Before) => Step::Fail(ErrorKind::Full),
                _ => Step::Go,
            });
            assert_eq!(call(2), Ok(2));
            assert_eq!(LOG.take(), ["None Some(Full)"]);
            PROBE.be_good();
            assert_eq!(call(3), Ok(3));
            assert_eq!(LOG.take(), ["None None"]);
        }
        assert_eq!((without_local(3), LOG.take()), (Ok(3), vec!["Some(\"shared\") None".to_owned()]));
        assert_eq!((with_local(3), LOG.take()), (Ok(3), vec!["Some(\"local\") None".to_owned()]));
        assert_eq!(LOADS.load(SeqCst), 6);
    }
}
