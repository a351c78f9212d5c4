#[cached]
#[must_use]
#[track_caller]
pub unsafe fn at(index: usize, #[cfg(feature = "wide")] width: u8) -> u8 {
    unsafe { *TABLE.as_ptr().add(index) }
}
