//! The locks of the memos: real ones, or those of a model.
//!
//! Under `--cfg shuttle`, in the unit tests of this crate, each of them is a point where the scheduler of `shuttle` may
//! let another thread go on, so that `memo/models.rs` runs through interleavings that a machine seldom has. So are the
//! atomics that the local level is read through.
//!
//! Under `--cfg loom` what `epoch.rs` uses is that of `loom`, which explores memory orders, too.

/// Whether these are a model's.
pub(crate) const IS_MODEL: bool = cfg!(all(test, any(shuttle, loom)));

/// A `static`; in a model, one for each run.
#[cfg(not(all(test, any(shuttle, loom))))]
macro_rules! global {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;) => {
        $(#[$attribute])* static $name: $type = $value;
    };
}
#[cfg(all(test, shuttle))]
macro_rules! global {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;) => {
        shuttle::lazy_static! { $(#[$attribute])* static ref $name: $type = $value; }
    };
}
#[cfg(all(test, loom))]
macro_rules! global {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;) => {
        loom::lazy_static! { $(#[$attribute])* static ref $name: $type = $value; }
    };
}
pub(crate) use global;

/// What readers announce themselves with.
pub(crate) mod announced {
    #[cfg(all(test, loom))]
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, fence};

    /// That of `loom` knows no `const`.
    #[cfg(all(test, loom))]
    macro_rules! for_each_thread {
        ($($(#[$attribute:meta])* static $name:ident: $type:ty = const { $value:expr };)+) => {
            loom::thread_local! { $($(#[$attribute])* static $name: $type = $value;)+ }
        };
    }
    #[cfg(all(test, loom))]
    pub(crate) use for_each_thread as thread_local;
    #[cfg(not(all(test, any(shuttle, loom))))]
    pub(crate) use std::{
        sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, fence},
        thread_local,
    };
    // Its schedulers know one memory order, the strongest, and stop at the epoch alone.
    #[cfg(all(test, shuttle))]
    pub(crate) use {
        shuttle::sync::atomic::AtomicU64,
        shuttle::thread_local,
        std::sync::atomic::{AtomicBool, AtomicPtr, fence},
    };
}

#[cfg(not(all(test, shuttle)))]
pub(crate) use {
    parking_lot::{Condvar, Mutex, MutexGuard, RwLock},
    std::sync::OnceLock,
    std::sync::atomic::{AtomicPtr, AtomicU64},
    std::thread_local,
};

#[cfg(all(test, shuttle))]
pub(crate) use {
    modelled::{Condvar, Mutex, MutexGuard, OnceLock, RwLock},
    shuttle::sync::atomic::{AtomicPtr, AtomicU64},
    shuttle::thread_local,
};

/// The locks of `shuttle` behind the names and signatures that the memos use.
#[cfg(all(test, shuttle))]
mod modelled {
    use shuttle::sync::{self, atomic::AtomicBool, atomic::Ordering};
    use std::ops::{Deref, DerefMut};
    use std::time::Duration;

    // A model that panics under a lock fails by that, so nobody needs to see the poison.
    const POISONED: &str = "no panic under a lock";

    pub(crate) struct Mutex<T>(sync::Mutex<T>);

    /// Empty only while [`Condvar`] waits with it.
    pub(crate) struct MutexGuard<'a, T>(Option<sync::MutexGuard<'a, T>>);

    impl<T> Mutex<T> {
        pub(crate) const fn new(value: T) -> Self {
            Mutex(sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard(Some(self.0.lock().expect(POISONED)))
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.0.as_ref().expect("it is held")
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().expect("it is held")
        }
    }

    pub(crate) struct Condvar(sync::Condvar);

    impl Condvar {
        pub(crate) const fn new() -> Self {
            Condvar(sync::Condvar::new())
        }

        pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            let held = guard.0.take().expect("it is held");
            guard.0 = Some(self.0.wait(held).expect(POISONED));
        }

        /// In a model no time passes.
        pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _at_most: Duration) -> Waited {
            self.wait(guard);
            Waited
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    /// How [`Condvar::wait_for`] ended.
    pub(crate) struct Waited;

    impl Waited {
        #[expect(clippy::unused_self, reason = "as the real one")]
        pub(crate) fn timed_out(&self) -> bool {
            false
        }
    }

    pub(crate) struct RwLock<T>(sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) const fn new(value: T) -> Self {
            RwLock(sync::RwLock::new(value))
        }

        pub(crate) fn read(&self) -> sync::RwLockReadGuard<'_, T> {
            self.0.read().expect(POISONED)
        }

        pub(crate) fn write(&self) -> sync::RwLockWriteGuard<'_, T> {
            self.0.write().expect(POISONED)
        }
    }

    /// One whose callers may be interrupted before they see, and before others see, that it is set.
    pub(crate) struct OnceLock<T> {
        is_set: AtomicBool,
        value: std::sync::OnceLock<T>,
    }

    impl<T> OnceLock<T> {
        pub(crate) const fn new() -> Self {
            OnceLock { is_set: AtomicBool::new(false), value: std::sync::OnceLock::new() }
        }

        pub(crate) fn get(&self) -> Option<&T> {
            self.is_set.load(Ordering::Acquire).then(|| self.value.get()).flatten()
        }

        pub(crate) fn set(&self, value: T) -> Result<(), T> {
            self.value.set(value)?;
            self.is_set.store(true, Ordering::Release);
            Ok(())
        }
    }
}
