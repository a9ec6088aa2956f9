//! Every command of the README is executed here, and what it prints is what the README says it prints.
//!
//! A block that starts with ```` ```console ```` is a session: a line that starts with `$ ` is a command, what
//! follows is its output. In an output `…` stands for any text within a line, and a line that is only `…` for any
//! lines. The README's ring is on 127.0.0.1; the test's is on a loopback address of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn every_command_of_the_readme_prints_what_the_readme_says() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let steps: Vec<Step> = sessions(&readme).flat_map(|session| steps(&session)).collect();
    assert!(
        steps.len() >= 10,
        "the README has {} commands; is its form still known to this test?",
        steps.len()
    );
    let mut reader = Reader::new();
    for step in steps {
        reader.run(&step);
    }
}

/// One command and the output that the README shows for it.
struct Step {
    command: String,
    expected: Vec<String>,
}

fn sessions(readme: &str) -> impl Iterator<Item = String> {
    readme.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
}

fn steps(session: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in session.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command: command.to_owned(), expected: Vec::new() }),
            (None, Some(step)) if step.command.ends_with('\\') => {
                step.command.truncate(step.command.len() - 1);
                step.command += line.trim_start();
            }
            (None, Some(step)) => step.expected.push(line.to_owned()),
            (None, None) => panic!("a session starts with a command, not with: {line}"),
        }
    }
    steps
}

/// Somebody who types what the README says: one shell, and one ring in another terminal.
struct Reader {
    host: String,
    folder: PathBuf,
    /// Its output is kept open: a ring that nobody listens to ends.
    ring: Option<(Child, Receiver<String>)>,
    shell: Shell,
    /// Process numbers of the README and the real ones, by the README's.
    pids: Vec<(String, String)>,
    scratch: tempfile::TempDir,
}

impl Reader {
    fn new() -> Self {
        let folder = ringhold_integration_tests::binary().parent().unwrap().to_owned();
        let scratch = tempfile::tempdir().unwrap();
        let host = ringhold_integration_tests::loopback_address().to_string();
        let shell = Shell::start(&folder, scratch.path(), &host);
        Self { host, folder, ring: None, shell, pids: Vec::new(), scratch }
    }

    fn run(&mut self, step: &Step) {
        let (command, output) = if step.command.ends_with("-- cluster") {
            let lines = step.expected.iter().filter(|line| *line != "…").count();
            (step.command.clone(), self.start_ring(lines))
        } else {
            let command = self.here(&step.command);
            let output = self.shell.run(&command);
            (command, output)
        };
        self.learn_pids(&step.expected, &output);
        let expected: Vec<_> = step.expected.iter().map(|line| self.here(line)).collect();
        assert!(
            matches(&expected, &output),
            "`{command}` printed\n{}\nbut the README says\n{}",
            output.join("\n"),
            expected.join("\n")
        );
    }

    fn start_ring(&mut self, lines: usize) -> Vec<String> {
        let mut ring = Command::new(self.folder.join("ringhold"))
            .args(["cluster", "--host", &self.host])
            .current_dir(self.scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = lines_of(ring.stdout.take().unwrap());
        let (_, output) = self.ring.insert((ring, output));
        (0..lines).map(|_| output.recv_timeout(PATIENCE).expect("the ring says how to use it")).collect()
    }

    /// A line of the README as it reads with this ring's address and process numbers.
    fn here(&self, line: &str) -> String {
        let line = line
            .replace("127.0.0.1", &self.host)
            .replace("$PWD/target/release", &self.folder.display().to_string());
        self.pids.iter().fold(line, |line, (readme, real)| line.replace(readme, real))
    }

    fn learn_pids(&mut self, expected: &[String], output: &[String]) {
        let pid = |line: &str| Some(line.rsplit_once(" pid ")?.1.trim().to_owned());
        for (readme, real) in expected.iter().zip(output) {
            self.pids.extend(pid(readme).zip(pid(real)));
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some((ring, _)) = &mut self.ring {
            let _ = ring.kill();
            let _ = ring.wait();
        }
    }
}

struct Shell {
    process: Child,
    input: ChildStdin,
    output: Receiver<String>,
}

const DONE: &str = "the command is done";

impl Shell {
    fn start(program_folder: &Path, folder: &Path, host: &str) -> Self {
        let path = format!("{}:{}", program_folder.display(), std::env::var("PATH").unwrap());
        let mut process = Command::new("bash")
            .current_dir(folder)
            .env("PATH", path)
            .env("RINGHOLD_NODES", format!("http://{host}:9999"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = lines_of(process.stdout.take().unwrap());
        let mut shell = Self { process, input, output };
        shell.run("exec 2>&1");
        shell
    }

    fn run(&mut self, command: &str) -> Vec<String> {
        // A value without a line end at its end must not hide the mark.
        writeln!(self.input, "{command}\necho; echo '{DONE}'").unwrap();
        let mut lines = Vec::new();
        loop {
            let line =
                self.output.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("`{command}` does not end"));
            if line == DONE {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn lines_of(output: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    receiver
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Whether the output is what is expected, `…` standing for anything.
fn matches(expected: &[String], output: &[String]) -> bool {
    match (expected, output) {
        ([], rest) => rest.iter().all(String::is_empty),
        ([any, rest @ ..], _) if any == "…" => {
            (0..=output.len()).any(|skipped| matches(rest, &output[skipped..]))
        }
        ([line, rest @ ..], [printed, others @ ..]) => line_matches(line, printed) && matches(rest, others),
        ([line], []) => line.is_empty(),
        (_, []) => expected.iter().all(|line| line.is_empty() || line == "…"),
    }
}

/// Columns are as wide as addresses are, so the number of blanks between two words is not compared.
fn line_matches(expected: &str, printed: &str) -> bool {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let (expected, printed) = (words(expected), words(printed));
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    // Text after the last `…` stands at the end of the line.
    rest.is_empty() || last.is_some_and(|part| part.is_empty() || printed.ends_with(part))
}

#[test]
fn the_comparison_can_fail() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(matches(&lines("etag: \"…\"\n\nhello"), &lines("etag: \"abc\"\n\nhello")));
    assert!(!matches(&lines("etag: \"…\"\n\nhello"), &lines("etag: \"abc\"\n\nhullo")));
    assert!(!matches(&lines("hello"), &lines("hello\nworld")));
    assert!(matches(&lines("a\n…\nz"), &lines("a\nb\nc\nz")));
    assert!(!matches(&lines("a\n…\nz"), &lines("a\nb\nc")));
    assert!(!line_matches("a … c", "a b d"));
}
