//! Types that the shared level can't tell apart by their names.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use memokit::{ErrorKind, cached};

#[test]
fn closures_of_one_function_are_not_taken_for_each_other() {
    #[cached(cache = "default", ignore = change)]
    fn changed(number: i32, change: impl Fn(i32) -> i32) -> i32 {
        change(number)
    }

    #[cached(cache = "default", local = false, ignore = change)]
    fn changed_there<F: Fn(i32) -> i32>(number: i32, change: F) -> i32 {
        change(number)
    }

    for _ in 0..2 {
        assert_eq!((changed(3, |x| x + 1), changed(3, |x| x * 10)), (4, 30));
        assert_eq!((changed_there(3, |x| x + 1), changed_there(3, |x| x * 10)), (4, 30));
    }
    assert_eq!((changed::stats().loads, changed::stats().local_hits), (2, 2), "the local level knows them");
    assert_eq!(changed_there::stats().loads, 4);
    let error = changed::key(3, |x| x + 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("changed") && error.to_string().contains("closure"), "{error}");
    assert_eq!(changed::stats().backend_errors, 1, "it is reported once");
}

#[test]
fn functions_and_objects_have_names() {
    #[cached(cache = "default", local = false, ignore = change)]
    fn applied(number: i32, change: impl Fn(i32) -> i32) -> i32 {
        change(number)
    }

    fn more(number: i32) -> i32 {
        number + 1
    }

    fn larger(number: i32) -> i32 {
        number * 10
    }

    for _ in 0..2 {
        assert_eq!((applied(3, more), applied(3, larger)), (4, 30));
    }
    assert_eq!(applied(3, &more as &dyn Fn(i32) -> i32), 4);
    assert_eq!(applied(3, &larger as &dyn Fn(i32) -> i32), 4, "the type is the same, and which it is is ignored");
    assert_eq!((applied::stats().loads, applied::stats().shared_hits), (3, 3));
}

#[test]
fn types_of_one_name_are_not_taken_for_each_other() {
    #[cached(cache = "default", local = false)]
    fn size<T>(times: usize) -> usize {
        size_of::<T>() * times
    }

    let small = {
        struct Twin(#[expect(dead_code, reason = "for its size")] u8);
        || size::<Twin>(3)
    };
    let large = {
        struct Twin(#[expect(dead_code, reason = "for its size")] u64);
        || size::<Twin>(3)
    };
    for _ in 0..2 {
        assert_eq!((small(), large()), (3, 24));
    }
}
