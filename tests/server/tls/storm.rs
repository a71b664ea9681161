//! Rotations of every kind, one after the other, while clients come and go all the time.
//!
//! `AMATERS_ROTATIONS=500` says how many of each kind; figures are printed with `--nocapture`.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use super::{
    Site,
    authority::Pair,
    clients::{Hand, config, has_openssl, openssl_serial, tonic},
};

/// Clients that connect, ask for something, and go.
const CLIENTS: usize = 64;
/// Of each kind, in the short form.
const ROTATIONS: u64 = 6;

/// Ways in which a pair gets to its place, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Renamed,
    InPlace,
    Swapped,
    Mismatched,
    Truncated,
}

const KINDS: [Kind; 5] =
    [Kind::Renamed, Kind::InPlace, Kind::Swapped, Kind::Mismatched, Kind::Truncated];

/// The folder behind `..data`, and the names that lead through it.
struct Place<'a> {
    root: &'a Path,
    version: u64,
}

impl Place<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn current(&self) -> PathBuf {
        self.path("..data")
    }

    /// A new folder, to which the link is turned at once.
    fn swap(&mut self, pair: &Pair) {
        let old = self.path(&format!("..v{}", self.version));
        self.version += 1;
        let next = self.path(&format!("..v{}", self.version));
        fs::create_dir(&next).unwrap();
        pair.write(&next);
        symlink(&next, self.path("..tmp")).unwrap();
        fs::rename(self.path("..tmp"), self.current()).unwrap();
        if old.exists() {
            fs::remove_dir_all(old).unwrap();
        }
    }

    fn rename(&self, pair: &Pair) {
        let folder = self.current();
        for (name, text) in [("server.crt", &pair.certificate), ("server.key", &pair.key)] {
            fs::write(folder.join("new"), text).unwrap();
            fs::rename(folder.join("new"), folder.join(name)).unwrap();
        }
    }

    /// Puts the pair there, or something that is wrong and then the pair.
    fn rotate(&mut self, kind: Kind, pair: &Pair, other: &Pair) {
        match kind {
            Kind::Renamed => self.rename(pair),
            Kind::InPlace => pair.write(&self.current()),
            Kind::Swapped => self.swap(pair),
            Kind::Mismatched => {
                other.write_key(&self.current());
                thread::sleep(Duration::from_millis(60));
                self.rename(pair);
            }
            Kind::Truncated => {
                let half = &pair.certificate[..pair.certificate.len() / 2];
                fs::write(self.current().join("server.crt"), half).unwrap();
                thread::sleep(Duration::from_millis(60));
                pair.write(&self.current());
            }
        }
    }
}

/// What the clients have seen.
#[derive(Default)]
struct Seen {
    ended: AtomicBool,
    handshakes: AtomicU64,
    resumed: AtomicU64,
    requests: AtomicU64,
    /// Serial numbers below this were replaced before the handshake was begun.
    published: AtomicU64,
}

/// Connects until the end; whatever fails, fails the test. One that `resumes` is shown a certificate only the first time.
fn come_and_go(site: &Site, address: SocketAddr, seen: &Seen, resumes: bool) {
    let mut kept = config(&site.authority, None);
    while !seen.ended.load(Relaxed) {
        let published = seen.published.load(Relaxed);
        let hand = Hand::shake(address, &kept).expect("a handshake that should succeed");
        if resumes {
            seen.resumed.fetch_add(u64::from(hand.is_resumed()), Relaxed);
        } else {
            assert!(hand.serial >= published, "{} after {published}", hand.serial);
            kept = config(&site.authority, None);
        }
        seen.handshakes.fetch_add(1, Relaxed);
        // Many clients on few CPUs: each leaves room for the others.
        thread::sleep(Duration::from_millis(5));
    }
}

/// Asks over one connection until the end, and over a new one each time.
fn ask(site: &Site, address: SocketAddr, seen: &Seen) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let lasting = tonic(address, &site.authority, None).await.unwrap();
        lasting.set("c", "k", "v").await;
        while !seen.ended.load(Relaxed) {
            let fresh = tonic(address, &site.authority, None).await.unwrap();
            for client in [&lasting, &fresh] {
                assert_eq!(client.data("c", "k").await, "v");
                seen.requests.fetch_add(1, Relaxed);
            }
        }
    });
}

#[test]
fn no_handshake_fails_and_each_after_the_line_shows_the_new_certificate() {
    let count = std::env::var("AMATERS_ROTATIONS").map_or(ROTATIONS, |text| text.parse().unwrap());
    let site = Site::new("");
    let mut place = Place { root: site.path(), version: 0 };
    place.swap(&site.authority.server(1));
    for name in ["server.crt", "server.key"] {
        fs::remove_file(site.path().join(name)).unwrap();
        symlink(Path::new("..data").join(name), site.path().join(name)).unwrap();
    }
    let mut server = site.serve();
    let address = server.address;
    let seen = Seen::default();
    let mut times = Vec::new();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (site, seen) = (&site, &seen);
            scope.spawn(move || come_and_go(site, address, seen, client % 2 == 0));
        }
        scope.spawn(|| ask(&site, address, &seen));
        let _end = EndOnDrop(&seen);
        let mut serial = 1;
        for kind in KINDS {
            for round in 0..count {
                serial += 1;
                let (pair, other) = (site.authority.server(serial), site.authority.server(7));
                place.rotate(kind, &pair, &other);
                let written = Instant::now();
                server
                    .wait_for(&format!("reloaded: subject CN=db.example, serial {}", hex(serial)));
                seen.published.store(serial, Relaxed);
                let hand = Hand::shake(server.address, &config(&site.authority, None)).unwrap();
                times.push(written.elapsed());
                assert_eq!(hand.serial, serial, "{kind:?}");
                // Each is a process; all of them in the short form.
                if (count <= ROTATIONS || round % 10 == 0) && has_openssl() {
                    assert_eq!(openssl_serial(server.address), serial, "{kind:?}");
                }
            }
        }
    });
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{} rotations, {count} of each of {KINDS:?}; {} handshakes ({} resumed) and {} requests beside them; from \
         file to handshake p50 {:?}, p99 {:?}, longest {:?}",
        times.len(),
        seen.handshakes.load(Relaxed),
        seen.resumed.load(Relaxed),
        seen.requests.load(Relaxed),
        at(0.5),
        at(0.99),
        at(1.0),
    );
    assert!(seen.handshakes.load(Relaxed) > times.len() as u64);
    assert!(seen.resumed.load(Relaxed) > 0 && seen.requests.load(Relaxed) > 0);
}

/// Lets the clients end, also when the test fails.
struct EndOnDrop<'a>(&'a Seen);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.ended.store(true, Relaxed);
    }
}

/// As the log writes a serial number.
fn hex(serial: u64) -> String {
    let bytes = serial.to_be_bytes();
    let mut bytes = &bytes[serial.leading_zeros() as usize / 8..];
    // An integer whose first bit is set has a zero before it.
    let padded = [&[0], bytes].concat();
    if bytes[0] > 0x7f {
        bytes = &padded;
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}
