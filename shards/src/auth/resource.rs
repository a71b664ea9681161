//! What permissions and policies are about.

use super::action::Target;

/// Some of what there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    /// Every collection and the server.
    Everything,
    /// Every collection.
    Collections,
    /// The collection of this name.
    Collection(String),
    /// The collections whose names begin so.
    Beginning(String),
    /// The server.
    Server,
}

impl Resource {
    /// Reads `*`, `collection:*`, `collection:NAME`, `collection:BEGINNING*` or `server`.
    ///
    /// # Errors
    /// What is there instead.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("collection:")) {
            ("*", _) => Ok(Self::Everything),
            ("server", _) => Ok(Self::Server),
            (_, Some("*")) => Ok(Self::Collections),
            (_, Some(name)) if !name.is_empty() => Ok(match name.strip_suffix('*') {
                Some(beginning) => Self::Beginning(beginning.to_owned()),
                None => Self::Collection(name.to_owned()),
            }),
            _ => Err(format!(
                "unknown resource {text:?}; there are *, collection:*, collection:NAME and server"
            )),
        }
    }

    /// Whether it tells collections apart.
    pub(super) fn names_a_collection(&self) -> bool {
        matches!(self, Self::Collection(_) | Self::Beginning(_))
    }

    pub(super) fn has(&self, target: &Target<'_>) -> bool {
        let Target::Entries { collection, .. } = target else {
            return matches!(self, Self::Everything | Self::Server);
        };
        match self {
            Self::Everything | Self::Collections => true,
            Self::Collection(name) => name == collection,
            Self::Beginning(beginning) => collection.starts_with(beginning.as_str()),
            Self::Server => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::action::{Keys, ServerCommand};

    #[test]
    fn resources_have_what_their_words_say() {
        let targets = ["orders", "orders-old", "users"]
            .map(|collection| Target::Entries { collection, keys: Keys::ALL });
        let targets = [
            targets[0],
            targets[1],
            targets[2],
            Target::Server(ServerCommand { name: "STATS", subject: "" }),
        ];
        let has = |text| targets.map(|target| Resource::read(text).unwrap().has(&target));
        assert_eq!(has("*"), [true; 4]);
        assert_eq!(has("collection:*"), [true, true, true, false]);
        assert_eq!(has("collection:orders"), [true, false, false, false]);
        assert_eq!(has("collection:orders*"), [true, true, false, false]);
        assert_eq!(has("server"), [false, false, false, true]);
        for wrong in ["", "collection:", "collections:*", "Server", "orders"] {
            assert!(Resource::read(wrong).unwrap_err().contains("unknown resource"), "{wrong}");
        }
    }
}
