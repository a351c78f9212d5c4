//! Having the processor fetch what will be looked at soon.
//!
//! A miss of a full cache looks at a dozen cache lines, most of them last seen long ago or changed by another core since.
//! Waited for one after the other, they are most of what it costs.
#![allow(unsafe_code)]

const LINE: usize = 64;

/// Has the processor fetch the line at an address, which need not be one of anything, to be written to.
#[inline(always)]
pub(super) fn line<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: a hint, which reads nothing.
        unsafe { std::arch::asm!("prefetchw [{}]", in(reg) at, options(nostack, preserves_flags, readonly)) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// The same for all lines of a value.
#[inline(always)]
pub(super) fn all<T>(of: &T) {
    let start = std::ptr::from_ref(of).cast::<u8>();
    (0..size_of::<T>().div_ceil(LINE)).for_each(|n| line(start.wrapping_add(n * LINE)));
}
