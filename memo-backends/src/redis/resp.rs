//! Reads replies: the protocol's second version, which every server speaks unless it is asked for another. No I/O here.
//!
//! Bytes are read into [`space`](Decoder::space), which for most of a large value is where the value will stay.

use super::error::Failure;
use redis::{RedisResult, Value};
use std::io;

/// A longer line or deeper nesting is none of a server's.
const MOST_NESTED: usize = 32;

/// What is left of a value is read to its place from this size on: below, one read may bring the next reply, too.
const DIRECT: usize = 4 << 10;

/// How much room is made at once for what was announced but has not come. A wrong length costs no more than this, of
/// memory that was not touched.
const TRUSTED: usize = 1 << 20;

pub(super) struct Decoder {
    buffer: Box<[u8]>,
    /// What is in `buffer` and not yet decoded.
    begin: usize,
    end: usize,
    /// A value of which a part has come.
    bulk: Option<Bulk>,
    /// The arrays around what comes next, the innermost last.
    arrays: Vec<Array>,
}

struct Bulk {
    /// As long as there is room so far; at most as long as the value.
    bytes: Vec<u8>,
    filled: usize,
    length: usize,
}

struct Array {
    items: Vec<Value>,
    left: usize,
}

fn malformed() -> Failure {
    Failure::Nonsense
}

impl Decoder {
    pub(super) fn new(buffer: usize) -> Decoder {
        Decoder { buffer: vec![0; buffer].into(), begin: 0, end: 0, bulk: None, arrays: Vec::new() }
    }

    /// Where to read to, after [`next`](Decoder::next) has found nothing more.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if let Some(bulk) = &mut self.bulk
            && bulk.length - bulk.filled >= DIRECT
        {
            if bulk.filled == bulk.bytes.len() {
                bulk.bytes.resize(bulk.length.min(bulk.filled + bulk.filled.max(TRUSTED)), 0);
            }
            return &mut bulk.bytes[bulk.filled..];
        }
        if self.begin > 0 {
            self.buffer.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.begin = 0;
        }
        &mut self.buffer[self.end..]
    }

    /// So many bytes were read to the [`space`](Decoder::space).
    pub(super) fn filled(&mut self, count: usize) {
        match &mut self.bulk {
            Some(bulk) if bulk.length - bulk.filled >= DIRECT => bulk.filled += count,
            _ => self.end += count,
        }
    }

    /// The next reply that is complete.
    pub(super) fn next(&mut self) -> Result<Option<Value>, Failure> {
        loop {
            let Some(mut value) = self.item()? else { return Ok(None) };
            // It may be the last of its array, and that of the one around it.
            loop {
                let Some(mut array) = self.arrays.pop() else { return Ok(Some(value)) };
                array.items.push(value);
                array.left -= 1;
                if array.left > 0 {
                    self.arrays.push(array);
                    break;
                }
                value = Value::Array(array.items);
            }
        }
    }

    /// The next value that is not an array, or an empty one. Enters arrays.
    fn item(&mut self) -> Result<Option<Value>, Failure> {
        loop {
            if self.bulk.is_some() {
                return self.rest_of_bulk();
            }
            let Some(line) = self.line()? else { return Ok(None) };
            let line = &self.buffer[line];
            let (kind, rest) = line.split_first().ok_or_else(malformed)?;
            match kind {
                b'+' if rest == b"OK" => return Ok(Some(Value::Okay)),
                b'+' => {
                    let text = std::str::from_utf8(rest).map_err(|_| malformed())?;
                    return Ok(Some(Value::SimpleString(text.to_owned())));
                }
                b'-' => return Ok(Some(error(line)?)),
                b':' => return Ok(Some(Value::Int(number(rest)?))),
                b'$' => match usize::try_from(number(rest)?) {
                    Err(_) => return Ok(Some(Value::Nil)),
                    Ok(length) => {
                        if let Some(value) = self.bulk_of(length)? {
                            return Ok(Some(value));
                        }
                    }
                },
                b'*' => match usize::try_from(number(rest)?) {
                    Err(_) => return Ok(Some(Value::Nil)),
                    Ok(0) => return Ok(Some(Value::Array(Vec::new()))),
                    Ok(_) if self.arrays.len() == MOST_NESTED => return Err(malformed()),
                    Ok(left) => self.arrays.push(Array { items: Vec::with_capacity(left.min(1024)), left }),
                },
                _ => return Err(malformed()),
            }
        }
    }

    /// The next line without its end, as a part of the buffer, and beyond it.
    fn line(&mut self) -> Result<Option<std::ops::Range<usize>>, Failure> {
        let begin = self.begin;
        let Some(length) = self.buffer[begin..self.end].iter().position(|byte| *byte == b'\n') else {
            return if self.end - begin == self.buffer.len() { Err(malformed()) } else { Ok(None) };
        };
        self.begin += length + 1;
        let end = begin + length;
        if length == 0 || self.buffer[end - 1] != b'\r' { Err(malformed()) } else { Ok(Some(begin..end - 1)) }
    }

    /// A value of this length, if all of it is in the buffer. Else what is there is taken from it.
    fn bulk_of(&mut self, length: usize) -> Result<Option<Value>, Failure> {
        let there = &self.buffer[self.begin..self.end];
        let with_end = length.checked_add(2).ok_or_else(malformed)?;
        if let Some(whole) = there.get(..with_end) {
            let value = whole.strip_suffix(b"\r\n").ok_or_else(malformed)?.to_vec();
            self.begin += with_end;
            return Ok(Some(Value::BulkString(value)));
        }
        let filled = there.len().min(length);
        // Zeroed by the system where it is large.
        let mut bytes = vec![0; length.min(filled.max(TRUSTED))];
        bytes[..filled].copy_from_slice(&there[..filled]);
        self.begin += filled;
        self.bulk = Some(Bulk { bytes, filled, length });
        Ok(None)
    }

    fn rest_of_bulk(&mut self) -> Result<Option<Value>, Failure> {
        let Some(bulk) = &mut self.bulk else { return Ok(None) };
        let there = &self.buffer[self.begin..self.end];
        let taken = there.len().min(bulk.length - bulk.filled);
        let filled = bulk.filled + taken;
        if filled > bulk.bytes.len() {
            bulk.bytes.resize(filled, 0);
        }
        bulk.bytes[bulk.filled..filled].copy_from_slice(&there[..taken]);
        bulk.filled = filled;
        self.begin += taken;
        match self.buffer[self.begin..self.end].get(..2) {
            _ if filled < bulk.length => Ok(None),
            None => Ok(None),
            Some(b"\r\n") => {
                self.begin += 2;
                Ok(self.bulk.take().map(|bulk| Value::BulkString(bulk.bytes)))
            }
            Some(_) => Err(malformed()),
        }
    }
}

