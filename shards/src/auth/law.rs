//! From a name and its roles to a principal with all that it may do.

use super::{
    action::Actions,
    grants::Grants,
    policies::{self, Policy},
    principal::{AuthMethod, Principal},
    roles::{Permissions, Role, Roles},
    settings::{AuthzSettings, GuardProblem, Sources},
};

/// Roles, policies and what holds beside them; none: everything is allowed.
#[derive(Debug)]
pub(super) struct Law(Option<Written>);

#[derive(Debug)]
struct Written {
    settings: AuthzSettings,
    roles: Roles,
    policies: Vec<Policy>,
}

impl Law {
    /// Allows everything to whoever has credentials.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Reads the files.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub(super) fn read(
        settings: Option<&AuthzSettings>,
        sources: &Sources,
    ) -> Result<Self, Vec<GuardProblem>> {
        let Some(settings) = settings else { return Ok(Self(None)) };
        let of_key = |key| move |why| GuardProblem { key, why };
        let all = |key, problems: Vec<String>| problems.into_iter().map(of_key(key)).collect();
        let collections = settings.collection_permissions;
        let bytes = sources.roles.as_ref().map(|source| &source.bytes[..]);
        let roles = Roles::read(bytes, collections)
            .map_err(|problems| -> Vec<_> { all("authz.roles_file", problems) })?;
        let mut problems = Vec::new();
        let wanted = [
            ("authz.default_role", Some(&settings.default_role)),
            ("authz.anonymous_role", settings.anonymous_role.as_ref()),
        ];
        for (key, name) in wanted {
            if let Some(name) = name.filter(|name| roles.find(name).is_none()) {
                problems.push(of_key(key)(roles.unknown(name)));
            }
        }
        let policies = sources
            .policies
            .as_ref()
            .map_or(Ok(Vec::new()), |source| policies::read(&source.bytes, &roles, collections));
        match policies {
            Ok(policies) if problems.is_empty() => {
                Ok(Self(Some(Written { settings: settings.clone(), roles, policies })))
            }
            Ok(_) => Err(problems),
            Err(wrong) => {
                problems.extend(wrong.into_iter().map(of_key("authz.policies_file")));
                Err(problems)
            }
        }
    }

    /// Why a role that somebody names is not there.
    pub(super) fn unknown(&self, role: &str) -> Option<String> {
        let Written { roles, .. } = self.0.as_ref()?;
        roles.find(role).is_none().then(|| roles.unknown(role))
    }

    /// Somebody with credentials, which may name roles.
    pub(super) fn principal(
        &self,
        id: String,
        name: String,
        roles: Vec<String>,
        method: AuthMethod,
    ) -> Principal {
        let Some(written) = &self.0 else {
            return Principal { id, name, roles, method, grants: Grants::everything() };
        };
        let roles =
            if roles.is_empty() { vec![written.settings.default_role.clone()] } else { roles };
        written.principal(id, name, roles, method)
    }

    /// Somebody without.
    pub(super) fn anonymous(&self) -> Principal {
        let (id, method) = ("anonymous", AuthMethod::Anonymous);
        let Some(written) = &self.0 else {
            let grants = Grants::entries();
            return Principal { id: id.into(), name: id.into(), roles: Vec::new(), method, grants };
        };
        let roles = written.settings.anonymous_role.iter().cloned().collect();
        written.principal(id.into(), id.into(), roles, method)
    }
}

impl Written {
    fn principal(
        &self,
        id: String,
        name: String,
        mut names: Vec<String>,
        method: AuthMethod,
    ) -> Principal {
        // Those that nobody defines here may mean something elsewhere.
        names.retain(|name| self.roles.find(name).is_some());
        let roles: Vec<&Role> = names.iter().filter_map(|name| self.roles.find(name)).collect();
        let mut permissions = Permissions::default();
        roles.iter().for_each(|role| permissions.add(&role.permissions));
        if self.settings.allow_by_default {
            permissions.everywhere = permissions.everywhere.and(Actions::OF_ENTRIES);
        }
        let about = |policy: &&Policy| policy.is_about(&id, method, &roles);
        let rules = self.policies.iter().filter(about).map(|policy| policy.rule.clone()).collect();
        let grants = Grants::new(permissions, rules);
        Principal { id, name, roles: names, method, grants }
    }
}
