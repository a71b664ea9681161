//! The first and the last block of a table: whose it is, and where filter, index and properties lie.

use crate::storage::{
    disk::BLOCK_BYTES,
    header::{self, Binding, HEADER_BYTES, HeaderFault, number_u64},
};

const HEADER_MAGIC: [u8; 8] = *b"AMATSST\0";
const FOOTER_MAGIC: [u8; 8] = *b"AMATSSTF";
const VERSION: u32 = 1;

/// Bytes of the footer.
pub(super) const FOOTER_BYTES: u64 = BLOCK_BYTES as u64;

/// Where a sealed block lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) struct Span {
    pub(in crate::storage) offset: u64,
    pub(in crate::storage) bytes: u64,
}

/// Where the parts behind the data blocks lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) filter: Span,
    pub(super) index: Span,
    pub(super) properties: Span,
}

impl Span {
    /// The first byte behind it.
    pub(super) fn end(&self) -> Option<u64> {
        self.offset.checked_add(self.bytes)
    }
}

pub(super) fn write_header(block: &mut [u8], binding: Binding) {
    header::write(block, HEADER_MAGIC, VERSION, binding, |_| ());
}

pub(super) fn check_header(block: &[u8], binding: Binding) -> Result<(), HeaderFault> {
    header::read(block, HEADER_MAGIC, VERSION..=VERSION, binding).map(|_| ())
}

impl Footer {
    pub(super) fn write(&self, block: &mut [u8], binding: Binding) {
        header::write(block, FOOTER_MAGIC, VERSION, binding, |body| {
            let numbers = self.spans().into_iter().flat_map(|span| [span.offset, span.bytes]);
            for (place, number) in body.chunks_exact_mut(8).zip(numbers) {
                place.copy_from_slice(&number.to_le_bytes());
            }
        });
    }

    /// What the last block of a file of `file_bytes` says.
    pub(super) fn read(
        block: &[u8],
        binding: Binding,
        file_bytes: u64,
    ) -> Result<Self, HeaderFault> {
        let body = header::read(block, FOOTER_MAGIC, VERSION..=VERSION, binding)?;
        let span =
            |at: usize| Span { offset: number_u64(body, at), bytes: number_u64(body, at + 8) };
        let footer = Self { filter: span(0), index: span(16), properties: span(32) };
        if footer.fits(file_bytes) { Ok(footer) } else { Err(HeaderFault::Damaged) }
    }

    fn fits(&self, file_bytes: u64) -> bool {
        self.filter.offset >= HEADER_BYTES
            && self.filter.end() == Some(self.index.offset)
            && self.index.end() == Some(self.properties.offset)
            && self
                .properties
                .end()
                .is_some_and(|end| end <= file_bytes.saturating_sub(FOOTER_BYTES))
    }

    fn spans(&self) -> [Span; 3] {
        [self.filter, self.index, self.properties]
    }
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;

    use super::*;

    const BINDING: Binding = Binding { directory_id: 77, shard: 3, number: 5 };
    const FOOTER: Footer = Footer {
        filter: Span { offset: 5000, bytes: 100 },
        index: Span { offset: 5100, bytes: 50 },
        properties: Span { offset: 5150, bytes: 70 },
    };

    fn block(footer: Footer) -> Vec<u8> {
        let mut block = vec![0xaa; BLOCK_BYTES];
        footer.write(&mut block, BINDING);
        block
    }

    #[test]
    fn a_footer_comes_back_from_a_file_long_enough() {
        assert_eq!(Footer::read(&block(FOOTER), BINDING, 12_288), Ok(FOOTER));
        assert_eq!(Footer::read(&block(FOOTER), BINDING, 5220 + 4096), Ok(FOOTER));
        assert_eq!(Footer::read(&block(FOOTER), BINDING, 5219 + 4096), Err(HeaderFault::Damaged));
    }

    #[test]
    fn places_that_cannot_be_are_refused() {
        let mut gap = FOOTER;
        gap.index.offset += 1;
        let mut early = FOOTER;
        early.filter = Span { offset: 4000, bytes: 1100 };
        let mut endless = FOOTER;
        endless.properties.bytes = u64::MAX - 5150;
        for footer in [gap, early, endless] {
            let read = Footer::read(&block(footer), BINDING, u64::MAX);
            assert_eq!(read, Err(HeaderFault::Damaged), "{footer:?}");
        }
    }

    #[test]
    fn fuzz_footers() {
        let campaign =
            Campaign::new("footers", vec![block(FOOTER)]).repair(|block| header::repair(block));
        campaign.run(|bytes| match Footer::read(bytes, BINDING, 12_288) {
            Ok(footer) => {
                let end = footer.properties.end().unwrap();
                assert!(footer.filter.offset >= HEADER_BYTES && end <= 12_288 - FOOTER_BYTES);
                Ok(footer.filter.offset % 16)
            }
            Err(fault) => Err(format!("{fault:?}")),
        });
    }

    #[test]
    fn header_and_footer_are_not_taken_for_each_other() {
        let mut header = vec![0; BLOCK_BYTES];
        write_header(&mut header, BINDING);
        assert_eq!(check_header(&header, BINDING), Ok(()));
        assert_eq!(check_header(&block(FOOTER), BINDING), Err(HeaderFault::Damaged));
        assert_eq!(Footer::read(&header, BINDING, 12_288), Err(HeaderFault::Damaged));
    }
}
