//! The one error type of the library.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// What went wrong, and whether to try again.
///
/// [`Display`](fmt::Display) says what was attempted and on what, then what to do next. The cause, where there is
/// one, is the [`source`](StdError::source) and is not repeated in the text. No error carries a password or a value.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Full, "storing 4096 bytes in /var/cache/app").advise("raise `max_bytes`");
/// assert_eq!(error.kind(), ErrorKind::Full);
/// assert!(!error.is_retryable());
/// assert_eq!(error.to_string(), "storing 4096 bytes in /var/cache/app failed: raise `max_bytes`");
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    attempted: Box<str>,
    advice: Option<Box<str>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    /// Nothing was tried, since it would have been in vain.
    is_skip: bool,
}

/// The kinds of [`Error`]. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The function names a cache that nobody registered.
    NotRegistered,
    /// A setting is wrong: a zero timeout, an unreadable address, a folder that can't be used.
    Config,
    /// The backend can't be reached or has lost the connection.
    Unavailable,
    /// The backend did not answer in time.
    Timeout,
    /// The backend has no room.
    Full,
    /// The backend answered with an error of its own.
    Backend,
    /// A value could not be turned into bytes, or the bytes not into a value.
    Codec,
    /// The arguments could not be turned into a key, or the key is not one a backend takes.
    Key,
    /// The backend can't do this; [`Capabilities`](crate::Capabilities) tells beforehand.
    Unsupported,
}

impl Error {
    /// An error of this kind; `attempted` says what was tried and on what, as in "reading memo:users:1".
    pub fn new(kind: ErrorKind, attempted: impl Into<String>) -> Self {
        let attempted = attempted.into().into_boxed_str();
        Error(Arc::new(Inner { kind, attempted, advice: None, source: None, is_skip: false }))
    }

    /// An error of what was not even tried, for a reason that was reported before.
    #[cfg(feature = "shared")]
    pub(crate) fn not_tried(kind: ErrorKind, attempted: String) -> Self {
        let attempted = attempted.into_boxed_str();
        Error(Arc::new(Inner { kind, attempted, advice: None, source: None, is_skip: true }))
    }

    /// Whether nothing was tried, for a reason that was reported before.
    pub(crate) fn is_skip(&self) -> bool {
        self.0.is_skip
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).advice = Some(advice.into().into_boxed_str());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Arc::make_mut(&mut self.0).source = Some(source.into().into());
        self
    }

    /// The kind, for code that acts on it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later without anything being changed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unavailable | ErrorKind::Timeout)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.0.attempted)?;
        match &self.0.advice {
            Some(advice) => write!(f, ": {advice}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("text", &self.to_string())
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
