//! `start`: every step from a configuration to a server that listens, and back.
//!
//! Nothing is made before the machine has granted everything; the lock comes before all else that
//! is made, because sharing a port with the server that runs would not fail by itself.

use std::{error::Error, fs, io, net::SocketAddr, path::Path, process::ExitCode};

use amaters_shards::{Reactors, settings::Settings};
use socket2::{Domain, Socket, Type};

use crate::{
    config::{Config, Source, template},
    control::{self, End},
    cores::{Offer, Ranges},
    directory::Directory,
    logging,
    pid_file::PidFile,
    preflight,
    reload::Reload,
    signals,
};

/// A reactor died: EX_SOFTWARE of sysexits.h.
const EXIT_DIED: u8 = 70;

/// What ends a start: one clear line.
type Failure = Box<dyn Error + Send + Sync>;

/// Serves until a signal.
pub(crate) fn run(source: &Source, generate: bool) -> Result<ExitCode, Failure> {
    let generated = if generate { generate_config(source)? } else { None };
    let config = source.load()?;
    let level = logging::start(config.log_level, config.log_format);
    tracing::info!("amaters-server {}", env!("CARGO_PKG_VERSION"));
    if let Some(line) = generated {
        tracing::info!("{line}");
    }
    serve(config, source, &level).or_else(|error| {
        tracing::error!("{error}");
        Ok(ExitCode::FAILURE)
    })
}

fn serve(
    config: Config,
    source: &Source,
    level: &logging::LevelHandle,
) -> Result<ExitCode, Failure> {
    let requests = signals::listen()?;
    config.notices.iter().for_each(|notice| tracing::warn!("{notice}"));
    let cpus = Offer::of_this_process()?.choose(config.cores.as_ref())?;
    preflight::check(cpus.len(), config.limits.connections_max)?;

    let shards = u32::try_from(cpus.len())?;
    let mut directory = Directory::open(&config.data_dir, &config.engine, shards)?;
    is_free(config.bind_address)?;
    let pid_file = PidFile::write(&config)?;
    let reactors = amaters_shards::start(settings(&config, &directory, cpus.clone()))?;
    directory.has_served()?;
    announce(&config, &directory, &reactors, &cpus);

    let timeout = config.shutdown_timeout;
    let mut reload = Reload { running: config, source, reactors: &reactors, level };
    match control::serve(&requests, &mut reload) {
        End::Asked => {
            control::stop(reactors, timeout)?;
            drop(pid_file);
            tracing::info!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        End::Died(panic) => {
            tracing::error!("a reactor died, so the server ends: {panic}");
            drop(pid_file);
            // Without waiting for reactors that live: they would answer for a part of the keys.
            std::process::exit(i32::from(EXIT_DIED))
        }
    }
}

fn settings(config: &Config, directory: &Directory, cpus: Vec<usize>) -> Settings {
    Settings {
        bind_address: config.bind_address,
        cpus,
        partition: directory.superblock().partition(),
        directory_id: directory.superblock().directory_id,
        engine: config.engine.clone(),
        memtable_bytes_max: config.memtable_bytes_max,
        limits: config.limits.clone(),
        connection_timeout: config.connection_timeout,
        keepalive_interval: config.keepalive_interval,
    }
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

/// Fails where another server listens. Reactors share their port among themselves, and would
/// share it as gladly with reactors of another process.
fn is_free(address: SocketAddr) -> Result<(), Failure> {
    let bound = Socket::new(Domain::for_address(address), Type::STREAM, None).and_then(|socket| {
        // Connections of an earlier server that are not quite over do not count.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())
    });
    bound.map_err(|error| format!("cannot listen on {address}: {error}").into())
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
