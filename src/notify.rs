//! What systemd is told (sd_notify(3)), and nothing at all where nobody listens.
//!
//! ```text
//! READY ──► WATCHDOG, STATUS … ──► RELOADING ──► READY ──► … ──► STOPPING
//!  ▲                                                                │
//!  └── EXTEND_TIMEOUT while recovery goes on     EXTEND_TIMEOUT while the end is near
//! ```
//!
//! Always true: the watchdog is fed only while the control thread runs and no reactor has been silent for the time between two
//! feedings.

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::Path,
    process,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// How often a longer start or stop is asked for, and by how much.
const EXTEND_EVERY: Duration = Duration::from_secs(5);
const EXTEND_BY: Duration = Duration::from_secs(20);
/// How often the status is renewed.
const STATUS_EVERY: Duration = Duration::from_secs(10);
/// Feedings in one period of the watchdog.
const FEEDINGS: u32 = 4;

/// The way to the service manager.
#[derive(Debug)]
pub(crate) struct Notify {
    channel: Option<(UnixDatagram, SocketAddr)>,
    /// Between two feedings of the watchdog.
    feeding: Option<Duration>,
    fed: Option<Instant>,
    extended: Option<Instant>,
    /// Steps of recovery at the last extension.
    steps: Option<u64>,
    told: Option<Instant>,
}

impl Notify {
    /// As `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` say.
    pub(crate) fn from_environment() -> Self {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
        let channel = variable("NOTIFY_SOCKET").and_then(|name| match open(Path::new(&name)) {
            Ok(channel) => Some(channel),
            Err(error) => {
                tracing::warn!("NOTIFY_SOCKET {name:?} cannot be used: {error}");
                None
            }
        });
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
        let period = number("WATCHDOG_USEC").filter(|micros| ours && *micros > 0);
        let feeding = period.map(|micros| Duration::from_micros(micros) / FEEDINGS);
        Self { channel, feeding, fed: None, extended: None, steps: None, told: None }
    }

    /// The start is over.
    pub(crate) fn ready(&mut self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
        self.told = Some(Instant::now());
    }

    /// A reload begins; [`Notify::ready`] tells of its end.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=reloading"));
    }

    /// The stop begins.
    pub(crate) fn stopping(&mut self) {
        self.extended = None;
        self.send("STOPPING=1\nSTATUS=draining");
    }

    /// To be called often while shards are opened: more time is asked for as long as there are new steps.
    pub(crate) fn recovering(&mut self, steps: u64, now: Instant) {
        if self.steps == Some(steps) || !due(self.extended, EXTEND_EVERY, now) {
            return;
        }
        self.steps = Some(steps);
        self.extend(now, &format!("opening shards: {steps} steps"));
    }

    /// To be called often while the server stops.
    pub(crate) fn draining(&mut self, connections: usize, now: Instant) {
        if due(self.extended, EXTEND_EVERY, now) {
            let what = if connections == 0 {
                "closing shards".into()
            } else {
                format!("draining: {connections} connections")
            };
            self.extend(now, &what);
        }
        self.feed(now);
    }

    /// To be called often while the server serves, with the longest silence of a reactor.
    pub(crate) fn serving(&mut self, silence: Duration, now: Instant) {
        if self.feeding.is_some_and(|feeding| silence < feeding) {
            self.feed(now);
        }
    }

    /// Whether it is time for a new [`Notify::status`].
    pub(crate) fn wants_status(&self, now: Instant) -> bool {
        self.channel.is_some() && due(self.told, STATUS_EVERY, now)
    }

    /// What `systemctl status` shows.
    pub(crate) fn status(&mut self, status: &str, now: Instant) {
        self.send(&format!("STATUS={status}"));
        self.told = Some(now);
    }

    fn feed(&mut self, now: Instant) {
        if self.feeding.is_some_and(|feeding| due(self.fed, feeding, now)) {
            self.send("WATCHDOG=1");
            self.fed = Some(now);
        }
    }

    fn extend(&mut self, now: Instant, status: &str) {
        self.extended = Some(now);
        let micros = EXTEND_BY.as_micros();
        self.send(&format!("EXTEND_TIMEOUT_USEC={micros}\nSTATUS={status}"));
    }

    /// Never waits: a manager that does not read misses what it is told, and its watchdog fires.
    fn send(&self, message: &str) {
        if let Some((socket, address)) = &self.channel
            && let Err(error) = socket.send_to_addr(message.as_bytes(), address)
        {
            tracing::debug!("the service manager was not told {message:?}: {error}");
        }
    }
}

fn due(last: Option<Instant>, every: Duration, now: Instant) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(last) >= every)
}

/// A path, or behind an `@` the name of an abstract socket.
fn open(name: &Path) -> io::Result<(UnixDatagram, SocketAddr)> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    let bytes = name.as_os_str().as_encoded_bytes();
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None if name.is_absolute() => SocketAddr::from_pathname(name)?,
        None => return Err(io::Error::other("it is neither an absolute path nor @ and a name")),
    };
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service manager, and a way to it.
    fn manager(feeding: Option<Duration>) -> (UnixDatagram, Notify) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_nonblocking(true).unwrap();
        let channel = Some(open(&path).unwrap());
        // The way is found by its path.
        std::mem::forget(folder);
        let notify =
            Notify { channel, feeding, fed: None, extended: None, steps: None, told: None };
        (manager, notify)
    }

    fn told(manager: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 1024];
        std::iter::from_fn(|| {
            let count = manager.recv(&mut buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..count]).into_owned())
        })
        .collect()
    }

    #[test]
    fn recovery_is_given_time_as_long_as_it_goes_on() {
        let (manager, mut notify) = manager(None);
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        notify.recovering(1, start);
        notify.recovering(2, after(1));
        let first = "EXTEND_TIMEOUT_USEC=20000000\nSTATUS=opening shards: 1 steps";
        assert_eq!(told(&manager), [first]);
        notify.recovering(2, after(5));
        assert_eq!(told(&manager).len(), 1);
        for seconds in 6..100 {
            notify.recovering(2, after(seconds));
        }
        assert_eq!(told(&manager), [""; 0], "recovery stands still");
    }

    #[test]
    fn the_watchdog_is_fed_while_no_reactor_is_silent() {
        let second = Duration::from_secs(1);
        let (manager, mut notify) = manager(Some(second));
        let start = Instant::now();
        for tenths in 0..30 {
            notify.serving(Duration::from_millis(999), start + second * tenths / 10);
        }
        assert_eq!(told(&manager), ["WATCHDOG=1"; 3]);
        for tenths in 30..100 {
            notify.serving(second, start + second * tenths / 10);
        }
        assert_eq!(told(&manager), [""; 0]);
    }

    #[test]
    fn a_reload_names_its_time_in_the_same_message() {
        let (manager, mut notify) = manager(None);
        notify.reloading();
        notify.ready("serving");
        let told = told(&manager);
        assert!(told[0].starts_with("RELOADING=1\nMONOTONIC_USEC="), "{told:?}");
        assert_eq!(told[1], "READY=1\nSTATUS=serving");
    }

    #[test]
    fn a_name_that_is_no_socket_is_refused_and_an_abstract_one_is_not() {
        assert!(open(Path::new("relative")).is_err());
        assert!(open(Path::new("@amaters-test")).is_ok());
    }
}
