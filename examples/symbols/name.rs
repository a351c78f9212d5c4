//! The names a look-up takes, checked before they get near a path.

use serde::Serialize;
use std::fmt::Write as _;

/// The longest file name that Linux stores.
const MAX_FILE_NAME: usize = 255;

/// A name that no look-up takes; the text tells why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadName(pub(crate) &'static str);

/// What is looked up: a symbol file, and which build of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub(crate) struct Name {
    file: String,
    build_id: String,
}

impl Name {
    /// Takes a file name that stays inside a folder, and a build id in hexadecimal of either case.
    pub(crate) fn new(file: &str, build_id: &str) -> Result<Self, BadName> {
        if file.is_empty() || file.len() > MAX_FILE_NAME {
            return Err(BadName("a file name has 1 to 255 bytes"));
        }
        if file.contains(['/', '\\']) || file == "." || file == ".." {
            return Err(BadName("a file name has no folders in it"));
        }
        if file.contains(char::is_control) {
            return Err(BadName("a file name has no control characters"));
        }
        // The longest in use is a SHA-512; the shortest that a linker makes is 8 bytes, but a user may give any.
        let digits = build_id.len();
        if !(2..=128).contains(&digits) || !digits.is_multiple_of(2) || !build_id.bytes().all(|b| b.is_ascii_hexdigit())
        {
            return Err(BadName("a build id is an even number of hexadecimal digits, 2 to 128"));
        }
        // One build id is one look-up, however it is written.
        Ok(Name { file: file.to_owned(), build_id: build_id.to_ascii_lowercase() })
    }

    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    pub(crate) fn build_id(&self) -> &str {
        &self.build_id
    }

    /// The path of this name on the server, escaped for a request line.
    pub(crate) fn path(&self) -> String {
        let mut path = String::from("/");
        for &byte in self.file.as_bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                path.push(char::from(byte));
            } else {
                // Writing to a `String` can't fail.
                let _ = write!(path, "%{byte:02X}");
            }
        }
        path.push('/');
        path.push_str(&self.build_id);
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_stay_in_their_folder() {
        for bad in ["", ".", "..", "../etc/passwd", "a/b", "/etc/passwd", "a\\b", "a\0b", "a\nb", "/", "..\\x"] {
            assert!(Name::new(bad, "abcd").is_err(), "{bad:?}");
        }
        assert!(Name::new(&"x".repeat(256), "abcd").is_err());
        for good in ["libc.so.6", "a b", "..a", "a..b", "...", "libstdc++.so", "ü", "[", "%2e%2e"] {
            assert!(Name::new(good, "abcd").is_ok(), "{good:?}");
        }
    }

    #[test]
    fn build_ids_are_hexadecimal_of_either_case() {
        for bad in ["", "abc", "xy", "../a", "ab cd", &"a".repeat(130)] {
            assert!(Name::new("f", bad).is_err(), "{bad:?}");
        }
        assert_eq!(Name::new("f", "ABCD"), Name::new("f", "abcd"));
    }

    #[test]
    fn a_path_is_escaped() {
        let name = Name::new("a b+ü%", "ab").expect("a good name");
        assert_eq!(name.path(), "/a%20b%2B%C3%BC%25/ab");
    }
}
