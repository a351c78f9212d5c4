//! When memory that readers may still look at can go.
//!
//! A reader announces, in a record of its thread, the epoch in which it began, and takes that back when it is done. Who
//! has unlinked something asks [`readers_left`], and frees it if nobody reads any more who began before.
//!
//! Source: epoch-based reclamation (K. Fraser, "Practical lock-freedom", 2004), with an asymmetric fence: a reader must
//! announce before it looks, which would cost it a fence, a third of a hit. Where Linux has `membarrier`, the reader's
//! fence is one for the compiler only, and the one who frees has the kernel put a fence into every running thread.
//! Elsewhere both use a fence of their own.
//!
//! Why that is right. Let `f` free what it unlinked. It raises the epoch to `n` after unlinking, then puts the fence,
//! then reads every record. A reader whose record says at least `n` has read the epoch after it was raised (Acquire
//! after Release), so it can't find what was unlinked before; and what it read before it announced this is over (Release
//! then, Acquire here). A reader whose record says less is waited for. A reader whose record says that it does not read:
//! either it is done, and its reading happened before, or its announcement comes after the fence, and with it its
//! looking, which finds the unlinking done.
//!
//! Another, `g`, may free later by the answer that `f` got: it unlinks, puts a fence, and reads that the epoch is `m`. If
//! `m` is less than `n`, that reading came before `f` raised the epoch, and so the unlinking is before the looking of
//! every reader whom `f` did not wait for. `models` below explores this with the fences there are without `membarrier`.

use crate::sync::announced::{AtomicBool, AtomicPtr, AtomicU64, fence, thread_local};
use crate::sync::{IS_MODEL, global};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{Ordering, compiler_fence};

/// What a thread says while it reads. On cache lines of its own, since its thread writes it on every hit; 128 bytes,
/// because lines are fetched in pairs.
#[repr(align(128))]
struct Record {
    /// The epoch in which its thread began to read; [`IDLE`] while it does not.
    epoch: AtomicU64,
    /// Whether its readers need a fence of their own. Here, since they have this line at hand.
    needs_fence: bool,
    /// Whether a thread has it.
    taken: AtomicBool,
    /// Written once, before it is in the list.
    next: AtomicPtr<Record>,
}

impl Record {
    /// Its thread reads from here on.
    #[inline(always)]
    fn announce(&self) {
        // Release, since who reads this need not have seen the end of the reading before, which happened before it.
        self.epoch.store(EPOCH.load(Ordering::Acquire), Ordering::Release);
        light_fence(self.needs_fence);
    }
}

const IDLE: u64 = 0;
/// No epoch, and nothing that a record says.
const LAST: u64 = u64::MAX;

global! {
    static EPOCH: AtomicU64 = AtomicU64::new(1);
}

global! {
    /// All records there ever were, newest first. They stay: there are as many as there were threads at one time.
    static RECORDS: AtomicPtr<Record> = AtomicPtr::new(std::ptr::null_mut());
}

global! {
    /// What was unlinked in an epoch before this one is read by nobody any more.
    static LEFT: AtomicU64 = AtomicU64::new(0);
}

thread_local! {
    /// The record of this thread. Without a destructor, so that it is one load away.
    static MINE: Cell<Option<&'static Record>> = const { Cell::new(None) };
    static LEASE: Cell<Option<Lease>> = const { Cell::new(None) };
}

/// As long as it lives, nothing that this thread finds is freed.
#[must_use]
pub(crate) struct Pin {
    record: &'static Record,
    /// What the record said before: reading may nest, since copying a value is code of users. [`LAST`] if the record is
    /// this pin's alone, since its thread is being torn down.
    before: u64,
    /// It is about this thread.
    _not_send: PhantomData<*const ()>,
}

/// A [`Pin`] of a thread that had none. It fits into a register, and nothing is asked as it ends.
#[must_use]
pub(crate) struct Alone {
    record: &'static Record,
    /// It is about this thread.
    _not_send: PhantomData<*const ()>,
}

/// What keeps what this thread finds from being freed, as long as it lives.
pub(crate) trait Pinned {}

impl Pinned for Pin {}
impl Pinned for Alone {}

/// Announces that this thread reads.
#[inline(always)]
pub(crate) fn pin() -> Pin {
    match MINE.with(Cell::get) {
        Some(record) => Pin::on(record),
        None => first_pin(),
    }
}

