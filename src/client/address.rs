//! Where the server is.

use std::fmt;

use super::failure::Failure;

/// A host, a port, and whether TLS is spoken there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
}

/// The port if nobody says.
const PORT: u16 = 7878;

impl Address {
    /// Reads `HOST`, `HOST:PORT` or one of them behind `http://` or `https://`.
    pub(crate) fn read(text: &str, tls: bool) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            Failure::usage(format!(
                "the address {text:?} {why}; it is HOST:PORT, or http:// or https:// and that"
            ))
        };
        let (rest, tls) = match text.split_once("://") {
            None => (text, tls),
            Some(("https", rest)) => (rest, true),
            Some(("http", _)) if tls => {
                return Err(wrong(
                    "begins with http://, which is without TLS, and TLS is asked for",
                ));
            }
            Some(("http", rest)) => (rest, false),
            Some(_) => return Err(wrong("has another scheme")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            // Colons inside of brackets are those of IPv6.
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong("has no port behind its last colon"))?)
            }
            _ => (rest, PORT),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_v6 = bare.is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if !is_v6 && (host.is_empty() || !host.bytes().all(is_name)) {
            return Err(wrong("has no host name"));
        }
        Ok(Self { host: host.to_owned(), port, tls })
    }

    /// The host alone, without brackets.
    pub(crate) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether what is sent there never leaves this machine.
    pub(crate) fn is_local(&self) -> bool {
        let host = self.bare_host();
        host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(out, "{scheme}://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, tls, expected) in [
            ("db", false, "http://db:7878"),
            ("db:1", false, "http://db:1"),
            ("db:1", true, "https://db:1"),
            ("https://db.example/", false, "https://db.example:7878"),
            ("http://127.0.0.1:9", false, "http://127.0.0.1:9"),
            ("[::1]:9", false, "http://[::1]:9"),
            ("[::1]", false, "http://[::1]:7878"),
        ] {
            assert_eq!(Address::read(text, tls).unwrap().to_string(), expected, "{text}");
        }
        for wrong in ["", ":7878", "db:", "db:x", "ftp://db", "http://a b", "a/b:1", "::1", "[x]:1"]
        {
            assert!(Address::read(wrong, false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_stays_on_this_machine_is_known() {
        let is_local = |text| Address::read(text, false).unwrap().is_local();
        assert!(is_local("localhost:1") && is_local("127.0.0.9:1") && is_local("[::1]:1"));
        assert!(!is_local("db:1") && !is_local("10.0.0.1:1"));
    }
}
