//! Roles: names for permissions, which may inherit from each other.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{
    action::{Action, Actions},
    file,
    jwt::claims::is_name,
    resource::Resource,
};

/// Roles of a file.
const ROLES_MAX: usize = 1000;
/// Collections that one role names, with those it inherits.
const COLLECTIONS_MAX: usize = 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    roles: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    /// For people.
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default)]
    permissions: Vec<Permission>,
    #[serde(default)]
    inherits: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Permission {
    resource: String,
    actions: Vec<String>,
}

/// What a role, or several together, may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Permissions {
    /// To every collection.
    pub(super) everywhere: Actions,
    /// To some collections.
    pub(super) collections: BTreeMap<String, Actions>,
    /// To the server.
    pub(super) server: Actions,
}

impl Permissions {
    fn grant(&mut self, resource: Resource, actions: Actions) {
        match resource {
            Resource::Everything => {
                self.everywhere = self.everywhere.and(actions);
                self.server = self.server.and(actions);
            }
            Resource::Collections => self.everywhere = self.everywhere.and(actions),
            Resource::Server => self.server = self.server.and(actions),
            Resource::Collection(name) | Resource::Beginning(name) => {
                let granted = self.collections.entry(name).or_default();
                *granted = granted.and(actions);
            }
        }
    }

    /// Takes those of another role too.
    pub(super) fn add(&mut self, more: &Self) {
        self.everywhere = self.everywhere.and(more.everywhere);
        self.server = self.server.and(more.server);
        for (name, actions) in &more.collections {
            let granted = self.collections.entry(name.clone()).or_default();
            *granted = granted.and(*actions);
        }
    }
}

/// A role whose inheritance was followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) permissions: Permissions,
    /// Its own name, and those of the roles that it inherits from.
    pub(super) names: BTreeSet<String>,
}

/// All roles, by their name.
#[derive(Debug, Default)]
pub(super) struct Roles(BTreeMap<String, Role>);

/// A role as it was written.
struct Draft {
    permissions: Permissions,
    inherits: Vec<String>,
}

impl Roles {
    /// Those that are always there, and those of a file over them. With `collections`, collections are told apart.
    ///
    /// # Errors
    /// All that is wrong with the file.
    pub(super) fn read(bytes: Option<&[u8]>, collections: bool) -> Result<Self, Vec<String>> {
        let mut drafts = built_in();
        let mut problems = Vec::new();
        let written = bytes.map_or(Ok(File { roles: Vec::new() }), file::read);
        let File { roles } = written.map_err(|problem| vec![problem])?;
        if roles.len() > ROLES_MAX {
            return Err(vec![format!(
                "it holds {} roles; up to {ROLES_MAX} are taken",
                roles.len()
            )]);
        }
        let mut seen = BTreeSet::new();
        for (index, role) in roles.into_iter().enumerate() {
            let at_role = |why: String| format!("roles[{index}] {:?}: {why}", role.name);
            if !is_name(&role.name) {
                problems
                    .push(at_role("a name has 1 to 256 bytes, and no control characters".into()));
            }
            if !seen.insert(role.name.clone()) {
                problems.push(at_role("an earlier role has the same name".into()));
            }
            let mut permissions = Permissions::default();
            for (number, permission) in role.permissions.iter().enumerate() {
                let granted = permission.read(collections);
                match granted {
                    Ok((resource, actions)) => permissions.grant(resource, actions),
                    Err(why) => problems.push(at_role(format!("permissions[{number}]: {why}"))),
                }
            }
            drafts.insert(role.name, Draft { permissions, inherits: role.inherits });
        }
        let roles = Family::new(&drafts).resolve(&mut problems);
        if problems.is_empty() { Ok(Self(roles)) } else { Err(problems) }
    }

    /// The role of this name.
    pub(super) fn find(&self, name: &str) -> Option<&Role> {
        self.0.get(name)
    }

    /// For a refusal.
    pub(super) fn unknown(&self, name: &str) -> String {
        /// Names that are listed.
        const LISTED_MAX: usize = 10;
        let known: Vec<_> = self.0.keys().take(LISTED_MAX).map(String::as_str).collect();
        let more = if self.0.len() > LISTED_MAX { ", …" } else { "" };
        format!("unknown role {name:?}; there are {}{more}", known.join(", "))
    }
}

