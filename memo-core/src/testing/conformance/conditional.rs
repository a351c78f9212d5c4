//! Rules on changes that depend on what is there: they compare, byte by byte, and change nothing else.

use super::atomic::race;
use super::subject::Subject;
use super::timeouts::{LONG, MEDIUM, PAST_MEDIUM, PAST_SHORT, SHORT, in_time};
use super::{Advance, Rule};
use crate::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) const RULES: &[Rule] = &[
    ("remove_if drops what it names and nothing else", remove_if_compares),
    ("touch_if renews what it names and nothing else", touch_if_compares),
    ("of many remove_ifs at once one removes", one_remove_if_removes),
    ("remove_if never drops what replaced the bytes it names", replaced_is_not_removed),
];

fn remove_if_compares(s: &Subject<'_>, advance: Advance<'_>) {
    let (key, empty, ended) = (s.key("owned"), s.key("empty"), s.key("ended"));
    s.same(&s.ok(s.remove_if(&key, b"")), &false, "remove_if of nothing");
    s.ok(s.set(&key, b"token", None));
    s.ok(s.set(&empty, b"", None));
    for other in [&b"Token"[..], b"token2", b"toke", b"", b"\0"] {
        s.same(&s.ok(s.remove_if(&key, other)), &false, "remove_if of other bytes");
    }
    s.finds(&key, b"token");
    s.same(&s.ok(s.remove_if(&key, b"token")), &true, "remove_if of the bytes that are there");
    s.misses(&key);
    s.same(&s.ok(s.remove_if(&key, b"token")), &false, "a second remove_if");
    s.same(&s.ok(s.remove_if(&empty, b"")), &true, "remove_if of an empty value");
    s.misses(&empty);
    let binary: Vec<u8> = (0..=255).collect();
    s.ok(s.set(&key, &binary, None));
    s.same(&s.ok(s.remove_if(&key, &binary)), &true, "remove_if of every byte there is");
    s.ok(s.set(&ended, b"token", Some(SHORT)));
    advance(PAST_SHORT);
    s.same(&s.ok(s.remove_if(&ended, b"token")), &false, "remove_if of an expired entry");
    s.fails(s.remove_if("", b"token"), ErrorKind::Key, "remove_if");
}

fn touch_if_compares(s: &Subject<'_>, advance: Advance<'_>) {
    let (renewed, left, endless, ended) = (s.key("renewed"), s.key("left"), s.key("endless"), s.key("ended"));
    s.same(&s.ok(s.touch_if(&renewed, b"", Some(LONG))), &false, "touch_if of nothing");
    s.misses(&renewed);
    let [first, other, without] = in_time(MEDIUM / 2, || {
        for key in [&renewed, &left, &endless] {
            s.ok(s.set(key, b"token", Some(MEDIUM)));
        }
        let touches = [
            (&renewed, &b"token"[..], Some(LONG)),
            (&left, &b"other"[..], Some(LONG)),
            (&endless, &b"token"[..], None),
        ];
        touches.map(|(key, bytes, timeout)| s.ok(s.touch_if(key, bytes, timeout)))
    });
    s.same(&first, &true, "touch_if of the bytes that are there");
    s.same(&other, &false, "touch_if of other bytes");
    s.same(&without, &true, "touch_if without a timeout");
    s.ok(s.set(&ended, b"token", None));
    s.same(&s.ok(s.touch_if(&ended, b"token", Some(SHORT))), &true, "touch_if of the bytes that are there");
    advance(PAST_MEDIUM);
    s.finds(&renewed, b"token");
    s.finds(&endless, b"token");
    s.misses(&left);
    s.misses(&ended);
    s.same(&s.ok(s.touch_if(&ended, b"token", Some(LONG))), &false, "touch_if of an expired entry");
    s.misses(&ended);
    s.fails(s.touch_if("", b"token", None), ErrorKind::Key, "touch_if");
}

fn one_remove_if_removes(s: &Subject<'_>, _: Advance<'_>) {
    if !s.capabilities().conditional {
        return;
    }
    for round in 0..10 {
        let key = s.key(&round.to_string());
        s.ok(s.set(&key, b"token", None));
        let removed = AtomicU64::new(0);
        race(|_| {
            removed.fetch_add(u64::from(s.ok(s.remove_if(&key, b"token"))), Ordering::SeqCst);
        });
        s.same(&removed.into_inner(), &1, "remove_ifs that removed");
    }
}

/// Half of the threads are owners that take the key, and leave it by their own token; the others try theirs on it.
fn replaced_is_not_removed(s: &Subject<'_>, _: Advance<'_>) {
    if !s.capabilities().conditional {
        return;
    }
    let (key, owners) = (s.key("lease"), AtomicU64::new(0));
    race(|number| {
        let token = number.to_string();
        for _ in 0..20 {
            if number % 2 == 1 {
                s.same(&s.ok(s.remove_if(&key, token.as_bytes())), &false, "remove_if of bytes that were never there");
            } else if s.ok(s.add(&key, token.as_bytes(), None)) {
                s.same(&owners.fetch_add(1, Ordering::SeqCst), &0, "others that own the key");
                s.same(&s.ok(s.touch_if(&key, token.as_bytes(), Some(LONG))), &true, "touch_if by the owner");
                owners.fetch_sub(1, Ordering::SeqCst);
                s.same(&s.ok(s.remove_if(&key, token.as_bytes())), &true, "remove_if by the owner");
            } else {
                s.same(&s.ok(s.remove_if(&key, token.as_bytes())), &false, "remove_if by one who is no owner");
            }
        }
    });
}
