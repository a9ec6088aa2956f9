//! `cargo xtask test`: everything that must always hold, in the order in which a mistake is cheapest to learn of.
//!
//! It needs a Rust toolchain and a network for dependencies; what else the tests use, it brings. It is what
//! continuous integration runs, and nothing there runs anything else.

use std::path::PathBuf;

use crate::command::CommandLine;
use crate::error::Error;
use crate::steps::Steps;
use crate::{fuzz, instructions, links, simulate, tools};

/// The program whose processes the integration tests start.
const PROGRAM: &str = "ringhold";

/// How long each target is fuzzed.
const FUZZ_SECONDS: u32 = 60;
/// With `--quick`: a look at whether it works, and no search.
const QUICK_FUZZ_SECONDS: u32 = 1;

/// Takes every step, up to the first that fails, and prints a table of them. With `--quick` parsers are fuzzed for a
/// second each rather than a minute; nothing else is left out.
pub fn run(arguments: &[String]) -> Result<(), Error> {
    let fuzz_seconds = match arguments {
        [] => FUZZ_SECONDS,
        [quick] if quick == "--quick" => QUICK_FUZZ_SECONDS,
        [other, ..] => {
            return Err(Error::Argument { argument: other.clone(), right: "nothing, or --quick once" });
        }
    };
    let mut steps = Steps::default();
    let result = take_all(&mut steps, fuzz_seconds);
    println!("\n{}", steps.table());
    result
}

fn take_all(steps: &mut Steps, fuzz_seconds: u32) -> Result<(), Error> {
    let cargo = |arguments| move || CommandLine::cargo(arguments).run();
    steps.take("tools", tools::ensure)?;
    steps.take("format", cargo("fmt --all --check"))?;
    steps.take("lints", cargo("clippy --workspace --all-targets --locked -- -D warnings"))?;
    // Rings of real processes are judged by how long things take, so they run what users run.
    let program = steps.take("release program", build_program)?;
    steps.take("instructions", || instructions::count(&program, &[]))?;
    steps.take("tests", || {
        // A test that skips itself where something is not allowed must not do so here.
        let tests = CommandLine::cargo("test --workspace --locked").with("RINGHOLD_BIN", program);
        tests.with("RINGHOLD_CI", "1").run()
    })?;
    steps.take("simulation", || simulate::run(&["--seeds".into(), simulate::TESTED_SEEDS.into()]))?;
    steps.take("documentation", || {
        CommandLine::cargo("doc --workspace --no-deps --locked").with("RUSTDOCFLAGS", "-D warnings").run()
    })?;
    steps.take("links", links::run)?;
    // Alone on the machine, since it takes all of it; last, since it takes longest to tell of a mistake.
    steps.take("fuzzer", fuzz::build)?;
    steps.take("fuzz", || fuzz::run(&["--seconds".into(), fuzz_seconds.to_string()]))
}

/// Builds the program and asks cargo where it put it: the target directory is a matter of configuration.
pub fn build_program() -> Result<PathBuf, Error> {
    let build = CommandLine::cargo(
        "build --release --package ringhold-server --locked --message-format json-render-diagnostics",
    );
    let command = build.shown().to_owned();
    let messages = build.run_for_output()?;
    executable(&messages).ok_or(Error::NoProgram { command, program: PROGRAM })
}

fn executable(messages: &[u8]) -> Option<PathBuf> {
    let messages = messages.split(|byte| *byte == b'\n');
    let messages = messages.filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
    let mut programs = messages.filter(|message| message["target"]["name"] == PROGRAM);
    programs.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_that_means_nothing_ends_it_before_the_first_step() {
        for arguments in [vec!["--fast"], vec!["--quick", "--quick"]] {
            let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
            let error = run(&arguments).unwrap_err();
            assert!(error.to_string().contains("--quick"), "{error}");
        }
    }

    #[test]
    fn the_program_is_where_cargo_says_it_put_it() {
        let messages = br#"{"reason":"compiler-artifact","target":{"name":"bytes"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"ringhold"},"executable":"/elsewhere/release/ringhold"}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(executable(messages), Some("/elsewhere/release/ringhold".into()));
        assert_eq!(executable(br#"{"reason":"build-finished","success":true}"#), None);
    }
}
