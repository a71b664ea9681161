//! Numbers in one to ten bytes: seven bits a byte, lowest first, shortest form only.

/// Longest form of a 64-bit number.
const BYTES_MAX: usize = 10;

/// Bytes that `number` takes.
#[inline]
pub(super) fn length(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

/// Writes `number` at the start of `out` and gives what is left of `out`.
pub(super) fn write(mut number: u64, out: &mut [u8]) -> &mut [u8] {
    let mut length = 0;
    while number >= 0x80 {
        out[length] = number as u8 | 0x80;
        number >>= 7;
        length += 1;
    }
    out[length] = number as u8;
    &mut out[length + 1..]
}

/// Puts `number` behind what `out` holds.
pub(super) fn push(number: u64, out: &mut Vec<u8>) {
    let mut place = [0; BYTES_MAX];
    let length = BYTES_MAX - write(number, &mut place).len();
    out.extend_from_slice(&place[..length]);
}

/// Reads a number from the start of `bytes` and gives what is left of them.
#[inline]
pub(super) fn read(bytes: &[u8]) -> Option<(u64, &[u8])> {
    if let Some((&byte @ 0..0x80, rest)) = bytes.split_first() {
        return Some((u64::from(byte), rest));
    }
    read_longer(bytes)
}

fn read_longer(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0u64;
    for (index, &byte) in bytes.iter().enumerate().take(BYTES_MAX) {
        let bits = u64::from(byte & 0x7f);
        if (index == BYTES_MAX - 1 && bits > 1) || (index > 0 && byte == 0) {
            return None;
        }
        number |= bits << (7 * index);
        if byte < 0x80 {
            return Some((number, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_at_every_border() {
        for shift in 0..64 {
            for number in [(1u64 << shift) - 1, 1 << shift, u64::MAX >> shift] {
                let mut out = [0xaa; 12];
                let left = write(number, &mut out).len();
                assert_eq!(12 - left, length(number), "{number}");
                assert_eq!(read(&out[..12 - left]), Some((number, &[][..])), "{number}");
                assert_eq!(read(&out[..11 - left]), None, "cut short: {number}");
                let mut pushed = Vec::new();
                push(number, &mut pushed);
                assert_eq!(pushed, out[..12 - left]);
            }
        }
    }

    #[test]
    fn forms_that_are_too_long_are_refused() {
        assert_eq!(read(&[0x80, 0x00]), None);
        assert_eq!(read(&[0xff; 11]), None);
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]), None);
    }
}
