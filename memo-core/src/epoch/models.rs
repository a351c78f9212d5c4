//! The orders of memory, with the fences that there are without `membarrier`: `cargo xtask deep`.

use super::*;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::ptr::{from_ref, null_mut};

/// What is unlinked and freed; loom tells who reads it then.
struct Value(UnsafeCell<u32>);

#[allow(unsafe_code)]
fn read(place: &AtomicPtr<Value>) {
    // As a hit does: the second reading of a thread is alone.
    let alone = pin_alone();
    let _pin = alone.is_none().then(pin);
    // SAFETY: that it is not freed is what is explored; it is leaked for the model.
    if let Some(value) = unsafe { place.load(Ordering::Acquire).as_ref() } {
        // SAFETY: as above.
        assert_eq!(value.0.with(|value| unsafe { *value }), 1);
    }
}

#[allow(unsafe_code)]
fn free(value: &Value) {
    // SAFETY: as above.
    value.0.with_mut(|value| unsafe { *value = 0 });
}

/// One reads so often, another unlinks and frees, and a third does something beside.
fn explore(reads: u32, beside: Option<fn()>) {
    loom::model(move || {
        let value: &'static Value = Box::leak(Box::new(Value(UnsafeCell::new(1))));
        let place = Arc::new(AtomicPtr::new(from_ref(value).cast_mut()));
        let reader = {
            let place = Arc::clone(&place);
            thread::spawn(move || (0..reads).for_each(|_| read(&place)))
        };
        let third = beside.map(thread::spawn);
        place.store(null_mut(), Ordering::Release);
        if readers_left() {
            free(value);
        }
        reader.join().expect("no panic");
        third.into_iter().for_each(|third| third.join().expect("no panic"));
    });
}

#[test]
fn what_is_freed_is_read_by_nobody() {
    explore(1, None);
}

#[test]
fn nor_by_one_who_reads_again() {
    explore(2, None);
}

#[test]
fn what_another_asked_for_is_an_answer_too() {
    loom::model(|| {
        let value: &'static Value = Box::leak(Box::new(Value(UnsafeCell::new(1))));
        let place = Arc::new(AtomicPtr::new(from_ref(value).cast_mut()));
        let reader = {
            let place = Arc::clone(&place);
            thread::spawn(move || read(&place))
        };
        let asks = thread::spawn(|| _ = readers_left());
        place.store(null_mut(), Ordering::Release);
        let epoch = sealed();
        if have_left(epoch) {
            free(value);
        }
        reader.join().expect("no panic");
        asks.join().expect("no panic");
    });
}

#[test]
fn an_epoch_that_another_raised_hides_no_reader() {
    explore(1, Some(|| _ = readers_left()));
}
