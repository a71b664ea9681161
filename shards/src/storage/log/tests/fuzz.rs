//! Segments that say what nobody wrote, under sound checksums: refused by name, or read; and what was read once reads the
//! same when the log has gone on.

use amaters_fuzz::Campaign;

use super::*;
use crate::storage::{
    disk::BLOCK_BYTES,
    header::Binding,
    log::{
        record::{Head, Kind},
        segment,
    },
    tests::machine::put_file,
};

fn binding(number: u64) -> Binding {
    Binding { directory_id: 7, shard: 3, number }
}

/// A segment whose records have these payloads; an empty one is a mark.
fn segment(number: u64, first: u64, payloads: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![0; BLOCK_BYTES];
    segment::write_header(&mut bytes, &FORMAT, binding(number), first);
    for (sequence, payload) in (first..).zip(payloads) {
        let position = bytes.len();
        let kind = if payload.is_empty() { Kind::Mark } else { Kind::Payload };
        let payload_bytes = payload.len();
        let head = Head { payload_bytes, sequence, synced_up_to: 4096, kind };
        bytes.resize(position + record_bytes(payload_bytes), 0);
        head.write(binding(number), position as u64, &mut bytes[position..], |place| {
            place.copy_from_slice(payload);
        });
    }
    bytes
}

fn seeds() -> Vec<Vec<u8>> {
    let mut torn = segment(1, 1, &[b"first", b"second"]);
    torn.extend([0; 100]);
    torn.extend(b"what a torn write leaves");
    vec![
        segment(1, 1, &[b"first", b"second", b"", b"third"]),
        segment(1, 1, &[&[7; 300], b"", b""]),
        segment(1, 1, &[]),
        torn,
    ]
}

/// What is read from the segment and, if there are, from others behind it.
fn read_with(bytes: &[u8], behind: &[(u64, Vec<u8>)], from: u64) -> Result<u64, String> {
    let disk = SimDisk::new(1);
    finish(disk.create_dir_all(DIR.as_ref())).unwrap();
    put_file(&disk, &super::super::path(&options(&disk), 1), bytes);
    for (number, bytes) in behind {
        put_file(&disk, &super::super::path(&options(&disk), *number), bytes);
    }
    finish(disk.sync_dir(DIR.as_ref())).unwrap();
    let (mut log, records) = open(&disk, from).map_err(|error| error.to_string())?;
    append(&mut log, &[b"one more".to_vec()]).unwrap();
    let (_, again) = open(&disk, from).expect("a log that was read is read again");
    assert_eq!(again.len(), records.len() + 1);
    assert!(records.iter().all(|(sequence, payload)| again.get(sequence) == Some(payload)));
    Ok(records.len() as u64)
}

fn campaign(name: &str) -> Campaign<'_> {
    Campaign::new(name, seeds())
        .repair(|bytes| segment::repair(bytes, binding(1)))
        // The disk holds the file twice, and a log that goes on makes room.
        .memory_max(|bytes| (8 << 20) + 16 * bytes)
        .rounds(1500)
}

#[test]
fn fuzz_last_segments() {
    campaign("last segments").run(|bytes| read_with(bytes, &[], 1));
}

#[test]
fn fuzz_segments_before_others() {
    let behind = [(2, segment(2, 4, &[b"in the next one"]))];
    let seeds = vec![segment(1, 1, &[b"first", b"second", b"third"])];
    Campaign::new("segments before others", seeds)
        .repair(|bytes| segment::repair(bytes, binding(1)))
        .memory_max(|bytes| (8 << 20) + 16 * bytes)
        .rounds(1500)
        .run(|bytes| read_with(bytes, &behind, 1));
}

/// Tables hold what comes before a record in the middle.
#[test]
fn fuzz_segments_of_which_the_end_is_needed() {
    campaign("segments of which the end is needed").run(|bytes| read_with(bytes, &[], 3));
}
