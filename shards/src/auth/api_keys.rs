//! Keys that the server knows by their hash.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{date, jwt::claims::is_name, principal::Principal, shown::is_same};
use crate::failure::Failure;

/// Keys of one file.
const KEYS_MAX: usize = 100_000;
/// Bytes of a key; those in use have some dozens.
const KEY_BYTES_MAX: usize = 4096;

/// An entry of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    name: String,
    key_hash: Option<String>,
    key: Option<Zeroizing<String>>,
    user_id: String,
    #[serde(default)]
    roles: Vec<String>,
    /// For people.
    #[serde(default, rename = "attributes")]
    _attributes: BTreeMap<String, String>,
    expires_at: Option<Moment>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Moment {
    Seconds(i64),
    Text(String),
}

type Hash = [u8; 32];

/// An entry that was found good.
pub(super) struct Entry {
    pub(super) user_id: String,
    pub(super) name: String,
    pub(super) roles: Vec<String>,
    hash: Hash,
    expires_at: Option<i64>,
}

/// What a file holds.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) entries: Vec<Entry>,
    /// What is wrong with the file.
    pub(super) problems: Vec<String>,
    /// What its owner should know.
    pub(super) notices: Vec<String>,
}

impl Entries {
    /// Reads a file. With `hashes` it should hold no plain keys.
    pub(super) fn read(bytes: &[u8], hashes: bool) -> Self {
        let mut read = Self::default();
        match serde_json::from_slice::<Vec<Written>>(bytes) {
            Err(error) => {
                read.problems.push(format!(
                    "line {} column {}: {}",
                    error.line(),
                    error.column(),
                    told(&error)
                ));
            }
            Ok(written) if written.len() > KEYS_MAX => {
                read.problems
                    .push(format!("it holds {} keys; up to {KEYS_MAX} are taken", written.len()));
            }
            Ok(written) => read.take_all(written, hashes),
        }
        read
    }

    fn take_all(&mut self, written: Vec<Written>, hashes: bool) {
        let (mut ids, mut seen) = (HashMap::new(), HashMap::new());
        let mut plain = Vec::new();
        for (index, one) in written.into_iter().enumerate() {
            if let Some(first) = ids.insert(one.id.clone(), index) {
                self.problem(index, &format!("entry {first} has the same id {:?}", one.id));
            }
            if one.key.is_some() {
                plain.push(index);
            }
            match one.entry() {
                Err(why) => self.problem(index, &why),
                Ok(entry) => {
                    if let Some(first) = seen.insert(entry.hash, index) {
                        self.problem(index, &format!("entry {first} has the same key"));
                    }
                    self.entries.push(entry);
                }
            }
        }
        if hashes && let Some(first) = plain.first() {
            let count = plain.len();
            self.notices.push(format!(
                "{count} entries hold the key itself, the first of them entry {first}: whoever reads the file can use it; \
                 write key_hash"
            ));
        }
    }

    fn problem(&mut self, index: usize, why: &str) {
        self.problems.push(format!("entry {index}: {why}"));
    }
}

/// What is wrong with JSON, without the values that stand there.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let names_a_member = ["missing field", "unknown field", "duplicate field"];
    if names_a_member.iter().any(|start| text.starts_with(start)) {
        let end = text.rfind(" at line ").unwrap_or(text.len());
        return text[..end].to_owned();
    }
    if error.is_data() { "a value of the wrong type".into() } else { "it is no JSON".into() }
}

