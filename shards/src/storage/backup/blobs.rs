//! Reads the large values of many rows at once: those that lie near each other with one call, and several calls are under way.
//! So it does not matter in which order keys were written.

use std::{collections::HashMap, path::PathBuf, rc::Rc};

use bytes::Bytes;
use futures_util::{TryFutureExt as _, future::try_join_all};

use super::cut::Sources;
use crate::storage::{StorageError, blob::BlobFile, disk::Disk, entry::BlobRef, header::Binding};

/// Files that are open at once.
const FILES_MAX: usize = 64;
/// Bytes of a call that reads more than one value.
const CALL_BYTES_MAX: u64 = 1024 * 1024;

/// The blob files that were read from.
pub(super) struct Blobs {
    disk: Rc<dyn Disk>,
    dir: PathBuf,
    binding: Binding,
    open: HashMap<u64, Rc<BlobFile>>,
}

impl Blobs {
    pub(super) fn new(disk: Rc<dyn Disk>, sources: &Sources) -> Self {
        let binding =
            Binding { directory_id: sources.directory_id, shard: sources.shard, number: 0 };
        Self { disk, dir: sources.dir.clone(), binding, open: HashMap::new() }
    }

    /// The values, checked, in the order in which they were asked for.
    pub(super) async fn read(&mut self, wanted: &[BlobRef]) -> Result<Vec<Bytes>, StorageError> {
        let mut order: Vec<usize> = (0..wanted.len()).collect();
        order.sort_unstable_by_key(|index| (wanted[*index].file, wanted[*index].offset));
        let mut found = vec![Bytes::new(); wanted.len()];
        let mut calls = Vec::new();
        for near in order.chunk_by(|one, next| wanted[*one].file == wanted[*next].file) {
            let number = wanted[near[0]].file;
            if self.open.len() >= FILES_MAX && !self.open.contains_key(&number) {
                put(&mut found, try_join_all(calls.drain(..)).await?);
                self.close().await;
            }
            let file = self.file(number).await?;
            for part in parts(near, wanted) {
                let (file, refs) = (Rc::clone(&file), part.iter().map(|index| wanted[*index]));
                let refs: Vec<BlobRef> = refs.collect();
                let read = async move { file.read_near(&refs).await };
                calls.push(read.map_ok(move |values| (part, values)));
            }
        }
        put(&mut found, try_join_all(calls).await?);
        Ok(found)
    }

    async fn file(&mut self, number: u64) -> Result<Rc<BlobFile>, StorageError> {
        if let Some(file) = self.open.get(&number) {
            return Ok(Rc::clone(file));
        }
        let binding = Binding { number, ..self.binding };
        let file = Rc::new(BlobFile::open(&*self.disk, &self.dir, binding).await?);
        self.open.insert(number, Rc::clone(&file));
        Ok(file)
    }

    pub(super) async fn close(&mut self) {
        for (_, file) in self.open.drain() {
            file.close().await;
        }
    }
}

fn put(found: &mut [Bytes], read: Vec<(&[usize], Vec<Bytes>)>) {
    for (part, values) in read {
        for (index, value) in part.iter().zip(values) {
            found[*index] = value;
        }
    }
}

/// Cuts values of one file, in its order, into those that are read together: what lies between two of them is never more
/// than the second.
fn parts<'a>(near: &'a [usize], wanted: &[BlobRef]) -> Vec<&'a [usize]> {
    let end = |index: usize| wanted[index].offset + u64::from(wanted[index].bytes);
    let (mut parts, mut begun) = (Vec::new(), 0);
    for at in 1..=near.len() {
        let goes_on = at < near.len() && {
            let (first, next) = (wanted[near[begun]], wanted[near[at]]);
            let gap = next.offset.saturating_sub(end(near[at - 1]));
            gap <= u64::from(next.bytes) && end(near[at]) - first.offset <= CALL_BYTES_MAX
        };
        if !goes_on {
            parts.push(&near[begun..at]);
            begun = at;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(file: u64, offset: u64, bytes: u32) -> BlobRef {
        BlobRef { file, offset, bytes, hash: 0 }
    }

    #[test]
    fn values_that_lie_near_each_other_are_read_together() {
        let wanted = [
            blob(1, 0, 4000),
            blob(1, 8000, 4000),
            blob(1, 16_001, 4000),
            blob(1, 20_001, 1 << 20),
            blob(1, (1 << 20) + 20_001, 100),
        ];
        let near: Vec<usize> = (0..wanted.len()).collect();
        let lengths: Vec<usize> = parts(&near, &wanted).iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [2, 1, 1, 1], "a gap that is too long, and calls that would be");
    }
}
