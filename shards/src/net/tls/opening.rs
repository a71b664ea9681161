//! The first bytes of a connection: whether the client speaks what this port speaks.
//!
//! ```text
//!   TLS       16 03 …                      (handshake record, RFC 8446, section 5.1)
//!   HTTP/2    PRI * HTTP/2.0 …             (RFC 9113, section 3.4)
//!   HTTP/1    METHOD SP …
//! ```

/// What a client begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// A record of a TLS handshake.
    Tls,
    /// The preface of HTTP/2 in plain text.
    Http2,
    /// A request of HTTP/1 in plain text.
    Http1,
    /// Something else, or too little to tell.
    Other,
}

impl Opening {
    /// What begins so. Only as many bytes are looked at as tell the kinds apart.
    pub fn of(bytes: &[u8]) -> Self {
        const METHODS: [&[u8]; 8] =
            [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT "];
        match bytes {
            [0x16] | [0x16, 0x03, ..] => Self::Tls,
            _ if bytes.starts_with(b"PRI * ") => Self::Http2,
            _ if METHODS.iter().any(|method| bytes.starts_with(method)) => Self::Http1,
            _ => Self::Other,
        }
    }

    /// What was sent, as the subject of a log line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tls => "TLS",
            Self::Http2 => "HTTP/2 in plain text",
            Self::Http1 => "HTTP/1 in plain text",
            Self::Other => "something that is no TLS",
        }
    }

    /// The farewell that such a client can read, from a port that speaks TLS.
    pub fn farewell(self) -> Vec<u8> {
        const TEXT: &str = "this port speaks TLS: use https://";
        /// RFC 9113, section 7.
        const INADEQUATE_SECURITY: u8 = 0xc;

        match self {
            Self::Http2 => goaway(INADEQUATE_SECURITY, TEXT.as_bytes()),
            Self::Http1 => {
                let head = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\n";
                let length = TEXT.len() + 1;
                let body = format!("content-type: text/plain\r\ncontent-length: {length}\r\n\r\n");
                format!("{head}{body}{TEXT}\n").into_bytes()
            }
            Self::Tls | Self::Other => Vec::new(),
        }
    }
}

/// An empty SETTINGS frame, as HTTP/2 wants one first, and GOAWAY with a code and a text (RFC 9113,
/// sections 3.4 and 6.8).
pub fn goaway(code: u8, text: &[u8]) -> Vec<u8> {
    let bytes = 8 + u8::try_from(text.len()).expect("farewells are short");
    let mut frames = vec![0, 0, 0, 4, 0, 0, 0, 0, 0];
    frames.extend([0, 0, bytes, 7, 0, 0, 0, 0, 0]);
    frames.extend([0, 0, 0, 0, 0, 0, 0, code]);
    frames.extend(text);
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that are enough to tell.
    const OPENING_BYTES: usize = 8;

    #[test]
    fn clients_are_told_by_what_they_begin_with() {
        for (bytes, opening) in [
            (&b"\x16\x03\x01\x02\x00\x01"[..], Opening::Tls),
            (b"\x16", Opening::Tls),
            (b"\x16\x02\x01", Opening::Other),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Opening::Http2),
            (b"PRI", Opening::Other),
            (b"GET / HTTP/1.1\r\n", Opening::Http1),
            (b"OPTIONS * HTTP/1.1", Opening::Http1),
            (b"GETTING", Opening::Other),
            (b"", Opening::Other),
        ] {
            assert_eq!(Opening::of(bytes), opening, "{bytes:?}");
            let first = &bytes[..bytes.len().min(OPENING_BYTES)];
            assert_eq!(Opening::of(first), opening, "{OPENING_BYTES} bytes of {bytes:?}");
        }
    }

    #[test]
    fn a_farewell_has_the_lengths_that_it_says() {
        let frames = Opening::Http2.farewell();
        assert_eq!(usize::from(frames[11]), frames.len() - 18);
        let text = String::from_utf8(Opening::Http1.farewell()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{text}");
    }
}