impl Written {
    fn entry(self) -> Result<Entry, String> {
        let Self { name, key_hash, key, user_id, roles, expires_at, .. } = self;
        let hash = match (key_hash, key) {
            (Some(hash), None) => {
                let bytes =
                    STANDARD.decode(hash.trim()).ok().and_then(|bytes| bytes.try_into().ok());
                bytes.ok_or("key_hash is not the Base64 of a SHA-256 (44 characters)")?
            }
            (None, Some(key)) if (1..=KEY_BYTES_MAX).contains(&key.len()) => sha256(key.as_bytes()),
            (None, Some(_)) => return Err(format!("key must have 1 to {KEY_BYTES_MAX} bytes")),
            (None, None) => return Err("key_hash is missing".into()),
            (Some(_), Some(_)) => return Err("key_hash and key: one of them is enough".into()),
        };
        if !is_name(&user_id) {
            return Err("user_id must have 1 to 256 bytes and no control characters".into());
        }
        let expires_at = match expires_at {
            None => None,
            Some(Moment::Seconds(seconds)) => Some(seconds),
            Some(Moment::Text(text)) => Some(date::unix_seconds(&text).ok_or(
                "expires_at is neither RFC 3339, as 2027-01-01T00:00:00Z, nor seconds since 1970",
            )?),
        };
        Ok(Entry { user_id, name, roles, hash, expires_at })
    }
}

fn sha256(key: &[u8]) -> Hash {
    digest(&SHA256, key).as_ref().try_into().unwrap_or_default()
}

/// The keys, to be found by what a request shows.
///
/// A key is found by eight bytes of its hash, which tell nothing of how to guess it, and then compared as a whole.
#[derive(Default)]
pub(super) struct ApiKeys {
    places: HashMap<u64, Vec<usize>>,
    keys: Vec<ApiKey>,
}

struct ApiKey {
    hash: Hash,
    expires_at: Option<i64>,
    principal: Arc<Principal>,
}

impl ApiKeys {
    /// The keys of a file, each with what its owner may do.
    pub(super) fn new(entries: Vec<Entry>, principal: impl Fn(Entry) -> Principal) -> Self {
        let mut all = Self::default();
        for (place, entry) in entries.into_iter().enumerate() {
            let (hash, expires_at) = (entry.hash, entry.expires_at);
            all.places.entry(beginning(&hash)).or_default().push(place);
            let principal = Arc::new(principal(entry));
            all.keys.push(ApiKey { hash, expires_at, principal });
        }
        all
    }

    /// Whose key it is, and until when.
    ///
    /// # Errors
    /// [`Failure::Unauthenticated`], [`Failure::Expired`].
    pub(super) fn find(
        &self,
        key: &[u8],
        now: i64,
    ) -> Result<(Arc<Principal>, Option<i64>), Failure> {
        let hash = sha256(key);
        let places = self.places.get(&beginning(&hash)).into_iter().flatten();
        let mut found =
            places.map(|place| &self.keys[*place]).filter(|key| is_same(&key.hash, &hash));
        let found = found.next().filter(|_| key.len() <= KEY_BYTES_MAX);
        let found =
            found.ok_or_else(|| Failure::Unauthenticated("the API key is not known".into()))?;
        if found.expires_at.is_some_and(|end| now >= end) {
            return Err(Failure::Expired("the API key has expired".into()));
        }
        Ok((Arc::clone(&found.principal), found.expires_at))
    }
}

