//! Numbers that nobody can guess, for names that must not be given twice.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A number that no other process has, and this one has not had: the standard library's hasher is seeded by the system.
/// Never zero.
pub(crate) fn number() -> u64 {
    RandomState::new().build_hasher().finish() | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_differ() {
        let numbers: std::collections::HashSet<u64> = (0..1_000).map(|_| number()).collect();
        assert_eq!((numbers.len(), numbers.contains(&0)), (1_000, false));
    }
}
