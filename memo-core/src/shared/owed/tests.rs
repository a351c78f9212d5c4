//! What is owed, settled and given up.

use super::*;
use std::time::Duration;

const NOW: Tick = Tick::at(Duration::from_secs(100));

fn at(seconds: u64) -> Tick {
    Tick::at(Duration::from_secs(100 + seconds))
}

fn names(due: Option<&Due>) -> Vec<&str> {
    match due {
        None => Vec::new(),
        Some(Due::Keys(keys)) => keys.iter().map(|(_, key)| &**key).collect(),
        Some(Due::Function(_, name) | Due::Tag(_, name)) => vec![name],
    }
}

#[test]
fn what_is_owed_comes_oldest_first_and_once() {
    let owed = Owed::default();
    for key in ["a:1", "a:2", "a:1"] {
        assert!(owed.add_key("a:", key, Tick::NEVER));
    }
    owed.add_function("b:", Tick::NEVER);
    owed.add_key("a:", "a:3", Tick::NEVER);
    assert_eq!(owed.count(), 4);
    assert!(owed.has("a:", "a:1") && owed.has("b:", "b:7") && !owed.has("a:", "a:4"));
    for expected in [vec!["a:2", "a:1"], vec!["b:"], vec!["a:3"], vec![]] {
        let due = owed.due(NOW, usize::MAX);
        assert_eq!(names(due.as_ref()), expected);
        assert_eq!(due.map_or(0, |due| owed.take(&due)), expected.len());
    }
    assert_eq!((owed.count(), owed.applied(), owed.dropped()), (0, 4, 0));
    assert!(!owed.has("b:", "b:7"));
}

#[test]
fn tags_are_owed_like_functions() {
    let owed = Owed::default();
    owed.add_key("a:", "a:1", Tick::NEVER);
    owed.add_tag("t:x");
    owed.add_tag("t:x");
    assert!(owed.has_tag("t:x") && !owed.has_tag("t:y"));
    owed.settle_key("a:1", owed.now());
    let due = owed.due(NOW, usize::MAX).expect("the tag is owed");
    assert!(matches!(&due, Due::Tag(_, name) if &**name == "t:x"));
    assert_eq!((owed.take(&due), owed.count()), (1, 0));
}

#[test]
fn what_is_owed_anew_while_it_is_applied_stays_owed() {
    let owed = Owed::default();
    owed.add_key("a:", "a:1", Tick::NEVER);
    let due = owed.due(NOW, 1).expect("one is owed");
    owed.add_key("a:", "a:1", Tick::NEVER);
    assert_eq!(owed.take(&due), 0);
    assert!(owed.has("a:", "a:1"));
    owed.put_off(&due);
    assert_eq!(owed.count(), 1);
}

#[test]
fn whoever_applies_one_settles_what_is_older() {
    let owed = Owed::default();
    assert_eq!(owed.now(), None);
    owed.settle_key("a:1", None);
    for key in ["a:1", "a:2", "b:1"] {
        owed.add_key(&key[..2], key, Tick::NEVER);
    }
    let before = owed.now();
    owed.add_key("a:", "a:3", Tick::NEVER);
    owed.settle_key("a:3", before);
    owed.settle_key("a:1", before);
    assert!(!owed.has("a:", "a:1") && owed.has("a:", "a:3"));
    owed.settle_function("a:", before);
    assert_eq!(names(owed.due(NOW, usize::MAX).as_ref()), ["b:1", "a:3"]);
    owed.add_function("a:", Tick::NEVER);
    assert_eq!(owed.count(), 2, "a function stands for its keys");
    owed.settle_function("a:", owed.now());
    assert_eq!(owed.count(), 1);
}

#[test]
fn what_has_expired_is_dropped() {
    let owed = Owed::default();
    for (key, until) in [("a:1", at(5)), ("a:2", at(7)), ("a:3", Tick::NEVER)] {
        owed.add_key("a:", key, until);
    }
    owed.add_function("b:", at(6));
    assert_eq!(names(owed.due(at(6), usize::MAX).as_ref()), ["a:2", "a:3"]);
    assert_eq!((owed.count(), owed.dropped(), owed.applied()), (2, 2, 0));
    owed.drop_all();
    assert_eq!((owed.count(), owed.dropped()), (0, 4));
}

#[test]
fn one_that_is_refused_lets_others_go_first() {
    let owed = Owed::default();
    for key in ["a:1", "a:2"] {
        owed.add_key("a:", key, Tick::NEVER);
    }
    owed.put_off(&owed.due(NOW, 1).expect("two are owed"));
    assert_eq!(names(owed.due(NOW, 1).as_ref()), ["a:2"]);
    assert!(owed.has("a:", "a:1"));
}

#[test]
fn beyond_the_bound_keys_become_one_with_their_function() {
    let owed = Owed::default();
    for n in 0..MOST {
        let prefix = if n % 3 == 0 { "a:" } else { "b:" };
        assert!(owed.add_key(prefix, &format!("{prefix}{n}"), at(n as u64)));
    }
    assert!(owed.add_key("a:", "a:0", at(1)), "it has its place already");
    assert_eq!(owed.count(), MOST);
    assert!(owed.add_key("b:", "b:x", at(20_000)));
    assert_eq!(owed.count(), MOST.div_ceil(3) + 1);
    assert!(owed.has("b:", "b:y") && owed.has("a:", "a:3") && !owed.has("a:", "a:y"));
    assert_eq!(names(owed.due(at(19_000), 1).as_ref()), ["b:"], "for as long as the last of its keys");
    // Of functions with a key each, none stands for others.
    let owed = Owed::default();
    for n in 0..MOST {
        owed.add_key(&format!("{n}:"), &format!("{n}:1"), Tick::NEVER);
    }
    assert!(!owed.add_key("x:", "x:1", Tick::NEVER) && !owed.add_tag("t:x"));
    assert_eq!(owed.count(), MOST);
}
