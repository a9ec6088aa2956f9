//! `docs/security.md` works as typed: its commands run, its configurations hold.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::ringhold;

const PAGE: &str = include_str!("../../../docs/security.md");

/// The fenced blocks of a kind, in order.
fn blocks(kind: &str) -> impl Iterator<Item = &'static str> {
    let parts = PAGE.split("\n```").skip(1).step_by(2);
    parts.filter_map(move |part| part.strip_prefix(kind)?.strip_prefix('\n'))
}

#[test]
fn every_command_of_the_page_runs_in_order_and_every_configuration_holds() {
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_ringhold")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths(std::iter::once(program).chain(std::env::split_paths(&path))).unwrap();
    assert!(blocks("sh").count() >= 8 && blocks("toml").count() >= 4, "the page has lost its recipes");
    for block in blocks("sh") {
        let mut shell = Command::new("bash");
        shell.args(["-eu", "-o", "pipefail", "-c", block]).current_dir(folder.path()).env("PATH", &path);
        let output = shell.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{block}: {}", String::from_utf8_lossy(&output.stderr));
    }
    for (number, block) in blocks("toml").enumerate() {
        let file = folder.path().join(format!("{number}.toml"));
        std::fs::write(&file, block).unwrap();
        let output = ringhold(&["config", "check", file.to_str().unwrap()]).output().unwrap();
        assert!(output.status.success(), "{block}: {}", String::from_utf8_lossy(&output.stderr));
    }
    for made in ["ring.p12", "ring-secret", "token", "client.pem", "both.pem", "node-10.0.0.3.p12"] {
        assert!(folder.path().join(made).exists(), "{made}");
    }
}
