//! The thread that keeps the credentials: it looks at the files, publishes what is right, and says what is not.
//!
//! ```text
//!   touched ─► wait until nothing happens for QUIET ─┐
//!   PERIOD ──────────────────────────────────────────┼─► look ─┬─ as served ──► nothing
//!   an operator asks ────────────────────────────────┘         ├─ right ──────► publish, log
//!                                                              └─ wrong ──────► look again soon; wrong still: warn once
//! ```
//!
//! A file system that hangs stops this thread and nothing else.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use amaters_shards::{
    audit::{Audit, AuditResult, Event, Kind},
    tls::{Store, TICKET_ROTATION},
};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use serde::{Deserialize, Serialize};

use super::{
    LoadError, Loaded, TlsSettings, TlsStatus,
    expiry::{Date, Reminder},
    files::{self, Contents},
    judge, load,
    watch::{Bell, Watch, Woken},
};
use crate::{signals::Request, telemetry::Telemetry, unix_time};

/// Between two looks when nothing is heard.
const PERIOD: Duration = Duration::from_secs(10);
/// A pair is written in several steps; it is read when nothing has happened for so long,
const QUIET: Duration = Duration::from_millis(20);
/// or when this has passed since the first of them.
const QUIET_MAX: Duration = Duration::from_millis(250);
/// What is wrong may be half of a change: it is looked at again before anybody is told.
const SECOND_LOOK: Duration = Duration::from_millis(300);
/// How long an operator waits for a look.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How a look at the files ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsOutcome {
    /// Others are served from now on.
    Reloaded,
    /// The files hold what is served.
    Unchanged,
    /// The files hold something that is not served.
    Failed,
}

/// What came of a look that an operator asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsReport {
    /// How it ended.
    pub outcome: TlsOutcome,
    /// A line about it.
    pub line: String,
}

/// The way to the thread.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    orders: Sender<Sender<TlsReport>>,
    bell: Option<Bell>,
}

impl Keeper {
    /// Has the files read again, and published unless something is wrong with them. May take a while.
    pub(crate) fn look(&self) -> TlsReport {
        let (answer, answered) = bounded(1);
        // A thread that has ended drops the question.
        let _ = self.orders.send(answer);
        self.bell.iter().for_each(Bell::ring);
        answered.recv_timeout(ANSWER_MAX).unwrap_or_else(|_| TlsReport {
            outcome: TlsOutcome::Failed,
            line: format!("the files of TLS could not be read within {} s", ANSWER_MAX.as_secs()),
        })
    }
}

/// What a start has found in the files.
pub(crate) struct Opened {
    /// For the reactors.
    pub(crate) store: Arc<Store>,
    settings: TlsSettings,
    digest: [u8; 32],
    dates: Vec<Date>,
    notices: Vec<String>,
}

/// Reads the files for the first time.
pub(crate) fn open(settings: &TlsSettings) -> Result<Opened, LoadError> {
    let contents = files::read(settings)?;
    let Loaded { credentials, dates, notices } = load(&contents, settings, None)?;
    let (store, digest) = (Arc::new(Store::new(credentials)), contents.digest());
    Ok(Opened { store, settings: settings.clone(), digest, dates, notices })
}

impl Opened {
    /// Keeps what was opened from now on, on a thread of its own.
    pub(crate) fn keep(
        self,
        telemetry: Arc<Telemetry>,
        audit: Audit,
        requests: Sender<Request>,
    ) -> io::Result<Keeper> {
        let (orders, asked) = unbounded();
        let watch = Watch::new().inspect_err(|error| {
            tracing::warn!(
                "the files of TLS are not watched: {error}; they are looked at every {} s",
                PERIOD.as_secs()
            );
        });
        let watch = watch.ok();
        let bell = watch.as_ref().map(Watch::bell);
        let Self { store, settings, digest, dates, notices } = self;
        notices.iter().for_each(|notice| tracing::warn!("{notice}"));
        let mut keeping = Keeping {
            settings,
            store,
            telemetry,
            audit,
            requests,
            asked,
            watch,
            digest,
            dates,
            notices,
            reminder: Reminder::default(),
            wrong: None,
            warned: None,
            rotation: Instant::now() + TICKET_ROTATION,
        };
        keeping.show();
        let summary = keeping.summary();
        tracing::info!("TLS: {summary}");
        keeping.remind();
        thread::Builder::new().name("tls".into()).spawn(move || keeping.run())?;
        Ok(Keeper { orders, bell })
    }
}

