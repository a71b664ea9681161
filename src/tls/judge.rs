//! Whether a pair that is right is better than the one that is served.

use std::time::SystemTime;

use amaters_shards::tls::Facts;

use super::load::validity;

/// Why `next` is not published in place of `served`, unless an operator asks for it.
pub(super) fn objection(served: &Facts, next: &Facts, now: SystemTime) -> Option<String> {
    if served.is_valid(now) && !next.is_valid(now) {
        let how = validity(next, now);
        return Some(format!("the certificate {how}, and the one that is served is valid"));
    }
    (next.not_before < served.not_before)
        .then(|| "the certificate is older than the one that is served".to_owned())
}

/// What makes a pair served that there is an objection to.
pub(super) const ANYWAY: &str = "`amaters-server reload` takes it anyway";

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn facts(from: u64, until: u64) -> Facts {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        Facts {
            subject: "CN=a".into(),
            issuer: "CN=b".into(),
            serial: "01".into(),
            not_before: at(from),
            not_after: at(until),
        }
    }

    #[test]
    fn newer_and_valid_is_better() {
        let now = UNIX_EPOCH + Duration::from_secs(50);
        let served = facts(10, 90);
        for (next, fits) in [
            (facts(10, 90), true),
            (facts(20, 60), true),
            (facts(9, 1000), false),
            (facts(20, 49), false),
            (facts(51, 90), false),
        ] {
            assert_eq!(objection(&served, &next, now).is_none(), fits, "{next:?}");
        }
        // What is served is of no use any more.
        assert_eq!(objection(&facts(10, 49), &facts(11, 49), now), None);
        assert!(objection(&facts(10, 49), &facts(9, 90), now).is_some());
    }
}
