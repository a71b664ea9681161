//! Policies: what is allowed or forbidden beside roles.

use std::{net::IpAddr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::{
    action::{Action, Actions, Target},
    file,
    network::Network,
    principal::AuthMethod,
    resource::Resource,
    roles::{Role, Roles},
};

/// Policies of a file. Those that are about a principal are looked at with each of its requests, one after the other.
const POLICIES_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    policies: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    effect: Effect,
    actions: Vec<String>,
    principals: Option<Vec<String>>,
    methods: Option<Vec<String>>,
    roles: Option<Vec<String>>,
    resources: Option<Vec<String>>,
    keys: Option<Vec<String>>,
    keys_base64: Option<Vec<String>>,
    networks: Option<Vec<String>>,
}

/// What a policy does with what it is about.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Effect {
    /// Allows it.
    Allow,
    /// Forbids it, whatever allows it.
    Deny,
}

/// What a policy is about, whoever asks.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) effect: Effect,
    actions: Actions,
    resources: Vec<Resource>,
    /// Beginnings of keys; none: all keys, and the server.
    prefixes: Option<Vec<Vec<u8>>>,
    /// Where requests come from; empty: from anywhere.
    networks: Vec<Network>,
}

/// A rule and whom it is about.
#[derive(Debug)]
pub(super) struct Policy {
    principals: Option<Vec<String>>,
    methods: Option<Vec<AuthMethod>>,
    roles: Option<Vec<String>>,
    pub(super) rule: Arc<Rule>,
}

impl Rule {
    /// Whether it allows, or forbids, this.
    pub(super) fn applies(&self, action: Action, target: &Target<'_>, from: IpAddr) -> bool {
        self.actions.has(action)
            && self.resources.iter().any(|resource| resource.has(target))
            && (self.networks.is_empty() || self.networks.iter().any(|network| network.has(from)))
            && self.prefixes.as_ref().is_none_or(|prefixes| self.covers(prefixes, target))
    }

    /// What is forbidden in part is not done; what is allowed must be allowed as a whole.
    fn covers(&self, prefixes: &[Vec<u8>], target: &Target<'_>) -> bool {
        let Target::Entries { keys, .. } = target else { return false };
        prefixes.iter().any(|prefix| match self.effect {
            Effect::Allow => keys.are_within(prefix),
            Effect::Deny => keys.meet(prefix),
        })
    }
}

impl Policy {
    /// Whether it is about somebody who has these roles.
    pub(super) fn is_about(&self, id: &str, method: AuthMethod, roles: &[&Role]) -> bool {
        let has_role = |name: &String| roles.iter().any(|role| role.names.contains(name));
        self.principals.as_ref().is_none_or(|ids| ids.iter().any(|known| known == id))
            && self.methods.as_ref().is_none_or(|methods| methods.contains(&method))
            && self.roles.as_ref().is_none_or(|names| names.iter().any(has_role))
    }
}

/// Reads a file. With `collections`, collections are told apart.
///
/// # Errors
/// All that is wrong with it.
pub(super) fn read(
    bytes: &[u8],
    roles: &Roles,
    collections: bool,
) -> Result<Vec<Policy>, Vec<String>> {
    let File { policies } = file::read(bytes).map_err(|problem| vec![problem])?;
    if policies.len() > POLICIES_MAX {
        let count = policies.len();
        return Err(vec![format!("it holds {count} policies; up to {POLICIES_MAX} are taken")]);
    }
    let (mut read, mut problems) = (Vec::<Policy>::new(), Vec::new());
    for (index, written) in policies.into_iter().enumerate() {
        let place = format!("policies[{index}] {:?}", written.name);
        let mut reader = Reader { place: &place, problems: &mut problems };
        if written.name.is_empty() || read.iter().any(|policy| policy.rule.name == written.name) {
            reader.problem("a policy needs a name of its own");
        }
        read.push(reader.policy(written, roles, collections));
    }
    if problems.is_empty() { Ok(read) } else { Err(problems) }
}

/// Reads one policy, and gathers what is wrong with it.
struct Reader<'a> {
    place: &'a str,
    problems: &'a mut Vec<String>,
}

