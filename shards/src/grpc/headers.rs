//! Header lists: made once, cloned for each answer; and what requests' headers must say.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};

use super::{
    status::{Code, Status},
    timeout,
};

static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
static GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
static GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
static GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// How a call's messages may be encoded, in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Identity,
    /// By gzip, each message by itself.
    Gzip,
}

/// The header lists of answers.
pub struct Headers {
    response: HeaderMap,
    trailers: HeaderMap,
}

impl Headers {
    /// Makes them.
    pub fn new() -> Self {
        let mut response = HeaderMap::with_capacity(2);
        response.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        response.insert(&GRPC_ACCEPT_ENCODING, HeaderValue::from_static("gzip,identity"));
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert(&GRPC_STATUS, HeaderValue::from_static("0"));
        Self { response, trailers }
    }

    /// The head of an answer whose messages are encoded so.
    pub fn response(&self, encoding: Encoding) -> Response<()> {
        let mut response = Response::new(());
        *response.headers_mut() = self.response.clone();
        if encoding == Encoding::Gzip {
            response.headers_mut().insert(&GRPC_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    /// The end of an answer that is well.
    pub fn trailers(&self) -> HeaderMap {
        self.trailers.clone()
    }

    /// A whole answer that is nothing but a status ("Trailers-Only").
    pub fn status_only(&self, status: &Status) -> Response<()> {
        let mut response = self.response(Encoding::Identity);
        status.write(response.headers_mut());
        response
    }
}

/// An answer for what is no gRPC at all: plain HTTP, as the gRPC specification asks.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// In HTTP's own words.
    Http(StatusCode),
    /// In gRPC's.
    Status(Status),
}

/// Refuses what is no gRPC call.
///
/// # Errors
/// The answer to give.
pub fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    if request.method() != Method::POST {
        return Err(Refusal::Http(StatusCode::METHOD_NOT_ALLOWED));
    }
    let content_type = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    match content_type {
        Some(kind) if kind.starts_with(b"application/grpc") => match kind.get(16) {
            None | Some(b'+' | b';') => Ok(()),
            Some(_) => Err(Refusal::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
        },
        _ => Err(Refusal::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
    }
}

/// How the messages of the request are encoded.
///
/// # Errors
/// An encoding that is not spoken here.
pub fn encoding(headers: &HeaderMap) -> Result<Encoding, Status> {
    match headers.get(&GRPC_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(Encoding::Identity),
        Some(b"gzip") => Ok(Encoding::Gzip),
        Some(other) => Err(Status::new(
            Code::Unimplemented,
            format!(
                "grpc-encoding {} is not supported; gzip and identity are",
                String::from_utf8_lossy(other)
            ),
        )),
    }
}

/// Whether the answers may be packed: the client takes gzip and uses it itself. Ciphertexts do not
/// compress, so it is done only for those who show that they want it.
pub fn answers_encoding(headers: &HeaderMap, requests: Encoding) -> Encoding {
    let accepted = headers.get(&GRPC_ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let gzip = accepted
        .is_some_and(|list| list.split(',').any(|name| name.trim().eq_ignore_ascii_case("gzip")));
    if gzip { requests } else { Encoding::Identity }
}

/// The time that the client gives the call.
///
/// # Errors
/// A `grpc-timeout` that the format does not allow.
pub fn timeout(headers: &HeaderMap) -> Result<Option<std::time::Duration>, Status> {
    let Some(value) = headers.get(&GRPC_TIMEOUT) else { return Ok(None) };
    match timeout::parse(value.as_bytes()) {
        Some(timeout) => Ok(Some(timeout)),
        None => Err(Status::new(
            Code::InvalidArgument,
            format!("malformed grpc-timeout: {}", String::from_utf8_lossy(value.as_bytes())),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, content_type: &'static str) -> Request<()> {
        let request = Request::builder().method(method);
        request.header(header::CONTENT_TYPE, content_type).body(()).unwrap()
    }

    #[test]
    fn only_grpc_calls_are_let_in() {
        for good in ["application/grpc", "application/grpc+proto", "application/grpc;x=y"] {
            assert_eq!(check(&request(Method::POST, good)), Ok(()));
        }
        for bad in ["application/json", "application/grpc-web", ""] {
            assert_eq!(
                check(&request(Method::POST, bad)),
                Err(Refusal::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE))
            );
        }
        assert_eq!(
            check(&request(Method::GET, "application/grpc")),
            Err(Refusal::Http(StatusCode::METHOD_NOT_ALLOWED))
        );
    }

    #[test]
    fn answers_are_packed_only_for_those_who_pack_and_accept() {
        let mut headers = HeaderMap::new();
        assert_eq!(answers_encoding(&headers, Encoding::Gzip), Encoding::Identity);
        headers.insert(&GRPC_ACCEPT_ENCODING, HeaderValue::from_static("identity, gzip"));
        assert_eq!(answers_encoding(&headers, Encoding::Gzip), Encoding::Gzip);
        assert_eq!(answers_encoding(&headers, Encoding::Identity), Encoding::Identity);
        headers.insert(&GRPC_ENCODING, HeaderValue::from_static("br"));
        assert_eq!(encoding(&headers).unwrap_err().code, Code::Unimplemented);
    }
}
