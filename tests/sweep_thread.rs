//! The thread that drops expired entries, as real time passes. Alone in its process, whose clock nobody moves.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use memokit::cached;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Says when its last copy is dropped.
struct Says(Sender<()>);

impl Drop for Says {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[test]
fn a_value_goes_soon_after_it_expired() {
    #[cached(timeout = "20ms", ignore = says)]
    fn sample(n: u32, says: &Sender<()>) -> Arc<Says> {
        assert!(n < 10);
        Arc::new(Says(says.clone()))
    }
    let (says, said) = channel();
    // More than once: it has to start again, and to hear of entries that expire before those it waits for.
    for n in 0..3 {
        drop(sample(n, &says));
        said.recv_timeout(Duration::from_secs(60)).expect("nobody asked for it, and it is gone");
        assert_eq!(sample::stats().entries, 0);
    }
}

#[test]
fn the_thread_tells_the_hook_of_a_function_that_has_one() {
    static SAYS: OnceLock<Sender<(u32, Option<String>)>> = OnceLock::new();
    #[cached(timeout = "20ms", on_evict = |_, (n,)| {
        let thread = std::thread::current().name().map(str::to_owned);
        SAYS.get().unwrap().send((*n, thread)).unwrap();
    })]
    fn sample(n: u32) -> u32 {
        n
    }
    let (says, said) = channel();
    SAYS.set(says).unwrap();
    for n in 0..2 {
        sample(n);
        let told = said.recv_timeout(Duration::from_secs(60)).expect("nobody asks again, and it is told of");
        assert_eq!(told, (n, Some("memokit-sweep".to_owned())));
        assert_eq!(sample::stats().entries, 0);
    }
}
