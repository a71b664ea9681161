//! gRPC messages out of DATA frames, and the five bytes before each
//! (gRPC over HTTP/2, "Length-Prefixed-Message").
//!
//! ```text
//!   ┌────────────┬──────────────────────┬─────────────┐
//!   │ compressed │ length, big-endian   │ message     │
//!   │ 1 byte 0|1 │ 4 bytes              │ length bytes│
//!   └────────────┴──────────────────────┴─────────────┘
//! ```
//!
//! A message that came in one piece is handed out as a slice of it; only pieces are copied
//! together, when the last one is here. The declared length is checked before anything is kept.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes before each message.
pub const PREFIX_BYTES: usize = 5;

/// A message as it came.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether the bytes are compressed with the encoding that the call announced.
    pub compressed: bool,
    /// The message.
    pub message: Bytes,
}

/// Bytes that are no gRPC message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The flag is neither 0 nor 1.
    #[error("malformed gRPC frame: the compression flag is {0}, not 0 or 1")]
    Flag(u8),
    /// The declared length is over the bound.
    #[error(
        "message of {declared} bytes is larger than the {max} that limits.message_bytes_max allows"
    )]
    TooLarge { declared: usize, max: usize },
    /// The stream ended inside a message.
    #[error("malformed gRPC frame: the stream ended {missing} bytes before the end of the message")]
    Cut { missing: usize },
}

/// Gathers the DATA of one stream.
pub struct Reader {
    pieces: VecDeque<Bytes>,
    buffered: usize,
    message_bytes_max: usize,
}

impl Reader {
    /// Refuses messages that declare more than `message_bytes_max` bytes.
    pub fn new(message_bytes_max: usize) -> Self {
        Self { pieces: VecDeque::new(), buffered: 0, message_bytes_max }
    }

    /// Adds what arrived.
    pub fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.buffered += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// Bytes that are here and not yet part of a message that was handed out.
    pub fn buffered(&self) -> usize {
        self.buffered
    }

    /// The next message, if all of it is here.
    ///
    /// # Errors
    /// A bad flag, or a declared length over the bound.
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some((compressed, length)) = self.prefix()? else { return Ok(None) };
        if self.buffered < PREFIX_BYTES + length {
            return Ok(None);
        }
        self.take(PREFIX_BYTES);
        Ok(Some(Frame { compressed, message: self.take(length) }))
    }

    /// To be asked when the stream has ended.
    ///
    /// # Errors
    /// Part of a message is here.
    pub fn finish(&mut self) -> Result<(), FrameError> {
        if self.buffered == 0 {
            return Ok(());
        }
        let whole = self.prefix()?.map_or(PREFIX_BYTES, |(_, length)| PREFIX_BYTES + length);
        Err(FrameError::Cut { missing: whole.saturating_sub(self.buffered) })
    }

    fn prefix(&self) -> Result<Option<(bool, usize)>, FrameError> {
        if self.buffered < PREFIX_BYTES {
            return Ok(None);
        }
        let mut bytes = self.pieces.iter().flatten().copied();
        let mut byte = || bytes.next().unwrap_or_default();
        let compressed = match byte() {
            0 => false,
            1 => true,
            flag => return Err(FrameError::Flag(flag)),
        };
        let declared = u32::from_be_bytes([byte(), byte(), byte(), byte()]) as usize;
        if declared > self.message_bytes_max {
            return Err(FrameError::TooLarge { declared, max: self.message_bytes_max });
        }
        Ok(Some((compressed, declared)))
    }

    /// Takes `count` bytes, which must be here.
    fn take(&mut self, count: usize) -> Bytes {
        self.buffered -= count;
        while self.pieces.front().is_some_and(Bytes::is_empty) {
            self.pieces.pop_front();
        }
        if let Some(first) = self.pieces.front_mut()
            && first.len() >= count
        {
            return first.split_to(count);
        }
        let mut whole = BytesMut::with_capacity(count);
        while whole.len() < count {
            let Some(mut first) = self.pieces.pop_front() else { break };
            let missing = count - whole.len();
            whole.put_slice(&first[..missing.min(first.len())]);
            if first.len() > missing {
                first.advance(missing);
                self.pieces.push_front(first);
            }
        }
        whole.freeze()
    }
}

/// Writes the prefix of an uncompressed message of `length` bytes.
pub fn put_prefix(buffer: &mut BytesMut, compressed: bool, length: usize) {
    buffer.put_u8(u8::from(compressed));
    // Our own answers are bounded far under 4 GiB.
    buffer.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
}

