//! Which loads the running code is inside of, and which tags they have got there.
//!
//! A cached function that calls itself with the same key must run its body instead of waiting for itself. "Itself"
//! is not a matter of threads alone, since a task moves between threads: a load puts its mark on the thread for as
//! long as its body runs there, and an async load does so around every poll. Tags go to the innermost load; those of its value
//! go on to the one outside of it.

use crate::invalidations::Marks;
use crate::sync::thread_local;
use crate::tags::Tags;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;

thread_local! {
    /// The loads this thread is inside of, outermost first.
    static INSIDE: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// A load, and the tags it got since it was entered.
struct Frame {
    load: usize,
    tags: Tags,
}

/// Works on the innermost load, if there is one.
fn innermost(work: impl FnOnce(&mut Frame)) {
    // A thread that is being torn down is inside of none.
    let _ = INSIDE.try_with(|inside| inside.borrow_mut().last_mut().map(work));
}

/// Tags the innermost load; the tag is made only if there is one.
pub(crate) fn tag(make: impl FnOnce() -> Arc<str>) {
    // Made outside of the borrow: it is code of users.
    if is_inside_any() {
        let tag = make();
        innermost(|frame| frame.tags.add(tag));
    }
}

/// Tags the innermost load with the tags of a call that has no load of its own; they are made only if there is one.
pub fn tag_with(make: impl FnOnce(Tags) -> Tags) {
    if is_inside_any() {
        inherit(&make(Tags::default()));
    }
}

fn is_inside_any() -> bool {
    INSIDE.try_with(|inside| !inside.borrow().is_empty()).unwrap_or(false)
}

/// The running code has got a value with these tags, which are those of the innermost load's value, too.
pub(crate) fn inherit(tags: &Tags) {
    if !tags.is_empty() {
        innermost(|frame| frame.tags.extend(tags));
    }
}

/// As [`inherit`], from a value that was found.
#[inline]
pub(crate) fn inherit_from(marks: Option<&Marks>) {
    /// Apart, since few entries have tags, and whoever calls is in every function.
    #[inline(never)]
    fn inherit_those_of(marks: &Marks) {
        inherit(marks.tags());
    }

    if let Some(marks) = marks {
        inherit_those_of(marks);
    }
}

/// The marks of the loads that the running code is inside of, as far as others can wait for them.
pub(crate) fn inside() -> Vec<usize> {
    let marks = |inside: &RefCell<Vec<Frame>>| {
        inside.borrow().iter().map(|frame| frame.load).filter(|load| *load != Mark::NAMELESS.0).collect()
    };
    INSIDE.try_with(marks).unwrap_or_default()
}

/// The mark of a load: the address of its flight, which lives longer than the mark.
#[derive(Clone, Copy)]
pub(crate) struct Mark(usize);

impl Mark {
    pub(crate) fn of<T: ?Sized>(flight: &T) -> Self {
        Mark(std::ptr::from_ref(flight).addr())
    }

    /// Of a load that nobody can ask for, since it has no flight.
    pub(crate) const NAMELESS: Mark = Mark(0);

    /// The mark of the load whose flight is at this address.
    pub(crate) fn at(address: usize) -> Self {
        Mark(address)
    }

    pub(crate) fn address(self) -> usize {
        self.0
    }

    /// Whether the running code is inside of this load.
    pub(crate) fn is_inside(self) -> bool {
        INSIDE.try_with(|inside| inside.borrow().iter().any(|frame| frame.load == self.0)).unwrap_or(false)
    }

    /// Puts the running code inside of this load until the result is dropped.
    pub(crate) fn enter(self) -> Inside {
        // A thread that is being torn down has no storage left: it runs on without marks, and only a recursion on
        // one key from a destructor could tell.
        let frame = Frame { load: self.0, tags: Tags::default() };
        let entered = INSIDE.try_with(|inside| inside.borrow_mut().push(frame)).is_ok();
        Inside { entered, _on_this_thread: PhantomData }
    }
}

/// The running code is inside of a load. Not `Send`: it must be dropped where it was made.
pub(crate) struct Inside {
    entered: bool,
    _on_this_thread: PhantomData<*const ()>,
}

impl Inside {
    /// Leaves the load, with the tags it got meanwhile.
    pub(crate) fn leave(self) -> Tags {
        let tags = self.pop();
        std::mem::forget(self);
        tags
    }

    fn pop(&self) -> Tags {
        let popped = self.entered.then(|| INSIDE.try_with(|inside| inside.borrow_mut().pop()).ok().flatten());
        popped.flatten().map(|frame| frame.tags).unwrap_or_default()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        drop(self.pop());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_nest_and_stay_on_their_thread() {
        let (outer, inner) = (1_u8, 2_u8);
        let (outer, inner) = (Mark::of(&outer), Mark::of(&inner));
        let inside_outer = outer.enter();
        {
            let _inside_inner = inner.enter();
            assert!(outer.is_inside() && inner.is_inside());
            assert!(!std::thread::scope(|scope| scope.spawn(|| outer.is_inside()).join().expect("no panic")));
        }
        assert!(outer.is_inside() && !inner.is_inside());
        drop(inside_outer);
        assert!(!outer.is_inside());
    }

    #[test]
    fn tags_go_to_the_innermost_load() {
        let (outer, inner) = (1_u8, 2_u8);
        let inside_outer = Mark::of(&outer).enter();
        tag(|| "before".into());
        let inside_inner = Mark::of(&inner).enter();
        tag(|| "inner".into());
        let inner = inside_inner.leave();
        inherit(&inner);
        let mut outer = inside_outer.leave();
        outer.settle();
        assert_eq!(inner.iter().collect::<Vec<_>>(), ["inner"]);
        assert_eq!(outer.iter().collect::<Vec<_>>(), ["before", "inner"]);
        tag(|| unreachable!("there is no load"));
    }
}
