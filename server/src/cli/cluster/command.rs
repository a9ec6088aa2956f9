//! What may be typed while a local ring runs.
//!
//! A ring without anybody at its standard input goes on without: an empty or closed input ends nothing, and a ring in the
//! background of a shell leaves the terminal alone, because reading from it would stop the ring.

use std::io::{BufRead as _, IsTerminal as _};

use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;
use tokio::sync::mpsc;

/// What it is to become of the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// One node more.
    Add,
    /// One node less: the last.
    Remove,
}

impl Command {
    /// The command in a line, if there is one in it.
    ///
    /// # Errors
    /// What could be typed instead.
    fn parse(line: &str) -> Result<Option<Self>, String> {
        match line.trim() {
            "" => Ok(None),
            "+" => Ok(Some(Self::Add)),
            "-" => Ok(Some(Self::Remove)),
            _ => {
                Err("type + and Enter to add a node, - and Enter to remove the last; Ctrl-C stops all".into())
            }
        }
    }
}

/// The commands as they are typed.
#[derive(Debug)]
pub(super) struct Commands(mpsc::Receiver<Result<Command, String>>);

impl Commands {
    /// Those of standard input. They are read by a thread, because a blocked read cannot be cancelled.
    pub(super) fn of_stdin() -> Self {
        let (typed, commands) = mpsc::channel(1);
        if is_ours() {
            std::thread::spawn(move || {
                for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                    let Some(command) = Command::parse(&line).transpose() else { continue };
                    if typed.blocking_send(command).is_err() {
                        break;
                    }
                }
            });
        }
        Self(commands)
    }

    /// The next one, or what could be typed instead of what was; waits for ever when there will be none.
    pub(super) async fn next(&mut self) -> Result<Command, String> {
        match self.0.recv().await {
            Some(command) => command,
            None => std::future::pending().await,
        }
    }
}

/// Whether what is typed is meant for this process.
fn is_ours() -> bool {
    let stdin = std::io::stdin();
    !stdin.is_terminal() || tcgetpgrp(stdin).is_ok_and(|foreground| foreground == getpgrp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_a_command_and_anything_else_is_answered_with_what_is() {
        assert_eq!(Command::parse("+\r"), Ok(Some(Command::Add)));
        assert_eq!(Command::parse(" - "), Ok(Some(Command::Remove)));
        assert_eq!(Command::parse(""), Ok(None));
        for line in ["help", "++", "add"] {
            assert!(Command::parse(line).unwrap_err().contains("+ and Enter"), "{line}");
        }
    }
}
