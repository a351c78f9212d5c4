//! The doors of several calls, opened at once.

use crate::Error;
use crate::memo::door::{Door, Lineage, NoDoor, Shared};
use crate::memo::function::Function;
use crate::memo::io::Io;
use std::future::Future;
use std::time::Duration;

/// What several calls of one function need of the shared level at once. All their doors lead to one cache.
pub trait Doors<V>: Door<V> {
    /// The value behind each of these doors, in their order. Bytes that are no value of this function are reported and
    /// count as `None`.
    fn fetch_many<I: Io>(
        doors: &[&Self],
        function: &'static Function,
    ) -> impl Future<Output = Result<Vec<Option<Shared<V>>>, Error>> + Send;

    /// Stores each of these values; `cost` is what each took to load, and `took` is how long the load of all did. Which of them
    /// were not refused for being invalidated meanwhile, and the first failure.
    fn store_many<I: Io>(
        values: &[ValueToStore<'_, Self, V>],
        cost: Duration,
        took: Duration,
    ) -> impl Future<Output = (Vec<bool>, Result<(), Error>)> + Send;

    /// Drops what is behind these doors and must not be seen any more; where that fails, it is made up for. Whether there was
    /// anything.
    fn invalidate_many<I: Io>(doors: &[&Self]) -> impl Future<Output = Result<bool, Error>> + Send;
}

/// A value that is to be stored behind a door.
pub struct ValueToStore<'a, D: ?Sized, V> {
    /// The door.
    pub door: &'a D,
    /// The value.
    pub value: &'a V,
    /// How long it is fresh.
    pub timeout: Option<Duration>,
    /// What it goes with.
    pub lineage: &'a Lineage,
}

impl<V> Doors<V> for NoDoor {
    async fn fetch_many<I: Io>(
        _doors: &[&Self],
        _function: &'static Function,
    ) -> Result<Vec<Option<Shared<V>>>, Error> {
        Ok(Vec::new())
    }

    fn store_many<I: Io>(
        _values: &[ValueToStore<'_, Self, V>],
        _cost: Duration,
        _took: Duration,
    ) -> impl Future<Output = (Vec<bool>, Result<(), Error>)> + Send {
        std::future::ready((Vec::new(), Ok(())))
    }

    fn invalidate_many<I: Io>(_doors: &[&Self]) -> impl Future<Output = Result<bool, Error>> + Send {
        std::future::ready(Ok(false))
    }
}
