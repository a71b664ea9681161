//! Completions for shells and manual pages, in `deploy/`, are what the command lines say.

use std::{collections::BTreeSet, fs};

use clap::{Command, CommandFactory as _};
use clap_complete::{
    Generator,
    shells::{Bash, Fish, Zsh},
};
use clap_mangen::Man;

use super::Cli;
use crate::checked_in::assert_checked_in;

/// The programs by their names.
fn programs() -> Vec<(&'static str, Command)> {
    // Shells would be told of hidden flags too.
    let server = Cli::command().mut_subcommand("start", without_hidden);
    #[cfg(feature = "cli")]
    return vec![("amaters-server", server), (crate::client::NAME, crate::client::command())];
    #[cfg(not(feature = "cli"))]
    vec![("amaters-server", server)]
}

fn completion(shell: impl Generator + Copy) {
    for (name, mut command) in programs() {
        let path = format!("deploy/completions/{}", shell.file_name(name));
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut command, name, &mut text);
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(name) && !text.contains("--detached"), "{path}");
        assert_checked_in(&path, |_| text.clone());
    }
}

fn without_hidden(command: Command) -> Command {
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let about = command.get_about().cloned().unwrap_or_default();
    // Names live as long as the program.
    let name: &'static str = command.get_name().to_owned().leak();
    Command::new(name).about(about).args(shown.cloned())
}

#[test]
fn completions_are_those_of_the_command_line() {
    completion(Bash);
    completion(Fish);
    completion(Zsh);
}

/// The page of a command and those of the commands below it, as name and text.
fn pages(command: &Command, name: &str) -> Vec<(String, String)> {
    let mut text = Vec::new();
    let leaked: &'static str = name.to_owned().leak();
    let page = command.clone().name(leaked).display_name(leaked);
    let version = env!("CARGO_PKG_VERSION");
    Man::new(page.version(version)).render(&mut text).unwrap();
    let mut pages = vec![(format!("{name}.1"), String::from_utf8(text).unwrap())];
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        pages.extend(pages_of(below, name));
    }
    pages
}

fn pages_of(command: &Command, above: &str) -> Vec<(String, String)> {
    pages(command, &format!("{above}-{}", command.get_name()))
}

#[test]
fn manual_pages_are_those_of_the_command_line() {
    let mut names = BTreeSet::new();
    for (name, mut command) in programs() {
        command.build();
        for (page, text) in pages(&command, name) {
            assert!(!text.contains("detached"), "{page}");
            assert_checked_in(&format!("deploy/man/{page}"), |_| text.clone());
            names.insert(page);
        }
    }
    // Nor is there a page of a command that is gone.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/man");
    let present = fs::read_dir(folder).unwrap();
    let present = present.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    if cfg!(feature = "cli") {
        assert_eq!(present.collect::<BTreeSet<_>>(), names);
    }
}
