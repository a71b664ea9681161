//! `verify`: reads every byte of a backup. `docs/reference/backups.md` tells what it finds.

use std::{error::Error, path::Path, process::ExitCode};

use amaters_shards::storage::{Control, verify};

use crate::{
    reshard::bar,
    restore::{open, show},
};

/// fsck(8): errors are left.
const EXIT_DAMAGED: u8 = 4;

/// Prints a line for all that is damaged, and what was read.
pub(crate) fn run(path: &Path) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let (folder, parent) = open(path)?;
    let control = Control::new(0);
    let bar = bar()?;
    show(&bar, &control);
    let found = verify(&folder, &parent, &control);
    bar.finish_and_clear();
    let found = found?;
    found.damages.iter().for_each(|damage| println!("damaged: {damage}"));
    println!(
        "{} backups, {} files, {} entries of {} bytes; {} damaged",
        found.links, found.files, found.keys, found.bytes, found.damages_total
    );
    Ok(if found.damages_total == 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DAMAGED) })
}
