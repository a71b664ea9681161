//! `start`: every step from a configuration to a server that listens, and back.
//!
//! Nothing is made before the machine has granted everything, and nothing in the data directory
//! is touched before its lock is held.

use std::{error::Error, fs, io, path::Path, process::ExitCode, sync::Arc, time::Instant};

use amaters_shards::{
    IO_MEMORY_BYTES, Notes, Reactors, Watch,
    audit::{Audit, AuditResult, Event, Kind},
    auth::Guards,
    settings::{Order, Orders, Settings},
};

use crossbeam_channel::Sender;

use crate::{
    audit::{self, AuditLog},
    auth::{Keeper, Made},
    board::Board,
    cli::Start,
    config::{Config, Refusal, Source, template},
    control::{Control, End, Meters},
    cores::{Offer, Ranges},
    daemon::{self, Herald},
    directory::Directory,
    gaps::Gaps,
    logging::{self, Log},
    metrics::{Endpoint, summary::Meter},
    notify::Notify,
    pid_file::PidFile,
    preflight,
    reload::{ReloadableConfig, queue::Reloads},
    secrets,
    signals::{self, Inbox, Request},
    socket,
    telemetry::Telemetry,
    tls::{self, Retirements},
    validate,
};

/// A reactor died: EX_SOFTWARE of sysexits.h.
const EXIT_DIED: u8 = 70;

/// What ends a start: one clear line.
type Failure = Box<dyn Error + Send + Sync>;

/// Serves until a signal, here or in a process of its own.
pub(crate) fn run(source: Source, wish: &Start) -> Result<ExitCode, Failure> {
    if wish.daemon {
        return Ok(daemon::begin()?);
    }
    let herald = if wish.detached { Some(daemon::detach()?) } else { None };
    let generated = if wish.generate_config { generate_config(&source)? } else { None };
    let config = source.load()?;
    let made = Made::of(&config)?;
    let notes = Notes::default();
    let log = logging::start(logging::prepare(&config.log)?, notes.clone())?;
    tracing::info!("amaters-server {}", env!("CARGO_PKG_VERSION"));
    if let Some(line) = generated {
        tracing::info!("{line}");
    }
    serve((config, made), source, (&log, notes), herald).or_else(|error| {
        tracing::error!("{error}");
        Ok(ExitCode::FAILURE)
    })
}

fn serve(
    (config, made): (Config, Made),
    source: Source,
    (log, notes): (&Log, Notes),
    herald: Option<Herald>,
) -> Result<ExitCode, Failure> {
    let inbox = signals::listen()?;
    use_small_pages();
    let notices = config.notices.iter().chain(&made.notices);
    notices.for_each(|notice| tracing::warn!("{notice}"));
    secrets::exposed(&config.written).iter().for_each(|exposed| tracing::warn!("{exposed}"));
    secrets::refuse_dumps(&config.written);
    let cpus = Offer::of_this_process()?.choose(config.cores.as_ref())?;
    let open = |settings| {
        tls::open(settings).map_err(|error| validate::tls_problem(&config, settings, &error))
    };
    let opened = config.tls.as_ref().map(open).transpose().map_err(Refusal::from)?;
    let io_memory_bytes = preflight::check(cpus.len(), config.limits.connections_max)?;

    let shards = u32::try_from(cpus.len())?;
    let mut directory = Directory::open(&config.data_dir, &config.engine, shards)?;
    let pid_file = PidFile::write(&config.place())?;
    let shards = directory.superblock().shards;
    let (audit, outlet) = Audit::new(cpus.len());
    let audit_log = AuditLog::start(audit::prepare(&config.audit)?, outlet)?;
    let telemetry = Arc::new(Telemetry::new());
    telemetry.has_audit(&audit);
    let auth = Keeper::new(made, Arc::clone(&telemetry), audit.clone());
    let data_dir = config.data_dir.clone();
    let board = Board::new(Arc::clone(&telemetry), data_dir, shards, cpus.clone());
    let socket = open_socket(&config, &board, &inbox);
    let tls_store = opened.as_ref().map(|opened| Arc::clone(&opened.store));
    let pending = directory.pending()?.map(Arc::new);
    let settings = settings(&config, &directory, cpus.clone(), (&audit, auth.guards()));
    let settings = Settings {
        io_memory_bytes,
        notes,
        tls: tls_store,
        pending: pending.clone(),
        orders: orders(inbox.requests.clone()),
        ..settings
    };
    let endpoint = Endpoint::open(&config.metrics, Arc::clone(&telemetry))?;
    let mut notify = Notify::from_environment();
    let mut waiting = |watch: &Watch| {
        telemetry.has_reactors(watch);
        notify.recovering(watch.recovery_steps(), Instant::now());
    };
    let keep = |opened: tls::Opened| {
        opened.keep(Arc::clone(&telemetry), audit.clone(), inbox.requests.clone())
    };
    let tls = opened.map(keep).transpose()?;
    let reactors = amaters_shards::start(settings, &mut waiting)?;
    auth.watch()?;
    reactors.jobs().set_schedule(config.snapshot.schedule);
    let watch = reactors.watch();
    telemetry.has_reactors(&watch);
    directory.has_served()?;
    if pending.is_some() {
        directory.forget_pending()?;
        tracing::info!("a restore that was decided before this start has been carried out");
    }
    board.serves(reactors.local_address());
    notify.ready(&format!("serving on {}", reactors.local_address()));
    audit_log.note(
        Event::new(Kind::ConfigChange, AuditResult::Success)
            .action("server.start")
            .with("version", env!("CARGO_PKG_VERSION"))
            .with("address", reactors.local_address().to_string()),
    );
    announce(&config, &directory, &reactors, &cpus);
    if let Some(herald) = herald {
        let has_log_file = config.written.is_on("logging.file_enabled");
        herald.ready(reactors.local_address(), has_log_file)?;
    }

    let (gaps, now) = (Gaps::new(cpus.len()), Instant::now());
    let meters = Meters { export: Meter::new(&watch, now), status: Meter::new(&watch, now) };
    let mut control = Control {
        config: ReloadableConfig::new(source, config),
        reloads: Reloads::default(),
        log,
        audit: audit_log,
        tls,
        retirements: Retirements::default(),
        auth,
        reactors,
        gaps,
        board,
        requests: inbox.requests.clone(),
        telemetry,
        endpoint,
        notify,
        meters,
    };
    match control.serve(inbox) {
        End::Asked => {
            control.stop()?;
            drop((socket, pid_file));
            tracing::info!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        End::Died(why) => {
            tracing::error!("the server ends at once: {why}");
            drop((socket, pid_file));
            // Reactors that live are not asked: they would answer for a part of the keys.
            logging::flush();
            std::process::exit(i32::from(EXIT_DIED))
        }
    }
}

/// A server without the socket serves as well as any other; those who would ask it are told.
fn open_socket(config: &Config, board: &Board, inbox: &Inbox) -> Option<socket::Socket> {
    let opened = socket::open(&config.data_dir, board, &inbox.requests);
    let told = opened.inspect_err(|error| {
        let dir = config.data_dir.display();
        tracing::warn!(
            "no control socket in {dir}: {error}. `status` and `reload` are not answered; signals are"
        );
    });
    told.ok()
}

/// The allocator asks for huge pages, which make memory resident that was never touched: an idle
/// connection costs 35 KiB with them and 19 KiB without, a small request 10 % less time with them.
fn use_small_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!("huge pages stay allowed: {error}");
    }
}

