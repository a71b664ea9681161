//! Where one TLS record ends and the next begins, for bytes that come in any pieces.
//!
//! ```text
//!   type 8 │ version 16 │ length 16 │ body … │ next record
//! ```

/// Follows the heads of the records of one connection, from its first byte on.
#[derive(Debug, Default)]
pub struct Heads {
    head: [u8; Self::BYTES],
    head_bytes: usize,
    /// Bytes of the body that have not come.
    body_bytes: usize,
}

impl Heads {
    const BYTES: usize = 5;
    /// Shorter bodies have no room for the head of an HTTP/2 frame, a type and a tag.
    const BODY_BYTES_MIN: usize = 9 + 1 + 16;

    /// Looks at bytes; says how many short records began in them.
    pub fn pass(&mut self, mut bytes: &[u8]) -> u32 {
        let mut short = 0;
        while !bytes.is_empty() {
            let skipped = self.body_bytes.min(bytes.len());
            self.body_bytes -= skipped;
            bytes = &bytes[skipped..];
            let taken = (Self::BYTES - self.head_bytes).min(bytes.len());
            self.head[self.head_bytes..self.head_bytes + taken].copy_from_slice(&bytes[..taken]);
            self.head_bytes += taken;
            bytes = &bytes[taken..];
            if self.head_bytes == Self::BYTES {
                self.head_bytes = 0;
                self.body_bytes = usize::from(u16::from_be_bytes([self.head[3], self.head[4]]));
                short += u32::from(self.body_bytes < Self::BODY_BYTES_MIN);
            }
        }
        short
    }

    /// Whether the last record is not here whole.
    pub fn is_inside_record(&self) -> bool {
        self.head_bytes > 0 || self.body_bytes > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_followed_however_the_bytes_are_cut() {
        let record = |length: u16| {
            let [high, low] = length.to_be_bytes();
            let mut record = vec![23, 3, 3, high, low];
            record.resize(5 + usize::from(length), 0xaa);
            record
        };
        let all = [record(17), record(26), record(0), record(16_401), record(25)].concat();
        for size in [1, 4, 5, 6, 17, all.len()] {
            let mut heads = Heads::default();
            let short: u32 = all.chunks(size).map(|piece| heads.pass(piece)).sum();
            assert_eq!((short, heads.is_inside_record()), (3, false), "pieces of {size}");
            heads.pass(&all[..6]);
            assert!(heads.is_inside_record());
        }
    }
}
