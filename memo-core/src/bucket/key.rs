//! What of a user's key counts.

use crate::Error;
use crate::key::Digest;
use serde::Serialize;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// Makes the digest that stands for a key of type `K` in a [`Bucket`](crate::Bucket).
///
/// Keys with one digest are one key, so different keys need different digests: make them with [`Digest::of`] of
/// everything that tells them apart. The same key must have the same digest in every process that uses the bucket.
///
/// [`WholeKey`] takes the key as it is, and [`KeyBy`] what a closure returns. An implementation by hand can borrow from
/// the key, and can fail:
///
/// ```
/// # use memo_core as memokit;
/// use memokit::key::Digest;
/// use memokit::{Bucket, Error, ErrorKind, KeyMaker};
///
/// struct Page {
///     host: String,
///     path: String,
///     visits: u64,
/// }
///
/// /// The path of a page of our own.
/// struct ByPath;
///
/// impl KeyMaker<Page> for ByPath {
///     fn digest(&self, page: &Page) -> Result<Digest, Error> {
///         if page.host != "example.org" {
///             return Err(Error::new(ErrorKind::Key, format!("making a key of a page of {}", page.host)));
///         }
///         Digest::of(&page.path)
///     }
/// }
///
/// # fn example(cache: std::sync::Arc<dyn memokit::Cache>) {
/// let titles: Bucket<String, memokit::codec::Postcard, ByPath> = Bucket::new(cache, "titles").with_key_maker(ByPath);
/// # }
/// ```
///
/// An `Arc<dyn KeyMaker<K>>` is one too, for a bucket whose type is to be named and whose maker is a closure.
#[diagnostic::on_unimplemented(
    message = "`{K}` can't be a key of this bucket",
    label = "no key for a bucket with keys by `{Self}`",
    note = "a bucket takes any key that is `Serialize`, and after `with_keys` or `with_key_maker` the one type that was named there"
)]
pub trait KeyMaker<K: ?Sized>: Send + Sync + 'static {
    /// The digest of what counts of `key`.
    ///
    /// # Errors
    /// Those of [`Digest::of`], or the maker's own.
    fn digest(&self, key: &K) -> Result<Digest, Error>;
}

/// The whole key counts, whatever its type: how a [`Bucket`](crate::Bucket) makes keys unless told otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct WholeKey;

impl<K: Serialize + ?Sized> KeyMaker<K> for WholeKey {
    fn digest(&self, key: &K) -> Result<Digest, Error> {
        Digest::of(key)
    }
}

/// Of a key of type `K` that counts which a closure returns, see [`Bucket::with_keys`](crate::Bucket::with_keys).
///
/// ```
/// # use memo_core as memokit;
/// use memokit::{KeyBy, KeyMaker, WholeKey};
///
/// let by_first = KeyBy::new(|pair: &(u8, f64)| pair.0);
/// assert_eq!(by_first.digest(&(1, 0.5))?, by_first.digest(&(1, 0.7))?);
/// assert_eq!(by_first.digest(&(1, 0.5))?, WholeKey.digest(&1_u8)?);
/// # Ok::<(), memokit::Error>(())
/// ```
pub struct KeyBy<K: ?Sized, F> {
    part: F,
    keys: PhantomData<fn(&K)>,
}

impl<K: ?Sized, F> KeyBy<K, F> {
    /// Keys by what `part` returns.
    pub const fn new<T>(part: F) -> Self
    where
        F: Fn(&K) -> T,
    {
        KeyBy { part, keys: PhantomData }
    }
}

impl<K: ?Sized, F> fmt::Debug for KeyBy<K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyBy").finish_non_exhaustive()
    }
}

impl<K, T, F> KeyMaker<K> for KeyBy<K, F>
where
    K: ?Sized + 'static,
    T: Serialize,
    F: Fn(&K) -> T + Send + Sync + 'static,
{
    fn digest(&self, key: &K) -> Result<Digest, Error> {
        Digest::of(&(self.part)(key))
    }
}

/// For operations on many keys, which may be borrowed.
impl<K, T, F> KeyMaker<&K> for KeyBy<K, F>
where
    K: ?Sized + 'static,
    T: Serialize,
    F: Fn(&K) -> T + Send + Sync + 'static,
{
    fn digest(&self, key: &&K) -> Result<Digest, Error> {
        Digest::of(&(self.part)(key))
    }
}

impl<K: ?Sized, M: KeyMaker<K> + ?Sized> KeyMaker<K> for Arc<M> {
    fn digest(&self, key: &K) -> Result<Digest, Error> {
        M::digest(self, key)
    }
}
