//! Whether a cache answers. One that failed repeatedly is not asked until it does.
//!
//! Failures and successes are weighed against each other: a failure counts as two successes, and the breaker opens once
//! failures outweigh successes by five. So it opens after five failures in a row, and where half of the operations
//! fail, but never where a third does. A breaker that has closed is on probation: one failure opens it again, until
//! successes have outweighed what there was.
//!
//! This file knows no cache and no threads. `recovery.rs` is who asks an open one's cache.

use crate::Error;
use crate::clock::Tick;
use crate::error::ErrorKind;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

const FAILURE: u32 = 2;
const SUCCESS: u32 = 1;
const OPENS_AT: u32 = 5 * FAILURE;

/// How long a failure counts where none follows.
const REMEMBERED_FOR: Duration = Duration::from_secs(10);

/// From the moment it opens to the first look whether the cache answers again. It doubles with each look that fails.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A cache that is back is noticed that soon, and what it is owed is applied within a second.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// No failure counts: what an operation of a healthy cache reads, and all that it does.
const TRUSTED: u8 = 0;
/// Some failures count.
const DOUBTED: u8 = 1;
/// The cache is not asked.
const OPEN: u8 = 2;

pub(crate) struct Breaker {
    mode: AtomicU8,
    state: Mutex<State>,
    opened: AtomicU64,
}

struct State {
    score: u32,
    last_failure: Tick,
    pause: Duration,
}

impl Breaker {
    pub(crate) const fn new() -> Self {
        let state = State { score: 0, last_failure: Tick::at(Duration::ZERO), pause: FIRST_PAUSE };
        Breaker { mode: AtomicU8::new(TRUSTED), state: Mutex::new(state), opened: AtomicU64::new(0) }
    }

    /// Whether operations are to be skipped.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        // Relaxed: who reads an old value asks a cache that is down once more, or skips one that is up.
        self.mode.load(Ordering::Relaxed) == OPEN
    }

    /// How often it has opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// An operation of a caller ended so, at this time. Whether the breaker opened by that.
    #[inline]
    pub(crate) fn saw<T>(&self, result: &Result<T, Error>, now: impl FnOnce() -> Tick) -> bool {
        match result {
            Err(error) if is_down(error) => self.failed(now()),
            // Whatever else it says, it answers.
            _ => {
                if self.mode.load(Ordering::Relaxed) != TRUSTED {
                    self.succeeded();
                }
                false
            }
        }
    }

    fn failed(&self, now: Tick) -> bool {
        let mut state = self.state.lock();
        if self.is_open() {
            return false;
        }
        if now.since(state.last_failure) > REMEMBERED_FOR {
            state.forget();
        }
        state.score += FAILURE;
        state.last_failure = now;
        let opens = state.score >= OPENS_AT;
        if opens {
            self.opened.fetch_add(1, Ordering::Relaxed);
        }
        self.mode.store(if opens { OPEN } else { DOUBTED }, Ordering::Relaxed);
        opens
    }

    #[cold]
    fn succeeded(&self) {
        let mut state = self.state.lock();
        // One that began before the breaker opened says nothing of now.
        if self.is_open() {
            return;
        }
        state.score = state.score.saturating_sub(SUCCESS);
        if state.score == 0 {
            state.forget();
            self.mode.store(TRUSTED, Ordering::Relaxed);
        }
    }

    /// How long to wait before the cache is asked whether it answers.
    pub(crate) fn pause(&self) -> Duration {
        self.state.lock().pause
    }

    /// The cache was asked in vain: the next pause is longer.
    pub(crate) fn back_off(&self) {
        let mut state = self.state.lock();
        state.pause = (state.pause * 2).min(LONGEST_PAUSE);
    }

    /// The cache answers. Whether the breaker was open.
    pub(crate) fn close(&self) -> bool {
        let mut state = self.state.lock();
        let was_open = self.is_open();
        if was_open {
            state.score = OPENS_AT - FAILURE;
            self.mode.store(DOUBTED, Ordering::Relaxed);
        }
        was_open
    }
}

impl State {
    fn forget(&mut self) {
        self.score = 0;
        self.pause = FIRST_PAUSE;
    }
}

/// Whether an error says that the cache can't be reached. Others are its answers, or came before it was asked.
pub(crate) fn is_down(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Tried {
        breaker: Breaker,
        now: Tick,
    }

    impl Tried {
        fn new() -> Self {
            Tried { breaker: Breaker::new(), now: Tick::at(Duration::from_secs(1_000)) }
        }

        fn fails(&self, kind: ErrorKind) -> bool {
            self.breaker.saw(&Err::<(), _>(Error::new(kind, "asking")), || self.now)
        }

        fn succeeds(&self) {
            assert!(!self.breaker.saw(&Ok(()), || self.now));
        }
    }

    #[test]
    fn it_opens_after_five_failures_in_a_row() {
        for kind in [ErrorKind::Unavailable, ErrorKind::Timeout] {
            let tried = Tried::new();
            assert_eq!([(); 6].map(|()| tried.fails(kind)), [false, false, false, false, true, false]);
            assert!(tried.breaker.is_open());
            assert_eq!(tried.breaker.opened(), 1);
            tried.succeeds();
            assert!(tried.breaker.is_open(), "an operation that began before opened it for all");
        }
    }

    #[test]
    fn an_answer_is_no_failure_whatever_it_says() {
        let tried = Tried::new();
        for _ in 0..20 {
            for kind in [ErrorKind::Backend, ErrorKind::Full, ErrorKind::Codec, ErrorKind::Key, ErrorKind::Config] {
                assert!(!tried.fails(kind));
            }
        }
        assert!(!tried.breaker.is_open());
    }

    #[test]
    fn it_opens_where_half_fail_and_not_where_a_third_does() {
        let half = Tried::new();
        for _ in 0..10 {
            half.fails(ErrorKind::Timeout);
            half.succeeds();
        }
        assert!(half.breaker.is_open());
        let third = Tried::new();
        for _ in 0..1_000 {
            third.fails(ErrorKind::Timeout);
            third.succeeds();
            third.succeeds();
        }
        assert!(!third.breaker.is_open());
    }

    #[test]
    fn failures_are_forgotten_with_time() {
        let mut tried = Tried::new();
        for _ in 0..100 {
            assert!(!tried.fails(ErrorKind::Timeout));
            tried.now = tried.now.after(REMEMBERED_FOR + Duration::from_millis(1));
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_begin_anew_when_it_is_trusted_again() {
        let tried = Tried::new();
        (0..5).for_each(|_| _ = tried.fails(ErrorKind::Timeout));
        let pauses = [(); 4].map(|()| {
            let pause = tried.breaker.pause().as_millis();
            tried.breaker.back_off();
            pause
        });
        assert_eq!(pauses, [100, 200, 400, 500]);
        assert!(tried.breaker.close() && !tried.breaker.is_open() && !tried.breaker.close());
        assert_eq!(tried.breaker.pause(), LONGEST_PAUSE, "it may be down again at once");
        assert!(tried.fails(ErrorKind::Timeout), "on probation one failure is enough");
        assert!(tried.breaker.close());
        (0..8).for_each(|_| tried.succeeds());
        assert_eq!(tried.breaker.pause(), FIRST_PAUSE);
        assert!(!tried.fails(ErrorKind::Timeout));
    }
}
