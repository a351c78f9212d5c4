//! A call's door to the shared level, or its absence.

use super::evictions::Evictions;
use super::flight::Flight;
use super::function::Function;
use super::io::Io;
use super::note::Facts;
use crate::Error;
use crate::explain::SharedState;
use crate::invalidations::Name;
use crate::local::Gone;
use crate::outcome::Outcome;
use crate::tags::Tags;
#[cfg(feature = "shared")]
use crate::{key::Key, shared::link::Linked};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// What one call needs of the shared level. A function without `cache =` has [`NoDoor`], and nothing of the shared
/// level is compiled for it.
pub trait Door<V>: Send + Sync {
    /// Whether there is a shared level at all.
    const SHARED: bool;

    /// Whether somebody wants to know what each load took.
    const MEASURES: bool = Self::SHARED;

    /// The value under this call's key. Bytes that are no value of this function are reported and count as
    /// [`Fetched::Nothing`].
    fn fetch<I: Io>(&self, function: &'static Function) -> impl Future<Output = Fetched<V>> + Send;

    /// The latest invalidation that the shared level knows of, for a load that begins now.
    fn since<I: Io>(&self) -> impl Future<Output = u64> + Send;

    /// Stores the value under this call's key, unless it was invalidated while it was loaded. Whether it did.
    fn store<I: Io>(
        &self,
        value: &V,
        timeout: Option<Duration>,
        cost: Duration,
        lineage: &Lineage,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// The bytes that this value is stored as.
    fn encode(&self, value: &V, timeout: Option<Duration>, lineage: &Lineage) -> Result<Vec<u8>, Error>;

    /// Stores what a value was [encoded](Door::encode) as under this call's key if nothing is there. Whether it did.
    fn add<I: Io>(&self, bytes: &[u8], timeout: Option<Duration>) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Drops what is under this call's key if it is these bytes.
    fn remove_if<I: Io>(&self, bytes: &[u8]) -> impl Future<Output = Result<(), Error>> + Send;

    /// Drops the value under this call's key. Whether there was one.
    fn remove<I: Io>(&self) -> impl Future<Output = Result<bool, Error>> + Send;

    /// As [`remove`](Door::remove), for a value that must not be seen any more: where it fails, that is made up for.
    fn invalidate<I: Io>(&self) -> impl Future<Output = Result<bool, Error>> + Send;

    /// What is under this call's key, for people; without a trace in counters and events.
    fn explain<I: Io>(&self, is_valid: impl Fn(&V) -> bool + Send) -> impl Future<Output = SharedState> + Send;

    /// The key of this call, if it has one.
    #[cfg(feature = "shared")]
    fn key(&self) -> Option<&Key>;

    /// The cache and the key of this call, if it has both.
    #[cfg(feature = "shared")]
    fn place(&self) -> Option<(&Linked, &Key)> {
        None
    }

    /// The names beside its tags that an entry of the local level goes with.
    #[inline]
    fn names(&self) -> Option<[Name; 3]> {
        None
    }

    /// Adds the tags that follow from the arguments.
    #[inline]
    fn add_tags(&self, _tags: &mut Tags) {}

    /// Notes what happened, if the function has hooks.
    #[inline]
    fn note(&self, _fact: impl FnOnce(&mut Facts)) {}

    /// The function's hook for what left the local level by itself, if it has one.
    #[inline]
    fn hook<K: Clone + 'static>(&self) -> Option<Evictions<K, V>>
    where
        V: Clone + 'static,
    {
        None
    }

    /// Takes what left the local level by itself.
    #[inline]
    fn gone<K: Clone + Send + 'static>(&self, _gone: Gone<'_, K, V>)
    where
        V: Clone + Send + 'static,
    {
    }
}

/// What the shared level answered.
pub enum Fetched<V> {
    /// A fresh value.
    Value(Shared<V>),
    /// None that can be used.
    Nothing,
    /// The backend failed, or there is none.
    Failed(Error),
}

/// What an entry of the shared level goes with, and since when.
#[derive(Clone, Default)]
#[cfg_attr(not(feature = "shared"), expect(dead_code, reason = "there are no such entries then"))]
pub struct Lineage {
    /// The latest invalidation that its process knew of when its load began.
    pub(crate) since: u64,
    pub(crate) tags: Tags,
}

/// A fresh value from the shared level.
pub struct Shared<V> {
    pub(crate) value: V,
    pub(crate) tags: Tags,
    pub(crate) age: Duration,
    /// How long it stays fresh; `None` without a timeout.
    pub(crate) left: Option<Duration>,
}

/// What a door around another one, its field `door`, hands on as it is: all that is about the shared level.
macro_rules! forward_to_door {
    ($value:ident) => {
        fn fetch<I: $crate::memo::io::Io>(
            &self,
            function: &'static $crate::memo::function::Function,
        ) -> impl ::std::future::Future<Output = $crate::memo::door::Fetched<$value>> + Send {
            self.door.fetch::<I>(function)
        }

        fn since<I: $crate::memo::io::Io>(&self) -> impl ::std::future::Future<Output = u64> + Send {
            self.door.since::<I>()
        }

        fn store<I: $crate::memo::io::Io>(
            &self,
            value: &$value,
            timeout: Option<::std::time::Duration>,
            cost: ::std::time::Duration,
            lineage: &$crate::memo::door::Lineage,
        ) -> impl ::std::future::Future<Output = Result<bool, $crate::Error>> + Send {
            self.door.store::<I>(value, timeout, cost, lineage)
        }

        fn encode(
            &self,
            value: &$value,
            timeout: Option<::std::time::Duration>,
            lineage: &$crate::memo::door::Lineage,
        ) -> Result<Vec<u8>, $crate::Error> {
            self.door.encode(value, timeout, lineage)
        }

        fn add<I: $crate::memo::io::Io>(
            &self,
            bytes: &[u8],
            timeout: Option<::std::time::Duration>,
        ) -> impl ::std::future::Future<Output = Result<bool, $crate::Error>> + Send {
            self.door.add::<I>(bytes, timeout)
        }

        fn remove_if<I: $crate::memo::io::Io>(
            &self,
            bytes: &[u8],
        ) -> impl ::std::future::Future<Output = Result<(), $crate::Error>> + Send {
            self.door.remove_if::<I>(bytes)
        }

        fn remove<I: $crate::memo::io::Io>(
            &self,
        ) -> impl ::std::future::Future<Output = Result<bool, $crate::Error>> + Send {
            self.door.remove::<I>()
        }

        fn invalidate<I: $crate::memo::io::Io>(
            &self,
        ) -> impl ::std::future::Future<Output = Result<bool, $crate::Error>> + Send {
            self.door.invalidate::<I>()
        }

        fn explain<I: $crate::memo::io::Io>(
            &self,
            is_valid: impl Fn(&$value) -> bool + Send,
        ) -> impl ::std::future::Future<Output = $crate::explain::SharedState> + Send {
            self.door.explain::<I>(is_valid)
        }

        #[cfg(feature = "shared")]
        fn key(&self) -> Option<&$crate::key::Key> {
            self.door.key()
        }

        #[cfg(feature = "shared")]
        fn place(&self) -> Option<(&$crate::shared::link::Linked, &$crate::key::Key)> {
            self.door.place()
        }

        fn names(&self) -> Option<[$crate::invalidations::Name; 3]> {
            self.door.names()
        }
    };
}
pub(super) use forward_to_door;

/// Waits until loads have stopped writing under the key of this door, or one of the same cache. `false`: some have not, and
/// what they write is refused or dropped if the key is invalidated now.
pub(super) async fn stored<I: Io, O: Outcome, D: Door<O::Value>>(
    door: &D,
    loads: Vec<Arc<Flight>>,
) -> Result<bool, Error> {
    if loads.is_empty() {
        return Ok(true);
    }
    // The mark of a guard is added, on no condition.
    I::stored(loads, !O::ONCE && refuses_old::<O::Value, D>(door)).await
}

#[cfg(feature = "shared")]
fn refuses_old<V, D: Door<V>>(door: &D) -> bool {
    door.place().is_some_and(|(linked, _)| linked.cache.capabilities().conditional)
}

#[cfg(not(feature = "shared"))]
fn refuses_old<V, D: Door<V>>(_door: &D) -> bool {
    false
}

/// Makes the door of a call from the borrowed arguments, before anything is awaited.
pub trait MakeDoor<P, V> {
    /// The door.
    type Door: Door<V>;