fn built_in() -> BTreeMap<String, Draft> {
    let role = |name: &str, resource, actions| {
        let mut permissions = Permissions::default();
        permissions.grant(resource, actions);
        (name.to_owned(), Draft { permissions, inherits: Vec::new() })
    };
    BTreeMap::from([
        role("admin", Resource::Everything, Actions::ALL),
        role("user", Resource::Collections, Actions::up_to(Action::Write)),
        role("reader", Resource::Collections, Actions::up_to(Action::Read)),
    ])
}

impl Permission {
    fn read(&self, collections: bool) -> Result<(Resource, Actions), String> {
        let mut resource = Resource::read(&self.resource)?;
        if let Resource::Beginning(_) = resource {
            return Err(format!(
                "unknown resource {:?}: beginnings of names are for policies; a role names a collection, or all",
                self.resource
            ));
        }
        if !collections && resource.names_a_collection() {
            resource = Resource::Collections;
        }
        if self.actions.is_empty() {
            return Err("actions is empty".into());
        }
        let mut actions = Actions::default();
        for action in &self.actions {
            actions = actions.and(Actions::up_to(action.parse()?));
        }
        Ok((resource, actions))
    }
}

/// Follows who inherits from whom.
struct Family<'a> {
    drafts: &'a BTreeMap<String, Draft>,
    done: BTreeMap<String, Role>,
}

impl<'a> Family<'a> {
    fn new(drafts: &'a BTreeMap<String, Draft>) -> Self {
        Self { drafts, done: BTreeMap::new() }
    }

    fn resolve(mut self, problems: &mut Vec<String>) -> BTreeMap<String, Role> {
        for name in self.drafts.keys() {
            if !self.done.contains_key(name) {
                self.follow(name, problems);
            }
        }
        self.done
    }

    /// Goes up from a role until it and all that it inherits from are done. What is on the way may be long, so it is a list.
    fn follow(&mut self, name: &'a str, problems: &mut Vec<String>) {
        // Each with the number of its parents that are done.
        let mut way: Vec<(&str, usize)> = vec![(name, 0)];
        while let Some((name, next)) = way.last_mut() {
            let name = *name;
            let draft = &self.drafts[name];
            let Some(parent) = draft.inherits.get(*next) else {
                way.pop();
                let role = self.role(name, draft, problems);
                self.done.insert(name.to_owned(), role);
                continue;
            };
            *next += 1;
            if self.done.contains_key(parent) {
                continue;
            }
            if let Some(begin) = way.iter().position(|(name, _)| name == parent) {
                let mut cycle: Vec<_> = way[begin..].iter().map(|(name, _)| *name).collect();
                cycle.push(parent);
                problems.push(format!(
                    "roles inherit from each other in a circle: {}",
                    cycle.join(" -> ")
                ));
            } else if self.drafts.contains_key(parent) {
                way.push((parent, 0));
            } else {
                problems
                    .push(format!("role {name:?} inherits from {parent:?}, which is not defined"));
            }
        }
    }

    fn role(&self, name: &str, draft: &Draft, problems: &mut Vec<String>) -> Role {
        let mut role =
            Role { permissions: draft.permissions.clone(), names: [name.to_owned()].into() };
        // Those of a circle are missing here; it is refused anyway.
        for parent in draft.inherits.iter().filter_map(|parent| self.done.get(parent)) {
            role.permissions.add(&parent.permissions);
            role.names.extend(parent.names.iter().cloned());
        }
        let count = role.permissions.collections.len();
        if count > COLLECTIONS_MAX {
            problems.push(format!(
                "role {name:?} names {count} collections, with those it inherits; up to {COLLECTIONS_MAX} are taken"
            ));
            role.permissions.collections.clear();
        }
        role
    }
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;

    use super::*;

    fn read(text: &str) -> Result<Roles, Vec<String>> {
        Roles::read(Some(text.as_bytes()), true)
    }

    const FILE: &str = r#"
[[roles]]
name = "orders"
description = "those who take orders"
permissions = [{ resource = "collection:orders", actions = ["write"] }]
inherits = ["reader"]

[[roles]]
name = "chief"
permissions = [{ resource = "server", actions = ["admin"] }]
inherits = ["orders"]
"#;

