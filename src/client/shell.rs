//! `shell`: the same commands, typed one after the other over one connection.
//!
//! A thread of its own reads lines, so that the connection is looked after also while someone thinks: the server asks now and
//! then whether its client is there.

mod completion;
mod words;

use std::{
    fs,
    io::IsTerminal as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::mpsc as waiting,
    thread,
};

use clap::{Args, Parser as _};
use rustyline::{CompletionType, Config, Editor, error::ReadlineError, history::FileHistory};
use tokio::sync::mpsc;

use self::completion::Completion;
use super::{
    Session,
    command::{Cli, Command, NAME},
    failure::{Failure, Kind},
    tell,
};

/// Lines of the history.
const HISTORY_LINES: usize = 1000;
const WELCOME: &str = "Type commands as on the command line, without amaters-cli: set, get, scan, help.\n\
                       `use NAME` goes to another collection; Tab completes; Ctrl-D ends.";

#[derive(Debug, Args)]
pub(crate) struct Shell {
    /// Keep no history; by default it is in cli.history, beside the file of profiles.
    #[arg(long)]
    no_history: bool,
    /// Keep the history in this file.
    #[arg(long, value_name = "FILE", conflicts_with = "no_history")]
    history: Option<PathBuf>,
}

/// What the reader is asked for, and what it gives.
type Prompt = String;
type Line = Result<String, ReadlineError>;

impl Shell {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let interactive = std::io::stdin().is_terminal();
        // Whether there is a server is better known before the first command.
        session.connection().await?;
        if interactive {
            eprintln!("{}\n{WELCOME}", session.settings.address);
        }
        let (prompts, mut lines) = reader(self.history_file(session))?;
        loop {
            let prompt = format!("{}> ", session.collection());
            if prompts.send(prompt).is_err() {
                return Ok(());
            }
            let line = match lines.recv().await {
                Some(Ok(line)) => line,
                // Ctrl-C leaves the line, Ctrl-D the shell.
                Some(Err(ReadlineError::Interrupted)) => continue,
                Some(Err(ReadlineError::Eof)) | None => return Ok(()),
                Some(Err(error)) => {
                    return Err(Failure::refused(format!("cannot read a line: {error}")));
                }
            };
            match command(session, &line).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                // Nobody is there to try something else.
                Err(failure) if !interactive => return Err(failure),
                Err(failure) => {
                    tell(&failure, session.output.form);
                    if failure.kind == Kind::Unreachable {
                        session.disconnect();
                    }
                }
            }
        }
    }

    fn history_file(&self, session: &Session) -> Option<PathBuf> {
        if self.no_history || !std::io::stdin().is_terminal() {
            return None;
        }
        let usual = session.settings.folder.as_ref().map(|folder| folder.join("cli.history"));
        self.history.clone().or(usual)
    }
}

/// Does what a line says; true at the end.
async fn command(session: &mut Session, line: &str) -> Result<bool, Failure> {
    let words = words::split(line)?;
    let Some(first) = words.first() else {
        return Ok(false);
    };
    match (first.as_str(), &words[1..]) {
        ("exit" | "quit", []) => return Ok(true),
        ("use", [name]) => {
            session.settings.collection = Some(name.clone());
            return Ok(false);
        }
        ("use", _) => return Err(Failure::usage("use takes the name of a collection")),
        _ => {}
    }
    let cli =
        match Cli::try_parse_from(std::iter::once(NAME).chain(words.iter().map(String::as_str))) {
            Ok(cli) => cli,
            // Help is an error of the parser too.
            Err(error) if error.use_stderr() => {
                return Err(Failure::usage(
                    error.to_string().trim_start_matches("error: ").trim_end(),
                ));
            }
            Err(error) => {
                print!("{error}");
                return Ok(false);
            }
        };
    if matches!(cli.command, Command::Shell(_)) {
        return Err(Failure::usage("this is a shell already"));
    }
    let collection = cli.flags.of_one_command()?;
    let (kept, output) = (session.settings.collection.clone(), session.output);
    session.settings.collection = collection.or_else(|| kept.clone());
    session.output.form = cli.output.unwrap_or(output.form);
    // The future is large, and this one is a part of it.
    let done = Box::pin(session.run_until_interrupted(&cli.command)).await;
    session.settings.collection = kept;
    session.output = output;
    done.map(|()| false)
}

/// A thread that reads a line for each prompt.
fn reader(
    history: Option<PathBuf>,
) -> Result<(waiting::Sender<Prompt>, mpsc::UnboundedReceiver<Line>), Failure> {
    let cannot =
        |error: &dyn std::fmt::Display| Failure::refused(format!("cannot begin a shell: {error}"));
    let config =
        Config::builder().max_history_size(HISTORY_LINES).map_err(|error| cannot(&error))?;
    // A list, as shells show it: what is put in without a word may be a command that ends something.
    let config = config.auto_add_history(false).completion_type(CompletionType::List);
    let mut editor: Editor<Completion, FileHistory> =
        Editor::with_config(config.build()).map_err(|error| cannot(&error))?;
    editor.set_helper(Some(Completion::new()));
    if let Some(path) = &history {
        // There is none at first.
        let _ = editor.load_history(path);
    }
    let (prompts, wanted) = waiting::channel::<Prompt>();
    let (sender, lines) = mpsc::unbounded_channel();
    let read = move || {
        while let Ok(prompt) = wanted.recv() {
            let line = editor.readline(&prompt);
            if let (Ok(line), Some(path)) = (&line, &history) {
                keep(&mut editor, path, line);
            }
            let end = matches!(line, Err(ReadlineError::Eof));
            if sender.send(line).is_err() || end {
                break;
            }
        }
    };
    thread::Builder::new().name("shell".into()).spawn(read).map_err(|error| cannot(&error))?;
    Ok((prompts, lines))
}

/// Adds a line to the history, for its owner only, unless there may be a secret in it.
fn keep(editor: &mut Editor<Completion, FileHistory>, path: &Path, line: &str) {
    let has_secret = ["--token", "--api-key"].iter().any(|flag| line.contains(flag));
    if has_secret || line.trim().is_empty() || !editor.add_history_entry(line).unwrap_or(false) {
        return;
    }
    if !path.exists() {
        if let Some(folder) = path.parent() {
            let _ = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        }
        let _ = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    }
    // A history that cannot be kept is no reason to stop.
    let _ = editor.append_history(path);
}