impl Reader<'_> {
    fn problem(&mut self, why: &str) {
        self.problems.push(format!("{}: {why}", self.place));
    }

    fn policy(&mut self, written: Written, roles: &Roles, collections: bool) -> Policy {
        let Written { name, effect, actions, principals, methods, resources, networks, .. } =
            written;
        let actions = self.each("actions", Some(actions), |text| text.parse::<Action>());
        let of = |action| match effect {
            Effect::Allow => Actions::up_to(action),
            Effect::Deny => Actions::only(action),
        };
        let actions = actions.into_iter().flatten().map(of);
        let actions = actions.fold(Actions::default(), Actions::and);
        let resources = self.each("resources", resources, |text| {
            let resource = Resource::read(text)?;
            if !collections && resource.names_a_collection() {
                return Err(format!("{text:?} needs authz.collection_permissions = true"));
            }
            Ok(resource)
        });
        let resources = resources.unwrap_or_else(|| vec![Resource::Everything]);
        let keys = self.each("keys", written.keys, |text| Ok(text.as_bytes().to_vec()));
        let binary = self.each("keys_base64", written.keys_base64, |text| {
            STANDARD.decode(text).map_err(|_| format!("{text:?} is no Base64"))
        });
        let prefixes = match (keys, binary) {
            (None, None) => None,
            (keys, binary) => Some(keys.into_iter().chain(binary).flatten().collect()),
        };
        if prefixes.is_some() && resources[..] == [Resource::Server] {
            self.problem("the server has no keys");
        }
        let networks = self.each("networks", networks, |text| text.parse::<Network>());
        let networks = networks.unwrap_or_default();
        let principals = self.each("principals", principals, |text| Ok(text.to_owned()));
        let methods = self.each("methods", methods, method);
        let known = |text: &str| match roles.find(text) {
            Some(_) => Ok(text.to_owned()),
            None => Err(roles.unknown(text)),
        };
        let roles = self.each("roles", written.roles, known);
        let rule = Rule { name, effect, actions, resources, prefixes, networks };
        Policy { principals, methods, roles, rule: Arc::new(rule) }
    }

    /// The items of a list, which may be missing, but not empty: nobody could tell whether that means all or none.
    fn each<T>(
        &mut self,
        member: &str,
        texts: Option<Vec<String>>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let texts = texts?;
        if texts.is_empty() {
            self.problem(&format!("{member} is empty; say what is meant, or leave it out for all"));
        }
        let mut items = Vec::new();
        for text in &texts {
            match read(text) {
                Ok(item) => items.push(item),
                Err(why) => self.problem(&format!("{member}: {why}")),
            }
        }
        Some(items)
    }
}