    #[test]
    fn the_built_in_roles_are_there_without_a_file() {
        let roles = Roles::read(None, true).unwrap();
        let permissions = |name| &roles.find(name).unwrap().permissions;
        let (all, entries) = (Actions::ALL, Actions::OF_ENTRIES);
        let collections = BTreeMap::new;
        let expected = Permissions { everywhere: all, collections: collections(), server: all };
        assert_eq!(permissions("admin"), &expected);
        let expected = Permissions {
            everywhere: entries,
            collections: collections(),
            ..Permissions::default()
        };
        assert_eq!(permissions("user"), &expected);
        assert_eq!(permissions("reader").everywhere, Actions::up_to(Action::Read));
        assert!(roles.unknown("x").contains("there are admin, reader, user"));
    }

    #[test]
    fn permissions_are_inherited_over_generations_and_json_says_the_same() {
        let roles = read(FILE).unwrap();
        let chief = roles.find("chief").unwrap();
        assert_eq!(chief.permissions.everywhere, Actions::up_to(Action::Read));
        assert_eq!(chief.permissions.collections["orders"], Actions::up_to(Action::Write));
        assert_eq!(chief.permissions.server, Actions::ALL);
        assert_eq!(chief.names, ["chief", "orders", "reader"].map(str::to_owned).into());
        let json = serde_json::to_string(&toml::from_str::<toml::Table>(FILE).unwrap()).unwrap();
        assert_eq!(read(&json).unwrap().0, roles.0);
        let merged = Roles::read(Some(FILE.as_bytes()), false).unwrap();
        assert_eq!(
            merged.find("orders").unwrap().permissions.everywhere,
            Actions::up_to(Action::Write)
        );
    }

    #[test]
    fn circles_and_everything_else_that_is_wrong_are_told_at_once() {
        let text = r#"
[[roles]]
name = "a"
inherits = ["b"]
[[roles]]
name = "b"
inherits = ["c"]
[[roles]]
name = "c"
inherits = ["a", "ghost"]
permissions = [{ resource = "orders", actions = ["read"] }, { resource = "*", actions = ["fly"] },
               { resource = "collection:x*", actions = ["read"] }, { resource = "*", actions = [] }]
[[roles]]
name = "d"
[[roles]]
name = "d"
"#;
        let told = read(text).unwrap_err();
        let expected = [
            "roles[2] \"c\": permissions[0]: unknown resource \"orders\"",
            "roles[2] \"c\": permissions[1]: unknown action \"fly\"",
            "roles[2] \"c\": permissions[2]: unknown resource \"collection:x*\"",
            "roles[2] \"c\": permissions[3]: actions is empty",
            "roles[4] \"d\": an earlier role has the same name",
            "roles inherit from each other in a circle: a -> b -> c -> a",
            "role \"c\" inherits from \"ghost\", which is not defined",
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told} is not {expected}");
        }
        let own = read("[[roles]]\nname = \"x\"\ninherits = [\"x\"]\n").unwrap_err();
        assert_eq!(own, ["roles inherit from each other in a circle: x -> x"]);
        assert!(
            read("[[roles]]\nname = \"x\"\nrole = 1\n").unwrap_err()[0].starts_with("line 3: ")
        );
    }

    /// A role is found whole, however long the way to its ancestors is.
    #[test]
    fn long_lines_of_ancestors_are_followed() {
        let generation =
            |n: usize| format!("[[roles]]\nname = \"r{n}\"\ninherits = [\"r{}\"]\n", n + 1);
        let mut text: String = (0..ROLES_MAX - 1).map(generation).collect();
        text.push_str(&format!(
            "[[roles]]\nname = \"r{}\"\npermissions = [{{ resource = \"server\", actions = [\"read\"] }}]\n",
            ROLES_MAX - 1
        ));
        let roles = read(&text).unwrap();
        assert_eq!(roles.find("r0").unwrap().permissions.server, Actions::up_to(Action::Read));
        text.push_str("[[roles]]\nname = \"one more\"\n");
        assert!(read(&text).unwrap_err()[0].contains("up to 1000"));
    }

    #[test]
    fn fuzz_roles() {
        let json = serde_json::to_string(&toml::from_str::<toml::Table>(FILE).unwrap()).unwrap();
        let seeds = vec![FILE.as_bytes().to_vec(), json.into_bytes()];
        Campaign::new("roles", seeds).run(|bytes| {
            let roles = Roles::read(Some(bytes), true).map_err(|all| all.join("\n"))?;
            for role in roles.0.values() {
                assert!(role.names.iter().all(|name| roles.find(name).is_some()));
                assert!(role.permissions.collections.len() <= COLLECTIONS_MAX);
            }
            Ok(roles.0.len() as u64)
        });
    }
}
