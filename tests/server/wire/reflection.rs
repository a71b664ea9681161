//! Server reflection, both versions: standard tools need no `.proto` files.

use amaters_proto::reflection::{
    ErrorResponse, ExtensionRequest, ServerReflectionRequest, ServerReflectionResponse,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use futures_util::stream;
use http::uri::PathAndQuery;
use prost::Message as _;
use prost_types::FileDescriptorProto;

use super::{
    client::{Client, on_every_kind},
    raw::{Raw, grpc},
};

/// Asks all at once on one stream.
async fn ask(client: &Client, version: &str, asked: &[MessageRequest]) -> Vec<MessageResponse> {
    let request = |message: &MessageRequest| ServerReflectionRequest {
        host: "any".into(),
        message_request: Some(message.clone()),
    };
    let requests: Vec<_> = asked.iter().map(request).collect();
    let messages: Vec<_> = requests.iter().map(|request| request.encode_to_vec().into()).collect();
    let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
    let path = PathAndQuery::try_from(path).unwrap();
    let mut grpc = grpc(client).await;
    let requests_on_their_way = tonic::Request::new(stream::iter(messages));
    let answers = grpc.streaming(requests_on_their_way, path, Raw);
    let mut answers = answers.await.unwrap().into_inner();
    let mut responses = Vec::new();
    for request in requests {
        let answer = answers.message().await.unwrap().unwrap();
        let answer = ServerReflectionResponse::decode(answer).unwrap();
        assert_eq!(answer.original_request, Some(request));
        assert_eq!(answer.valid_host, "any");
        responses.push(answer.message_response.unwrap());
    }
    assert!(answers.message().await.unwrap().is_none());
    responses
}

fn files(response: &MessageResponse) -> Vec<FileDescriptorProto> {
    let MessageResponse::FileDescriptorResponse(files) = response else {
        panic!("no files: {response:?}");
    };
    let files = files.file_descriptor_proto.iter();
    files.map(|file| FileDescriptorProto::decode(file.clone()).unwrap()).collect()
}

#[tokio::test]
async fn services_are_listed_and_their_files_come_with_what_they_import() {
    on_every_kind(async |client| {
        for version in ["v1", "v1alpha"] {
            let responses = ask(
                &client,
                version,
                &[
                    MessageRequest::ListServices(String::new()),
                    MessageRequest::FileContainingSymbol("amaters.aql.AqlService".into()),
                    MessageRequest::FileContainingSymbol("amaters.query.RangeQuery.limit".into()),
                    MessageRequest::FileByFilename("errors.proto".into()),
                    MessageRequest::AllExtensionNumbersOfType("amaters.types.Key".into()),
                ],
            )
            .await;
            let MessageResponse::ListServicesResponse(list) = &responses[0] else {
                panic!("no list: {responses:?}");
            };
            let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
            for expected in [
                "amaters.aql.AqlService",
                "amaters.kv.v1.KvService",
                "grpc.health.v1.Health",
                "grpc.reflection.v1.ServerReflection",
                "grpc.reflection.v1alpha.ServerReflection",
            ] {
                assert!(names.contains(&expected), "{names:?}");
            }
            let aql = files(&responses[1]);
            assert_eq!(aql[0].name(), "aql.proto");
            let methods = aql[0].service[0].method.iter().map(|method| method.name());
            let methods: Vec<_> = methods.collect();
            assert_eq!(
                methods,
                [
                    "ExecuteQuery",
                    "ExecuteBatch",
                    "ExecuteStream",
                    "ExecuteInteractive",
                    "HealthCheck",
                    "GetServerInfo",
                ]
            );
            for import in &aql[0].dependency {
                assert!(aql.iter().any(|file| file.name() == import), "{import} is missing");
            }
            assert_eq!(files(&responses[2])[0].name(), "query.proto");
            assert_eq!(files(&responses[3])[0].package(), "amaters.errors");
            let MessageResponse::AllExtensionNumbersResponse(numbers) = &responses[4] else {
                panic!("no numbers: {responses:?}");
            };
            assert_eq!(numbers.base_type_name, "amaters.types.Key");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_known_is_an_error_of_the_answer_and_the_stream_goes_on() {
    on_every_kind(async |client| {
        for version in ["v1", "v1alpha"] {
            let extension = ExtensionRequest {
                containing_type: "amaters.types.Key".into(),
                extension_number: 9,
            };
            let responses = ask(
                &client,
                version,
                &[
                    MessageRequest::FileByFilename("nothing.proto".into()),
                    MessageRequest::FileContainingSymbol("amaters.Nothing".into()),
                    MessageRequest::AllExtensionNumbersOfType("amaters.Nothing".into()),
                    MessageRequest::FileContainingExtension(extension),
                    MessageRequest::FileByFilename("types.proto".into()),
                ],
            )
            .await;
            for response in &responses[..4] {
                let MessageResponse::ErrorResponse(ErrorResponse { error_code, error_message }) =
                    response
                else {
                    panic!("no error: {response:?}");
                };
                assert_eq!(*error_code, 5);
                assert!(!error_message.is_empty());
            }
            assert_eq!(files(&responses[4])[0].name(), "types.proto");
        }
    })
    .await;
}
