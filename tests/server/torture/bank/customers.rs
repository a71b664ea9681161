//! Owners who move money, and tellers who count it, until the server is gone.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Duration};

use amaters_load::script::Random;
use amaters_proto::{
    query::{Query, query::Query as Kind, query_result::Result as Outcome},
    types::Predicate,
};
use tokio::{
    task::{JoinHandle, spawn_local},
    time::sleep,
};

use super::ledger::{ACCOUNTS, COMMON, Ledger, OPENING, balance, value};
use crate::{
    torture::client::{Client, Trouble, range},
    wire::queries::{add, and, any, blob, filter, get, gte, lte, set, update},
};

/// Connections, and owners on each.
const CONNECTIONS: usize = 3;
const OWNERS: usize = 8;
const COLLECTION: &str = "bank";
/// Values that only fill memtables, and the time between two.
const BALLAST: u32 = 64;
const BALLAST_BYTES: usize = 48 * 1024;
const PRESS_PAUSE: Duration = Duration::from_millis(50);
/// Error codes: arithmetic with an operand of another length; a scan for which too much would have to be kept.
const NOT_COMPUTABLE: i32 = 5001;
const OUTDATED: i32 = 6002;
/// The most that is moved at once.
const AMOUNT_MAX: u32 = 1000;

/// One thread, so nobody borrows it across a wait.
pub(super) type Shared = Rc<RefCell<Ledger>>;

/// Opens all accounts in one batch.
pub(super) async fn open_bank(address: SocketAddr) -> Shared {
    let client = Client::connect(address).await;
    let open =
        |account| kind(set(COLLECTION, key(account), blob(value(account, OPENING).to_vec())));
    client.batch((0..ACCOUNTS).map(open).collect()).await.unwrap();
    Rc::new(RefCell::new(Ledger::new(CONNECTIONS * OWNERS)))
}

/// Begins; each task ends when the server does not answer any more.
pub(super) async fn start(address: SocketAddr, ledger: &Shared, seed: u64) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::new();
    for connection in 0..CONNECTIONS {
        let client = Client::connect(address).await;
        for owner in connection * OWNERS..(connection + 1) * OWNERS {
            let random = Random::new(seed + owner as u64);
            tasks.push(spawn_local(own(client.clone(), Rc::clone(ledger), owner, random)));
        }
        tasks.push(spawn_local(count(client.clone(), Rc::clone(ledger), connection)));
        tasks.push(spawn_local(press(client, Random::new(seed + 1000 + connection as u64))));
    }
    tasks
}

async fn own(client: Client, ledger: Shared, owner: usize, mut random: Random) {
    loop {
        let transfer = Transfer::draw(&mut ledger.borrow_mut(), owner, &mut random);
        let told = client.batch(transfer.queries.clone()).await;
        let ledger = &mut *ledger.borrow_mut();
        match told {
            Ok(results) => {
                if let Err(why) = transfer.check(&results) {
                    ledger.figures.broken.push(format!("owner {owner}: {why}"));
                }
                ledger.answered(owner);
            }
            Err(Trouble::Gone(_)) => return,
            Err(Trouble::Refused { code: NOT_COMPUTABLE, .. }) if transfer.is_spoiled => {
                ledger.refused(owner);
            }
            Err(refused) => panic!("{refused:?}"),
        }
    }
}

/// A batch that leaves the total as it is.
struct Transfer {
    queries: Vec<Kind>,
    /// The account and the balance that each get must find.
    expected: Vec<Option<(usize, u64)>>,
    /// It ends with what is refused.
    is_spoiled: bool,
}

impl Transfer {
    /// Takes from some accounts and gives to others, so many that most batches go over all shards.
    fn draw(ledger: &mut Ledger, owner: usize, random: &mut Random) -> Self {
        let mut transfer = Self { queries: Vec::new(), expected: Vec::new(), is_spoiled: false };
        let owned = ledger.owned(owner);
        let mut own: Vec<(usize, u64)> = Vec::new();
        // Updates lock the whole bank: most transfers do without.
        let needs_common = random.below(12) == 0;
        let own_count = if needs_common { random.below(5) } else { 2 + random.below(3) } as usize;
        while own.len() < own_count {
            let account = owned.start + random.below(owned.len() as u32) as usize;
            if own.iter().all(|(other, _)| *other != account) {
                own.push((account, ledger.balances[account]));
            }
        }
        // Taken from all, and given to the last one or to a common account.
        let mut rest = 0u64;
        for (account, balance) in &mut own {
            let amount = u64::from(random.below(AMOUNT_MAX));
            let (before, account) = (*balance, *account);
            *balance = balance.wrapping_sub(amount);
            rest += amount;
            transfer.push(get(COLLECTION, key(account)), Some((account, before)));
        }
        if needs_common {
            let from = random.below(COMMON as u32) as usize;
            let amount = u64::from(random.below(AMOUNT_MAX));
            transfer.change(from, amount.wrapping_neg());
            let to = random.below(COMMON as u32) as usize;
            transfer.change(to, amount + rest);
        } else if let Some((_, last)) = own.last_mut() {
            *last = last.wrapping_add(rest);
        }
        for (account, balance) in &own {
            let value = blob(value(*account, *balance).to_vec());
            transfer.push(set(COLLECTION, key(*account), value), None);
        }
        transfer.is_spoiled = random.below(24) == 0;
        if transfer.is_spoiled {
            // Arithmetic needs operands that are as long as the values.
            transfer.push(update(COLLECTION, any(), vec![add([1, 2, 3])]), None);
        }
        ledger.tried[owner] = Some(own);
        transfer
    }