fn beginning(hash: &Hash) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Roles that entries name and nobody defines.
pub(super) fn strange_roles(
    entries: &[Entry],
    is_known: impl Fn(&str) -> bool,
) -> impl Iterator<Item = (usize, &str)> {
    let mut told = HashSet::new();
    let named = entries
        .iter()
        .enumerate()
        .flat_map(|(index, entry)| entry.roles.iter().map(move |role| (index, role.as_str())));
    named.filter(move |(_, role)| !is_known(role) && told.insert(*role))
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;

    use super::*;
    use crate::auth::{grants::Grants, principal::AuthMethod};

    const HASH_OF_HELLO: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";

    fn read(text: &str) -> Entries {
        Entries::read(text.as_bytes(), true)
    }

    fn keys(entries: Entries) -> ApiKeys {
        ApiKeys::new(entries.entries, |entry| Principal {
            id: entry.user_id,
            name: entry.name,
            roles: entry.roles,
            method: AuthMethod::ApiKey,
            grants: Grants::default(),
        })
    }

    #[test]
    fn a_key_is_found_by_hash_or_by_itself_until_it_expires() {
        let text = format!(
            r#"[{{"id": "1", "name": "n", "key_hash": "{HASH_OF_HELLO}", "user_id": "a", "expires_at": 100}},
                {{"id": "2", "name": "n", "key": "plain", "user_id": "b", "expires_at": "1970-01-01T00:01:00Z",
                  "roles": ["reader"], "attributes": {{"x": "y"}}}}]"#
        );
        let entries = read(&text);
        assert!(entries.problems.is_empty(), "{:?}", entries.problems);
        assert!(entries.notices[0].contains("entry 1"), "{:?}", entries.notices);
        let keys = keys(entries);
        let found = |key: &str, now| {
            let found = keys.find(key.as_bytes(), now);
            found.map(|(principal, until)| (principal.id.clone(), until))
        };
        assert_eq!(found("hello", 99).unwrap(), ("a".into(), Some(100)));
        assert!(matches!(found("hello", 100), Err(Failure::Expired(_))));
        assert_eq!(found("plain", 59).unwrap().0, "b");
        assert!(matches!(found("plain", 60), Err(Failure::Expired(_))));
        assert!(matches!(found("other", 0), Err(Failure::Unauthenticated(_))));
    }

    #[test]
    fn all_that_is_wrong_is_told_with_its_place_and_no_key_is() {
        let text = format!(
            r#"[{{"id": "1", "name": "n", "key_hash": "{HASH_OF_HELLO}", "user_id": "a"}},
                {{"id": "1", "name": "n", "key": "hello", "user_id": "a"}},
                {{"id": "2", "name": "n", "key_hash": "sEcrEt", "user_id": "a"}},
                {{"id": "3", "name": "n", "user_id": "a"}},
                {{"id": "4", "name": "n", "key": "k", "user_id": "", "expires_at": 1}},
                {{"id": "5", "name": "n", "key": "l", "user_id": "x", "expires_at": "tomorrow"}}]"#
        );
        let told = read(&text).problems.join("\n");
        let expected = [
            "entry 1: entry 0 has the same id \"1\"",
            "entry 1: entry 0 has the same key",
            "entry 2: key_hash is not",
            "entry 3: key_hash is missing",
            "entry 4: user_id must",
            "entry 5: expires_at is neither",
        ];
        for line in expected {
            assert!(told.contains(line), "{line} in\n{told}");
        }
        assert_eq!(told.lines().count(), expected.len());
        let wrong =
            read(r#"[{"id": "1", "name": "n", "key": "sEcrEt", "user_id": "a", "expire_at": 1}]"#);
        assert!(wrong.problems[0].contains("unknown field `expire_at`"), "{:?}", wrong.problems);
        for secret in [r#"[{"id": {"sEcrEt": 1}}]"#, r#""sEcrEt""#, "[{sEcrEt}]"] {
            assert!(!read(secret).problems[0].contains("sEcrEt"), "{:?}", read(secret).problems);
        }
    }

    #[test]
    fn roles_that_nobody_defines_are_named_once() {
        let text = r#"[{"id": "1", "name": "n", "key": "a", "user_id": "a", "roles": ["user", "ghost"]},
                       {"id": "2", "name": "n", "key": "b", "user_id": "a", "roles": ["ghost"]}]"#;
        let entries = read(text).entries;
        let strange: Vec<_> = strange_roles(&entries, |role| role == "user").collect();
        assert_eq!(strange, [(0, "ghost")]);
    }

    /// A file is refused in words, or each of its keys is found by its hash.
    #[test]
    fn fuzz_api_keys() {
        let text = format!(
            r#"[{{"id": "1", "name": "n", "key_hash": "{HASH_OF_HELLO}", "user_id": "a", "expires_at": 100}},
                {{"id": "2", "name": "n", "key": "plain", "user_id": "b", "expires_at": "2027-01-01T00:00:00Z",
                  "roles": ["reader"], "attributes": {{"x": "y"}}}}]"#
        );
        Campaign::new("api keys", vec![text.into_bytes()]).run(|bytes| {
            let entries = Entries::read(bytes, true);
            if !entries.problems.is_empty() {
                return Err(entries.problems.join("\n"));
            }
            let count = entries.entries.len();
            let keys = keys(entries);
            assert_eq!(keys.places.values().map(Vec::len).sum::<usize>(), count);
            Ok(count as u64)
        });
    }
}
