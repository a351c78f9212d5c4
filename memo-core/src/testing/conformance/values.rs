//! Rules on values: what was set is returned whole, by every way of reading, until it is replaced or removed.

use super::subject::Subject;
use super::{Advance, Rule, poll_once_and_drop};
use crate::Want;
use std::collections::BTreeMap;

pub(super) const RULES: &[Rule] = &[
    ("a value is returned until it is replaced or removed", set_replace_remove),
    ("values are bytes, from none to 1 MiB", any_bytes),
    ("get_many keeps the order of its keys", many_in_order),
    ("remove_many counts what was there, a key named twice once", many_removed),
    ("operations agree with a plain map", agrees_with_a_map),
    ("a dropped operation takes effect before later ones or never", dropped_operations),
];

fn set_replace_remove(s: &Subject<'_>, _: Advance<'_>) {
    let (key, other) = (s.key("one"), s.key("other"));
    s.misses(&key);
    s.same(&s.ok(s.read(&key, Want::BytesAndTimeToLive)), &None, "read of nothing");
    s.same(&s.ok(s.remove(&key)), &false, "remove of nothing");
    s.ok(s.set(&key, b"first", None));
    s.finds(&key, b"first");
    s.misses(&other);
    s.ok(s.set(&key, b"2", None));
    s.finds(&key, b"2");
    s.same(&s.ok(s.add(&key, b"third", None)), &false, "add over an entry");
    s.finds(&key, b"2");
    s.same(&s.ok(s.remove(&key)), &true, "remove of an entry");
    s.misses(&key);
    s.same(&s.ok(s.remove(&key)), &false, "a second remove");
    s.same(&s.ok(s.add(&key, b"fourth", None)), &true, "add where nothing is");
    s.finds(&key, b"fourth");
}

fn any_bytes(s: &Subject<'_>, _: Advance<'_>) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let large: Vec<u8> = every_byte.iter().copied().cycle().take(1 << 20).collect();
    let values: [&[u8]; 8] =
        [b"", b"\0", b"\0\0\0\0\0\0\0\0", b"\r\n", b"$-1\r\n", b"\xff\xfe\xc0", &every_byte, &large];
    for (number, value) in values.into_iter().enumerate() {
        let key = s.key(&number.to_string());
        s.ok(s.set(&key, value, None));
        s.finds(&key, value);
        let read = s.ok(s.read(&key, Want::BytesAndTimeToLive)).map(|found| found.bytes);
        s.same(&read.as_deref(), &Some(value), "read");
        let added = s.key(&format!("added {number}"));
        s.same(&s.ok(s.add(&added, value, None)), &true, "add where nothing is");
        s.finds(&added, value);
        s.same(&s.ok(s.remove_many(&[&key, &added])), &2, "remove_many");
    }
    // An empty value is a value.
    let empty = s.key("empty");
    s.ok(s.set(&empty, b"", None));
    s.same(&s.ok(s.add(&empty, b"v", None)), &false, "add over an empty value");
    s.same(&s.ok(s.get_many(&[&empty])), &vec![Some(Vec::new())], "get_many of an empty value");
    s.same(&s.ok(s.remove(&empty)), &true, "remove of an empty value");
}

fn many_in_order(s: &Subject<'_>, _: Advance<'_>) {
    let keys: Vec<String> = (0..300).map(|number| s.key(&number.to_string())).collect();
    let entries: Vec<(&str, &[u8])> = keys.iter().step_by(2).map(|key| (key.as_str(), key.as_bytes())).collect();
    s.ok(s.set_many(&entries, None));
    // Backwards, with misses between, and one key twice.
    let mut asked: Vec<&str> = keys.iter().rev().map(String::as_str).collect();
    asked.push(&keys[0]);
    let expected: Vec<Option<Vec<u8>>> =
        asked.iter().map(|key| entries.iter().find(|entry| entry.0 == *key).map(|entry| entry.1.to_vec())).collect();
    s.same(&s.ok(s.get_many(&asked)), &expected, "get_many");
    s.same(&s.ok(s.get_many(&[])), &Vec::new(), "get_many of no keys");
    s.ok(s.set_many(&[], None));
    let all: Vec<&str> = keys.iter().map(String::as_str).collect();
    s.same(&s.ok(s.remove_many(&all)), &150, "remove_many of 300 keys, half of them there");
    s.same(&s.ok(s.get_many(&all)), &vec![None; 300], "get_many of removed keys");
    let pair: [(&str, &[u8]); 2] = [(&keys[0], b"first"), (&keys[0], b"second")];
    s.ok(s.set_many(&pair, None));
    s.finds(&keys[0], b"second");
}

fn many_removed(s: &Subject<'_>, _: Advance<'_>) {
    let (a, b, c) = (s.key("a"), s.key("b"), s.key("c"));
    s.ok(s.set_many(&[(&a, b"1"), (&b, b"2")], None));
    s.same(&s.ok(s.remove_many(&[&a, &a, &c, &a])), &1, "remove_many of a key named three times");
    s.finds(&b, b"2");
    s.same(&s.ok(s.remove_many(&[&a, &b, &c])), &1, "remove_many of one entry and two misses");
    s.same(&s.ok(s.remove_many(&[])), &0, "remove_many of no keys");
}

fn agrees_with_a_map(s: &Subject<'_>, _: Advance<'_>) {
    let mut model: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let keys: Vec<String> = (0..6).map(|number| s.key(&number.to_string())).collect();
    // A fixed sequence, so that a failure comes back (xorshift64).
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for step in 0..400_u32 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let [operation, choice, size, ..] = state.to_be_bytes();
        let key = &keys[usize::from(choice) % keys.len()];
        let value: Vec<u8> = step.to_le_bytes().into_iter().cycle().take(usize::from(size)).collect();
        match operation % 4 {
            0 => {
                s.ok(s.set(key, &value, None));
                model.insert(key.clone(), value);
            }
            1 => {
                let there = model.contains_key(key);
                s.same(&s.ok(s.add(key, &value, None)), &!there, "add");
                model.entry(key.clone()).or_insert(value);
            }
            2 => s.same(&s.ok(s.remove(key)), &model.remove(key).is_some(), "remove"),
            _ => s.same(&s.ok(s.get(key)), &model.get(key).cloned(), "get"),
        }
    }
    for key in &keys {
        s.same(&s.ok(s.get(key)), &model.get(key).cloned(), "get at the end");
    }
}

fn dropped_operations(s: &Subject<'_>, _: Advance<'_>) {
    if s.is_blocking() {
        return;
    }
    let (cache, key) = (s.cache(), s.key("dropped"));
    for _ in 0..50 {
        s.wait(Box::pin(poll_once_and_drop(cache.set_async(&key, b"of the dropped call", None))));
        s.ok(s.set(&key, b"later", None));
        s.finds(&key, b"later");
        s.wait(Box::pin(poll_once_and_drop(cache.remove_async(&key))));
        s.ok(s.set(&key, b"after the remove", None));
        s.finds(&key, b"after the remove");
        s.wait(Box::pin(poll_once_and_drop(cache.set_async(&key, b"of the dropped call", None))));
        s.ok(s.remove(&key));
        s.misses(&key);
        s.misses(&key);
    }
}
