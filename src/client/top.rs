//! `top`: rates, latencies and shards, live, from the server's metrics.
//!
//! What is shown is the difference of two scrapes. What a server does not measure is a dash, and a server whose metrics cannot
//! be read is said to be so; nothing is guessed from anything else.

mod scrape;
mod text;
mod view;

use std::time::{Duration, Instant};

use clap::Args;

use self::{scrape::Place, view::View};
use super::{
    Session,
    failure::Failure,
    output::{self, Form},
};

/// To the first place, and all below is gone.
const CLEAR: &str = "\x1b[H\x1b[J";

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Look again after so many seconds.
    #[arg(short, long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// Show so many views, then end; by default it goes on until Ctrl-C.
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<u64>,
}

impl Top {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let settings = &session.settings;
        let place = Place::of(settings.metrics.as_deref(), &settings.address)?;
        let (output, timeout) = (session.output, settings.timeout);
        let live = output.form == Form::Table && output::is_terminal();
        let mut before = place.scrape(timeout).await?;
        let mut at = Instant::now();
        if live {
            output.raw(
                format!("{CLEAR}{place}: the first figures come in {} s\n", self.interval)
                    .as_bytes(),
            )?;
        }
        let mut shown = 0;
        while self.count.is_none_or(|count| shown < count) {
            tokio::time::sleep(Duration::from_secs(self.interval)).await;
            let (after, now) = (place.scrape(timeout).await?, Instant::now());
            let view = View::between(&before, &after, now - at);
            match output.form {
                Form::Table if live => {
                    let text =
                        format!("{CLEAR}{}", text::text(view.json(), &place.to_string(), output));
                    output.raw(text.as_bytes())?;
                }
                Form::Table => {
                    output.raw(text::text(view.json(), &place.to_string(), output).as_bytes())?
                }
                // One object a line, so that a reader need not wait for the end.
                Form::Json => output.raw(format!("{}\n", view.json()).as_bytes())?,
                Form::Yaml => {
                    output.raw(b"---\n")?;
                    output.show(view.json())?;
                }
            }
            shown += 1;
            (before, at) = (after, now);
        }
        Ok(())
    }
}
