//! Warnings on their way to the lines that `__admin__:LOGS` shows.

use std::fmt::{self, Write as _};

use amaters_shards::Notes;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};

/// Bytes of a line; a panic brings its backtrace along.
const BYTES_MAX: usize = 512;

/// Hands warnings and errors on.
pub(super) struct Warnings(pub(super) Notes);

impl<S: Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // The greater level is the less severe one.
        if *event.metadata().level() > Level::WARN {
            return;
        }
        let mut text = Text(format!("{} ", event.metadata().level()));
        event.record(&mut text);
        self.0.push(text.cut());
    }
}

struct Text(String);

impl Text {
    fn cut(mut self) -> String {
        if self.0.len() > BYTES_MAX {
            self.0.truncate(self.0.floor_char_boundary(BYTES_MAX));
            self.0.push('…');
        }
        self.0
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
