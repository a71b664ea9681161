//! As much of HTTP/1.1 as probes and scrapers need, from bytes to a request and from an answer to bytes.
//!
//! `GET` and `HEAD` of a path, without a body. Everything is bounded; what is over a bound is refused, and the connection
//! ends then, because what follows cannot be trusted (RFC 9112, section 9.6).

use std::fmt::Write as _;

/// Bytes of a request line and its headers.
pub(crate) const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Headers of a request.
const HEADERS_MAX: usize = 64;

/// A request that is here whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Without the query.
    pub(crate) path: String,
    /// `HEAD`: the answer is sent without its body.
    pub(crate) head_only: bool,
    /// The `Accept` headers, joined.
    pub(crate) accept: String,
    /// Whether another request may follow on the connection.
    pub(crate) keep_alive: bool,
}

/// What bytes amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// More are needed.
    Partial,
    /// A request of so many bytes.
    Request(Request, usize),
    /// No request that is answered here.
    Refused(Status),
}

/// Status of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    ContentTooLarge,
    HeaderFieldsTooLarge,
    ServiceUnavailable,
    VersionNotSupported,
}

impl Status {
    /// Code and phrase.
    pub(crate) fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::ContentTooLarge => "413 Content Too Large",
            Self::HeaderFieldsTooLarge => "431 Request Header Fields Too Large",
            Self::ServiceUnavailable => "503 Service Unavailable",
            Self::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

/// Reads the request at the beginning of `bytes`.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    // A longer head is too long, also when its end is here.
    let within = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
    match request.parse(within) {
        Ok(httparse::Status::Complete(length)) => match understood(&request) {
            Ok(request) => Parsed::Request(request, length),
            Err(status) => Parsed::Refused(status),
        },
        Ok(httparse::Status::Partial) if bytes.len() >= HEAD_BYTES_MAX => {
            Parsed::Refused(Status::HeaderFieldsTooLarge)
        }
        Ok(httparse::Status::Partial) => Parsed::Partial,
        Err(httparse::Error::TooManyHeaders) => Parsed::Refused(Status::HeaderFieldsTooLarge),
        Err(httparse::Error::Version) => Parsed::Refused(Status::VersionNotSupported),
        Err(_) => Parsed::Refused(Status::BadRequest),
    }
}

fn understood(request: &httparse::Request<'_, '_>) -> Result<Request, Status> {
    let head_only = match request.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return Err(Status::MethodNotAllowed),
    };
    let target = request.path.unwrap_or_default();
    if !target.starts_with('/') {
        return Err(Status::BadRequest);
    }
    let path = target.split(['?', '#']).next().unwrap_or_default().to_owned();
    let (mut accept, mut keep_alive) = (String::new(), request.version == Some(1));
    for header in request.headers.iter() {
        let value = std::str::from_utf8(header.value).map_err(|_| Status::BadRequest)?.trim();
        match header.name.to_ascii_lowercase().as_str() {
            "content-length" if value != "0" => return Err(Status::ContentTooLarge),
            "transfer-encoding" => return Err(Status::ContentTooLarge),
            "accept" => {
                if !accept.is_empty() {
                    accept.push(',');
                }
                accept.push_str(value);
            }
            "connection" => {
                let has = |word: &str| {
                    value.split(',').any(|option| option.trim().eq_ignore_ascii_case(word))
                };
                keep_alive = (keep_alive || has("keep-alive")) && !has("close");
            }
            _ => {}
        }
    }
    Ok(Request { path, head_only, accept, keep_alive })
}

