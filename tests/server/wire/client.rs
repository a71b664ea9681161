//! A tonic client at a server of every kind, and what it is told.

use std::{net::SocketAddr, num::NonZero, process::ExitStatus, time::Duration};

use amaters_proto::{
    aql::{
        StreamResponse, aql_service_client::AqlServiceClient, batch_response, query_response,
        stream_response::Chunk,
    },
    errors::ErrorResponse,
    query::{KeyValue, Query, query_result::Result as Outcome},
    types::CipherBlob,
};
use bytes::Bytes;
use rustix::process::Signal;
use tonic::{
    Response, Status, Streaming,
    transport::{Channel, ClientTlsConfig, Endpoint},
};

use super::queries::{Asked, batch_request, blob, delete, get, request, set};
use crate::harness::{Folder, Server};

/// Longest that a story may take; only one that hangs does.
const PATIENCE: Duration = Duration::from_secs(180);
/// Largest answer that tests take; existing clients stop at 4 MiB by default.
pub(crate) const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a server is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) cores: usize,
    pub(crate) engine: &'static str,
}

/// Two reactors, which own one shard each.
pub(crate) const TWO: Kind = Kind { cores: 2, engine: "lsm" };
/// One reactor, which owns the only shard.
pub(crate) const ONE: Kind = Kind { cores: 1, engine: "lsm" };

/// One reactor that keeps nothing.
pub(crate) const FORGETFUL: Kind = Kind { engine: "memory", ..ONE };

impl Kind {
    /// Whether this machine can run it; says so if not.
    pub(crate) fn is_possible(&self) -> bool {
        let cores_max = std::thread::available_parallelism().map_or(1, NonZero::get);
        let possible = self.cores <= cores_max;
        if !possible {
            println!("left out on this machine, which has {cores_max} CPU: {self:?}");
        }
        possible
    }
}

/// Every kind that this machine can run.
pub(crate) fn kinds() -> impl Iterator<Item = Kind> {
    let kinds = [TWO, ONE, Kind { engine: "memory", ..TWO }, FORGETFUL];
    kinds.into_iter().filter(Kind::is_possible)
}

/// Those of them that keep what they are told.
pub(crate) fn durable_kinds() -> impl Iterator<Item = Kind> {
    [TWO, ONE].into_iter().filter(Kind::is_possible)
}

/// Tells a story once for every kind of server, each time in a new folder.
pub(crate) async fn on_every_kind(story: impl AsyncFn(Client)) {
    on_kinds(|_| true, story).await;
}

/// The same for servers with two shards only.
pub(crate) async fn on_two_shards(story: impl AsyncFn(Client)) {
    on_kinds(|kind| kind.cores == 2, story).await;
}

/// The same for servers with one shard only.
pub(crate) async fn on_one_shard(story: impl AsyncFn(Client)) {
    on_kinds(|kind| kind.cores == 1, story).await;
}

async fn on_kinds(wanted: impl Fn(&Kind) -> bool, story: impl AsyncFn(Client)) {
    for kind in kinds().filter(wanted) {
        println!("{kind:?}");
        let site = Site::new(kind, "");
        bounded(story(site.client().await)).await;
    }
}

/// Runs a story that must not hang.
pub(crate) async fn bounded<T>(story: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, story).await.expect("the story hangs")
}

/// A server in a folder of its own.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) folder: Folder,
}

impl Site {
    /// Starts a server. `more` is the rest of its configuration, which goes on in `[storage]`.
    pub(crate) fn new(kind: Kind, more: &str) -> Self {
        Self::with_server(kind, "", more)
    }

    /// The same with more keys of `[server]`.
    pub(crate) fn with_server(kind: Kind, server: &str, more: &str) -> Self {
        let Kind { cores, engine } = kind;
        let folder = Folder::new();
        folder.config(server, &format!("[storage]\nengine = \"{engine}\"\n{more}"));
        Self { server: serve(&folder, cores), folder }
    }

    /// A client with a connection of its own.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.server.address).await
    }

    /// Ends the server as an operator does, and starts another in the same folder.
    pub(crate) async fn restart(&mut self, cores: usize) {
        self.server.signal(Signal::TERM);
        assert_eq!(self.ended().await.code(), Some(0));
        self.start(cores);
    }

    /// Starts another server in the same folder, where the first has ended.
    pub(crate) fn start(&mut self, cores: usize) {
        self.server = serve(&self.folder, cores);
    }

    /// See [`ended`].
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        ended(&mut self.server).await
    }
}

