//! One record: the unit that is there or not.
//!
//! ```text
//!  0          4             8          16             24     25          32                 32+4n
//!  ├ header ──┼ payload ────┼ sequence ┼ synced_up_to ┼ kind ┼ 7 × zero ─┼ n × chunk CRC32 ┼ payload, zeros to × 8
//!  │ CRC32    │ len (bytes) │          │              │      │           │ n = ⌈len/16384⌉ │
//! ```
//!
//! The header CRC covers the table and is bound to directory, shard, segment and position: a record is valid at one
//! place only.

use crate::storage::header::{Binding, number_u32, number_u64};

/// Bytes before the chunk table.
pub(super) const HEAD_BYTES: usize = 32;
/// Records begin at multiples of this.
pub(super) const ALIGNMENT: u64 = 8;
/// Longest payload: far above the largest message, far below what a length of 32 bits and one write can carry.
pub(in crate::storage) const PAYLOAD_BYTES_MAX: usize = 1024 * 1024 * 1024;

const CHUNK_BYTES: usize = 16 * 1024;

const _: () = assert!(PAYLOAD_BYTES_MAX + PAYLOAD_BYTES_MAX / 4096 < i32::MAX as usize - 8192);

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something that happened, whole.
    Payload,
    /// Nothing; it vouches for what lies before it.
    Mark,
}

/// The fixed part of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) payload_bytes: usize,
    pub(super) sequence: u64,
    pub(super) synced_up_to: u64,
    pub(super) kind: Kind,
}

/// Bytes that a record with this payload takes in the file.
pub(in crate::storage) const fn record_bytes(payload_bytes: usize) -> usize {
    (HEAD_BYTES + table_bytes(payload_bytes) + payload_bytes).next_multiple_of(ALIGNMENT as usize)
}

pub(super) const fn table_bytes(payload_bytes: usize) -> usize {
    payload_bytes.div_ceil(CHUNK_BYTES) * 4
}

impl Head {
    /// Bytes of the whole record.
    pub(super) fn record_bytes(&self) -> u64 {
        record_bytes(self.payload_bytes) as u64
    }

    /// Writes the record into `out`, which has exactly its length; `fill` writes the payload.
    pub(super) fn write(
        &self,
        binding: Binding,
        position: u64,
        out: &mut [u8],
        fill: impl FnOnce(&mut [u8]),
    ) {
        debug_assert_eq!(out.len(), record_bytes(self.payload_bytes));
        debug_assert!(position.is_multiple_of(ALIGNMENT) && self.synced_up_to <= position);
        let table_end = HEAD_BYTES + table_bytes(self.payload_bytes);
        let (head, body) = out.split_at_mut(table_end);
        let (payload, padding) = body.split_at_mut(self.payload_bytes);
        fill(payload);
        padding.fill(0);
        head[4..8].copy_from_slice(&(self.payload_bytes as u32).to_le_bytes());
        head[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        head[16..24].copy_from_slice(&self.synced_up_to.to_le_bytes());
        head[24..32].copy_from_slice(&[self.kind.code(), 0, 0, 0, 0, 0, 0, 0]);
        for (place, chunk) in
            head[HEAD_BYTES..].chunks_exact_mut(4).zip(payload.chunks(CHUNK_BYTES))
        {
            place.copy_from_slice(&crc32fast::hash(chunk).to_le_bytes());
        }
        let checksum = checksum(binding, position, &head[4..]);
        head[..4].copy_from_slice(&checksum.to_le_bytes());
    }

    /// What the fixed part at `position` says, if it can be true; `room` is what the file has from there on. Nothing is
    /// checked by this but bounds: believe it after [`Head::verify`].
    pub(super) fn plausible(fixed: &[u8; HEAD_BYTES], position: u64, room: u64) -> Option<Self> {
        if fixed[25..] != [0; 7] {
            return None;
        }
        let head = Self {
            payload_bytes: number_u32(fixed, 4) as usize,
            sequence: number_u64(fixed, 8),
            synced_up_to: number_u64(fixed, 16),
            kind: Kind::from_code(fixed[24])?,
        };
        let sound = head.payload_bytes <= PAYLOAD_BYTES_MAX
            && head.record_bytes() <= room
            && head.synced_up_to <= position
            && (head.kind == Kind::Payload || head.payload_bytes == 0);
        sound.then_some(head)
    }

    /// Whether fixed part and table, as read from `position`, are what was written there.
    pub(super) fn verify(head_and_table: &[u8], binding: Binding, position: u64) -> bool {
        checksum(binding, position, &head_and_table[4..]) == number_u32(head_and_table, 0)
    }

    /// Whether the payload is what the table says.
    pub(super) fn verify_payload(table: &[u8], payload: &[u8]) -> bool {
        table.len() == table_bytes(payload.len())
            && payload
                .chunks(CHUNK_BYTES)
                .zip(table.chunks_exact(4))
                .all(|(chunk, place)| crc32fast::hash(chunk) == number_u32(place, 0))
    }
}

/// Bound to its place: a head is valid there only.
fn checksum(binding: Binding, position: u64, bytes: &[u8]) -> u32 {
    let mut place = [0; 28];
    place[..8].copy_from_slice(&binding.directory_id.to_le_bytes());
    place[8..12].copy_from_slice(&binding.shard.to_le_bytes());
    place[12..20].copy_from_slice(&binding.number.to_le_bytes());
    place[20..].copy_from_slice(&position.to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&place);
    hasher.update(bytes);
    hasher.finalize()
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Payload => 1,
            Self::Mark => 2,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Payload),
            2 => Some(Self::Mark),
            _ => None,
        }
    }
}

