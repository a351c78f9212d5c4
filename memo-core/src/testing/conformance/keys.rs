//! Rules on keys: any UTF-8 of 1 to 400 bytes, compared byte by byte; others are refused and change nothing.

use super::subject::Subject;
use super::{Advance, Rule};
use crate::{ErrorKind, MAX_KEY_BYTES, Want};

pub(super) const RULES: &[Rule] = &[
    ("keys are compared byte by byte", keys_are_told_apart),
    ("a key of the greatest length works", greatest_length),
    ("an empty key is refused", empty_is_refused),
    ("a key that is too long is refused and changes nothing", too_long_is_refused),
];

/// Names that a backend might take for a pattern, a path, a separator, or each other.
pub(super) const ODD: &[&str] = &[
    "a",
    "A",
    "a ",
    " a",
    "a\n",
    "a\r\n",
    "a\tb",
    "a\0b",
    "a\0",
    "*",
    "a*",
    "?",
    "[a]",
    "[^a]",
    "\\",
    "\\*",
    "a\\",
    "{a}",
    "{a}b",
    "../a",
    "/a",
    "a/b",
    "a:b",
    "a::b",
    "%61",
    "'a'",
    "\"a\"",
    "ä",
    "a\u{308}",
    "日本語",
    "🦀",
    "\u{10ffff}",
    "\u{7f}",
];

fn keys_are_told_apart(s: &Subject<'_>, _: Advance<'_>) {
    let keys: Vec<String> = ODD.iter().map(|name| s.key(name)).collect();
    for key in &keys {
        s.misses(key);
        s.ok(s.set(key, key.as_bytes(), None));
    }
    for key in &keys {
        s.finds(key, key.as_bytes());
        let found = s.ok(s.read(key, Want::Bytes)).map(|found| found.bytes);
        s.same(&found.as_deref(), &Some(key.as_bytes()), &format!("read({key:?})"));
        s.same(&s.ok(s.add(key, b"another", None)), &false, &format!("add({key:?}) over an entry"));
    }
    let named: Vec<&str> = keys.iter().map(String::as_str).collect();
    let expected: Vec<Option<Vec<u8>>> = keys.iter().map(|key| Some(key.clone().into_bytes())).collect();
    s.same(&s.ok(s.get_many(&named)), &expected, "get_many of odd keys");
    for (position, key) in keys.iter().enumerate() {
        s.same(&s.ok(s.remove(key)), &true, &format!("remove({key:?})"));
        s.misses(key);
        if let Some(next) = keys.get(position + 1) {
            s.finds(next, next.as_bytes());
        }
    }
}

fn greatest_length(s: &Subject<'_>, _: Advance<'_>) {
    let key = s.key_of_length("longest", MAX_KEY_BYTES);
    let shorter = &key[..MAX_KEY_BYTES - 1];
    s.ok(s.set(&key, b"400", None));
    s.misses(shorter);
    s.ok(s.set(shorter, b"399", None));
    s.finds(&key, b"400");
    s.finds(shorter, b"399");
    s.same(&s.ok(s.remove_many(&[&key, shorter])), &2, "remove_many of the longest keys");
}

fn empty_is_refused(s: &Subject<'_>, _: Advance<'_>) {
    refused(s, "");
}

fn too_long_is_refused(s: &Subject<'_>, _: Advance<'_>) {
    let key = s.key_of_length("too long", MAX_KEY_BYTES + 1);
    // A backend that cuts keys off would show or change this one.
    let cut = &key[..MAX_KEY_BYTES];
    s.ok(s.set(cut, b"cut", None));
    refused(s, &key);
    s.finds(cut, b"cut");
}

fn refused(s: &Subject<'_>, key: &str) {
    s.fails(s.get(key), ErrorKind::Key, "get");
    s.fails(s.read(key, Want::Bytes), ErrorKind::Key, "read");
    s.fails(s.set(key, b"v", None), ErrorKind::Key, "set");
    s.fails(s.add(key, b"v", None), ErrorKind::Key, "add");
    s.fails(s.remove(key), ErrorKind::Key, "remove");
    s.fails(s.get_many(&[key]), ErrorKind::Key, "get_many");
    s.fails(s.set_many(&[(key, b"v")], None), ErrorKind::Key, "set_many");
    s.fails(s.remove_many(&[key]), ErrorKind::Key, "remove_many");
    let capable = s.capabilities();
    if capable.increment {
        s.fails(s.increment(key, 1, None), ErrorKind::Key, "increment");
    }
    if capable.touch {
        s.fails(s.touch(key, None), ErrorKind::Key, "touch");
    }
}
