//! Keeps the guard in force equal to the settings and the contents of the files.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use amaters_shards::{
    audit::{Audit, AuditResult, Event, Kind},
    auth::{Guard, GuardProblem, Guards, Sources},
};

use super::{AuthSettings, files};
use crate::{
    config::{Config, Problem, Refusal},
    telemetry::{AuthResult, Telemetry},
};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// A guard, and what it was made of.
#[derive(Debug)]
pub(crate) struct Made {
    settings: Option<AuthSettings>,
    sources: Sources,
    guard: Guard,
    /// What an operator should know.
    pub(crate) notices: Vec<String>,
}

impl Made {
    /// Reads the files of a configuration.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub(crate) fn of(config: &Config) -> Result<Self, Refusal> {
        let of_key =
            |problem: GuardProblem| Problem::of_key(&config.written, problem.key, problem.why);
        Self::new(config.auth.clone())
            .map_err(|problems| Refusal(problems.into_iter().map(of_key).collect()))
    }

    fn new(settings: Option<AuthSettings>) -> Result<Self, Vec<GuardProblem>> {
        match settings {
            None => {
                let (sources, notices) = Default::default();
                Ok(Self { settings, sources, guard: Guard::open(), notices })
            }
            Some(settings) => {
                let sources = files::read(&settings)?;
                Self::from_sources(settings, sources)
            }
        }
    }

    fn from_sources(settings: AuthSettings, sources: Sources) -> Result<Self, Vec<GuardProblem>> {
        let (guard, notices) = Guard::new(&settings.guard, &sources)?;
        Ok(Self { settings: Some(settings), sources, guard, notices })
    }
}

/// Publishes guards. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    guards: Arc<Guards>,
    state: Arc<Mutex<State>>,
    telemetry: Arc<Telemetry>,
    audit: Audit,
}

/// What the guard in force was made of.
#[derive(Debug, Default)]
struct State {
    settings: Option<AuthSettings>,
    sources: Sources,
    /// What was wrong at the last look, so that it is told once.
    told: Vec<GuardProblem>,
}

impl Keeper {
    /// Begins with a guard.
    pub(crate) fn new(made: Made, telemetry: Arc<Telemetry>, audit: Audit) -> Self {
        let Made { settings, sources, guard, .. } = made;
        let state = Arc::new(Mutex::new(State { settings, sources, told: Vec::new() }));
        Self { guards: Guards::new(guard), state, telemetry, audit }
    }

    /// Where the guard in force is.
    pub(crate) fn guards(&self) -> Arc<Guards> {
        Arc::clone(&self.guards)
    }

    /// Looks at the files now and then, from a thread of its own.
    pub(crate) fn watch(&self) -> io::Result<()> {
        let keeper = self.clone();
        let watch = move || {
            loop {
                thread::sleep(LOOK);
                keeper.look();
            }
        };
        thread::Builder::new().name("auth-files".into()).spawn(watch).map(drop)
    }

    /// Puts a guard into force, if it says anything else than the one before.
    pub(crate) fn publish(&self, made: Made) {
        let Made { settings, sources, guard, notices } = made;
        let mut state = self.state();
        state.told.clear();
        if state.settings == settings && state.sources == sources {
            return;
        }
        let changed: Vec<_> = sources.changed(&state.sources).collect();
        self.guards.publish(guard);
        *state = State { settings, sources, told: Vec::new() };
        drop(state);
        self.telemetry.auth_reloaded(AuthResult::Successful);
        notices.iter().for_each(|notice| tracing::warn!("{notice}"));
        tracing::info!("Auth files and settings reloaded");
        // Settings without a file are told with the reload that brought them.
        if !changed.is_empty() {
            self.audit.note(event(AuditResult::Success, &changed));
        }
    }

    /// Takes what the files say now. What is wrong is told once, and changes nothing.
    fn look(&self) {
        let settings = self.state().settings.clone();
        let Some(settings) = settings else { return };
        // Nothing is held meanwhile: a file system that hangs must not stop a reload.
        let sources = files::read(&settings);
        let made = match sources {
            Ok(sources) if self.state().sources == sources => {
                self.state().told.clear();
                return;
            }
            Ok(sources) => Made::from_sources(settings.clone(), sources),
            Err(problems) => Err(problems),
        };
        // A reload may have been faster.
        if self.state().settings.as_ref() != Some(&settings) {
            return;
        }
        match made {
            Ok(made) => self.publish(made),
            Err(problems) => self.tell(problems),
        }
    }

    fn tell(&self, problems: Vec<GuardProblem>) {
        let mut state = self.state();
        if state.told == problems {
            return;
        }
        self.telemetry.auth_reloaded(AuthResult::Failed);
        for GuardProblem { key, why } in &problems {
            tracing::warn!("Auth files not reloaded, the old ones stay in force: {key}: {why}");
        }
        let keys: Vec<_> = problems.iter().map(|problem| problem.key).collect();
        let why: Vec<_> = problems.iter().map(|problem| problem.why.as_str()).collect();
        self.audit.note(event(AuditResult::Failure, &keys).error(why.join("; ")));
        state.told = problems;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something became of the files that these keys name.
fn event(result: AuditResult, keys: &[&str]) -> Event {
    Event::new(Kind::ConfigChange, result).action("auth.reload").resource(keys.join(", "))
}
