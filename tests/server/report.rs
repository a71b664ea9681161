//! SIGUSR1: the server tells what it does, and goes on.

use std::net::TcpStream;

use rustix::process::Signal;

use crate::harness::Folder;

#[test]
fn sigusr1_logs_a_line_for_each_reactor_and_the_server_stays() {
    let folder = Folder::new();
    folder.config("cores = 1", "");
    let mut server = folder.serve();
    for _ in 0..2 {
        server.signal(Signal::USR1);
        let line = server.wait_for("reactor 0: turns ");
        for part in [", requests 0, connections 0, longest gap ", " ms"] {
            assert!(line.contains(part), "{line}");
        }
        if cfg!(feature = "count-allocations") {
            let line = server.wait_for("allocations ");
            assert!(line.contains(" bytes "), "{line}");
        }
    }
    TcpStream::connect(server.address).unwrap();
    server.signal(Signal::TERM);
    assert_eq!(server.end().code(), Some(0));
}