/// Makes the checksums of a record right again, if its head can be true; says how long it is.
#[cfg(test)]
pub(super) fn repair(bytes: &mut [u8], binding: Binding, position: u64) -> Option<u64> {
    let head = Head::plausible(bytes.first_chunk()?, position, bytes.len() as u64)?;
    let record = &mut bytes[..head.record_bytes() as usize];
    let start = HEAD_BYTES + table_bytes(head.payload_bytes);
    let payload = record[start..start + head.payload_bytes].to_vec();
    head.write(binding, position, record, |place| place.copy_from_slice(&payload));
    Some(head.record_bytes())
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;

    use super::*;

    const BINDING: Binding = Binding { directory_id: 1, shard: 2, number: 3 };

    fn written(payload: &[u8]) -> Vec<u8> {
        let kind = if payload.is_empty() { Kind::Mark } else { Kind::Payload };
        let head = Head { payload_bytes: payload.len(), sequence: 9, synced_up_to: 4096, kind };
        let mut out = vec![0xaa; record_bytes(payload.len())];
        head.write(BINDING, 8192, &mut out, |place| place.copy_from_slice(payload));
        out
    }

    /// The payload, if the record at `position` is valid.
    fn read(bytes: &[u8], binding: Binding, position: u64) -> Option<Vec<u8>> {
        let head = Head::plausible(bytes.first_chunk()?, position, bytes.len() as u64)?;
        let table_end = HEAD_BYTES + table_bytes(head.payload_bytes);
        let payload = &bytes[table_end..table_end + head.payload_bytes];
        let sound = Head::verify(&bytes[..table_end], binding, position)
            && Head::verify_payload(&bytes[HEAD_BYTES..table_end], payload);
        sound.then(|| payload.to_vec())
    }

    #[test]
    fn payloads_come_back_at_every_border() {
        for length in [0, 1, 7, 8, 16_383, 16_384, 16_385, 40_000] {
            let payload: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let bytes = written(&payload);
            assert_eq!(bytes.len() % 8, 0);
            assert_eq!(read(&bytes, BINDING, 8192), Some(payload), "{length}");
        }
    }

    #[test]
    fn one_flipped_byte_anywhere_before_the_padding_is_found() {
        let payload = vec![5; 20_001];
        let mut bytes = written(&payload);
        for at in 0..HEAD_BYTES + table_bytes(payload.len()) + payload.len() {
            bytes[at] ^= 0x01;
            assert_eq!(read(&bytes, BINDING, 8192), None, "{at}");
            bytes[at] ^= 0x01;
        }
    }

    #[test]
    fn a_record_is_valid_at_its_place_only() {
        let bytes = written(b"payload");
        assert!(read(&bytes, BINDING, 8192).is_some());
        assert!(read(&bytes, BINDING, 8200).is_none());
        assert!(read(&bytes, Binding { directory_id: 2, ..BINDING }, 8192).is_none());
        assert!(read(&bytes, Binding { shard: 3, ..BINDING }, 8192).is_none());
        assert!(read(&bytes, Binding { number: 4, ..BINDING }, 8192).is_none());
    }

    #[test]
    fn chunks_cannot_change_places() {
        let payload = [vec![1; CHUNK_BYTES], vec![2; CHUNK_BYTES]].concat();
        let mut bytes = written(&payload);
        let first = HEAD_BYTES + table_bytes(payload.len());
        bytes[first..].rotate_left(CHUNK_BYTES);
        assert_eq!(read(&bytes, BINDING, 8192), None);
        bytes[HEAD_BYTES..first].rotate_left(4);
        assert_eq!(read(&bytes, BINDING, 8192), None);
    }

    #[test]
    fn fuzz_records() {
        let seeds = [0, 1, 40, 16_390].map(|length| written(&vec![7; length]));
        let campaign = Campaign::new("records", seeds.to_vec()).repair(|bytes| {
            let _ = repair(bytes, BINDING, 8192);
        });
        campaign.run(|bytes| match read(bytes, BINDING, 8192) {
            Some(payload) => Ok(payload.len() as u64),
            None => Err("no record".to_owned()),
        });
    }

    #[test]
    fn zeros_are_no_record() {
        assert_eq!(Head::plausible(&[0; HEAD_BYTES], 8192, u64::MAX), None);
    }
}
