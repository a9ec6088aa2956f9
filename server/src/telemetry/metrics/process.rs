//! What Linux says of this process: memory, open files, processor time.
//!
//! What it does not say, or another system, is left out of the page.

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::{Page, family};

/// Writes it down. It reads `/proc`: call it off the async threads.
pub fn collect(page: &mut Page) {
    if let Some(bytes) = resident_bytes() {
        page.put(&family::RESIDENT_MEMORY, &[], bytes);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        // The folder itself is open for as long as it is read.
        page.put(&family::OPEN_FILES, &[], files.count().saturating_sub(1));
    }
    if let Some(limit) = getrlimit(Resource::Nofile).current {
        page.put(&family::MAX_OPEN_FILES, &[], limit);
    }
    let time = clock_gettime(ClockId::ProcessCPUTime);
    page.put(&family::PROCESSOR_TIME, &[], time.tv_sec as f64 + time.tv_nsec as f64 / 1e9);
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_has_memory_files_and_time() {
        let _open = std::fs::File::open("/dev/null").unwrap();
        assert!(resident_bytes().unwrap() > 1 << 20);
        let mut page = Page::default();
        collect(&mut page);
        let text = page.into_text();
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
            line.parse().unwrap()
        };
        assert!(value("process_open_fds") >= 1.0);
        assert!(value("process_max_fds") >= value("process_open_fds"));
        assert!(value("process_cpu_seconds_total") > 0.0);
    }
}
