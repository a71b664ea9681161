//! Metrics of the audit.

use amaters_shards::audit::{self, Audit};

use super::exposition::{Exposition, Kind};

/// Writes them.
pub(super) fn write(out: &mut Exposition, audit: &Audit) {
    let mut family =
        out.family(Kind::Counter, "amaters_audit_events", "Lines of the audit, by event_type.");
    for kind in audit::Kind::ALL {
        family.sample(&[("event_type", kind.word())], audit.lines(kind));
    }
    let help =
        "Events that are in no line of the audit, because it could not be written for too long.";
    out.single(Kind::Counter, "amaters_audit_events_lost", help, audit.dropped());
    let help = "Events that wait to be written.";
    out.single(Kind::Gauge, "amaters_audit_events_waiting", help, audit.waiting());
    let help = "Times that lines of the audit could not be written.";
    out.single(Kind::Counter, "amaters_audit_write_errors", help, audit.failures());
    let help = "Whether the last lines of the audit could not be written: 1, or 0.";
    out.single(Kind::Gauge, "amaters_audit_failing", help, u8::from(audit.is_failing()));
    let help =
        "Requests that were not done because they could not be recorded (authz.audit_fail_closed).";
    out.single(Kind::Counter, "amaters_audit_requests_refused", help, audit.refused());
}
