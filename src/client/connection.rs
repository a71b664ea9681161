//! A connection to the server, and calls over it.

use std::{path::Path, time::Duration};

use amaters_proto::{
    aql::{
        BatchRequest, StreamResponse, aql_service_client::AqlServiceClient, batch_response,
        query_response,
    },
    query::{Query, QueryResult, query_result::Result as Outcome},
    types::CipherBlob,
};
use bytes::Bytes;
use tonic::{
    Request, Streaming,
    metadata::{AsciiMetadataKey, AsciiMetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use super::{
    failure::{Failure, Kind, causes},
    given, query,
    settings::{Credentials, Settings, Tls},
};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a silent server is asked whether it is there, and how long it may think.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(20));
/// Largest answer that is taken. The server has no bound of its own for a value.
const ANSWER_BYTES_MAX: usize = 1 << 30;
/// Bytes that may be on their way before they are taken: half a megabyte of ciphertext a value.
const WINDOW_BYTES: u32 = 4 << 20;

/// A connection, and what is sent along with each call.
#[derive(Clone)]
pub(crate) struct Connection {
    channel: Channel,
    headers: Vec<(AsciiMetadataKey, AsciiMetadataValue)>,
    timeout: Duration,
}

impl Connection {
    /// Connects, or says why that is not possible.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Failure> {
        let address = &settings.address;
        let headers = headers(&settings.credentials)?;
        if !headers.is_empty() && !address.tls && !address.is_local() {
            eprintln!("warning: the credentials travel to {address} unencrypted; use https://");
        }
        let endpoint = Endpoint::from_shared(address.to_string())
            .map_err(|error| Failure::usage(format!("{address}: {error}")))?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE.0)
            .keep_alive_timeout(KEEPALIVE.1)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES);
        let endpoint = match address.tls {
            false => endpoint,
            true => {
                let config = tls(&settings.tls, address.bare_host())?;
                let wrong = |error| Failure::usage(format!("TLS: {}", causes(&error)));
                endpoint.tls_config(config).map_err(wrong)?
            }
        };
        let channel = endpoint.connect().await.map_err(|error| unreachable(settings, &error))?;
        Ok(Self { channel, headers, timeout: settings.timeout })
    }

    /// The stub of the query service.
    pub(crate) fn stub(&self) -> AqlServiceClient<Channel> {
        AqlServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// For the stubs of other services.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A call with credentials, and with an end if it is to have one.
    pub(crate) fn call<T>(&self, message: T, timeout: Option<Duration>) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(timeout) = timeout {
            request.set_timeout(timeout);
        }
        for (name, value) in &self.headers {
            request.metadata_mut().insert(name.clone(), value.clone());
        }
        request
    }

    /// One query.
    pub(crate) async fn ask(&self, query: Query) -> Result<Outcome, Failure> {
        let request = query::request(query, Some(self.timeout));
        let request = self.call(request, Some(self.timeout));
        let response = self.stub().execute_query(request).await?.into_inner();
        match response.response {
            Some(query_response::Response::Result(QueryResult { result: Some(outcome) })) => {
                Ok(outcome)
            }
            Some(query_response::Response::Error(error)) => Err(error.into()),
            _ => Err(Failure::nonsense("an answer without a result")),
        }
    }

    /// The value of a key, if it has one.
    pub(crate) async fn get(
        &self,
        collection: &str,
        key: Bytes,
    ) -> Result<Option<CipherBlob>, Failure> {
        match self.ask(query::get(collection, key)).await? {
            Outcome::Single(single) => Ok(single.value),
            _ => Err(Failure::nonsense("a get was not answered by one value")),
        }
    }

    /// A query that changes something: how many rows.
    pub(crate) async fn change(&self, query: Query) -> Result<u64, Failure> {
        changed(&self.ask(query).await?)
    }

    /// Queries that are done together: an outcome for each.
    pub(crate) async fn batch(&self, queries: Vec<Query>) -> Result<Vec<Outcome>, Failure> {
        let count = queries.len();
        let request: BatchRequest = query::batch(queries, Some(self.timeout));
        let request = self.call(request, Some(self.timeout));
        let response = self.stub().execute_batch(request).await?.into_inner();
        let results = match response.response {
            Some(batch_response::Response::Results(results)) => results.results,
            Some(batch_response::Response::Error(error)) => return Err(error.into()),
            None => return Err(Failure::nonsense("a batch without results")),
        };
        let outcomes: Vec<_> = results.into_iter().filter_map(|result| result.result).collect();
        if outcomes.len() != count {
            let text = format!("{} results for {count} queries", outcomes.len());
            return Err(Failure::nonsense(text));
        }
        Ok(outcomes)
    }

    /// The chunks of a scan, which may take as long as it takes.
    pub(crate) async fn stream(&self, query: Query) -> Result<Streaming<StreamResponse>, Failure> {
        let request = self.call(query::request(query, None), None);
        Ok(self.stub().execute_stream(request).await?.into_inner())
    }
}