struct Keeping {
    settings: TlsSettings,
    store: Arc<Store>,
    telemetry: Arc<Telemetry>,
    audit: Audit,
    requests: Sender<Request>,
    asked: Receiver<Sender<TlsReport>>,
    /// None where the system grants no more.
    watch: Option<Watch>,
    /// Of the files whose content is served.
    digest: [u8; 32],
    dates: Vec<Date>,
    notices: Vec<String>,
    reminder: Reminder,
    /// What the last look found wrong.
    wrong: Option<String>,
    /// What was warned of last, as long as it lasts.
    warned: Option<String>,
    /// When the keys of tickets are replaced.
    rotation: Instant,
}

impl Keeping {
    fn run(&mut self) {
        let mut due = Instant::now();
        let mut touched_first = None;
        loop {
            let now = Instant::now();
            match self.wait(due.saturating_duration_since(now)) {
                Woken::Touched => {
                    let now = Instant::now();
                    let first = *touched_first.get_or_insert(now);
                    due = (now + QUIET).min(first + QUIET_MAX);
                }
                Woken::Rung => {
                    let asked: Vec<_> = self.asked.try_iter().collect();
                    let report = self.look(true);
                    for who in asked {
                        // Whoever asked may have given up.
                        let _ = who.send(report.clone());
                    }
                }
                Woken::Due if Instant::now() < due => {}
                Woken::Due => {
                    touched_first = None;
                    self.look(false);
                    let again = self.wrong.is_some() && self.wrong != self.warned;
                    due = Instant::now() + if again { SECOND_LOOK } else { PERIOD };
                    self.remind();
                    self.rotate();
                }
            }
        }
    }

    fn wait(&self, patience: Duration) -> Woken {
        match &self.watch {
            Some(watch) => watch.wait(patience),
            None => {
                // Nothing but questions and the time.
                let mut select = crossbeam_channel::Select::new();
                select.recv(&self.asked);
                select.ready_timeout(patience).map_or(Woken::Due, |_| Woken::Rung)
            }
        }
    }

    /// Looks at the files, and publishes them if they are right.
    fn look(&mut self, by_operator: bool) -> TlsReport {
        self.renew_watch();
        let loaded = files::read(&self.settings).and_then(|contents| {
            if contents.digest() == self.digest {
                return Ok(None);
            }
            let loaded = load(&contents, &self.settings, Some(&self.store.load()))?;
            Ok(Some((contents, loaded)))
        });
        match loaded {
            Ok(None) => self.keep_same(),
            Ok(Some((contents, loaded))) => {
                let (served, next) = (self.store.load(), &loaded.credentials.facts);
                match judge::objection(&served.facts, next, SystemTime::now()) {
                    Some(why) if !by_operator => {
                        let path = self.settings.certificate.display();
                        self.refuse(format!("{path}: {why}; {}", judge::ANYWAY), false)
                    }
                    _ => self.publish(&contents, loaded),
                }
            }
            Err(error) => self.refuse(error.to_string(), by_operator),
        }
    }

    fn renew_watch(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        let client = self.settings.client.as_ref();
        let files: [Option<&PathBuf>; 4] = [
            Some(&self.settings.certificate),
            Some(&self.settings.key),
            client.and_then(|client| client.authorities.as_ref()),
            client.and_then(|client| client.revocations.as_ref()),
        ];
        let files: Vec<&Path> = files.into_iter().flatten().map(PathBuf::as_path).collect();
        let folder = client.and_then(|client| client.folder.as_deref());
        if let Err(error) = watch.renew(&files, folder.as_slice()) {
            // The periodic look finds what is not seen.
            tracing::debug!("not all folders of TLS files are watched: {error}");
        }
    }