fn method(text: &str) -> Result<AuthMethod, String> {
    let methods = [AuthMethod::Mtls, AuthMethod::Jwt, AuthMethod::ApiKey, AuthMethod::Anonymous];
    let known = methods.into_iter().find(|method| method.word() == text);
    known.ok_or_else(|| {
        format!("unknown method {text:?}; there are mtls, jwt, api_key and anonymous")
    })
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;

    use super::*;
    use crate::auth::action::{Keys, ServerCommand};

    const FILE: &str = r#"
[[policies]]
name = "reports see no secrets"
effect = "deny"
principals = ["reports"]
methods = ["api_key", "jwt"]
roles = ["reader"]
resources = ["collection:users", "collection:orders*"]
keys = ["secret:"]
keys_base64 = ["AAH/"]
actions = ["read"]
networks = ["10.0.0.0/8", "fd00::/8"]

[[policies]]
name = "operators"
effect = "allow"
principals = ["alice"]
resources = ["server"]
actions = ["admin"]
"#;

    fn read(text: &str) -> Result<Vec<Policy>, Vec<String>> {
        super::read(text.as_bytes(), &Roles::read(None, true).unwrap(), true)
    }

    fn one(text: &str) -> Arc<Rule> {
        Arc::clone(&read(&format!("[[policies]]\nname = 'x'\n{text}")).unwrap()[0].rule)
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn entries<'a>(collection: &'a str, keys: Keys<'a>) -> Target<'a> {
        Target::Entries { collection, keys }
    }

    #[test]
    fn a_policy_is_about_those_who_fit_everything_that_it_names() {
        let policies = read(FILE).unwrap();
        let roles = Roles::read(None, true).unwrap();
        let (reader, user) = (roles.find("reader").unwrap(), roles.find("user").unwrap());
        let about = |id, method, role| policies[0].is_about(id, method, &[role]);
        assert!(about("reports", AuthMethod::Jwt, reader));
        assert!(!about("report", AuthMethod::Jwt, reader));
        assert!(!about("reports", AuthMethod::Mtls, reader));
        assert!(!about("reports", AuthMethod::Jwt, user));
        let rule = &policies[0].rule;
        let inside: IpAddr = [10, 1, 2, 3].into();
        let secret = entries("orders-2", Keys::One(b"secret:1"));
        assert!(rule.applies(Action::Read, &secret, inside));
        assert!(rule.applies(Action::Read, &entries("users", Keys::One(&[0, 1, 0xff, 7])), inside));
        assert!(!rule.applies(Action::Read, &secret, HERE));
        assert!(!rule.applies(Action::Write, &secret, inside));
        assert!(!rule.applies(Action::Read, &entries("users2", Keys::One(b"secret:1")), inside));
        assert!(!rule.applies(
            Action::Read,
            &Target::Server(ServerCommand { name: "STATS", subject: "" }),
            inside
        ));
    }

    #[test]
    fn what_touches_a_forbidden_key_is_forbidden_and_what_leaves_the_allowed_ones_is_not_allowed() {
        let ranges: [Keys<'_>; 4] = [
            Keys::Range(b"user:", Some(b"user;")),
            Keys::Range(b"user:a", Some(b"user:b")),
            Keys::ALL,
            Keys::Range(b"v", None),
        ];
        let applies = |effect: &str| {
            let rule = one(&format!("effect = '{effect}'\nkeys = ['user:']\nactions = ['read']"));
            ranges.map(|keys| rule.applies(Action::Read, &entries("c", keys), HERE))
        };
        assert_eq!(applies("allow"), [true, true, false, false]);
        assert_eq!(applies("deny"), [true, true, true, false]);
    }

    #[test]
    fn what_is_allowed_includes_the_actions_before_and_what_is_forbidden_does_not() {
        let target = entries("c", Keys::ALL);
        let of = |effect: &str| {
            let rule = one(&format!("effect = '{effect}'\nactions = ['write']"));
            [Action::Read, Action::Write, Action::Admin].map(|a| rule.applies(a, &target, HERE))
        };
        assert_eq!(of("allow"), [true, true, false]);
        assert_eq!(of("deny"), [false, true, false]);
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_place() {
        let text = r#"
[[policies]]
name = "x"
effect = "deny"
actions = ["fly"]
principals = []
methods = ["password"]
roles = ["ghost"]
resources = ["table:x"]
keys_base64 = ["%"]
networks = ["10.0.0.1/8"]
[[policies]]
name = "x"
effect = "allow"
actions = []
resources = ["server"]
keys = ["k"]
"#;
        let told = read(text).unwrap_err();
        let expected = [
            "policies[0] \"x\": actions: unknown action \"fly\"",
            "policies[0] \"x\": resources: unknown resource \"table:x\"",
            "policies[0] \"x\": keys_base64: \"%\" is no Base64",
            "policies[0] \"x\": networks: \"10.0.0.1/8\" has bits",
            "policies[0] \"x\": principals is empty",
            "policies[0] \"x\": methods: unknown method \"password\"",
            "policies[0] \"x\": roles: unknown role \"ghost\"",
            "policies[1] \"x\": a policy needs a name of its own",
            "policies[1] \"x\": actions is empty",
            "policies[1] \"x\": the server has no keys",
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told} is not {expected}");
        }
        assert!(
            read("[[policies]]\nname = 'x'\neffect = 'maybe'\n").unwrap_err()[0]
                .starts_with("line 3: ")
        );
        let text = "[[policies]]\nname = 'x'\neffect = 'deny'\nactions = ['read']\nresources = ['collection:x']\n";
        let merged = super::read(text.as_bytes(), &Roles::read(None, false).unwrap(), false);
        assert!(merged.unwrap_err()[0].contains("authz.collection_permissions"));
    }

    #[test]
    fn fuzz_policies() {
        let roles = Roles::read(None, true).unwrap();
        Campaign::new("policies", vec![FILE.as_bytes().to_vec()]).run(|bytes| {
            let policies = super::read(bytes, &roles, true).map_err(|all| all.join("\n"))?;
            let target = entries("users", Keys::One(b"secret:1"));
            let applies = |policy: &&Policy| policy.rule.applies(Action::Read, &target, HERE);
            Ok(policies.iter().filter(applies).count() as u64)
        });
    }
}
