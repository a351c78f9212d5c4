//! The bus: a thread for each subscription, which listens on a connection of its own and connects again when that is
//! lost.
//!
//! A silent server is asked for a sign of life, so that a connection that leads nowhere is noticed: [`SILENCE`] after
//! the last reply it is asked, and has as long again to answer. What was published in the meantime is made up for by
//! the snapshot that is read after each connection.

use super::subscribe::Listening;
use super::{Inner, RedisCache, scripts};
use memo_core::bus::{Listener, Message, Snapshot, Subscription};
use memo_core::invalidation::Invalidation;
use memo_core::{Error, ErrorKind};
use parking_lot::{Condvar, Mutex};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// Twice this is below a second, with time to connect again.
const SILENCE: Duration = Duration::from_millis(400);
/// How long after a failure the next connection is tried: from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// How many keys one message tells of.
const PER_MESSAGE: usize = 500;

/// The version is that of the channels' names: `docs/bus-format.md`. Channels belong to the server and not to a database.
pub(super) fn channel(database: i64) -> String {
    format!("memo!bus:1:{database}")
}

/// What an invalidation tells as it gets its number, which stands between what is before and after it.
pub(super) fn around_number(what: &Invalidation<'_>) -> Result<[Vec<u8>; 2], Error> {
    let message = Message { sender: what.sender, names: what.names.to_vec(), ..Message::default() };
    let mut head = message.encode()?;
    let tail = head.split_off(Message::SEQUENCE.end);
    head.truncate(Message::SEQUENCE.start);
    Ok([head, tail])
}

/// What an invalidation tells when the entries of its keys are gone, in messages that a server and its subscribers take
/// without delay.
pub(super) fn messages(what: &Invalidation<'_>, sequence: u64) -> Result<Vec<Vec<u8>>, Error> {
    let told = what.keys.chunks(PER_MESSAGE);
    told.map(|keys| Message { sender: what.sender, sequence, keys: keys.to_vec(), ..Message::default() }.encode())
        .collect()
}

/// What a subscription and its thread share.
#[derive(Default)]
struct Shared {
    /// Whether the subscription has ended; locked for as long as the listener is called.
    ended: Mutex<bool>,
    /// As `ended`, for the thread while it waits for the next attempt.
    pause: Mutex<bool>,
    woken: Condvar,
    /// Who is calling the listener just now, so that it may drop its own subscription.
    calling: Mutex<Option<ThreadId>>,
    /// What wakes the thread from its wait for the server.
    hang_up: Mutex<Option<Box<dyn Fn() + Send>>>,
    over: AtomicBool,
}

/// Ends the thread when it is dropped.
struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        let shared = &self.0;
        shared.over.store(true, Ordering::Release);
        *shared.pause.lock() = true;
        shared.woken.notify_all();
        if let Some(hang_up) = &*shared.hang_up.lock() {
            hang_up();
        }
        // By itself it would wait for itself.
        if *shared.calling.lock() != Some(thread::current().id()) {
            *shared.ended.lock() = true;
        }
    }
}

impl Shared {
    /// Calls the listener, unless the subscription has ended. Whether to go on.
    fn tell(&self, call: impl FnOnce()) -> bool {
        let ended = self.ended.lock();
        if *ended || self.over.load(Ordering::Acquire) {
            return false;
        }
        *self.calling.lock() = Some(thread::current().id());
        // A panic was shown by its hook. What the listener has missed by it is told again, as after a lost connection.
        let told = panic::catch_unwind(AssertUnwindSafe(call)).is_ok();
        *self.calling.lock() = None;
        told
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    fn rest(&self, time: Duration) {
        let mut over = self.pause.lock();
        self.woken.wait_while_for(&mut over, |over| !*over, time);
    }
}

impl RedisCache {
    /// Starts the thread.
    pub(super) fn listen_for(&self, listener: Arc<dyn Listener>) -> Result<Subscription, Error> {
        let shared = Arc::new(Shared::default());
        let guard = Guard(Arc::clone(&shared));
        // The thread is no reason for the cache to live.
        let cache = Arc::downgrade(&self.inner);
        let run = move || listen(&cache, &shared, &*listener);
        thread::Builder::new().name("memokit-redis-bus".into()).spawn(run).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "starting the thread that listens to Redis")
                .advise("the process may start no more threads")
                .because(error)
        })?;
        Ok(Subscription::new(guard))
    }
}

