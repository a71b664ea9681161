//! Ordered sources as one: the keys of all, each with the change of the newest source that has it.

use std::iter::Peekable;

use super::{entry::Change, key::Key};

/// A merge of layers.
#[derive(Default)]
pub(super) struct Layers<'a>(Vec<Peekable<Layer<'a>>>);

type Layer<'a> = Box<dyn Iterator<Item = (&'a Key, &'a Change)> + 'a>;

impl<'a> Layers<'a> {
    /// Puts a layer below those that are there; its keys must ascend.
    pub(super) fn push(&mut self, layer: impl Iterator<Item = (&'a Key, &'a Change)> + 'a) {
        let layer: Layer<'a> = Box::new(layer);
        self.0.push(layer.peekable());
    }
}

impl<'a> Iterator for Layers<'a> {
    type Item = (&'a Key, &'a Change);

    fn next(&mut self) -> Option<Self::Item> {
        let mut first: Option<(usize, &'a Key)> = None;
        for (index, layer) in self.0.iter_mut().enumerate() {
            let Some((key, _)) = layer.peek() else { continue };
            match first {
                Some((_, smallest)) if *key > smallest => {}
                // An older change of the same key.
                Some((_, smallest)) if *key == smallest => {
                    layer.next();
                }
                _ => first = Some((index, key)),
            }
        }
        self.0[first?.0].next()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::storage::{Meta, Value};

    #[test]
    fn the_newest_layer_counts_and_a_tombstone_is_shown_as_one() {
        let change = |byte: u8| {
            let data = Bytes::copy_from_slice(&[byte]);
            Change::Inline(Value { data, meta: Meta::default() })
        };
        let keys: Vec<Key> = (0..4u8).map(|key| Key::new(&[key])).collect();
        let (old, middle, new) = (change(1), change(2), change(3));
        let mut layers = Layers::default();
        layers.push([(&keys[2], &new), (&keys[3], &new)].into_iter());
        layers.push([(&keys[1], &Change::Tombstone), (&keys[3], &middle)].into_iter());
        layers.push(keys[..3].iter().map(|key| (key, &old)));
        let merged: Vec<_> = layers.collect();
        let expected =
            [(&keys[0], &old), (&keys[1], &Change::Tombstone), (&keys[2], &new), (&keys[3], &new)];
        assert_eq!(merged, expected);
    }
}
