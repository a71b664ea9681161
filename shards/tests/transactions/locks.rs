//! The lock of the one key of a shard: holders, and a queue that is strictly first in, first out.

/// Who holds or waits: an operation, and whether it writes.
pub type Claim = (u8, bool);

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lock {
    pub holders: Vec<Claim>,
    pub queue: Vec<Claim>,
}

impl Lock {
    /// Whether someone who comes now has nothing to wait for.
    pub fn allows(&self, write: bool) -> bool {
        !excludes(&self.holders, write) && !excludes(&self.queue, write)
    }

    /// Holds it, if it is not held by the same already.
    pub fn hold_once(&mut self, claim: Claim) {
        if !self.holders.contains(&claim) {
            self.holders.push(claim);
            // Their order means nothing, and states that differ in nothing else should be one.
            self.holders.sort_unstable();
        }
    }

    pub fn wait(&mut self, claim: Claim) {
        self.queue.push(claim);
    }

    /// Gives up what an operation holds, or waits for.
    pub fn leave(&mut self, operation: u8) {
        self.holders.retain(|(holder, _)| *holder != operation);
        self.queue.retain(|(waiting, _)| *waiting != operation);
    }

    /// Lets the first in the queue hold it, if nobody is in the way.
    pub fn grant(&mut self) -> Option<u8> {
        let claim = *self.queue.first()?;
        if excludes(&self.holders, claim.1) {
            return None;
        }
        self.queue.remove(0);
        self.hold_once(claim);
        Some(claim.0)
    }

    pub fn is_held_by(&self, operation: usize) -> bool {
        self.holders.iter().any(|(holder, _)| *holder as usize == operation)
    }

    /// Whether one writes it while another holds it.
    pub fn clashes(&self) -> bool {
        self.holders.len() > 1 && self.holders.iter().any(|(_, write)| *write)
    }

    pub fn is_free(&self) -> bool {
        self.holders.is_empty() && self.queue.is_empty()
    }
}

fn excludes(claims: &[Claim], write: bool) -> bool {
    claims.iter().any(|(_, other)| write || *other)
}
