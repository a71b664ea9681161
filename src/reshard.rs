//! `reshard`: another number of shards for a data directory that is not in use. `docs/reference/reshard.md` has the steps.

use std::{error::Error, path::Path, process::ExitCode, time::Duration};

use amaters_shards::{
    reshard::{CopySettings, Layout, copy},
    settings::Engine,
};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    config::Config,
    directory::{Directory, copies, superblock::Superblock},
};

/// Steps of the bar.
pub(crate) const STEPS: u64 = 1000;

/// Copies all entries, then lets the copies take the place of what was there.
pub(crate) fn run(config: &Config, shards: u32) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let Engine::Lsm(wal) = &config.engine else {
        return Err("storage.engine = \"memory\" keeps nothing that could be resharded".into());
    };
    let mut directory = Directory::existing(&config.data_dir, &wal.dir)?;
    directory.finish_move(&wal.dir)?;
    directory.check_no_pending()?;
    let before = directory.superblock().clone();
    if before.shards == shards {
        println!("{} has {shards} shards already", config.data_dir.display());
        return Ok(ExitCode::SUCCESS);
    }
    let after = before.resharded(shards);
    let layout = |log_dir: &Path, data_dir: &Path, superblock: &Superblock| Layout {
        log_dir: log_dir.to_owned(),
        data_dir: data_dir.to_owned(),
        directory_id: superblock.directory_id,
        partition: superblock.partition(),
    };
    let from = layout(&wal.dir, &config.tree.dir, &before);
    let to = layout(&copies(&wal.dir), &copies(&config.tree.dir), &after);
    let settings = CopySettings {
        memtable_bytes_max: config.memtable_bytes_max,
        segment_bytes: wal.segment_bytes,
        blob_bytes_min: config.tree.blob_bytes_min,
        compaction: config.tree.compaction,
    };
    let bar = bar()?;
    let told = bar.clone();
    let copied = copy(from, to, settings, move |part, entries| {
        told.set_position((part * STEPS as f64) as u64);
        told.set_message(format!("{entries} entries"));
    });
    bar.finish_and_clear();
    let entries = match copied {
        Ok(entries) => entries,
        Err(error) => {
            // Nothing has happened, and nothing is to be left.
            directory.finish_move(&wal.dir)?;
            return Err(format!("not resharded, everything is as it was: {error}").into());
        }
    };
    directory.reshard(&wal.dir, after)?;
    println!("{entries} entries in {shards} shards instead of {}", before.shards);
    Ok(ExitCode::SUCCESS)
}

/// On a terminal; elsewhere it is silent.
pub(crate) fn bar() -> Result<ProgressBar, Box<dyn Error + Send + Sync>> {
    let style = ProgressStyle::with_template("[{bar:40}] {percent:>3} %  {msg}  {eta} left")?;
    let bar = ProgressBar::new(STEPS).with_style(style.progress_chars("#> "));
    bar.enable_steady_tick(Duration::from_millis(200));
    Ok(bar)
}
