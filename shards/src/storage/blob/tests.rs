//! Blob files that say what nobody wrote, under sound checksums: a walk ends, and values are what their heads say or are
//! refused.

use std::{path::Path, rc::Rc};

use amaters_fuzz::Campaign;
use xxhash_rust::xxh3::xxh3_64;

use super::{BlobFile, Head, Placing, Walk, blocks, head, path, write_header};
use crate::storage::{
    disk::{BLOCK_BYTES, sim::SimDisk},
    header::{self, Binding, HEADER_BYTES},
    tests::machine::{finish, put_file},
};

const DIR: &str = "/data/shard-0000";
const BINDING: Binding = Binding { directory_id: 7, shard: 0, number: 3 };

/// A file of groups of values.
fn written(groups: &[&[&[u8]]]) -> Vec<u8> {
    let mut bytes = vec![0; BLOCK_BYTES];
    write_header(&mut bytes, BINDING);
    let mut placing = Placing { file: 3, position: HEADER_BYTES };
    for group in groups {
        for data in *group {
            let (bytes_of_data, hash) = (data.len() as u32, xxh3_64(data));
            let head =
                Head { collection: "coll", key: b"key", sequence: 1, bytes: bytes_of_data, hash };
            let position = placing.position as usize;
            let blob = placing.place(&head);
            bytes.resize(position, 0);
            bytes.resize(blob.offset as usize, 0);
            head.write(BINDING, position as u64, &mut bytes[position..]);
            bytes.extend_from_slice(data);
        }
        placing.position = blocks(placing.position);
    }
    bytes.resize(blocks(bytes.len() as u64) as usize, 0);
    bytes
}

/// Heads, one behind the other as their lengths say, and behind each border of blocks.
fn repair(bytes: &mut [u8]) {
    let Some((block, _)) = bytes.split_at_mut_checked(BLOCK_BYTES) else { return };
    header::repair(block);
    let mut position = BLOCK_BYTES;
    while position < bytes.len() {
        let length = head::repair(&mut bytes[position..], BINDING, position as u64);
        let found = Head::read(BINDING, position as u64, &bytes[position..]);
        position = match (length, found) {
            (Some(length), Some(head)) => {
                (position + length).saturating_add(head.bytes as usize).next_multiple_of(8)
            }
            _ => blocks(position as u64 + 1) as usize,
        };
    }
}

#[test]
fn fuzz_blob_files() {
    let (short, long) = (&b"ciphertext"[..], &[7; 5000][..]);
    let seeds = vec![
        written(&[&[short, long], &[short]]),
        written(&[&[short], &[short], &[&[]]]),
        written(&[]),
    ];
    let place = path(Path::new(DIR), 3);
    Campaign::new("blob files", seeds)
        .repair(|bytes| repair(bytes))
        .memory_max(|bytes| (1 << 20) + 16 * bytes)
        .rounds(1000)
        .run(|bytes| {
            let disk = SimDisk::new(1);
            put_file(&disk, &place, bytes);
            let opened = finish(BlobFile::open(&disk, Path::new(DIR), BINDING));
            let file = Rc::new(opened.map_err(|error| error.to_string())?);
            let mut walk = finish(Walk::begin(Rc::clone(&file))).unwrap();
            let mut values = 0;
            while let Some(found) = finish(walk.next()).unwrap() {
                if let Ok(data) = finish(file.read(found.blob)) {
                    assert_eq!(xxh3_64(&data), found.blob.hash);
                    values += 1;
                }
            }
            Ok(values)
        });
}
