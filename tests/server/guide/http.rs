//! HTTP as a probe or a scraper speaks it, in the fewest words.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use crate::harness::Server;

/// Longest wait for anything that should happen soon.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Where a server that listens serves its metrics: its configuration takes a free port, and it says which in a line of
/// its log that was kept.
pub(crate) fn metrics_address(line: &str) -> SocketAddr {
    let (_, rest) = line.split_once("Metrics on http://").unwrap();
    rest.strip_suffix("/metrics").unwrap().parse().unwrap()
}

/// Asks for a page.
pub(crate) fn page(address: SocketAddr, path: &str, accept: &str) -> Page {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: test\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Page { status, head: head.to_owned(), body: body.to_owned() }
}

/// The metrics at this moment.
pub(crate) fn metrics(address: SocketAddr) -> String {
    let page = page(address, "/metrics", "text/plain");
    assert_eq!(page.status, 200);
    page.body
}

/// The value of a sample, named with its labels.
pub(crate) fn sample(metrics: &str, name: &str) -> f64 {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in\n{metrics}")).parse().unwrap()
}

/// The sum of the samples of a metric, whatever their labels.
pub(crate) fn sum(metrics: &str, name: &str) -> f64 {
    let begin = format!("{name}{{");
    let samples = metrics.lines().filter(|line| line.starts_with(&begin));
    samples.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// Waits until what is asked for holds, which must be soon.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} does not come true");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether nobody listens there.
pub(crate) fn is_closed(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err()
}

/// The address of the metrics of a server whose first lines were kept.
pub(crate) fn served_by(server: &Server) -> SocketAddr {
    let line = server.first_lines().iter().find(|line| line.contains("Metrics on http://"));
    metrics_address(line.expect("metrics are served"))
}
