//! Metrics as text, in either of the two forms that Prometheus reads.
//!
//! ```text
//! text 0.0.4                               OpenMetrics 1.0.0
//! # HELP x_total What it counts.           # HELP x What it counts.
//! # TYPE x_total counter                   # TYPE x counter
//! x_total{shard="0"} 7                     x_total{shard="0"} 7
//! h_bucket{le="1"} 3                       h_bucket{le="1.0"} 3
//!                                          # EOF
//! ```

use std::fmt::{Display, Write as _};

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Prometheus text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Form {
    /// The form that an `Accept` header likes best; the text format where it does not say.
    pub(crate) fn of(accept: &str) -> Self {
        let quality = |kind: &str| {
            let items = accept.split(',').map(str::trim);
            let ours = items.filter(|item| item.split(';').next().map(str::trim) == Some(kind));
            ours.map(quality).fold(0.0, f64::max)
        };
        let open = quality("application/openmetrics-text");
        if open > 0.0 && open >= quality("text/plain") { Self::OpenMetrics } else { Self::Text }
    }

    /// What the answer is called.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The weight of one item of an `Accept` header.
fn quality(item: &str) -> f64 {
    let mut weight = item.split(';').filter_map(|parameter| parameter.trim().strip_prefix("q="));
    weight.next_back().map_or(1.0, |weight| weight.trim().parse().unwrap_or(0.0))
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only grows; its samples end in `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts below bounds.
    Histogram,
}

/// Metrics being written.
pub(crate) struct Exposition {
    form: Form,
    text: String,
}

/// The samples of one metric.
pub(crate) struct Family<'a> {
    out: &'a mut Exposition,
    name: String,
}

/// Names and values.
pub(crate) type Labels<'a> = &'a [(&'static str, &'a str)];

impl Exposition {
    /// Nothing yet.
    pub(crate) fn new(form: Form) -> Self {
        Self { form, text: String::new() }
    }

    /// Begins a metric; the name of a counter is without `_total`.
    pub(crate) fn family(&mut self, kind: Kind, name: &str, help: &str) -> Family<'_> {
        let word = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let total = format!("{name}{}", if kind == Kind::Counter { "_total" } else { "" });
        let head = if self.form == Form::Text { &total } else { name };
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {head} {help}\n# TYPE {head} {word}");
        Family { out: self, name: total }
    }

    /// A metric with one value and no labels.
    pub(crate) fn single(&mut self, kind: Kind, name: &str, help: &str, value: impl Display) {
        self.family(kind, name, help).sample(&[], value);
    }

    /// All of it.
    pub(crate) fn finish(mut self) -> String {
        if self.form == Form::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn sample(&mut self, name: &str, suffix: &str, labels: Labels<'_>, value: impl Display) {
        let _ = write!(self.text, "{name}{suffix}");
        for (index, (label, value)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{label}=\"{}\"", Escaped(value));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }
}

impl Family<'_> {
    /// One value.
    pub(crate) fn sample(&mut self, labels: Labels<'_>, value: impl Display) {
        self.out.sample(&self.name, "", labels, value);
    }

    /// The lines of a histogram: `counts` between `bounds`, and one beyond them.
    pub(crate) fn histogram(
        &mut self,
        labels: Labels<'_>,
        bounds: &[f64],
        counts: &[u64],
        sum: f64,
    ) {
        debug_assert_eq!(bounds.len() + 1, counts.len());
        let (name, mut below) = (&self.name, 0);
        for (index, count) in counts.iter().enumerate() {
            below += count;
            let bound = bounds.get(index).map_or("+Inf".to_owned(), |bound| self.out.bound(*bound));
            let labels = [labels, &[("le", bound.as_str())]].concat();
            self.out.sample(name, "_bucket", &labels, below);
        }
        self.out.sample(name, "_sum", labels, sum);
        self.out.sample(name, "_count", labels, below);
    }
}

impl Exposition {
    /// OpenMetrics wants numbers in labels to be spelled in one way only, with a point.
    fn bound(&self, bound: f64) -> String {
        match self.form {
            Form::Text => bound.to_string(),
            Form::OpenMetrics => format!("{bound:?}"),
        }
    }
}

struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(form: Form) -> String {
        let mut out = Exposition::new(form);
        out.single(Kind::Gauge, "g", "A gauge.", 1.5);
        let mut family = out.family(Kind::Counter, "c", "A counter.");
        family.sample(&[("a", "x\"\\\n"), ("b", "y")], 7);
        let mut family = out.family(Kind::Histogram, "h", "A histogram.");
        family.histogram(&[("m", "n")], &[1.0, 2.5], &[3, 0, 2], 9.25);
        out.finish()
    }

    #[test]
    fn both_forms_are_written_as_their_readers_want_them() {
        let text = "# HELP g A gauge.\n# TYPE g gauge\ng 1.5\n\
                    # HELP c_total A counter.\n# TYPE c_total counter\n\
                    c_total{a=\"x\\\"\\\\\\n\",b=\"y\"} 7\n\
                    # HELP h A histogram.\n# TYPE h histogram\n\
                    h_bucket{m=\"n\",le=\"1\"} 3\nh_bucket{m=\"n\",le=\"2.5\"} 3\n\
                    h_bucket{m=\"n\",le=\"+Inf\"} 5\nh_sum{m=\"n\"} 9.25\nh_count{m=\"n\"} 5\n";
        assert_eq!(example(Form::Text), text);
        let open = text.replace("# HELP c_total", "# HELP c").replace("# TYPE c_total", "# TYPE c");
        let open = open.replace("le=\"1\"", "le=\"1.0\"") + "# EOF\n";
        assert_eq!(example(Form::OpenMetrics), open);
    }

    #[test]
    fn the_better_liked_form_is_taken() {
        let prometheus = "application/openmetrics-text;version=1.0.0,\
                          application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Form::of(prometheus), Form::OpenMetrics);
        for accept in [
            "",
            "*/*",
            "text/plain",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.4, text/plain;q=0.5",
            "application/openmetrics-text;q=much",
        ] {
            assert_eq!(Form::of(accept), Form::Text, "{accept}");
        }
    }
}
