//! Who waits for whom, so that no two bodies wait for each other.
//!
//! A body that waits for a load holds up the loads that it runs for. Where the load it is about to wait for is itself held
//! up by one of those, it does not wait: it runs the body, as a call of the same key from its own body does. One thread
//! alone would have come to do just that. It can happen to functions whose calls depend on no call of their own: a load of
//! several ids is held up by what any of them needs, and a guard may call a guard that calls it.
//!
//! Only code inside of a load is noted, and only while it waits.

use super::context;
use super::flight::{Ending, Flight};
use crate::sync::{Mutex, global};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use std::sync::Arc;

/// The loads that code inside of a load waits for, by that load's mark. More than one where it does so in several tasks.
type Waits = HashMap<usize, Vec<Arc<Flight>>, RandomState>;

global! {
    /// Nothing else is locked under this lock, and no code of users runs.
    static WAITS: Mutex<Option<Waits>> = Mutex::new(None);
}

/// Waits for the end of a load, with the thread; `None` if that would be for ever.
pub(super) fn wait(flight: &Arc<Flight>) -> Option<Ending> {
    let _waiting = Waiting::begin(flight)?;
    Some(flight.wait())
}

/// As [`wait`], as a task.
pub(super) async fn wait_async(flight: &Arc<Flight>) -> Option<Ending> {
    let _waiting = Waiting::begin(flight)?;
    Some(flight.wait_async().await)
}

/// The running code waits, until this is dropped.
struct Waiting {
    /// The marks of the loads it is inside of.
    inside: Vec<usize>,
    flight: Arc<Flight>,
}

impl Waiting {
    /// `None` if the load waits for one that the running code is inside of. Who comes second of two sees the first.
    fn begin(flight: &Arc<Flight>) -> Option<Self> {
        let inside = context::inside();
        if !inside.is_empty() {
            let mut waits = WAITS.lock();
            let waits = waits.get_or_insert_default();
            if is_held_up(waits, flight, &inside) {
                return None;
            }
            for load in &inside {
                waits.entry(*load).or_default().push(Arc::clone(flight));
            }
        }
        Some(Waiting { inside, flight: Arc::clone(flight) })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.inside.is_empty() {
            return;
        }
        let mut waits = WAITS.lock();
        let waits = waits.get_or_insert_default();
        for load in &self.inside {
            let Some(flights) = waits.get_mut(load) else { continue };
            if let Some(at) = flights.iter().position(|flight| Arc::ptr_eq(flight, &self.flight)) {
                flights.swap_remove(at);
            }
            if flights.is_empty() {
                waits.remove(load);
            }
        }
    }
}

/// Whether a load waits for one of these, directly or not.
fn is_held_up(waits: &Waits, flight: &Flight, by: &[usize]) -> bool {
    let (mut ahead, mut seen) = (vec![flight.mark().address()], HashSet::<usize, RandomState>::default());
    while let Some(load) = ahead.pop() {
        if by.contains(&load) {
            return true;
        }
        if seen.insert(load) {
            // A mark is asked for now: it may have come to be that of a body that runs for several.
            ahead.extend(waits.get(&load).into_iter().flatten().map(|flight| flight.mark().address()));
        }
    }
    false
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn flight() -> Arc<Flight> {
        Flight::new((), 0, false)
    }

    #[test]
    fn what_waits_for_the_running_code_is_not_waited_for() {
        let [one, two, three] = [flight(), flight(), flight()];
        let mut context = Context::from_waker(Waker::noop());
        let mut two_for_three = Box::pin(wait_async(&three));
        let mut one_for_two = Box::pin(wait_async(&two));
        {
            let _inside = two.mark().enter();
            assert!(two_for_three.as_mut().poll(&mut context).is_pending());
        }
        {
            let _inside = one.mark().enter();
            assert!(one_for_two.as_mut().poll(&mut context).is_pending());
            assert!(Waiting::begin(&three).is_some(), "nobody waits for this one");
        }
        let _inside = three.mark().enter();
        assert!(wait(&one).is_none() && wait(&two).is_none());
        drop(one_for_two);
        assert!(Waiting::begin(&one).is_some(), "it does not wait any more");
        drop(two_for_three);
        assert!(Waiting::begin(&two).is_some());
    }

    #[test]
    fn a_body_that_runs_for_several_loads_is_held_up_by_each() {
        let [first, second, other] = [flight(), flight(), flight()];
        let mut waiting = pin!(wait_async(&second));
        {
            let _inside = other.mark().enter();
            assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        // Only now its body begins.
        second.share_mark(first.mark());
        let _inside = first.mark().enter();
        assert!(wait(&other).is_none());
        second.end(Ending::Abandoned);
        assert!(matches!(waiting.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Some(Ending::Abandoned))));
    }
}