/// The bytes of an answer.
pub(crate) fn answer(
    status: Status,
    content_type: &str,
    body: &str,
    (head_only, keep_alive): (bool, bool),
) -> Vec<u8> {
    let mut text = String::with_capacity(body.len() + 256);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "HTTP/1.1 {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
        status.line(),
        body.len()
    );
    if status == Status::MethodNotAllowed {
        text.push_str("Allow: GET, HEAD\r\n");
    }
    if !keep_alive {
        text.push_str("Connection: close\r\n");
    }
    text.push_str("\r\n");
    if !head_only {
        text.push_str(body);
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;

    use super::*;

    const SCRAPE: &str = "GET /metrics?x=1 HTTP/1.1\r\nHost: a:9090\r\nAccept: text/plain\r\n\
                          Accept: */*;q=0.1\r\n\r\n";

    fn refused(text: &str) -> Status {
        match parse(text.as_bytes()) {
            Parsed::Refused(status) => status,
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn a_request_is_read_once_all_of_it_is_here() {
        for length in 0..SCRAPE.len() {
            assert_eq!(parse(&SCRAPE.as_bytes()[..length]), Parsed::Partial, "{length}");
        }
        let two = SCRAPE.repeat(2);
        let Parsed::Request(request, length) = parse(two.as_bytes()) else { panic!("{two}") };
        assert_eq!(length, SCRAPE.len());
        assert_eq!((request.path.as_str(), request.keep_alive), ("/metrics", true));
        assert_eq!(request.accept, "text/plain,*/*;q=0.1");
        assert!(!request.head_only);
    }

    #[test]
    fn a_connection_stays_as_its_version_and_its_peer_want() {
        for (text, expected) in [
            ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false),
            ("HEAD / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
        ] {
            let Parsed::Request(request, _) = parse(text.as_bytes()) else { panic!("{text}") };
            assert_eq!(request.keep_alive, expected, "{text}");
            assert_eq!(request.head_only, text.starts_with("HEAD"));
        }
    }

    #[test]
    fn what_is_not_answered_here_is_refused_with_the_reason() {
        assert_eq!(refused("POST / HTTP/1.1\r\n\r\n"), Status::MethodNotAllowed);
        assert_eq!(refused("GET / HTTP/2.0\r\n\r\n"), Status::VersionNotSupported);
        assert_eq!(refused("GET http://a/ HTTP/1.1\r\n\r\n"), Status::BadRequest);
        assert_eq!(refused("\0\0\r\n\r\n"), Status::BadRequest);
        assert_eq!(refused("GET / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"), Status::ContentTooLarge);
        let chunked = "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(refused(chunked), Status::ContentTooLarge);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1));
        assert_eq!(refused(&many), Status::HeaderFieldsTooLarge);
        let long = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(HEAD_BYTES_MAX));
        assert_eq!(refused(&long), Status::HeaderFieldsTooLarge);
    }

    #[test]
    fn an_answer_says_how_long_it_is_also_without_its_body() {
        let whole = answer(Status::Ok, "text/plain", "hello\n", (false, true));
        let head = answer(Status::Ok, "text/plain", "hello\n", (true, true));
        assert_eq!(whole, [&head[..], b"hello\n"].concat());
        let text = String::from_utf8(head).unwrap();
        assert!(text.contains("Content-Length: 6\r\n") && !text.contains("Connection"), "{text}");
        let refusal = answer(Status::MethodNotAllowed, "text/plain", "", (false, false));
        let text = String::from_utf8(refusal).unwrap();
        assert!(text.starts_with("HTTP/1.1 405 ") && text.contains("Allow: GET, HEAD\r\n"));
        assert!(text.contains("Connection: close\r\n"), "{text}");
    }

    /// A request that is read does not depend on what follows it.
    #[test]
    fn fuzz_http_requests() {
        let seeds = [SCRAPE, "HEAD /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"];
        Campaign::new("HTTP requests", seeds.map(|seed| seed.as_bytes().to_vec()).to_vec()).run(
            |bytes| match parse(bytes) {
                Parsed::Partial => Err("partial".to_owned()),
                Parsed::Refused(status) => Err(status.line().to_owned()),
                Parsed::Request(request, length) => {
                    assert!(request.path.starts_with('/') && length <= HEAD_BYTES_MAX);
                    let again = parse(&bytes[..length]);
                    assert_eq!(again, Parsed::Request(request.clone(), length));
                    Ok(request.path.len() as u64)
                }
            },
        );
    }
}
