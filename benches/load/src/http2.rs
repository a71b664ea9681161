//! One HTTP/2 connection of a load generator.
//!
//! Leaner than a client library: request headers are encoded once, answers are counted where they
//! lie in the read buffer, and of a body only the first bytes are kept. Streams are numbered
//! upwards and mostly answered in order, so those in flight are a queue:
//!
//! ```text
//! streams:  oldest, oldest + 2, …, next - 2      (None: already answered, an older one is not)
//! ```

use std::{collections::VecDeque, rc::Rc};

use bytes::{Buf as _, Bytes};

use crate::{
    frames::{self, Head},
    hpack::{Decoder, RequestBlocks},
    outbox::Outbox,
    wire::{Answer, BODY_HEAD_BYTES, Body, Flight, Script, Wire},
};

/// Windows as wide as they go: what is measured is the server, not our flow control.
const WINDOW_BYTES: u32 = 0x7fff_ffff;
/// Consumed bytes after which the connection's window is filled up again.
const WINDOW_REFILL_BYTES: u32 = 1 << 28;
/// Frame size that we offer; a server may send half a megabyte as one frame.
const FRAME_BYTES: u32 = 1 << 20;
/// Windows of the peer before its settings (RFC 9113, section 6.9.2).
const PEER_WINDOW_BYTES_DEFAULT: i64 = 65_535;
/// Largest frame but DATA that makes sense for the answers we expect.
const CONTROL_BYTES_MAX: usize = 64 * 1024;

/// What makes a request of this connection: its fields, and whether a body follows.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Pseudo-headers first.
    pub fields: Vec<(String, String)>,
    /// gRPC and POST have bodies, GET has none.
    pub body: bool,
    /// Whether the answer must end with `grpc-status`.
    pub grpc: bool,
}

impl Shape {
    /// A unary gRPC call as existing clients send it.
    pub fn grpc(authority: &str, path: &str) -> Self {
        let fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", authority),
            ("te", "trailers"),
            ("grpc-timeout", "30S"),
            ("content-type", "application/grpc"),
            ("user-agent", "amaters-load"),
        ];
        Self::new(&fields, true, true)
    }

    /// The same with a token, if there is one.
    #[must_use]
    pub fn bearing(mut self, token: Option<&str>) -> Self {
        let field = |token| ("authorization".to_owned(), format!("Bearer {token}"));
        self.fields.extend(token.map(field));
        self
    }

    /// A plain download.
    pub fn get(authority: &str, path: &str) -> Self {
        let fields = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", path),
            (":authority", authority),
            ("user-agent", "amaters-load"),
        ];
        Self::new(&fields, false, false)
    }

    fn new(fields: &[(&str, &str)], body: bool, grpc: bool) -> Self {
        let own = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        Self { fields: fields.iter().map(own).collect(), body, grpc }
    }

    fn blocks(&self, table: bool) -> RequestBlocks {
        let fields: Vec<_> =
            self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        RequestBlocks::new(&fields, table)
    }
}

/// See the head of the file.
#[derive(Debug)]
pub struct Http2<S> {
    script: Rc<S>,
    shape: Shape,
    blocks: RequestBlocks,
    decoder: Decoder,
    /// The peer's settings have come.
    settled: bool,
    /// The peer's dynamic table has our fields.
    table_filled: bool,
    /// The peer said GOAWAY.
    leaving: bool,

    oldest: u32,
    next: u32,
    flights: VecDeque<Option<Stream>>,
    flights_count: usize,

    peer_streams_max: usize,
    peer_frame_bytes_max: usize,
    peer_stream_window: i64,
    peer_window: i64,
    /// Bodies that wait for window, in order.
    blocked: VecDeque<Rest>,

    /// A DATA frame that is half read.
    data: Option<Data>,
    consumed: u32,
}

