//! Session tickets: what a client shows to shorten its next handshake, sealed with keys that only we have.
//!
//! ```text
//!   key name 16 │ nonce 12 │ state, sealed by ChaCha20-Poly1305 … │ tag 16        the name is authenticated too
//! ```
//!
//! The keys are replaced every [`ROTATION`]; the one before still opens tickets, none seals with it.
//! So a ticket is good for one to two rotations, and what a stolen key can open ends there.

use std::{fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    error::Unspecified,
    rand::{SecureRandom, SystemRandom},
};
use rustls::server::ProducesTickets;

/// How long one key seals tickets.
pub const ROTATION: Duration = Duration::from_secs(6 * 3600);

const NAME_BYTES: usize = 16;
/// A state holds the chain of a client's certificates, which a handshake message bounds to 64 KiB.
const TICKET_BYTES_MAX: usize = 128 * 1024;

/// Keys for the tickets of one set of authorities and revocations.
pub struct Tickets {
    keys: ArcSwap<Keys>,
}

struct Keys {
    current: Arc<Key>,
    previous: Option<Arc<Key>>,
}

struct Key {
    name: [u8; NAME_BYTES],
    seal: LessSafeKey,
}

impl Tickets {
    /// With a key that nobody else has.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn new() -> Result<Self, Unspecified> {
        let keys = Keys { current: Arc::new(Key::new()?), previous: None };
        Ok(Self { keys: ArcSwap::from_pointee(keys) })
    }

    /// Seals with another key from now on; of the old ones only the last still opens.
    ///
    /// # Errors
    /// The system has no random bytes; nothing is changed then.
    pub fn rotate(&self) -> Result<(), Unspecified> {
        let current = Arc::new(Key::new()?);
        let previous = Some(Arc::clone(&self.keys.load().current));
        self.keys.store(Arc::new(Keys { current, previous }));
        Ok(())
    }
}

impl Key {
    fn new() -> Result<Self, Unspecified> {
        let (random, mut secret) = (SystemRandom::new(), [0; 32]);
        let mut name = [0; NAME_BYTES];
        random.fill(&mut name)?;
        random.fill(&mut secret)?;
        Ok(Self { name, seal: LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &secret)?) })
    }

    fn seal(&self, state: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce)?;
        let mut sealed = state.to_vec();
        let nonce_value = Nonce::assume_unique_for_key(nonce);
        self.seal.seal_in_place_append_tag(nonce_value, Aad::from(self.name), &mut sealed)?;
        Ok([&self.name[..], &nonce, &sealed].concat())
    }

    fn open(&self, nonce: [u8; NONCE_LEN], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut state = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let bytes = self.seal.open_in_place(nonce, Aad::from(self.name), &mut state).ok()?.len();
        state.truncate(bytes);
        Some(state)
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        2 * ROTATION.as_secs() as u32
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.keys.load().current.seal(plain).ok()
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = cipher.split_at_checked(NAME_BYTES)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        if cipher.len() > TICKET_BYTES_MAX {
            return None;
        }
        let keys = self.keys.load();
        let mut known = [Some(&keys.current), keys.previous.as_ref()].into_iter().flatten();
        // Names are no secret: they stand in every ticket.
        known.find(|key| key.name == name)?.open(*nonce, sealed)
    }
}

impl fmt::Debug for Tickets {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_for_one_rotation_more_and_nowhere_else() {
        let tickets = Tickets::new().unwrap();
        let ticket = tickets.encrypt(b"state").unwrap();
        assert_ne!(ticket, tickets.encrypt(b"state").unwrap(), "nonces differ");
        assert_eq!(tickets.decrypt(&ticket).as_deref(), Some(&b"state"[..]));
        assert_eq!(Tickets::new().unwrap().decrypt(&ticket), None);
        tickets.rotate().unwrap();
        assert_eq!(tickets.decrypt(&ticket).as_deref(), Some(&b"state"[..]));
        tickets.rotate().unwrap();
        assert_eq!(tickets.decrypt(&ticket), None);
    }

    #[test]
    fn a_ticket_with_one_bit_changed_or_a_byte_cut_opens_nothing() {
        let tickets = Tickets::new().unwrap();
        let ticket = tickets.encrypt(b"").unwrap();
        for bit in 0..ticket.len() * 8 {
            let mut changed = ticket.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(tickets.decrypt(&changed), None, "bit {bit}");
        }
        for length in 0..ticket.len() {
            assert_eq!(tickets.decrypt(&ticket[..length]), None);
        }
        assert_eq!(tickets.decrypt(&vec![0; TICKET_BYTES_MAX + 1]), None);
    }

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(format!("{:?}", Tickets::new().unwrap()), "Tickets { .. }");
    }
}
