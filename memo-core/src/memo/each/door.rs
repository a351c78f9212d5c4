//! The doors of several calls, opened at once.

use crate::Error;
use crate::memo::door::{Door, NoDoor, Shared};
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

    /// Stores a value behind each of these doors; `cost` is what each took to load.
    fn store_many<I: Io>(
        values: &[(&Self, &V)],
        timeout: Option<Duration>,
        cost: Duration,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Drops what is behind these doors. Whether there was anything.
    fn remove_many<I: Io>(doors: &[&Self]) -> impl Future<Output = Result<bool, Error>> + Send;
}

impl<V> Doors<V> for NoDoor {
    async fn fetch_many<I: Io>(
        _doors: &[&Self],
        _function: &'static Function,
    ) -> Result<Vec<Option<Shared<V>>>, Error> {
        Ok(Vec::new())
    }

    fn store_many<I: Io>(
        _values: &[(&Self, &V)],
        _timeout: Option<Duration>,
        _cost: Duration,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        std::future::ready(Ok(()))
    }

    fn remove_many<I: Io>(_doors: &[&Self]) -> impl Future<Output = Result<bool, Error>> + Send {
        std::future::ready(Ok(false))
    }
}