#[derive(Debug)]
struct Stream {
    flight: Flight,
    status: u16,
    length: usize,
    head: [u8; BODY_HEAD_BYTES],
    whole: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Rest {
    stream: u32,
    body: Bytes,
    window: i64,
}

#[derive(Clone, Copy, Debug)]
struct Data {
    stream: u32,
    left: usize,
    padding: usize,
    end: bool,
}

impl Data {
    /// What is left but for the padding, which is the end of the payload.
    fn body_left(self) -> usize {
        self.left.saturating_sub(self.padding)
    }
}

impl<S: Script> Http2<S> {
    /// A connection that has said nothing yet.
    pub fn new(script: Rc<S>, shape: Shape) -> Self {
        Self {
            script,
            blocks: shape.blocks(true),
            shape,
            decoder: Decoder::default(),
            settled: false,
            table_filled: false,
            leaving: false,
            oldest: 1,
            next: 1,
            flights: VecDeque::new(),
            flights_count: 0,
            peer_streams_max: usize::MAX,
            peer_frame_bytes_max: frames::PAYLOAD_BYTES_DEFAULT,
            peer_stream_window: PEER_WINDOW_BYTES_DEFAULT,
            peer_window: PEER_WINDOW_BYTES_DEFAULT,
            blocked: VecDeque::new(),
            data: None,
            consumed: 0,
        }
    }

    fn push_headers(&mut self, stream: u32, out: &mut Outbox) {
        let block = if self.table_filled { &self.blocks.later } else { &self.blocks.first };
        let end = if self.shape.body { 0 } else { frames::END_STREAM };
        let flags = frames::END_HEADERS | end;
        out.inline(|out| frames::put(out, frames::HEADERS, flags, stream, block));
        self.table_filled = true;
    }

    /// Sends as much of a body as the windows allow; true when it is all gone.
    fn push_body(&mut self, rest: &mut Rest, out: &mut Outbox) -> bool {
        loop {
            let window = rest.window.min(self.peer_window).max(0) as usize;
            let length = rest.body.len().min(self.peer_frame_bytes_max).min(window);
            let last = length == rest.body.len();
            if length == 0 && !last {
                return false;
            }
            let flags = if last { frames::END_STREAM } else { 0 };
            let head = Head { length, kind: frames::DATA, flags, stream: rest.stream };
            out.inline(|out| head.put(out));
            out.shared(rest.body.split_to(length));
            rest.window -= length as i64;
            self.peer_window -= length as i64;
            if last {
                return true;
            }
        }
    }

    fn push_blocked(&mut self, out: &mut Outbox) {
        let mut kept = VecDeque::new();
        while let Some(mut rest) = self.blocked.pop_front() {
            if !self.push_body(&mut rest, out) {
                kept.push_back(rest);
            }
        }
        self.blocked = kept;
    }

    fn stream(&mut self, stream: u32) -> Option<&mut Stream> {
        let index = stream.checked_sub(self.oldest)? / 2;
        self.flights.get_mut(index as usize)?.as_mut()
    }

    fn take(&mut self, stream: u32) -> Option<Stream> {
        let index = stream.checked_sub(self.oldest)? / 2;
        let taken = self.flights.get_mut(index as usize)?.take()?;
        self.flights_count -= 1;
        while let Some(None) = self.flights.front() {
            self.flights.pop_front();
            self.oldest += 2;
        }
        Some(taken)
    }

    /// Takes what is there of a DATA frame's payload.
    fn take_data(&mut self, mut data: Data, input: &[u8], answers: &mut Vec<Answer>) -> usize {
        let taken = input.len().min(data.left);
        let body_left = data.body_left();
        data.left -= taken;
        let body = &input[..body_left - data.body_left()];
        if let Some(stream) = self.stream(data.stream) {
            stream.append(body);
        }
        self.consumed += taken as u32;
        if data.left > 0 {
            self.data = Some(data);
            return taken;
        }
        self.data = None;
        if data.end {
            self.finish(data.stream, None, answers);
        }
        taken
    }

    fn finish(&mut self, stream: u32, grpc_status: Option<u16>, answers: &mut Vec<Answer>) {
        let Some(stream) = self.take(stream) else { return };
        let outcome = self.judge(&stream, grpc_status);
        answers.push(Answer { flight: stream.flight, outcome });
    }

