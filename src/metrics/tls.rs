//! Metrics of TLS, for a server that speaks it: its certificate, reloads, and what handshakes come to.

use amaters_shards::{Counters, TlsFailure, TlsKind, TlsVersion, Watch};

use super::exposition::{Exposition, Kind};
use crate::telemetry::Telemetry;

/// Writes them.
pub(super) fn write(out: &mut Exposition, telemetry: &Telemetry, watch: &Watch) {
    let Some(status) = telemetry.tls.status() else { return };
    let help = "When the server's certificate expires, since the Unix epoch in seconds.";
    let name = "amaters_tls_certificate_not_after_timestamp_seconds";
    out.single(Kind::Gauge, name, help, status.not_after);
    let help = "When the server's certificate begins to be valid, since the Unix epoch in seconds.";
    let name = "amaters_tls_certificate_not_before_timestamp_seconds";
    out.single(Kind::Gauge, name, help, status.not_before);
    let help = "Since when these credentials are served, since the Unix epoch in seconds.";
    let name = "amaters_tls_last_reload_success_timestamp_seconds";
    out.single(Kind::Gauge, name, help, status.since);
    let help = "Changes of the files of TLS, by what came of them.";
    let (successful, failed) = telemetry.tls.reloads();
    let mut family = out.family(Kind::Counter, "amaters_tls_reloads", help);
    family.sample(&[("result", "successful")], successful);
    family.sample(&[("result", "failed")], failed);
    handshakes(out, watch.counters());
}

fn handshakes(out: &mut Exposition, reactors: &[Counters]) {
    let sum = |value: &dyn Fn(&Counters) -> u64| reactors.iter().map(value).sum::<u64>();
    let help = "TLS handshakes that ended well.";
    let mut family = out.family(Kind::Counter, "amaters_tls_handshakes", help);
    for version in TlsVersion::ALL {
        for kind in TlsKind::ALL {
            let count = sum(&|counters| counters.tls_handshakes(version, kind).get());
            family.sample(&[("version", version.label()), ("kind", kind.label())], count);
        }
    }
    let help = "TLS handshakes that came to nothing, by reason.";
    let mut family = out.family(Kind::Counter, "amaters_tls_handshake_failures", help);
    for failure in TlsFailure::ALL {
        let count = sum(&|counters| counters.tls_failures(failure).get());
        family.sample(&[("reason", failure.label())], count);
    }
    let mut family = out.family(Kind::Gauge, "amaters_tls_connections", "Open TLS connections.");
    for version in TlsVersion::ALL {
        let count = sum(&|counters| counters.tls_connections(version).get());
        family.sample(&[("version", version.label())], count);
    }
}
