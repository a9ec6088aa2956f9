//! Every chore of the project: `cargo xtask help` lists them.
//!
//! One file per chore; what they share is in `command`, `steps`, `tools` and `workspace`. No chore asks a question
//! or reads standard input, and each works from any directory of any clone.

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
    run: fn() -> Result<(), Error>,
}

const CHORES: &[Chore] = &[
    Chore {
        name: "test",
        does: "everything that must hold: format, lints, tests, docs, links",
        run: test::run,
    },
    Chore {
        name: "deny",
        does: "licences, bans and sources of dependencies (needs cargo-deny)",
        run: deny::run,
    },
    Chore { name: "links", does: "the links in all tracked Markdown files", run: links::run },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = match &*arguments {
        [] => "help",
        [name] => name,
        [_, surplus, ..] => return misuse(&format!("no chore takes an argument, found \"{surplus}\"")),
    };
    if matches!(name, "help" | "--help" | "-h") {
        println!("{}", help());
        return ExitCode::SUCCESS;
    }
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        return misuse(&format!("there is no chore \"{name}\""));
    };
    match (chore.run)() {
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
