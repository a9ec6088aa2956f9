//! What it was measured on: the machine, and the version of every program.

use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::process::may_go_ahead;
use crate::programs::{Lab, is_here};

/// A fact and its value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fact {
    /// What.
    pub name: String,
    /// Which.
    pub value: String,
}

/// What can be found out; what cannot is left out.
pub fn facts(lab: &Lab) -> Vec<Fact> {
    let read = |path| std::fs::read_to_string(path).ok();
    let field = |text: Option<String>, name: &str| {
        let text = text?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once([':', '='])?.1.trim().trim_matches('"').to_owned())
    };
    let program = lab.program.to_string_lossy();
    let version =
        |program: &str, arguments: &[&str]| is_here(program).then(|| said(program, arguments)).flatten();
    let cores = std::thread::available_parallelism().ok().map(|cores| cores.to_string());
    let values = [
        ("measured on", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("processor", field(read("/proc/cpuinfo"), "model name")),
        ("cores", cores),
        (
            "hypervisor",
            read("/proc/cpuinfo").filter(|text| text.contains(" hypervisor")).map(|_| "yes".into()),
        ),
        ("memory", field(read("/proc/meminfo"), "MemTotal")),
        ("kernel", read("/proc/sys/kernel/osrelease").map(|text| text.trim().into())),
        ("system", field(read("/etc/os-release"), "PRETTY_NAME")),
        ("servers ahead of other processes (chrt) in open loops", Some(yes_or_no(may_go_ahead()))),
        ("load average at the end", read("/proc/loadavg").map(|text| text.trim().into())),
        ("ringhold", said(&program, &["--version"])),
        ("nginx", version("nginx", &["-v"])),
        ("haproxy", version("haproxy", &["-v"])),
        ("redis", version("redis-server", &["--version"])),
        ("memcached", version("memcached", &["--version"])),
        ("webdis", is_here("webdis").then(|| package_version("webdis")).flatten()),
        ("etcd", version("etcd", &["--version"])),
        ("h2load", version("h2load", &["--version"])),
    ];
    values.into_iter().filter_map(|(name, value)| Some(Fact { name: name.into(), value: value? })).collect()
}

fn yes_or_no(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.into()
}

/// The first line of what a program says.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&text).lines().next()?.trim().to_owned())
}

/// For what does not say it itself.
fn package_version(package: &str) -> Option<String> {
    said("dpkg-query", &["--show", "--showformat", "${Package} ${Version}", package])
}
