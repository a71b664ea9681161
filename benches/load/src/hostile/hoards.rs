//! Connections that hold on to what the server gave them and do nothing.

use std::{
    io,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use prost::Message as _;

use super::{Outcome, Scale, enemy::Enemy};
use crate::{
    frames::{self, put},
    script::{
        KeySet,
        amaters::{COLLECTION, get, request},
    },
    target::Target,
};

/// What [`slow_reader`] asks for.
const LARGE: KeySet = KeySet { keys_count: 1, value_bytes: 512 * 1024 };
/// Answers that each connection of [`slow_reader`] asks for.
const LARGE_ANSWERS: u32 = 200;

/// Starts all, then waits whether the server ends them.
fn silence(
    address: SocketAddr,
    scale: &Scale,
    start: impl Fn(SocketAddr) -> io::Result<Enemy>,
) -> io::Result<Outcome> {
    let deadline = scale.deadline();
    let mut enemies = Vec::new();
    for _ in 0..scale.connections * 8 {
        enemies.push(start(address)?);
    }
    let mut outcome = Outcome { opened: enemies.len() as u64, ..Outcome::default() };
    outcome.sent = outcome.opened;
    for mut enemy in enemies {
        enemy.await_that(deadline, |enemy| enemy.closed);
        outcome.ended += u64::from(enemy.closed);
        outcome.answer = enemy.verdict().or(outcome.answer);
        enemy.reset();
    }
    Ok(outcome)
}

pub(super) fn half_frame(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    silence(address, scale, |address| {
        let mut enemy = Enemy::greet(address, &[])?;
        let mut bytes = Vec::new();
        enemy.put_call(&mut bytes, &[]);
        bytes.truncate(bytes.len() / 2);
        enemy.push(&bytes, Instant::now() + Duration::from_secs(1));
        Ok(enemy)
    })
}

pub(super) fn half_preface(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    silence(address, scale, |address| {
        let mut enemy = Enemy::connect(address)?;
        enemy.push(&frames::PREFACE[..12], Instant::now() + Duration::from_secs(1));
        Ok(enemy)
    })
}

pub(super) fn mute(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    silence(address, scale, Enemy::connect)
}

pub(super) fn slow_reader(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    let deadline = scale.deadline();
    Target::Amaters.fill(address, LARGE)?;
    let message = request(get(COLLECTION, LARGE.key(0))).encode_to_vec();
    let mut body = vec![0];
    body.extend_from_slice(&(message.len() as u32).to_be_bytes());
    body.extend_from_slice(&message);
    let mut enemies = Vec::new();
    for _ in 0..scale.connections {
        // Windows without limit: only the server's own bounds protect it.
        let mut enemy = Enemy::greet(address, &[(frames::INITIAL_WINDOW_SIZE, 0x7fff_ffff)])?;
        let mut bytes = Vec::new();
        frames::put_window_update(&mut bytes, 0, 0x7fff_0000);
        for _ in 0..LARGE_ANSWERS {
            let stream = enemy.put_call(&mut bytes, &[]);
            put(&mut bytes, frames::DATA, frames::END_STREAM, stream, &body);
        }
        enemy.push(&bytes, deadline);
        enemies.push(enemy);
    }
    thread::sleep(deadline.saturating_duration_since(Instant::now()));
    let mut outcome = Outcome { opened: enemies.len() as u64, ..Outcome::default() };
    outcome.sent = outcome.opened * u64::from(LARGE_ANSWERS);
    for mut enemy in enemies {
        enemy.drain();
        outcome.ended += u64::from(enemy.is_ended());
        outcome.answer = enemy.verdict().or(outcome.answer);
        enemy.reset();
    }
    Ok(outcome)
}

pub(super) fn idle_connections(address: SocketAddr, scale: &Scale) -> io::Result<Outcome> {
    let deadline = scale.deadline();
    let mut outcome = Outcome::default();
    let mut held = Vec::new();
    for index in 0..scale.idle {
        let host = 1 + (index / 16_384) as u8;
        outcome.sent += 1;
        match Enemy::connect_from(host, address) {
            Ok(mut enemy) => {
                outcome.opened += 1;
                enemy.open(&[]);
                held.push(enemy);
            }
            Err(error) => outcome.answer = Some(error.to_string()),
        }
        if index % 512 == 511 {
            outcome.ended += forget_ended(&mut held);
        }
    }
    while Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
        outcome.ended += forget_ended(&mut held);
    }
    let kept = held.len();
    held.into_iter().for_each(Enemy::reset);
    outcome.answer = outcome.answer.or(Some(format!("{kept} held to the end")));
    Ok(outcome)
}

/// Lets go of what the server has closed, so that our own descriptors last.
fn forget_ended(held: &mut Vec<Enemy>) -> u64 {
    let before = held.len();
    held.iter_mut().for_each(Enemy::drain);
    held.retain(|enemy| !enemy.closed);
    (before - held.len()) as u64
}