/// As [`pin`], for a thread that reads nothing else and has a record; `None` for others, which pin.
#[inline(always)]
pub(crate) fn pin_alone() -> Option<Alone> {
    let record = MINE.with(Cell::get).filter(|record| record.epoch.load(Ordering::Relaxed) == IDLE)?;
    record.announce();
    Some(Alone { record, _not_send: PhantomData })
}

#[cold]
#[inline(never)]
fn first_pin() -> Pin {
    let lease = Lease::take();
    let record = lease.0;
    match LEASE.try_with(|mine| mine.set(Some(lease))) {
        Ok(()) => {
            MINE.with(|mine| mine.set(Some(record)));
            Pin::on(record)
        }
        // The lease is gone with the attempt; this thread has it for one reading more.
        Err(_) => {
            let mut pin = Pin::on(Lease::take().keep());
            pin.before = LAST;
            pin
        }
    }
}

impl Pin {
    #[inline(always)]
    fn on(record: &'static Record) -> Self {
        let before = record.epoch.load(Ordering::Relaxed);
        if before == IDLE {
            record.announce();
        }
        Pin { record, before, _not_send: PhantomData }
    }
}

/// Ends the reading of a thread that is being torn down. By its record, or a pin would have to be in memory.
#[cold]
fn end_last(record: &'static Record) {
    record.epoch.store(IDLE, Ordering::Release);
    drop(Lease(record));
}

impl Drop for Alone {
    #[inline(always)]
    fn drop(&mut self) {
        self.record.epoch.store(IDLE, Ordering::Release);
    }
}

impl Drop for Pin {
    #[inline(always)]
    fn drop(&mut self) {
        if self.before == LAST {
            end_last(self.record);
        } else {
            self.record.epoch.store(self.before, Ordering::Release);
        }
    }
}

/// A record that a thread has. It goes back when the thread ends.
struct Lease(&'static Record);

impl Lease {
    fn take() -> Self {
        // Before anybody may read, it is known which fence they use.
        let needs_fence = !has_membarrier();
        for record in records() {
            let taken = record.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
            if taken.is_ok() {
                return Lease(record);
            }
        }
        let record: &'static Record = Box::leak(Box::new(Record {
            epoch: AtomicU64::new(IDLE),
            needs_fence,
            taken: AtomicBool::new(true),
            next: AtomicPtr::default(),
        }));
        let mut newest = RECORDS.load(Ordering::Acquire);
        loop {
            record.next.store(newest, Ordering::Relaxed);
            let itself = std::ptr::from_ref(record).cast_mut();
            match RECORDS.compare_exchange_weak(newest, itself, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Lease(record),
                Err(other) => newest = other,
            }
        }
    }

    /// The record, which is not given back.
    fn keep(self) -> &'static Record {
        let record = self.0;
        std::mem::forget(self);
        record
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A destructor that runs after this one takes another.
        let _ = MINE.try_with(|mine| mine.set(None));
        self.0.taken.store(false, Ordering::Release);
    }
}

#[allow(unsafe_code)]
fn known(record: *mut Record) -> Option<&'static Record> {
    // SAFETY: what is in the list is null or a leaked record, and all its fields are atomics.
    unsafe { record.as_ref() }
}

fn records() -> impl Iterator<Item = &'static Record> {
    std::iter::successors(known(RECORDS.load(Ordering::Acquire)), |record| known(record.next.load(Ordering::Relaxed)))
}

/// Whether nobody reads any more who began before this call: then what was unlinked before it can be freed. `false` is
/// an answer for now.
pub(crate) fn readers_left() -> bool {
    let epoch = EPOCH.fetch_add(1, Ordering::AcqRel) + 1;
    heavy_fence();
    let have_left = records().all(|record| match record.epoch.load(Ordering::Acquire) {
        IDLE => true,
        began => began >= epoch,
    });
    if have_left {
        LEFT.fetch_max(epoch, Ordering::Release);
    }
    have_left
}

/// The epoch of all that was unlinked so far, by this thread or under a lock that it holds.
pub(crate) fn sealed() -> u64 {
    // Who finds that a later epoch began has its reading after the unlinking: this fence is between the two.
    fence(Ordering::SeqCst);
    EPOCH.load(Ordering::Relaxed)
}

