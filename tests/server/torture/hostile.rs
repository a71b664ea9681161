//! Enemies at a server that goes on serving others: a polite client asks on at a fixed rate while
//! each attack runs, none of its requests fails, and the server's memory stays within what it was
//! allowed to hold.
//!
//! `AMATERS_HOSTILE=full` is the long form: 10,000 rapid resets, 20,000 idle connections against a
//! limit of 10,000, a message of 1 GiB in one of 1 MiB, and a polite client for 5 s each.

use std::{env, time::Duration};

use amaters_load::{
    hostile::{Attack, Outcome, Scale},
    process::raise_open_files,
    target::Target,
    watch::{POLITE, Seen, watch},
};

use super::alone;
use crate::harness::Folder;

/// Files of this process beside the connections that it holds.
const OTHER_FILES: usize = 1024;
/// Memory of the server beside what requests and connections hold: buffers of the threads, what the
/// allocator keeps, the log.
const OTHER_BYTES: u64 = 96 << 20;
/// What a connection may take, to be generous.
const CONNECTION_BYTES: u64 = 64 << 10;

/// Longest time for attacks that the server ends; only one that it does not end takes it.
const UNTIL_ENDED: Duration = Duration::from_secs(20);

/// One form of the suite.
struct Form {
    /// But for the duration.
    scale: Scale,
    /// How long attacks go on that the server does not end, and the polite client asks.
    duration: Duration,
    connections_max: usize,
    in_flight_bytes_max: u64,
    polite_per_second: f64,
}

impl Form {
    fn short() -> Self {
        Self {
            scale: Scale {
                connections: 2,
                resets: 1500,
                idle: 600,
                bomb_bytes: 64 << 20,
                ..Scale::default()
            },
            duration: Duration::from_secs(1),
            connections_max: 300,
            in_flight_bytes_max: 32 << 20,
            polite_per_second: 200.0,
        }
    }

    fn long() -> Self {
        Self {
            scale: Scale::default(),
            duration: Duration::from_secs(5),
            connections_max: 10_000,
            in_flight_bytes_max: 256 << 20,
            polite_per_second: 500.0,
        }
    }

    fn config(&self) -> (String, String) {
        let bytes = self.in_flight_bytes_max;
        let server = format!("max_connections = {}", self.connections_max);
        let more = format!(
            "[network]\nconnection_timeout_secs = 1\n[limits]\nmessage_bytes_max = {}\n\
             connection_bytes_max = {}\nin_flight_bytes_max = {bytes}\n",
            bytes / 8,
            bytes / 4,
        );
        (server, more)
    }

    /// How much of an attack.
    fn scale_of(&self, attack: Attack) -> Scale {
        let duration = match attack {
            // It learns only at its end whether it was ended, which takes the server 2 s.
            Attack::SlowReader => self.duration.max(Duration::from_secs(5)),
            Attack::IdleConnections => self.duration.max(Duration::from_secs(3)),
            _ => UNTIL_ENDED,
        };
        Scale { duration, ..self.scale }
    }

    /// What the server may grow by.
    fn growth_bytes_max(&self) -> u64 {
        self.in_flight_bytes_max + self.connections_max as u64 * CONNECTION_BYTES + OTHER_BYTES
    }
}

#[test]
fn a_polite_client_is_served_whatever_others_do() {
    let _alone = alone();
    let form = match env::var("AMATERS_HOSTILE").as_deref() {
        Ok("full") => Form::long(),
        _ => Form::short(),
    };
    let files = raise_open_files().unwrap();
    assert!(
        files > form.scale.idle.min(form.connections_max) + OTHER_FILES,
        "ulimit -n is {files}"
    );
    let folder = Folder::new();
    let (server, more) = form.config();
    folder.config(&server, &more);
    let server = folder.serve();
    Target::Amaters.fill(server.address, POLITE).unwrap();
    for attack in Attack::ALL {
        let (scale, rate) = (form.scale_of(attack), form.polite_per_second);
        let run = || attack.run(server.address, &scale);
        let (outcome, seen) = watch(server.address, server.pid(), rate, form.duration, run)
            .unwrap_or_else(|error| panic!("{attack:?}: {error}"));
        println!("{}", row(attack, &outcome, &seen));
        judge(&form, attack, &outcome, &seen);
    }
}

fn judge(form: &Form, attack: Attack, outcome: &Outcome, seen: &Seen) {
    let polite = &seen.polite;
    assert_eq!(polite.failed(), 0, "{attack:?}: {polite}");
    assert!(polite.answered > polite.unfinished, "{attack:?} starves others: {polite}");
    let growth = seen.resident_peak_bytes.saturating_sub(seen.resident_before_bytes);
    assert!(growth <= form.growth_bytes_max(), "{attack:?}: the server grew by {growth} bytes");
    let Outcome { opened, ended, .. } = *outcome;
    match attack {
        // The last connection may have run into the end of the attack.
        _ if attack.is_flood() => {
            assert!(ended > 0 && ended + 1 >= opened, "{attack:?}: {outcome}")
        }
        Attack::HalfFrame | Attack::HalfPreface | Attack::Mute | Attack::SlowReader => {
            assert_eq!(ended, opened, "{attack:?}: {outcome}");
        }
        Attack::IdleConnections => {
            let refused = form.scale.idle - form.connections_max;
            assert!(ended as usize >= refused, "{attack:?}: {outcome}");
        }
        // Lies are answered, by whatever refusal.
        _ => assert!(outcome.answer.is_some(), "{attack:?}: {outcome}"),
    }
}

fn row(attack: Attack, outcome: &Outcome, seen: &Seen) -> String {
    let polite = &seen.polite;
    format!(
        "{:16} {:60} p50 {:6.0} p99 {:7.0} max {:8.0} µs, {} answered, {} unfinished, {:4} → {:4} MiB",
        format!("{attack:?}"),
        outcome.to_string(),
        polite.latency_us(0.5),
        polite.latency_us(0.99),
        polite.latency_us(1.0),
        polite.answered,
        polite.unfinished,
        seen.resident_before_bytes >> 20,
        seen.resident_peak_bytes >> 20,
    )
}
