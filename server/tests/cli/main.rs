//! The program itself, run as a person or a script runs it, against a node that answers from a script.
#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

#[path = "../../../client/tests/client/certificates.rs"]
mod certificates;
mod commands;
mod exits;
mod files;
mod keystores;
mod nodes;
mod pages;
mod secured;
#[allow(dead_code, reason = "the client's tests use more of it")]
#[path = "../../../client/tests/client/support.rs"]
mod support;
mod workshop;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::{Node, Step};

/// A command line of the program that knows nothing of this machine's settings.
fn ringhold(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringhold"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RINGHOLD_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What came of a run.
#[derive(Debug)]
struct Run {
    code: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl Run {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap()
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).unwrap();
        Self { code: output.status.code().unwrap(), stdout: output.stdout, stderr }
    }
}

/// Runs the program to its end, with this on stdin.
async fn run_with_input(mut command: Command, input: Vec<u8>) -> Run {
    tokio::task::spawn_blocking(move || {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A program that ends early does not read its input to the end.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output.into()
    })
    .await
    .unwrap()
}

async fn run(command: Command) -> Run {
    run_with_input(command, Vec::new()).await
}

/// Runs the program against a node that plays this script.
async fn against(script: impl IntoIterator<Item = Step>, arguments: &[&str]) -> (Run, Node) {
    let node = Node::start(script).await;
    let address = node.address.to_string();
    let run = run(ringhold(&[&["--node", &address], arguments].concat())).await;
    (run, node)
}

/// The names of the files in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
