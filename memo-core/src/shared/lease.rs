//! `single_flight = "fleet"`: of all processes that share a cache, one loads a key at a time.
//!
//! Who is to load takes a lease of the key, which is an entry beside it that only one process can add. It is renewed while
//! the load runs and given back when it has ended; the lease of a process that died ends by itself. The others wait: a message
//! on the bus wakes them, and they look by themselves now and then, in case there is no bus or the message was lost. Who was
//! woken and finds nothing loads for itself at once, since that load failed. A load that was dropped wakes nobody, so of those
//! who then look by themselves one takes the lease. Where the cache fails, each process loads for itself.

use super::ask::Ask as _;
use super::bus::Message;
use super::keeper::{self, Wait};
use super::link::Linked;
use crate::Error;
use crate::key::Key;
use crate::memo::{Blocking, Io, ready};
use crate::random;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

/// How long a lease lives that is not renewed: so long others wait for a process that died. It is renewed each third of it.
pub(super) const LEASE: Duration = Duration::from_secs(3);

/// How long who waits for a message waits before it looks by itself: first, and at the longest.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LAST_LOOK: Duration = Duration::from_millis(250);

/// What a lease is in the cache.
pub(super) struct Term {
    linked: Linked,
    /// The key of the entry, and that of the lease.
    entry: Box<str>,
    key: String,
    /// Nobody else's.
    token: [u8; 8],
}

impl Term {
    /// Makes it last longer. Whether it is still this process's: not, if it was not renewed in time.
    pub(super) fn renew(&self) -> bool {
        let renewed = Blocking::touch_if(&*self.linked.cache, &self.key, &self.token, Some(LEASE));
        // A cache that fails for a moment may have kept it.
        ready(self.linked.through("renewing", &self.key, renewed)).unwrap_or(true)
    }

    /// Gives it back, with the thread and without a word. Where that fails, it ends by itself.
    pub(super) fn give_back(&self) {
        let _ended_later = ready(self.remove::<Blocking>());
    }

    async fn remove<I: Io>(&self) -> Result<bool, Error> {
        let (linked, key) = (&self.linked, &*self.key);
        linked.through("giving back", key, I::remove_if(&*linked.cache, key, &self.token)).await
    }

    async fn end<I: Io>(&self) -> Result<(), Error> {
        let linked = &self.linked;
        self.remove::<I>().await?;
        if linked.cache.capabilities().bus {
            let woken = Message { sender: linked.id(), woken: vec![&self.entry], ..Message::default() }.encode()?;
            linked.through("telling of", &self.entry, I::publish(&*linked.cache, &woken)).await?;
        }
        Ok(())
    }
}

/// The right to load a key. Dropped, it is given back by another thread.
pub(crate) struct Lease {
    term: Arc<Term>,
    has_ended: bool,
}

impl Lease {
    /// Gives it back, now that the load has ended.
    pub(crate) async fn end<I: Io>(mut self) -> Result<(), Error> {
        keeper::let_go(&self.term, false);
        // Not before it is done: a future that is dropped meanwhile has not given it back.
        let ended = self.term.end::<I>().await;
        self.has_ended = true;
        ended
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.has_ended {
            keeper::let_go(&self.term, true);
        }
    }
}

fn lease_key(key: &str) -> String {
    format!("memo!lease:{key}")
}

impl Linked {
    /// Takes the lease of a key; `None` if another process has it.
    pub(crate) async fn lease<I: Io>(&self, key: &Key) -> Result<Option<Lease>, Error> {
        let term = Term {
            linked: self.clone(),
            entry: key.text().into(),
            key: lease_key(key.text()),
            token: random::number().to_le_bytes(),
        };
        // Before it is asked for: a future that is dropped meanwhile may have got it.
        let mut lease = Lease { term: Arc::new(term), has_ended: false };
        let term = Arc::clone(&lease.term);
        let added = I::add(&*self.cache, &term.key, &term.token, Some(LEASE));
        let is_ours = self.through("taking", &term.key, added).await;
        if matches!(is_ours, Ok(true)) {
            keeper::keep(&lease.term);
            return Ok(Some(lease));
        }
        // What failed half-way may be there all the same.
        lease.has_ended = is_ours.is_ok();
        is_ours.map(|_| None)
    }
}

/// A wait for the load of another process to end, or for some time. No message is missed from when it was made.
pub(crate) struct Waiting(Arc<Wait>);

impl Waiting {
    /// Of a key; the time is longer with each round.
    pub(crate) fn new(key: &Key, round: u32) -> Self {
        let look = FIRST_LOOK * 2_u32.saturating_pow(round.min(8));
        Waiting(Wait::begin(key.text(), look.min(LAST_LOOK)))
    }

    /// Waits. Whether a message said that the load has ended.
    pub(crate) async fn wait<I: Io>(self) -> bool {
        if I::BLOCKS {
            self.0.block();
        } else {
            poll_fn(|context| self.0.poll(context.waker())).await;
        }
        self.0.was_told()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.end();
    }
}
