//! Where faults happen: network and mount namespaces of this process alone.
//!
//! Everything that is made in them (bridges, filters, small file systems, logs) goes when the process ends, however it
//! ends, and nothing outside is ever touched. Root is enough, and so is a kernel that lets everyone make namespaces.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Tells the process inside that it is inside.
const INSIDE: &str = "FAULTS_ARE_ENCLOSED";
/// A file system of its own in the enclosure: logs and configurations of members, names of namespaces.
const ROOM: &str = "/run";

/// Why there can be no enclosure here; none: there can.
#[must_use]
pub fn obstacle() -> Option<String> {
    for tool in ["unshare", "ip", "nft", "faketime", "prlimit"] {
        let known = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&known).any(|folder| folder.join(tool).is_file()) {
            return Some(format!("there is no `{tool}` here"));
        }
    }
    let script = "mount -t tmpfs none /run && mkdir /run/netns && ip netns add try && ip netns exec try \
                  nft 'add table inet try'";
    let output = unshare("sh").args(["-c", script]).output();
    match output {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Some(format!("namespaces are not allowed here: {}", said.trim()))
        }
        Err(error) => Some(format!("`unshare` cannot be started: {error}")),
    }
}

/// Goes inside: the process begins again there, with the same arguments. Returns when it is inside.
///
/// # Panics
/// When that is not possible.
pub fn enter() {
    if std::env::var_os(INSIDE).is_none() {
        let program = std::env::current_exe().expect("a running program has a path");
        let error =
            unshare(program).args(std::env::args_os().skip(1)).env(INSIDE, "1").env("TMPDIR", ROOM).exec();
        panic!("`unshare` cannot be started: {error}");
    }
    mount_tmpfs(Path::new(ROOM), "64m");
    std::fs::create_dir("/run/netns").expect("the room is empty");
}

/// Puts a file system of at most `size` at `folder`.
pub(crate) fn mount_tmpfs(folder: &Path, size: &str) {
    let folder = folder.to_str().expect("paths here are text");
    run(&["mount", "-t", "tmpfs", "-o", &format!("size={size}"), "faults", folder]);
}

/// Runs a command, which must succeed, and hands over what it said.
pub(crate) fn run(words: &[&str]) -> String {
    let output = Command::new(words[0]).args(&words[1..]).output();
    let output = output.unwrap_or_else(|error| panic!("{} is needed: {error}", words[0]));
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn unshare(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.arg(program);
    command
}
