//! Every MUST of the [`Cache`] docs, run against any implementation.
//!
//! Each rule is one function of the submodules, runs once through the blocking operations and once through the async
//! twins, and uses keys of its own under a random prefix, so that the suite can run on a server that others use.
//! A backend may drop entries when it is out of room; give the suite one that has room for 16 MiB. Names of functions and
//! tags are its own too, but it raises the numbers of the backend's invalidations, which voids what others have stored
//! there: they load it again.

mod atomic;
mod bus;
mod conditional;
mod invalidations;
mod keys;
mod optional;
mod subject;
mod timeouts;
mod together;
mod values;

use self::subject::{Door, Subject};
use crate::{BoxFuture, Cache, random};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

/// Runs a future to its end, on whatever runtime the backend's async twins need.
pub type Runner<'a> = &'a (dyn Fn(BoxFuture<'_, ()>) + Sync);

/// Lets this much time pass for the backend, see [`check`].
type Advance<'a> = &'a mut dyn FnMut(Duration);

/// One rule, and what a failure of it is called.
type Rule = (&'static str, fn(&Subject<'_>, Advance<'_>));

/// Checks that `cache` keeps the contract of [`Cache`].
///
/// `advance` lets time pass for the backend: with a [`MockClock`](crate::testing::MockClock) for one that reads
/// [`clock`](crate::clock), with a wait for a server. It is asked for about 4 s in all, in steps below 1 s.
/// `run` drives the async twins: [`block_on`] where they need no runtime, else that runtime's own. Several threads
/// call it at once.
///
/// # Panics
///
/// When a rule is broken; the message names the backend, the rule, and what was seen. This is a test helper.
///
/// ```
/// use memo_core::testing::{MockClock, conformance};
/// # use memo_core::{Cache, Capabilities, Error, check_key, clock};
/// # use std::{collections::HashMap, sync::{Arc, Mutex}, time::Duration};
/// # #[derive(Default)]
/// # struct MyCache(Mutex<HashMap<String, (Vec<u8>, clock::Tick)>>);
/// # impl MyCache {
/// #     fn put(&self, key: &str, bytes: &[u8], timeout: Option<Duration>, only_if_absent: bool) -> Result<bool, Error> {
/// #         check_key(key)?;
/// #         let mut map = self.0.lock().unwrap();
/// #         if only_if_absent && map.get(key).is_some_and(|(_, end)| *end > clock::now()) {
/// #             return Ok(false);
/// #         }
/// #         let end = timeout.map_or(clock::Tick::NEVER, |timeout| clock::now().after(timeout));
/// #         map.insert(key.into(), (bytes.into(), end));
/// #         Ok(true)
/// #     }
/// # }
/// # impl Cache for MyCache {
/// #     fn capabilities(&self) -> Capabilities { Capabilities::new("mine") }
/// #     fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
/// #         check_key(key)?;
/// #         let map = self.0.lock().unwrap();
/// #         Ok(map.get(key).filter(|(_, end)| *end > clock::now()).map(|(bytes, _)| bytes.clone()))
/// #     }
/// #     fn set(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
/// #         self.put(key, bytes, timeout, false).map(drop)
/// #     }
/// #     fn add(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
/// #         self.put(key, bytes, timeout, true)
/// #     }
/// #     fn remove(&self, key: &str) -> Result<bool, Error> {
/// #         check_key(key)?;
/// #         Ok(self.0.lock().unwrap().remove(key).is_some_and(|(_, end)| end > clock::now()))
/// #     }
/// # }
///
/// let cache: Arc<dyn Cache> = Arc::new(MyCache::default());
/// let clock = MockClock::install();
/// conformance::check(&cache, &mut |span| clock.advance(span), &conformance::block_on);
/// ```
pub fn check(cache: &Arc<dyn Cache>, advance: &mut dyn FnMut(Duration), run: Runner<'_>) {
    let random = random::number();
    let root = format!("conformance:{random:016x}:");
    for door in [Door::Blocking, Door::Async] {
        for (number, (rule, check)) in rules().enumerate() {
            let prefix = format!("{root}{door:?}:{number}:");
            check(&Subject::new(cache.as_ref(), door, run, rule, prefix), advance);
        }
    }
    let capable = cache.capabilities();
    if capable.scan {
        let end = Subject::new(cache.as_ref(), Door::Blocking, run, "clear removes all of a prefix", root.clone());
        end.ok(end.clear(&root));
        end.same(&end.ok(end.clear(&root)), &0, "entries left after a clear");
    }
}

fn rules() -> impl Iterator<Item = Rule> {
    let all = [
        keys::RULES,
        values::RULES,
        timeouts::RULES,
        atomic::RULES,
        optional::RULES,
        conditional::RULES,
        invalidations::RULES,
        together::RULES,
        bus::RULES,
    ];
    all.into_iter().flatten().copied()
}

/// Runs a future to its end on this thread: the [`Runner`] for async twins that need no runtime.
///
/// ```
/// # use memo_core as memokit;
/// let mut done = false;
/// memokit::testing::conformance::block_on(Box::pin(async { done = true }));
/// assert!(done);
/// ```
pub fn block_on(future: BoxFuture<'_, ()>) {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    while future.as_mut().poll(&mut context).is_pending() {
        thread::park();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls a future once and drops it, as a caller that is cancelled does. Its output, if that was enough.
async fn poll_once_and_drop<T>(mut future: BoxFuture<'_, T>) -> Option<T> {
    std::future::poll_fn(move |context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}
