//! Text that a value shows piece by piece.

use super::canonical::{Done, Failure};
use super::sink::Sink;
use std::fmt::{self, Display, Write};

/// A text up to this length is shown once: addresses, dates, numbers.
const ROOM: usize = 128;

/// Writes the text of a value with its length before it, in constant memory: a text that doesn't fit the room is shown
/// twice, to be counted and to be written.
pub(super) fn write(sink: &mut Sink, value: &(impl Display + ?Sized)) -> Done {
    let mut first = Counted { room: [0; ROOM], length: 0 };
    write!(first, "{value}").map_err(|_| Failure::Unsteady)?;
    let length = first.length;
    if let Some(text) = first.room.get(..length) {
        sink.text(text);
        return Ok(());
    }
    sink.write(&(length as u64).to_le_bytes());
    let mut second = Streamed { sink, left: length };
    // A text of another length than was written would be taken for another value's.
    match write!(second, "{value}") {
        Ok(()) if second.left == 0 => Ok(()),
        _ => Err(Failure::Unsteady),
    }
}

struct Counted {
    room: [u8; ROOM],
    length: usize,
}

impl Write for Counted {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        if let Some(room) = self.room.get_mut(self.length..end) {
            room.copy_from_slice(text.as_bytes());
        }
        self.length = end;
        Ok(())
    }
}

struct Streamed<'a> {
    sink: &'a mut Sink,
    left: usize,
}

impl Write for Streamed<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.left = self.left.checked_sub(text.len()).ok_or(fmt::Error)?;
        self.sink.write(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails says where")]

    use crate::ErrorKind;
    use crate::key::Digest;
    use serde::{Serialize, Serializer};
    use std::cell::Cell;
    use std::fmt::{self, Display};

    /// Shows its text in pieces of a length.
    struct Pieces<'a>(&'a str, usize);

    impl Display for Pieces<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.as_bytes().chunks(self.1).try_for_each(|piece| f.write_str(std::str::from_utf8(piece).unwrap()))
        }
    }

    /// Shows as many letters as the cells say, one after the other; fails where there is none.
    struct Moody<'a>(&'a [usize], Cell<usize>);

    impl Display for Moody<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let length = self.0.get(self.1.replace(self.1.get() + 1)).ok_or(fmt::Error)?;
            (0..*length).try_for_each(|_| f.write_str("m"))
        }
    }

    struct Shown<T>(T);

    impl<T: Display> Serialize for Shown<T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(&self.0)
        }
    }

    #[test]
    fn text_in_pieces_is_the_text() {
        for length in [0, 1, 127, 128, 129, 255, 256, 257, 5000] {
            let text = "abcdefg".repeat(1000);
            for size in [1, 3, 100, 128, 129, 300, 5000] {
                let shown = Digest::of(&(Shown(Pieces(&text[..length], size)), 7_u8)).unwrap();
                assert_eq!(shown, Digest::of(&(&text[..length], 7_u8)).unwrap(), "{length} letters by {size}");
            }
        }
    }

    #[test]
    fn a_text_that_changes_between_the_two_times_is_no_key() {
        for lengths in [&[200, 199][..], &[200, 201], &[200], &[]] {
            let error = Digest::of(&Shown(Moody(lengths, Cell::new(0)))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Key);
        }
        Digest::of(&Shown(Moody(&[100], Cell::new(0)))).unwrap();
        Digest::of(&Shown(Moody(&[200, 200], Cell::new(0)))).unwrap();
    }
}
