//! Tokens of one reactor that were verified: who showed them, and until when that is good.
//!
//! Two generations: what is asked for is in the younger one, or moves there; when that is full, the older one is dropped. So what
//! was not asked for lately goes, and neither entries nor bytes grow.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher as _,
    sync::Arc,
};

use zeroize::Zeroizing;

use super::{
    guard::{Guard, Recognised},
    shown::is_same,
};

/// Tokens of a generation.
const TOKENS_MAX: usize = 2048;
/// Their bytes.
const BYTES_MAX: usize = 2 * 1024 * 1024;

/// Tokens that were verified under one guard.
#[derive(Default)]
pub(crate) struct Cache {
    guard: Option<Arc<Guard>>,
    /// Random for each reactor, so that nobody can choose tokens that fall together.
    hasher: RandomState,
    young: Generation,
    old: Generation,
}

#[derive(Default)]
struct Generation {
    tokens: HashMap<u64, Known>,
    bytes: usize,
}

struct Known {
    token: Zeroizing<Vec<u8>>,
    recognised: Recognised,
}

impl Cache {
    /// Who shows this token, if that is known and still good.
    pub(super) fn find(
        &mut self,
        guard: &Arc<Guard>,
        token: &[u8],
        now: i64,
    ) -> Option<Recognised> {
        if !self.guard.as_ref().is_some_and(|known| Arc::ptr_eq(known, guard)) {
            return None;
        }
        let hash = self.hasher.hash_one(token);
        let is_it = |known: &Known| is_same(&known.token, token);
        let is_good = |known: &Recognised| known.until.is_none_or(|until| now < until);
        if let Some(known) = self.young.tokens.get(&hash).filter(|known| is_it(known)) {
            return Some(known.recognised.clone()).filter(is_good);
        }
        let known = self.old.tokens.remove(&hash).filter(is_it)?;
        let recognised = known.recognised.clone();
        self.keep(hash, known);
        Some(recognised).filter(is_good)
    }

    /// Remembers who has shown a token.
    pub(super) fn learn(&mut self, guard: &Arc<Guard>, token: &[u8], recognised: Recognised) {
        if !self.guard.as_ref().is_some_and(|known| Arc::ptr_eq(known, guard)) {
            (self.young, self.old) = Default::default();
            self.guard = Some(Arc::clone(guard));
        }
        let token = Zeroizing::new(token.to_vec());
        self.keep(self.hasher.hash_one(&*token), Known { token, recognised });
    }

    fn keep(&mut self, hash: u64, known: Known) {
        let bytes = known.token.len();
        let is_full = self.young.tokens.len() >= TOKENS_MAX || self.young.bytes + bytes > BYTES_MAX;
        if is_full {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.bytes += bytes;
        if let Some(before) = self.young.tokens.insert(hash, known) {
            self.young.bytes -= before.token.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::principal::Principal;

    fn somebody(until: Option<i64>) -> Recognised {
        Recognised { principal: Arc::new(Principal::unasked()), until }
    }

    #[test]
    fn a_token_is_known_until_it_expires_or_the_guard_changes() {
        let (guard, other) = (Arc::new(Guard::open()), Arc::new(Guard::open()));
        let mut cache = Cache::default();
        assert!(cache.find(&guard, b"a", 0).is_none());
        cache.learn(&guard, b"a", somebody(Some(10)));
        assert!(cache.find(&guard, b"a", 9).is_some() && cache.find(&guard, b"b", 9).is_none());
        assert!(cache.find(&guard, b"a", 10).is_none() && cache.find(&other, b"a", 9).is_none());
        cache.learn(&other, b"b", somebody(None));
        assert!(
            cache.find(&other, b"b", i64::MAX).is_some() && cache.find(&other, b"a", 9).is_none()
        );
    }

    #[test]
    fn tokens_and_bytes_are_bounded_and_what_is_asked_for_stays() {
        let guard = Arc::new(Guard::open());
        let mut cache = Cache::default();
        cache.learn(&guard, b"hot", somebody(None));
        for number in 0..10 * TOKENS_MAX {
            cache.learn(&guard, format!("token {number}").as_bytes(), somebody(None));
            assert!(cache.find(&guard, b"hot", 0).is_some(), "{number}");
            let tokens = cache.young.tokens.len() + cache.old.tokens.len();
            assert!(tokens <= 2 * TOKENS_MAX);
        }
        assert!(cache.find(&guard, b"token 0", 0).is_none());
        for number in 0..1000u32 {
            let token = [&[b'x'; 16 * 1024][..], &number.to_le_bytes()].concat();
            cache.learn(&guard, &token, somebody(None));
            let held = |one: &Generation| {
                one.tokens.values().map(|known| known.token.len()).sum::<usize>()
            };
            assert_eq!(held(&cache.young), cache.young.bytes);
            assert!(cache.young.bytes <= BYTES_MAX && cache.old.bytes <= BYTES_MAX);
        }
    }
}
