//! gzip, the one message encoding besides identity (RFC 1952, by `flate2` in pure Rust).

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

/// Bytes that do not unpack.
#[derive(Debug, thiserror::Error)]
pub enum GzipError {
    /// They are no gzip stream.
    #[error("malformed gzip message: {0}")]
    Malformed(#[from] std::io::Error),
    /// They unpack to more than a message may have.
    #[error("message unpacks to more than the {max} bytes that limits.message_bytes_max allows")]
    TooLarge { max: usize },
}

/// Unpacks a message step by step, so that a large one does not hold the core.
pub struct Unpacker {
    decoder: GzDecoder<std::io::Cursor<Bytes>>,
    unpacked: Vec<u8>,
    bytes_max: usize,
}

impl Unpacker {
    /// Refuses to make more than `bytes_max` bytes of `packed`.
    pub fn new(packed: Bytes, bytes_max: usize) -> Self {
        let decoder = GzDecoder::new(std::io::Cursor::new(packed));
        Self { decoder, unpacked: Vec::new(), bytes_max }
    }

    /// Unpacks a piece; the whole message when it was the last.
    ///
    /// # Errors
    /// Malformed bytes, or too many.
    pub fn step(&mut self) -> Result<Option<Bytes>, GzipError> {
        /// About 200 µs of work.
        const STEP_BYTES: u64 = 64 * 1024;

        let before = self.unpacked.len();
        (&mut self.decoder).take(STEP_BYTES).read_to_end(&mut self.unpacked)?;
        if self.unpacked.len() > self.bytes_max {
            return Err(GzipError::TooLarge { max: self.bytes_max });
        }
        if self.unpacked.len() == before {
            return Ok(Some(Bytes::from(std::mem::take(&mut self.unpacked))));
        }
        Ok(None)
    }

    /// Bytes unpacked so far.
    pub fn unpacked_bytes(&self) -> usize {
        self.unpacked.len()
    }
}

/// Packs a message, or nothing when that does not make it smaller.
pub fn pack(message: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(message.len() / 2), Compression::fast());
    encoder.write_all(message).ok()?;
    let packed = encoder.finish().ok()?;
    (packed.len() < message.len()).then(|| Bytes::from(packed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(packed: Bytes, bytes_max: usize) -> Result<Bytes, GzipError> {
        let mut unpacker = Unpacker::new(packed, bytes_max);
        loop {
            if let Some(message) = unpacker.step()? {
                return Ok(message);
            }
        }
    }

    #[test]
    fn what_was_packed_unpacks() {
        let message = vec![7u8; 300_000];
        let packed = pack(&message).unwrap();
        assert_eq!(unpack(packed, 300_000).unwrap(), message);
    }

    #[test]
    fn a_bomb_stops_at_the_bound_and_noise_is_refused() {
        let bomb = pack(&vec![0u8; 10_000_000]).unwrap();
        let mut unpacker = Unpacker::new(bomb, 100_000);
        let refused = loop {
            match unpacker.step() {
                Ok(None) => assert!(unpacker.unpacked_bytes() <= 100_000),
                other => break other,
            }
        };
        assert!(matches!(refused, Err(GzipError::TooLarge { max: 100_000 })));
        assert!(matches!(unpack(Bytes::from_static(b"noise"), 10), Err(GzipError::Malformed(_))));
    }

    #[test]
    fn what_does_not_gain_is_left_alone() {
        assert_eq!(pack(b"short"), None);
    }
}
