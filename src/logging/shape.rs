//! The shape of a line, changeable while the server runs.

use std::{
    fmt,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{self, Writer},
    },
    registry::LookupSpan,
};

use crate::config::Format;

/// Pretty, with colours.
const COLOURED: u8 = 0;
const PRETTY: u8 = 1;
const COMPACT: u8 = 2;
const JSON: u8 = 3;

static SHAPE: AtomicU8 = AtomicU8::new(PRETTY);

/// From now on lines look like this; in colours only where nobody but a terminal sees them.
pub(super) fn set(format: Format, coloured: bool) {
    let shape = match format {
        Format::Pretty if coloured => COLOURED,
        Format::Pretty => PRETTY,
        Format::Compact => COMPACT,
        Format::Json => JSON,
    };
    SHAPE.store(shape, Relaxed);
}

/// All shapes, of which the one that was set last is taken.
pub(super) struct Shapes {
    pretty: format::Format<format::Full>,
    compact: format::Format<format::Compact>,
    json: format::Format<format::Json>,
}

impl Shapes {
    pub(super) fn new() -> Self {
        let json = format::json().flatten_event(true);
        Self {
            pretty: format::format(),
            compact: format::format().compact(),
            // The fields of spans are kept as text, not as JSON.
            json: json.with_current_span(false).with_span_list(false),
        }
    }
}

impl<S, N> FormatEvent<S, N> for Shapes
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let shape = SHAPE.load(Relaxed);
        if shape == COLOURED {
            return self.pretty.format_event(context, writer, event);
        }
        let mut line = String::new();
        let plain = Writer::new(&mut line);
        match shape {
            JSON => self.json.format_event(context, plain, event)?,
            COMPACT => self.compact.format_event(context, plain, event)?,
            _ => self.pretty.format_event(context, plain, event)?,
        }
        writer.write_str(&line)
    }
}
