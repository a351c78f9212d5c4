//! Numbers as [`increment`](memo_core::Cache::increment) stores them: decimal text, written one way only.

use memo_core::{Error, ErrorKind};

/// The number in `stored`, or in nothing at all, plus `by`.
pub(crate) fn add(key: &str, stored: Option<&[u8]>, by: i64) -> Result<i64, Error> {
    let failed = |advice| Error::new(ErrorKind::Backend, format!("incrementing {key} by {by}")).advise(advice);
    let number = match stored {
        None => 0,
        Some(bytes) => parse(bytes).ok_or_else(|| failed("what is stored there is not a number"))?,
    };
    number.checked_add(by).ok_or_else(|| failed("the sum is outside the range of an i64"))
}

/// As servers do, without the other spellings that Rust takes ("+1", "01"): what this accepts, they accept.
fn parse(bytes: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == bytes).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_is_a_number() {
        for number in [0, 1, -1, 42, i64::MAX, i64::MIN] {
            assert_eq!(parse(number.to_string().as_bytes()), Some(number));
        }
        for text in ["", "+1", "01", "-0", " 1", "1 ", "1.0", "1e3", "0x1", "9223372036854775808"] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn overflow_is_an_error() {
        assert_eq!(add("k", None, i64::MIN).expect("nothing counts as 0"), i64::MIN);
        assert_eq!(add("k", Some(b"1"), i64::MAX).expect_err("past the end").kind(), ErrorKind::Backend);
    }
}
