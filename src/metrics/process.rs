//! What the kernel says of this process, under the names that all Prometheus clients use.

use std::fs;

use rustix::{
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

use super::exposition::{Exposition, Kind};

/// Writes the metrics of the process. What the kernel does not tell is left out.
pub(super) fn write(out: &mut Exposition, begun_at: f64) {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
    let help = "User and system CPU time spent in seconds.";
    out.single(Kind::Counter, "process_cpu_seconds", help, seconds);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let gauges = [
        ("VmRSS", 1024, "process_resident_memory_bytes", "Resident memory size in bytes."),
        ("VmSize", 1024, "process_virtual_memory_bytes", "Virtual memory size in bytes."),
        ("Threads", 1, "process_threads", "Number of threads of the process."),
    ];
    for (field, unit, name, help) in gauges {
        if let Some(value) = field_of(&status, field) {
            out.single(Kind::Gauge, name, help, value * unit);
        }
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        // One of them is that of the folder itself.
        let help = "Number of open file descriptors.";
        out.single(Kind::Gauge, "process_open_fds", help, files.count().saturating_sub(1));
    }
    if let Some(max) = getrlimit(Resource::Nofile).current {
        out.single(Kind::Gauge, "process_max_fds", "Maximum number of open file descriptors.", max);
    }
    let help = "Start time of the process since the Unix epoch in seconds.";
    out.single(Kind::Gauge, "process_start_time_seconds", help, begun_at);
}

/// The number of a line of `/proc/self/status`.
fn field_of(status: &str, field: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{super::exposition::Form, *};

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let status = "VmRSSx:\t1 kB\nVmRSS:\t  2048 kB\nThreads:\t7\n";
        assert_eq!(field_of(status, "VmRSS"), Some(2048));
        assert_eq!(field_of(status, "Threads"), Some(7));
        assert_eq!(field_of(status, "VmSize"), None);
    }

    #[test]
    fn this_process_has_all_of_them() {
        let mut out = Exposition::new(Form::Text);
        write(&mut out, 1.5);
        let text = out.finish();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let names: Vec<_> = samples.filter_map(|line| line.split(' ').next()).collect();
        let expected = [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
            "process_threads",
            "process_open_fds",
            "process_max_fds",
            "process_start_time_seconds",
        ];
        assert_eq!(names, expected);
    }
}
