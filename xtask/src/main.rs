//! Every chore of the project: `cargo xtask help` lists them.
//!
//! One file per chore; what they share is in `command`, `steps`, `tools` and `workspace`. No chore asks a question
//! or reads standard input, and each works from any directory of any clone.

mod bench;
mod command;
mod deny;
mod error;
mod faults;
mod fuzz;
mod instructions;
mod links;
mod simulate;
mod steps;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use error::Error;

struct Chore {
    name: &'static str,
    does: &'static str,
    run: Run,
}

enum Run {
    /// It takes no arguments.
    Plain(fn() -> Result<(), Error>),
    /// It takes these, and passes them on.
    With(fn(&[String]) -> Result<(), Error>),
}

const CHORES: &[Chore] = &[
    Chore {
        name: "test",
        does: "everything that must hold: format, lints, tests, docs, links, fuzz; --quick to fuzz for seconds only",
        run: Run::With(test::run),
    },
    Chore {
        name: "bench",
        does: "Ringhold beside what a user would pick instead, into docs/benchmarks.md; --quick to try it",
        run: Run::With(bench::run),
    },
    Chore {
        name: "faults",
        does: "rings of processes put through real faults, into docs/faults.md; [--only NAME,...] [--rounds N] to try some",
        run: Run::With(faults::run),
    },
    Chore {
        name: "instructions",
        does: "what a request costs in instructions against what is recorded; --record to record",
        run: Run::With(instructions::run),
    },
    Chore {
        name: "deny",
        does: "licences, bans and sources of dependencies (needs cargo-deny)",
        run: Run::Plain(deny::run),
    },
    Chore { name: "links", does: "the links in all tracked Markdown files", run: Run::Plain(links::run) },
    Chore {
        name: "fuzz",
        does: "broken input for every parser: [--seconds N | --inputs N] [--seed N] [TARGET...]",
        run: Run::With(fuzz::run),
    },
    Chore {
        name: "simulate",
        does: "whole rings over a simulated network and clock: [--seeds N] [--first S] | --seed S | --scale",
        run: Run::With(simulate::run),
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = match &*arguments {
        [] => ("help", &[] as &[String]),
        [name, rest @ ..] => (name.as_str(), rest),
    };
    if matches!(name, "help" | "--help" | "-h") {
        println!("{}", help());
        return ExitCode::SUCCESS;
    }
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        return misuse(&format!("there is no chore \"{name}\""));
    };
    let result = match (&chore.run, rest) {
        (Run::With(run), arguments) => run(arguments),
        (Run::Plain(run), []) => run(),
        (Run::Plain(_), [surplus, ..]) => {
            return misuse(&format!("{name} takes no argument, found \"{surplus}\""));
        }
    };
    match result {
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
    let chores = CHORES.iter().map(|chore| format!("\n  {:<12} {}", chore.name, chore.does));
    format!("Usage: cargo xtask <chore>\n{}\n  {:<12} {}", chores.collect::<String>(), "help", "this list")
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
