//! The checked-in code is what the `.proto` files say.

use std::{collections::BTreeMap, fs, path::Path};

use prost::Message as _;

const FILES: [&str; 9] = [
    "types.proto",
    "query.proto",
    "errors.proto",
    "aql.proto",
    "kv.proto",
    "admin.proto",
    "grpc/health/v1/health.proto",
    "grpc/reflection/v1/reflection.proto",
    "grpc/reflection/v1alpha/reflection.proto",
];

/// v1alpha is served with the messages of v1, so its code is not kept.
const NOT_KEPT: &str = "grpc.reflection.v1alpha.rs";

fn generate(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let descriptors = protox::Compiler::new([root])
        .expect("the folder is readable")
        .include_source_info(true)
        .include_imports(true)
        .open_files(FILES)
        .expect("the .proto files are valid")
        .file_descriptor_set();
    let folder = tempfile::tempdir().expect("a temporary folder");
    tonic_prost_build::configure()
        .build_server(false)
        .bytes(".")
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        .emit_rerun_if_changed(false)
        .out_dir(folder.path())
        .compile_fds(descriptors.clone())
        .expect("prost accepts the descriptors");

    let mut bare = descriptors;
    for file in &mut bare.file {
        file.source_code_info = None;
    }
    let mut made = BTreeMap::from([("descriptors.bin".to_owned(), bare.encode_to_vec())]);
    for entry in fs::read_dir(folder.path()).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name != NOT_KEPT {
            made.insert(name, fs::read(&path).expect("a readable file"));
        }
    }
    made
}

#[test]
fn checked_in_code_is_what_the_proto_files_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kept = root.join("src/generated");
    let update = std::env::var_os("UPDATE").is_some();
    for (name, bytes) in generate(root) {
        let path = kept.join(&name);
        if update {
            fs::write(&path, &bytes).expect("src/generated is writable");
        }
        let have = fs::read(&path).unwrap_or_default();
        assert!(
            have == bytes,
            "src/generated/{name} differs from what the .proto files say; run the test with UPDATE=1"
        );
    }
}
