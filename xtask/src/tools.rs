//! The programs that tests run, beyond Rust's: found, else installed, else named in an error. Never skipped.

use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::command::CommandLine;
use crate::error::Error;

/// A program and the Debian package that brings it.
#[derive(Debug, PartialEq, Eq)]
struct Tool {
    command: &'static str,
    package: &'static str,
}

/// All of them. A test that needs another one adds its line here.
const TOOLS: &[Tool] = &[
    Tool { command: "bash", package: "bash" },
    Tool { command: "callgrind_control", package: "valgrind" },
    Tool { command: "curl", package: "curl" },
    Tool { command: "faketime", package: "faketime" },
    Tool { command: "git", package: "git" },
    Tool { command: "ip", package: "iproute2" },
    Tool { command: "keytool", package: "default-jre-headless" },
    Tool { command: "nft", package: "nftables" },
    Tool { command: "openssl", package: "openssl" },
    Tool { command: "prlimit", package: "util-linux" },
    Tool { command: "promtool", package: "prometheus" },
    Tool { command: "unshare", package: "util-linux" },
    Tool { command: "valgrind", package: "valgrind" },
];

/// Makes sure that every tool is here.
///
/// # Errors
/// [`Error::MissingTools`] when one is not and this is not root on a machine with `apt-get`; the failure of
/// `apt-get` when it is.
pub fn ensure() -> Result<(), Error> {
    let absent = missing(TOOLS);
    if !absent.is_empty() {
        if !may_install() {
            return Err(report(&absent, "Install"));
        }
        apt_get("update")?;
        apt_get(&format!("install --yes --no-install-recommends {}", packages(&absent)))?;
        let still_absent = missing(TOOLS);
        if !still_absent.is_empty() {
            return Err(report(&still_absent, "apt-get succeeded without bringing them; look at"));
        }
    }
    println!("all here: {}", commands(TOOLS.iter()));
    Ok(())
}

/// Brings what is missing of `packages` (commands and the packages of them) if that can be done here. What still
/// is not here is said and no error: what can be compared is.
pub fn offer(peers: &[(&'static str, &'static str)]) {
    let tools: Vec<_> = peers.iter().map(|&(command, package)| Tool { command, package }).collect();
    let absent = missing(&tools);
    if !absent.is_empty() && may_install() {
        let install = format!("install --yes --no-install-recommends {}", packages(&absent));
        if let Err(error) = apt_get("update").and_then(|()| apt_get(&install)) {
            println!("{error}");
        }
    }
    for tool in missing(&tools) {
        println!("not here, so not compared: {} (Debian package {})", tool.command, tool.package);
    }
}

/// Where `command` is, if it is in one of the directories of `PATH`.
pub fn find(command: &str) -> Option<PathBuf> {
    find_in(&std::env::var_os("PATH")?, command)
}

fn find_in(path: &OsStr, command: &str) -> Option<PathBuf> {
    std::env::split_paths(path).map(|directory| directory.join(command)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn missing(tools: &[Tool]) -> Vec<&Tool> {
    tools.iter().filter(|tool| find(tool.command).is_none()).collect()
}

/// `/proc/self` belongs to the user as whom this process acts.
fn may_install() -> bool {
    let is_root = Path::new("/proc/self").metadata().is_ok_and(|metadata| metadata.uid() == 0);
    is_root && find("apt-get").is_some()
}

fn apt_get(arguments: &str) -> Result<(), Error> {
    CommandLine::new("apt-get", arguments).with("DEBIAN_FRONTEND", "noninteractive").run()
}

fn report(absent: &[&Tool], verb: &str) -> Error {
    let remedy = format!("{verb} the Debian packages (or your system's own): {}", packages(absent));
    Error::MissingTools { commands: commands(absent.iter().copied()), remedy }
}

fn commands<'a>(tools: impl Iterator<Item = &'a Tool>) -> String {
    tools.map(|tool| tool.command).collect::<Vec<_>>().join(", ")
}

/// Each package once: some bring several commands.
fn packages(tools: &[&Tool]) -> String {
    let mut packages: Vec<_> = tools.iter().map(|tool| tool.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_only_where_it_can_be_run() {
        let (plain, executable) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (directory, mode) in [(&plain, 0o644), (&executable, 0o755)] {
            let file = directory.path().join("tool");
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = std::env::join_paths([plain.path(), executable.path()]).unwrap();
        assert_eq!(find_in(&path, "tool"), Some(executable.path().join("tool")));
        assert_eq!(find_in(plain.path().as_os_str(), "tool"), None);
        assert_eq!(find_in(&path, ""), None, "a directory is no program");
    }

    #[test]
    fn a_tool_that_is_not_here_is_missing() {
        let tools = [
            Tool { command: "sh", package: "dash" },
            Tool { command: "no-such-tool", package: "no-such-package" },
        ];
        assert_eq!(missing(&tools), [&tools[1]]);
    }

    #[test]
    fn a_report_names_every_command_and_every_package_once() {
        let tools = [
            Tool { command: "two", package: "both" },
            Tool { command: "three", package: "another" },
            Tool { command: "one", package: "both" },
        ];
        let report = report(&tools.iter().collect::<Vec<_>>(), "Install").to_string();
        assert!(report.contains("two, three, one"), "{report}");
        assert!(
            report.ends_with("Install the Debian packages (or your system's own): another both"),
            "{report}"
        );
    }

    #[test]
    fn no_command_is_listed_twice() {
        let mut commands: Vec<_> = TOOLS.iter().map(|tool| tool.command).collect();
        commands.dedup();
        assert!(commands.is_sorted_by(|one, other| one < other), "keep the table sorted: {commands:?}");
    }
}
