//! Strict serializability: whether one order of all operations explains every answer.
//!
//! An operation that was answered before another was asked for comes before it. Operations without an answer may have
//! happened or not, and those that were refused have not. There are few of them: all orders are tried.

use super::{
    state::{Answer, Seen, State, UNSEEN, value_of},
    world::{Operation, World},
};

/// Whether there is an order that explains all answers, and leaves `now` behind.
///
/// After a power cut in a mode that does not sync each write, answered operations may be missing, but they are missing as a
/// whole.
pub fn is_explained(world: &World, state: &State, now: &Seen) -> bool {
    Orders { world, state, now }.continue_from(0, &state.base)
}

struct Orders<'a> {
    world: &'a World,
    state: &'a State,
    now: &'a Seen,
}

impl Orders<'_> {
    /// Whether an order that begins with these operations, a bit each, and has left these values goes on to the end.
    fn continue_from(&self, placed: u16, values: &Seen) -> bool {
        let shards = self.world.shards;
        if values[..shards] == self.now[..shards] && (self.state.was_cut || self.has_all(placed)) {
            return true;
        }
        (0..self.state.courses.len()).any(|operation| {
            if !self.may_be_next(operation, placed) {
                return false;
            }
            let after = self.step(operation, values);
            after.is_some_and(|after| self.continue_from(placed | 1 << operation, &after))
        })
    }

    fn has_all(&self, placed: u16) -> bool {
        let mut courses = self.state.courses.iter().enumerate();
        courses.all(|(number, course)| {
            placed >> number & 1 == 1 || !matches!(course.answer, Answer::Done(_))
        })
    }

    fn may_be_next(&self, operation: usize, placed: u16) -> bool {
        let course = &self.state.courses[operation];
        let is_reader =
            matches!(self.world.operations[operation], Operation::Get { .. } | Operation::Scan);
        let happens = match course.answer {
            Answer::Done(_) => !(is_reader && self.state.was_cut),
            Answer::Open | Answer::Unknown => !is_reader,
            _ => false,
        };
        // None of those that came later has been placed already.
        let mut courses = self.state.courses.iter().enumerate();
        happens
            && placed >> operation & 1 == 0
            && courses.all(|(number, other)| {
                placed >> number & 1 == 0 || other.after >> operation & 1 == 0
            })
    }

    /// What an operation leaves behind, unless it has seen something else than there is.
    fn step(&self, operation: usize, values: &Seen) -> Option<Seen> {
        let answer = &self.state.courses[operation].answer;
        if let (Answer::Done(seen), false) = (answer, self.state.was_cut) {
            let differs = |(seen, value): (&u8, &u8)| *seen != UNSEEN && seen != value;
            if seen.iter().zip(values).any(differs) {
                return None;
            }
        }
        let mut after = *values;
        match &self.world.operations[operation] {
            Operation::Batch { writes, .. } => {
                writes.iter().for_each(|shard| after[*shard] = value_of(operation));
            }
            Operation::Write { shard } => after[*shard] = value_of(operation),
            Operation::Get { .. } | Operation::Scan => {}
        }
        Some(after)
    }
}
