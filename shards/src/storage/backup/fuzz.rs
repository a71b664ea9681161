//! Damaged and forged files of backups, thrown at those who read them. Checksums and hashes are right in most.

#![expect(clippy::disallowed_methods, reason = "a test may block")]

use std::{fs, path::Path};

use amaters_fuzz::Campaign;
use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    chunk::{Binding, Draft, HEADER_BYTES, Header, Kept, KeptValue},
    digest::Digests,
    manifest::{DataFile, Manifest},
    meta::{BackupId, BackupMeta, Meta2, MetaFault, read_varint},
    stream::Stream,
    *,
};
use crate::storage::{disk::BLOCK_BYTES, value::Meta};

const ID: BackupId = BackupId([4; 16]);
const BINDING: Binding = Binding { backup: ID, shard: 2, file: 0 };

#[test]
fn fuzz_metas() {
    let full = Meta2 {
        keys: 300,
        bytes: 70_000,
        id: ID,
        parent: None,
        manifest_bytes: 1234,
        manifest_hash: [3; 32],
    };
    let incremental = Meta2 { keys: 1 << 40, parent: Some(BackupId([9; 16])), ..full.clone() };
    let seeds = vec![full.encode(), incremental.encode(), vec![1, 0xfb, 0x2c, 0x01, 9, 0]];
    let repair = |bytes: &mut Vec<u8>| {
        if let Some(body) = bytes.len().checked_sub(32).filter(|_| bytes[0] == 2) {
            let hash = Sha256::digest(&bytes[..body]);
            bytes[body..].copy_from_slice(&hash);
        }
    };
    Campaign::new("meta.bin", seeds).repair(|bytes| repair(bytes)).run(|bytes| {
        match BackupMeta::decode(bytes) {
            Ok(BackupMeta::Version1 { incremental, .. }) => Ok(u64::from(incremental)),
            Ok(BackupMeta::Version2(meta)) => {
                assert_eq!(meta.encode(), bytes, "there is one way to write a meta.bin");
                Ok(2 + u64::from(meta.parent.is_some()))
            }
            Err(MetaFault::Damaged(what)) => Err(what.to_owned()),
            Err(MetaFault::Version(version)) => Err(format!("version {version}")),
        }
    });
}

#[test]
fn fuzz_manifests() {
    let full = manifest::tests::manifest();
    let empty = Manifest { collections: vec![], files: vec![], ..full.clone() };
    let seeds = vec![full.encode(), empty.encode()];
    // Nothing in it is a checksum: meta.bin has its hash.
    Campaign::new("manifest.bin", seeds).run(|bytes| {
        let manifest = Manifest::decode(bytes).ok_or("it makes no sense")?;
        assert_eq!(manifest.encode(), bytes, "there is one way to write a manifest.bin");
        Ok(manifest.files.len() as u64 + u64::from((manifest.data_bytes() | 1).ilog2()))
    });
}

fn value(data: &[u8]) -> Kept {
    let meta = Meta { size: 3, compression: 1, checksum: 7, created_at: -5, version: Some(0) };
    let bytes = data.len() as u64;
    Kept::Value(KeptValue { sequence: 1 << 40, meta, bytes, hash: xxh3_64(data) })
}

/// The bytes of a chunk at a position.
fn chunk(collection: &str, entries: &[(&[u8], Kept, &[u8])], position: u64) -> Vec<u8> {
    let mut draft = Draft::new(collection.into());
    entries.iter().for_each(|(key, kept, data)| draft.push(key, kept, data));
    let header = draft.header(BINDING, position);
    let [heads, data] = draft.parts();
    [&header, heads, data].concat()
}

fn chunks() -> Vec<Vec<u8>> {
    let long = [7; 3000];
    let first: Vec<(&[u8], Kept, &[u8])> = vec![
        (b"", value(b"abc"), b"abc"),
        (b"k", Kept::Deleted, b""),
        (b"l", value(b""), b""),
        (b"m", value(&long), &long),
    ];
    let one = chunk("c", &first, 0);
    let two = chunk("d", &[(b"k", value(b"x"), b"x")], 0);
    let both = [one.clone(), chunk("c", &[(b"n", value(b"yz"), b"yz")], one.len() as u64)].concat();
    vec![one, two, both]
}

/// Makes the checksums right of every chunk whose lengths fit.
fn repair(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(rest) = bytes.get_mut(at..).filter(|rest| rest.len() >= HEADER_BYTES) {
        let number = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap()) as usize;
        let (heads_end, data_bytes) = (HEADER_BYTES + number(4), number(8));
        let end = heads_end + data_bytes;
        if rest.len() < end {
            return;
        }
        rest[..4].copy_from_slice(b"ACHK");
        rest[24..28].fill(0);
        for (place, part) in [(16, HEADER_BYTES..heads_end), (20, heads_end..end)] {
            let checksum = crc32fast::hash(&rest[part]);
            rest[place..place + 4].copy_from_slice(&checksum.to_le_bytes());
        }
        let checksum = chunk::checksum(BINDING, at as u64, &rest[..28]);
        rest[28..32].copy_from_slice(&checksum.to_le_bytes());
        at += end;
    }
}