/// The life of the thread: until the subscription or the cache is dropped.
fn listen(cache: &Weak<Inner>, shared: &Shared, listener: &dyn Listener) {
    let mut pause = FIRST_PAUSE;
    while !shared.is_over() {
        let Some(inner) = cache.upgrade() else { return };
        let cache_now = RedisCache { inner };
        let connected = connect(&cache_now, shared);
        drop(cache_now);
        match connected {
            Ok((mut listening, all)) => {
                pause = FIRST_PAUSE;
                let heard = shared.tell(|| listener.connected(&all)) && hear(cache, shared, listener, &mut listening);
                *shared.hang_up.lock() = None;
                if !heard && !shared.is_over() {
                    shared.tell(|| listener.lost());
                }
            }
            Err(error) => {
                // Said once for each outage; between processes nothing is told until it ends.
                if pause == FIRST_PAUSE {
                    tracing::warn!(%error, "not connected to the bus of a cache");
                }
            }
        }
        shared.rest(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Listens first and reads then, so that nothing falls in between.
fn connect(cache: &RedisCache, shared: &Shared) -> Result<(Listening, Snapshot), Error> {
    let listening = cache.listen(&[&channel(cache.inner.database)])?;
    *shared.hang_up.lock() = listening.hang_up();
    let all = cache.run(&scripts::snapshot())?;
    Ok((listening, all))
}

/// Passes on what comes until the connection is lost (`false`) or nobody listens any more.
fn hear(cache: &Weak<Inner>, shared: &Shared, listener: &dyn Listener, listening: &mut Listening) -> bool {
    loop {
        if shared.is_over() || cache.strong_count() == 0 {
            return true;
        }
        match listening.next(SILENCE) {
            Ok(Some(message)) => {
                if !shared.tell(|| listener.message(&message.payload)) {
                    return false;
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "the connection to the bus of a cache was lost");
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalidation_of_many_is_told_in_parts() {
        let keys: Vec<String> = (0..1_100).map(|number| format!("k{number}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let what = Invalidation { keys: &keys, names: &["t:a"], sender: 7, ..Invalidation::default() };
        let told = messages(&what, 12).unwrap();
        let told: Vec<Message<'_>> = told.iter().map(|bytes| Message::decode(bytes).unwrap()).collect();
        assert!(told.iter().all(|message| (message.sender, message.sequence) == (7, 12)));
        assert_eq!(told.iter().flat_map(|message| message.keys.clone()).collect::<Vec<_>>(), keys);
        assert_eq!(told.len(), 3);

        let one = Invalidation { keys: &["k"], names: &["t:a"], ..Invalidation::default() };
        assert_eq!(messages(&one, 1).unwrap().len(), 1);
        assert!(messages(&Invalidation::default(), 1).unwrap().is_empty());
    }

    #[test]
    fn the_names_are_told_around_the_number() {
        let what = Invalidation { keys: &["k"], names: &["t:a", "f:b"], sender: 7, ..Invalidation::default() };
        let [head, tail] = around_number(&what).unwrap();
        let whole = [&head[..], &0x0102_0304_0506_u64.to_le_bytes(), &tail].concat();
        let expected =
            Message { sender: 7, sequence: 0x0102_0304_0506, names: vec!["t:a", "f:b"], ..Message::default() };
        assert_eq!(Message::decode(&whole).unwrap(), expected);
    }
}
