//! Which CPUs get a reactor.
//!
//! ```text
//! allowed = CPUs of this process (affinity, which already follows the cpuset of its cgroup)
//! quota   = ceil(cpu.max) of its cgroup and of those above it, where one is set
//! chosen ⊆ allowed,  1 ≤ |chosen| ≤ min(|allowed|, quota)
//! ```

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use thiserror::Error;

/// Where cgroup v2 is mounted, alone or beside version 1.
const CGROUP_ROOTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// The highest CPU number that a list may name; what `sched_setaffinity` takes without ado.
const CPU_MAX: usize = 1023;

/// What an operator asked for: `server.cores`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    /// This many, any.
    Count(usize),
    /// These, ascending, each once.
    List(Vec<usize>),
}

impl FromStr for Cores {
    type Err = String;

    /// `4` is a count, `4-4` or `4,` the CPU, `0-3,5` a list.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "must be a count of CPUs, as 2, or a list of CPUs up to {CPU_MAX}, as \"0-3,5\""
            )
        };
        if let Ok(count) = text.trim().parse::<usize>() {
            return if count > 0 { Ok(Self::Count(count)) } else { Err(wrong()) };
        }
        let mut cpus = Vec::new();
        for part in text.trim().trim_end_matches(',').split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.trim().parse::<usize>().map_err(|_| wrong());
            let (first, last) = (number(first)?, number(last)?);
            if first > last || last > CPU_MAX {
                return Err(wrong());
            }
            cpus.extend(first..=last);
        }
        cpus.sort_unstable();
        cpus.dedup();
        Ok(Self::List(cpus))
    }
}

/// What the machine offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// CPUs that the process may run on, ascending.
    pub(crate) allowed: Vec<usize>,
    /// CPUs' worth of time that its cgroup grants, rounded up.
    pub(crate) quota: Option<usize>,
}

/// A choice that the machine cannot grant.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum CoresError {
    /// CPUs that the process may not use.
    #[error(
        "server.cores asks for CPU {}, but this process may only use CPU {}",
        Ranges(.asked), Ranges(.allowed)
    )]
    NotAllowed {
        /// Those of the list that are not allowed.
        asked: Vec<usize>,
        /// Those that are.
        allowed: Vec<usize>,
    },
    /// More CPUs than there are.
    #[error(
        "server.cores asks for {asked} CPUs, but this process may only use {}: CPU {}",
        allowed.len(), Ranges(.allowed)
    )]
    TooMany {
        /// The count asked for.
        asked: usize,
        /// Those that are allowed.
        allowed: Vec<usize>,
    },
    /// More CPUs than the cgroup grants time for.
    #[error(
        "server.cores asks for {asked} CPUs, but the cgroup's cpu.max grants the time of {quota}: \
         a reactor would be stopped in the middle of requests"
    )]
    OverQuota {
        /// The count asked for.
        asked: usize,
        /// The quota, rounded up.
        quota: usize,
    },
}

impl Offer {
    /// What this process may use.
    pub(crate) fn of_this_process() -> std::io::Result<Self> {
        let set = rustix::thread::sched_getaffinity(None)?;
        let allowed = (0..rustix::thread::CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect();
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let quota = CGROUP_ROOTS.iter().filter_map(|root| quota(Path::new(root), &groups)).min();
        Ok(Self { allowed, quota })
    }

    /// One CPU for each reactor, ascending; never empty.
    pub(crate) fn choose(&self, wish: Option<&Cores>) -> Result<Vec<usize>, CoresError> {
        let cpus = match wish {
            None => {
                let count = self.quota.unwrap_or(usize::MAX).min(self.allowed.len());
                return Ok(self.allowed[..count].to_vec());
            }
            Some(Cores::Count(count)) => self
                .allowed
                .get(..*count)
                .map(<[usize]>::to_vec)
                .ok_or(CoresError::TooMany { asked: *count, allowed: self.allowed.clone() })?,
            Some(Cores::List(cpus)) => cpus.clone(),
        };
        let strange: Vec<usize> =
            cpus.iter().copied().filter(|cpu| !self.allowed.contains(cpu)).collect();
        if !strange.is_empty() {
            return Err(CoresError::NotAllowed { asked: strange, allowed: self.allowed.clone() });
        }
        match self.quota {
            Some(quota) if cpus.len() > quota => {
                Err(CoresError::OverQuota { asked: cpus.len(), quota })
            }
            _ => Ok(cpus),
        }
    }
}

/// The smallest quota from the group that `/proc/self/cgroup` names up to `root`.
fn quota(root: &Path, groups: &str) -> Option<usize> {
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let folder: PathBuf = root.join(group.trim_start_matches('/'));
    folder
        .ancestors()
        .take_while(|folder| folder.starts_with(root))
        .filter_map(|folder| fs::read_to_string(folder.join("cpu.max")).ok())
        .filter_map(|text| whole_cpus(&text))
        .min()
}

/// `cpu.max`: microseconds of CPU in each period, or `max`.
fn whole_cpus(text: &str) -> Option<usize> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period) = (quota.parse::<usize>().ok()?, period.parse::<usize>().ok()?);
    (period > 0).then(|| quota.div_ceil(period).max(1))
}

