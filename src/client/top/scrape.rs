//! The metrics of a server, read over HTTP as Prometheus reads them.

use std::{
    collections::BTreeMap,
    fmt,
    io::{Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use crate::client::{
    address::Address,
    failure::{Failure, Kind},
};

/// Where a server's metrics are by default.
const PORT: u16 = 9090;
/// Largest page: a thousand shards have two megabytes.
const PAGE_BYTES_MAX: u64 = 32 << 20;

/// Where metrics are.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    host: String,
    port: u16,
    path: String,
}

/// Samples by name, each with its labels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(BTreeMap<String, Vec<(Labels, f64)>>);

type Labels = BTreeMap<String, String>;

impl Place {
    /// What is set, or the usual port of the server's host.
    pub(crate) fn of(set: Option<&str>, server: &Address) -> Result<Self, Failure> {
        let Some(url) = set else {
            return Ok(Self { host: server.host.clone(), port: PORT, path: "/metrics".into() });
        };
        let rest = url.strip_prefix("http://").unwrap_or(url);
        if rest.contains("://") {
            return Err(Failure::usage(format!(
                "the metrics {url:?}: only http:// is spoken to metrics"
            )));
        }
        let (address, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = if matches!(path, "" | "/") { "/metrics" } else { path };
        if path.contains(|each: char| each.is_whitespace() || each.is_control()) {
            return Err(Failure::usage(format!("the metrics {url:?}: a path has no blanks")));
        }
        // A host without a port has that of metrics, not that of the server.
        let has_port = address.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let address = if has_port { address.to_owned() } else { format!("{address}:{PORT}") };
        let Address { host, port, .. } = Address::read(&address, false)?;
        Ok(Self { host, port, path: path.to_owned() })
    }

    /// What is measured now.
    pub(crate) async fn scrape(&self, timeout: Duration) -> Result<Samples, Failure> {
        let place = self.clone();
        let page = tokio::task::spawn_blocking(move || place.page(timeout)).await;
        let page = page.map_err(|error| Failure::refused(format!("cannot scrape: {error}")))?;
        let page = page.map_err(|why| {
            let advice = "top needs the server's metrics; --metrics says where they are";
            Failure::new(Kind::Unreachable, format!("{self} is not available: {why}; {advice}"))
        })?;
        Ok(Samples::of(&page))
    }

    fn page(&self, timeout: Duration) -> Result<String, String> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let addresses = (host, self.port).to_socket_addrs().map_err(|error| error.to_string())?;
        let mut last = "the name has no address".to_owned();
        for address in addresses {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(stream) => return self.ask(stream, timeout),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }

    fn ask(&self, mut stream: TcpStream, timeout: Duration) -> Result<String, String> {
        let told = |error: std::io::Error| error.to_string();
        stream.set_read_timeout(Some(timeout)).map_err(told)?;
        stream.set_write_timeout(Some(timeout)).map_err(told)?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nAccept: text/plain\r\nConnection: close\r\n\r\n",
            self.path, self.host
        );
        stream.write_all(request.as_bytes()).map_err(told)?;
        let mut bytes = Vec::new();
        stream.take(PAGE_BYTES_MAX).read_to_end(&mut bytes).map_err(told)?;
        let text = String::from_utf8(bytes).map_err(|_| "no text came".to_owned())?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or("no HTTP came")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if !head.starts_with("HTTP/1.") || status != "200" {
            return Err(format!("HTTP status {status}"));
        }
        if head.to_ascii_lowercase().contains("transfer-encoding") {
            return Err("the page comes in chunks, which no server of ours sends".into());
        }
        Ok(body.to_owned())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

impl Samples {
    /// Reads the text format. Lines that are none of it are left out.
    pub(crate) fn of(page: &str) -> Self {
        let mut samples = Self::default();
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let Ok(value) = value.parse() else {
                continue;
            };
            let (name, labels) = match name.split_once('{') {
                Some((name, labels)) => (name, labels_of(labels.trim_end_matches('}'))),
                None => (name, Labels::new()),
            };
            samples.0.entry(name.to_owned()).or_default().push((labels, value));
        }
        samples
    }

    /// The samples of a metric.
    pub(crate) fn all(&self, name: &str) -> &[(Labels, f64)] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The sample with these labels, and maybe more.
    pub(crate) fn one(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let fits = |has: &Labels| {
            labels.iter().all(|(label, value)| has.get(*label).is_some_and(|has| has == value))
        };
        self.all(name).iter().find(|(has, _)| fits(has)).map(|(_, value)| *value)
    }

    /// The sum of the samples with these labels; nothing if there are none.
    pub(crate) fn sum(&self, name: &str, label: &str, value: &str) -> Option<f64> {
        let fitting =
            self.all(name).iter().filter(|(has, _)| has.get(label).is_some_and(|has| has == value));
        fitting.map(|(_, value)| *value).reduce(|sum, value| sum + value)
    }

    /// What a label says, in the order of the page.
    pub(crate) fn values(&self, name: &str, label: &str) -> Vec<String> {
        let mut values = Vec::new();
        for (labels, _) in self.all(name) {
            if let Some(value) = labels.get(label).filter(|value| !values.contains(*value)) {
                values.push(value.clone());
            }
        }
        values
    }
}

/// Labels of ours have neither quotes nor commas in their values.
fn labels_of(text: &str) -> Labels {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_found_by_name_and_labels() {
        let page = "# HELP a b\na 1\nb{shard=\"0\",operation=\"get\"} 2.5\nb{shard=\"1\",operation=\"get\"} 3\nnonsense\nc NaN\n";
        let samples = Samples::of(page);
        assert_eq!(samples.one("a", &[]), Some(1.0));
        assert_eq!(samples.one("b", &[("shard", "1")]), Some(3.0));
        assert_eq!(samples.one("b", &[("shard", "2")]), None);
        assert_eq!(samples.sum("b", "operation", "get"), Some(5.5));
        assert_eq!(samples.sum("b", "operation", "set"), None);
        assert_eq!(samples.values("b", "shard"), ["0", "1"]);
    }

    #[test]
    fn metrics_are_beside_the_server_unless_said() {
        let server = Address::read("https://db:7878", false).unwrap();
        let place = |set| Place::of(set, &server).map(|place| place.to_string());
        assert_eq!(place(None).unwrap(), "http://db:9090/metrics");
        assert_eq!(place(Some("other:1")).unwrap(), "http://other:1/metrics");
        assert_eq!(place(Some("http://other")).unwrap(), "http://other:9090/metrics");
        assert_eq!(place(Some("http://[::1]:1/x")).unwrap(), "http://[::1]:1/x");
        assert!(place(Some("https://other")).is_err() && place(Some("a:b")).is_err());
    }
}