#[test]
fn fuzz_chunks() {
    let mut seeds = chunks();
    seeds.pop();
    Campaign::new("chunks", seeds).repair(|bytes| repair(bytes)).run(|bytes| {
        let (header, body) = bytes.split_first_chunk().ok_or("too short")?;
        let read = Header::read(BINDING, 0, header)?;
        if read.length() != bytes.len() as u64 {
            return Err("another length".into());
        }
        let (heads, data) = body.split_at(read.heads_bytes as usize);
        let (collection, entries) = read.read_heads(heads)?;
        read.check_data(data)?;
        let (mut again, mut rest) = (Draft::new(collection.as_str().into()), data);
        for (key, kept) in &entries {
            let bytes = if let Kept::Value(value) = kept { value.bytes as usize } else { 0 };
            let (data, behind) = rest.split_at(bytes);
            again.push(key, kept, data);
            rest = behind;
        }
        let parts = [&again.header(BINDING, 0)[..], again.parts()[0], again.parts()[1]];
        assert_eq!(parts.concat(), bytes, "there is one way to write a chunk");
        Ok(entries.len() as u64)
    });
}

/// A folder with one file.
fn folder_with(dir: &Path, name: &str, bytes: &[u8]) -> Folder {
    fs::write(dir.join(name), bytes).unwrap();
    Folder::open(dir).unwrap()
}

/// Entries that the headers of a file count.
fn counted(mut bytes: &[u8]) -> u64 {
    let mut entries = 0u64;
    while bytes.len() >= HEADER_BYTES {
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        entries += u64::from(number(12));
        let length = HEADER_BYTES + number(4) as usize + number(8) as usize;
        bytes = bytes.get(length..).unwrap_or_default();
    }
    entries
}

#[test]
fn fuzz_data_files() {
    let dir = tempfile::tempdir().unwrap();
    let digests = Digests::default();
    let campaign = Campaign::new("data files", chunks()).repair(|bytes| repair(bytes));
    campaign.memory_max(|bytes| (1 << 20) + 16 * bytes).rounds(1000).run(|bytes| {
        let mut whole = bytes.to_vec();
        whole.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
        let about = DataFile {
            shard: BINDING.shard,
            number: BINDING.file,
            entries: counted(bytes),
            bytes: bytes.len() as u64,
            length: whole.len() as u64,
            hash: Sha256::digest(&whole).into(),
        };
        let folder = folder_with(dir.path(), &about.name(), &whole);
        let mut entries = Vec::new();
        for digests in [Some(digests.clone()), None] {
            let mut stream = Stream::new(folder.clone(), ID, vec![about.clone()], digests.clone());
            let mut found = Vec::new();
            let read = loop {
                match stream.next_entry() {
                    Ok(Some(entry)) => found.push((entry.collection, entry.key, entry.kept)),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error.to_string()),
                }
            };
            if digests.is_some() {
                read?;
                entries = found;
            } else {
                read.expect("who reads no data finds no more to refuse");
                assert_eq!(found, entries, "with data and without");
            }
        }
        Ok(entries.len() as u64)
    });
}

#[test]
fn fuzz_version_1_manifests() {
    let dir = tempfile::tempdir().unwrap();
    let short = [2, 2, b'a', b'b', 3, b'x', b'y', b'z', 0, 3, 0xff, 0x80, 1];
    let mut long = vec![0xfb, 3, 0];
    for key in [b"k1", b"k0", b"k1"] {
        long.push(2);
        long.extend_from_slice(key);
        long.extend_from_slice(&[0xfb, 0x2c, 1]);
        long.extend_from_slice(&[key[1]; 300]);
    }
    let campaign = Campaign::new("version 1", vec![short.to_vec(), long]);
    campaign.memory_max(|bytes| (1 << 20) + 64 * bytes).run(|bytes| {
        let (keys, _) = read_varint(bytes).ok_or("no count")?;
        let folder = folder_with(dir.path(), "manifest.bin", bytes);
        let rows = version_1::Rows::open(&folder, keys, "c");
        let mut rows = rows.map_err(|error| error.to_string())?;
        let (mut found, mut last) = (0, None);
        while let Some(entry) = rows.next_entry().map_err(|error| error.to_string())? {
            assert!(last.is_none_or(|last| last < entry.key), "keys of one part ascend");
            last = Some(entry.key);
            found += 1;
        }
        assert!(found <= keys);
        Ok(found)
    });
}
