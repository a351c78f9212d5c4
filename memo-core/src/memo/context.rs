//! Which loads the running code is inside of.
//!
//! A cached function that calls itself with the same key must run its body instead of waiting for itself. "Itself"
//! is not a matter of threads alone, since a task moves between threads: a load puts its mark on the thread for as
//! long as its body runs there, and an async load does so around every poll.

use crate::sync::thread_local;
use std::cell::RefCell;
use std::marker::PhantomData;

thread_local! {
    /// The loads this thread is inside of, outermost first.
    static INSIDE: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// The mark of a load: the address of its flight, which lives longer than the mark.
#[derive(Clone, Copy)]
pub(crate) struct Mark(usize);

impl Mark {
    pub(crate) fn of<T: ?Sized>(flight: &T) -> Self {
        Mark(std::ptr::from_ref(flight).addr())
    }

    /// The mark of the load whose flight is at this address.
    pub(crate) fn at(address: usize) -> Self {
        Mark(address)
    }

    pub(crate) fn address(self) -> usize {
        self.0
    }

    /// Whether the running code is inside of this load.
    pub(crate) fn is_inside(self) -> bool {
        INSIDE.try_with(|inside| inside.borrow().contains(&self.0)).unwrap_or(false)
    }

    /// Puts the running code inside of this load until the result is dropped.
    pub(crate) fn enter(self) -> Inside {
        // A thread that is being torn down has no storage left: it runs on without marks, and only a recursion on
        // one key from a destructor could tell.
        let entered = INSIDE.try_with(|inside| inside.borrow_mut().push(self.0)).is_ok();
        Inside { entered, _on_this_thread: PhantomData }
    }
}

/// The running code is inside of a load. Not `Send`: it must be dropped where it was made.
pub(crate) struct Inside {
    entered: bool,
    _on_this_thread: PhantomData<*const ()>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        if self.entered {
            let _ = INSIDE.try_with(|inside| inside.borrow_mut().pop());
        }
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
}
