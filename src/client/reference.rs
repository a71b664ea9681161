//! The list of commands in `docs/reference/cli.md` is what the command line says.

use clap::{Arg, Command};

use super::command;
use crate::checked_in::assert_checked_in;

const BEGIN: &str = "<!-- commands; made from the code, see src/client/reference.rs -->\n";
const END: &str = "<!-- end of commands -->\n";

fn section(command: &Command, path: &str) -> String {
    let name = format!("{path} {}", command.get_name()).trim_start().to_owned();
    let mut text = String::new();
    let below: Vec<_> =
        command.get_subcommands().filter(|below| below.get_name() != "help").collect();
    let arguments: Vec<_> = command
        .get_arguments()
        .filter(|argument| !argument.is_global_set() && argument.get_id() != "help")
        .collect();
    let words: String =
        arguments.iter().filter(|each| each.is_positional()).map(|each| word(each)).collect();
    if below.is_empty() || !words.is_empty() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!("### `{name}{words}`\n\n{about}\n\n"));
        if !arguments.is_empty() {
            text.push_str("| | |\n|---|---|\n");
            arguments.iter().for_each(|argument| text.push_str(&row(argument)));
            text.push('\n');
        }
    }
    text + &below.iter().map(|below| section(below, &name)).collect::<String>()
}

/// A word as it stands behind the command.
fn word(argument: &Arg) -> String {
    let name = value(argument);
    let many = if argument.get_num_args().is_some_and(|range| range.max_values() > 1) {
        "…"
    } else {
        ""
    };
    if argument.is_required_set() { format!(" {name}{many}") } else { format!(" [{name}{many}]") }
}

fn value(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    names.first().map(ToString::to_string).unwrap_or_default()
}

fn row(argument: &Arg) -> String {
    let flags = [
        argument.get_short().map(|short| format!("`-{short}`")),
        argument.get_long().map(|long| match argument.get_action().takes_values() {
            true => format!("`--{long} {}`", value(argument)),
            false => format!("`--{long}`"),
        }),
    ];
    let flags: Vec<_> = flags.into_iter().flatten().collect();
    let name = if flags.is_empty() { format!("`{}`", value(argument)) } else { flags.join(", ") };
    let mut help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    if argument.get_action().takes_values() {
        let values = argument.get_possible_values();
        let values: Vec<_> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        if !values.is_empty() && !argument.is_hide_possible_values_set() {
            help.push_str(&format!("; one of {}", values.join(", ")));
        }
        let default = argument.get_default_values().first();
        if let (Some(default), false) = (default, argument.is_hide_default_value_set()) {
            help.push_str(&format!("; by default {}", default.to_string_lossy()));
        }
    }
    format!("| {name} | {} |\n", help.replace('|', "\\|").replace('<', "\\<"))
}

#[test]
fn the_reference_has_every_command() {
    let mut command = command();
    command.build();
    let commands: String = command
        .get_subcommands()
        .filter(|below| below.get_name() != "help")
        .map(|below| section(below, ""))
        .collect();
    assert_checked_in("docs/reference/cli.md", |present| {
        let (before, rest) = present.split_once(BEGIN).unwrap_or_default();
        let (_, after) = rest.split_once(END).unwrap_or_default();
        format!("{before}{BEGIN}\n{}\n{END}{after}", commands.trim_end())
    });
}
