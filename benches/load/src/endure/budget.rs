//! A configuration of the server that adds up to a given amount of memory.

/// Of sixteen parts: entries not yet in tables, blocks and values read lately, requests and answers
/// on their way. What is left is for filters and indexes of tables, which no key bounds, and for
/// the process itself.
const MEMTABLE: u64 = 3;
const CACHE: u64 = 4;
const IN_FLIGHT: u64 = 2;
const PARTS: u64 = 16;
/// The least that the server takes for requests and answers, in MiB.
const IN_FLIGHT_MIB_MIN: u64 = 16;

const _: () = assert!(MEMTABLE + CACHE + IN_FLIGHT < PARTS);

/// The text of the configuration file.
pub(super) fn config(memory_mib: u64) -> String {
    let part = |parts: u64| (memory_mib * parts / PARTS).max(1);
    let in_flight = part(IN_FLIGHT).max(IN_FLIGHT_MIB_MIN) << 20;
    format!(
        "[storage]\nengine = \"lsm\"\nmemtable_size_mb = {}\nblock_cache_size_mb = {}\n\n[limits]\n\
         in_flight_bytes_max = {in_flight}\nconnection_bytes_max = {}\nmessage_bytes_max = {}\n",
        part(MEMTABLE),
        part(CACHE),
        in_flight / 2,
        in_flight / 4,
    )
}

#[test]
fn a_configuration_adds_up_to_less_than_the_budget() {
    let number = |text: &str, key: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        line.unwrap().parse().unwrap()
    };
    for memory_mib in [128, 256, 4096] {
        let text = config(memory_mib);
        let mib = number(&text, "memtable_size_mb") + number(&text, "block_cache_size_mb");
        assert!((mib << 20) + number(&text, "in_flight_bytes_max") < memory_mib << 20, "{text}");
    }
}
