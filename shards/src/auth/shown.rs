//! What a caller shows to be recognised by.

use http::HeaderValue;

use super::principal::AuthMethod;

/// What a request shows, where it lies.
#[derive(Clone, Copy)]
pub(super) enum Shown<'a> {
    /// Nothing that the server looks at.
    Nothing,
    /// The certificate of its connection.
    Certificate,
    /// A header with a token.
    Token(&'a HeaderValue),
    /// A header with an API key.
    ApiKey(&'a HeaderValue),
}

/// The same, for longer than the request.
pub(super) enum Kept {
    Nothing,
    Certificate,
    Token(HeaderValue),
    ApiKey(HeaderValue),
}

impl Shown<'_> {
    /// How it is to be recognised by that.
    pub(super) fn method(self) -> Option<AuthMethod> {
        match self {
            Self::Nothing => None,
            Self::Certificate => Some(AuthMethod::Mtls),
            Self::Token(_) => Some(AuthMethod::Jwt),
            Self::ApiKey(_) => Some(AuthMethod::ApiKey),
        }
    }

    pub(super) fn kept(self) -> Kept {
        match self {
            Self::Nothing => Kept::Nothing,
            Self::Certificate => Kept::Certificate,
            Self::Token(value) => Kept::Token(value.clone()),
            Self::ApiKey(value) => Kept::ApiKey(value.clone()),
        }
    }
}

impl Kept {
    pub(super) fn shown(&self) -> Shown<'_> {
        match self {
            Self::Nothing => Shown::Nothing,
            Self::Certificate => Shown::Certificate,
            Self::Token(value) => Shown::Token(value),
            Self::ApiKey(value) => Shown::ApiKey(value),
        }
    }

    /// Whether a request of the same connection shows the same.
    pub(super) fn is_shown(&self, shown: Shown<'_>) -> bool {
        match (self.shown(), shown) {
            (Shown::Nothing, Shown::Nothing) | (Shown::Certificate, Shown::Certificate) => true,
            (Shown::Token(kept), Shown::Token(shown))
            | (Shown::ApiKey(kept), Shown::ApiKey(shown)) => {
                is_same(kept.as_bytes(), shown.as_bytes())
            }
            _ => false,
        }
    }
}

/// Compares in a time that tells the length of secrets and nothing else of them.
pub(super) fn is_same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let differing = left.iter().zip(right).fold(0, |all, (left, right)| all | (left ^ right));
    std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_known_again_and_nothing_else() {
        let header = |text| HeaderValue::from_static(text);
        let (token, other) = (header("Bearer abc"), header("Bearer abd"));
        let kept = Shown::Token(&token).kept();
        assert!(kept.is_shown(Shown::Token(&token)) && !kept.is_shown(Shown::Token(&other)));
        assert!(!kept.is_shown(Shown::ApiKey(&token)) && !kept.is_shown(Shown::Nothing));
        assert!(Shown::Nothing.kept().is_shown(Shown::Nothing));
        assert!(!is_same(b"a", b"ab") && is_same(b"", b""));
    }
}
