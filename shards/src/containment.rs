//! Panics, on real reactors with a real client: one in a request ends that request, one outside of
//! a request ends the reactor, which is noticed.
//!
//! Only tests are built with this. Whoever names one of the two collections asks for the panic.

use std::{
    net::SocketAddr,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use amaters_proto::{
    aql::{
        BatchRequest, QueryRequest, aql_service_client::AqlServiceClient, batch_response,
        query_response,
    },
    query::{GetQuery, Query, RangeQuery, SetQuery, query, query_result::Result as Outcome},
    types::{CipherBlob, Key},
};
use glommio::CpuSet;
use tonic::transport::Channel;

use crate::{
    Reactors,
    limits::Limits,
    partition::Partition,
    recent::Notes,
    router::operation::Operation,
    settings::{CompactionSettings, Engine, Settings, TreeSettings},
    turn::give_way,
};

/// An operation on it panics.
const STRUCK: &str = "struck";
/// An operation on it leaves a task behind that panics.
const DEADLY: &str = "deadly";
const SHARDS: u32 = 2;
/// ERROR_SERVER_INTERNAL, in-band and in the trailers.
const INTERNAL: i32 = 7000;
/// Longest that anything may take; only what hangs takes it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Panics if the operation asks for that.
pub fn strike_operation(operation: &Operation) {
    match operation {
        Operation::Get { collection, .. } | Operation::Set { collection, .. } => strike(collection),
        Operation::Scan(scan) => strike(&scan.collection),
        _ => {}
    }
}

/// Panics if the name asks for that.
pub fn strike(collection: &str) {
    match collection {
        STRUCK => panic!("struck by a test"),
        DEADLY => {
            let task = async {
                // A new task is polled at once, inside of the request; its panic must come later.
                give_way().await;
                panic!("killed by a test")
            };
            glommio::spawn_local(task).detach();
        }
        _ => {}
    }
}

fn reactors() -> Reactors {
    let online = CpuSet::online().expect("the kernel says which CPUs there are");
    let mut cpus: Vec<usize> = online.iter().map(|location| location.cpu).collect();
    cpus.truncate(SHARDS as usize);
    let settings = Settings {
        tls: None,
        bind_address: ([127, 0, 0, 1], 0).into(),
        cpus,
        io_memory_bytes: 64 * 1024,
        partition: partition(),
        directory_id: 1,
        pending: None,
        orders: crate::settings::Orders::new(drop),
        roots: crate::storage::Roots::new([]),
        backup_rate: 0,
        engine: Engine::Memory,
        memtable_bytes_max: 16 << 20,
        tree: TreeSettings {
            merges_max: 4,
            dir: PathBuf::new(),
            blob_bytes_min: usize::MAX,
            cache_bytes_max: 0,
            compaction: CompactionSettings::default(),
        },
        guards: crate::auth::Guards::new(crate::auth::Guard::open()),
        limits: Limits::default(),
        connection_timeout: PATIENCE,
        slow_request: None,
        admin_from_anywhere: false,
        rates: Default::default(),
        connections_per_address_max: 0,
        audit: crate::audit::Audit::new(1).0,
        notes: Notes::default(),
        keepalive_interval: PATIENCE,
    };
    crate::start(settings, &mut |_| {}).expect("reactors start")
}

fn partition() -> Partition {
    Partition::new(SHARDS, 7)
}

/// Runs a story with a client while this thread does what the control thread does, until `done`.
#[expect(clippy::disallowed_methods, reason = "this is the control thread, not a reactor")]
fn serve<F: Future<Output = ()>>(
    reactors: &mut Reactors,
    story: impl FnOnce(SocketAddr) -> F + Send,
    done: impl Fn(&Reactors, bool) -> bool,
) {
    let address = reactors.local_address();
    thread::scope(|scope| {
        let client = scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime starts").block_on(story(address));
        });
        let started = Instant::now();
        while !done(reactors, client.is_finished()) {
            assert!(started.elapsed() < PATIENCE, "the story does not end");
            reactors.pulse();
            thread::sleep(Duration::from_millis(10));
        }
    });
}

#[derive(Clone)]
struct Client(AqlServiceClient<Channel>);

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        let url = format!("http://{address}");
        Self(AqlServiceClient::connect(url).await.expect("the reactors listen"))
    }

    /// An outcome, or the code of an in-band error.
    async fn ask(&self, query: query::Query) -> Result<Outcome, i32> {
        let request = QueryRequest { query: Some(asked(query)), ..QueryRequest::default() };
        let response = self.0.clone().execute_query(request).await.expect("it is answered");
        match response.into_inner().response {
            Some(query_response::Response::Result(result)) => Ok(result.result.expect("one")),
            Some(query_response::Response::Error(error)) => Err(error.code),
            None => panic!("an answer without result and error"),
        }
    }

    async fn batch(&self, queries: Vec<query::Query>) -> Result<usize, i32> {
        let queries = queries.into_iter().map(asked).collect();
        let request = BatchRequest { queries, ..BatchRequest::default() };
        let response = self.0.clone().execute_batch(request).await.expect("it is answered");
        match response.into_inner().response {
            Some(batch_response::Response::Results(results)) => Ok(results.results.len()),
            Some(batch_response::Response::Error(error)) => Err(error.code),
            None => panic!("an answer without result and error"),
        }
    }

    async fn has(&self, key: &str) -> bool {
        match self.ask(get("calm", key)).await {
            Ok(Outcome::Single(single)) => single.value.is_some(),
            other => panic!("a get was answered by {other:?}"),
        }
    }
}

