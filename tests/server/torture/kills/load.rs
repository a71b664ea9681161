//! Writers, each with units of its own, and readers of everything, until the server is gone.

use std::{cell::RefCell, net::SocketAddr, rc::Rc};

use amaters_load::script::Random;
use tokio::task::{JoinHandle, spawn_local};

use super::ledger::{Figures, Unit};
use crate::torture::{
    client::{Client, Trouble, delete, get, set},
    value::{value, version_of},
};

/// Connections, and writers on each.
const CONNECTIONS: usize = 4;
const WRITERS: usize = 8;
/// Units of each writer; every third has three keys.
const UNITS: usize = 6;

/// All units, and what is counted. One thread, so nobody borrows it across a wait.
pub(super) type Ledger = Rc<RefCell<(Vec<Unit>, Figures)>>;

/// The units of all writers. The keys of a batch must live on one shard: those are looked for.
pub(super) async fn ledger(address: SocketAddr) -> Ledger {
    let client = Client::connect(address).await;
    let mut units = Vec::new();
    for number in 0..CONNECTIONS * WRITERS * UNITS {
        let first = format!("unit-{number:03}-0");
        let mut keys = vec![first.clone()];
        for candidate in 1.. {
            if number % 3 > 0 || keys.len() == 3 {
                break;
            }
            assert!(candidate < 100, "no keys of one shard are found");
            let other = format!("unit-{number:03}-{candidate}");
            if client.batch(vec![get(&first), get(&other)]).await.is_ok() {
                keys.push(other);
            }
        }
        units.push(Unit::new(keys));
    }
    Rc::new(RefCell::new((units, Figures::default())))
}

/// Begins; each task ends when the server does not answer any more.
pub(super) async fn start(address: SocketAddr, ledger: &Ledger, seed: u64) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::new();
    for connection in 0..CONNECTIONS {
        let client = Client::connect(address).await;
        for writer in 0..WRITERS {
            let number = connection * WRITERS + writer;
            let random = Random::new(seed + number as u64);
            tasks.push(spawn_local(write(client.clone(), Rc::clone(ledger), number, random)));
        }
        let random = Random::new(seed + 1000 + connection as u64);
        tasks.push(spawn_local(read(client, Rc::clone(ledger), random)));
    }
    tasks
}

async fn write(client: Client, ledger: Ledger, writer: usize, mut random: Random) {
    loop {
        let number = writer * UNITS + random.below(UNITS as u32) as usize;
        let result = match random.below(8) {
            0 => look(&client, &ledger, number).await,
            1 => change(&client, &ledger, number, true).await,
            _ => change(&client, &ledger, number, false).await,
        };
        if goes_on(result).is_none() {
            return;
        }
    }
}

/// Changes a unit of one's own.
async fn change(
    client: &Client,
    ledger: &Ledger,
    number: usize,
    away: bool,
) -> Result<(), Trouble> {
    let queries: Vec<_> = {
        let unit = &mut ledger.borrow_mut().0[number];
        if away {
            unit.try_delete();
            unit.keys.iter().map(|key| delete(key)).collect()
        } else {
            let version = unit.try_write();
            unit.keys.iter().map(|key| set(key, value(key, version))).collect()
        }
    };
    match <[_; 1]>::try_from(queries) {
        Ok([query]) => client.ask(query).await.map(|_| ())?,
        Err(queries) => client.batch(queries).await.map(|_| ())?,
    }
    let (units, figures) = &mut *ledger.borrow_mut();
    units[number].answered();
    figures.acknowledged += 1;
    Ok(())
}

/// Reads a unit of one's own: it must be what was last answered.
async fn look(client: &Client, ledger: &Ledger, number: usize) -> Result<(), Trouble> {
    let (key, expected) = {
        let unit = &ledger.borrow().0[number];
        (unit.keys[0].clone(), unit.promised())
    };
    let found = client.get(&key).await?;
    let content = found.as_ref().map(|bytes| version_of(&key, bytes));
    if content != expected.map(Some) {
        let wrong = format!("{key}: read {content:?} in place of {expected:?}");
        ledger.borrow_mut().1.wrong.push(wrong);
    }
    Ok(())
}

/// Reads keys of others and remembers what it saw.
async fn read(client: Client, ledger: Ledger, mut random: Random) {
    loop {
        let (number, key) = {
            let units = &ledger.borrow().0;
            let number = random.below(units.len() as u32) as usize;
            let keys = &units[number].keys;
            (number, keys[random.below(keys.len() as u32) as usize].clone())
        };
        let Some(found) = goes_on(client.get(&key).await) else { return };
        let Some(bytes) = found else { continue };
        let (units, figures) = &mut *ledger.borrow_mut();
        match version_of(&key, &bytes) {
            Some(version) => units[number].saw(version),
            None => figures.wrong.push(format!("{key}: {} bytes that nobody wrote", bytes.len())),
        }
    }
}

/// The result, or none when the server is gone. It has no reason to refuse.
fn goes_on<T>(result: Result<T, Trouble>) -> Option<T> {
    match result {
        Ok(result) => Some(result),
        Err(Trouble::Gone(_)) => None,
        Err(refused) => panic!("{refused:?}"),
    }
}

/// Compares everything that is there with what was promised.
pub(super) async fn check(address: SocketAddr, ledger: &Ledger) {
    let client = Client::connect(address).await;
    let mut rows = client.everything().await.unwrap();
    let (units, figures) = &mut *ledger.borrow_mut();
    for unit in units {
        let mut found = Vec::new();
        for key in &unit.keys {
            let place = rows.binary_search_by(|(row, _)| row[..].cmp(key.as_bytes()));
            let bytes = place.ok().map(|place| rows.remove(place).1);
            let content = bytes.as_ref().map(|bytes| version_of(key, bytes));
            if content == Some(None) {
                figures.wrong.push(format!("{key} has a value that nobody wrote"));
            }
            found.push(content.flatten());
        }
        unit.check(&found, figures);
    }
    figures.wrong.extend(rows.iter().map(|(key, _)| format!("nobody wrote {key:?}")));
}

/// Asks for keys one by one, which goes another way than a scan.
pub(super) async fn check_gets(address: SocketAddr, ledger: &Ledger) {
    let client = Client::connect(address).await;
    let count = ledger.borrow().0.len();
    for number in 0..count {
        look(&client, ledger, number).await.unwrap();
    }
}
