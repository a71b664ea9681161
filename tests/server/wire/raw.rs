//! Bytes that no generated client would send: messages that are none through tonic, and calls that
//! are none through `h2`.

use std::net::SocketAddr;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::future::poll_fn;
use h2::{
    RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
};
use http::{HeaderMap, Request, StatusCode, uri::PathAndQuery};
use tokio::net::TcpStream;
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use super::client::{ANSWER_BYTES_MAX, Client};

pub(crate) const EXECUTE_QUERY: &str = "/amaters.aql.AqlService/ExecuteQuery";
pub(crate) const EXECUTE_BATCH: &str = "/amaters.aql.AqlService/ExecuteBatch";
pub(crate) const EXECUTE_STREAM: &str = "/amaters.aql.AqlService/ExecuteStream";
pub(crate) const EXECUTE_INTERACTIVE: &str = "/amaters.aql.AqlService/ExecuteInteractive";

/// Messages as the bytes that they are.
#[derive(Clone, Copy)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// tonic's way to any method with any bytes.
pub(crate) async fn grpc(client: &Client) -> tonic::client::Grpc<tonic::transport::Channel> {
    let grpc = tonic::client::Grpc::new(client.channel.clone());
    let mut grpc = grpc.max_decoding_message_size(ANSWER_BYTES_MAX);
    grpc.ready().await.unwrap();
    grpc
}

/// Calls a unary method with these bytes as its message.
pub(crate) async fn unary(
    client: &Client,
    path: &'static str,
    message: impl Into<Bytes>,
) -> Result<Bytes, Status> {
    let request = tonic::Request::new(message.into());
    let path = PathAndQuery::from_static(path);
    Ok(grpc(client).await.unary(request, path, Raw).await?.into_inner())
}

/// A message with its five bytes before it.
pub(crate) fn framed(flag: u8, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(flag);
    frame.put_u32(message.len() as u32);
    frame.put_slice(message);
    frame.freeze()
}

/// An HTTP/2 connection.
pub(crate) struct Connection {
    sender: SendRequest<Bytes>,
}

/// A request whose body is not at its end.
pub(crate) struct Exchange {
    response: ResponseFuture,
    body: SendStream<Bytes>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let (sender, connection) = h2::client::handshake(socket).await.unwrap();
        // It ends with its last handle; how is told to those who wait for answers.
        tokio::spawn(async move { drop(connection.await) });
        Self { sender }
    }

    /// Sends the head of a gRPC call with these headers too.
    pub(crate) async fn begin(&self, path: &str, headers: &[(&str, &str)]) -> Exchange {
        let headers = [&[("content-type", "application/grpc"), ("te", "trailers")], headers];
        self.begin_http("POST", path, &headers.concat()).await
    }

    /// Sends the head of any request.
    pub(crate) async fn begin_http(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Exchange {
        let mut request = Request::builder().method(method).uri(format!("http://server{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut sender = self.sender.clone().ready().await.unwrap();
        let (response, body) = sender.send_request(request.body(()).unwrap(), false).unwrap();
        Exchange { response, body }
    }

    /// A call with one message and its answer.
    pub(crate) async fn call(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut exchange = self.begin(path, headers).await;
        exchange.send(body, true).await;
        exchange.answer().await
    }
}

impl Exchange {
    /// Sends bytes as the peer takes them, or until it wants no more.
    pub(crate) async fn send(&mut self, bytes: impl Into<Bytes>, end: bool) {
        let mut bytes = bytes.into();
        while !bytes.is_empty() {
            self.body.reserve_capacity(bytes.len());
            let Some(Ok(room)) = poll_fn(|cx| self.body.poll_capacity(cx)).await else { return };
            let piece = bytes.split_to(room.min(bytes.len()));
            if self.body.send_data(piece, false).is_err() {
                return;
            }
        }
        if end {
            // An error means that the peer has answered without the rest.
            let _ = self.body.send_data(Bytes::new(), true);
        }
    }

    pub(crate) async fn answer(self) -> Answer {
        let response = self.response.await.unwrap();
        let (head, mut stream) = response.into_parts();
        let body = read(&mut stream).await;
        let trailers = stream.trailers().await.unwrap().unwrap_or_default();
        Answer { status: head.status, headers: head.headers, body, trailers }
    }
}

async fn read(stream: &mut RecvStream) -> Bytes {
    let mut body = BytesMut::new();
    while let Some(piece) = stream.data().await {
        let piece = piece.unwrap();
        stream.flow_control().release_capacity(piece.len()).unwrap();
        body.put(piece);
    }
    body.freeze()
}

impl Answer {
    /// The status of the call, from the trailers or, where there was nothing else, the headers.
    pub(crate) fn code(&self) -> &str {
        let code = self.trailers.get("grpc-status").or_else(|| self.headers.get("grpc-status"));
        code.map_or("none", |code| code.to_str().unwrap())
    }

    /// The text of the status.
    pub(crate) fn text(&self) -> &str {
        let text = self.trailers.get("grpc-message").or_else(|| self.headers.get("grpc-message"));
        text.map_or("", |text| text.to_str().unwrap())
    }

    /// The one message and whether it is packed.
    pub(crate) fn message(&self) -> (bool, Bytes) {
        let mut body = self.body.clone();
        let flag = body.get_u8();
        assert_eq!(body.get_u32() as usize, body.len());
        (flag == 1, body)
    }
}
