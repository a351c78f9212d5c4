//! How large values are made smaller.

use super::method::Method;
#[cfg(feature = "zstd")]
use super::{method::MAX_RATIO, zstandard};

/// Below this little is won, and a value is in one packet of the network anyway.
const ABOVE: usize = 1024;

/// How a [`Sealed`](crate::Sealed) cache compresses values, and from which size on.
///
/// LZ4 (feature `lz4`) costs little time and is Rust without unsafe code; Zstandard (feature `zstd`, compiled with a C
/// compiler) makes values a fifth to two fifths smaller than that, and takes longer. `benches/README.md` has both on
/// entries of several sizes.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::{Cache, Compression, Sealed};
/// use std::sync::Arc;
///
/// # #[cfg(feature = "lz4")]
/// # fn example(redis: Arc<dyn Cache>) {
/// let cache = Sealed::over(redis).compressed(Compression::lz4().above(4096));
/// memokit::register("pages", Arc::new(cache));
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Compression {
    pub(super) method: Method,
    #[cfg(feature = "zstd")]
    level: i32,
    pub(super) above: usize,
}

impl Compression {
    /// LZ4, for values of 1 KiB and more.
    #[cfg(feature = "lz4")]
    pub const fn lz4() -> Self {
        Compression {
            method: Method::Lz4,
            #[cfg(feature = "zstd")]
            level: 0,
            above: ABOVE,
        }
    }

    /// Zstandard at this level, for values of 1 KiB and more. 1 is quick, 3 is what others use, 19 takes long.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a level that Zstandard doesn't have.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// use memokit::Compression;
    ///
    /// let compression = Compression::zstd(3)?.above(4096);
    /// assert!(Compression::zstd(100).is_err());
    /// # Ok::<(), memokit::Error>(())
    /// ```
    #[cfg(feature = "zstd")]
    pub fn zstd(level: i32) -> Result<Self, crate::Error> {
        let levels = zstd::compression_level_range();
        if !levels.contains(&level) {
            let attempted = format!("compressing at level {level} of Zstandard");
            return Err(crate::Error::new(crate::ErrorKind::Config, attempted).advise(format!(
                "it has levels from {} to {}",
                levels.start(),
                levels.end()
            )));
        }
        Ok(Compression { method: Method::Zstd, level, above: ABOVE })
    }

    /// Only values of so many bytes and more, counted as they would be stored.
    pub const fn above(mut self, bytes: usize) -> Self {
        self.above = bytes;
        self
    }

    /// The compressed value behind `start` bytes of 0, if it gets smaller at all. No reader finds it too small.
    pub(super) fn compress(&self, value: &[u8], start: usize) -> Option<Vec<u8>> {
        match self.method {
            Method::Stored => None,
            #[cfg(feature = "lz4")]
            Method::Lz4 => {
                let mut out = vec![0; start + lz4_flex::block::get_maximum_output_size(value.len())];
                let written = lz4_flex::block::compress_into(value, &mut out[start..]).ok()?;
                out.truncate(start + written);
                Some(out)
            }
            // Less room than the value has: what does not fit is not wanted.
            #[cfg(feature = "zstd")]
            Method::Zstd => {
                let mut out = vec![0; start + value.len()];
                let written = zstandard::compress(self.level, value, &mut out[start..])?;
                out.truncate(start + written);
                zstandard::pad(&mut out, start + value.len() / MAX_RATIO);
                Some(out)
            }
        }
    }
}
