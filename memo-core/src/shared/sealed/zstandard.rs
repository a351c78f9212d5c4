//! Zstandard. Contexts are kept for each thread, since making one takes longer than a small value.

use std::cell::RefCell;
use zstd::bulk::{Compressor, Decompressor};

/// For larger values a context is made each time: it grows with the value (to many megabytes at high levels), and would
/// stay as large for as long as the thread is there.
const LARGEST_WITH_KEPT: usize = 64 << 10;
/// A frame that readers skip: its magic number and its length, then anything.
const SKIPPABLE: [u8; 4] = 0x184D_2A50_u32.to_le_bytes();
const SKIPPABLE_HEADER: usize = 8;

thread_local! {
    static COMPRESSOR: RefCell<Option<(i32, Compressor<'static>)>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Writes the compressed value into `out`, if it fits. How many bytes it has.
pub(super) fn compress(level: i32, value: &[u8], out: &mut [u8]) -> Option<usize> {
    if value.len() > LARGEST_WITH_KEPT {
        return Compressor::new(level).ok()?.compress_to_buffer(value, out).ok();
    }
    COMPRESSOR.with_borrow_mut(|kept| {
        if kept.as_ref().is_none_or(|(of, _)| *of != level) {
            *kept = Some((level, Compressor::new(level).ok()?));
        }
        let (_, compressor) = kept.as_mut()?;
        compressor.compress_to_buffer(value, out).ok()
    })
}

/// The value of this length in a body, if it is one.
pub(super) fn decompress(body: &[u8], length: usize) -> Option<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|kept| {
        if kept.is_none() {
            *kept = Some(Decompressor::new().ok()?);
        }
        let mut value = Vec::with_capacity(length);
        let written = kept.as_mut()?.decompress_to_buffer(body, &mut value).ok()?;
        // A vector may have more room than was asked for.
        (written == length).then_some(value)
    })
}

/// Makes a body that ends `out` as long as this in all, or a few bytes more, with what is no part of the value.
pub(super) fn pad(out: &mut Vec<u8>, end: usize) {
    if out.len() >= end {
        return;
    }
    let length = end.saturating_sub(out.len() + SKIPPABLE_HEADER);
    out.extend_from_slice(&SKIPPABLE);
    // Never more than a thousandth of the largest value.
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    out.resize(out.len() + length, 0);
}
