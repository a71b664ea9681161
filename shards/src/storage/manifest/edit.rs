//! What became different from one version to the next, and its bytes.
//!
//! Writing and reading are pure. Reading takes no more memory than a small multiple of the bytes it is given, and believes
//! nothing but their form; whether an edit fits a version is for [`Version::apply`](crate::storage::version::Version) to say.

use std::rc::Rc;

use crate::{
    limits::COLLECTION_BYTES_MAX,
    storage::{
        entry::{CollectionId, Sequence},
        log::Coverage,
        table::TableMeta,
        varint,
    },
};

/// Levels that a version may have.
pub(in crate::storage) const LEVELS_MAX: usize = 32;

/// A step from one version to the next. Removals come before additions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::storage) struct Edit {
    pub(in crate::storage) tables_added: Vec<Addition>,
    /// File numbers.
    pub(in crate::storage) tables_removed: Vec<u64>,
    /// Files that are new or have grown.
    pub(in crate::storage) blobs: Vec<BlobBytes>,
    /// File numbers.
    pub(in crate::storage) blobs_removed: Vec<u64>,
    /// Bytes of data that no entry refers to any more, beyond those known before.
    pub(in crate::storage) garbage: Vec<BlobBytes>,
    /// Collections that have got their number.
    pub(in crate::storage) collections: Vec<(CollectionId, Rc<str>)>,
    /// All records up to this one are in tables.
    pub(in crate::storage) flushed_sequence: Option<Sequence>,
    /// The next file number that has never been used.
    pub(in crate::storage) file_number: Option<u64>,
    /// Which records are in the write-ahead log, beside those that are in tables.
    pub(in crate::storage) coverage: Option<Coverage>,
}

/// A table and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct Addition {
    pub(in crate::storage) level: u8,
    /// Number of the run.
    pub(in crate::storage) run: u64,
    pub(in crate::storage) meta: TableMeta,
}

/// So many bytes of data of a blob file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) struct BlobBytes {
    /// Number of the file.
    pub(in crate::storage) file: u64,
    pub(in crate::storage) bytes: u64,
}

const TABLE: u8 = 1;
const NO_TABLE: u8 = 2;
const BLOB: u8 = 3;
const NO_BLOB: u8 = 4;
const GARBAGE: u8 = 5;
const COLLECTION: u8 = 6;
const FLUSHED: u8 = 7;
const FILE_NUMBER: u8 = 8;
const COVERAGE: u8 = 9;

const _: () = assert!(COLLECTION_BYTES_MAX <= u8::MAX as usize, "its length is one byte");

