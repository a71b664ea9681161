//! Log lines: level, shape and file changeable while the server runs, panics among them.
//!
//! ```text
//! event ─► filter ─┬─► shape ─► queue ─► standard error, file
//!                  └─► warnings ─► the recent lines of the admin protocol
//! ```

mod queue;
mod shape;
mod stderr;
mod warnings;

use std::{
    backtrace::Backtrace,
    io::{self, IsTerminal as _},
    panic, thread,
};

use amaters_shards::Notes;
use tracing_subscriber::{
    Registry, filter::LevelFilter, fmt, layer::SubscriberExt as _, reload,
    util::SubscriberInitExt as _,
};

pub(crate) use self::queue::{dropped, flush, lost, reopen};
use self::warnings::Warnings;
use crate::{
    config::{Format, Level},
    line_file::{FileSettings, LineFile, LineFileError},
};

/// `logging`, but for what requests are slow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// The least severe lines that are logged.
    pub(crate) level: Level,
    /// The shape of lines.
    pub(crate) format: Format,
    /// Where they go beside standard error.
    pub(crate) file: Option<FileSettings>,
}

/// The log of this process.
#[derive(Clone, Debug)]
pub(crate) struct Log(reload::Handle<LevelFilter, Registry>);

/// Settings that can be applied: their file is open.
#[derive(Debug)]
pub(crate) struct Prepared {
    level: Level,
    format: Format,
    file: Option<LineFile>,
}

/// Makes ready for these settings, or refuses them.
pub(crate) fn prepare(settings: &LogSettings) -> Result<Prepared, LineFileError> {
    let LogSettings { level, format, file } = settings;
    let file = file.clone().map(LineFile::open).transpose()?;
    Ok(Prepared { level: *level, format: *format, file })
}

/// Begins to log; once in a process. Warnings are noted, too.
pub(crate) fn start(prepared: Prepared, notes: Notes) -> io::Result<Log> {
    let Prepared { level, format, file } = prepared;
    shape::set(format, is_coloured(file.as_ref()));
    let queue = queue::open(file)?;
    let (filtered, handle) = reload::Layer::new(filter(level));
    let lines = fmt::layer()
        .event_format(shape::Shapes::new())
        .with_writer(queue)
        .with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry().with(filtered).with(lines).with(Warnings(notes)).init();
    panic::set_hook(Box::new(log_panic));
    warn_of_trace(level);
    Ok(Log(handle))
}

impl Log {
    /// From now on lines are as these settings say.
    pub(crate) fn apply(&self, prepared: Prepared) {
        let Prepared { level, format, file } = prepared;
        shape::set(format, is_coloured(file.as_ref()));
        queue::set_file(file);
        // It fails only when the subscriber is gone, and then nothing is logged at all.
        let _ = self.0.reload(filter(level));
        warn_of_trace(level);
    }
}

/// A file wants no colours.
fn is_coloured(file: Option<&LineFile>) -> bool {
    file.is_none() && io::stderr().is_terminal()
}

fn warn_of_trace(level: Level) {
    if level == Level::Trace && cfg!(not(debug_assertions)) {
        tracing::warn!("logging.level = \"trace\": this build has no lines below debug");
    }
}

fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Trace => LevelFilter::TRACE,
        Level::Debug => LevelFilter::DEBUG,
        Level::Info => LevelFilter::INFO,
        Level::Warn => LevelFilter::WARN,
        Level::Error => LevelFilter::ERROR,
    }
}

fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let thread = thread::current();
    let name = thread.name().unwrap_or("unnamed").to_owned();
    let backtrace = Backtrace::force_capture();
    tracing::error!(thread = name, "panic: {panic}\n{backtrace}");
}
