//! How far long work has come: a bar where people look, a line now and then where a file or a program does.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is written.
const PACE: Duration = Duration::from_secs(5);

/// How far work has come.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    what: &'static str,
    bytes_all: Option<u64>,
    begun: Instant,
    told: Instant,
}

impl Progress {
    /// Nothing is done yet. `what` says what is counted, as in "lines stored".
    pub(crate) fn new(bytes_all: Option<u64>, what: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar(bytes_all));
        Self { bar, what, bytes_all, begun: Instant::now(), told: Instant::now() }
    }

    /// So many are done, which are so many bytes.
    pub(crate) fn set(&mut self, count: u64, bytes: u64) {
        let text = || {
            let seconds = self.begun.elapsed().as_secs_f64();
            format!("{count} {}, {:.0} a second", self.what, count as f64 / seconds.max(0.001))
        };
        match &self.bar {
            Some(bar) => {
                bar.set_position(bytes);
                bar.set_message(text());
            }
            None if self.told.elapsed() >= PACE => {
                let share = match self.bytes_all {
                    Some(all) if all > 0 => format!(", {} % of the file", bytes * 100 / all),
                    _ => String::new(),
                };
                eprintln!("{}{share}", text());
                self.told = Instant::now();
            }
            None => {}
        }
    }

    /// What comes next is not about progress.
    pub(crate) fn clear(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(bytes_all: Option<u64>) -> ProgressBar {
    let (bar, template) = match bytes_all {
        Some(all) => (ProgressBar::new(all), "[{bar:40}] {percent:>3} %  {msg}  {eta} left"),
        None => (ProgressBar::no_length(), "{spinner} {msg}  {bytes}  {elapsed}"),
    };
    // The templates are ours.
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|error| unreachable!("a template is wrong: {error}"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar.with_style(style.progress_chars("#> "))
}