/// How many rows a write has changed.
pub(crate) fn changed(outcome: &Outcome) -> Result<u64, Failure> {
    match outcome {
        Outcome::Success(success) => Ok(success.affected_rows),
        _ => Err(Failure::nonsense("a write was not answered by a count of rows")),
    }
}

fn headers(
    credentials: &Credentials,
) -> Result<Vec<(AsciiMetadataKey, AsciiMetadataValue)>, Failure> {
    let value = |text: String| {
        let mut value = AsciiMetadataValue::try_from(text)
            .map_err(|_| Failure::usage("the credentials cannot be sent in a header"))?;
        value.set_sensitive(true);
        Ok::<_, Failure>(value)
    };
    let mut headers = Vec::new();
    if let Some(token) = &credentials.token {
        let name = AsciiMetadataKey::from_static("authorization");
        headers.push((name, value(format!("Bearer {token}"))?));
    }
    if let Some(key) = &credentials.api_key {
        let name = credentials.api_key_header.to_ascii_lowercase();
        let name = AsciiMetadataKey::from_bytes(name.as_bytes())
            .map_err(|_| Failure::usage(format!("{name:?} cannot be the name of a header")))?;
        headers.push((name, value(key.clone())?));
    }
    Ok(headers)
}

fn tls(wanted: &Tls, host: &str) -> Result<ClientTlsConfig, Failure> {
    let pem = |path: &Path| given::file(path);
    let config = ClientTlsConfig::new();
    let config = match &wanted.ca {
        Some(path) => config.ca_certificate(Certificate::from_pem(pem(path)?)),
        None => config.with_native_roots(),
    };
    let config = config.domain_name(wanted.server_name.as_deref().unwrap_or(host));
    Ok(match &wanted.identity {
        Some((cert, key)) => config.identity(Identity::from_pem(pem(cert)?, pem(key)?)),
        None => config,
    })
}

/// Why there is no connection, and what to do.
fn unreachable(settings: &Settings, error: &tonic::transport::Error) -> Failure {
    let address = &settings.address;
    let why = causes(error);
    let why = why.strip_prefix("transport error: ").unwrap_or(&why);
    let has = |part: &str| why.contains(part);
    let advice = match address.tls {
        _ if has("refused") => {
            "does a server run there? On its machine, `amaters-server status` says"
        }
        true if has("UnknownIssuer") => {
            "name the authority that issued its certificate with --tls-ca"
        }
        true if has("not valid for name") => {
            "name what its certificate is for with --tls-server-name, if you trust it to be your server"
        }
        true if has("InvalidContentType") || has("corrupt message") => {
            "there, something speaks without TLS; if that is your server, say http://"
        }
        false if has("http2") || has("connection reset") || has("broken pipe") => {
            "if the server speaks TLS, say https://"
        }
        _ => "is the address right, and does the network let you through?",
    };
    Failure::new(Kind::Unreachable, format!("cannot reach {address}: {why}; {advice}"))
}
