//! A folder in which `keytool`, `openssl` and the program work. A tool that is missing fails the test.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{Run, ringhold, run_with_input};

/// What every keystore here is opened with; no output may show it.
pub const PASSWORD: &str = "open-sesame-4711";

pub struct Workshop(tempfile::TempDir);

impl Workshop {
    /// It holds the file `password`.
    pub fn new() -> Self {
        let shop = Self(tempfile::tempdir().unwrap());
        shop.write("password", format!("{PASSWORD}\n"));
        shop
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub fn mode(&self, name: &str) -> u32 {
        std::fs::metadata(self.path(name)).unwrap().mode() & 0o777
    }

    /// Runs a tool; it must succeed. Answers what it said.
    pub fn tool(&self, line: &str) -> String {
        let mut words = line.split_whitespace();
        let mut command = Command::new(words.next().unwrap());
        command.args(words.map(|word| word.replace("PASSWORD", PASSWORD)));
        command.current_dir(self.0.path()).stdin(Stdio::null());
        command.env("JAVA_TOOL_OPTIONS", "-Xshare:auto -XX:TieredStopAtLevel=1");
        let output = command.output().map_err(|error| format!("{line}: is it on the PATH? {error}")).unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{line}: {said}");
        said
    }

    /// A command line of the program, to be run in the folder.
    pub fn command(&self, line: &str) -> Command {
        let mut command = ringhold(&line.split_whitespace().collect::<Vec<_>>());
        command.current_dir(self.0.path());
        command
    }

    /// Runs the program in the folder; it must not show the password.
    pub async fn ringhold(&self, line: &str) -> Run {
        self.ringhold_with(line, "").await
    }

    /// The same, with this on stdin.
    pub async fn ringhold_with(&self, line: &str, input: &str) -> Run {
        self.finish(self.command(line), input).await
    }

    pub async fn finish(&self, command: Command, input: &str) -> Run {
        let run = run_with_input(command, input.into()).await;
        assert!(!format!("{run:?}{}", run.text()).contains(PASSWORD), "{run:?}");
        run
    }

    /// The same; it must succeed.
    pub async fn succeed(&self, line: &str) -> Run {
        let run = self.ringhold(line).await;
        assert_eq!(run.code, 0, "{line}: {run:?}");
        run
    }
}
