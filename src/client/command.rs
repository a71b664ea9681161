//! The command line: what can be asked for, and in which words.

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{
    admin::Admin, batch::Batch, bench::Bench, export::Export, flags::Flags, import::Import, jobs,
    logs::Logs, orders, output::Form as OutputForm, rows, shell::Shell, top::Top, traffic, values,
};

/// The name of the program.
pub(crate) const NAME: &str = "amaters-cli";

/// Talks to an amaters-server: values, batches, files of entries, and what an operator asks.
///
/// Exit status: 0 done; 1 refused or failed; 2 wrong command line; 3 the key has no value; 4 no connection; 5 not allowed;
/// 6 overloaded, late or going away: try again; 7 stopped part of the way, and says where; 8 a condition did not hold; 130
/// interrupted.
#[derive(Debug, Parser)]
#[command(name = NAME, version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) flags: Flags,
    /// How answers are printed.
    #[arg(short, long, global = true, value_enum, value_name = "FORM", help_heading = "Output")]
    pub(crate) output: Option<OutputForm>,
    /// Whether to use colours; NO_COLOR in the environment means never.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Output"
    )]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Store a value.
    Set(values::Set),
    /// Print the value of a key; exit status 3 if it has none.
    Get(values::Get),
    /// Remove keys; says how many had a value.
    Delete(values::Delete),
    /// Print the entries from one key up to another, which is not among them.
    Range(rows::Range),
    /// Print the entries of a collection, or those whose keys begin with a prefix.
    Scan(rows::Scan),
    /// Print the entries whose plain values match, as in: filter '>= 18 and not = 99'.
    Filter(rows::Filter),
    /// Change the entries whose plain values match, as in: update '>= 18' 'add 1'.
    Update(rows::Update),
    /// Do the queries of a file of JSON Lines in one step: all of them, or none.
    Batch(Batch),
    /// Store the entries of a file of JSON Lines.
    Import(Import),
    /// Write the entries of a collection as JSON Lines.
    Export(Export),
    /// Have the server write a backup, and watch it; Ctrl-C cancels it.
    Backup(jobs::Backup),
    /// Have the server read a backup, all of it or nothing, and watch it; Ctrl-C cancels it.
    Restore(jobs::Restore),
    /// Have the server read every byte of a backup, or of its own files; exit status 1 if something is damaged.
    Verify(jobs::Verify),
    /// Have the server flush its memory and merge its tables.
    Compact(jobs::Compact),
    /// Print, watch and cancel such long work.
    Jobs(jobs::Jobs),
    /// Print who is connected to the server, and close connections.
    Connections(orders::Connections),
    /// Have the server read its configuration again.
    Reload,
    /// Have the server finish its requests and end.
    Drain,
    /// Send a command to the server as clients of AmateRS do: backup, restore, stats, verify, compact, logs, metrics, cluster-info, nodes.
    Admin {
        /// Print the first answer, also where the server says that the work still goes on.
        #[arg(long)]
        no_wait: bool,
        #[command(subcommand)]
        admin: Admin,
    },
    /// Print what the server did lately: requests and warnings.
    Logs(Logs),
    /// Print what the server stores.
    Stats,
    /// Print the keys that are asked for most, by samples of the last minute.
    HotKeys(traffic::HotKeys),
    /// Print the largest values that were read or written in the last minute.
    BigValues(traffic::BigValues),
    /// Ask whether the server serves; exit status 1 if it does not.
    Health,
    /// Print the protocol version, the capabilities and the uptime of the server.
    Info,
    /// Measure how long the server takes to answer.
    Ping(Ping),
    /// Watch rates, latencies and shards of a server, by its metrics.
    Top(Top),
    /// Measure requests a second and latencies.
    Bench(Bench),
    /// Type commands, with history and completion.
    Shell(Shell),
    /// Print the completions for a shell.
    Completions {
        /// For which shell.
        shell: Shells,
    },
}

impl Command {
    /// Whether it goes on until Ctrl-C, as it was asked to.
    pub(crate) fn has_no_end(&self) -> bool {
        match self {
            Self::Top(_) => true,
            Self::Logs(logs) => logs.follow,
            Self::Admin { admin: Admin::Logs(logs), .. } => logs.follows(),
            _ => false,
        }
    }

    /// Whether it says itself what is done when Ctrl-C comes.
    pub(crate) fn sees_interrupts(&self) -> bool {
        matches!(
            self,
            Self::Import(_)
                | Self::Export(_)
                | Self::Backup(_)
                | Self::Restore(_)
                | Self::Verify(_)
                | Self::Compact(_)
                | Self::Jobs(_)
                | Self::Shell(_)
        )
    }
}

#[derive(Debug, Args)]
pub(crate) struct Ping {
    /// So many times.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: u32,
}

/// Shells with completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shells {
    Bash,
    Fish,
    Zsh,
}
