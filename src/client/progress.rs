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
        let bar = is_watched().then(|| bar(bytes_all));
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

    /// The same of a part of the work that knows how much it is by now; 0 bytes in all are not known.
    pub(crate) fn set_part(&mut self, step: &str, count: u64, bytes: u64, bytes_all: u64) {
        if bytes_all > 0 && self.bytes_all != Some(bytes_all) {
            self.bytes_all = Some(bytes_all);
            self.clear();
            self.bar = is_watched().then(|| bar(self.bytes_all));
        }
        if let Some(bar) = &self.bar {
            bar.set_prefix(format!("{step} "));
        }
        self.set(count, bytes);
    }

    /// What comes next is not about progress.
    pub(crate) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

fn bar(bytes_all: Option<u64>) -> ProgressBar {
    let (bar, template) = match bytes_all {
        Some(all) => {
            (ProgressBar::new(all), "{prefix}[{wide_bar}] {percent:>3} %  {msg}  {eta} left")
        }
        None => (ProgressBar::no_length(), "{prefix}{spinner} {msg}  {bytes}  {elapsed}"),
    };
    // The templates are ours.
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|error| unreachable!("a template is wrong: {error}"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar.with_style(style.progress_chars("#> "))
}
