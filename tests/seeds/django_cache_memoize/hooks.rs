//! `hit_callable` and `miss_callable`.

use memokit::{CallInfo, cached};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// There they get the arguments. Here also what is known of the call, and the value.
#[test]
fn hit_and_miss_callables_get_the_arguments() {
    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    fn tell(call: &CallInfo<'_>, (name, n): (&str, &u32), returned: &String) {
        let kind = if call.level().is_some() { "hit" } else { "miss" };
        TOLD.lock().unwrap().push(format!("{kind} {name} {n} {returned}"));
    }
    #[cached(on_hit = tell, on_miss = tell)]
    fn f(name: &str, n: u32) -> String {
        name.repeat(n as usize)
    }
    f("ab", 2);
    f("ab", 2);
    f("c", 1);
    assert_eq!(*TOLD.lock().unwrap(), ["miss ab 2 abab", "hit ab 2 abab", "miss c 1 c"]);
    assert_eq!(f::stats().hook_panics, 0);
}

/// There, the miss callable is not called where the function raises. Here it is told of each run of the body, and `on_error` of
/// what failed.
#[test]
fn a_failed_call_is_told_with_its_error() {
    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    #[cached(
        on_miss = |_, (n,)| TOLD.lock().unwrap().push(format!("miss {n}")),
        on_error = |_, error, (n,)| TOLD.lock().unwrap().push(format!("error {n} {error}")),
    )]
    fn f(n: u32) -> Result<u32, String> {
        if n == 0 { Err("zero".into()) } else { Ok(n) }
    }
    let _ = f(0);
    let _ = f(1);
    assert_eq!(*TOLD.lock().unwrap(), ["miss 0", "error 0 zero", "miss 1"]);
}

#[test]
fn a_callable_is_called_once_a_call() {
    static HITS: AtomicU32 = AtomicU32::new(0);
    static MISSES: AtomicU32 = AtomicU32::new(0);
    fn hit(call: &CallInfo<'_>) {
        assert!(call.function().ends_with("::f") && call.level().is_some());
        HITS.fetch_add(1, SeqCst);
    }
    fn miss(call: &CallInfo<'_>) {
        assert!(call.function().ends_with("::f") && call.level().is_none());
        MISSES.fetch_add(1, SeqCst);
    }
    #[cached(on_hit = hit, on_miss = miss)]
    fn f(n: u32) -> u32 {
        n
    }
    let told = || (HITS.load(SeqCst), MISSES.load(SeqCst));
    f(1);
    assert_eq!(told(), (0, 1));
    f(1);
    assert_eq!(told(), (1, 1));
    f(2);
    assert_eq!(told(), (1, 2));
    assert_eq!(f::stats().hook_panics, 0);
}

#[test]
fn the_miss_callable_comes_after_the_value_is_stored() {
    static SAW: AtomicU32 = AtomicU32::new(0);
    #[cached(on_miss = |_| SAW.store(f::peek(1).unwrap_or(99), SeqCst))]
    fn f(n: u32) -> u32 {
        n
    }
    f(1);
    assert_eq!(SAW.load(SeqCst), 1);
}

/// There, an exception of a callable goes to the caller. Here a hook never fails a call.
#[test]
fn a_hook_that_panics_is_counted_and_fails_nothing() {
    #[cached(on_hit = |_| panic!("from a hook: this text belongs into the test's output"))]
    fn f(n: u32) -> u32 {
        n
    }
    assert_eq!((f(1), f(1), f::stats().hook_panics), (1, 1, 1));
}
