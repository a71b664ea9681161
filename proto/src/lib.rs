//! Messages of the wire: AmateRS protocol 0.2, gRPC health, gRPC reflection.
//!
//! The `.proto` files beside this crate's `Cargo.toml` are the contract; `src/generated/` is what
//! prost makes of them, checked in so that a build needs neither `protoc` nor a build script.
//! `tests/generated.rs` makes it again and fails on a difference; `UPDATE=1` writes the new text.
//!
//! Byte fields are [`bytes::Bytes`]: decoding from `Bytes` slices the request, it does not copy.

#![allow(missing_docs, reason = "generated items carry what comments the .proto files have")]

/// Values and predicates (`types.proto`).
pub mod types {
    include!("generated/amaters.types.rs");
}

/// Queries and results (`query.proto`).
#[expect(clippy::module_inception, reason = "prost names the oneof's module after the message")]
pub mod query {
    include!("generated/amaters.query.rs");
}

/// In-band errors (`errors.proto`).
pub mod errors {
    include!("generated/amaters.errors.rs");
}

/// The query service (`aql.proto`).
pub mod aql {
    include!("generated/amaters.aql.rs");
}

/// Conditional writes (`kv.proto`).
pub mod kv {
    /// Its first version.
    pub mod v1 {
        include!("generated/amaters.kv.v1.rs");
    }
}

/// What operators do (`admin.proto`).
pub mod admin {
    /// Its first version.
    pub mod v1 {
        include!("generated/amaters.admin.v1.rs");
    }
}

/// `grpc.health.v1`.
pub mod health {
    include!("generated/grpc.health.v1.rs");
}

/// `grpc.reflection.v1`; `v1alpha` has the same messages under another package.
pub mod reflection {
    include!("generated/grpc.reflection.v1.rs");
}

/// Every file above as an encoded `google.protobuf.FileDescriptorSet`, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/descriptors.bin");
