//! Rules on the operations that a backend may leave out: what it claims works, what it does not claim says so.

use super::atomic::{THREADS, race};
use super::keys::ODD;
use super::subject::Subject;
use super::timeouts::{LONG, MEDIUM, PAST_MEDIUM, PAST_SHORT, SHORT, in_time};
use super::{Advance, Rule};
use crate::{ErrorKind, TimeToLive, Want};
use std::time::Duration;

pub(super) const RULES: &[Rule] = &[
    ("an operation that is not claimed is Unsupported", unclaimed_is_unsupported),
    ("increment counts from 0 and stores decimal text", increment_counts),
    ("increment keeps the timeout of an entry", increment_keeps_the_timeout),
    ("increment refuses what is no number and changes nothing", increment_refuses),
    ("increments at once are all counted", increments_add_up),
    ("touch gives a new timeout", touch_gives_a_timeout),
    ("scan takes its prefix literally", scan_is_literal),
    ("clear drops a prefix and counts", clear_counts),
    ("a prefix longer than any key holds nothing", long_prefix),
];

fn unclaimed_is_unsupported(s: &Subject<'_>, _: Advance<'_>) {
    let (capable, key) = (s.capabilities(), s.key("unclaimed"));
    s.holds(!capable.name.is_empty(), "a name");
    s.ok(s.set(&key, b"1", None));
    if !capable.increment {
        s.fails(s.increment(&key, 1, None), ErrorKind::Unsupported, "increment");
    }
    if !capable.touch {
        s.fails(s.touch(&key, None), ErrorKind::Unsupported, "touch");
    }
    if !capable.scan {
        s.fails(s.scan(&key), ErrorKind::Unsupported, "scan");
        s.fails(s.clear(&key), ErrorKind::Unsupported, "clear");
    }
    s.finds(&key, b"1");
}

fn increment_counts(s: &Subject<'_>, _: Advance<'_>) {
    if !s.capabilities().increment {
        return;
    }
    let (key, text) = (s.key("counter"), s.key("text"));
    s.same(&s.ok(s.increment(&key, 5, None)), &5, "increment of nothing by 5");
    s.finds(&key, b"5");
    s.same(&s.ok(s.increment(&key, -12, None)), &-7, "increment of 5 by -12");
    s.finds(&key, b"-7");
    s.same(&s.ok(s.increment(&key, 0, None)), &-7, "increment of -7 by 0");
    s.ok(s.set(&text, b"41", None));
    s.same(&s.ok(s.increment(&text, 1, None)), &42, "increment of a number that was set as text");
    s.finds(&text, b"42");
    for limit in [i64::MAX, i64::MIN] {
        let limit_key = s.key(&format!("limit {limit}"));
        s.same(&s.ok(s.increment(&limit_key, limit, None)), &limit, "increment of nothing by a limit of i64");
        s.finds(&limit_key, limit.to_string().as_bytes());
    }
}

fn increment_keeps_the_timeout(s: &Subject<'_>, advance: Advance<'_>) {
    if !s.capabilities().increment {
        return;
    }
    let (ends, stays, forever) = (s.key("ends"), s.key("stays"), s.key("for ever"));
    s.ok(s.increment(&stays, 1, Some(LONG)));
    s.ok(s.increment(&stays, 1, Some(SHORT)));
    s.ok(s.set(&forever, b"1", None));
    s.ok(s.increment(&forever, 1, Some(SHORT)));
    in_time(MEDIUM / 2, || {
        s.ok(s.remove(&ends));
        s.ok(s.increment(&ends, 1, Some(MEDIUM)));
        s.ok(s.increment(&ends, 1, Some(LONG)));
        s.ok(s.increment(&ends, 1, None));
    });
    advance(PAST_MEDIUM);
    s.finds(&stays, b"2");
    s.finds(&forever, b"2");
    s.same(&s.ok(s.increment(&ends, 1, None)), &1, "increment of a counter whose timeout has passed");
}

fn increment_refuses(s: &Subject<'_>, _: Advance<'_>) {
    if !s.capabilities().increment {
        return;
    }
    let cases: [(&[u8], i64); 9] = [
        (b"abc", 1),
        (b"", 1),
        (b"1.5", 1),
        (b" 1", 1),
        (b"1 ", 1),
        (b"\xff\xff", 1),
        (b"9223372036854775808", 1),
        (b"9223372036854775807", 1),
        (b"-9223372036854775808", -1),
    ];
    for (number, (bytes, by)) in cases.into_iter().enumerate() {
        let key = s.key(&number.to_string());
        s.ok(s.set(&key, bytes, None));
        s.fails(s.increment(&key, by, None), ErrorKind::Backend, &format!("increment of {bytes:?} by {by}"));
        s.finds(&key, bytes);
    }
}

fn increments_add_up(s: &Subject<'_>, _: Advance<'_>) {
    if !s.capabilities().increment {
        return;
    }
    let key = s.key("sum");
    race(|_| {
        for by in [1, -2, 3, 10] {
            s.ok(s.increment(&key, by, None));
        }
    });
    s.finds(&key, (THREADS * 12).to_string().as_bytes());
}

