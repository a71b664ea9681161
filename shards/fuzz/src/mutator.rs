//! What is done to bytes: a little damage, as disks and networks do it, and lies about lengths, as enemies tell them.

use crate::dice::Dice;

/// Most changes of one input; one is the most likely count.
const CHANGES_MAX: usize = 6;
/// Longest piece that is put in, taken out or written over.
const PIECE_BYTES_MAX: usize = 64;

/// Makes new inputs of others.
#[derive(Debug)]
pub(crate) struct Mutator {
    pub(crate) dice: Dice,
    /// Inputs never become longer.
    pub(crate) bytes_max: usize,
}

impl Mutator {
    /// Changes `bytes`; `other` is another input that it may take from.
    pub(crate) fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..CHANGES_MAX {
            self.change(bytes, other);
            if self.dice.one_in(2) {
                break;
            }
        }
        bytes.truncate(self.bytes_max);
    }

    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        if bytes.is_empty() {
            return self.insert(bytes, other);
        }
        let at = self.dice.below(bytes.len());
        match self.dice.below(16) {
            0..=2 => bytes[at] ^= 1 << self.dice.below(8),
            3 => bytes[at] = self.dice.throw() as u8,
            4 => {
                let steps = self.dice.below(9) as u8;
                bytes[at] = bytes[at].wrapping_add(steps).wrapping_sub(4);
            }
            5..=8 => self.put_number(bytes, at),
            9 => self.put_varint(bytes, at),
            10 => bytes.truncate(at),
            11 => self.insert(bytes, other),
            12 => {
                let end = self.end_of_piece(at, bytes.len());
                bytes.drain(at..end);
            }
            13 => self.write_over(bytes, at, other),
            14 => {
                // A piece of it once more, somewhere else.
                let end = self.end_of_piece(at, bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = self.dice.below(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            _ => {
                let from = self.dice.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }

    /// A number that lengths and counts are wrong by.
    fn number(&mut self, bytes: usize) -> u64 {
        let near = [0, bytes as u64, 1 << 7, 1 << 8, 1 << 14, 1 << 16, 1 << 31, 1 << 32, 1 << 63];
        match self.dice.below(4) {
            0 => self.dice.throw() >> self.dice.below(64),
            1 => self.dice.below(bytes + 1) as u64,
            _ => {
                let near = *self.dice.any_of(&near);
                near.wrapping_add(self.dice.below(5) as u64).wrapping_sub(2)
            }
        }
    }

    /// Writes a number where one may be: of 2, 4 or 8 bytes, mostly at a multiple of 4.
    fn put_number(&mut self, bytes: &mut [u8], at: usize) {
        let length = *self.dice.any_of(&[2, 4, 4, 4, 8, 8]);
        let at = if self.dice.one_in(4) { at } else { at - at % 4 };
        let Some(place) = bytes.get_mut(at..at + length) else { return };
        let mut old = [0; 8];
        old[..length].copy_from_slice(place);
        let number = match self.dice.below(3) {
            0 => u64::from_le_bytes(old).wrapping_add(self.dice.below(17) as u64).wrapping_sub(8),
            _ => self.number(place.len()),
        };
        let little = number.to_le_bytes();
        place.copy_from_slice(&little[..length]);
        if self.dice.one_in(4) {
            place.reverse();
        }
    }

    /// Writes a number of seven bits a byte in place of one byte.
    fn put_varint(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let mut number = self.number(bytes.len());
        let mut varint = Vec::new();
        while number >= 0x80 {
            varint.push(number as u8 | 0x80);
            number >>= 7;
        }
        varint.push(number as u8);
        bytes.splice(at..=at, varint);
    }

    fn insert(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.dice.below(bytes.len() + 1);
        let piece = self.piece(other);
        bytes.splice(at..at, piece);
    }

    fn write_over(&mut self, bytes: &mut [u8], at: usize, other: &[u8]) {
        for (place, byte) in bytes[at..].iter_mut().zip(self.piece(other)) {
            *place = byte;
        }
    }

    /// Noise, one byte again and again, or what another input has somewhere.
    fn piece(&mut self, other: &[u8]) -> Vec<u8> {
        let length = 1 + self.dice.below(PIECE_BYTES_MAX);
        match self.dice.below(3) {
            0 => (0..length).map(|_| self.dice.throw() as u8).collect(),
            1 => vec![*self.dice.any_of(&[0, 0, 0xff, 0x80, 0x7f, b'a']); length],
            _ => {
                let from = self.dice.below(other.len() + 1);
                other[from..].iter().copied().take(length).collect()
            }
        }
    }

    fn end_of_piece(&mut self, at: usize, length: usize) -> usize {
        let bytes = if self.dice.one_in(4) { length } else { PIECE_BYTES_MAX };
        length.min(at + 1 + self.dice.below(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutants(count: usize, bytes_max: usize) -> Vec<Vec<u8>> {
        let mut mutator = Mutator { dice: Dice::new(3), bytes_max };
        let one = |_| {
            let mut bytes = vec![7; 100];
            mutator.mutate(&mut bytes, &[9; 50]);
            bytes
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn inputs_change_in_length_and_content_within_the_bound() {
        let mutants = mutants(2000, 120);
        let count =
            |is: &dyn Fn(&Vec<u8>) -> bool| mutants.iter().filter(|bytes| is(bytes)).count();
        assert_eq!(count(&|bytes| bytes.len() > 120), 0);
        assert!(count(&|bytes| bytes.len() > 100) > 100);
        assert!(count(&|bytes| bytes.len() < 100) > 100);
        assert!(count(&|bytes| bytes.len() == 100 && **bytes != [7; 100]) > 100);
        assert!(count(&|bytes| bytes.contains(&9)) > 50, "something of the other");
        assert!(count(&|bytes| bytes.windows(4).any(|four| four == u32::MAX.to_le_bytes())) > 5);
    }

    #[test]
    fn the_same_seed_gives_the_same_inputs() {
        assert_eq!(mutants(100, 200), mutants(100, 200));
    }
}