fn asked(query: query::Query) -> Query {
    Query { query: Some(query) }
}

fn key(text: &str) -> Option<Key> {
    Some(Key { data: text.to_owned().into() })
}

fn get(collection: &str, name: &str) -> query::Query {
    query::Query::Get(GetQuery { collection: collection.into(), key: key(name) })
}

fn set(collection: &str, name: &str) -> query::Query {
    let value = Some(CipherBlob { data: "value".into(), metadata: None });
    query::Query::Set(SetQuery { collection: collection.into(), key: key(name), value })
}

/// A key of a collection on this shard.
fn key_on(shard: u32, collection: &str) -> String {
    let mut names = (0..).map(|number| format!("key-{number}"));
    let lives_there = |name: &String| partition().shard(collection, name.as_bytes()) == shard;
    names.find(lives_there).expect("some key lives on every shard")
}

#[test]
fn a_panic_in_a_request_is_its_own_error_and_harms_nothing_else() {
    let mut reactors = reactors();
    let story = async |address| {
        let (struck, calm) = (Client::connect(address).await, Client::connect(address).await);
        for shard in 0..SHARDS {
            let kept = key_on(shard, "calm");
            calm.ask(set("calm", &kept)).await.expect("it is written");
            // The short way, on the reactor of the connection and on another.
            assert_eq!(struck.ask(get(STRUCK, &key_on(shard, STRUCK))).await, Err(INTERNAL));
            assert_eq!(struck.ask(set(STRUCK, &key_on(shard, STRUCK))).await, Err(INTERNAL));
            // The long way.
            let range = range(STRUCK);
            assert_eq!(struck.ask(query::Query::Range(range.clone())).await, Err(INTERNAL));
            let request = QueryRequest {
                query: Some(asked(query::Query::Range(range))),
                ..QueryRequest::default()
            };
            let mut stub = struck.0.clone();
            let stream = stub.execute_stream(request).await.expect("it begins").into_inner();
            let status = { stream }.message().await.expect_err("it is struck");
            assert_eq!(status.code(), tonic::Code::Internal, "{status}");
            for client in [&struck, &calm] {
                assert!(client.has(&kept).await, "the connection and the shard live on");
            }
        }
    };
    serve(&mut reactors, story, |_, finished| finished);
    assert_eq!(reactors.dead(), None);
    reactors.stop(Instant::now(), &mut || {}).expect("all shards close");
}

fn range(collection: &str) -> RangeQuery {
    let (start, end) = (key("a"), key("z"));
    RangeQuery { collection: collection.into(), start, end, limit: None }
}

#[test]
fn a_panic_in_the_middle_of_a_batch_takes_all_of_it_back() {
    let mut reactors = reactors();
    let story = async |address| {
        let client = Client::connect(address).await;
        for shard in 0..SHARDS {
            let (first, bolt) = (key_on(shard, "calm"), key_on(shard, STRUCK));
            let batch = vec![set("calm", &first), get(STRUCK, &bolt)];
            assert_eq!(client.batch(batch).await, Err(INTERNAL));
            assert!(!client.has(&first).await, "half a batch was applied");
            assert_eq!(client.batch(vec![set("calm", &first)]).await, Ok(1));
            assert!(client.has(&first).await);
        }
    };
    serve(&mut reactors, story, |_, finished| finished);
    reactors.stop(Instant::now(), &mut || {}).expect("all shards close");
}

#[test]
fn a_reactor_that_dies_is_found_with_what_it_said() {
    let mut reactors = reactors();
    let story = async |address| {
        let client = Client::connect(address).await;
        // Whether this is answered depends on which reactor dies when.
        let query = Some(asked(get(DEADLY, &key_on(0, DEADLY))));
        let mut stub = client.0.clone();
        let ask = stub.execute_query(QueryRequest { query, ..QueryRequest::default() });
        let _ = tokio::time::timeout(Duration::from_secs(1), ask).await;
    };
    serve(&mut reactors, story, |reactors, finished| finished && reactors.dead().is_some());
    let words = reactors.dead().expect("it is known");
    assert!(words.contains("reactor 0 died: killed by a test"), "{words}");
}
