//! Our server and its peers, each started alone on one core in a folder of its own.

use std::{
    fs, io,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Process, free_port};

/// How long any of them may take to start; after a crash there is a log to be read.
const START_MAX: Duration = Duration::from_secs(120);
/// How long to stop when asked to.
const STOP_MAX: Duration = Duration::from_secs(40);

/// How Redis keeps what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisLog {
    /// In memory alone.
    None,
    /// Synced each second.
    EverySecond,
    /// Synced before each answer.
    Always,
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    /// Where.
    pub address: SocketAddr,
    /// The process.
    pub process: Process,
    /// Its data; gone with it.
    folder: TempDir,
}

impl Server {
    /// Starts our server. `config` is the text of its configuration file.
    pub fn amaters(program: &Path, core: Option<usize>, config: &str) -> io::Result<Self> {
        Self::amaters_in(program, core, config, data_folder()?)
    }

    /// The same on data that is already there.
    pub fn amaters_in(
        program: &Path,
        core: Option<usize>,
        config: &str,
        folder: TempDir,
    ) -> io::Result<Self> {
        let config_file = folder.path().join("config.toml");
        fs::write(&config_file, config)?;
        let data = data_dir(folder.path());
        let (data, config_file) = (text(&data), text(&config_file));
        let args =
            ["start", "--bind", "127.0.0.1:0", "--data-dir", &data, "--config", &config_file];
        let log = folder.path().join("log");
        let _ = fs::remove_file(&log);
        let mut process = Process::spawn(program, &args, core, &log)?;
        let address = process.await_line(START_MAX, listening_on)?;
        Ok(Self { address, process, folder })
    }

    /// Starts Redis.
    pub fn redis(core: usize, log: RedisLog) -> io::Result<Self> {
        let folder = data_folder()?;
        let port = free_port()?.to_string();
        let data = text(folder.path());
        let mut args = vec!["--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir", &data];
        args.extend(["--io-threads", "1", "--auto-aof-rewrite-percentage", "0"]);
        args.extend(match log {
            RedisLog::None => ["--appendonly", "no", "--appendfsync", "no"],
            RedisLog::EverySecond => ["--appendonly", "yes", "--appendfsync", "everysec"],
            RedisLog::Always => ["--appendonly", "yes", "--appendfsync", "always"],
        });
        Self::peer("redis-server", &args, &[], core, &port, folder)
    }

    /// Starts nghttpd with files `value-N` of N bytes for each of `sizes`.
    pub fn nghttpd(core: usize, sizes: &[usize]) -> io::Result<Self> {
        let folder = data_folder()?;
        for size in sizes {
            let bytes = crate::script::pseudo_random(1, *size);
            fs::write(folder.path().join(format!("value-{size}")), bytes)?;
        }
        let port = free_port()?.to_string();
        let data = text(folder.path());
        let args = ["-n1", "--no-tls", "-m", "256", "-a", "127.0.0.1", "-d", &data, &port];
        Self::peer("nghttpd", &args, &[], core, &port, folder)
    }

    /// Starts etcd, which always syncs before it answers.
    pub fn etcd(core: usize) -> io::Result<Self> {
        let folder = data_folder()?;
        let port = free_port()?.to_string();
        let data = text(&folder.path().join("etcd"));
        let clients = format!("http://127.0.0.1:{port}");
        let peers = format!("http://127.0.0.1:{}", free_port()?);
        let cluster = format!("default={peers}");
        let args = [
            "--data-dir",
            &data,
            "--listen-client-urls",
            &clients,
            "--advertise-client-urls",
            &clients,
            "--listen-peer-urls",
            &peers,
            "--initial-advertise-peer-urls",
            &peers,
            "--initial-cluster",
            &cluster,
            "--log-level",
            "error",
            "--quota-backend-bytes",
            "8000000000",
        ];
        Self::peer("etcd", &args, &[("GOMAXPROCS", "1")], core, &port, folder)
    }