/// Waits for a server's end while the connections of this test go on: they answer its farewell.
pub(crate) async fn ended(server: &mut Server) -> ExitStatus {
    loop {
        if let Some(status) = server.ended() {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn serve(folder: &Folder, cores: usize) -> Server {
    let words = format!("start --config a.toml --bind 127.0.0.1:0 --cores {cores}");
    Server::spawn(&mut folder.command(&words))
}

/// A client, and words for what most stories say.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) stub: AqlServiceClient<Channel>,
    pub(crate) channel: Channel,
    pub(crate) address: SocketAddr,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, |endpoint| endpoint).await
    }

    /// The same, with settings of its own.
    pub(crate) async fn connect_with(
        address: SocketAddr,
        set: impl FnOnce(Endpoint) -> Endpoint,
    ) -> Self {
        let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
        let channel = set(endpoint).connect().await.unwrap();
        Self::over(channel, address)
    }

    /// Over TLS.
    pub(crate) async fn connect_tls(
        address: SocketAddr,
        tls: ClientTlsConfig,
    ) -> Result<Self, tonic::transport::Error> {
        let endpoint = Channel::from_shared(format!("https://{address}")).unwrap();
        let channel = endpoint.tls_config(tls)?.connect().await?;
        Ok(Self::over(channel, address))
    }

    fn over(channel: Channel, address: SocketAddr) -> Self {
        let stub =
            AqlServiceClient::new(channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX);
        Self { stub, channel, address }
    }

    /// One query, and its answer or its in-band error.
    pub(crate) async fn ask(&self, asked: impl Into<Asked>) -> Result<Outcome, ErrorResponse> {
        let request = request(asked);
        let request_id = request.request_id.clone();
        let response = self.stub.clone().execute_query(request).await.unwrap().into_inner();
        assert_eq!(response.request_id, request_id);
        match response.response.unwrap() {
            query_response::Response::Result(result) => Ok(result.result.unwrap()),
            query_response::Response::Error(error) => Err(error),
        }
    }

    pub(crate) async fn get(&self, collection: &str, key: impl AsRef<[u8]>) -> Option<CipherBlob> {
        match self.ask(get(collection, key)).await.unwrap() {
            Outcome::Single(single) => single.value,
            other => panic!("a get was answered by {other:?}"),
        }
    }

    /// The bytes of a value that must be there.
    pub(crate) async fn data(&self, collection: &str, key: impl AsRef<[u8]>) -> Bytes {
        self.get(collection, key).await.expect("the key has a value").data
    }

    pub(crate) async fn set(
        &self,
        collection: &str,
        key: impl AsRef<[u8]>,
        data: impl Into<Bytes>,
    ) {
        let written = self.ask(set(collection, key, blob(data))).await.unwrap();
        assert_eq!(affected(&written), 1);
    }

    pub(crate) async fn delete(&self, collection: &str, key: impl AsRef<[u8]>) -> u64 {
        affected(&self.ask(delete(collection, key)).await.unwrap())
    }

    /// The rows of a range or a filter.
    pub(crate) async fn rows(&self, asked: impl Into<Asked>) -> Vec<KeyValue> {
        rows(self.ask(asked).await.unwrap())
    }

    /// A batch, and one result for each query or the error of all.
    pub(crate) async fn batch(&self, queries: Vec<Query>) -> Result<Vec<Outcome>, ErrorResponse> {
        let count = queries.len();
        let request = batch_request(queries);
        let request_id = request.request_id.clone();
        let response = self.stub.clone().execute_batch(request).await.unwrap().into_inner();
        assert_eq!(response.request_id, request_id);
        match response.response.unwrap() {
            batch_response::Response::Results(results) => {
                assert_eq!(results.results.len(), count);
                Ok(results.results.into_iter().map(|result| result.result.unwrap()).collect())
            }
            batch_response::Response::Error(error) => Err(error),
        }
    }

    /// The chunks of a stream, read to its end.
    pub(crate) async fn stream(&self, asked: impl Into<Asked>) -> Result<Streamed, Status> {
        let request = request(asked);
        let stream = self.stub.clone().execute_stream(request).await?.into_inner();
        Streamed::read(stream).await
    }
}

/// Rows that a write changed.
pub(crate) fn affected(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Success(success) => success.affected_rows,
        other => panic!("a write was answered by {other:?}"),
    }
}

/// The rows of an answer of many.
pub(crate) fn rows(outcome: Outcome) -> Vec<KeyValue> {
    match outcome {
        Outcome::Multi(multi) => multi.values,
        other => panic!("rows were answered by {other:?}"),
    }
}

/// The last message of a stream, which must have one.
pub(crate) async fn last<T>(stream: Result<Response<Streaming<T>>, Status>) -> Result<T, Status> {
    let (mut stream, mut last) = (stream?.into_inner(), None);
    while let Some(message) = stream.message().await? {
        last = Some(message);
    }
    Ok(last.expect("the stream has a message"))
}

/// What came over a stream that ended well.
#[derive(Debug)]
pub(crate) struct Streamed {
    pub(crate) chunks: Vec<Vec<KeyValue>>,
    pub(crate) total_count: u64,
}

impl Streamed {
    /// Reads a stream, and checks of it what must be true of every one: `sequence` counts from 0,
    /// `has_more` is true but for the last chunk, and `end` comes once and last.
    pub(crate) async fn read(mut stream: Streaming<StreamResponse>) -> Result<Self, Status> {
        let first = stream.message().await?;
        Self::read_behind(first, stream).await
    }

    /// The same of a stream whose first message was read already.
    pub(crate) async fn read_behind(
        mut first: Option<StreamResponse>,
        mut stream: Streaming<StreamResponse>,
    ) -> Result<Self, Status> {
        let (mut chunks, mut more) = (Vec::new(), true);
        for sequence in 0.. {
            let response = match first.take() {
                None => stream.message().await?,
                first => first,
            };
            let response = response.expect("a stream ends with `end`");
            assert_eq!(response.sequence, sequence);
            match response.chunk.unwrap() {
                Chunk::Batch(batch) => {
                    assert!(more, "a chunk came behind one that was said to be the last");
                    more = batch.has_more;
                    chunks.push(batch.values);
                }
                Chunk::End(end) => {
                    assert!(!more || chunks.is_empty(), "the last chunk announced more");
                    assert!(stream.message().await?.is_none());
                    return Ok(Self { chunks, total_count: end.total_count });
                }
                other => panic!("a stream brought {other:?}"),
            }
        }
        unreachable!("sequences do not end")
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &KeyValue> {
        self.chunks.iter().flatten()
    }
}
