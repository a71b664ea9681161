//! Accounts, and what must be true of them.
//!
//! ```text
//!   value of an account   number u64 │ balance u64, both big-endian
//! ```
//!
//! So a condition on the value picks one account, and an addition to the value moves its balance. The first accounts are
//! common: anyone changes them, without knowing what they hold. The others have one owner each, who knows; at most one
//! transfer of an owner is unanswered.

use std::fmt;

/// Accounts of the bank.
pub(super) const ACCOUNTS: usize = 1000;
/// Of them common to all, the first ones.
pub(super) const COMMON: usize = 400;
/// What each begins with: more than it can ever lose.
pub(super) const OPENING: u64 = 1 << 40;

/// What the owners know, and what was counted.
pub(super) struct Ledger {
    /// Balances of the accounts that are owned; of the common ones, those at the beginning.
    pub(super) balances: Vec<u64>,
    /// Of each owner, the balances that the transfer under way would make.
    pub(super) tried: Vec<Option<Vec<(usize, u64)>>>,
    /// Of each owner, the balances of its accounts after each transfer; the last is what is known.
    history: Vec<Vec<Vec<u64>>>,
    pub(super) figures: Figures,
}

/// What was done, and what was wrong.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) kills: u64,
    /// Kills during a start, beside those.
    pub(super) early: u64,
    /// Transfers that were answered, that were not, and those of the latter that had happened.
    pub(super) transfers: u64,
    pub(super) unanswered: u64,
    pub(super) happened: u64,
    /// Transfers that were to be refused, and were.
    pub(super) refused: u64,
    /// Times that the whole bank was read.
    pub(super) scans: u64,
    /// Reads of the whole bank that came too late, and were refused.
    pub(super) outdated: u64,
    pub(super) broken: Vec<String>,
}

impl Ledger {
    pub(super) fn new(owners: usize) -> Self {
        let (balances, tried) = (vec![OPENING; ACCOUNTS], vec![None; owners]);
        let history = vec![Vec::new(); owners];
        Self { balances, tried, history, figures: Figures::default() }
    }

    /// Takes note of what each owner knows.
    pub(super) fn remember(&mut self) {
        (0..self.tried.len()).for_each(|owner| self.remember_one(owner));
    }

    fn remember_one(&mut self, owner: usize) {
        let now = self.balances[self.owned(owner)].to_vec();
        if self.history[owner].last() != Some(&now) {
            self.history[owner].push(now);
        }
    }

    /// Of each owner, which state is known.
    pub(super) fn known(&self) -> Vec<usize> {
        self.history.iter().map(|states| states.len() - 1).collect()
    }

    /// Of each owner, the last state that may be there.
    pub(super) fn tried_to(&self) -> Vec<usize> {
        let tried = self.tried.iter().map(|tried| usize::from(tried.is_some()));
        self.known().into_iter().zip(tried).map(|(known, tried)| known + tried).collect()
    }

    /// Compares the accounts of each owner with the states that it was in between two moments.
    pub(super) fn check_history(
        &mut self,
        name: &str,
        values: &[impl AsRef<[u8]>],
        between: &[(usize, usize)],
    ) {
        for (owner, (from, to)) in between.iter().enumerate() {
            let accounts = self.owned(owner);
            let found: Vec<u64> = accounts
                .map(|account| balance(values[account].as_ref(), account).unwrap_or(0))
                .collect();
            let states = &self.history[owner];
            let possible = &states[*from..=(*to).min(states.len() - 1)];
            if !possible.contains(&found) {
                let at = states.iter().position(|state| *state == found);
                self.figures.broken.push(format!(
                    "{name} shows owner {owner} in state {at:?}, which is none of {from} to {to}"
                ));
            }
        }
    }

    /// The accounts of an owner.
    pub(super) fn owned(&self, owner: usize) -> std::ops::Range<usize> {
        let each = (ACCOUNTS - COMMON) / self.tried.len();
        COMMON + owner * each..COMMON + (owner + 1) * each
    }

    /// The transfer of an owner was answered.
    pub(super) fn answered(&mut self, owner: usize) {
        for (account, balance) in self.tried[owner].take().into_iter().flatten() {
            self.balances[account] = balance;
        }
        self.remember_one(owner);
        self.figures.transfers += 1;
    }

    /// The transfer of an owner was refused: nothing of it happened.
    pub(super) fn refused(&mut self, owner: usize) {
        self.tried[owner] = None;
        self.figures.refused += 1;
    }

    /// Checks the rows of the whole bank, as seen in one instant; `who` saw them.
    pub(super) fn check_total(&mut self, who: &str, values: &[impl AsRef<[u8]>]) {
        self.figures.scans += 1;
        if let Err(why) = check_total(values) {
            self.figures.broken.push(format!("{who}: {why}"));
        }
    }