    fn push(&mut self, query: Query, expected: Option<(usize, u64)>) {
        self.queries.push(kind(query));
        self.expected.push(expected);
    }

    /// Adds to a common account, whatever it holds.
    fn change(&mut self, account: usize, amount: u64) {
        // A negative amount borrows from the number of the account, which is never needed: balances are large.
        let amount = i128::from(amount as i64).to_be_bytes();
        self.push(update(COLLECTION, holds(account), vec![add(amount)]), None);
    }

    fn check(&self, results: &[Outcome]) -> Result<(), String> {
        if self.is_spoiled {
            return Err("what must be refused was answered".into());
        }
        for (expected, result) in self.expected.iter().zip(results) {
            match (expected, result) {
                (Some((account, known)), Outcome::Single(single)) => {
                    let value = single.value.as_ref();
                    let found = value.and_then(|value| balance(&value.data, *account));
                    if found != Some(*known) {
                        return Err(format!("account {account} holds {found:?}, not {known}"));
                    }
                }
                (None, Outcome::Success(success)) if success.affected_rows == 1 => {}
                (_, result) => return Err(format!("{result:?} in answer to {:?}", self.queries)),
            }
        }
        Ok(())
    }
}

/// Fills memtables with something else, so that they are flushed while transfers are under way.
async fn press(client: Client, mut random: Random) {
    loop {
        let name = format!("ballast-{:02}", random.below(BALLAST));
        match client.ask(kind(set("ballast", name, blob(vec![7; BALLAST_BYTES])))).await {
            Ok(_) => sleep(PRESS_PAUSE).await,
            Err(Trouble::Gone(_)) => return,
            Err(refused) => panic!("{refused:?}"),
        }
    }
}

/// A teller: reads the whole bank in one way after the other.
async fn count(client: Client, ledger: Shared, first: usize) {
    for (name, way) in WAYS.into_iter().cycle().skip(first) {
        match read_in_the_end(&client, &ledger, way).await {
            Ok(values) => ledger.borrow_mut().check_total(name, &values),
            Err(Trouble::Gone(_)) => return,
            Err(refused) => panic!("{name}: {refused:?}"),
        }
    }
}

/// A way to read the whole bank in one instant.
#[derive(Clone, Copy)]
enum Way {
    Range,
    Stream,
    Filter,
    /// A batch of gets.
    Gets,
    /// A range in a batch that writes as well, and so takes locks.
    Locked,
}

const WAYS: [(&str, Way); 5] = [
    ("a range", Way::Range),
    ("a stream", Way::Stream),
    ("a filter", Way::Filter),
    ("a batch of gets", Way::Gets),
    ("a range in a batch", Way::Locked),
];

/// Reads until it is not too late: the memtables are so small that what a scan wants is not always kept.
async fn read_in_the_end(
    client: &Client,
    ledger: &Shared,
    way: Way,
) -> Result<Vec<Vec<u8>>, Trouble> {
    loop {
        match read(client, way).await {
            Err(Trouble::Refused { code: OUTDATED, .. }) => {
                ledger.borrow_mut().figures.outdated += 1;
            }
            result => return result,
        }
    }
}

async fn read(client: &Client, way: Way) -> Result<Vec<Vec<u8>>, Trouble> {
    let everything = || range(COLLECTION, "", "b");
    let rows = |outcome: Outcome| match outcome {
        Outcome::Multi(multi) => {
            let value = |row: amaters_proto::query::KeyValue| row.value.unwrap_or_default().data;
            multi.values.into_iter().map(|row| value(row).to_vec()).collect()
        }
        other => panic!("rows were answered by {other:?}"),
    };
    Ok(match way {
        Way::Range => rows(client.ask(everything()).await?),
        Way::Stream => {
            let rows = client.stream(everything()).await?;
            rows.into_iter().map(|(_, value)| value.to_vec()).collect()
        }
        Way::Filter => rows(client.ask(Kind::Filter(filter(COLLECTION, any()))).await?),
        Way::Gets => {
            let gets = (0..ACCOUNTS).map(|account| kind(get(COLLECTION, key(account))));
            let found = |outcome: Outcome| match outcome {
                Outcome::Single(single) => single.value.unwrap_or_default().data.to_vec(),
                other => panic!("a get was answered by {other:?}"),
            };
            client.batch(gets.collect()).await?.into_iter().map(found).collect()
        }
        Way::Locked => {
            let note = kind(set("notes", "teller", blob("was here")));
            let mut results = client.batch(vec![note, everything()]).await?;
            rows(results.pop().expect("a result for each query"))
        }
    })
}

/// The whole bank, of a server that nobody else uses.
pub(super) async fn read_all(address: SocketAddr) -> Vec<Vec<u8>> {
    read(&Client::connect(address).await, Way::Range).await.unwrap()
}

/// After a kill: the whole bank, in each way, and what each owner knows.
pub(super) async fn audit(address: SocketAddr, ledger: &Shared) {
    let client = Client::connect(address).await;
    for (name, way) in WAYS {
        let values = read_in_the_end(&client, ledger, way).await.unwrap();
        let ledger = &mut *ledger.borrow_mut();
        ledger.check_total(&format!("{name} after a kill"), &values);
        if values.len() == ACCOUNTS {
            ledger.check_owners(&values);
        }
    }
}

/// True of the value of this account, whatever its balance.
fn holds(account: usize) -> Predicate {
    and(gte(value(account, 0)), lte(value(account, u64::MAX)))
}

fn key(account: usize) -> String {
    format!("account-{account:04}")
}

fn kind(query: Query) -> Kind {
    query.query.expect("every query is of a kind")
}
