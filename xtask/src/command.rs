//! A command line: shown before it runs, run at the root of the workspace with nothing on its standard input.

use std::ffi::OsString;
use std::process::{Command, ExitStatus, Stdio};

use crate::error::Error;
use crate::workspace;

/// A program, its arguments and what is added to its environment.
#[derive(Debug)]
pub struct CommandLine {
    program: OsString,
    shown: String,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
}

impl CommandLine {
    /// `program` with `arguments`, which are separated by blanks.
    pub fn new(program: &str, arguments: &str) -> Self {
        Self {
            program: program.into(),
            shown: format!("{program} {arguments}").trim_end().into(),
            arguments: arguments.split_whitespace().map(Into::into).collect(),
            environment: Vec::new(),
        }
    }

    /// Cargo with `arguments`.
    pub fn cargo(arguments: &str) -> Self {
        Self { program: workspace::cargo(), ..Self::new("cargo", arguments) }
    }

    /// With this variable set.
    pub fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        let value = value.into();
        self.shown = format!("{name}=\"{}\" {}", value.display(), self.shown);
        self.environment.push((name, value));
        self
    }

    /// With these arguments more, each as it is.
    pub fn followed_by(mut self, arguments: &[String]) -> Self {
        for argument in arguments {
            self.shown = format!("{} {argument}", self.shown);
            self.arguments.push(argument.into());
        }
        self
    }

    /// Shows itself, runs, and passes its output through.
    pub fn run(self) -> Result<(), Error> {
        self.announce();
        let status = self.command().status();
        self.judge(status)
    }

    /// As [`CommandLine::run`], but hands its standard output over.
    pub fn run_for_output(self) -> Result<Vec<u8>, Error> {
        self.announce();
        let output = self.command().stderr(Stdio::inherit()).output();
        let (status, stdout) = match output {
            Ok(output) => (Ok(output.status), output.stdout),
            Err(error) => (Err(error), Vec::new()),
        };
        self.judge(status).map(|()| stdout)
    }

    /// The command line as a shell would take it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    fn announce(&self) {
        println!("$ {}", self.shown);
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        command.args(&self.arguments).envs(environment).current_dir(workspace::root()).stdin(Stdio::null());
        command
    }

    fn judge(self, status: std::io::Result<ExitStatus>) -> Result<(), Error> {
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Error::Failed { command: self.shown, status }),
            Err(source) => Err(Error::CannotStart { command: self.shown, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_is_an_error_that_shows_it() {
        let error = CommandLine::new("false", "").with("COLOUR", "red").run().unwrap_err().to_string();
        assert_eq!(error, "`COLOUR=\"red\" false` failed (exit status: 1); its output is above");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let error = CommandLine::new("no-such-program", "--at all").run().unwrap_err();
        assert!(matches!(error, Error::CannotStart { command, .. } if command == "no-such-program --at all"));
    }

    #[test]
    fn an_argument_that_follows_stays_one_argument() {
        let command = CommandLine::new("printf", "%s.").followed_by(&["a b".into(), "c".into()]);
        assert_eq!(command.shown(), "printf %s. a b c");
        assert_eq!(command.run_for_output().unwrap(), b"a b.c.");
    }

    #[test]
    fn a_command_gets_its_environment_and_an_empty_input() {
        let output = CommandLine::new("env", "").with("RINGHOLD_COLOUR", "blue").run_for_output().unwrap();
        assert!(String::from_utf8(output).unwrap().lines().any(|line| line == "RINGHOLD_COLOUR=blue"));
        assert_eq!(CommandLine::new("cat", "").run_for_output().unwrap(), b"");
    }
}
