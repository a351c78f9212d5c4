//! Rules on timeouts: counted in milliseconds, never rounded to zero, and those of the latest set.
//!
//! On a server `advance` is a real wait and the machine may be slow: what must expire gets [`SHORT`], what must not
//! gets [`LONG`], and only where an entry must be there before it ends is [`MEDIUM`] time to do it in. A machine that was
//! slower than that is given [another chance](in_time).

use super::subject::Subject;
use super::{Advance, Rule};
use crate::{TimeToLive, Want, clock};
use std::time::Duration;

pub(super) const SHORT: Duration = Duration::from_millis(40);
/// Past `SHORT` by more than the step of a coarse clock.
pub(super) const PAST_SHORT: Duration = Duration::from_millis(80);
pub(super) const MEDIUM: Duration = Duration::from_millis(500);
pub(super) const PAST_MEDIUM: Duration = Duration::from_millis(600);
pub(super) const LONG: Duration = Duration::from_secs(10);

/// What was seen by something that had to be done within a time: begun anew where it took longer, so that what is seen does
/// not depend on the machine.
pub(super) fn in_time<T>(limit: Duration, mut act: impl FnMut() -> T) -> T {
    for _ in 0..20 {
        let begun = clock::now();
        let seen = act();
        if clock::now().since(begun) < limit {
            return seen;
        }
    }
    act()
}

pub(super) const RULES: &[Rule] = &[
    ("a timeout counts in milliseconds", expires_in_milliseconds),
    ("a timeout below 1 ms is not zero and not for ever", below_a_millisecond),
    ("a timeout of any length is kept", beyond_all_numbers),
    ("a replaced entry takes the new timeout", replaced_takes_the_new),
    ("an expired entry is not there for any operation", expired_is_absent),
    ("read tells the time to live", read_tells_time_to_live),
];

fn expires_in_milliseconds(s: &Subject<'_>, advance: Advance<'_>) {
    let (short, long, forever, added) = (s.key("short"), s.key("long"), s.key("for ever"), s.key("added"));
    let (first, second) = (s.key("many 1"), s.key("many 2"));
    s.ok(s.set(&long, b"long", Some(LONG)));
    s.ok(s.set(&forever, b"for ever", None));
    s.ok(s.set(&short, b"short", Some(SHORT)));
    s.same(&s.ok(s.add(&added, b"added", Some(SHORT))), &true, "add where nothing is");
    s.ok(s.set_many(&[(&first, b"1"), (&second, b"2")], Some(SHORT)));
    advance(PAST_SHORT);
    s.misses(&short);
    s.misses(&added);
    s.same(&s.ok(s.get_many(&[&first, &long, &second])), &vec![None, Some(b"long".to_vec()), None], "get_many");
    s.finds(&long, b"long");
    s.finds(&forever, b"for ever");
    // Not cut to whole seconds either.
    let fraction = s.key("fraction");
    let timeout = Some(Duration::from_millis(1500));
    let found = in_time(Duration::from_millis(400), || {
        s.ok(s.set(&fraction, b"v", timeout));
        s.ok(s.read(&fraction, Want::BytesAndTimeToLive))
    });
    if let Some(TimeToLive::Left(left)) = found.map(|found| found.time_to_live) {
        s.holds(left > Duration::from_secs(1), "more than 1 s left of 1.5 s just set");
    }
    let found = in_time(Duration::from_millis(1400), || {
        s.ok(s.set(&fraction, b"v", timeout));
        advance(PAST_MEDIUM);
        s.ok(s.get(&fraction))
    });
    s.holds(found.is_some(), "an entry of 1.5 s to be there after 0.6 s");
}

fn below_a_millisecond(s: &Subject<'_>, advance: Advance<'_>) {
    for (name, timeout) in [("1 ns", Duration::from_nanos(1)), ("999 us", Duration::from_micros(999))] {
        let (set, added) = (s.key(&format!("set {name}")), s.key(&format!("added {name}")));
        s.ok(s.set(&set, b"v", Some(timeout)));
        s.same(&s.ok(s.add(&added, b"v", Some(timeout))), &true, "add where nothing is");
        advance(PAST_SHORT);
        s.misses(&set);
        s.misses(&added);
    }
}