    /// Whether it notes anything.
    const NOTES: bool;

    /// The door of a call with these arguments.
    fn make(&self, function: &'static Function, parts: P) -> Self::Door;

    /// Notes what happened, as [`Door::note`] does.
    #[inline]
    fn note(&self, _fact: impl FnOnce(&mut Facts)) {}
}

/// A function without `cache =`.
#[derive(Clone, Copy)]
pub struct LocalOnly;

impl<P, V, M: MakeDoor<P, V>> MakeDoor<P, V> for &M {
    type Door = M::Door;

    const NOTES: bool = M::NOTES;

    #[inline]
    fn make(&self, function: &'static Function, parts: P) -> M::Door {
        (**self).make(function, parts)
    }

    #[inline]
    fn note(&self, fact: impl FnOnce(&mut Facts)) {
        (**self).note(fact);
    }
}

/// The door of a function without `cache =`: there is none.
pub struct NoDoor;

impl<P, V> MakeDoor<P, V> for LocalOnly {
    type Door = NoDoor;

    const NOTES: bool = false;

    #[inline]
    fn make(&self, _function: &'static Function, _parts: P) -> NoDoor {
        NoDoor
    }
}

impl<V> Door<V> for NoDoor {
    const SHARED: bool = false;

    #[inline]
    async fn fetch<I: Io>(&self, _function: &'static Function) -> Fetched<V> {
        Fetched::Nothing
    }

    #[inline]
    fn since<I: Io>(&self) -> impl Future<Output = u64> + Send {
        std::future::ready(0)
    }

    #[inline]
    fn store<I: Io>(
        &self,
        _value: &V,
        _timeout: Option<Duration>,
        _cost: Duration,
        _lineage: &Lineage,
    ) -> impl Future<Output = Result<bool, Error>> + Send {
        std::future::ready(Ok(true))
    }

    fn encode(&self, _value: &V, _timeout: Option<Duration>, _lineage: &Lineage) -> Result<Vec<u8>, Error> {
        Ok(Vec::new())
    }

    fn add<I: Io>(
        &self,
        _bytes: &[u8],
        _timeout: Option<Duration>,
    ) -> impl Future<Output = Result<bool, Error>> + Send {
        std::future::ready(Ok(true))
    }

    fn remove_if<I: Io>(&self, _bytes: &[u8]) -> impl Future<Output = Result<(), Error>> + Send {
        std::future::ready(Ok(()))
    }

    #[inline]
    fn remove<I: Io>(&self) -> impl Future<Output = Result<bool, Error>> + Send {
        std::future::ready(Ok(false))
    }

    #[inline]
    fn invalidate<I: Io>(&self) -> impl Future<Output = Result<bool, Error>> + Send {
        std::future::ready(Ok(false))
    }

    async fn explain<I: Io>(&self, _is_valid: impl Fn(&V) -> bool + Send) -> SharedState {
        SharedState::Off
    }

    #[cfg(feature = "shared")]
    fn key(&self) -> Option<&Key> {
        None
    }
}
