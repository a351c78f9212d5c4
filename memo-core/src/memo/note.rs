//! What a call notes for the hooks of its function.
//!
//! A hook may ask for the arguments and for what was returned, whose types only the generated code knows: so the core
//! notes what happened, and the generated code tells the hook. Notes go along with the call's door, which every step of
//! it has at hand; a function without hooks has a plain door, whose notes compile to nothing.

use super::door::{Door, LocalOnly, MakeDoor, forward_to_door};
use super::evictions::{Evictions, Hears, Left, times};
use super::function::Function;
use crate::Error;
use crate::clock::Tick;
use crate::events::{CallInfo, Level};
use crate::local::Gone;
use crate::tags::Tags;
#[cfg(feature = "shared")]
use crate::{events::KeyOf, key::Key};
use parking_lot::Mutex;
use std::any::Any;
use std::time::Duration;

/// What happened in a call so far.
#[derive(Default)]
pub struct Facts {
    answer: Option<Answer>,
    load_time: Option<Duration>,
    backend_error: Option<Error>,
    #[cfg(feature = "shared")]
    pub(crate) key: Option<Key>,
}

/// How a call was answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// The clock is read only if a hook is told.
    LocalHit {
        created: Tick,
        deadline: Tick,
    },
    SharedHit {
        age: Duration,
        left: Option<Duration>,
    },
    Miss,
}

impl Facts {
    /// A hit in the local level.
    pub(crate) fn local_hit(&mut self, created: Tick, deadline: Tick) {
        self.answer = Some(Answer::LocalHit { created, deadline });
    }

    /// A hit in the shared level.
    pub(crate) fn shared_hit(&mut self, age: Duration, left: Option<Duration>) {
        self.answer = Some(Answer::SharedHit { age, left });
    }

    /// A miss; `load_time` is of the body, if this call ran it.
    pub(crate) fn miss(&mut self, load_time: Option<Duration>) {
        self.answer = Some(Answer::Miss);
        self.load_time = load_time;
    }

    /// A failure of the shared level. The first one counts.
    pub(crate) fn failed(&mut self, error: &Error) {
        self.backend_error.get_or_insert_with(|| error.clone());
    }

    fn describe<'a>(&'a self, function: &Function) -> CallInfo<'a> {
        let mut call = CallInfo::new(function.name());
        (call.level, call.age, call.time_to_expiry) = match self.answer {
            Some(Answer::LocalHit { created, deadline }) => {
                let (age, left) = times(created, deadline);
                (Some(Level::Local), Some(age), left)
            }
            Some(Answer::SharedHit { age, left }) => (Some(Level::Shared), Some(age), left),
            Some(Answer::Miss) | None => (None, None, None),
        };
        call.load_time = self.load_time;
        call.backend_error = self.backend_error.as_ref();
        #[cfg(feature = "shared")]
        if let Some(key) = &self.key {
            call.key = KeyOf::Known(key);
        }
        call
    }
}

/// The notes of one call. Dropped, it tells `on_evict` of what the call had leave the local level.
pub struct Note<'h> {
    function: &'static Function,
    facts: Mutex<Facts>,
    /// Who wants to know of entries that left the local level.
    hook: Option<&'h dyn Hears>,
    /// These entries, each a `Left` of the hook's types.
    gone: Mutex<Vec<Box<dyn Any + Send>>>,
}

impl<'h> Note<'h> {
    /// For `on_hit`, `on_miss` and `on_error`.
    #[must_use]
    pub fn new(function: &'static Function) -> Self {
        Note { function, facts: Mutex::default(), hook: None, gone: Mutex::default() }
    }

    /// For `on_evict`, and the others.
    #[must_use]
    pub fn with_evictions(function: &'static Function, hook: &'h dyn Hears) -> Self {
        Note { function, facts: Mutex::default(), hook: Some(hook), gone: Mutex::default() }
    }

