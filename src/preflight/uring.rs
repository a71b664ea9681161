//! Whether this process may use io_uring, on which every reactor runs.

use std::fs;

use rustix::{
    io::Errno,
    io_uring::{io_uring_params, io_uring_setup},
};
use thiserror::Error;

/// `kernel.io_uring_disabled`: 0 all may, 1 the group and CAP_SYS_ADMIN may, 2 nobody may.
const SYSCTL: &str = "/proc/sys/kernel/io_uring_disabled";

/// Why a ring cannot be made.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum UringError {
    #[error("this kernel has no io_uring: amaters-server needs Linux 5.8 or newer with it")]
    Missing,
    #[error(
        "io_uring is switched off: kernel.io_uring_disabled is {0}. Allow it with \
         `sysctl kernel.io_uring_disabled=0`"
    )]
    Disabled(String),
    #[error(
        "io_uring is forbidden to this process, although kernel.io_uring_disabled does not forbid \
         it: a seccomp profile (of the container runtime or of systemd's SystemCallFilter=) must \
         allow io_uring_setup, io_uring_enter and io_uring_register"
    )]
    Forbidden,
    #[error(
        "io_uring gets no memory: the other processes of this user use up the limit on locked \
         memory (RLIMIT_MEMLOCK). Raise it (`ulimit -l`, LimitMEMLOCK= of the systemd unit); \
         where a server has just ended, try again in a moment"
    )]
    NoMemory,
    #[error("io_uring cannot be set up: {0}")]
    Other(Errno),
}

/// Makes a ring and closes it.
pub(crate) fn check() -> Result<(), UringError> {
    let mut params = io_uring_params::default();
    // SAFETY: the parameters are all zero, so they name no descriptor and no memory of ours; the
    // kernel writes into them only during the call, and closing the ring's descriptor frees it.
    #[expect(unsafe_code, reason = "the system call has no safe face")]
    let ring = unsafe { io_uring_setup(2, &mut params) };
    match ring {
        Ok(_ring) => Ok(()),
        Err(error) => Err(explain(error, &fs::read_to_string(SYSCTL).unwrap_or_default())),
    }
}

fn explain(error: Errno, sysctl: &str) -> UringError {
    match (error, sysctl.trim()) {
        (Errno::NOSYS, _) => UringError::Missing,
        (Errno::PERM | Errno::ACCESS, "" | "0") => UringError::Forbidden,
        (Errno::PERM | Errno::ACCESS, disabled) => UringError::Disabled(disabled.to_owned()),
        (Errno::NOMEM, _) => UringError::NoMemory,
        (error, _) => UringError::Other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_lack_io_uring_is_told_apart() {
        assert_eq!(explain(Errno::NOSYS, "0\n"), UringError::Missing);
        assert_eq!(explain(Errno::PERM, "2\n"), UringError::Disabled("2".into()));
        assert_eq!(explain(Errno::PERM, "0\n"), UringError::Forbidden);
        assert_eq!(explain(Errno::PERM, ""), UringError::Forbidden);
        assert_eq!(explain(Errno::NOMEM, "0\n"), UringError::NoMemory);
        assert_eq!(explain(Errno::MFILE, "0\n"), UringError::Other(Errno::MFILE));
        assert!(explain(Errno::PERM, "2").to_string().contains("kernel.io_uring_disabled is 2"));
    }
}
