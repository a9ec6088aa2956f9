//! Every chore of the project: `cargo xtask help` lists them.
//!
//! One file per chore; what they share is in `command`, `steps`, `tools` and `workspace`. No chore asks a question
//! or reads standard input, and each works from any directory of any clone.

mod bench;
mod command;
mod deny;
mod error;
mod links;
mod steps;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use error::Error;

struct Chore {
    name: &'static str,
    does: &'static str,
    /// The one flag that it takes.
    flag: Option<&'static str>,
    run: fn(Flag) -> Result<(), Error>,
}

/// Whether a chore's flag was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    Given,
    NotGiven,
}

const CHORES: &[Chore] = &[
    Chore {
        name: "test",
        does: "everything that must hold: format, lints, tests, docs, links",
        flag: None,
        run: |_| test::run(),
    },
    Chore {
        name: "bench",
        does: "Ringhold beside what a user would pick instead, into docs/benchmarks.md; --quick to try it",
        flag: Some("--quick"),
        run: bench::run,
    },
    Chore {
        name: "deny",
        does: "licences, bans and sources of dependencies (needs cargo-deny)",
        flag: None,
        run: |_| deny::run(),
    },
    Chore {
        name: "links",
        does: "the links in all tracked Markdown files",
        flag: None,
        run: |_| links::run(),
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, surplus) = match &*arguments {
        [] => ("help", &[][..]),
        [name, surplus @ ..] => (&**name, surplus),
    };
    if matches!(name, "help" | "--help" | "-h") {
        println!("{}", help());
        return ExitCode::SUCCESS;
    }
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        return misuse(&format!("there is no chore \"{name}\""));
    };
    let flag = match surplus {
        [] => Flag::NotGiven,
        [flag] if chore.flag == Some(flag) => Flag::Given,
        [flag, ..] => return misuse(&format!("\"{name}\" does not take \"{flag}\"")),
    };
    match (chore.run)(flag) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ncargo xtask {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn misuse(what: &str) -> ExitCode {
    eprintln!("cargo xtask: {what}\n\n{}", help());
    ExitCode::from(2)
}

fn help() -> String {
    let chores = CHORES.iter().map(|chore| format!("\n  {:<6} {}", chore.name, chore.does));
    format!("Usage: cargo xtask <chore>\n{}\n  {:<6} {}", chores.collect::<String>(), "help", "this list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_chore_once() {
        let help = help();
        for chore in CHORES {
            assert_eq!(help.matches(&format!("\n  {} ", chore.name)).count(), 1, "{help}");
        }
    }
}