    /// Compares the accounts of each owner with what that knows, after a kill, and goes on from there.
    pub(super) fn check_owners(&mut self, values: &[impl AsRef<[u8]>]) {
        for owner in 0..self.tried.len() {
            let found: Vec<(usize, u64)> = self
                .owned(owner)
                .map(|account| (account, balance(values[account].as_ref(), account).unwrap_or(0)))
                .collect();
            let tried = self.tried[owner].take();
            let before: Vec<(usize, u64)> =
                self.owned(owner).map(|account| (account, self.balances[account])).collect();
            let mut after = before.clone();
            for (account, balance) in tried.iter().flatten() {
                after[account - self.owned(owner).start].1 = *balance;
            }
            self.figures.unanswered += u64::from(tried.is_some());
            if found == after {
                self.figures.happened += u64::from(tried.is_some());
            } else if found != before {
                let differs = |(found, known): &(&(usize, u64), &(usize, u64))| found != known;
                let wrong: Vec<_> = found.iter().zip(&before).filter(differs).collect();
                self.figures.broken.push(format!(
                    "after a kill, accounts of owner {owner} are neither before nor after {tried:?}: found and known {wrong:?}"
                ));
            }
            found.into_iter().for_each(|(account, balance)| self.balances[account] = balance);
        }
    }
}

/// The value of an account.
pub(super) fn value(account: usize, balance: u64) -> [u8; 16] {
    ((account as u128) << 64 | u128::from(balance)).to_be_bytes()
}

/// The balance in a value, if it is one of this account.
pub(super) fn balance(value: &[u8], account: usize) -> Option<u64> {
    let value = u128::from_be_bytes(value.try_into().ok()?);
    (value >> 64 == account as u128).then_some(value as u64)
}

fn check_total(values: &[impl AsRef<[u8]>]) -> Result<(), String> {
    if values.len() != ACCOUNTS {
        return Err(format!("{} accounts", values.len()));
    }
    let mut total = 0u64;
    for (account, value) in values.iter().enumerate() {
        let value = value.as_ref();
        let Some(balance) = balance(value, account) else {
            return Err(format!("account {account} holds {value:02x?}"));
        };
        total = total.wrapping_add(balance);
    }
    let (right, off) = (OPENING.wrapping_mul(ACCOUNTS as u64), total as i64);
    match off.wrapping_sub(right as i64) {
        0 => Ok(()),
        off => Err(format!("the total is {total}, which is off by {off}")),
    }
}

impl Figures {
    pub(super) fn add(&mut self, other: Self) {
        self.kills += other.kills;
        self.early += other.early;
        self.transfers += other.transfers;
        self.unanswered += other.unanswered;
        self.happened += other.happened;
        self.refused += other.refused;
        self.scans += other.scans;
        self.outdated += other.outdated;
        self.broken.extend(other.broken);
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} kills and {} during a start, {} transfers answered, {} refused, {} unanswered of which {} had happened, {} scans of {ACCOUNTS} \
             accounts, {} more were too late, {} broken",
            self.kills,
            self.early,
            self.transfers,
            self.refused,
            self.unanswered,
            self.happened,
            self.scans,
            self.outdated,
            self.broken.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Vec<[u8; 16]> {
        (0..ACCOUNTS).map(|account| value(account, OPENING)).collect()
    }

    #[test]
    fn a_transfer_keeps_the_total_and_half_of_one_does_not() {
        let mut values = values();
        assert_eq!(check_total(&values), Ok(()));
        values[3] = value(3, OPENING - 5);
        let why = check_total(&values).unwrap_err();
        assert!(why.ends_with("off by -5"), "{why}");
        values[700] = value(700, OPENING + 5);
        assert_eq!(check_total(&values), Ok(()));
    }

    #[test]
    fn accounts_that_are_missing_or_others_are_found() {
        let mut values = values();
        values.swap(1, 2);
        assert!(check_total(&values).unwrap_err().starts_with("account 1 holds"));
        values.swap(1, 2);
        values.pop();
        assert_eq!(check_total(&values).unwrap_err(), "999 accounts");
    }

    #[test]
    fn an_owner_finds_all_of_a_transfer_or_nothing() {
        let checked = |found: &[(usize, u64)]| {
            let mut ledger = Ledger::new(24);
            let (first, second) = (ledger.owned(0).start, ledger.owned(0).start + 1);
            ledger.tried[0] = Some(vec![(first, OPENING - 7), (second, OPENING + 7)]);
            let mut values = values();
            for (place, amount) in found {
                values[first + place] = value(first + place, *amount);
            }
            ledger.check_owners(&values);
            (ledger.figures.happened, ledger.figures.broken.len())
        };
        assert_eq!(checked(&[]), (0, 0));
        assert_eq!(checked(&[(0, OPENING - 7), (1, OPENING + 7)]), (1, 0));
        assert_eq!(checked(&[(0, OPENING - 7)]), (0, 1));
        assert_eq!(checked(&[(5, OPENING - 7)]), (0, 1));
    }
}
