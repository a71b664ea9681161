//! The static Huffman code of RFC 7541, appendix B, for text.
//!
//! The code is canonical: within a length, codes ascend with the symbols, and the first code of a
//! length follows the last of the length before. So the lengths alone are the table. Symbols of
//! more than 15 bits are no text (`\` is the one exception); a string that has them is refused.

/// Symbols of each length, ascending.
const SYMBOLS: [(u32, &[u8]); 10] = [
    (5, b"012aceiost"),
    (6, b" %-./3456789=A_bdfghlmnpru"),
    (7, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, b"&*,;XZ"),
    (10, b"!\"()?"),
    (11, b"'+|"),
    (12, b"#>"),
    (13, b"\0$@[]~"),
    (14, b"^}"),
    (15, b"<`{"),
];

/// Text of a Huffman-coded string; `None` if it is none.
pub(super) fn decode(coded: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(coded.len() * 2);
    let mut bits = 0u32;
    let mut bits_count = 0;
    for byte in coded {
        bits = bits << 8 | u32::from(*byte);
        bits_count += 8;
        while let Some((symbol, used)) = symbol(bits, bits_count) {
            text.push(symbol);
            bits_count -= used;
            bits &= (1 << bits_count) - 1;
        }
        if bits_count > 15 {
            return None;
        }
    }
    // What is left is padding: fewer than eight ones.
    (bits_count < 8 && bits == (1 << bits_count) - 1).then_some(text)
}

/// The symbol at the head of `bits`, of which the low `bits_count` are there.
fn symbol(bits: u32, bits_count: u32) -> Option<(u8, u32)> {
    let mut code = 0;
    let mut length_before = 0;
    for (length, symbols) in SYMBOLS {
        code <<= length - length_before;
        length_before = length;
        if bits_count < length {
            return None;
        }
        let index = (bits >> (bits_count - length)).wrapping_sub(code) as usize;
        if let Some(symbol) = symbols.get(index) {
            return Some((*symbol, length));
        }
        code += symbols.len() as u32;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lengths_leave_one_prefix_for_what_is_no_text() {
        let taken: u32 = SYMBOLS.iter().map(|(bits, all)| (all.len() as u32) << (15 - bits)).sum();
        assert_eq!(taken, (1 << 15) - 1);
    }

    #[test]
    fn an_example_of_the_rfc_decodes() {
        let coded = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(decode(&coded).as_deref(), Some(&b"www.example.com"[..]));
    }
}
