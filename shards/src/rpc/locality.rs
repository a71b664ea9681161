//! Who may give orders to a server that asks nobody who he is: programs of its own machine.
//!
//! Without `auth.enabled`, admin commands that write files or change the server are taken from loopback addresses only, unless
//! `admin.allow_remote` says otherwise. Those that only read are for everybody who can reach the server, as all its values are.
//! With `auth.enabled` it is permissions that count, wherever a client is.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use crate::failure::Failure;

/// From where orders are taken; changeable at any time.
#[derive(Debug)]
pub struct Locality {
    anywhere: AtomicBool,
}

impl Locality {
    /// `anywhere`: clients prove who they are, or `admin.allow_remote` is on.
    pub fn new(anywhere: bool) -> Self {
        Self { anywhere: AtomicBool::new(anywhere) }
    }

    /// From now on.
    pub fn set(&self, anywhere: bool) {
        self.anywhere.store(anywhere, Relaxed);
    }

    /// Refuses an admin command that writes files or changes the server, if `client` may not give it.
    ///
    /// # Errors
    /// [`Failure::NotLocal`]
    pub fn check(&self, client: IpAddr, command: &str) -> Result<(), Failure> {
        // An IPv4 client of an IPv6 socket has a mapped address.
        if self.anywhere.load(Relaxed) || client.to_canonical().is_loopback() {
            return Ok(());
        }
        Err(Failure::NotLocal { command: command.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_come_from_this_machine_however_its_addresses_are_written() {
        let locality = Locality::new(false);
        let is_taken = |client: &str| locality.check(client.parse().unwrap(), "BACKUP").is_ok();
        for local in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(is_taken(local), "{local}");
        }
        let strangers =
            ["10.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::2", "fe80::1", "0.0.0.0", "::"];
        for stranger in strangers {
            assert!(!is_taken(stranger), "{stranger}");
        }
        locality.set(true);
        assert!(is_taken("10.0.0.1"));
    }

    /// Existing clients take these words of an error for a sign to invent a success.
    #[test]
    fn the_refusal_names_the_key_and_none_of_the_words_that_clients_stumble_over() {
        let failure = Locality::new(false).check([10, 0, 0, 1].into(), "BACKUP").unwrap_err();
        let text = failure.to_string();
        assert!(text.starts_with("BACKUP ") && text.contains("admin.allow_remote"), "{text}");
        assert!(!crate::failure::is_stumbled_over(&text), "{text}");
    }
}
