//! Every bound of the serving side, in one place; units last.
//!
//! What an operator may choose is a field of [`Limits`], with its default and its range; what the
//! wire or the design fixes is a constant. Each says what it costs to raise it.

use std::{ops::RangeInclusive, time::Duration};

/// Longest key. Keys live in memory whole, in the memtable and in every index.
pub const KEY_BYTES_MAX: usize = 64 * 1024;
/// Longest collection name; its length is one byte in the partition function and in the log.
pub const COLLECTION_BYTES_MAX: usize = 255;
/// Longest plain value that filters and updates look into; longer ones are ciphertexts.
pub const PLAIN_VALUE_BYTES_MAX: usize = 64;
/// Deepest nesting of a predicate; evaluation recurses.
pub const PREDICATE_DEPTH_MAX: usize = 32;
/// Most nodes of a predicate: each is looked at for each row.
pub const PREDICATE_NODES_MAX: usize = 256;
/// Most queries in one batch: they run in one step of a shard.
pub const BATCH_QUERIES_MAX: usize = 1024;
/// Bytes of all filters and updates of a request. They unpack to up to a hundred times as many; the largest that the bounds
/// above allow have less than a tenth of this.
pub const CONDITION_BYTES_MAX: usize = 1024 * 1024;
/// Most conditions of one batch, which are looked at in the same step as its queries.
pub const CONDITIONS_MAX: usize = 1024;
/// Bytes of the values that the conditions of one batch look at on a shard: they are held at once and hashed in one step,
/// which takes 25 ms where the processor knows SHA-256, and four times that where it does not (measured).
pub const CONDITION_DATA_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Rows that all ranges, filters and updates of one batch look at: they run in the same step, and
/// the largest predicate takes 40 ms for so many (measured).
pub const BATCH_ROWS_MAX: usize = 16 * 1024;
/// Rows that an update may change on one shard: they are applied in one step and one log record.
pub const UPDATE_ROWS_MAX: usize = 16 * 1024;
/// Operations of one update; each is applied to each row.
pub const UPDATE_STEPS_MAX: usize = 16;
/// Rows that one step of a scan looks at before other requests get their turn.
pub const SCAN_STEP_ROWS_MAX: usize = 1024;
/// Bytes that one step of a scan gathers: one chunk of a stream, far under the 4 MiB of clients.
pub const SCAN_STEP_BYTES_MAX: usize = 256 * 1024;
/// How long a scan is kept at one instant: what is overwritten meanwhile stays in memory for it, and files that were merged
/// stay on the disk.
pub const SNAPSHOT_LIFETIME: Duration = Duration::from_secs(60);
/// Bytes of a unary answer of many rows; existing clients refuse messages above 4 MiB.
pub const UNARY_ROWS_BYTES_MAX: usize = 4 * 1024 * 1024 - 64 * 1024;

/// Longest answer that is packed by gzip; longer ones are sent as they are, which the flag before
/// each message says. Packing is one step of 18 ms for so many bytes that do not gain (measured).
pub const PACKED_BYTES_MAX: usize = 1024 * 1024;

/// Requests of one `ExecuteInteractive` that are under way at once: as many as a shard's log gathers while it writes.
pub const INTERACTIVE_REQUESTS_MAX: usize = 64;
/// Bytes of requests and of answers that are held for one `ExecuteInteractive`: sixteen of the longest ciphertexts in use.
pub const INTERACTIVE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Requests of one reactor that may be under way to one other; each holds a slot and its bytes.
pub const MESH_REQUESTS_MAX: usize = 8 * 1024;

/// HTTP/2 frame size that peers may send us: a 512 KiB value arrives as one slice.
pub const FRAME_BYTES_MAX: u32 = 1024 * 1024;
/// Flow-control window of a stream: half a megabyte in one go, with room for a second.
pub const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// Flow-control window of a connection: what a peer may send before its requests are begun.
pub const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// Bytes of a stream that `h2` asks us for ahead of the peer's window.
pub const SEND_BUFFER_BYTES: usize = 128 * 1024;
/// What short DATA frames may cost that nobody has read yet, as `h2` counts: 256 less their length for each. A stream whose
/// window is full of the shortest requests there are is slowed down by that window, and not cut off.
pub const SHORT_FRAMES_BYTES_MAX: usize = 6 * STREAM_WINDOW_BYTES as usize;
/// Streams that a peer may reset before we have seen them, before the connection is closed
/// (rapid reset, CVE-2023-44487).
pub const PENDING_RESETS_MAX: usize = 20;
/// Streams that we may reset for a peer's errors, before the connection is closed.
pub const LOCAL_RESETS_MAX: usize = 1024;
/// Bytes read from one connection in a turn, after which the others get theirs.
pub const TURN_READ_BYTES_MAX: usize = 512 * 1024;

const _: () = assert!(FRAME_BYTES_MAX <= STREAM_WINDOW_BYTES);
const _: () = assert!(STREAM_WINDOW_BYTES <= CONNECTION_WINDOW_BYTES);
const _: () = assert!(SCAN_STEP_BYTES_MAX * 4 < UNARY_ROWS_BYTES_MAX);

/// What the operator may choose (`[limits]` in the configuration file, but for `connections_max`,
/// which is `server.max_connections`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections of the whole process; the next is closed at once.
    pub connections_max: usize,
    /// Concurrent streams of one connection (HTTP/2 SETTINGS_MAX_CONCURRENT_STREAMS).
    pub streams_max: u32,
    /// Bytes of one header list, names and values and 32 for each (RFC 9113, 6.5.2).
    pub header_list_bytes_max: u32,
    /// Bytes of one request message after decompression.
    pub message_bytes_max: usize,
    /// Bytes of requests and answers in flight on one connection.
    pub connection_bytes_max: usize,
    /// Bytes of requests and answers in flight in the process; split evenly over the reactors.
    pub in_flight_bytes_max: usize,
    /// Control frames (PING, SETTINGS, WINDOW_UPDATE, PRIORITY, RST_STREAM, empty DATA) that a
    /// connection may send in a second beyond those its requests explain.
    pub control_frames_per_second_max: u32,
    /// TLS handshakes that are under way at once on each reactor; more wait in line, as open
    /// connections that nothing is read from. Each holds some 10 KiB, and the client's certificates.
    pub handshakes_max: usize,
}

impl Limits {
    /// Ranges that a configuration is checked against: key, bounds.
    pub const RANGES: [(&'static str, RangeInclusive<u64>); 8] = [
        ("server.max_connections", 1..=1_000_000),
        ("limits.streams_max", 1..=65_536),
        ("limits.header_list_bytes_max", 4_096..=1_048_576),
        ("limits.message_bytes_max", 65_536..=1_073_741_824),
        ("limits.connection_bytes_max", 1_048_576..=17_179_869_184),
        ("limits.in_flight_bytes_max", 16_777_216..=1_099_511_627_776),
        ("limits.control_frames_per_second_max", 100..=1_000_000),
        ("limits.handshakes_max", 1..=65_536),
    ];
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1000,
            streams_max: 256,
            header_list_bytes_max: 16 * 1024,
            message_bytes_max: 64 * 1024 * 1024,
            connection_bytes_max: 128 * 1024 * 1024,
            in_flight_bytes_max: 1024 * 1024 * 1024,
            control_frames_per_second_max: 2000,
            handshakes_max: 256,
        }
    }
}
