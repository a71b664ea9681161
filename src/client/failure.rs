//! Why a command was not done, and the exit status that says so.

use std::{error::Error, fmt, io};

use amaters_proto::errors::{ErrorCode, ErrorResponse};
use tonic::{Code, Status};

/// What went wrong, by what a script can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The server refused or failed, or a file here could not be read or written.
    Refused = 1,
    /// The command line, or a file that it names, makes no sense.
    Usage = 2,
    /// The key has no value.
    NotFound = 3,
    /// There is no connection, or it broke.
    Unreachable = 4,
    /// Credentials are missing, wrong, or not enough.
    NotAllowed = 5,
    /// Overloaded, late, or shutting down.
    TryAgain = 6,
    /// Some of the work is done, and the text says how much.
    PartOfTheWay = 7,
    /// A condition did not hold, and nothing was changed.
    Unmet = 8,
    /// Ctrl-C.
    Interrupted = 130,
}

/// What went wrong.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    /// The code of the wire, where the server sent one.
    pub(crate) code: Option<i32>,
    /// Seconds after which the server would look at it again.
    pub(crate) retry_after: Option<u32>,
    /// What to do about it, where that is not in the text already.
    pub(crate) advice: Option<&'static str>,
}

/// For whoever is recognised, but may not.
const DENIED: &str = "use other credentials, or ask the operator to allow it";

impl Failure {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Self {
        let advice = match kind {
            Kind::NotAllowed => Some(
                "give credentials with --token-file, --api-key-file or a client certificate, or ask the operator",
            ),
            Kind::TryAgain => Some("try again a little later"),
            _ => None,
        };
        Self { kind, text: text.into(), code: None, retry_after: None, advice }
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(Kind::Usage, text)
    }

    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Self::new(Kind::Refused, text)
    }

    /// A file could not be read or written.
    pub(crate) fn file(what: &str, name: impl fmt::Display, error: &io::Error) -> Self {
        Self::refused(format!("{what} {name}: {error}"))
    }

    /// An answer that no server of this protocol gives.
    pub(crate) fn nonsense(what: impl fmt::Display) -> Self {
        Self::refused(format!("the server answered with something that was not asked for: {what}"))
    }

    /// The same failure, of a part of the work.
    pub(crate) fn stopped(self, text: String) -> Self {
        // Who was interrupted is told so, also when part of the work is done.
        let kind = if self.kind == Kind::Interrupted { self.kind } else { Kind::PartOfTheWay };
        Self { kind, text, ..self }
    }

    pub(crate) fn exit(&self) -> u8 {
        self.kind as u8
    }

    /// Whether the server has said that it did nothing. It has not where time was up, a disk failed, or something broke.
    pub(crate) fn did_nothing(&self) -> bool {
        matches!(self.code, Some(2000..=3999 | 4003 | 5000..=6999 | 7002))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.text)?;
        match (self.retry_after, self.advice) {
            (Some(seconds), _) => write!(out, "; try again in {seconds} s"),
            (None, Some(advice)) => write!(out, "; {advice}"),
            (None, None) => Ok(()),
        }
    }
}

impl Error for Failure {}

impl From<ErrorResponse> for Failure {
    fn from(error: ErrorResponse) -> Self {
        let name = ErrorCode::try_from(error.code).map_or("", |code| code.as_str_name());
        let name = name.strip_prefix("ERROR_").unwrap_or("unknown code");
        let kind = match error.code {
            1000 | 7001..=7003 => Kind::TryAgain,
            3000..=3999 => Kind::NotAllowed,
            _ => Kind::Refused,
        };
        let text = format!("{} ({} {name})", error.message, error.code);
        let failure = Self::new(kind, text);
        let denied = error.code == ErrorCode::ErrorAuthInsufficientPermissions as i32;
        let advice = if denied { Some(DENIED) } else { failure.advice };
        Self { code: Some(error.code), retry_after: error.retry_after, advice, ..failure }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let (code, message) = (status.code(), status.message());
        // What this side found out has a cause; what the server said has none.
        match status.source() {
            Some(_) if message == "Timeout expired" => {
                let text = "there was no answer in time (--timeout); a write may have been done";
                return Self::new(Kind::TryAgain, text);
            }
            Some(cause) => {
                let text = format!(
                    "the connection broke, and a write may have been done: {}",
                    causes(cause)
                );
                return Self::new(Kind::Unreachable, text);
            }
            None => {}
        }
        let kind = match code {
            Code::Unauthenticated | Code::PermissionDenied => Kind::NotAllowed,
            Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unavailable
            | Code::ResourceExhausted => Kind::TryAgain,
            _ => Kind::Refused,
        };
        let text = match code {
            Code::Unimplemented => format!("this server does not know this: {message} (status 12)"),
            code => format!("{message} (status {} {code:?})", code as i32),
        };
        let failure = Self::new(kind, text);
        let advice = if code == Code::PermissionDenied { Some(DENIED) } else { failure.advice };
        Self { advice, ..failure }
    }
}

/// An error and what is behind it, each said once.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let said = error.to_string();
        if !text.contains(&said) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&said);
        }
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_band(code: i32, retry_after: Option<u32>) -> Failure {
        let message = "no".to_owned();
        ErrorResponse { code, message, retry_after, ..ErrorResponse::default() }.into()
    }

    #[test]
    fn codes_of_the_wire_become_exit_statuses() {
        for (code, exit) in [
            (1000, 6),
            (2000, 1),
            (3000, 5),
            (3002, 5),
            (4003, 1),
            (6000, 1),
            (7000, 1),
            (7002, 6),
            (9999, 1),
        ] {
            assert_eq!(in_band(code, None).exit(), exit, "{code}");
        }
        let text = in_band(7002, Some(3)).to_string();
        assert_eq!(text, "no (7002 SERVER_OVERLOADED); try again in 3 s");
        assert_eq!(in_band(9999, None).to_string(), "no (9999 unknown code)");
        // Whoever is recognised has credentials already.
        assert!(in_band(3000, None).to_string().ends_with("or ask the operator"));
        assert!(in_band(3002, None).to_string().ends_with("ask the operator to allow it"));
    }

    #[test]
    fn statuses_become_exit_statuses() {
        let failure = |code| Failure::from(Status::new(code, "no"));
        assert_eq!(failure(Code::Unauthenticated).exit(), 5);
        assert_eq!(failure(Code::ResourceExhausted).exit(), 6);
        assert_eq!(failure(Code::InvalidArgument).exit(), 1);
        assert_eq!(failure(Code::OutOfRange).to_string(), "no (status 11 OutOfRange)");
    }

    #[test]
    fn part_of_the_way_is_its_own_status_unless_interrupted() {
        assert_eq!(Failure::refused("x").stopped("y".into()).exit(), 7);
        let interrupted = Failure::new(Kind::Interrupted, "x");
        assert_eq!(interrupted.stopped("y".into()).exit(), 130);
    }
}
