//! Canonical bytes on their way into BLAKE3.

/// Most arguments fit: they are hashed in one call, and the hasher with its 2 KB of state is never made.
const BUFFER: usize = 256;

/// Gathers small writes, since the hasher costs more per call than per byte.
pub(super) struct Sink {
    buffer: [u8; BUFFER],
    filled: usize,
    /// Made when the first buffer has run full; then everything before the buffer is in it. Boxed, since moving its
    /// 2 KB about would cost a short argument half as much again.
    hasher: Option<Box<blake3::Hasher>>,
}

impl Sink {
    #[inline]
    pub(super) fn new() -> Self {
        Sink { buffer: [0; BUFFER], filled: 0, hasher: None }
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.small(&[byte]);
    }

    #[inline]
    pub(super) fn pair(&mut self, first: u8, second: u8) {
        self.small(&[first, second]);
    }

    /// A tag and the number that belongs to it.
    #[inline]
    pub(super) fn tagged<const N: usize>(&mut self, tag: u8, bytes: [u8; N]) {
        self.byte(tag);
        self.small(&bytes);
    }

    /// The length as `u64`, then the bytes.
    #[inline]
    pub(super) fn text(&mut self, bytes: &[u8]) {
        self.small(&(bytes.len() as u64).to_le_bytes());
        self.write(bytes);
    }

    #[inline]
    pub(super) fn write(&mut self, bytes: &[u8]) {
        match self.buffer.get_mut(self.filled..self.filled + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.filled += bytes.len();
            }
            None => self.overflow(bytes),
        }
    }

    /// Of a length that the compiler knows, so that the copy is a store or two.
    #[inline]
    fn small<const N: usize>(&mut self, bytes: &[u8; N]) {
        match self.buffer.get_mut(self.filled..self.filled + N) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.filled += N;
            }
            None => self.overflow(bytes),
        }
    }

    #[cold]
    #[inline(never)]
    fn overflow(&mut self, bytes: &[u8]) {
        let hasher = self.hasher.get_or_insert_with(Box::default);
        hasher.update(&self.buffer[..self.filled]);
        self.filled = 0;
        if bytes.len() < BUFFER {
            self.buffer[..bytes.len()].copy_from_slice(bytes);
            self.filled = bytes.len();
        } else {
            hasher.update(bytes);
        }
    }

    /// Whether nothing was written since the start or the last [`take`](Sink::take).
    pub(super) fn is_empty(&self) -> bool {
        self.filled == 0 && self.hasher.is_none()
    }

    /// The digest of everything written; the sink starts anew.
    #[inline]
    pub(super) fn take(&mut self) -> [u8; 32] {
        let rest = &self.buffer[..self.filled];
        let hash = match &mut self.hasher {
            None => blake3::hash(rest),
            Some(hasher) => hasher.update(rest).finalize(),
        };
        self.filled = 0;
        self.hasher = None;
        hash.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_of_the_writes_gives_the_digest_of_the_whole() {
        let bytes: Vec<u8> = (0_u32..5000).map(|n| n.to_le_bytes()[0]).collect();
        for size in [1, 2, 63, 64, 255, 256, 257, 1000, 5000] {
            for length in [0, 1, 255, 256, 257, 511, 512, 513, 5000] {
                let mut sink = Sink::new();
                for part in bytes[..length].chunks(size) {
                    sink.write(part);
                }
                assert_eq!(sink.is_empty(), length == 0);
                assert_eq!(sink.take(), *blake3::hash(&bytes[..length]).as_bytes(), "{length} bytes by {size}");
                assert_eq!(sink.take(), *blake3::hash(b"").as_bytes(), "a sink that was emptied starts anew");
            }
        }
    }
}
