//! What the attribute said of time and of names, and whether it can be used.

use super::Function;
#[cfg(feature = "shared")]
use crate::clock::{self, Tick};
#[cfg(feature = "shared")]
use crate::key::Prefix;
use crate::memo::keep::Fresh;
use crate::{Error, ErrorKind};
#[cfg(feature = "shared")]
use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Function {
    /// What is wrong with the function's settings, if anything is.
    pub fn check(&self) -> Result<(), Error> {
        self.fresh_time()?;
        self.error_time()?;
        self.local_time()?;
        if self.capacity.is_some_and(|capacity| capacity() == 0) {
            return Err(Error::new(ErrorKind::Config, format!("asking `{}` for its `capacity`", self.name))
                .advise("it is zero: give at least 1, or leave it out for no bound"));
        }
        if self.max_weight.is_some_and(|max_weight| max_weight() == 0) {
            return Err(Error::new(ErrorKind::Config, format!("asking `{}` for its `max_weight`", self.name))
                .advise("it is zero: give at least 1, or leave it out, with `weigh`, for no bound"));
        }
        #[cfg(feature = "shared")]
        if let Some(source) = &self.source {
            source.resolve(self.name)?;
            if !self.is_method {
                self.shared_prefix(None)?;
            }
        }
        Ok(())
    }

    /// How long a value stored now is fresh; `None` is for ever.
    pub(crate) fn fresh_time(&self) -> Result<Option<Duration>, Error> {
        match self.set_timeout.load(Ordering::Relaxed) {
            0 => self.positive("timeout", self.timeout),
            nanos => Ok(Some(Duration::from_nanos(nanos))),
        }
    }

    /// Gives entries that are stored from now on this timeout; `None` gives them the attribute's again.
    pub fn set_timeout(&self, timeout: impl Into<Option<Duration>>) -> Result<(), Error> {
        let nanos = match timeout.into() {
            Some(Duration::ZERO) => {
                return Err(Error::new(ErrorKind::Config, format!("setting the timeout of `{}`", self.name)).advise(
                    "it is zero: give a positive duration, or `None` for what the attribute says; entries go with \
                     `invalidate_all`",
                ));
            }
            // More than five hundred years are cut to as many.
            Some(timeout) => u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX),
            None => 0,
        };
        self.set_timeout.store(nanos, Ordering::Relaxed);
        Ok(())
    }

    /// A value is stored in the shared level for so long; `None` is for ever.
    #[cfg(feature = "shared")]
    pub(crate) fn stores_for(&self, timeout: Option<Duration>) {
        let nanos = timeout.and_then(|timeout| u64::try_from(timeout.as_nanos()).ok()).unwrap_or(u64::MAX);
        if nanos > self.stored_for.load(Ordering::Relaxed) {
            self.stored_for.fetch_max(nanos, Ordering::Relaxed);
        }
    }

    /// When all that is stored in the shared level now has expired, as far as this process knows; other processes are
    /// taken to store for as long as this one does.
    #[cfg(feature = "shared")]
    pub(crate) fn gone_by(&self) -> Tick {
        let stored_for = self.stored_for.load(Ordering::Relaxed);
        match self.fresh_time() {
            Ok(Some(timeout)) if stored_for != u64::MAX => {
                // One second for clocks that step, here and there.
                clock::now().after(timeout.max(Duration::from_nanos(stored_for)).saturating_add(Duration::from_secs(1)))
            }
            _ => Tick::NEVER,
        }
    }

    /// How long an error stored now is fresh; `None` is for ever.
    fn error_time(&self) -> Result<Option<Duration>, Error> {
        match self.err_timeout {
            Some(_) => self.positive("err_timeout", self.err_timeout),
            None => self.fresh_time(),
        }
    }

    /// How long a value is fresh of which the options say this; `None` is for ever.
    pub(crate) fn time_of(&self, fresh: Fresh) -> Result<Option<Duration>, Error> {
        match fresh {
            Fresh::AsFunction => self.fresh_time(),
            Fresh::AsError => self.error_time(),
            Fresh::For(Duration::ZERO) => {
                Err(Error::new(ErrorKind::Config, format!("asking `{}` for its `timeout_with` of a value", self.name))
                    .advise("it is zero: give a positive duration, or `None` for a value that is not to be stored"))
            }
            Fresh::For(time) => Ok(Some(time)),
        }
    }

    /// How long a local copy of a shared value is trusted; `None` is as long as the shared one.
    pub(crate) fn local_time(&self) -> Result<Option<Duration>, Error> {
        self.positive("local_timeout", self.local_timeout)
    }

    /// As [`local_time`](Function::local_time), where a setting that can't be used is no trust at all.
    pub(crate) fn trusted_time(&self) -> Option<Duration> {
        self.local_time().unwrap_or(Some(Duration::ZERO))
    }

    fn positive(&self, option: &str, timeout: Option<fn() -> Duration>) -> Result<Option<Duration>, Error> {
        match timeout.map(|timeout| timeout()) {
            Some(Duration::ZERO) => {
                Err(Error::new(ErrorKind::Config, format!("asking `{}` for its `{option}`", self.name)).advise(
                    "it is zero: give a positive duration, leave it out to keep values for ever, or use `bypass`",
                ))
            }
            timeout => Ok(timeout),
        }
    }

    /// What the function's keys in the shared level start with. `owner` is the type of a method whose name does not
    /// have it already.
    ///
    /// Two functions of one name in one module, nested in the bodies of others, would answer each other's calls, so
    /// neither gets a prefix it does not name.
    #[cfg(feature = "shared")]
    pub(crate) fn shared_prefix(&self, owner: Option<&'static str>) -> Result<Cow<'_, Prefix>, Error> {
        let owner = owner.map(short_name).filter(|_| self.prefix.is_none());
        let make = || match (self.prefix, owner) {
            (Some(prefix), _) => Ok(Prefix::new(prefix, self.version)),
            (None, None) if self.has_namesake() => {
                Err(Error::new(ErrorKind::Config, format!("naming the entries of `{}`", self.name))
                    .advise("another cached function has the same path: give each of them a `prefix` of its own"))
            }
            (None, None) => Ok(Prefix::new(self.name, self.version)),
            (None, Some(owner)) => {
                let (module, function) = self.name.rsplit_once("::").unwrap_or(("", self.name));
                Ok(Prefix::new(&format!("{module}::{owner}::{function}"), self.version))
            }
        };
        match self.shared_prefix.get_or_init(|| (owner, make())) {
            (of, prefix) if *of == owner => prefix.as_ref().map(Cow::Borrowed).map_err(Error::clone),
            // A default function of a trait, for another type than the first.
            _ => make().map(Cow::Owned),
        }
    }

    #[cfg(feature = "shared")]
    fn has_namesake(&self) -> bool {
        inventory::iter::<Registered>.into_iter().any(|Registered(other)| {
            let shares_names = other.source.is_some() && other.prefix.is_none() && !other.is_method && !self.is_method;
            shares_names && other.name == self.name && !std::ptr::eq(*other, self)
        })
    }
}

/// The last name in the path of a type, without its parameters; the whole of what is no path.
#[cfg(feature = "shared")]
fn short_name(type_name: &'static str) -> &'static str {
    let path = type_name.split('<').next().unwrap_or(type_name);
    match path.chars().all(|c| c.is_alphanumeric() || "_:{}#".contains(c)) {
        true => path.rsplit("::").next().unwrap_or(path),
        false => type_name,
    }
}

/// A function in the list of all cached functions of the program.
pub struct Registered(pub &'static Function);

inventory::collect!(Registered);

/// Checks the settings of every cached function of the program, called yet or not: timeouts above zero, and a cache
/// registered under each name that a `cache = "…"` gives. For the start of a program, after its
/// [`register`](crate::register) calls.
///
/// # Errors
/// The first wrong setting, with the function it belongs to: [`ErrorKind::Config`] or [`ErrorKind::NotRegistered`].
///
/// ```
/// # use memo_core as memokit;
/// fn main() -> Result<(), memokit::Error> {
///     memokit::check()?;
///     Ok(())
/// }
/// ```
pub fn check() -> Result<(), Error> {
    inventory::iter::<Registered>.into_iter().try_for_each(|Registered(function)| function.check())
}