impl Edit {
    /// Its bytes, as they are put into a record.
    pub(in crate::storage) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for Addition { level, run, meta } in &self.tables_added {
            out.extend_from_slice(&[TABLE, *level]);
            varint::push(*run, &mut out);
            meta.write(&mut out);
        }
        let mut numbers = |tag: u8, numbers: &[u64]| {
            out.push(tag);
            numbers.iter().for_each(|number| varint::push(*number, &mut out));
        };
        self.tables_removed.iter().for_each(|table| numbers(NO_TABLE, &[*table]));
        self.blobs.iter().for_each(|blob| numbers(BLOB, &[blob.file, blob.bytes]));
        self.blobs_removed.iter().for_each(|blob| numbers(NO_BLOB, &[*blob]));
        self.garbage.iter().for_each(|blob| numbers(GARBAGE, &[blob.file, blob.bytes]));
        for (id, name) in &self.collections {
            out.push(COLLECTION);
            varint::push(u64::from(id.number()), &mut out);
            debug_assert!(name.len() <= COLLECTION_BYTES_MAX);
            out.push(name.len() as u8);
            out.extend_from_slice(name.as_bytes());
        }
        let mut number = |tag: u8, number: u64| {
            out.push(tag);
            varint::push(number, &mut out);
        };
        self.flushed_sequence.into_iter().for_each(|sequence| number(FLUSHED, sequence));
        self.file_number.into_iter().for_each(|next| number(FILE_NUMBER, next));
        let end = self.coverage.map(|coverage| match coverage {
            Coverage::Whole => 0,
            Coverage::Before(end) => end,
        });
        end.into_iter().for_each(|end| number(COVERAGE, end));
        out
    }

    /// What `bytes` say; `None` if they are not an edit, whole and in the only form that is written.
    pub(in crate::storage) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut edit = Self::default();
        let mut last = TABLE;
        while let Some((&tag, rest)) = bytes.split_first() {
            if tag < last || (tag == last && matches!(tag, FLUSHED..=COVERAGE)) {
                return None;
            }
            last = tag;
            bytes = edit.read_item(tag, rest)?;
        }
        Some(edit)
    }

    fn read_item<'a>(&mut self, tag: u8, bytes: &'a [u8]) -> Option<&'a [u8]> {
        match tag {
            TABLE => {
                let (&level, bytes) = bytes.split_first()?;
                let (run, bytes) = varint::read(bytes)?;
                let (meta, bytes) = TableMeta::read(bytes)?;
                (usize::from(level) < LEVELS_MAX).then_some(())?;
                self.tables_added.push(Addition { level, run, meta });
                Some(bytes)
            }
            NO_TABLE => read_number(bytes, |number| self.tables_removed.push(number)),
            BLOB => read_blob_bytes(bytes, &mut self.blobs),
            NO_BLOB => read_number(bytes, |number| self.blobs_removed.push(number)),
            GARBAGE => read_blob_bytes(bytes, &mut self.garbage),
            COLLECTION => {
                let (number, bytes) = varint::read(bytes)?;
                let id = CollectionId::new(u32::try_from(number).ok()?)?;
                let (&length, bytes) = bytes.split_first()?;
                let (name, bytes) = bytes.split_at_checked(usize::from(length))?;
                self.collections.push((id, Rc::from(std::str::from_utf8(name).ok()?)));
                Some(bytes)
            }
            FLUSHED => read_number(bytes, |number| self.flushed_sequence = Some(number)),
            FILE_NUMBER => read_number(bytes, |number| self.file_number = Some(number)),
            COVERAGE => read_number(bytes, |end| {
                self.coverage =
                    Some(if end == 0 { Coverage::Whole } else { Coverage::Before(end) });
            }),
            _ => None,
        }
    }
}

fn read_number(bytes: &[u8], put: impl FnOnce(u64)) -> Option<&[u8]> {
    let (number, bytes) = varint::read(bytes)?;
    put(number);
    Some(bytes)
}