    /// Tells of a hit, if the call was one.
    pub fn hit(&self, tell: impl FnOnce(&CallInfo<'_>)) {
        let answer = self.facts.lock().answer;
        if matches!(answer, Some(Answer::LocalHit { .. } | Answer::SharedHit { .. })) {
            self.tell(tell);
        }
    }

    /// Tells of a hit in the local level, whose key is made when the hook asks for it.
    #[cfg(feature = "shared")]
    pub fn hit_of(&self, make: impl Fn() -> Option<Key>, tell: impl FnOnce(&CallInfo<'_>)) {
        self.hit(|call| match call.key {
            KeyOf::Nothing => {
                let key = KeyOf::Made { make: &make, made: std::sync::OnceLock::new() };
                tell(&CallInfo { key, ..call.clone() });
            }
            _ => tell(call),
        });
    }

    /// Tells of a miss, if the call was one.
    pub fn miss(&self, tell: impl FnOnce(&CallInfo<'_>)) {
        let answer = self.facts.lock().answer;
        if answer == Some(Answer::Miss) {
            self.tell(tell);
        }
    }

    /// Tells of the error that a load returned, if it returned one.
    pub fn error<E>(&self, error: Option<&E>, tell: impl FnOnce(&CallInfo<'_>, &E)) {
        if let Some(error) = error {
            self.miss(|call| tell(call, error));
        }
    }

    /// The lock is not held while a hook runs, which may call anything.
    fn tell(&self, tell: impl FnOnce(&CallInfo<'_>)) {
        let facts = std::mem::take(&mut *self.facts.lock());
        self.function.run_hook(|| tell(&facts.describe(self.function)));
        *self.facts.lock() = facts;
    }
}

impl Drop for Note<'_> {
    /// The call is over, however it ended.
    fn drop(&mut self) {
        if let Some(hook) = self.hook {
            self.gone.get_mut().drain(..).for_each(|left| hook.hear(left));
        }
    }
}

/// What makes a door that takes notes, and that door.
pub struct Noted<'n, D> {
    door: D,
    note: &'n Note<'n>,
}

impl<'n, D> Noted<'n, D> {
    /// The same door, which takes notes.
    pub const fn new(note: &'n Note<'n>, door: D) -> Self {
        Noted { door, note }
    }
}

/// Where the path of a call without doors notes what happened.
pub trait Notes {
    /// Notes what happened, as [`Door::note`] does.
    #[inline]
    fn note(&self, _fact: impl FnOnce(&mut Facts)) {}

    /// The tags that follow from the arguments, which are still there.
    #[inline]
    fn tags(&self) -> Tags {
        Tags::default()
    }
}

impl Notes for LocalOnly {}

impl Notes for Noted<'_, LocalOnly> {
    fn note(&self, fact: impl FnOnce(&mut Facts)) {
        fact(&mut self.note.facts.lock());
    }
}

impl<'n, P, V, M: MakeDoor<P, V>> MakeDoor<P, V> for Noted<'n, M> {
    type Door = Noted<'n, M::Door>;

    const NOTES: bool = true;

    fn make(&self, function: &'static Function, parts: P) -> Self::Door {
        Noted { door: self.door.make(function, parts), note: self.note }
    }

    fn note(&self, fact: impl FnOnce(&mut Facts)) {
        fact(&mut self.note.facts.lock());
    }
}

impl<V, D: Door<V>> Door<V> for Noted<'_, D> {
    const SHARED: bool = D::SHARED;
    const MEASURES: bool = true;

    forward_to_door!(V);

    fn add_tags(&self, tags: &mut Tags) {
        self.door.add_tags(tags);
    }

    fn note(&self, fact: impl FnOnce(&mut Facts)) {
        let mut facts = self.note.facts.lock();
        #[cfg(feature = "shared")]
        if facts.key.is_none() {
            facts.key = self.door.key().cloned();
        }
        fact(&mut facts);
    }

    fn hook<K: Clone + 'static>(&self) -> Option<Evictions<K, V>>
    where
        V: Clone + 'static,
    {
        self.note.hook?.any().downcast_ref().copied()
    }

    fn gone<K: Clone + Send + 'static>(&self, gone: Gone<'_, K, V>)
    where
        V: Clone + Send + 'static,
    {
        if self.note.hook.is_some() {
            self.note.gone.lock().push(Box::new(Left::new(&gone)));
        }
    }
}
