//! How a value's bytes are laid out in an envelope, and back.

/// A value has at most so many times the bytes of its compressed form, so that what a reader takes into memory is in
/// proportion to what it was given. No LZ4 block reaches it.
pub(super) const MAX_RATIO: usize = 1024;

/// By the numbers of the format. A build reads those whose feature it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// As they are.
    Stored,
    /// One LZ4 block.
    #[cfg(feature = "lz4")]
    Lz4,
    /// Zstandard frames.
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Method {
    pub(super) fn number(self) -> u8 {
        match self {
            Method::Stored => 0,
            #[cfg(feature = "lz4")]
            Method::Lz4 => 1,
            #[cfg(feature = "zstd")]
            Method::Zstd => 2,
        }
    }

    pub(super) fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Method::Stored),
            #[cfg(feature = "lz4")]
            1 => Some(Method::Lz4),
            #[cfg(feature = "zstd")]
            2 => Some(Method::Zstd),
            _ => None,
        }
    }

    /// The value of this length in a body, if it is one. Takes no more memory than that.
    pub(super) fn decompress(self, body: &[u8], length: usize) -> Option<Vec<u8>> {
        match self {
            Method::Stored => (body.len() == length).then(|| body.to_vec()),
            #[cfg(feature = "lz4")]
            Method::Lz4 => {
                let mut value = vec![0; length];
                let written = lz4_flex::block::decompress_into(body, &mut value).ok()?;
                (written == length).then_some(value)
            }
            #[cfg(feature = "zstd")]
            Method::Zstd => super::zstandard::decompress(body, length),
        }
    }
}
