//! The attribute of `memokit`.
