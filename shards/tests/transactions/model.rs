//! The protocol of `docs/explanation/transactions.md`, as steps from state to state.

use super::{
    batch, check, crash, flush, look,
    search::Model,
    state::{Life, State},
    step::Step,
    world::World,
    write,
};

/// Gathers what may happen next.
pub struct Next<'a> {
    pub world: &'a World,
    pub state: &'a State,
    steps: Vec<(Step, State)>,
}

impl Next<'_> {
    pub fn add(&mut self, step: Step, change: impl FnOnce(&mut State)) {
        let mut after = self.state.clone();
        change(&mut after);
        self.steps.push((step, after));
    }
}

impl Model for World {
    type State = State;
    type Step = Step;

    fn start(&self) -> State {
        State::start(self)
    }

    fn steps(&self, state: &State) -> Vec<(Step, State)> {
        let mut next = Next { world: self, state, steps: Vec::new() };
        if state.life == Life::Serving {
            batch::steps(&mut next);
            write::steps(&mut next);
            look::steps(&mut next);
            flush::steps(&mut next);
        } else {
            crash::start_steps(&mut next);
        }
        crash::steps(&mut next);
        next.steps
    }

    fn wrong(&self, state: &State) -> Option<String> {
        check::wrong(self, state)
    }

    fn is_owed(&self, state: &State, step: &Step) -> bool {
        step.is_owed(state)
    }

    fn waits(&self, state: &State) -> Option<String> {
        check::waits(state)
    }
}
