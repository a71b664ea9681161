//! Starts that must not happen: one clear line, status 1, and nothing made on the way.

use std::{
    fs, io,
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::Command,
};

use rustix::process::Signal;

use crate::harness::{Folder, refusal};

const START: &str = "start --config a.toml --bind 127.0.0.1:0";

/// The refusal of a start with this configuration, which makes no data directory.
fn refused(server: &str, more: &str) -> String {
    let folder = Folder::new();
    folder.config(server, more);
    let text = refusal(folder.command(START));
    assert!(!folder.path().join("data").exists(), "{text}");
    assert!(!folder.path().join("pid").exists(), "{text}");
    text
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let text = refused("max_conections = 3", "");
    assert!(text.contains("server.max_conections (a.toml line 3)"), "{text}");
    assert!(text.contains("did you mean server.max_connections?"), "{text}");
}

#[test]
fn a_feature_that_is_missing_is_not_left_out_in_silence() {
    let text = refused("", "[cluster]\nenabled = true\npeers = [\"a:b\"]");
    assert!(text.contains("Configuration validation failed: cluster.enabled"), "{text}");
}

#[test]
fn a_configuration_file_that_is_missing_is_refused_by_name() {
    let text = refusal(Folder::new().command("start --config nowhere.toml"));
    assert!(text.contains("nowhere.toml"), "{text}");
}

#[test]
fn cpus_that_the_process_may_not_use_are_refused() {
    let text = refused("cores = \"0,1023\"", "");
    assert!(text.contains("CPU 1023"), "{text}");
}

#[test]
fn a_port_in_use_is_named() {
    let folder = Folder::new();
    folder.config("", "");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = refusal(folder.command(&format!("start --config a.toml --bind {address}")));
    assert!(text.contains(&format!("cannot listen on {address}")), "{text}");
    assert!(!folder.path().join("pid").exists());
}

#[test]
fn an_address_of_another_machine_is_named() {
    let folder = Folder::new();
    folder.config("", "");
    let text = refusal(folder.command("start --config a.toml --bind 192.0.2.1:7878"));
    assert!(text.contains("cannot listen on 192.0.2.1:7878"), "{text}");
}

#[test]
fn a_data_directory_that_is_a_file_is_named() {
    let folder = Folder::new();
    folder.write("file", "");
    let text = refusal(folder.command("start --bind 127.0.0.1:0 --data-dir file/data"));
    assert!(text.contains("file/data"), "{text}");
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let folder = Folder::of_ordinary_user();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let text = refusal(folder.command("start --bind 127.0.0.1:0"));
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(text.contains("data: Permission denied"), "{text}");
}

#[test]
fn a_pid_file_that_was_asked_for_must_be_writable() {
    let folder = Folder::new();
    folder.write("a.toml", "[server]\npid_file = \"missing/pid\"\n");
    let text = refusal(folder.command(START));
    assert!(text.contains("server.pid_file") && text.contains("missing/pid"), "{text}");
}

#[test]
fn too_little_locked_memory_is_explained() {
    let folder = Folder::of_ordinary_user();
    let text = refusal(folder.command_after("ulimit -l 64", "start --bind 127.0.0.1:0"));
    for part in ["RLIMIT_MEMLOCK", "64 KiB", "ulimit -l", "LimitMEMLOCK="] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!folder.path().join("data").exists());
}

#[test]
fn too_few_open_files_are_explained() {
    let folder = Folder::new();
    let text = refusal(folder.command_after("ulimit -n 256", "start --bind 127.0.0.1:0"));
    for part in ["server.max_connections = 1000", "RLIMIT_NOFILE", "256"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_kernel_or_a_container_without_io_uring_is_explained() {
    let cases = [(libc::EPERM, "a seccomp profile"), (libc::ENOSYS, "needs Linux 5.8 or newer")];
    for (errno, part) in cases {
        let folder = Folder::new();
        let mut command = folder.command("start --bind 127.0.0.1:0");
        deny_io_uring(&mut command, errno as u32);
        let text = refusal(command);
        assert!(text.contains("io_uring") && text.contains(part), "{text}");
        assert!(!folder.path().join("data").exists());
    }
}

/// Makes `io_uring_setup` fail in the child, as a container runtime does.
fn deny_io_uring(command: &mut Command, errno: u32) {
    const IO_URING_SETUP: u32 = libc::SYS_io_uring_setup as u32;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, skip_if_not, k| libc::sock_filter { code, jt: 0, jf: skip_if_not, k };
    // Load the number of the system call; if it is the one, return the error; else allow.
    let mut filter = [
        step((libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, 0, 0),
        step((libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, 1, IO_URING_SETUP),
        step(RETURN, 0, libc::SECCOMP_RET_ERRNO | errno),
        step(RETURN, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let install = move || {
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        // SAFETY: the program and its filter live until the calls return; neither call allocates.
        #[expect(unsafe_code, reason = "seccomp has no safe face")]
        let done = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) == 0
        };
        if done { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: between fork and exec it only makes two system calls.
    #[expect(unsafe_code, reason = "only a child can be denied something")]
    unsafe {
        command.pre_exec(install);
    }
}

#[test]
fn a_damaged_superblock_or_a_lost_one_stops_the_start() {
    let folder = Folder::new();
    folder.config("", "");
    let mut server = folder.serve();
    server.signal(Signal::TERM);
    server.end();
    let path = folder.path().join("data/SUPERBLOCK");
    let mut bytes = fs::read(&path).unwrap();
    bytes[13] ^= 4;
    fs::write(&path, &bytes).unwrap();
    let text = refusal(folder.command(START));
    assert!(text.contains("SUPERBLOCK is damaged"), "{text}");
    fs::remove_file(&path).unwrap();
    let text = refusal(folder.command(START));
    assert!(text.contains("there is no SUPERBLOCK"), "{text}");
    assert!(!path.exists());
}

#[test]
fn logs_that_went_elsewhere_stop_the_start() {
    let folder = Folder::new();
    folder.config("", "");
    let mut server = folder.serve();
    server.signal(Signal::TERM);
    server.end();
    folder.config("", "[storage.wal]\ndir = \"other\"");
    let text = refusal(folder.command(START));
    assert!(text.contains("storage.wal.dir"), "{text}");
}
