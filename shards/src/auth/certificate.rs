//! From a client certificate, which the handshake has verified, to a name.

use std::time::UNIX_EPOCH;

use super::{jwt::claims::is_name, settings::MtlsSettings};
use crate::{failure::Failure, net::peer::ClientCertificate};

/// The name of whoever showed it, and the Unix second from which on it is not good.
///
/// # Errors
/// [`Failure::Certificate`], [`Failure::Expired`].
pub(super) fn name(
    certificate: &ClientCertificate,
    settings: &MtlsSettings,
    now: i64,
) -> Result<(String, i64), Failure> {
    let refuse = |why: &str| Err(Failure::Certificate(why.to_owned()));
    let allowed = &settings.allowed_organizations;
    let is_allowed = |organization: &String| allowed.contains(organization);
    if !allowed.is_empty() && !certificate.organizations.iter().any(is_allowed) {
        return refuse("the client certificate is of no organization that may come in");
    }
    let until = certificate.not_after.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // It is good up to and with its last second.
    let until = i64::try_from(until).unwrap_or(i64::MAX).saturating_add(1);
    if now >= until {
        return Err(Failure::Expired("the client certificate has expired".into()));
    }
    let name = match &certificate.common_name {
        Some(name) => Some(name),
        None if settings.verify_cn => {
            return refuse(
                "the client certificate has no common name; auth.mtls.verify_cn = false takes an alternative name",
            );
        }
        None => certificate.names.first(),
    };
    match name.filter(|name| is_name(name)) {
        Some(name) => Ok((name.clone(), until)),
        None => refuse("the client certificate has no usable name"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn certificate(common_name: Option<&str>, names: &[&str]) -> ClientCertificate {
        ClientCertificate {
            common_name: common_name.map(str::to_owned),
            organizations: vec!["Example".into(), "Billing".into()],
            names: names.iter().copied().map(str::to_owned).collect(),
            serial: "01".into(),
            not_after: UNIX_EPOCH + Duration::from_secs(100),
        }
    }

    fn settings(verify_cn: bool, organizations: &[&str]) -> MtlsSettings {
        let allowed_organizations = organizations.iter().copied().map(str::to_owned).collect();
        MtlsSettings { verify_cn, allowed_organizations }
    }

    #[test]
    fn the_common_name_comes_first_and_an_alternative_one_only_where_it_may() {
        let named = |cn, names: &[&str], verify| {
            name(&certificate(cn, names), &settings(verify, &[]), 0).map(|(name, _)| name)
        };
        assert_eq!(named(Some("alice"), &["a.example"], true).unwrap(), "alice");
        assert_eq!(named(None, &["a.example", "b"], false).unwrap(), "a.example");
        let wrong = [
            named(None, &["a.example"], true),
            named(None, &[], false),
            named(Some(""), &["a.example"], false),
            named(Some("a\nb"), &[], true),
        ];
        assert!(wrong.iter().all(|wrong| matches!(wrong, Err(Failure::Certificate(_)))));
    }

    #[test]
    fn one_organization_is_enough_and_a_certificate_ends_with_its_last_second() {
        let asked = |allowed: &[&str], now| {
            name(&certificate(Some("alice"), &[]), &settings(true, allowed), now)
        };
        assert_eq!(asked(&["Other", "Billing"], 100).unwrap(), ("alice".into(), 101));
        assert!(matches!(asked(&["billing"], 0), Err(Failure::Certificate(_))));
        assert!(matches!(asked(&[], 101), Err(Failure::Expired(_))));
    }
}
