//! Protobuf fields as they lie in a message, without a message being built.

/// The fields of a message, one after the other.
pub struct Fields<'a>(pub &'a [u8]);

/// What a field holds.
pub enum Wire<'a> {
    /// A varint.
    Number(u64),
    /// A text, bytes or a message.
    Bytes(&'a [u8]),
    /// Of four or eight bytes, or the border of a group: no message of ours has such a field.
    Other,
}

impl<'a> Fields<'a> {
    /// `Some(None)` at the end, `None` where the bytes are no field.
    #[expect(clippy::option_option, reason = "the outer level is this file's way of giving up")]
    pub fn next(&mut self) -> Option<Option<(u32, Wire<'a>)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let tag = u32::try_from(self.varint()?).ok()?;
        let wire = match tag & 7 {
            0 => Wire::Number(self.varint()?),
            1 => self.skip(8)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Wire::Bytes(bytes)
            }
            3 | 4 => Wire::Other,
            5 => self.skip(4)?,
            _ => return None,
        };
        (tag >> 3 != 0).then_some(Some((tag >> 3, wire)))
    }

    fn skip(&mut self, count: usize) -> Option<Wire<'a>> {
        self.0 = self.0.get(count..)?;
        Some(Wire::Other)
    }

    fn varint(&mut self) -> Option<u64> {
        const BYTES_MAX: usize = 10;

        let mut value = 0u64;
        for index in 0..BYTES_MAX {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            if index == BYTES_MAX - 1 && *byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}
