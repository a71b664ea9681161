//! Server reflection: standard tools ask here for the .proto files instead of having them.
//!
//! `v1` and `v1alpha` have the same messages, so one code answers both.

use std::{collections::BTreeMap, sync::OnceLock};

use amaters_proto::{
    FILE_DESCRIPTOR_SET,
    reflection::{
        ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
        ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    },
};
use bytes::Bytes;
use prost::Message;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet};

use crate::grpc::status::Code;

/// The files, and where each name is defined.
struct Index {
    files: BTreeMap<String, (Bytes, Vec<String>)>,
    /// Full name → file.
    symbols: BTreeMap<String, String>,
    services: Vec<String>,
}

/// Answers one request of a reflection stream.
pub fn answer(request: ServerReflectionRequest) -> ServerReflectionResponse {
    let response = respond(&request);
    ServerReflectionResponse {
        valid_host: request.host.clone(),
        original_request: Some(request),
        message_response: Some(response),
    }
}

fn respond(request: &ServerReflectionRequest) -> MessageResponse {
    let index = index();
    match &request.message_request {
        Some(MessageRequest::ListServices(_)) => {
            let service = |name: &String| ServiceResponse { name: name.clone() };
            let service = index.services.iter().map(service).collect();
            MessageResponse::ListServicesResponse(ListServiceResponse { service })
        }
        Some(MessageRequest::FileByFilename(name)) => index.file(name),
        Some(MessageRequest::FileContainingSymbol(symbol)) => {
            match index.symbols.get(symbol.trim_start_matches('.')) {
                Some(file) => index.file(file),
                None => refusal(Code::NotFound, format!("symbol {symbol} is not known")),
            }
        }
        Some(MessageRequest::AllExtensionNumbersOfType(name)) => {
            if index.symbols.contains_key(name) {
                MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
                    base_type_name: name.clone(),
                    extension_number: Vec::new(),
                })
            } else {
                refusal(Code::NotFound, format!("type {name} is not known"))
            }
        }
        Some(MessageRequest::FileContainingExtension(extension)) => refusal(
            Code::NotFound,
            format!("extension {} is not known", extension.extension_number),
        ),
        None => refusal(Code::InvalidArgument, "the request asks for nothing".into()),
    }
}

fn refusal(code: Code, error_message: String) -> MessageResponse {
    MessageResponse::ErrorResponse(ErrorResponse { error_code: code as i32, error_message })
}

impl Index {
    /// A file with all that it imports, each file once.
    fn file(&self, name: &str) -> MessageResponse {
        let mut wanted = vec![name];
        let mut seen: Vec<&str> = Vec::new();
        let mut file_descriptor_proto = Vec::new();
        while let Some(name) = wanted.pop() {
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            match self.files.get(name) {
                Some((bytes, imports)) => {
                    file_descriptor_proto.push(bytes.clone());
                    wanted.extend(imports.iter().map(String::as_str));
                }
                None => return refusal(Code::NotFound, format!("file {name} is not known")),
            }
        }
        MessageResponse::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto })
    }

    fn add(&mut self, file: &FileDescriptorProto) {
        let name = file.name().to_owned();
        let encoded = Bytes::from(file.encode_to_vec());
        self.files.insert(name.clone(), (encoded, file.dependency.clone()));
        let scope = file.package().to_owned();
        self.add_messages(&name, &scope, &file.message_type);
        self.add_enums(&name, &scope, &file.enum_type);
        for service in &file.service {
            let service_name = format!("{scope}.{}", service.name());
            for method in &service.method {
                self.symbols.insert(format!("{service_name}.{}", method.name()), name.clone());
            }
            self.symbols.insert(service_name.clone(), name.clone());
            self.services.push(service_name);
        }
    }

    fn add_messages(&mut self, file: &str, scope: &str, messages: &[DescriptorProto]) {
        for message in messages {
            let name = format!("{scope}.{}", message.name());
            for field in &message.field {
                self.symbols.insert(format!("{name}.{}", field.name()), file.to_owned());
            }
            self.add_messages(file, &name, &message.nested_type);
            self.add_enums(file, &name, &message.enum_type);
            self.symbols.insert(name, file.to_owned());
        }
    }

    fn add_enums(&mut self, file: &str, scope: &str, enums: &[EnumDescriptorProto]) {
        for kind in enums {
            for value in &kind.value {
                self.symbols.insert(format!("{scope}.{}", value.name()), file.to_owned());
            }
            self.symbols.insert(format!("{scope}.{}", kind.name()), file.to_owned());
        }
    }
}

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut index =
            Index { files: BTreeMap::new(), symbols: BTreeMap::new(), services: Vec::new() };
        // The set is checked in beside the code that was made from it; a test reads it.
        let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap_or_default();
        set.file.iter().for_each(|file| index.add(file));
        index
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(request: MessageRequest) -> MessageResponse {
        let request = ServerReflectionRequest { host: "h".into(), message_request: Some(request) };
        answer(request).message_response.unwrap()
    }

    #[test]
    fn every_service_is_listed_and_found_with_its_imports() {
        let MessageResponse::ListServicesResponse(list) =
            ask(MessageRequest::ListServices(String::new()))
        else {
            panic!("no list");
        };
        let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
        for expected in [
            "amaters.aql.AqlService",
            "amaters.kv.v1.KvService",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        ] {
            assert!(names.iter().any(|name| name == expected), "{names:?}");
        }
        let found = ask(MessageRequest::FileContainingSymbol("amaters.aql.AqlService".into()));
        let MessageResponse::FileDescriptorResponse(files) = found else { panic!("{found:?}") };
        assert_eq!(files.file_descriptor_proto.len(), 4, "aql and its three imports");
    }

    #[test]
    fn what_is_not_known_is_said_to_be_so() {
        for request in [
            MessageRequest::FileByFilename("nothing.proto".into()),
            MessageRequest::FileContainingSymbol("nothing".into()),
            MessageRequest::AllExtensionNumbersOfType("nothing".into()),
        ] {
            assert!(matches!(ask(request), MessageResponse::ErrorResponse(_)));
        }
    }
}
