//! The server's program. All of it is in the library, where a reload can also be called
//! (`amaters_server::ReloadableConfig`).

use std::process::ExitCode;

/// Measured against the system's allocator: 20 % more small requests (docs/explanation/benchmarks.md).
#[cfg(not(feature = "count-allocations"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    amaters_server::main()
}
