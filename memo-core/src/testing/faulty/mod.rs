//! A cache that fails as a test says.

mod cache;
mod fault;
mod gate;

pub use fault::{Fault, Operation};

use self::fault::{Injected, Plan};
use crate::Cache;
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A cache in front of another that is slow, fails, loses, corrupts or hangs as a test says, while the test runs.
///
/// Without faults it is the other cache, and passes its conformance suite. An operation and its async twin are one
/// [`Operation`]. [`Fault`] has what can be injected.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::testing::{Fault, Faulty, Operation};
/// use memokit::{Cache, ErrorKind};
/// use std::sync::Arc;
///
/// # fn example(memory: Arc<dyn Cache>) -> Result<(), memokit::Error> {
/// let faulty = Arc::new(Faulty::new(memory));
/// memokit::register("users", Arc::clone(&faulty) as Arc<dyn Cache>);
///
/// let down = faulty.inject(Fault::error(ErrorKind::Unavailable));
/// assert!(faulty.get("memo:users:1").is_err());
/// faulty.withdraw(down);
///
/// faulty.inject(Fault::lost_reply(ErrorKind::Timeout).on(Operation::Remove).times(1));
/// assert!(faulty.remove("memo:users:1").is_err(), "it was carried out all the same");
/// assert!(faulty.remove("memo:users:1").is_ok());
/// assert_eq!((faulty.calls(Operation::Get), faulty.calls(Operation::Remove)), (1, 2));
/// # Ok(())
/// # }
/// ```
pub struct Faulty {
    inner: Arc<dyn Cache>,
    faults: Mutex<Vec<Injected>>,
    next: AtomicU64,
    calls: [AtomicU64; Operation::ALL.len()],
    hanging: AtomicUsize,
}

/// A fault that was injected: for [`Faulty::withdraw`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultId(u64);

impl Faulty {
    /// This cache, without faults so far.
    #[must_use]
    pub fn new(inner: Arc<dyn Cache>) -> Self {
        Faulty {
            inner,
            faults: Mutex::default(),
            next: AtomicU64::new(0),
            calls: [const { AtomicU64::new(0) }; Operation::ALL.len()],
            hanging: AtomicUsize::new(0),
        }
    }

    /// Operations that begin from now on have this fault, beside those that were injected before. Where several would
    /// answer, the oldest does.
    pub fn inject(&self, fault: Fault) -> FaultId {
        let id = FaultId(self.next.fetch_add(1, Ordering::Relaxed));
        self.faults.lock().push(Injected::new(id, fault));
        id
    }

    /// Ends a fault; operations that hang by it go on. Whether it was still there.
    pub fn withdraw(&self, id: FaultId) -> bool {
        let mut faults = self.faults.lock();
        let before = faults.len();
        // A gate opens as its fault is dropped.
        faults.retain(|fault| fault.id() != id);
        faults.len() < before
    }

    /// Ends all faults; operations that hang go on.
    pub fn heal(&self) {
        drop(std::mem::take(&mut *self.faults.lock()));
    }

    /// How often an operation was called so far, with whatever end.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> u64 {
        self.calls[operation as usize].load(Ordering::Relaxed)
    }

    /// How often any operation was called so far.
    #[must_use]
    pub fn all_calls(&self) -> u64 {
        Operation::ALL.into_iter().map(|operation| self.calls(operation)).sum()
    }

    /// How many operations hang at the moment.
    #[must_use]
    pub fn hanging(&self) -> usize {
        self.hanging.load(Ordering::SeqCst)
    }

    /// The cache behind the faults.
    #[must_use]
    pub fn inner(&self) -> &Arc<dyn Cache> {
        &self.inner
    }

    /// Counts a call, and what is to happen to it.
    fn plan(&self, operation: Operation) -> Plan {
        self.calls[operation as usize].fetch_add(1, Ordering::Relaxed);
        let mut plan = Plan::default();
        self.faults.lock().iter_mut().for_each(|fault| fault.add_to(&mut plan, operation));
        plan
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty")
            .field("cache", &self.inner.capabilities().name)
            .field("faults", &self.faults.lock().len())
            .field("hanging", &self.hanging())
            .finish_non_exhaustive()
    }
}
