//! Command line of the hostile client.

fn main() {}
