//! `scope = "thread"` where code of users calls the function again: from keys, values and predicates, at the end of a
//! thread, and where it panics.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::items_after_statements, reason = "what a test needs stands in it")]
#![allow(clippy::needless_pass_by_value, reason = "the forms are what is tested")]

use memokit::cached;
use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;

/// A key whose traits, and a value whose copies and end, call the function they belong to.
#[test]
fn code_of_users_may_call_the_function_from_anywhere() {
    thread_local!(static DEPTH: Cell<u32> = const { Cell::new(0) });
    fn again() {
        if DEPTH.get() == 0 {
            DEPTH.set(1);
            assert_eq!(sample(Nosy(100)).0, 100);
            sample::put(Nosy(101), Value(101));
            sample::invalidate(Nosy(102));
            DEPTH.set(0);
        }
    }
    #[derive(Eq)]
    struct Nosy(u32);
    impl Hash for Nosy {
        fn hash<H: Hasher>(&self, state: &mut H) {
            again();
            self.0.hash(state);
        }
    }
    impl PartialEq for Nosy {
        fn eq(&self, other: &Self) -> bool {
            again();
            self.0 == other.0
        }
    }
    impl Clone for Nosy {
        fn clone(&self) -> Self {
            again();
            Nosy(self.0)
        }
    }
    struct Value(u32);
    impl Clone for Value {
        fn clone(&self) -> Self {
            again();
            Value(self.0)
        }
    }
    impl Drop for Value {
        fn drop(&mut self) {
            again();
        }
    }
    #[cached(scope = "thread", capacity = 3)]
    fn sample(key: Nosy) -> Value {
        Value(key.0)
    }
    thread::spawn(|| {
        for n in 0..20 {
            assert_eq!(sample(Nosy(n % 5)).0, n % 5);
            assert_eq!(sample::refresh(Nosy(n)).0, n);
        }
        sample::invalidate_all();
        assert!(!sample::contains(Nosy(1)));
        assert_eq!(sample(Nosy(1)).0, 1);
    })
    .join()
    .unwrap();
    assert_eq!(sample::stats().entries, 0, "its thread has ended");
}

#[test]
fn an_invalidation_or_a_put_from_inside_of_a_look_holds() {
    thread_local!(static ACT: Cell<Option<fn()>> = const { Cell::new(None) });
    struct Acting(u32);
    impl Clone for Acting {
        fn clone(&self) -> Self {
            if let Some(act) = ACT.take() {
                act();
            }
            Acting(self.0)
        }
    }
    #[cached(scope = "thread")]
    fn sample(n: u32) -> Acting {
        Acting(n)
    }
    sample(1);
    // The entry can't be got at from in there, but it is not served any more.
    ACT.set(Some(|| {
        sample::invalidate(1);
    }));
    assert_eq!(sample(1).0, 1);
    assert!(!sample::contains(1));
    sample(1);
    ACT.set(Some(|| sample::put(1, Acting(5))));
    assert_eq!(sample(1).0, 1);
    assert_eq!(sample::peek(1).map_or(5, |value| value.0), 5, "the older value is gone");
}

#[test]
fn a_panic_in_code_of_users_loses_entries_and_nothing_else() {
    thread_local!(static FAIL: Cell<bool> = const { Cell::new(false) });
    struct Failing(u32);
    impl Clone for Failing {
        fn clone(&self) -> Self {
            assert!(!FAIL.get(), "clone");
            Failing(self.0)
        }
    }
    #[cached(scope = "thread")]
    fn sample(n: u32) -> Failing {
        Failing(n)
    }
    sample(1);
    FAIL.set(true);
    assert!(catch_unwind(AssertUnwindSafe(|| sample(1))).is_err());
    FAIL.set(false);
    assert_eq!((sample(1).0, sample(1).0), (1, 1));
    assert_eq!(sample::stats().entries, 1);
}

#[test]
fn a_thread_that_ends_may_still_call() {
    struct CallsAtTheEnd;
    impl Drop for CallsAtTheEnd {
        fn drop(&mut self) {
            assert_eq!(*sample(3), 3);
            sample::put(3, Rc::new(4));
            sample::invalidate(3);
            assert!(!sample::contains(3));
        }
    }
    thread_local!(static LAST: CallsAtTheEnd = const { CallsAtTheEnd });
    #[cached(scope = "thread")]
    fn sample(n: u32) -> Rc<u32> {
        Rc::new(n)
    }
    // Once before and once after the entries in the order of destruction.
    for late in [false, true] {
        thread::spawn(move || {
            if late {
                sample(1);
            }
            LAST.with(|_| ());
            sample(2);
        })
        .join()
        .unwrap();
    }
    assert_eq!(sample::stats().entries, 0);
}
