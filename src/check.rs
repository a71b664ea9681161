//! `check`: reads every file of a data directory that is not in use. `docs/reference/check.md` tells what it looks at.

use std::{error::Error, process::ExitCode};

use amaters_shards::{
    partition,
    settings::Engine,
    storage::{CheckOptions, Checked, Finding, check},
};

use crate::{config::Config, directory::Directory};

/// fsck(8): errors are left.
const EXIT_DAMAGED: u8 = 4;

/// What has been found so far.
#[derive(Default)]
struct Found {
    damaged: u64,
    left_over: u64,
}

/// Prints a line for each shard, and one for all that is wrong with it.
pub(crate) fn run(config: &Config) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let Engine::Lsm(wal) = &config.engine else {
        return Err("storage.engine = \"memory\" keeps nothing that could be checked".into());
    };
    let directory = Directory::existing(&config.data_dir, &wal.dir)?;
    directory.check_no_pending()?;
    if directory.is_moving() {
        return Err(
            "a reshard was cut short; `amaters-server reshard` with the same number, or a start, \
                    finishes it"
                .into(),
        );
    }
    let superblock = directory.superblock();
    let mut found = Found::default();
    for shard in 0..superblock.shards {
        let folder = partition::folder(shard);
        let options = CheckOptions {
            log_dir: wal.dir.join(&folder),
            data_dir: config.tree.dir.join(&folder),
            directory_id: superblock.directory_id,
            shard,
        };
        let mut lines = Vec::new();
        let checked = check(options, &mut |finding| lines.push(found.line(&finding)));
        println!("shard {shard}: {}", summary(&checked));
        lines.iter().for_each(|line| println!("  {line}"));
    }
    println!("{} damaged, {} left over", found.damaged, found.left_over);
    Ok(if found.damaged == 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DAMAGED) })
}

impl Found {
    fn line(&mut self, finding: &Finding) -> String {
        match finding {
            Finding::Damaged(error) => {
                self.damaged += 1;
                format!("damaged: {error}")
            }
            Finding::LeftOver(path) => {
                self.left_over += 1;
                format!("left over: {}", path.display())
            }
        }
    }
}

fn summary(checked: &Checked) -> String {
    let Checked { tables, entries, blob_files, values, value_bytes, records, .. } = checked;
    let values = if checked.references_unknown {
        "whose values were not looked at because of the damage".to_owned()
    } else {
        format!("{values} values of {value_bytes} bytes")
    };
    let torn = match checked.truncated_bytes {
        0 => String::new(),
        bytes => format!(" and {bytes} bytes of an unfinished write behind them"),
    };
    format!(
        "{tables} tables with {entries} entries, {blob_files} blob files, {values}, {records} \
         records in the log{torn}"
    )
}
