//! Log lines on standard error, their level changeable while the server runs, panics among them.

mod queue;

use std::{
    backtrace::Backtrace,
    io::{self, IsTerminal as _},
    panic, thread,
};

pub(crate) use queue::{dropped, flush};

use tracing_subscriber::{
    Registry,
    filter::LevelFilter,
    fmt,
    layer::{Layer, SubscriberExt as _},
    reload,
    util::SubscriberInitExt as _,
};

use crate::config::{Format, Level};

/// The handle that changes the level.
#[derive(Clone, Debug)]
pub(crate) struct LevelHandle(reload::Handle<LevelFilter, Registry>);

impl LevelHandle {
    /// From now on lines below `level` are not logged.
    pub(crate) fn set(&self, level: Level) {
        // It fails only when the subscriber is gone, and then nothing is logged at all.
        let _ = self.0.reload(filter(level));
    }
}

/// Begins to log; once in a process.
pub(crate) fn start(level: Level, format: Format) -> io::Result<LevelHandle> {
    let queue = queue::open()?;
    let (filtered, handle) = reload::Layer::new(filter(level));
    tracing_subscriber::registry().with(filtered).with(lines(format, queue)).init();
    panic::set_hook(Box::new(log_panic));
    if level == Level::Trace && cfg!(not(debug_assertions)) {
        tracing::warn!("logging.level = \"trace\": this build has no lines below debug");
    }
    Ok(LevelHandle(handle))
}

type Lines = Box<
    dyn Layer<tracing_subscriber::layer::Layered<reload::Layer<LevelFilter, Registry>, Registry>>
        + Send
        + Sync,
>;

fn lines(format: Format, queue: queue::Queue) -> Lines {
    let ansi = io::stderr().is_terminal();
    let layer = fmt::layer().with_writer(queue).with_ansi(ansi);
    match format {
        Format::Pretty => layer.boxed(),
        Format::Compact => layer.compact().boxed(),
        Format::Json => layer.json().flatten_event(true).boxed(),
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
