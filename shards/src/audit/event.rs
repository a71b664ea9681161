//! One thing that was decided or done.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use crate::utc::unix_millis;

/// Bytes of a text of an event; what comes from outside may be long.
const TEXT_BYTES_MAX: usize = 1024;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Who somebody is.
    Authentication,
    /// What somebody may do.
    Authorization,
    /// An admin command.
    Admin,
    /// An attack, or what looks like one; and gaps of the audit itself.
    SecurityViolation,
    /// The server began, ended, or is configured otherwise.
    ConfigChange,
}

impl Kind {
    /// All of them, each at the place that is its number.
    pub const ALL: [Self; 5] = [
        Self::Authentication,
        Self::Authorization,
        Self::Admin,
        Self::SecurityViolation,
        Self::ConfigChange,
    ];

    /// The word of the format.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::Admin => "admin",
            Self::SecurityViolation => "security_violation",
            Self::ConfigChange => "config_change",
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Result {
    /// It was allowed, or done.
    Success,
    /// It could not be done.
    Failure,
    /// It was not allowed.
    Denied,
}

impl Result {
    /// The word of the format.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
        }
    }
}

/// Somebody who is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// What distinguishes him.
    pub id: String,
    /// What people call him.
    pub name: String,
    /// What he is here, if he is one thing.
    pub role: Option<String>,
}

/// One thing that was decided or done. It holds no secret and no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in milliseconds since 1970.
    pub unix_millis: u64,
    /// What it is about.
    pub kind: Kind,
    /// How it ended.
    pub result: Result,
    /// Who wanted it.
    pub principal: Option<Arc<Who>>,
    /// How he has proved who he is.
    pub auth_method: Option<&'static str>,
    /// What was to be done.
    pub action: Option<Cow<'static, str>>,
    /// To what.
    pub resource: Option<String>,
    /// Why it was not.
    pub error: Option<String>,
    /// What else is worth knowing.
    pub metadata: Vec<(&'static str, String)>,
    /// From where.
    pub source_ip: Option<IpAddr>,
}

impl Event {
    /// Something that happens now.
    #[must_use]
    pub fn new(kind: Kind, result: Result) -> Self {
        Self {
            unix_millis: unix_millis(),
            kind,
            result,
            principal: None,
            auth_method: None,
            action: None,
            resource: None,
            error: None,
            metadata: Vec::new(),
            source_ip: None,
        }
    }

    /// The same, but it happens now.
    #[must_use]
    pub fn now(self) -> Self {
        Self { unix_millis: unix_millis(), ..self }
    }

    /// What was to be done.
    #[must_use]
    pub fn action(mut self, action: impl Into<Cow<'static, str>>) -> Self {
        self.action = Some(match action.into() {
            Cow::Borrowed(action) => action.into(),
            Cow::Owned(action) => cut(action).into(),
        });
        self
    }

    /// To what.
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(cut(resource.into()));
        self
    }

    /// Why it was not done.
    #[must_use]
    pub fn error(mut self, error: impl Into<String>) -> Self {
        self.error = Some(cut(error.into()));
        self
    }

    /// Something else that is worth knowing.
    #[must_use]
    pub fn with(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.metadata.push((name, cut(text.into())));
        self
    }

    /// From where. An IPv4 client of an IPv6 socket is shown as what it is.
    #[must_use]
    pub fn from(mut self, address: IpAddr) -> Self {
        self.source_ip = Some(address.to_canonical());
        self
    }

    /// Who wanted it, and how he has proved who he is.
    #[must_use]
    pub fn by(mut self, who: Arc<Who>, method: Option<&'static str>) -> Self {
        (self.principal, self.auth_method) = (Some(who), method);
        self
    }
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_small_and_its_texts_are_bounded() {
        assert!(size_of::<Event>() <= 192, "{}", size_of::<Event>());
        let event = Event::new(Kind::Admin, Result::Denied);
        let event = event.action("é".repeat(2000)).error("x".repeat(2000)).with("a", "short");
        assert!(event.action.is_some_and(|text| text.len() < TEXT_BYTES_MAX + 4));
        assert!(event.error.is_some_and(|text| text.len() < TEXT_BYTES_MAX + 4));
        assert_eq!(event.metadata, [("a", "short".to_owned())]);
    }

    #[test]
    fn kinds_stand_at_their_numbers() {
        assert!(Kind::ALL.iter().enumerate().all(|(number, kind)| *kind as usize == number));
    }
}
