//! HTTP/2 frames as bytes (RFC 9113, section 4.1), for a client that counts every microsecond and
//! for one that lies.
//!
//! ```text
//! +-----------------------------------------------+
//! |                 length (24)                   |
//! +---------------+---------------+---------------+
//! |   kind (8)    |   flags (8)   |
//! +-+-------------+---------------+-------------------------------+
//! |R|                 stream (31)                                 |
//! +=+=============================================================+
//! |                 payload, `length` bytes                     ...
//! +---------------------------------------------------------------+
//! ```

/// What a client says first (RFC 9113, section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes before the payload of a frame.
pub const HEAD_BYTES: usize = 9;
/// Largest payload that a peer takes unless its settings say otherwise.
pub const PAYLOAD_BYTES_DEFAULT: usize = 16_384;

/// Body bytes.
pub const DATA: u8 = 0;
/// A header block, or the trailers.
pub const HEADERS: u8 = 1;
/// Obsolete priorities.
pub const PRIORITY: u8 = 2;
/// The end of one stream, by error.
pub const RST_STREAM: u8 = 3;
/// Settings, or their acknowledgement.
pub const SETTINGS: u8 = 4;
/// Liveness.
pub const PING: u8 = 6;
/// The end of the connection.
pub const GOAWAY: u8 = 7;
/// More room to send.
pub const WINDOW_UPDATE: u8 = 8;
/// The rest of a header block.
pub const CONTINUATION: u8 = 9;

/// SETTINGS and PING: an answer.
pub const ACK: u8 = 0x1;
/// DATA and HEADERS: the last of the stream.
pub const END_STREAM: u8 = 0x1;
/// HEADERS and CONTINUATION: the last of the block.
pub const END_HEADERS: u8 = 0x4;
/// DATA and HEADERS: the first byte of the payload counts padding.
pub const PADDED: u8 = 0x8;
/// HEADERS: five bytes of priority come before the block.
pub const PRIORITIZED: u8 = 0x20;

/// SETTINGS_HEADER_TABLE_SIZE.
pub const HEADER_TABLE_SIZE: u16 = 1;
/// SETTINGS_ENABLE_PUSH.
pub const ENABLE_PUSH: u16 = 2;
/// SETTINGS_MAX_CONCURRENT_STREAMS.
pub const MAX_CONCURRENT_STREAMS: u16 = 3;
/// SETTINGS_INITIAL_WINDOW_SIZE.
pub const INITIAL_WINDOW_SIZE: u16 = 4;
/// SETTINGS_MAX_FRAME_SIZE.
pub const MAX_FRAME_SIZE: u16 = 5;

/// The nine bytes before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the payload.
    pub length: usize,
    /// [`DATA`], [`HEADERS`] …
    pub kind: u8,
    /// [`END_STREAM`], [`ACK`] …
    pub flags: u8,
    /// Zero for the connection.
    pub stream: u32,
}

impl Head {
    /// Reads a head from the start of `input`; `None` while it is not all there.
    #[inline]
    pub fn parse(input: &[u8]) -> Option<Self> {
        let head = input.first_chunk::<HEAD_BYTES>()?;
        Some(Self {
            length: u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize,
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff,
        })
    }

    /// Writes the nine bytes.
    #[inline]
    pub fn put(self, out: &mut Vec<u8>) {
        let [_, high, middle, low] = (self.length as u32).to_be_bytes();
        let [a, b, c, d] = self.stream.to_be_bytes();
        out.extend_from_slice(&[high, middle, low, self.kind, self.flags, a, b, c, d]);
    }

    /// Whether a flag is set.
    #[inline]
    pub fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Writes a whole frame.
pub fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    Head { length: payload.len(), kind, flags, stream }.put(out);
    out.extend_from_slice(payload);
}

/// Writes a SETTINGS frame.
pub fn put_settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    let mut payload = Vec::with_capacity(settings.len() * 6);
    for (name, value) in settings {
        payload.extend_from_slice(&name.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    put(out, SETTINGS, 0, 0, &payload);
}

/// Writes a WINDOW_UPDATE frame.
pub fn put_window_update(out: &mut Vec<u8>, stream: u32, increment: u32) {
    put(out, WINDOW_UPDATE, 0, stream, &increment.to_be_bytes());
}

/// Reads the pairs of a SETTINGS payload.
pub fn settings(payload: &[u8]) -> impl Iterator<Item = (u16, u32)> {
    payload.chunks_exact(6).map(|pair| {
        let name = u16::from_be_bytes([pair[0], pair[1]]);
        (name, u32::from_be_bytes([pair[2], pair[3], pair[4], pair[5]]))
    })
}

/// Payload without its padding and, for HEADERS, its priority; `None` if the frame lies.
pub fn without_padding(head: Head, payload: &[u8]) -> Option<&[u8]> {
    let mut rest = payload;
    let mut padding = 0;
    if head.has(PADDED) {
        let (first, after) = rest.split_first()?;
        padding = usize::from(*first);
        rest = after;
    }
    if head.kind == HEADERS && head.has(PRIORITIZED) {
        rest = rest.get(5..)?;
    }
    rest.get(..rest.len().checked_sub(padding)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_survives_the_round_trip() {
        let head = Head { length: 0x01_02_03, kind: PING, flags: ACK, stream: 0x7fff_fffe };
        let mut bytes = Vec::new();
        head.put(&mut bytes);
        assert_eq!(Head::parse(&bytes), Some(head));
        assert_eq!(Head::parse(&bytes[..8]), None);
    }

    #[test]
    fn padding_and_priority_are_cut_off() {
        let head = Head { length: 0, kind: HEADERS, flags: PADDED | PRIORITIZED, stream: 1 };
        assert_eq!(without_padding(head, &[2, 9, 9, 9, 9, 9, 7, 0, 0]), Some(&[7][..]));
        assert_eq!(without_padding(head, &[9, 9, 9, 9, 9, 9, 7]), None);
    }
}
