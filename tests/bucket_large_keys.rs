//! A key of any size in constant memory. An allocator that measures is the whole process's, hence a binary of its own; it
//! measures each thread, so that the threads of the other tests don't matter.
#![allow(unsafe_code, reason = "a global allocator can't be written without")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use memokit::{Bucket, MemoryCache};
use serde::ser::{SerializeMap, SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

thread_local! {
    /// What this thread holds, and the most it held.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

struct Measuring;

fn held(change: isize) {
    // A thread that is being torn down is not measured.
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        held.set((now + change, most.max(now + change)));
    });
}

fn size(layout: Layout) -> isize {
    isize::try_from(layout.size()).unwrap_or(isize::MAX)
}

// SAFETY: every call is handed on to the system's allocator as it came; measuring neither allocates nor unwinds.
unsafe impl GlobalAlloc for Measuring {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        held(size(layout));
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        held(-size(layout));
        // SAFETY: the caller's promise is handed on, and `place` came from `System`.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Both are there for a moment, at worst.
        held(isize::try_from(new_size).unwrap_or(isize::MAX));
        held(-size(layout));
        // SAFETY: the caller's promise is handed on, and `place` came from `System`.
        unsafe { System.realloc(place, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Measuring = Measuring;

/// The most that the work held beside what was held before.
fn most_held<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let (now, _) = HELD.get();
    HELD.set((now, now));
    let value = work();
    (value, usize::try_from(HELD.get().1 - now).unwrap())
}

const SIZE: usize = 100 << 20;
const PIECE: usize = 64 << 10;
const PIECES: usize = SIZE / PIECE;
const MOST: usize = 1 << 20;

/// How 100 MB are serialized.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// A sequence of byte strings, as a reader of a file would.
    Bytes,
    /// A sequence of texts.
    Texts,
    /// One text that is shown in pieces.
    Shown,
    /// A map with large values.
    Map,
    /// Large fields, nested.
    Nested,
}

struct Large<'a> {
    form: Form,
    piece: &'a str,
}

struct Piece<'a>(&'a [u8]);

impl Serialize for Piece<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl fmt::Display for Large<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..PIECES).try_for_each(|_| f.write_str(self.piece))
    }
}

impl Serialize for Large<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.form {
            Form::Bytes => {
                let mut list = serializer.serialize_seq(None)?;
                (0..PIECES).try_for_each(|_| list.serialize_element(&Piece(self.piece.as_bytes())))?;
                list.end()
            }
            Form::Texts => {
                let mut list = serializer.serialize_seq(Some(PIECES))?;
                (0..PIECES).try_for_each(|_| list.serialize_element(self.piece))?;
                list.end()
            }
            Form::Shown => serializer.collect_str(self),
            Form::Map => {
                let mut map = serializer.serialize_map(Some(PIECES))?;
                (0..PIECES).try_for_each(|n| map.serialize_entry(&n, self.piece))?;
                map.end()
            }
            Form::Nested => {
                let mut fields = serializer.serialize_struct("Large", 2)?;
                fields.serialize_field("first", &Large { form: Form::Bytes, ..*self })?;
                fields.serialize_field("second", &(1, Some(Large { form: Form::Shown, ..*self })))?;
                fields.end()
            }
        }
    }
}

#[test]
fn a_key_of_100_megabytes_takes_less_than_one_beside() {
    let bucket: Bucket<u32> = Bucket::new(Arc::new(MemoryCache::new()), "large");
    let text = "memokit ".repeat(PIECE / 8);
    let mut forms = 0;
    for form in [Form::Bytes, Form::Texts, Form::Shown, Form::Map, Form::Nested] {
        let key = Large { form, piece: &text };
        let (set, held) = most_held(|| bucket.set(&key, &7));
        set.unwrap();
        assert!(held < MOST, "{form:?}: {held} bytes");
        forms += 1;
        assert_eq!(bucket.keys().unwrap().len(), forms, "{form:?} is a key of its own");
    }
    let (found, held) = most_held(|| bucket.get(&Large { form: Form::Texts, piece: &text }));
    assert_eq!((found.unwrap(), held < MOST), (Some(7), true), "{held} bytes");
}

#[test]
fn a_text_or_byte_string_in_one_piece_is_not_copied() {
    let bucket: Bucket<u32> = Bucket::new(Arc::new(MemoryCache::new()), "whole");
    let whole = "x".repeat(SIZE);
    for (shown, by) in [(false, "str"), (true, "bytes")] {
        let (found, held) =
            most_held(|| if shown { bucket.get(&Piece(whole.as_bytes())) } else { bucket.get(whole.as_str()) });
        assert_eq!((found.unwrap(), held < MOST), (None, true), "{by}: {held} bytes");
    }
}

#[test]
fn what_has_no_order_takes_32_bytes_an_entry_and_what_growing_takes() {
    const ENTRIES: usize = 20_000;
    let bucket: Bucket<u32> = Bucket::new(Arc::new(MemoryCache::new()), "unordered");
    let set: HashSet<usize> = (0..ENTRIES).collect();
    let map: HashMap<usize, String> = (0..ENTRIES).map(|n| (n, "v".repeat(100))).collect();
    let sorted: BTreeMap<usize, String> = map.iter().map(|(n, text)| (*n, text.clone())).collect();
    for (name, held) in [
        ("set", most_held(|| bucket.get(&set).unwrap()).1),
        ("map", most_held(|| bucket.get(&map).unwrap()).1),
        ("sorted map", most_held(|| bucket.get(&sorted).unwrap()).1),
    ] {
        assert!((ENTRIES * 32..ENTRIES * 32 * 4).contains(&held), "{name}: {held} bytes");
    }
}
