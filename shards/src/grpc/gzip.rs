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
    /// The end of the stream says another length than the stream has.
    #[error("malformed gzip message: it has not the length that its last four bytes say")]
    Length,
    /// They unpack to more than a message may have.
    #[error("message unpacks to more than the {max} bytes that limits.message_bytes_max allows")]
    TooLarge { max: usize },
}

/// Unpacks a message step by step, so that a large one does not hold the core. Its room is made at
/// once, from the length at the end of the stream: to grow it would copy tens of megabytes.
pub struct Unpacker {
    decoder: GzDecoder<std::io::Cursor<Bytes>>,
    unpacked: Vec<u8>,
    /// None until the first step.
    length: Option<usize>,
    bytes_max: usize,
}

/// Most bytes that one byte of deflate stands for (zlib technical details: 1032), rounded up.
const RATIO_MAX: usize = 1040;

impl Unpacker {
    /// Refuses to make more than `bytes_max` bytes of `packed`.
    pub fn new(packed: Bytes, bytes_max: usize) -> Self {
        let decoder = GzDecoder::new(std::io::Cursor::new(packed));
        Self { decoder, unpacked: Vec::new(), length: None, bytes_max }
    }

    /// Unpacks a piece; the whole message when it was the last.
    ///
    /// # Errors
    /// Malformed bytes, or too many.
    pub fn step(&mut self) -> Result<Option<Bytes>, GzipError> {
        /// About 200 µs of work.
        const STEP_BYTES: u64 = 64 * 1024;

        let length = match self.length {
            Some(length) => length,
            None => self.make_room()?,
        };
        let before = self.unpacked.len();
        // One byte too many is enough to know.
        let wanted = STEP_BYTES.min((length - before) as u64 + 1);
        (&mut self.decoder).take(wanted).read_to_end(&mut self.unpacked)?;
        let unpacked = self.unpacked.len();
        if unpacked > length || (unpacked == before && unpacked < length) {
            return Err(GzipError::Length);
        }
        if unpacked == before {
            return Ok(Some(Bytes::from(std::mem::take(&mut self.unpacked))));
        }
        Ok(None)
    }

    /// Believes the length (ISIZE, RFC 1952, 2.3.1) as far as the packed bytes can hold it.
    fn make_room(&mut self) -> Result<usize, GzipError> {
        let packed = self.decoder.get_ref().get_ref();
        // Of bytes that are no gzip at all the decoder says so.
        let last = packed.starts_with(&[0x1f, 0x8b]).then(|| packed.last_chunk()).flatten();
        let length = last.map_or(0, |last| u32::from_le_bytes(*last) as usize);
        if length / RATIO_MAX > packed.len() {
            return Err(GzipError::Length);
        }
        if length > self.bytes_max {
            return Err(GzipError::TooLarge { max: self.bytes_max });
        }
        self.unpacked.reserve_exact(length);
        self.length = Some(length);
        Ok(length)
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
    use amaters_fuzz::Campaign;
    use flate2::{Crc, read::DeflateDecoder};

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

    /// Writes the checksum and the length of what the bytes between a plain head and the end unpack to.
    fn repair(packed: &mut [u8]) {
        const HEAD_BYTES: usize = 10;

        let Some((before, end)) = packed.split_last_chunk_mut::<8>() else { return };
        let Some(body) = before.get(HEAD_BYTES..) else { return };
        let mut unpacked = Vec::new();
        let read = DeflateDecoder::new(body).take(1 << 20).read_to_end(&mut unpacked);
        if read.is_ok() {
            let mut crc = Crc::new();
            crc.update(&unpacked);
            end[..4].copy_from_slice(&crc.sum().to_le_bytes());
            end[4..].copy_from_slice(&(unpacked.len() as u32).to_le_bytes());
        }
    }

    #[test]
    fn fuzz_gzip() {
        const BYTES_MAX: usize = 20_000;
        let text = b"a message that says some things again and again ".repeat(30);
        let zeros = vec![0; BYTES_MAX];
        let seeds = [&text[..], &text[..100], &zeros].map(|text| pack(text).unwrap().to_vec());
        Campaign::new("gzip", seeds.to_vec())
            .repair(|bytes| repair(bytes))
            // The decoder's window and tables, and a message.
            .memory_max(|bytes| (128 << 10) + 4 * bytes + BYTES_MAX)
            .run(|bytes| {
                let unpacked = unpack(Bytes::copy_from_slice(bytes), BYTES_MAX);
                let unpacked = unpacked.map_err(|error| error.to_string())?;
                assert!(unpacked.len() <= BYTES_MAX);
                Ok(unpacked.len() as u64)
            });
    }

    #[test]
    fn what_does_not_gain_is_left_alone() {
        assert_eq!(pack(b"short"), None);
    }

    #[test]
    fn a_length_that_is_not_true_is_found() {
        let packed = pack(&[7; 100_000]).unwrap();
        for length in [0u32, 99_999, 100_001, 1_000_000] {
            let mut lie = packed.to_vec();
            let end = lie.len() - 4;
            lie[end..].copy_from_slice(&length.to_le_bytes());
            assert!(unpack(lie.into(), 1 << 20).is_err(), "{length}");
        }
        let mut bomb = packed.to_vec();
        let end = bomb.len() - 4;
        bomb[end..].copy_from_slice(&(1u32 << 30).to_le_bytes());
        let refused = unpack(bomb.into(), 64 << 20);
        assert!(matches!(refused, Err(GzipError::Length)), "{refused:?}");
    }
}
