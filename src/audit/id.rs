//! Names of lines: unique in all processes, and in the order of the lines.
//!
//! ```text
//! 48 bits      4   12 bits     2   30 bits      32 bits
//! milliseconds 7   number      2   number       process         a UUID of version 7 (RFC 9562)
//! ```
//!
//! Always true: the milliseconds never go back, and the number counts the lines within one of them.

use std::io;

/// Makes ids.
#[derive(Debug)]
pub(super) struct Ids {
    millis: u64,
    number: u64,
    process: u32,
}

impl Ids {
    /// Of a new process.
    pub(super) fn new() -> io::Result<Self> {
        let process = getrandom::u32().map_err(io::Error::other)?;
        Ok(Self { millis: 0, number: 0, process })
    }

    /// The next one, at this time since 1970.
    pub(super) fn next(&mut self, unix_millis: u64) -> String {
        if unix_millis > self.millis {
            (self.millis, self.number) = (unix_millis, 0);
        } else {
            self.number += 1;
        }
        let (millis, number) = (self.millis & ((1 << 48) - 1), self.number);
        let (high, low) = (number >> 30 & 0xfff, number & ((1 << 30) - 1));
        format!(
            "{:08x}-{:04x}-7{high:03x}-{:04x}-{:04x}{:08x}",
            millis >> 16,
            millis & 0xffff,
            0x8000 | low >> 16,
            low & 0xffff,
            self.process
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_also_when_the_clock_stands_or_goes_back() {
        let mut ids = Ids { millis: 0, number: 0, process: 0xabcd_ef01 };
        let millis = 0x0196_b1e0_7fff;
        let mut made = vec![ids.next(millis)];
        assert_eq!(made[0], "0196b1e0-7fff-7000-8000-0000abcdef01");
        made.push(ids.next(millis));
        made.push(ids.next(millis - 5));
        assert_eq!(made[2], "0196b1e0-7fff-7000-8000-0002abcdef01");
        ids.number = (1 << 30) - 1;
        made.push(ids.next(millis));
        assert_eq!(made[3], "0196b1e0-7fff-7001-8000-0000abcdef01");
        made.push(ids.next(millis + 1));
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]), "{made:?}");
    }
}
