//! Header compression (RFC 7541), as much of it as a load generator needs.
//!
//! Sending: the first request of a connection puts its fields into the server's dynamic table, all
//! later ones refer to them with one byte each. Real gRPC clients do the same, so the server under
//! test is asked for the work that it will do in production.
//!
//! Receiving: of an answer only `:status` and `grpc-status` matter; every other field keeps just
//! its size, which the table needs for eviction.

use std::collections::VecDeque;

mod huffman;

/// Entries of the static table come before those of the dynamic one.
const STATIC_COUNT: usize = STATIC_NAMES.len();
/// Dynamic table size before any setting (RFC 9113, section 6.5.2).
const TABLE_BYTES_DEFAULT: usize = 4096;
/// What an entry costs beyond its text (RFC 7541, section 4.1).
const ENTRY_BYTES: usize = 32;

/// Header blocks of a request that is sent over and over.
#[derive(Clone, Debug)]
pub struct RequestBlocks {
    /// For the first request of a connection: puts the fields into the dynamic table.
    pub first: Vec<u8>,
    /// For every later one.
    pub later: Vec<u8>,
}

impl RequestBlocks {
    /// Encodes `fields`, which begin with the pseudo-headers. If the peer keeps no dynamic table
    /// (`table` is false), every block is spelled out.
    pub fn new(fields: &[(&str, &str)], table: bool) -> Self {
        let mut blocks = Self { first: Vec::new(), later: Vec::new() };
        let inserted = fields.iter().filter(|field| static_pair(field).is_none()).count();
        let mut position = 0;
        for field in fields {
            if let Some(index) = static_pair(field) {
                put_integer(&mut blocks.first, 0x80, 7, index);
                put_integer(&mut blocks.later, 0x80, 7, index);
                continue;
            }
            if table {
                put_literal(&mut blocks.first, 0x40, 6, field);
                put_integer(&mut blocks.later, 0x80, 7, STATIC_COUNT + inserted - position);
            } else {
                put_literal(&mut blocks.first, 0x00, 4, field);
                put_literal(&mut blocks.later, 0x00, 4, field);
            }
            position += 1;
        }
        blocks
    }
}

/// Encodes fields without touching the dynamic table, for frames that are written by hand.
pub fn literal_block(fields: &[(&str, &str)]) -> Vec<u8> {
    RequestBlocks::new(fields, false).first
}

/// Static entries that a request may use whole.
fn static_pair((name, value): &(&str, &str)) -> Option<usize> {
    match (*name, *value) {
        (":method", "GET") => Some(2),
        (":method", "POST") => Some(3),
        (":path", "/") => Some(4),
        (":scheme", "http") => Some(6),
        _ => None,
    }
}

fn put_literal(out: &mut Vec<u8>, pattern: u8, bits: u32, (name, value): &(&str, &str)) {
    match STATIC_NAMES.iter().position(|known| known == name) {
        Some(position) => put_integer(out, pattern, bits, position + 1),
        None => {
            put_integer(out, pattern, bits, 0);
            put_text(out, name);
        }
    }
    put_text(out, value);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_integer(out, 0, 7, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn put_integer(out: &mut Vec<u8>, pattern: u8, bits: u32, value: usize) {
    let most = (1 << bits) - 1;
    if value < most {
        out.push(pattern | value as u8);
        return;
    }
    out.push(pattern | most as u8);
    let mut rest = value - most;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// What an answer's header block, or its trailers, said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heading {
    /// `:status`.
    pub status: Option<u16>,
    /// `grpc-status`.
    pub grpc_status: Option<u16>,
}

/// The names that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Status,
    GrpcStatus,
    Other,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    name: Name,
    name_bytes: usize,
    value_bytes: usize,
    number: u16,
}

/// Decodes the header blocks of one connection, in order.
#[derive(Debug)]
pub struct Decoder {
    table: VecDeque<Field>,
    table_bytes: usize,
    table_bytes_max: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { table: VecDeque::new(), table_bytes: 0, table_bytes_max: TABLE_BYTES_DEFAULT }
    }
}

impl Decoder {
    /// Reads one block; `None` if it makes no sense.
    pub fn decode(&mut self, block: &[u8]) -> Option<Heading> {
        let mut heading = Heading::default();
        let mut input = Input { bytes: block };
        while let Some(first) = input.peek() {
            let field = match first {
                0x80.. => self.entry(input.integer(7)?)?,
                0x40..0x80 => {
                    let field = self.literal(&mut input, 6)?;
                    self.insert(field);
                    field
                }
                0x20..0x40 => {
                    self.resize(input.integer(5)?);
                    continue;
                }
                _ => self.literal(&mut input, 4)?,
            };
            match field.name {
                Name::Status => heading.status = Some(field.number),
                Name::GrpcStatus => heading.grpc_status = Some(field.number),
                Name::Other => {}
            }
        }
        Some(heading)
    }