fn touch_gives_a_timeout(s: &Subject<'_>, advance: Advance<'_>) {
    if !s.capabilities().touch {
        return;
    }
    let (extended, endless, ended) = (s.key("extended"), s.key("endless"), s.key("ended"));
    s.same(&s.ok(s.touch(&extended, Some(LONG))), &false, "touch of nothing");
    s.misses(&extended);
    s.ok(s.set(&ended, b"ended", None));
    let touched = in_time(MEDIUM / 2, || {
        s.ok(s.set(&extended, b"extended", Some(MEDIUM)));
        let extended = s.ok(s.touch(&extended, Some(LONG)));
        s.ok(s.set(&endless, b"endless", Some(MEDIUM)));
        [extended, s.ok(s.touch(&endless, None))]
    });
    s.same(&touched, &[true; 2], "touch of two entries");
    match s.ok(s.read(&endless, Want::BytesAndTimeToLive)).map(|found| found.time_to_live) {
        Some(TimeToLive::Forever | TimeToLive::Unknown) => {}
        seen => s.fail(&format!("time to live {seen:?} after touch without a timeout")),
    }
    advance(PAST_MEDIUM);
    s.finds(&extended, b"extended");
    s.finds(&endless, b"endless");
    s.same(&s.ok(s.touch(&ended, Some(SHORT))), &true, "touch of an entry");
    s.same(&s.ok(s.touch(&endless, Some(Duration::from_nanos(1)))), &true, "touch with a timeout below 1 ms");
    s.same(&s.ok(s.touch(&extended, Some(Duration::MAX))), &true, "touch with the longest timeout");
    advance(PAST_SHORT);
    s.misses(&ended);
    s.misses(&endless);
    s.finds(&extended, b"extended");
}

fn scan_is_literal(s: &Subject<'_>, _: Advance<'_>) {
    if !s.capabilities().scan {
        return;
    }
    let mut keys: Vec<String> = ODD.iter().flat_map(|name| [s.key(name), s.key(&format!("{name}>end"))]).collect();
    keys.sort();
    for key in &keys {
        s.ok(s.set(key, b"v", None));
    }
    for prefix in ODD.iter().map(|name| s.key(name)).chain([s.key("")]) {
        let expected: Vec<String> = keys.iter().filter(|key| key.starts_with(&prefix)).cloned().collect();
        s.same(&s.ok(s.scan(&prefix)), &expected, &format!("scan({prefix:?})"));
    }
    s.same(&s.ok(s.scan(&s.key("nothing"))), &Vec::new(), "scan of a prefix that nothing has");
    let all = s.ok(s.scan(""));
    s.holds(keys.iter().all(|key| all.binary_search(key).is_ok()), "every key in a scan of the empty prefix");
}

fn clear_counts(s: &Subject<'_>, advance: Advance<'_>) {
    if !s.capabilities().scan {
        return;
    }
    // More entries than one page of a server's scan.
    let keys: Vec<String> = (0..2_500).map(|number| s.key(&format!("in:{number}"))).collect();
    let entries: Vec<(&str, &[u8])> = keys.iter().map(|key| (key.as_str(), b"v".as_slice())).collect();
    s.ok(s.set_many(&entries, None));
    let neighbours = ["in", "in;", "i*", "in[:]", "In:1", "out:in:1"].map(|name| s.key(name));
    for key in &neighbours {
        s.ok(s.set(key, b"neighbour", None));
    }
    s.same(&s.ok(s.clear(&s.key("i*"))), &1, "clear of a prefix with a star");
    s.same(&s.ok(s.clear(&s.key("in:1"))), &1_111, "clear of the keys that start with 1");
    s.same(&s.ok(s.clear(&s.key("in:"))), &1_389, "clear of the others");
    s.same(&s.ok(s.clear(&s.key("in:"))), &0, "a second clear");
    s.ok(s.set(&keys[0], b"v", Some(SHORT)));
    advance(PAST_SHORT);
    s.same(&s.ok(s.clear(&s.key("in:"))), &0, "clear of an expired entry");
    for key in neighbours.iter().filter(|key| !key.ends_with('*')) {
        s.finds(key, b"neighbour");
    }
}

fn long_prefix(s: &Subject<'_>, _: Advance<'_>) {
    if !s.capabilities().scan {
        return;
    }
    let prefix = s.key_of_length("long", 700);
    s.ok(s.set(&prefix[..400], b"v", None));
    // Refusing it is right too: no key is that long.
    match s.scan(&prefix) {
        Ok(keys) => s.same(&keys, &Vec::new(), "scan of a prefix of 700 bytes"),
        Err(error) => s.same(&error.kind(), &ErrorKind::Key, "the kind of error of scan"),
    }
    match s.clear(&prefix) {
        Ok(count) => s.same(&count, &0, "clear of a prefix of 700 bytes"),
        Err(error) => s.same(&error.kind(), &ErrorKind::Key, "the kind of error of clear"),
    }
    s.finds(&prefix[..400], b"v");
}
