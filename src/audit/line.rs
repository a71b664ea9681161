//! A line: one JSON object.

use std::{collections::BTreeMap, net::IpAddr};

use amaters_shards::{audit::Event, utc::rfc3339};
use serde::Serialize;

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    timestamp: String,
    event_type: &'static str,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Principal<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<&'static str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip: Option<IpAddr>,
}

#[derive(Serialize)]
struct Principal<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
}

/// Appends the line of an event, with its end.
pub(super) fn write(lines: &mut Vec<u8>, id: &str, event: &Event) {
    let line = Line {
        id,
        timestamp: rfc3339(event.unix_millis),
        event_type: event.kind.word(),
        result: event.result.word(),
        principal: event.principal.as_deref().map(|who| Principal {
            id: &who.id,
            name: &who.name,
            role: who.role.as_deref(),
        }),
        auth_method: event.auth_method,
        action: event.action.as_deref(),
        resource: event.resource.as_deref(),
        error: event.error.as_deref(),
        metadata: event.metadata.iter().map(|(name, text)| (*name, text.as_str())).collect(),
        source_ip: event.source_ip,
    };
    // Neither can a map of texts fail to be JSON, nor writing to a Vec.
    let _ = serde_json::to_writer(&mut *lines, &line);
    lines.push(b'\n');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use amaters_shards::audit::{AuditResult, Kind, Who};

    use super::*;

    fn written(event: &Event) -> String {
        let mut lines = Vec::new();
        write(&mut lines, "id-1", event);
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn a_line_has_the_fields_of_the_format_in_one_order() {
        let who = Who { id: "u1".into(), name: "Ada".into(), role: Some("user".into()) };
        let mut event = Event::new(Kind::Authorization, AuditResult::Denied)
            .by(Arc::new(who), Some("jwt"))
            .action("write")
            .resource("collection:a\"b\n")
            .error("not allowed")
            .with("operation", "set")
            .from("::ffff:10.0.0.1".parse().unwrap());
        event.unix_millis = 1_746_690_000_123;
        assert_eq!(
            written(&event),
            concat!(
                r#"{"id":"id-1","timestamp":"2025-05-08T07:40:00.123Z","event_type":"authorization","#,
                r#""result":"denied","principal":{"id":"u1","name":"Ada","role":"user"},"auth_method":"jwt","#,
                r#""action":"write","resource":"collection:a\"b\n","error":"not allowed","#,
                r#""metadata":{"operation":"set"},"source_ip":"10.0.0.1"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let mut event = Event::new(Kind::ConfigChange, AuditResult::Success);
        event.unix_millis = 0;
        let expected = concat!(
            r#"{"id":"id-1","timestamp":"1970-01-01T00:00:00.000Z","event_type":"config_change","#,
            r#""result":"success"}"#,
            "\n"
        );
        assert_eq!(written(&event), expected);
    }
}
