//! What can go wrong with an operation, and with which.

use super::FaultId;
use super::gate::Gate;
use crate::error::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

/// Declares [`Operation`].
macro_rules! operations {
    ($($name:ident: $method:ident,)*) => {
        /// The operations of a [`Cache`](crate::Cache), with their async twins.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $(#[doc = concat!("[`Cache::", stringify!($method), "`](crate::Cache::", stringify!($method), ")")] $name,)*
        }

        impl Operation {
            /// All of them.
            pub const ALL: [Operation; [$(Operation::$name),*].len()] = [$(Operation::$name),*];

            /// Its name, as that of the method.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Operation::$name => stringify!($method),)*
                }
            }
        }
    };
}

operations! {
    Get: get,
    Set: set,
    Add: add,
    Remove: remove,
    Read: read,
    GetMany: get_many,
    SetMany: set_many,
    RemoveMany: remove_many,
    Increment: increment,
    Touch: touch,
    Scan: scan,
    Clear: clear,
    Invalidate: invalidate,
    Store: store,
    StoreMany: store_many,
    Records: records,
    RemoveIf: remove_if,
    TouchIf: touch_if,
    Subscribe: subscribe,
    Publish: publish,
}

/// One thing that goes wrong, and with which operations: with all of them unless [`on`](Fault::on) says otherwise.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::testing::{Fault, Operation};
/// use std::time::Duration;
///
/// let slow = Fault::delay(Duration::from_millis(50)).share(0.1);
/// let damaged = Fault::corrupt().on(Operation::Read).on(Operation::Get).nth(3);
/// # let _ = (slow, damaged);
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing goes wrong until it is injected"]
pub struct Fault {
    what: What,
    /// Empty: all.
    operations: Vec<Operation>,
    nth: Option<u64>,
    times: u64,
    share: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Delay(Duration),
    Error(ErrorKind),
    LostReply(ErrorKind),
    Ignore,
    Corrupt,
    Hang,
}

impl Fault {
    const fn of(what: What) -> Self {
        Fault { what, operations: Vec::new(), nth: None, times: u64::MAX, share: 1.0 }
    }

    /// The operation begins so much later. Under a [`MockClock`](crate::testing::MockClock), by that clock.
    pub const fn delay(span: Duration) -> Self {
        Fault::of(What::Delay(span))
    }

    /// The operation is not carried out, and returns an error of this kind: the cache is down.
    pub const fn error(kind: ErrorKind) -> Self {
        Fault::of(What::Error(kind))
    }

    /// The operation is carried out, and returns an error of this kind: the answer was lost.
    pub const fn lost_reply(kind: ErrorKind) -> Self {
        Fault::of(What::LostReply(kind))
    }

    /// The operation is not carried out, and says that it was: the cache loses what it is given. Reads find nothing,
    /// removals say that nothing was there, and nothing is heard of a bus.
    pub const fn ignore() -> Self {
        Fault::of(What::Ignore)
    }

    /// One bit of each value that is read is another one; an empty value gets a byte.
    pub const fn corrupt() -> Self {
        Fault::of(What::Corrupt)
    }

    /// The operation does not begin until the fault is withdrawn.
    pub const fn hang() -> Self {
        Fault::of(What::Hang)
    }

    /// It is this operation that has the fault; with several of these, each of them.
    pub fn on(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }

    /// Only the call of this number has the fault, from 1, of those that it is about and that begin after it was injected.
    pub const fn nth(mut self, number: u64) -> Self {
        self.nth = Some(number);
        self
    }

    /// So many calls have the fault at the most; then it is over.
    pub const fn times(mut self, most: u64) -> Self {
        self.times = most;
        self
    }

    /// This share of the calls has the fault, from 0 to 1. Which ones is the same in each run.
    pub const fn share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }
}

/// A fault of a cache, with what has been of it so far.
pub(super) struct Injected {
    id: FaultId,
    fault: Fault,
    /// The calls that it was about.
    seen: u64,
    /// The calls that had it.
    had: u64,
    /// Where calls hang.
    gate: Arc<Gate>,
}

/// What happens to one call.
#[derive(Default)]
pub(super) struct Plan {
    /// How much later it begins.
    pub(super) delay: Duration,
    /// Where it hangs.
    pub(super) gates: Vec<Arc<Gate>>,
    /// Instead of it.
    answer: Option<Answer>,
    /// After it.
    lost_reply: Option<ErrorKind>,
    /// Which bit of a value is another one.
    corrupt: Option<u64>,
}

enum Answer {
    Error(ErrorKind),
    Done,
}

impl Injected {
    pub(super) fn new(id: FaultId, fault: Fault) -> Self {
        Injected { id, fault, seen: 0, had: 0, gate: Arc::default() }
    }

    pub(super) fn id(&self) -> FaultId {
        self.id
    }

    pub(super) fn add_to(&mut self, plan: &mut Plan, operation: Operation) {
        let fault = &self.fault;
        if !fault.operations.is_empty() && !fault.operations.contains(&operation) {
            return;
        }
        self.seen += 1;
        let number = mixed(self.seen);
        if fault.nth.is_some_and(|nth| nth != self.seen) || self.had >= fault.times || share(number) >= fault.share {
            return;
        }
        self.had += 1;
        match fault.what {
            What::Delay(span) => plan.delay += span,
            What::Hang => plan.gates.push(Arc::clone(&self.gate)),
            What::Error(kind) => _ = plan.answer.get_or_insert(Answer::Error(kind)),
            What::Ignore => _ = plan.answer.get_or_insert(Answer::Done),
            What::LostReply(kind) => _ = plan.lost_reply.get_or_insert(kind),
            What::Corrupt => plan.corrupt = Some(number),
        }
    }
}

impl Drop for Injected {
    fn drop(&mut self) {
        self.gate.open();
    }
}

impl Plan {
    /// What the operation returns without being carried out.
    pub(super) fn instead<T>(&self, operation: Operation, done: impl FnOnce() -> T) -> Option<Result<T, Error>> {
        match self.answer {
            None => None,
            Some(Answer::Done) => Some(Ok(done())),
            Some(Answer::Error(kind)) => {
                Some(Err(injected(kind, operation).advise("it was not carried out; a test asked for this")))
            }
        }
    }

    /// What the operation returns that was carried out.
    pub(super) fn reply<T>(&self, operation: Operation, done: T) -> Result<T, Error> {
        match self.lost_reply {
            None => Ok(done),
            Some(kind) => Err(injected(kind, operation).advise("its answer was lost; a test asked for this")),
        }
    }

    pub(super) fn corrupts(&self) -> bool {
        self.corrupt.is_some()
    }

    /// Turns over a bit of each value, if it is to.
    pub(super) fn corrupt_all<'a>(&self, values: impl IntoIterator<Item = &'a mut Vec<u8>>) {
        for bytes in values {
            self.corrupt(bytes);
        }
    }

    /// Turns over a bit, if it is to.
    pub(super) fn corrupt(&self, bytes: &mut Vec<u8>) {
        let Some(number) = self.corrupt else { return };
        if bytes.is_empty() {
            bytes.push(0);
        }
        let at = number % (bytes.len() as u64 * 8);
        let byte = usize::try_from(at / 8).unwrap_or(0);
        bytes[byte] ^= 1 << (at % 8);
    }
}

fn injected(kind: ErrorKind, operation: Operation) -> Error {
    Error::new(kind, format!("the operation `{}` of a faulty cache", operation.name()))
}

/// A number that looks random, by splitmix64 (Steele, Lea and Flood 2014).
fn mixed(number: u64) -> u64 {
    let state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// From 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
fn share(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}
