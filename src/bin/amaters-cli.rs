//! The client's program. All of it is in the library, beside the server's, which uses nothing of it.

use std::process::ExitCode;

fn main() -> ExitCode {
    amaters_server::client::main()
}
