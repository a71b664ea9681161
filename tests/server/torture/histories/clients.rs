//! Many clients at once, until the server is gone, and a witness of all that they are told.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Instant};

use amaters_load::script::Random;
use tokio::task::{JoinHandle, spawn_local};

use super::{
    call::{ABSENT, Call, Content, KEYS, LARGE, Outcome, PLAIN, Step},
    plan::{Manner, Plan, World},
    wire::ask,
};
use crate::torture::client::{Client, Trouble};

/// Connections, and clients on each.
const CONNECTIONS: u32 = 3;
const CLIENTS: u32 = 6;

/// Error codes of what must be expected: time was up; arithmetic with an operand of another length; a scan for which too
/// much would have to be kept.
const TIMEOUT: i32 = 1000;
const NOT_COMPUTABLE: i32 = 5001;
const OUTDATED: i32 = 6002;

/// All calls of one life of a server, and what their clients know. One thread, so nobody borrows it across a wait.
pub(super) struct Witness {
    pub(super) calls: Vec<Call>,
    world: World,
    clock: Instant,
}

pub(super) type Shared = Rc<RefCell<Witness>>;

impl Witness {
    pub(super) fn new() -> Shared {
        let (calls, world) = (Vec::new(), World::new());
        Rc::new(RefCell::new(Self { calls, world, clock: Instant::now() }))
    }

    fn now(&self) -> u64 {
        self.clock.elapsed().as_nanos() as u64
    }

    /// Whatever has no answer cannot happen any more.
    pub(super) fn note_death(&mut self) {
        let now = self.now();
        for call in &mut self.calls {
            if call.outcome == Outcome::Unknown {
                call.ended = now;
            }
        }
    }

    /// The calls so far; the next life begins.
    pub(super) fn take_calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.calls)
    }
}

/// Begins; each task ends when the server does not answer any more.
pub(super) async fn start(address: SocketAddr, witness: &Shared, seed: u64) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::new();
    for connection in 0..CONNECTIONS {
        let client = Client::connect(address).await;
        for number in 0..CLIENTS {
            let number = connection * CLIENTS + number;
            let random = Random::new(seed + u64::from(number));
            tasks.push(spawn_local(go_on(client.clone(), Rc::clone(witness), number, random)));
        }
    }
    tasks
}

async fn go_on(client: Client, witness: Shared, number: u32, mut random: Random) {
    loop {
        let plan = witness.borrow_mut().world.plan(&mut random);
        if !call(&client, &witness, number, plan).await {
            return;
        }
    }
}

/// One call, from its begin to its end; tells whether the server is still there.
async fn call(client: &Client, witness: &Shared, number: u32, mut plan: Plan) -> bool {
    let place = {
        let witness = &mut *witness.borrow_mut();
        let (begun, steps) = (witness.now(), plan.steps.clone());
        let outcome = Outcome::Unknown;
        witness.calls.push(Call { client: number, steps, begun, ended: u64::MAX, outcome });
        witness.calls.len() - 1
    };
    let told = ask(client, &mut plan).await;
    let witness = &mut *witness.borrow_mut();
    let now = witness.now();
    let call = &mut witness.calls[place];
    match told {
        Ok(()) => {
            (call.outcome, call.ended) = (Outcome::Answered, now);
            witness.world.note(&plan.steps);
            call.steps = plan.steps;
            true
        }
        Err(Trouble::Gone(_)) => false,
        Err(Trouble::Refused { code, message }) => {
            match code {
                // A single query may still happen; a batch says that it was undone.
                TIMEOUT if !message.ends_with("nothing of it was applied") => {}
                TIMEOUT | NOT_COMPUTABLE | OUTDATED => {
                    (call.outcome, call.ended) = (Outcome::Refused, now);
                }
                _ => panic!("error {code}: {message}"),
            }
            true
        }
    }
}

/// Reads everything in two ways, as two calls or more, and tells what is there.
pub(super) async fn look_at_everything(address: SocketAddr, witness: &Shared) -> Content {
    let client = Client::connect(address).await;
    let first = witness.borrow().calls.len();
    for keys in [PLAIN, LARGE] {
        let steps = vec![Step::Rows { keys, min: None, limit: None, found: Vec::new() }];
        assert!(call(&client, witness, 0, Plan { manner: Manner::Stream, steps }).await);
    }
    // A get goes another way than a scan.
    for key in KEYS {
        let plan = Plan { manner: Manner::Single, steps: vec![Step::Get { key, found: ABSENT }] };
        assert!(call(&client, witness, 0, plan).await);
    }
    let mut content = vec![ABSENT; KEYS.len()];
    for step in witness.borrow().calls[first..].iter().flat_map(|call| &call.steps) {
        if let Step::Rows { found, .. } = step {
            found.iter().for_each(|(key, version)| content[usize::from(*key)] = *version);
        }
    }
    content
}
