//! Counts what a peer sends besides requests, and says when it is too much.
//!
//! HTTP/2 lets a peer send PING, SETTINGS, WINDOW_UPDATE, PRIORITY and RST_STREAM frames without
//! end, each of them work for us and none bounded by `h2` (measured: 85 k/s PING to 5.8 M/s
//! PRIORITY from one peer). So each costs a token. Tokens come back with time
//! (`limits.control_frames_per_second_max`) and with useful traffic: a request or its data earns
//! some, and so does what we send, which the peer answers with window updates and pings.
//!
//! ```text
//!   preface (24 bytes) │ length 24 │ type 8 │ flags 8 │ stream 32 │ payload … │ next frame
//! ```

use std::time::Instant;

/// Watches the bytes of one connection.
pub struct ControlFrames {
    per_second: f64,
    tokens: f64,
    refilled: Option<Instant>,
    /// Bytes to pass over: preface or payload.
    skip: usize,
    header: [u8; FRAME_HEADER_BYTES],
    header_bytes: usize,
}

const PREFACE_BYTES: usize = 24;
const FRAME_HEADER_BYTES: usize = 9;

/// Frame types and flags of RFC 9113, section 6.
mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const END_STREAM: u8 = 1;
}

/// Tokens for a request. Less than a reset takes: a peer that resets all it asks runs dry.
const EARNED_BY_HEADERS: f64 = 4.0;
const EARNED_BY_DATA: f64 = 2.0;
const TAKEN_BY_RESET: f64 = 6.0;
/// Bytes sent that earn a token: clients update windows and measure bandwidth as data comes in.
const BYTES_SENT_FOR_TOKEN: f64 = 1024.0;

impl ControlFrames {
    /// A new connection, with a second's worth of tokens.
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second: per_second.into(),
            tokens: per_second.into(),
            refilled: None,
            skip: PREFACE_BYTES,
            header: [0; FRAME_HEADER_BYTES],
            header_bytes: 0,
        }
    }

    /// Takes note of bytes that were sent.
    pub fn sent(&mut self, bytes: usize) {
        self.earn(bytes as f64 / BYTES_SENT_FOR_TOKEN);
    }

    /// Takes note of records that were too short to bring a frame; false when the peer has used up its
    /// tokens.
    pub fn charge(&mut self, records: u32) -> bool {
        self.tokens -= f64::from(records);
        self.tokens > 0.0
    }

    /// Looks at bytes that were received; false when the peer has used up its tokens.
    pub fn received(&mut self, mut bytes: &[u8], now: Instant) -> bool {
        self.refill(now);
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let taken = (FRAME_HEADER_BYTES - self.header_bytes).min(bytes.len());
            self.header[self.header_bytes..self.header_bytes + taken]
                .copy_from_slice(&bytes[..taken]);
            self.header_bytes += taken;
            bytes = &bytes[taken..];
            if self.header_bytes == FRAME_HEADER_BYTES {
                self.frame();
            }
        }
        self.tokens > 0.0
    }

    /// Whether the bytes so far end inside a frame or the preface.
    pub fn is_inside_frame(&self) -> bool {
        self.skip > 0 || self.header_bytes > 0
    }

    /// Bytes of the current frame's payload that have not come.
    pub fn payload_bytes_left(&self) -> usize {
        self.skip
    }

    fn frame(&mut self) {
        let [high, middle, low, frame, flags, ..] = self.header;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        self.header_bytes = 0;
        self.skip = length;
        match frame {
            kind::HEADERS => self.earn(EARNED_BY_HEADERS),
            kind::DATA if length > 0 => self.earn(EARNED_BY_DATA),
            kind::DATA if flags & kind::END_STREAM != 0 => {}
            kind::RST_STREAM => self.tokens -= TAKEN_BY_RESET,
            _ => self.tokens -= 1.0,
        }
    }

    fn refill(&mut self, now: Instant) {
        let since = self
            .refilled
            .replace(now)
            .map_or(0.0, |then| now.saturating_duration_since(then).as_secs_f64());
        self.earn(since * self.per_second);
    }

    fn earn(&mut self, tokens: f64) {
        self.tokens = (self.tokens + tokens).min(self.per_second);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![0, (payload >> 8) as u8, payload as u8, kind, flags, 0, 0, 0, 1];
        bytes.resize(FRAME_HEADER_BYTES + payload, 0xaa);
        bytes
    }

    fn connection(now: Instant) -> ControlFrames {
        let mut frames = ControlFrames::new(100);
        assert!(frames.received(&[0; PREFACE_BYTES], now));
        frames
    }

    #[test]
    fn requests_run_for_ever_and_floods_run_dry_however_the_bytes_are_cut() {
        let now = Instant::now();
        for size in [1, 5, 9, 17, 4096] {
            let mut honest = connection(now);
            let request = [frame(1, 4, 40), frame(0, 1, 120), frame(8, 0, 4)].concat();
            let requests = request.repeat(500);
            assert!(requests.chunks(size).all(|piece| honest.received(piece, now)));
            for (kind, payload) in [(2, 5), (4, 0), (6, 8), (8, 4), (9, 10), (0, 0)] {
                let mut flood = connection(now);
                let frames = frame(kind, 0, payload).repeat(101);
                assert!(!frames.chunks(size).all(|piece| flood.received(piece, now)));
            }
        }
    }

    #[test]
    fn rapid_reset_runs_dry_and_time_refills() {
        let now = Instant::now();
        let mut frames = connection(now);
        let reset = [frame(1, 5, 40), frame(3, 0, 4)].concat();
        assert!(!frames.received(&reset.repeat(60), now));
        assert!(frames.received(&[], now + Duration::from_secs(2)));
    }

    #[test]
    fn half_a_frame_is_noticed() {
        let now = Instant::now();
        let mut frames = connection(now);
        assert!(!frames.is_inside_frame());
        let _ = frames.received(&frame(0, 0, 100)[..50], now);
        assert!(frames.is_inside_frame());
        assert_eq!(frames.payload_bytes_left(), FRAME_HEADER_BYTES + 100 - 50);
    }
}