fn settings(
    config: &Config,
    directory: &Directory,
    cpus: Vec<usize>,
    (audit, guards): (&Audit, Arc<Guards>),
) -> Settings {
    Settings {
        bind_address: config.bind_address,
        cpus,
        io_memory_bytes: IO_MEMORY_BYTES,
        tls: None,
        partition: directory.superblock().partition(),
        directory_id: directory.superblock().directory_id,
        pending: None,
        orders: Orders::new(drop),
        roots: config.snapshot.roots.clone(),
        backup_rate: config.snapshot.rate,
        engine: config.engine.clone(),
        memtable_bytes_max: config.memtable_bytes_max,
        tree: config.tree.clone(),
        guards,
        limits: config.limits.clone(),
        rates: config.rates,
        connections_per_address_max: config.connections_per_address_max,
        connection_timeout: config.connection_timeout,
        keepalive_interval: config.keepalive_interval,
        slow_request: config.slow_request,
        admin_from_anywhere: config.admin_from_anywhere,
        audit: audit.clone(),
        notes: Notes::default(),
    }
}

/// Orders of operators become requests to the control thread. Whoever waits for a reload has a thread that waits for it.
fn orders(requests: Sender<Request>) -> Orders {
    Orders::new(move |order| match order {
        Order::Drain => drop(requests.send(Request::Stop)),
        Order::Reload(who) => {
            let requests = requests.clone();
            let wait = move || {
                let (sender, receiver) = crossbeam_channel::bounded(1);
                if requests.send(Request::Reload(Some(sender))).is_ok()
                    && let Ok(report) = receiver.recv()
                {
                    let _ = who.send(report.told());
                }
            };
            // Without a thread whoever waits is told that there is no answer.
            let _ = std::thread::Builder::new().name("reload-wait".into()).spawn(wait);
        }
    })
}

/// The lines that say what runs. `Listening on` is the last: clients may connect.
fn announce(config: &Config, directory: &Directory, reactors: &Reactors, cpus: &[usize]) {
    let (dir, limits) = (config.data_dir.display(), &config.limits);
    if directory.is_open_to_others() {
        tracing::warn!("data directory {dir}: other users may look into it; mode 0700 is meant");
    }
    let share = limits.in_flight_bytes_max / cpus.len();
    if share < limits.message_bytes_max {
        tracing::warn!(
            "limits.in_flight_bytes_max leaves {share} bytes for each reactor, less than \
             limits.message_bytes_max = {}",
            limits.message_bytes_max
        );
    }
    let (shards, on) = (directory.superblock().shards, Ranges(cpus));
    tracing::info!("data directory {dir}: {shards} shards; {} reactors on CPU {on}", cpus.len());
    tracing::info!("Listening on {}", reactors.local_address());
}

/// Writes the default file unless there is one. Answers with a line for the log.
fn generate_config(source: &Source) -> Result<Option<String>, Failure> {
    let path = source.file.as_deref().expect("--generate-config always resolves to a path");
    match write_new(path, &template::default_file()) {
        Ok(()) => Ok(Some(format!("wrote the default configuration to {}", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(Some(format!("{} exists and was left as it is", path.display())))
        }
        Err(error) => Err(format!("cannot write {}: {error}", path.display()).into()),
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    use io::Write as _;
    fs::File::create_new(path)?.write_all(text.as_bytes())
}