    fn peer(
        program: &str,
        args: &[&str],
        environment: &[(&str, &str)],
        core: usize,
        port: &str,
        folder: TempDir,
    ) -> io::Result<Self> {
        let log = folder.path().join("log");
        let path = Path::new(program);
        let process = Process::spawn_with(path, args, environment, Some(core), &log)?;
        let port: u16 = port.parse().map_err(io::Error::other)?;
        let mut server = Self { address: ([127, 0, 0, 1], port).into(), process, folder };
        server.await_listening(program)?;
        Ok(server)
    }

    fn await_listening(&mut self, name: &str) -> io::Result<()> {
        let deadline = Instant::now() + START_MAX;
        while TcpStream::connect(self.address).is_err() {
            if !self.process.is_running() || Instant::now() > deadline {
                let log = self.process.log();
                return Err(io::Error::other(format!("{name} does not listen: {log}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Where it keeps its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where our server keeps its data.
    pub fn data_dir(&self) -> PathBuf {
        data_dir(self.folder())
    }

    /// Allocations and bytes that our server has asked for so far, if it was built to count them
    /// (feature `count-allocations`): it logs both when it receives SIGUSR1.
    pub fn allocations(&mut self) -> io::Result<Allocations> {
        let before = self.process.log().lines().filter_map(allocations_in).count();
        self.process.signal(Signal::USR1)?;
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let log = self.process.log();
            if let Some(found) = log.lines().filter_map(allocations_in).nth(before) {
                return Ok(found);
            }
            if Instant::now() > deadline {
                return Err(io::Error::other("the server does not count its allocations"));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks it to stop, and kills it if it does not. Gives the folder back.
    pub fn stop(mut self) -> io::Result<TempDir> {
        self.process.signal(Signal::TERM)?;
        let stopped = self.process.wait(STOP_MAX);
        if stopped.is_err() {
            self.process.kill()?;
        }
        stopped.map(|_| self.folder)
    }

    /// Kills it as a crash would. Gives the folder back.
    pub fn kill(mut self) -> io::Result<TempDir> {
        self.process.kill()?;
        Ok(self.folder)
    }
}

/// The address in a line like `… Listening on 127.0.0.1:7878`.
fn listening_on(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("Listening on ")?;
    let address: String = rest
        .chars()
        .take_while(|next| next.is_ascii_hexdigit() || ".:[]".contains(*next))
        .collect();
    address.parse().ok()
}

/// What a counting server has asked its allocator for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocations {
    /// Calls.
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The figures in a line like `… allocations 12 bytes 3456`.
fn allocations_in(line: &str) -> Option<Allocations> {
    let (_, rest) = line.split_once("allocations ")?;
    let mut words = rest.split_whitespace();
    let count = words.next()?.parse().ok()?;
    let bytes = words.nth(1)?.parse().ok()?;
    Some(Allocations { count, bytes })
}

/// A folder on a disk that syncs in earnest; the folder for temporary files may be in memory, so
/// `AMATERS_BENCH_DIR` names a better one.
pub fn data_folder() -> io::Result<TempDir> {
    let parent =
        std::env::var_os("AMATERS_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    data_folder_in(&parent)
}

/// The same in a folder of one's choice.
pub fn data_folder_in(parent: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("amaters-").tempdir_in(parent)
}

fn data_dir(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_a_log_line() {
        let line = "2024-01-01T00:00:00Z  INFO amaters: Listening on 127.0.0.1:4567 with 2 cores";
        assert_eq!(listening_on(line), Some(([127, 0, 0, 1], 4567).into()));
        assert_eq!(listening_on("Listening on \u{1b}[3m"), None);
        let line = "2024-01-01T00:00:00Z  INFO allocations 12 bytes 3456";
        assert_eq!(allocations_in(line), Some(Allocations { count: 12, bytes: 3456 }));
    }
}