fn number(digits: &[u8]) -> Result<i64, Failure> {
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or_else(malformed)
}

/// The client makes these, from a whole line.
fn error(line: &[u8]) -> Result<Value, Failure> {
    let error: RedisResult<Value> = redis::parse_redis_value(&[within_script(line), b"\r\n"].concat());
    error.map_err(|_| malformed())
}

/// Before version 7 servers tell an error that a command met in a script as one of the script, with the error itself at
/// the end: that is what matters, as whether the server is no master any more.
fn within_script(line: &[u8]) -> &[u8] {
    const BEFORE: &[u8] = b": -";
    if !line.starts_with(b"-ERR Error running script (call to ") {
        return line;
    }
    let inner = line.windows(BEFORE.len()).position(|some| some == BEFORE);
    inner.map_or(line, |at| &line[at + BEFORE.len() - 1..])
}

/// The end of a connection.
pub(super) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds bytes in pieces of one size, and gives what was decoded.
    fn decode(mut bytes: &[u8], piece: usize, buffer: usize) -> Result<Vec<Value>, Failure> {
        let (mut decoder, mut values) = (Decoder::new(buffer), Vec::new());
        loop {
            while let Some(value) = decoder.next()? {
                values.push(value);
            }
            if bytes.is_empty() {
                return Ok(values);
            }
            let space = decoder.space();
            let count = piece.min(space.len()).min(bytes.len());
            assert!(count > 0, "there is room to read to");
            space[..count].copy_from_slice(&bytes[..count]);
            decoder.filled(count);
            bytes = &bytes[count..];
        }
    }

    #[test]
    fn replies_are_those_the_client_reads_however_they_are_cut() {
        let large = "x".repeat(100_000);
        let text = format!(
            "+OK\r\n+PONG\r\n:-42\r\n$5\r\nhe\r\no\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n*3\r\n:1\r\n*2\r\n$1\r\na\r\n*0\r\n\
             -MOVED 1 h:1\r\n-ERR no\r\n${}\r\n{large}\r\n*2\r\n${}\r\n{large}\r\n$2\r\nhi\r\n",
            large.len(),
            large.len(),
        );
        let mut expected = Vec::new();
        let (mut parser, mut rest) = (redis::Parser::new(), text.as_bytes());
        for _ in 0..12 {
            expected.push(parser.parse_value(&mut rest).unwrap());
        }
        for (piece, buffer) in [(1, 64), (2, 64), (7, 64), (64, 64), (5000, 5000), (usize::MAX, 16 << 10)] {
            let values = decode(text.as_bytes(), piece, buffer).unwrap_or_else(|_| panic!("{piece}"));
            assert!(values == expected, "{piece} of {buffer}: {} values", values.len());
        }
    }

    #[test]
    fn an_error_within_a_script_is_that_of_the_command() {
        let script = "-ERR Error running script (call to f_0a1b): @user_script:5: ";
        for (text, code) in [
            (
                format!("{script}@user_script: 5: -READONLY You can't write against a read only replica.\r\n"),
                "READONLY",
            ),
            (format!("{script}-OOM command not allowed when used memory > 'maxmemory'.\r\n"), "OOM"),
            (format!("{script}@user_script: 5: Script attempted to access a non-existing key\r\n"), "ERR"),
            (
                "-READONLY You can't write against a read only replica. script: 0a1b, on @user_script:5.\r\n"
                    .to_owned(),
                "READONLY",
            ),
            ("-ERR wrong: -OOM\r\n".to_owned(), "ERR"),
        ] {
            let values = decode(text.as_bytes(), 7, 256).unwrap_or_default();
            assert!(matches!(&values[..], [Value::ServerError(error)] if error.code() == code), "{text}: {values:?}");
        }
    }

    #[test]
    fn nonsense_is_told() {
        for text in [
            "\r\n".to_owned(),
            "?\r\n".to_owned(),
            ":one\r\n".to_owned(),
            "$1x\r\n".to_owned(),
            "$1\r\nabc\r\n".to_owned(),
            ":1\n".to_owned(),
            "$9223372036854775807\r\n".repeat(2),
            "*1\r\n".repeat(40),
            "+".repeat(70),
            "HTTP/1.1 400 Bad Request\r\n".to_owned(),
        ] {
            for piece in [1, 64] {
                let whole = decode(text.as_bytes(), piece, 64);
                let waits = whole.is_ok_and(|values| values.is_empty());
                assert!(!waits || text.starts_with("$9"), "{text:?}");
            }
        }
    }
}
