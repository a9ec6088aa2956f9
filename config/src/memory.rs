//! How much memory this process may have: the machine's, or less when a control group says so.
//!
//! It reads Linux' own accounts; where there are none, it does not know.

use std::path::Path;

/// What the store gets when the machine's memory is not known.
const FALLBACK_BYTES: u64 = 1 << 30;

/// A quarter of the memory, in whole MiB and at least `floor`.
pub(crate) fn quarter(floor: u64) -> u64 {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| total_of(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = group_files(&groups).into_iter().filter_map(|file| read(Path::new(&file)));
    let limit = limits.filter_map(|text| text.trim().parse::<u64>().ok()).min();
    let memory = [machine, limit].into_iter().flatten().min();
    let quarter = memory.map_or(FALLBACK_BYTES, |bytes| bytes / 4);
    (quarter >> 20 << 20).max(floor)
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The files that may limit a process of these control groups: every level of the hierarchy counts.
fn group_files(groups: &str) -> Vec<String> {
    let mut files = vec!["/sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned()];
    if let Some(group) = groups.lines().find_map(|line| line.strip_prefix("0::")) {
        let levels = Path::new(group).ancestors().take(32);
        files.extend(levels.map(|level| {
            let level = level.to_string_lossy();
            format!("/sys/fs/cgroup{}/memory.max", level.trim_end_matches('/'))
        }));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_in_bytes() {
        assert_eq!(total_of("MemTotal:       24689420 kB\nMemFree: 1 kB\n"), Some(24_689_420 * 1024));
        assert_eq!(total_of("MemFree: 1 kB\n"), None);
        assert_eq!(total_of("MemTotal: much\n"), None);
    }

    #[test]
    fn every_level_of_the_hierarchy_may_limit() {
        let files = group_files("0::/system.slice/ringhold.service\n");
        assert!(files.contains(&"/sys/fs/cgroup/system.slice/ringhold.service/memory.max".to_owned()));
        assert!(files.contains(&"/sys/fs/cgroup/system.slice/memory.max".to_owned()));
        assert!(files.contains(&"/sys/fs/cgroup/memory.max".to_owned()));
    }

    #[test]
    fn a_quarter_is_whole_and_not_below_the_floor() {
        assert_eq!(quarter(1) % (1 << 20), 0);
        assert_eq!(quarter(1 << 60), 1 << 60);
    }
}
