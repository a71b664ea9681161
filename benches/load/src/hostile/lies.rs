//! Requests that are not what they say.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};

use super::{Outcome, Scale, enemy::Enemy};
use crate::{
    frames::{self, put},
    hpack::literal_block,
};

/// Streams that lie on one connection; below any usual limit.
const STREAMS: u64 = 64;
/// Largest DATA payload that every server takes.
const PAYLOAD_BYTES: usize = frames::PAYLOAD_BYTES_DEFAULT;
/// How much of a body may leave before the server must have made room.
const FIRST_WINDOW_BYTES: usize = 65_535;

/// Runs one scene on each connection; the scene says how much it sent.
fn on_each(
    address: SocketAddr,
    scale: &Scale,
    mut scene: impl FnMut(&mut Enemy, Instant) -> u64,
) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    for _ in 0..scale.connections {
        let mut enemy = Enemy::greet(address, &[])?;
        outcome.opened += 1;
        outcome.sent += scene(&mut enemy, Instant::now() + scale.duration);
        outcome.ended += u64::from(enemy.is_ended());
        outcome.answer = enemy.verdict().or(outcome.answer);
        enemy.reset();
    }
    Ok(outcome)
}

pub(super) fn huge_length(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    on_each(address, scale, |enemy, deadline| {
        let mut bytes = Vec::new();
        for _ in 0..STREAMS {
            let stream = enemy.put_call(&mut bytes, &[]);
            let mut start = vec![0];
            start.extend_from_slice(&(1u32 << 30).to_be_bytes());
            start.resize(900, b'x');
            put(&mut bytes, frames::DATA, 0, stream, &start);
        }
        enemy.push(&bytes, deadline);
        enemy.await_that(deadline, |enemy| enemy.is_ended() || enemy.streams_ended >= STREAMS);
        enemy.streams_ended
    })
}

pub(super) fn huge_headers(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    on_each(address, scale, |enemy, deadline| {
        let field = ("x-padding", "p".repeat(8_000));
        let block = literal_block(&[(field.0, field.1.as_str())]);
        let mut bytes = Vec::new();
        enemy.put_call(&mut bytes, &[]);
        // Take END_HEADERS from the frame that `put_call` wrote.
        bytes[4] = 0;
        for _ in 0..128 {
            put(&mut bytes, frames::CONTINUATION, 0, 1, &block);
        }
        put(&mut bytes, frames::CONTINUATION, frames::END_HEADERS, 1, &block);
        enemy.push(&bytes, deadline);
        enemy.await_that(deadline, |enemy| enemy.is_ended() || enemy.streams_ended > 0);
        1
    })
}

pub(super) fn malformed_hpack(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    on_each(address, scale, |enemy, deadline| {
        let mut bytes = Vec::new();
        // An index far beyond both tables.
        put(&mut bytes, frames::HEADERS, frames::END_HEADERS, 1, &[0xff, 0xff, 0xff, 0x7f]);
        enemy.push(&bytes, deadline);
        enemy.await_that(deadline, Enemy::is_ended);
        1
    })
}

pub(super) fn invalid_protobuf(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    on_each(address, scale, |enemy, deadline| {
        let mut asked = 0;
        while asked < 1000 && !enemy.is_ended() && Instant::now() < deadline {
            let mut bytes = Vec::new();
            for _ in 0..STREAMS {
                let stream = enemy.put_call(&mut bytes, &[]);
                let message = crate::script::pseudo_random(asked + 1, 40);
                asked += 1;
                let mut body = vec![0, 0, 0, 0, 40];
                body.extend_from_slice(&message);
                put(&mut bytes, frames::DATA, frames::END_STREAM, stream, &body);
            }
            enemy.push(&bytes, deadline);
            enemy.await_that(deadline, |enemy| enemy.is_ended() || enemy.streams_ended >= asked);
        }
        enemy.streams_ended
    })
}

pub(super) fn gzip_bomb(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    let bomb = bomb(scale.bomb_bytes)?;
    on_each(address, scale, |enemy, deadline| {
        let mut bytes = Vec::new();
        let stream = enemy.put_call(&mut bytes, &[("grpc-encoding", "gzip")]);
        let mut body = vec![1];
        body.extend_from_slice(&(bomb.len() as u32).to_be_bytes());
        body.extend_from_slice(&bomb);
        let (first, rest) = body.split_at(body.len().min(FIRST_WINDOW_BYTES));
        put_body(&mut bytes, stream, first, rest.is_empty());
        enemy.push(&bytes, deadline);
        if !rest.is_empty() {
            // The server's settings and window updates have had time to come.
            enemy.await_that(Instant::now() + Duration::from_millis(100), |_| false);
            bytes.clear();
            put_body(&mut bytes, stream, rest, true);
            enemy.push(&bytes, deadline);
        }
        enemy.await_that(deadline, |enemy| enemy.is_ended() || enemy.streams_ended > 0);
        1
    })
}

fn put_body(out: &mut Vec<u8>, stream: u32, body: &[u8], end: bool) {
    let count = body.len().div_ceil(PAYLOAD_BYTES);
    for (index, payload) in body.chunks(PAYLOAD_BYTES).enumerate() {
        let flags = if end && index + 1 == count { frames::END_STREAM } else { 0 };
        put(out, frames::DATA, flags, stream, payload);
    }
}

/// Compressed nothing.
fn bomb(bytes: usize) -> io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..bytes >> 20 {
        gzip.write_all(&zeros)?;
    }
    gzip.finish()
}