fn read_blob_bytes<'a>(bytes: &'a [u8], to: &mut Vec<BlobBytes>) -> Option<&'a [u8]> {
    let (file, bytes) = varint::read(bytes)?;
    let (length, bytes) = varint::read(bytes)?;
    to.push(BlobBytes { file, bytes: length });
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::storage::{table::BlobUse, version::Version};

    fn edit() -> Edit {
        let meta = TableMeta {
            number: 9,
            bytes: 12_288,
            entries: 3,
            tombstones: 1,
            blocks: 1,
            sequence_min: 4,
            sequence_max: 200,
            key_bytes: 30,
            data_bytes: 0,
            smallest: Bytes::from_static(&[0, 0, 0, 1, b'a']),
            largest: Bytes::from_static(&[0, 0, 0, 1, b'b']),
            blobs: vec![BlobUse { file: 3, bytes: 70_000 }],
        };
        let id = |number| CollectionId::new(number).unwrap();
        Edit {
            tables_added: vec![
                Addition { level: 0, run: 9, meta: meta.clone() },
                Addition { level: 31, run: u64::MAX, meta: TableMeta { number: 10, ..meta } },
            ],
            tables_removed: vec![1, u64::MAX],
            blobs: vec![BlobBytes { file: 3, bytes: 80_000 }, BlobBytes { file: 11, bytes: 0 }],
            blobs_removed: vec![2],
            garbage: vec![BlobBytes { file: 3, bytes: 5000 }],
            collections: vec![(id(1), Rc::from("")), (id(7), Rc::from("é".repeat(127)))],
            flushed_sequence: Some(200),
            file_number: Some(12),
            coverage: Some(Coverage::Before(201)),
        }
    }

    #[test]
    fn an_edit_comes_back_as_it_was() {
        let other = Edit { file_number: None, coverage: Some(Coverage::Whole), ..edit() };
        for edit in [edit(), Edit::default(), other] {
            assert_eq!(Edit::decode(&edit.encode()), Some(edit));
        }
        assert!(Edit::default().encode().is_empty());
    }

    #[test]
    fn an_edit_that_is_cut_within_an_item_is_refused() {
        let whole = edit();
        let bytes = whole.encode();
        let mut shorter = 0;
        for length in 0..bytes.len() {
            // Cut between items it is another edit: what is whole is for the record to say.
            if let Some(edit) = Edit::decode(&bytes[..length]) {
                assert_ne!(edit, whole);
                shorter += 1;
            }
        }
        assert_eq!(shorter, 2 + 2 + 2 + 1 + 1 + 2 + 1 + 1 + 1);
    }

    #[test]
    fn there_is_one_way_to_write_an_edit() {
        let swapped = [FILE_NUMBER, 5, FLUSHED, 4];
        let twice = [FLUSHED, 4, FLUSHED, 4];
        let unknown = [10, 1];
        for bytes in [&swapped[..], &twice, &unknown, &[0], &[COLLECTION, 0, 0]] {
            assert_eq!(Edit::decode(bytes), None, "{bytes:?}");
        }
        let mut deep = edit();
        deep.tables_added[1].level = 32;
        assert_eq!(Edit::decode(&deep.encode()), None);
    }

    /// An edit is taken or refused; what it makes of the versions before it is a version that can be written.
    #[test]
    fn fuzz_edits() {
        let first = Edit { tables_removed: vec![], blobs_removed: vec![], ..edit() };
        let first = Edit { garbage: vec![], file_number: Some(u64::MAX), ..first };
        let mut first = Edit { flushed_sequence: Some(300), ..first };
        first.tables_added[1].run = 8;
        let version = Version::default().apply(&first).unwrap();
        let second = Edit { tables_removed: vec![9], blobs_removed: vec![3], ..Edit::default() };
        let third = Edit { flushed_sequence: Some(400), ..Edit::default() };
        let seeds = [&first, &second, &third].map(Edit::encode);
        let mut fitting = 0;
        Campaign::new("edits", seeds.to_vec()).run(|bytes| {
            let edit = Edit::decode(bytes).ok_or("no edit")?;
            assert_eq!(edit.encode(), bytes, "there is one way to write an edit");
            for version in [&version, &Version::default()] {
                let Ok(next) = version.apply(&edit) else { continue };
                let snapshot = next.snapshot();
                let again = Version::default().apply(&snapshot).expect("it fits an empty version");
                assert_eq!(again.snapshot(), snapshot);
                fitting += 1;
            }
            Ok(edit.tables_added.len() as u64)
        });
        assert!(fitting > 100, "{fitting} edits fitted");
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_edit_of_that_very_form_or_none(
            bytes in prop::collection::vec(prop_oneof![0..12u8, any::<u8>()], 0..60),
        ) {
            if let Some(edit) = Edit::decode(&bytes) {
                prop_assert_eq!(edit.encode(), bytes);
            }
        }

        #[test]
        fn one_changed_byte_gives_an_edit_of_that_very_form_or_none(at in 0..500usize, mask in 1..=255u8) {
            let mut bytes = edit().encode();
            let at = at % bytes.len();
            bytes[at] ^= mask;
            if let Some(edit) = Edit::decode(&bytes) {
                prop_assert_eq!(edit.encode(), bytes);
            }
        }
    }
}
