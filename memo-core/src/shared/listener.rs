//! The bus of a backend: messages from other processes, heard for as long as a subscription lives.

use std::any::Any;
use std::fmt;

/// All that a backend records of invalidations, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The highest number given so far; 0 if none was.
    pub sequence: u64,
    /// Every entry of a lower number is void. It rises where records were given up or lost.
    pub floor: u64,
    /// The names of which an invalidation is recorded, in no order, with its number.
    pub records: Vec<(String, u64)>,
}

/// Hears what [`Cache::subscribe`](crate::Cache::subscribe) subscribed it to.
///
/// One call at a time, on a thread of the backend's. A call should be short: the next message waits for it, and a
/// server gives up a subscriber that falls far behind. It must not panic; the backend may end the subscription then.
pub trait Listener: Send + Sync + 'static {
    /// Connected, for the first time or again: every message from now on will be heard. `all` was read after that, so it
    /// misses nothing that will not be told, and some of it may be told again.
    fn connected(&self, all: &Snapshot);

    /// The connection was lost: messages may be missed until it is [`connected`](Listener::connected) again. Not called
    /// before the first connection.
    fn lost(&self);

    /// A message, as it was published: see [`bus::Message`](crate::bus::Message). Own ones come back too.
    fn message(&self, bytes: &[u8]);
}

/// Ends with its drop: after that the listener is called no more, save by a call that is dropping it. The drop waits for a
/// call that is under way, so hold no lock then that the listener takes.
#[must_use = "a subscription ends when it is dropped"]
pub struct Subscription {
    _ends_with_its_drop: Box<dyn Any + Send + Sync>,
}

impl Subscription {
    /// A subscription that lives as long as `guard`, whose drop is to end it, soon and without waiting for a server.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// struct Guard;
    ///
    /// impl Drop for Guard {
    ///     fn drop(&mut self) { /* tell the listening thread to end */ }
    /// }
    ///
    /// let subscription = memokit::bus::Subscription::new(Guard);
    /// ```
    pub fn new(guard: impl Send + Sync + 'static) -> Subscription {
        Subscription { _ends_with_its_drop: Box::new(guard) }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}