    fn judge(&self, stream: &Stream, grpc_status: Option<u16>) -> Result<usize, String> {
        if stream.status != 200 {
            return Err(format!("HTTP status {}", stream.status));
        }
        match grpc_status {
            None if self.shape.grpc => return Err("no grpc-status".into()),
            Some(status) if status != 0 => return Err(format!("grpc-status {status}")),
            _ => {}
        }
        let body = Body {
            head: &stream.head[..stream.length.min(BODY_HEAD_BYTES)],
            length: stream.length,
            whole: stream.whole.as_deref(),
        };
        self.script.check(stream.flight.request, &body)
    }

    fn take_frame(
        &mut self,
        head: Head,
        payload: &[u8],
        out: &mut Outbox,
        answers: &mut Vec<Answer>,
    ) -> Result<(), String> {
        match head.kind {
            frames::HEADERS => return self.take_headers(head, payload, answers),
            frames::SETTINGS if !head.has(frames::ACK) => self.take_settings(payload, out),
            frames::PING if !head.has(frames::ACK) => {
                out.inline(|out| frames::put(out, frames::PING, frames::ACK, 0, payload));
            }
            frames::WINDOW_UPDATE => self.take_window(head.stream, number(payload), out),
            frames::RST_STREAM => {
                self.blocked.retain(|rest| rest.stream != head.stream);
                if let Some(stream) = self.take(head.stream) {
                    let outcome = Err(format!("RST_STREAM {}", number(payload)));
                    answers.push(Answer { flight: stream.flight, outcome });
                }
            }
            frames::GOAWAY => {
                self.leaving = true;
                let code = number(payload.get(4..).unwrap_or_default());
                if code != 0 {
                    let text = String::from_utf8_lossy(payload.get(8..).unwrap_or_default());
                    return Err(format!("GOAWAY {code} {text}"));
                }
            }
            frames::CONTINUATION => return Err("CONTINUATION in an answer".into()),
            _ => {}
        }
        Ok(())
    }

    fn take_headers(
        &mut self,
        head: Head,
        payload: &[u8],
        answers: &mut Vec<Answer>,
    ) -> Result<(), String> {
        if !head.has(frames::END_HEADERS) {
            return Err("an answer's headers are in more than one frame".into());
        }
        let heading = frames::without_padding(head, payload)
            .and_then(|block| self.decoder.decode(block))
            .ok_or("a header block that makes no sense")?;
        if let (Some(stream), Some(status)) = (self.stream(head.stream), heading.status) {
            stream.status = status;
        }
        if head.has(frames::END_STREAM) {
            self.finish(head.stream, heading.grpc_status, answers);
        }
        Ok(())
    }

    fn take_settings(&mut self, payload: &[u8], out: &mut Outbox) {
        for (name, value) in frames::settings(payload) {
            match name {
                // Never more than what we use; a smaller table gets spelled-out requests.
                frames::HEADER_TABLE_SIZE if value < 4096 => {
                    self.blocks = self.shape.blocks(false);
                    self.blocks.first.insert(0, 0x20);
                }
                frames::MAX_CONCURRENT_STREAMS => self.peer_streams_max = value as usize,
                frames::MAX_FRAME_SIZE => self.peer_frame_bytes_max = value as usize,
                frames::INITIAL_WINDOW_SIZE => {
                    let change = i64::from(value) - self.peer_stream_window;
                    self.peer_stream_window = i64::from(value);
                    self.blocked.iter_mut().for_each(|rest| rest.window += change);
                }
                _ => {}
            }
        }
        out.inline(|out| frames::put(out, frames::SETTINGS, frames::ACK, 0, &[]));
        self.settled = true;
        self.push_blocked(out);
    }

