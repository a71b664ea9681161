//! What may stand at the cursor: commands, and behind them their flags and what those take.

use clap::Command;
use rustyline::{
    Context, Helper, completion::Completer, highlight::Highlighter, hint::Hinter,
    validate::Validator,
};

use crate::client::command;

/// Words that stand alone.
const OWN: [&str; 4] = ["exit", "help", "quit", "use"];

pub(super) struct Completion {
    command: Command,
}

impl Completion {
    pub(super) fn new() -> Self {
        let mut command = command();
        command.build();
        Self { command }
    }

    /// What a word may become, behind other words.
    fn candidates(&self, before: &[&str], word: &str) -> Vec<String> {
        let mut at = &self.command;
        for name in before {
            if let Some(below) = at.get_subcommands().find(|below| below.get_name() == *name) {
                at = below;
            }
        }
        let last = before.last().and_then(|last| last.strip_prefix("--"));
        let flag =
            at.get_arguments().find(|argument| argument.get_long() == last && last.is_some());
        let mut all: Vec<String> = Vec::new();
        match flag.filter(|flag| flag.get_action().takes_values()) {
            Some(flag) => {
                all.extend(
                    flag.get_possible_values().iter().map(|value| value.get_name().to_owned()),
                );
            }
            None if word.starts_with('-') => {
                let flags = at.get_arguments().filter(|argument| !argument.is_hide_set());
                all.extend(
                    flags.filter_map(|flag| flag.get_long()).map(|long| format!("--{long}")),
                );
            }
            None => {
                let names = at.get_subcommands().map(|below| below.get_name().to_owned());
                all.extend(names.filter(|name| name != "shell" && name != "help"));
                if before.is_empty() {
                    all.extend(OWN.map(str::to_owned));
                }
            }
        }
        all.retain(|candidate| candidate.starts_with(word));
        all.sort();
        all
    }
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let line = &line[..at];
        let begin = line.rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
        let before: Vec<_> = line[..begin].split_whitespace().collect();
        let found = self.candidates(&before, &line[begin..]);
        Ok((begin, found.into_iter().map(|word| word + " ").collect()))
    }
}

impl Helper for Completion {}
impl Highlighter for Completion {}
impl Validator for Completion {}
impl Hinter for Completion {
    type Hint = String;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_flags_and_their_values_are_completed() {
        let completion = Completion::new();
        let found = |before: &[&str], word| completion.candidates(before, word);
        assert_eq!(found(&[], "sc"), ["scan"]);
        assert!(
            found(&[], "").contains(&"use".to_owned())
                && !found(&[], "sh").contains(&"shell".to_owned())
        );
        assert_eq!(found(&["admin"], "ba"), ["backup"]);
        assert_eq!(found(&["jobs"], ""), ["cancel", "list", "watch"]);
        assert_eq!(found(&["get", "k"], "--as"), ["--as"]);
        assert_eq!(found(&["get", "--as"], "h"), ["hex"]);
        assert_eq!(found(&["get"], "x"), Vec::<String>::new());
    }
}