    /// The files hold what is served.
    fn keep_same(&mut self) -> TlsReport {
        self.wrong = None;
        if self.warned.take().is_some() {
            self.telemetry.tls.heal();
            tracing::info!("the files of TLS hold what is served again");
        }
        let line = format!("TLS credentials unchanged: {}", self.summary());
        TlsReport { outcome: TlsOutcome::Unchanged, line }
    }

    fn publish(&mut self, contents: &Contents, loaded: Loaded) -> TlsReport {
        let Loaded { credentials, dates, notices } = loaded;
        let trust = credentials.trust;
        let changes_trust = trust != self.store.load().trust;
        self.store.publish(credentials);
        (self.digest, self.dates) = (contents.digest(), dates);
        (self.wrong, self.warned) = (None, None);
        self.reminder = Reminder::default();
        self.show();
        let mut line = format!("TLS credentials reloaded: {}", self.summary());
        if changes_trust {
            let grace = self.settings.grace.as_secs();
            line += &format!(
                "; authorities or revocations changed: connections with client certificates end in {grace} s"
            );
            // Without a receiver the server is ending.
            let _ = self.requests.send(Request::Retire { trust, grace: self.settings.grace });
        }
        tracing::info!("{line}");
        let trusted = if changes_trust { "changed" } else { "unchanged" };
        self.audit.note(
            self.event(AuditResult::Success).with("served", self.summary()).with("trust", trusted),
        );
        for notice in notices.iter().filter(|notice| !self.notices.contains(notice)) {
            tracing::warn!("{notice}");
        }
        self.notices = notices;
        self.remind();
        TlsReport { outcome: TlsOutcome::Reloaded, line }
    }

    /// What is served stays. Nobody is told of what is wrong for a moment only, nor twice of the same.
    fn refuse(&mut self, why: String, by_operator: bool) -> TlsReport {
        let line = format!("TLS credentials not reloaded, the old ones stay: {why}");
        let is_lasting = by_operator || self.wrong.as_ref() == Some(&why);
        if is_lasting && self.warned.as_ref() != Some(&why) {
            tracing::warn!("{line}");
            self.audit.note(self.event(AuditResult::Failure).error(&why));
            self.telemetry.tls.refuse(&why);
            self.warned = Some(why.clone());
        }
        self.wrong = Some(why);
        TlsReport { outcome: TlsOutcome::Failed, line }
    }

    /// Dates that come near, once a day.
    fn remind(&mut self) {
        for (is_over, line) in self.reminder.due(&self.dates, SystemTime::now()) {
            if is_over {
                tracing::error!("{line}");
            } else {
                tracing::warn!("{line}");
            }
        }
    }

    /// Replaces the keys of session tickets now and then.
    fn rotate(&mut self) {
        if Instant::now() >= self.rotation {
            self.rotation = Instant::now() + TICKET_ROTATION;
            if let Err(error) = self.store.load().rotate_tickets() {
                tracing::warn!("the keys of session tickets stay: {error}");
            }
        }
    }

    /// Something became of the files.
    fn event(&self, result: AuditResult) -> Event {
        let path = self.settings.certificate.display();
        Event::new(Kind::ConfigChange, result).action("tls.reload").resource(path.to_string())
    }

    fn summary(&self) -> String {
        let facts = &self.store.load().facts;
        let until = unix_time::date(facts.not_after);
        format!("subject {}, serial {}, expires {until}", facts.subject, facts.serial)
    }

    /// For `status` and metrics.
    fn show(&self) {
        let facts = &self.store.load().facts;
        let client_certificates = match &self.settings.client {
            None => "none",
            Some(client) if client.required => "required",
            Some(_) => "optional",
        };
        self.telemetry.tls.publish(TlsStatus {
            subject: facts.subject.clone(),
            serial: facts.serial.clone(),
            not_before: unix_time::seconds(facts.not_before),
            not_after: unix_time::seconds(facts.not_after),
            client_certificates: client_certificates.into(),
            since: unix_time::seconds(SystemTime::now()),
            problem: None,
        });
    }
}