    fn literal(&self, input: &mut Input<'_>, bits: u32) -> Option<Field> {
        let (name, name_bytes) = match input.integer(bits)? {
            0 => {
                let name = input.text()?;
                (named(&name), name.len())
            }
            index => {
                let entry = self.entry(index)?;
                (entry.name, entry.name_bytes)
            }
        };
        let value = input.text()?;
        let number = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok());
        if name != Name::Other && number.is_none() {
            return None;
        }
        Some(Field { name, name_bytes, value_bytes: value.len(), number: number.unwrap_or(0) })
    }

    fn entry(&self, index: usize) -> Option<Field> {
        if index > STATIC_COUNT {
            return self.table.get(index - STATIC_COUNT - 1).copied();
        }
        let text = STATIC_NAMES.get(index.checked_sub(1)?)?;
        let number = match index {
            8..=14 => [200, 204, 206, 304, 400, 404, 500][index - 8],
            _ => 0,
        };
        Some(Field { name: named(text.as_bytes()), name_bytes: text.len(), value_bytes: 0, number })
    }

    fn insert(&mut self, field: Field) {
        self.table_bytes += field.name_bytes + field.value_bytes + ENTRY_BYTES;
        self.table.push_front(field);
        self.evict();
    }

    fn resize(&mut self, bytes: usize) {
        self.table_bytes_max = bytes.min(TABLE_BYTES_DEFAULT);
        self.evict();
    }

    fn evict(&mut self) {
        while self.table_bytes > self.table_bytes_max {
            let Some(last) = self.table.pop_back() else { return };
            self.table_bytes -= last.name_bytes + last.value_bytes + ENTRY_BYTES;
        }
    }
}

fn named(name: &[u8]) -> Name {
    match name {
        b":status" => Name::Status,
        b"grpc-status" => Name::GrpcStatus,
        _ => Name::Other,
    }
}

struct Input<'a> {
    bytes: &'a [u8],
}

impl Input<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn integer(&mut self, bits: u32) -> Option<usize> {
        let most = (1usize << bits) - 1;
        let mut value = usize::from(self.byte()?) & most;
        if value < most {
            return Some(value);
        }
        for shift in [0, 7, 14, 21] {
            let next = self.byte()?;
            value += usize::from(next & 0x7f) << shift;
            if next & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn text(&mut self) -> Option<Vec<u8>> {
        let coded = self.peek()? & 0x80 != 0;
        let length = self.integer(7)?;
        let (text, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        if coded { huffman::decode(text) } else { Some(text.to_vec()) }
    }
}

/// RFC 7541, appendix A, the names alone.
const STATIC_NAMES: [&str; 61] = [
    ":authority",
    ":method",
    ":method",
    ":path",
    ":path",
    ":scheme",
    ":scheme",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "accept",
    "access-control-allow-origin",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7541, appendix C.6.1: a first answer, Huffman coded.
    const FIRST_ANSWER: &[u8] = &[
        0x48, 0x82, 0x64, 0x02, 0x58, 0x85, 0xae, 0xc3, 0x77, 0x1a, 0x4b, 0x61, 0x96, 0xd0, 0x7a,
        0xbe, 0x94, 0x10, 0x54, 0xd4, 0x44, 0xa8, 0x20, 0x05, 0x95, 0x04, 0x0b, 0x81, 0x66, 0xe0,
        0x82, 0xa6, 0x2d, 0x1b, 0xff, 0x6e, 0x91, 0x9d, 0x29, 0xad, 0x17, 0x18, 0x63, 0xc7, 0x8f,
        0x0b, 0x97, 0xc8, 0xe9, 0xae, 0x82, 0xae, 0x43, 0xd3,
    ];

    #[test]
    fn a_huffman_coded_answer_gives_its_status_and_the_size_of_its_fields() {
        let mut decoder = Decoder::default();
        let heading = decoder.decode(FIRST_ANSWER).expect("the example of the RFC");
        assert_eq!(heading.status, Some(302));
        assert_eq!(decoder.table_bytes, 222);
    }

    #[test]
    fn trailers_are_found_again_in_the_dynamic_table() {
        let mut decoder = Decoder::default();
        let mut block = Vec::new();
        put_literal(&mut block, 0x40, 6, &("grpc-status", "13"));
        let expected = Heading { status: None, grpc_status: Some(13) };
        assert_eq!(decoder.decode(&block), Some(expected));
        assert_eq!(decoder.decode(&[0x80 | 62]), Some(expected));
        assert_eq!(decoder.decode(&[0x80 | 63]), None);
        assert_eq!(decoder.decode(&[0x20]), Some(Heading::default()));
        assert_eq!(decoder.decode(&[0x80 | 62]), None, "emptied by a table size of zero");
    }

    #[test]
    fn later_requests_refer_to_what_the_first_inserted() {
        let blocks = RequestBlocks::new(
            &[(":method", "POST"), (":scheme", "http"), (":path", "/a"), ("te", "trailers")],
            true,
        );
        assert_eq!(blocks.first[..5], [0x83, 0x86, 0x44, 2, b'/']);
        assert_eq!(blocks.later, [0x83, 0x86, 0x80 | 63, 0x80 | 62]);
    }
}