/// The only message of a body that is here whole, uncompressed and within the bound: the shortest
/// way in. What is none is left to a [`Reader`], which says what is wrong with it.
pub fn single(body: &Bytes, message_bytes_max: usize) -> Option<Bytes> {
    let prefix = body.first_chunk::<PREFIX_BYTES>()?;
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
    let whole = prefix[0] == 0 && body.len() == PREFIX_BYTES + length;
    (whole && length <= message_bytes_max).then(|| body.slice(PREFIX_BYTES..))
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;

    use super::*;

    fn framed(messages: &[&[u8]]) -> Bytes {
        let mut bytes = BytesMut::new();
        for message in messages {
            put_prefix(&mut bytes, false, message.len());
            bytes.put_slice(message);
        }
        bytes.freeze()
    }

    #[test]
    fn messages_survive_every_way_of_being_cut() {
        let whole = framed(&[b"first", b"", b"third"]);
        for size in 1..=whole.len() {
            let mut reader = Reader::new(16);
            let mut messages = Vec::new();
            for piece in whole.chunks(size) {
                reader.push(Bytes::copy_from_slice(piece));
                while let Some(frame) = reader.next().unwrap() {
                    messages.push(frame.message);
                }
            }
            assert_eq!(reader.finish(), Ok(()));
            assert_eq!(messages, [&b"first"[..], b"", b"third"]);
        }
    }

    #[test]
    fn a_whole_message_is_a_slice_of_what_arrived() {
        let whole = framed(&[b"value"]);
        assert_eq!(single(&whole, 5).unwrap().as_ptr(), whole[PREFIX_BYTES..].as_ptr());
        assert_eq!(single(&whole, 4), None);
        assert_eq!(single(&whole.slice(..7), 5), None);
        let mut reader = Reader::new(16);
        reader.push(whole.clone());
        let frame = reader.next().unwrap().unwrap();
        assert_eq!(frame.message.as_ptr(), whole[PREFIX_BYTES..].as_ptr());
    }

    #[test]
    fn bad_flags_and_lengths_are_refused_before_the_message_is_here() {
        let mut reader = Reader::new(16);
        reader.push(Bytes::from_static(&[2, 0, 0, 0, 0]));
        assert_eq!(reader.next(), Err(FrameError::Flag(2)));
        let mut reader = Reader::new(16);
        reader.push(Bytes::from_static(&[0, 0x40, 0, 0, 0]));
        assert_eq!(reader.next(), Err(FrameError::TooLarge { declared: 1 << 30, max: 16 }));
    }

    /// However a body is cut into pieces, the same messages come out of it, or the same refusal.
    #[test]
    fn fuzz_frames() {
        const MESSAGE_BYTES_MAX: usize = 300;
        let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut reader = Reader::new(MESSAGE_BYTES_MAX);
            let mut messages = Vec::new();
            for piece in pieces {
                reader.push(Bytes::copy_from_slice(piece));
                while let Some(frame) = reader.next()? {
                    assert!(frame.message.len() <= MESSAGE_BYTES_MAX);
                    messages.push(frame);
                }
            }
            reader.finish().map(|()| messages)
        };
        let seeds = [framed(&[b"first", b"", b"third"]), framed(&[&[7; 300]]), framed(&[])];
        let seeds = seeds.iter().map(|seed| seed.to_vec()).collect();
        Campaign::new("gRPC frames", seeds).run(|bytes| {
            let whole = read(&mut std::iter::once(bytes));
            for size in [1, 3, 5, 64] {
                assert_eq!(read(&mut bytes.chunks(size)), whole, "pieces of {size} bytes");
            }
            let body = Bytes::copy_from_slice(bytes);
            if let Some(message) = single(&body, MESSAGE_BYTES_MAX) {
                assert_eq!(whole, Ok(vec![Frame { compressed: false, message }]));
            }
            whole.map(|messages| messages.len() as u64).map_err(|error| error.to_string())
        });
    }

    #[test]
    fn an_end_inside_a_message_is_seen() {
        let mut reader = Reader::new(16);
        reader.push(framed(&[b"value"]).slice(..7));
        assert_eq!(reader.next(), Ok(None));
        assert_eq!(reader.finish(), Err(FrameError::Cut { missing: 3 }));
    }
}
