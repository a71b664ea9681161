//! `restore`: a backup in the place of what a data directory holds, while no server runs on it. `docs/reference/backups.md`
//! has the steps.

use std::{error::Error, path::Path, process::ExitCode, sync::Arc, thread, time::Duration};

use amaters_shards::{
    limits::COLLECTION_BYTES_MAX,
    settings::Engine,
    storage::{BackupError, Control, Folder, Fresh, Reader, Restored, make_shards, read_through},
};
use indicatif::ProgressBar;

use crate::{
    cli::Restore,
    config::Config,
    cores::Offer,
    directory::{Directory, copies},
    reshard::{STEPS, bar},
};

type Failure = Box<dyn Error + Send + Sync>;

/// Bytes of a table, about; merging makes others of them in time.
const TABLE_BYTES: u64 = 32 * 1024 * 1024;

/// Reads the backup into new shards, then lets them take the place of the old ones.
pub(crate) fn run(config: &Config, wish: &Restore) -> Result<ExitCode, Failure> {
    let Engine::Lsm(wal) = &config.engine else {
        return Err("storage.engine = \"memory\" keeps nothing that could be restored into".into());
    };
    if wish.collection.is_empty() || wish.collection.len() > COLLECTION_BYTES_MAX {
        return Err(format!("--collection takes 1 to {COLLECTION_BYTES_MAX} bytes").into());
    }
    let (folder, parent) = open(&wish.folder)?;
    let reader = Reader::open(&folder, &parent, &wish.collection)?;
    if wish.dry_run {
        let restored = with_bar(reader, read_through)?;
        println!(
            "{}: {} entries of {} bytes can be restored",
            folder.shown().display(),
            restored.keys,
            restored.bytes
        );
        return Ok(ExitCode::SUCCESS);
    }
    let cpus = Offer::of_this_process()?.choose(config.cores.as_ref())?;
    let first = wish.shards.unwrap_or(u32::try_from(cpus.len())?);
    let mut directory = Directory::open(&config.data_dir, &config.engine, first)?;
    if !directory.is_new() && !wish.replace {
        return Err(format!(
            "data directory {}: a server has served from it; --replace throws away what it holds",
            config.data_dir.display()
        )
        .into());
    }
    let before = directory.superblock().clone();
    let after = before.resharded(wish.shards.unwrap_or(before.shards));
    let fresh = Fresh {
        log_dir: copies(&wal.dir),
        data_dir: copies(&config.tree.dir),
        directory_id: after.directory_id,
        partition: after.partition(),
        blob_bytes_min: config.tree.blob_bytes_min,
        table_bytes: TABLE_BYTES,
        level: config.tree.compaction.levels - 1,
    };
    let restored = match with_bar(reader, |reader, control| make_shards(&fresh, reader, control)) {
        Ok(restored) => restored,
        Err(error) => {
            // Nothing has happened, and nothing is to be left.
            directory.finish_move(&wal.dir)?;
            return Err(format!("not restored, everything is as it was: {error}").into());
        }
    };
    // What a running server had decided was for the shards that go.
    directory.forget_pending()?;
    let shards = after.shards;
    directory.reshard(&wal.dir, after)?;
    println!("{} entries of {} bytes restored into {shards} shards", restored.keys, restored.bytes);
    Ok(ExitCode::SUCCESS)
}

/// The folder of a backup, and the one that its chain lies in.
pub(crate) fn open(path: &Path) -> Result<(Folder, Folder), BackupError> {
    let whole = path.canonicalize();
    let whole = whole.map_err(|error| {
        BackupError::Refused(format!("cannot open {}: {error}", path.display()))
    })?;
    let above = whole.parent().unwrap_or(Path::new("/"));
    Ok((Folder::open(&whole)?, Folder::open(above)?))
}

fn with_bar(
    mut reader: Reader,
    work: impl FnOnce(&mut Reader, &Control) -> Result<Restored, BackupError>,
) -> Result<Restored, Failure> {
    let control = Control::new(0);
    let bar = bar()?;
    show(&bar, &control);
    let done = work(&mut reader, &control);
    bar.finish_and_clear();
    Ok(done?)
}

/// Moves a bar as work goes on, until it is finished.
pub(crate) fn show(bar: &ProgressBar, control: &Arc<Control>) {
    const LOOK: Duration = Duration::from_millis(200);

    let (bar, control) = (bar.clone(), Arc::clone(control));
    thread::spawn(move || {
        while !bar.is_finished() {
            let (keys, bytes, total) = control.progress();
            bar.set_position((bytes.min(total) as f64 / total.max(1) as f64 * STEPS as f64) as u64);
            bar.set_message(format!("{keys} entries"));
            thread::sleep(LOOK);
        }
    });
}