/// Whether what was [sealed](sealed) in an epoch can be freed, because somebody asked [`readers_left`] since: that costs
/// much, and one answer is for all.
pub(crate) fn have_left(sealed: u64) -> bool {
    sealed < LEFT.load(Ordering::Acquire)
}

/// Between a reader's announcement and its looking.
#[inline(always)]
fn light_fence(is_needed: bool) {
    if is_needed {
        fence(Ordering::SeqCst);
    } else {
        compiler_fence(Ordering::SeqCst);
    }
}

/// Between unlinking and reading the records.
fn heavy_fence() {
    // It stays what it was as the first record was made.
    if has_membarrier() {
        membarrier::put();
    }
    fence(Ordering::SeqCst);
}

fn has_membarrier() -> bool {
    static ANSWER: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *ANSWER.get_or_init(|| !IS_MODEL && membarrier::register())
}

#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
mod membarrier {
    use rustix::thread::{MembarrierCommand, membarrier};

    pub(super) fn register() -> bool {
        membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
    }

    pub(super) fn put() {
        // Once registered it can't fail, and to go on without it would free what others read.
        membarrier(MembarrierCommand::PrivateExpedited).expect("the process is registered for it");
    }
}

#[cfg(any(miri, not(any(target_os = "linux", target_os = "android"))))]
mod membarrier {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn put() {}
}

#[cfg(all(test, loom))]
mod models;

#[cfg(all(test, not(any(shuttle, loom))))]
mod tests {
    use super::*;
    use std::sync::mpsc;

    // Other tests of this process read as well, so "eventually" is all that can be asked of an answer `true`.
    fn leave_at_last() -> bool {
        (0..1_000_000).any(|_| {
            std::thread::yield_now();
            readers_left()
        })
    }

    #[test]
    fn who_began_before_is_waited_for() {
        let (go, gone) = mpsc::channel::<()>();
        let (reads, reading) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            let _pin = pin();
            reads.send(()).expect("the test waits");
            let _ = gone.recv();
        });
        reading.recv().expect("it reads");
        assert!((0..100).all(|_| !readers_left()));
        drop(go);
        reader.join().expect("no panic");
        assert!(leave_at_last());
    }

    #[test]
    fn readings_nest() {
        let outer = pin();
        drop(pin());
        assert!(!readers_left(), "the inner one ended the outer one");
        drop(outer);
        assert!(leave_at_last());
    }

    #[test]
    fn who_reads_alone_is_waited_for_and_ends_nobody_elses_reading() {
        drop(pin());
        let alone = pin_alone().expect("this thread has a record, and reads nothing");
        assert!(pin_alone().is_none(), "it reads something");
        drop(pin());
        assert!(!readers_left(), "the inner one ended it");
        drop(alone);
        let outer = pin();
        assert!(pin_alone().is_none(), "it would end the outer one");
        assert!(!readers_left());
        drop(outer);
        assert!(leave_at_last());
        // What a thread has that never read.
        assert!(std::thread::spawn(|| pin_alone().is_none()).join().expect("no panic"));
    }

    #[test]
    fn an_answer_is_for_what_was_sealed_before_it_was_asked() {
        let before = sealed();
        assert!(leave_at_last() && have_left(before));
        // Another answer may come at any time, but none while this thread reads.
        let reading = pin();
        let meanwhile = sealed();
        assert!(!have_left(meanwhile) && !readers_left() && !have_left(meanwhile));
        drop(reading);
        assert!(leave_at_last() && have_left(meanwhile));
    }

    #[test]
    fn threads_that_end_hand_their_records_on() {
        let count = || records().count();
        std::thread::spawn(|| drop(pin())).join().expect("no panic");
        let before = count();
        for _ in 0..200 {
            std::thread::spawn(|| drop(pin())).join().expect("no panic");
        }
        assert!(count() < before + 50, "{} records", count());
    }

    #[test]
    fn a_destructor_of_a_thread_may_read() {
        struct ReadsAtTheEnd;
        impl Drop for ReadsAtTheEnd {
            fn drop(&mut self) {
                drop(pin());
            }
        }
        std::thread_local!(static LAST: Cell<Option<ReadsAtTheEnd>> = const { Cell::new(None) });
        std::thread::spawn(|| {
            // Registered before the record, so that it is dropped after it.
            LAST.set(Some(ReadsAtTheEnd));
            drop(pin());
        })
        .join()
        .expect("no panic");
        assert!(leave_at_last());
    }
}
