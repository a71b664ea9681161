//! Garbage in blob files: a file of which less than half is referred to is walked over, and what is alive in it is written
//! again, as ordinary writes. Then nothing newest refers to it, and it goes with the flush of the last of these writes.
//!
//! ```text
//! file, mostly garbage ─► walk ─► newest entry of the key refers here? ─ yes ─► write it again, if that is still so
//!                                                                                   │ all durable soon: freeze
//!                                                      dropped with the flush ◄─────┘
//! ```
//!
//! Always true: a file is dropped only when every entry that refers to it lies beneath a newer one that is in a table.

use std::rc::Rc;

use super::{
    StorageError,
    blob::{BlobFile, Found, Walk},
    bugs::{Bug, is_planted},
    locks::LockSet,
    shard::{Inner, Shard},
    state::State,
    ticket::Ticket,
    view::View,
};

/// Garbage for which a walk is worth while. Headers and the ends of groups count as garbage: without this, a file of one
/// small value would be written again at every start.
const GARBAGE_BYTES_MIN: u64 = if cfg!(test) { 16 * 1024 } else { 4 * 1024 * 1024 };
/// Written again before the writes are waited for: what other writers may have to wait behind.
const BYTES_IN_FLIGHT_MAX: u64 = 4 * 1024 * 1024;

/// Runs until the shard is closed.
pub(super) async fn run(shard: &Shard, inner: &Inner) {
    while !inner.has_ended() {
        if let Some(store) = &inner.store {
            // Readers may have gone that held on to files.
            store.sweep().await;
        }
        match candidate(inner).await {
            Ok(Some((_held, file))) => match collect(shard, inner, &file).await {
                // It is looked at again after the next flush.
                Ok(false) => inner.tidy.wait().await,
                Ok(true) => {}
                Err(StorageError::Held { .. }) => inner.tidy.wait().await,
                Err(error) => {
                    tracing::warn!("{} is not collected: {error}", file.path.display());
                    let number = file.binding.number;
                    inner.state.borrow_mut().uncollectable.insert(number);
                }
            },
            Ok(None) => inner.tidy.wait().await,
            Err(error) => {
                tracing::warn!("blob files are not collected: {error}");
                inner.tidy.wait().await;
            }
        }
    }
}

/// The oldest file that is mostly garbage, and the view that keeps it open: it may die while it is walked over. Notes how much
/// garbage there is in all.
async fn candidate(inner: &Inner) -> Result<Option<(Rc<View>, Rc<BlobFile>)>, StorageError> {
    let (view, files): (_, Vec<(Rc<BlobFile>, u64, bool)>) = {
        let state = inner.state.borrow();
        // The one that is written has room in it that is no garbage.
        let blobs = state.view.blobs.values();
        let blobs = blobs.filter(|file| state.blob_active != Some(file.binding.number));
        let files = blobs.map(|file| {
            let number = &file.binding.number;
            // What a batch has proposed cannot be written again before it is decided.
            let collectable = !state.memtable.proposes(*number)
                && !state.collected.contains_key(number)
                && !state.uncollectable.contains(number);
            (Rc::clone(file), live_bytes(&state, *number), collectable)
        });
        (Rc::clone(&state.view), files.collect())
    };
    let (mut found, mut garbage_bytes) = (None, 0);
    for (file, live, collectable) in files {
        let size = match file.size().await {
            // What is wrong with it is told where it is needed.
            Err(_) if !collectable => continue,
            size => size?,
        };
        let garbage = size.saturating_sub(live);
        garbage_bytes += garbage;
        if collectable && found.is_none() && garbage >= live.max(GARBAGE_BYTES_MIN) {
            found = Some(file);
        }
    }
    inner.state.borrow_mut().blob_garbage_bytes = garbage_bytes;
    Ok(found.map(|file| (view, file)))
}

/// Bytes of a blob file that entries refer to.
fn live_bytes(state: &State, file: u64) -> u64 {
    let tables = state.view.version.tables().flat_map(|table| &table.meta.blobs);
    let in_tables: u64 = tables.filter(|blob| blob.file == file).map(|blob| blob.bytes).sum();
    let layers = state.memtable.totals().filter_map(|totals| totals.blobs.get(&file));
    in_tables + layers.sum::<u64>()
}

/// Writes again what is alive in a file. False if that failed for want of room, or the shard is being closed.
async fn collect(shard: &Shard, inner: &Inner, file: &Rc<BlobFile>) -> Result<bool, StorageError> {
    let mut walk = Walk::begin(Rc::clone(file)).await?;
    let mut tickets: Vec<Ticket> = Vec::new();
    let mut bytes = 0;
    while let Some(found) = walk.next().await? {
        if inner.has_ended() {
            return Ok(false);
        }
        if is_planted(Bug::BlobGoneEarly) {
            break;
        }
        bytes += u64::from(found.blob.bytes);
        tickets.extend(rewrite(shard, found).await?);
        if bytes >= BYTES_IN_FLIGHT_MAX {
            bytes = 0;
            if !settled(tickets.drain(..)).await {
                return Ok(false);
            }
        }
    }
    if !settled(tickets.into_iter()).await {
        return Ok(false);
    }
    let mut state = inner.state.borrow_mut();
    let newest = state.newest_sequence();
    state.collected.insert(file.binding.number, newest);
    state.freeze_asked = true;
    drop(state);
    inner.work.raise();
    Ok(true)
}

async fn settled(tickets: impl Iterator<Item = Ticket>) -> bool {
    for ticket in tickets {
        if ticket.await.is_err() {
            return false;
        }
    }
    true
}

/// Writes one value again if the newest entry of its key still refers to this place.
async fn rewrite(shard: &Shard, found: Found) -> Result<Option<Ticket>, StorageError> {
    let found = Rc::new(found);
    loop {
        let place = Rc::clone(&found);
        let locked = Rc::clone(&found);
        let locks = move || LockSet::of_write(&locked.collection, &locked.key);
        let step = shard.transact(locks, move |transaction| {
            transaction.rewrite(&place.collection, &place.key, place.blob)
        });
        match step.await? {
            (Rewrite::Gone, _) => return Ok(None),
            (Rewrite::Done, ticket) => return Ok(Some(ticket)),
            // A newer write may yet fail; then this value would be the newest again.
            (Rewrite::Staged, ticket) => drop(ticket.await),
        }
    }
}

/// What became of a value that was to be written again.
pub(super) enum Rewrite {
    /// Something newer is visible.
    Gone,
    /// Something newer is staged.
    Staged,
    /// It has been written again.
    Done,
}