/// CPUs as people write them: `0-3,5`.
pub(crate) struct Ranges<'a>(pub(crate) &'a [usize]);

impl fmt::Display for Ranges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, run) in self.0.chunk_by(|left, right| left + 1 == *right).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match run {
                [single] => write!(f, "{comma}{single}")?,
                _ => write!(f, "{comma}{}-{}", run[0], run[run.len() - 1])?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(allowed: &[usize], quota: Option<usize>) -> Offer {
        Offer { allowed: allowed.to_vec(), quota }
    }

    #[test]
    fn counts_and_lists_parse() {
        assert_eq!("4".parse(), Ok(Cores::Count(4)));
        assert_eq!("4,".parse(), Ok(Cores::List(vec![4])));
        assert_eq!("4-4".parse(), Ok(Cores::List(vec![4])));
        assert_eq!("5,0-3, 2".parse(), Ok(Cores::List(vec![0, 1, 2, 3, 5])));
        for wrong in ["", "0", "3-1", "a", "1,,2", "-1", "0-1024", "0x2"] {
            assert!(wrong.parse::<Cores>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn without_a_wish_all_allowed_cpus_up_to_the_quota_are_taken() {
        assert_eq!(offer(&[1, 3, 4], None).choose(None), Ok(vec![1, 3, 4]));
        assert_eq!(offer(&[1, 3, 4], Some(2)).choose(None), Ok(vec![1, 3]));
        assert_eq!(offer(&[1, 3, 4], Some(9)).choose(None), Ok(vec![1, 3, 4]));
    }

    #[test]
    fn a_count_takes_the_first_allowed_cpus() {
        let chosen = offer(&[2, 5, 7], None).choose(Some(&Cores::Count(2)));
        assert_eq!(chosen, Ok(vec![2, 5]));
    }

    #[test]
    fn a_cpu_that_is_not_allowed_is_refused_with_those_that_are() {
        let error = offer(&[0, 1, 2, 5], None).choose(Some(&Cores::List(vec![1, 8, 9])));
        assert_eq!(
            error.unwrap_err().to_string(),
            "server.cores asks for CPU 8-9, but this process may only use CPU 0-2,5"
        );
        let error = offer(&[0, 1], None).choose(Some(&Cores::Count(3)));
        assert_eq!(
            error.unwrap_err().to_string(),
            "server.cores asks for 3 CPUs, but this process may only use 2: CPU 0-1"
        );
    }

    #[test]
    fn more_than_the_quota_is_refused() {
        let error = offer(&[0, 1, 2], Some(1)).choose(Some(&Cores::List(vec![0, 1])));
        assert_eq!(error, Err(CoresError::OverQuota { asked: 2, quota: 1 }));
    }

    #[test]
    fn the_quota_is_the_smallest_on_the_way_up_rounded_up() {
        let folder = tempfile::tempdir().unwrap();
        let leaf = folder.path().join("system.slice/server.service");
        fs::create_dir_all(&leaf).unwrap();
        let groups = "3:cpuset:/\n0::/system.slice/server.service\n";
        assert_eq!(quota(folder.path(), groups), None);
        fs::write(leaf.join("cpu.max"), "max 100000\n").unwrap();
        assert_eq!(quota(folder.path(), groups), None);
        fs::write(folder.path().join("system.slice/cpu.max"), "150000 100000\n").unwrap();
        assert_eq!(quota(folder.path(), groups), Some(2));
        fs::write(leaf.join("cpu.max"), "20000 100000\n").unwrap();
        assert_eq!(quota(folder.path(), groups), Some(1));
    }
}
