//! The backends of `memokit`: implementations of [`memo_core::Cache`].