fn beyond_all_numbers(s: &Subject<'_>, advance: Advance<'_>) {
    let decade = Duration::from_secs(10 * 365 * 86_400);
    for (name, timeout) in [("ten years", decade), ("the longest", Duration::MAX)] {
        let (set, added) = (s.key(&format!("set {name}")), s.key(&format!("added {name}")));
        s.ok(s.set(&set, b"v", Some(timeout)));
        s.same(&s.ok(s.add(&added, b"v", Some(timeout))), &true, "add where nothing is");
        advance(PAST_SHORT);
        s.finds(&set, b"v");
        s.finds(&added, b"v");
        s.ok(s.read(&set, Want::BytesAndTimeToLive));
    }
}

fn replaced_takes_the_new(s: &Subject<'_>, advance: Advance<'_>) {
    let (longer, endless, shorter, ended) = (s.key("longer"), s.key("endless"), s.key("shorter"), s.key("ended"));
    s.ok(s.set(&longer, b"1", Some(SHORT)));
    s.ok(s.set(&longer, b"2", Some(LONG)));
    s.ok(s.set(&endless, b"1", Some(SHORT)));
    s.ok(s.set(&endless, b"2", None));
    s.ok(s.set(&shorter, b"1", Some(LONG)));
    s.ok(s.set(&shorter, b"2", Some(SHORT)));
    s.ok(s.set(&ended, b"1", None));
    s.ok(s.set_many(&[(&ended, b"2")], Some(SHORT)));
    advance(PAST_SHORT);
    s.finds(&longer, b"2");
    s.finds(&endless, b"2");
    s.misses(&shorter);
    s.misses(&ended);
    // A refused add leaves the timeout alone.
    let kept = s.key("kept");
    s.ok(s.set(&kept, b"1", Some(LONG)));
    s.same(&s.ok(s.add(&kept, b"2", Some(SHORT))), &false, "add over an entry");
    advance(PAST_SHORT);
    s.finds(&kept, b"1");
}

fn expired_is_absent(s: &Subject<'_>, advance: Advance<'_>) {
    let names = ["get", "read", "add", "remove", "remove_many", "touch", "increment"];
    let keys = names.map(|name| s.key(name));
    let [get, read, add, remove, remove_many, touch, increment] = &keys;
    for key in &keys {
        s.ok(s.set(key, b"41", Some(SHORT)));
    }
    advance(PAST_SHORT);
    s.misses(get);
    s.same(&s.ok(s.read(read, Want::BytesAndTimeToLive)), &None, "read of an expired entry");
    s.same(&s.ok(s.remove(remove)), &false, "remove of an expired entry");
    s.same(&s.ok(s.remove_many(&[remove_many])), &0, "remove_many of an expired entry");
    let capable = s.capabilities();
    if capable.touch {
        s.same(&s.ok(s.touch(touch, None)), &false, "touch of an expired entry");
        s.misses(touch);
    }
    if capable.increment {
        s.same(&s.ok(s.increment(increment, 1, None)), &1, "increment of an expired entry");
        s.finds(increment, b"1");
    }
    s.same(&s.ok(s.add(add, b"new", None)), &true, "add over an expired entry");
    s.finds(add, b"new");
}

fn read_tells_time_to_live(s: &Subject<'_>, advance: Advance<'_>) {
    let (long, forever) = (s.key("long"), s.key("for ever"));
    s.ok(s.set(&long, b"long", Some(LONG)));
    s.ok(s.set(&forever, b"for ever", None));
    // A backend that does not know says so; what it says must be right.
    let left = |key: &str| s.ok(s.read(key, Want::BytesAndTimeToLive)).map(|found| found.time_to_live);
    match left(&long) {
        Some(TimeToLive::Unknown) => {}
        Some(TimeToLive::Left(first)) => {
            s.holds(first > Duration::ZERO && first <= LONG, "0 < time to live <= timeout");
            advance(PAST_SHORT);
            let Some(TimeToLive::Left(second)) = left(&long) else { s.fail("the time to live is not told again") };
            s.holds(second <= first.saturating_sub(SHORT), "the time to live to shrink as time passes");
        }
        seen => s.fail(&format!("time to live {seen:?} for a timeout of 10 s")),
    }
    match left(&forever) {
        Some(TimeToLive::Unknown | TimeToLive::Forever) => {}
        seen => s.fail(&format!("time to live {seen:?} for no timeout")),
    }
    let bytes = s.ok(s.read(&long, Want::BytesAndTimeToLive)).map(|found| found.bytes);
    s.same(&bytes.as_deref(), &Some(b"long".as_slice()), "the bytes beside the time to live");
}
