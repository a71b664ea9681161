//! A server that asks who calls, its files, and callers with credentials.

use std::net::SocketAddr;

use amaters_proto::{
    admin::v1::admin_service_client::AdminServiceClient,
    aql::{
        BatchResponse, QueryRequest, QueryResponse, aql_service_client::AqlServiceClient,
        batch_response, query_response,
    },
    errors::ErrorResponse,
    kv::v1::kv_service_client::KvServiceClient,
    query::{Query, query_result::Result as Outcome},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::{Value, json};
use tonic::{
    Request, Status,
    metadata::MetadataValue,
    transport::{Channel, Endpoint},
};

use crate::{
    harness::{Folder, Server},
    wire::queries::{Asked, batch_request, blob, get, request, set, unix_seconds},
};

/// What tokens are signed with.
pub(super) const SECRET: &str = "a secret of at least thirty-two bytes";

/// A server and its folder.
pub(super) struct Site {
    pub(super) folder: Folder,
    pub(super) server: Server,
}

impl Site {
    /// Starts a server that takes tokens and API keys, with these files and more keys of the tables `auth` and `authz`.
    pub(super) fn new(keys: &Value, auth: &str, authz: &str) -> Self {
        let folder = Folder::new();
        folder.write("keys.json", &keys.to_string());
        write_config(&folder, auth, authz);
        let server = serve(&folder);
        Self { folder, server }
    }

    /// The same with the usual keys: one for each of these roles, which is also whose it is.
    pub(super) fn with_roles(roles: &[&str], files: &[(&str, &str)], authz: &str) -> Self {
        let folder = Folder::new();
        let keys: Vec<_> = roles.iter().map(|role| api_key(role, &[role])).collect();
        folder.write("keys.json", &json!(keys).to_string());
        files.iter().for_each(|(name, text)| drop(folder.write(name, text)));
        write_config(&folder, "", authz);
        let server = serve(&folder);
        Self { folder, server }
    }

    /// Somebody with these headers, on a connection of their own.
    pub(super) async fn caller(&self, headers: &[(&'static str, &str)]) -> Caller {
        Caller::connect(self.server.address, headers).await
    }

    /// Whoever has the API key of this name.
    pub(super) async fn holder(&self, name: &str) -> Caller {
        self.caller(&[("x-api-key", &key_of(name))]).await
    }
}

/// Unless they are about limits, nobody is slowed down here who is wrong often: that is what these tests are.
pub(super) fn write_config(folder: &Folder, auth: &str, authz: &str) {
    let limits = match authz.contains("[limits]") {
        true => "",
        false => "[limits]\nauth_failures_per_minute_per_address = 0\n",
    };
    let text = format!(
        "[auth]\nenabled = true\nmethods = [\"jwt\", \"api_key\"]\n{auth}\n\
         [auth.jwt]\nenabled = true\nsecret = \"{SECRET}\"\n\
         [auth.api_key]\nenabled = true\nkeys_file = \"keys.json\"\nhash_keys = false\n\
         [authz]\n{authz}\n{limits}"
    );
    folder.config("", &text);
}

fn serve(folder: &Folder) -> Server {
    Server::spawn(&mut folder.command("start --config a.toml --bind 127.0.0.1:0 --cores 2"))
}

/// The key of a name.
pub(super) fn key_of(name: &str) -> String {
    format!("key of {name}")
}

/// An entry of the file of keys.
pub(super) fn api_key(name: &str, roles: &[&str]) -> Value {
    json!({ "id": name, "name": name, "key": key_of(name), "user_id": name, "roles": roles })
}

/// A token, signed rightly.
pub(super) fn token(claims: &Value) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    signed("HS256", claims, |message| hmac::sign(&key, message).as_ref().to_vec())
}

/// A token of an algorithm, whose signature is made by `sign`.
pub(super) fn signed(alg: &str, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = encoded(json!({ "alg": alg, "typ": "JWT" }).to_string().as_bytes());
    let message = format!("{header}.{}", encoded(claims.to_string().as_bytes()));
    let signature = encoded(&sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// Claims of a token that is good for so many seconds.
pub(super) fn claims(sub: &str, seconds: i64) -> Value {
    let now = unix_seconds();
    json!({ "sub": sub, "iat": now - 1, "exp": now + seconds })
}

/// Somebody who calls.
#[derive(Clone)]
pub(super) struct Caller {
    channel: Channel,
    headers: Vec<(&'static str, String)>,
}

impl Caller {
    pub(super) async fn connect(address: SocketAddr, headers: &[(&'static str, &str)]) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        Self::over(endpoint.connect().await.unwrap(), headers)
    }

    /// Somebody with these headers on a connection that is there.
    pub(super) fn over(channel: Channel, headers: &[(&'static str, &str)]) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { channel, headers }
    }

    pub(super) fn stub(&self) -> AqlServiceClient<Channel> {
        AqlServiceClient::new(self.channel.clone())
    }

    pub(super) fn kv(&self) -> KvServiceClient<Channel> {
        KvServiceClient::new(self.channel.clone())
    }

    pub(super) fn admin(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(self.channel.clone())
    }

    /// A message with the headers of whoever calls.
    pub(super) fn with_headers<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        for (name, value) in &self.headers {
            request.metadata_mut().append(*name, MetadataValue::try_from(value).unwrap());
        }
        request
    }

    /// One query, and its answer or its in-band error.
    pub(super) async fn ask(&self, asked: impl Into<Asked>) -> Result<Outcome, ErrorResponse> {
        let response = self.stub().execute_query(self.with_headers(request(asked))).await;
        in_band(response.unwrap().into_inner())
    }

    /// A batch, and its results or its in-band error.
    pub(super) async fn batch(&self, queries: Vec<Query>) -> Result<usize, ErrorResponse> {
        let message = self.with_headers(batch_request(queries));
        let response: BatchResponse =
            self.stub().execute_batch(message).await.unwrap().into_inner();
        match response.response.unwrap() {
            batch_response::Response::Results(results) => Ok(results.results.len()),
            batch_response::Response::Error(error) => Err(error),
        }
    }

    /// A stream, and how many messages it had.
    pub(super) async fn stream(&self, asked: impl Into<Asked>) -> Result<usize, Status> {
        let message = self.with_headers(request(asked));
        let mut stream = self.stub().execute_stream(message).await?.into_inner();
        let mut count = 0;
        while stream.message().await?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// Requests of one interactive stream, and the answer of each.
    pub(super) async fn interactive(
        &self,
        requests: Vec<QueryRequest>,
    ) -> Result<Vec<Result<Outcome, ErrorResponse>>, Status> {
        let message = self.with_headers(futures_util::stream::iter(requests));
        let mut stream = self.stub().execute_interactive(message).await?.into_inner();
        let mut answers = Vec::new();
        while let Some(response) = stream.message().await? {
            answers.push(in_band(response));
        }
        Ok(answers)
    }

    /// Sets a key that it may set.
    pub(super) async fn set(&self, collection: &str, key: &str, data: &'static str) {
        self.ask(set(collection, key, blob(data))).await.unwrap();
    }

    /// The data of a key that it may read.
    pub(super) async fn data(&self, collection: &str, key: &str) -> Option<Vec<u8>> {
        match self.ask(get(collection, key)).await.unwrap() {
            Outcome::Single(single) => single.value.map(|value| value.data.to_vec()),
            other => panic!("a get was answered by {other:?}"),
        }
    }
}

/// What an answer says.
pub(super) fn in_band(response: QueryResponse) -> Result<Outcome, ErrorResponse> {
    match response.response.unwrap() {
        query_response::Response::Result(result) => Ok(result.result.unwrap()),
        query_response::Response::Error(error) => Err(error),
    }
}