    fn take_window(&mut self, stream: u32, increment: u32, out: &mut Outbox) {
        if stream == 0 {
            self.peer_window += i64::from(increment);
        } else if let Some(rest) = self.blocked.iter_mut().find(|rest| rest.stream == stream) {
            rest.window += i64::from(increment);
        }
        if !self.blocked.is_empty() {
            self.push_blocked(out);
        }
    }
}

impl Stream {
    fn append(&mut self, body: &[u8]) {
        if let Some(free) = self.head.get_mut(self.length..) {
            let copied = free.len().min(body.len());
            free[..copied].copy_from_slice(&body[..copied]);
        }
        self.length += body.len();
        if let Some(whole) = &mut self.whole {
            whole.extend_from_slice(body);
        }
    }
}

fn number(payload: &[u8]) -> u32 {
    payload.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

impl<S: Script> Wire for Http2<S> {
    fn open(&mut self, out: &mut Outbox) {
        out.inline(|out| {
            out.extend_from_slice(frames::PREFACE);
            frames::put_settings(
                out,
                &[
                    (frames::ENABLE_PUSH, 0),
                    (frames::INITIAL_WINDOW_SIZE, WINDOW_BYTES),
                    (frames::MAX_FRAME_SIZE, FRAME_BYTES),
                ],
            );
            frames::put_window_update(out, 0, WINDOW_BYTES - PEER_WINDOW_BYTES_DEFAULT as u32);
        });
    }

    #[inline]
    fn room(&self) -> usize {
        if !self.settled || self.leaving {
            return 0;
        }
        self.peer_streams_max.saturating_sub(self.flights_count)
    }

    #[inline]
    fn send(&mut self, flight: Flight, out: &mut Outbox) {
        let stream = self.next;
        self.next += 2;
        self.flights_count += 1;
        self.flights.push_back(Some(Stream {
            flight,
            status: 0,
            length: 0,
            head: [0; BODY_HEAD_BYTES],
            whole: self.script.wants_whole(flight.request).then(Vec::new),
        }));
        self.push_headers(stream, out);
        if self.shape.body {
            let body = self.script.request(flight.request);
            let mut rest = Rest { stream, body, window: self.peer_stream_window };
            if !self.push_body(&mut rest, out) {
                self.blocked.push_back(rest);
            }
        }
    }

    fn in_flight(&self, show: &mut dyn FnMut(Flight)) {
        self.flights.iter().flatten().map(|stream| stream.flight).for_each(show);
    }

    fn receive(
        &mut self,
        input: &[u8],
        out: &mut Outbox,
        answers: &mut Vec<Answer>,
    ) -> Result<usize, String> {
        let mut left = input;
        loop {
            if let Some(data) = self.data {
                let taken = self.take_data(data, left, answers);
                left.advance(taken);
                if self.data.is_some() {
                    break;
                }
            }
            let Some(head) = Head::parse(left) else { break };
            if head.kind == frames::DATA {
                let padded = usize::from(head.has(frames::PADDED));
                let Some(prefix) = left.get(..frames::HEAD_BYTES + padded) else { break };
                let padding = if padded == 1 { usize::from(prefix[frames::HEAD_BYTES]) } else { 0 };
                let data = Data {
                    stream: head.stream,
                    left: head
                        .length
                        .checked_sub(padded)
                        .ok_or("a padded frame without padding")?,
                    padding,
                    end: head.has(frames::END_STREAM),
                };
                self.data = Some(data);
                left.advance(frames::HEAD_BYTES + padded);
                continue;
            }
            if head.length > CONTROL_BYTES_MAX {
                return Err(format!("a frame of kind {} with {} bytes", head.kind, head.length));
            }
            let whole = frames::HEAD_BYTES + head.length;
            let Some(frame) = left.get(..whole) else { break };
            self.take_frame(head, &frame[frames::HEAD_BYTES..], out, answers)?;
            left.advance(whole);
        }
        if self.consumed > WINDOW_REFILL_BYTES {
            let consumed = std::mem::take(&mut self.consumed);
            out.inline(|out| frames::put_window_update(out, 0, consumed));
        }
        Ok(input.len() - left.len())
    }
}
