//! Kernel, clock, CPUs and limits of the process.

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{Finding, Verdict};
use crate::{
    config::Config,
    cores::{Offer, Ranges},
    preflight,
};

/// What io_uring needs: `IORING_FEAT_SQPOLL_NONFIXED` and others that reactors take for granted.
const KERNEL_MIN: (u32, u32) = (5, 8);
/// 1 January 2025: no clock of a machine that runs this program is right before.
const CLOCK_MIN: Duration = Duration::from_secs(1_735_689_600);
const CLOCK_SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

/// What holds for every configuration.
pub(super) fn kernel() -> Vec<Finding> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let uring = preflight::check_uring();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let source = fs::read_to_string(CLOCK_SOURCE).unwrap_or_default();
    vec![
        judge_kernel(&release),
        Finding::of("io_uring", uring.map(|()| "a ring can be made".to_owned())),
        judge_clock(now, is_synchronised()),
        judge_clock_source(source.trim()),
    ]
}

/// What this configuration asks of CPUs and limits.
pub(super) fn limits(config: &Config) -> Vec<Finding> {
    let cpus = Offer::of_this_process()
        .map_err(|error| error.to_string())
        .and_then(|offer| offer.choose(config.cores.as_ref()).map_err(|error| error.to_string()));
    let cpus = match cpus {
        Ok(cpus) => cpus,
        Err(error) => return vec![Finding::new(Verdict::Fail, "cpus", error)],
    };
    let text = format!("{} reactors on CPU {}", cpus.len(), Ranges(&cpus));
    let connections_max = config.limits.connections_max;
    let files = preflight::check_open_files(connections_max, cpus.len());
    let files = files
        .map(|()| format!("enough open files (RLIMIT_NOFILE) for {connections_max} connections"));
    vec![Finding::new(Verdict::Ok, "cpus", text), memory(cpus.len()), Finding::of("nofile", files)]
}

fn memory(reactors: usize) -> Finding {
    match preflight::locked_memory(reactors) {
        Ok(None) => Finding::new(Verdict::Ok, "memlock", "all reactors can register their buffers"),
        Ok(Some(advice)) => Finding::new(Verdict::Warn, "memlock", advice),
        Err(error) => Finding::new(Verdict::Fail, "memlock", error.to_string()),
    }
}

fn judge_kernel(release: &str) -> Finding {
    let mut numbers = release.split(['.', '-']).map(str::parse::<u32>);
    let (major, minor) = KERNEL_MIN;
    match (numbers.next(), numbers.next()) {
        (Some(Ok(found_major)), Some(Ok(found_minor)))
            if (found_major, found_minor) < KERNEL_MIN =>
        {
            let text = format!("Linux {release}: {major}.{minor} or newer is needed; upgrade it");
            Finding::new(Verdict::Fail, "kernel", text)
        }
        (Some(Ok(_)), Some(Ok(_))) => {
            Finding::new(Verdict::Ok, "kernel", format!("Linux {release}"))
        }
        _ => {
            let text = format!("\"{release}\" cannot be compared with Linux {major}.{minor}");
            Finding::new(Verdict::Warn, "kernel", text)
        }
    }
}

/// Expiry of certificates and tokens, and the times in the log, are told by the clock of the day.
fn judge_clock(now: Duration, is_synchronised: Option<bool>) -> Finding {
    let (verdict, text) = if now < CLOCK_MIN {
        (Verdict::Fail, "stands before 2025: set it (`timedatectl`)")
    } else {
        match is_synchronised {
            Some(true) => (Verdict::Ok, "is kept in time"),
            Some(false) => (
                Verdict::Warn,
                "is not kept in time: run chrony or systemd-timesyncd (`timedatectl set-ntp true`)",
            ),
            None => (Verdict::Warn, "this process may not ask whether it is kept in time"),
        }
    };
    Finding::new(verdict, "clock", text)
}

/// The clock is read for every request.
fn judge_clock_source(source: &str) -> Finding {
    match source {
        "hpet" | "acpi_pm" | "jiffies" => Finding::new(
            Verdict::Warn,
            "clock source",
            format!(
                "{source} takes a microsecond to read: boot with clocksource=tsc if the machine has \
                 an invariant TSC"
            ),
        ),
        "" => Finding::new(Verdict::Warn, "clock source", format!("{CLOCK_SOURCE} cannot be read")),
        source => Finding::new(Verdict::Ok, "clock source", source),
    }
}

/// Whether the kernel takes its clock to be synchronised.
fn is_synchronised() -> Option<bool> {
    // SAFETY: timex is plain numbers, for which all bits zero are valid; with modes = 0 the call only
    // reads the clock's state into it.
    #[expect(unsafe_code, reason = "the system call has no safe face")]
    let state = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        libc::adjtimex(&raw mut timex)
    };
    match state {
        -1 => None,
        state => Some(state != libc::TIME_ERROR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_compared_by_number() {
        for (release, verdict) in [
            ("5.8.0", Verdict::Ok),
            ("6.1.0-18-amd64", Verdict::Ok),
            ("10.0-rc1", Verdict::Ok),
            ("5.7.19", Verdict::Fail),
            ("4.19.0", Verdict::Fail),
            ("plan9", Verdict::Warn),
            ("", Verdict::Warn),
        ] {
            assert_eq!(judge_kernel(release).verdict, verdict, "{release}");
        }
    }

    #[test]
    fn a_clock_is_right_late_enough_and_kept() {
        let late = CLOCK_MIN + Duration::from_secs(1);
        assert_eq!(judge_clock(late, Some(true)).verdict, Verdict::Ok);
        assert_eq!(judge_clock(late, Some(false)).verdict, Verdict::Warn);
        assert_eq!(judge_clock(late, None).verdict, Verdict::Warn);
        assert_eq!(judge_clock(Duration::ZERO, Some(true)).verdict, Verdict::Fail);
        assert_eq!(judge_clock_source("tsc").verdict, Verdict::Ok);
        assert_eq!(judge_clock_source("hpet").verdict, Verdict::Warn);
    }
}
