//! `amaters-cli`: the client's program. `docs/reference/cli.md` is its reference.
//!
//! ```text
//! command (clap) ─► settings (flags over environment over profiles) ─► session ─► connection (tonic)
//!                                                                        │
//!     values · rows · batch · import · export · admin · jobs · orders · logs · server · traffic · top · bench · shell
//!                                                                        │
//!                      failure ─► exit status        output ─► table, JSON, YAML
//! ```
//!
//! Always true: nothing is printed that the server did not say, and nothing is called done that the server did not confirm.

mod address;
mod admin;
mod batch;
mod bench;
mod command;
mod conditions;
mod connection;
mod entry;
mod export;
mod failure;
mod flags;
mod given;
mod import;
mod jobs;
mod lines;
mod logs;
mod orders;
mod output;
mod predicate;
mod profiles;
mod progress;
mod query;
#[cfg(test)]
mod reference;
mod rows;
mod scan;
mod server;
mod settings;
mod shell;
mod top;
mod traffic;
mod values;

use std::{env, io::IsTerminal as _, process::ExitCode};

use clap::{CommandFactory as _, Parser as _};
use clap_complete::shells::{Bash, Fish, Zsh};

use self::{
    command::{Cli, Color, Command, Shells},
    connection::Connection,
    failure::{Failure, Kind},
    output::{Form, Output},
    settings::Settings,
};

pub(crate) use self::command::NAME;

/// The collection if nobody names one.
const COLLECTION: &str = "default";

/// Does what the command line says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut form = cli.output.unwrap_or(Form::Table);
    match run(&cli, &mut form) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&failure, form);
            ExitCode::from(failure.exit())
        }
    }
}

/// `form` is how failures are told: what is settled, once it is.
fn run(cli: &Cli, form: &mut Form) -> Result<(), Failure> {
    if let Command::Completions { shell } = cli.command {
        completions(shell);
        return Ok(());
    }
    let settings = Settings::of(cli, |name| env::var(name).ok())?;
    *form = settings.output;
    let mut session = Session::new(settings, colored(cli.color));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::refused(format!("cannot begin: {error}")))?;
    runtime.block_on(session.run_until_interrupted(&cli.command))
}

/// What commands share: settings, and a connection once one needs it.
struct Session {
    settings: Settings,
    output: Output,
    connection: Option<Connection>,
}

impl Session {
    fn new(settings: Settings, color: bool) -> Self {
        let output = Output { form: settings.output, color };
        Self { settings, output, connection: None }
    }

    async fn connection(&mut self) -> Result<&Connection, Failure> {
        if self.connection.is_none() {
            self.connection = Some(Connection::open(&self.settings).await?);
        }
        self.connection.as_ref().ok_or_else(|| unreachable!("it has just been opened"))
    }

    /// The next command that needs a connection makes a new one.
    fn disconnect(&mut self) {
        self.connection = None;
    }

    fn collection(&self) -> &str {
        self.settings.collection.as_deref().unwrap_or(COLLECTION)
    }

    async fn run_until_interrupted(&mut self, command: &Command) -> Result<(), Failure> {
        if command.sees_interrupts() {
            let done = self.run(command).await;
            return done.map_err(|failure| self.advised(failure));
        }
        tokio::select! {
            done = self.run(command) => done.map_err(|failure| self.advised(failure)),
            // Ctrl-C is the way to end what goes on by itself.
            () = interrupt() => match command.has_no_end() {
                true => Ok(()),
                false => Err(Failure::new(Kind::Interrupted, "interrupted")),
            },
        }
    }

    /// A server that wants a client certificate ends the connection when it gets none, without a word (TLS 1.3).
    fn advised(&self, failure: Failure) -> Failure {
        let settings = &self.settings;
        let bare = settings.address.tls && settings.tls.identity.is_none();
        if failure.kind != Kind::Unreachable || !bare || self.connection.is_none() {
            return failure;
        }
        let advice = "if the server wants a client certificate: --tls-cert and --tls-key";
        Failure { text: format!("{}; {advice}", failure.text), ..failure }
    }

    async fn run(&mut self, command: &Command) -> Result<(), Failure> {
        match command {
            Command::Set(set) => set.run(self).await,
            Command::Get(get) => get.run(self).await,
            Command::Delete(delete) => delete.run(self).await,
            Command::Range(range) => range.run(self).await,
            Command::Scan(scan) => scan.run(self).await,
            Command::Filter(filter) => filter.run(self).await,
            Command::Update(update) => update.run(self).await,
            Command::Batch(batch) => batch.run(self).await,
            Command::Import(import) => import.run(self).await,
            Command::Export(export) => export.run(self).await,
            Command::Admin { admin, no_wait } => admin.run(self, *no_wait).await,
            Command::Logs(logs) => logs.run(self).await,
            Command::Stats => server::stats(self).await,
            Command::HotKeys(keys) => keys.run(self).await,
            Command::BigValues(values) => values.run(self).await,
            Command::Health => server::health(self).await,
            Command::Info => server::info(self).await,
            Command::Ping(ping) => server::ping(self, ping).await,
            Command::Backup(backup) => backup.run(self).await,
            Command::Restore(restore) => restore.run(self).await,
            Command::Verify(verify) => verify.run(self).await,
            Command::Compact(compact) => compact.run(self).await,
            Command::Jobs(jobs) => jobs.run(self).await,
            Command::Connections(connections) => connections.run(self).await,
            Command::Reload => orders::reload(self).await,
            Command::Drain => orders::drain(self).await,
            Command::Top(top) => top.run(self).await,
            Command::Bench(bench) => bench.run(self).await,
            Command::Shell(shell) => shell.run(self).await,
            Command::Completions { shell } => {
                completions(*shell);
                Ok(())
            }
        }
    }
}

/// Comes with Ctrl-C.
async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        // The signal keeps its usual effect.
        std::future::pending::<()>().await;
    }
}

/// Says on standard error what went wrong, to programs as an object.
fn tell(failure: &Failure, form: Form) {
    match form {
        Form::Json => {
            let object = serde_json::json!({"error": {
                "message": failure.text,
                "code": failure.code,
                "retry_after": failure.retry_after,
                "exit_status": failure.exit(),
            }});
            eprintln!("{object}");
        }
        _ => eprintln!("error: {failure}"),
    }
}

/// Whether standard output takes colours.
fn colored(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
            !refused && !dumb && std::io::stdout().is_terminal()
        }
    }
}

/// The command line, for completions and manual pages.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

fn completions(shell: Shells) {
    let (mut command, mut out) = (command(), std::io::stdout());
    match shell {
        Shells::Bash => clap_complete::generate(Bash, &mut command, NAME, &mut out),
        Shells::Fish => clap_complete::generate(Fish, &mut command, NAME, &mut out),
        Shells::Zsh => clap_complete::generate(Zsh, &mut command, NAME, &mut out),
    }
}
