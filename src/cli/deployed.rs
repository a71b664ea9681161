//! Completions for shells and manual pages, in `deploy/`, are what the command line says.

use std::fs;

use clap::{Command, CommandFactory as _};
use clap_complete::{
    Generator,
    shells::{Bash, Fish, Zsh},
};
use clap_mangen::Man;

use super::Cli;
use crate::checked_in::assert_checked_in;

const NAME: &str = "amaters-server";

fn completion(shell: impl Generator) {
    let path = format!("deploy/completions/{}", shell.file_name(NAME));
    let mut text = Vec::new();
    // Shells would be told of hidden flags too.
    let mut command = Cli::command().mut_subcommand("start", without_hidden);
    clap_complete::generate(shell, &mut command, NAME, &mut text);
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("validate-config") && !text.contains("--detached"), "{path}");
    assert_checked_in(&path, |_| text.clone());
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
    let mut command = Cli::command();
    command.build();
    let pages = pages(&command, NAME);
    for (name, text) in &pages {
        assert!(!text.contains("detached"), "{name}");
        assert_checked_in(&format!("deploy/man/{name}"), |_| text.clone());
    }
    // Nor is there a page of a command that is gone.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/man");
    assert_eq!(fs::read_dir(folder).unwrap().count(), pages.len());
}
