//! `ringhold-fuzz [--seconds N | --inputs N] [--seed N] [TARGET...]`, and `ringhold-fuzz --replay TARGET FILE`.
//!
//! Usually run as `cargo xtask fuzz`, which builds it with optimisation and checks.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use ringhold_fuzz::drive::{self, Bound, Finding};
use ringhold_fuzz::targets::{TARGETS, Target};
use ringhold_server::security::certificate::Fingerprint;

const USAGE: &str = "ringhold-fuzz [--seconds N | --inputs N] [--seed N] [TARGET...]\n\
                     ringhold-fuzz --replay TARGET FILE";
/// Where inputs that break a target are written.
const FINDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/findings");

struct Wanted {
    bound: Bound,
    seed: u64,
    targets: Vec<&'static Target>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match &*arguments {
        [replay, target, file] if replay == "--replay" => run_again(target, Path::new(file)),
        _ => read(&arguments).and_then(|wanted| run(&wanted)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("ringhold-fuzz: {why}");
            ExitCode::FAILURE
        }
    }
}

fn read(arguments: &[String]) -> Result<Wanted, String> {
    let mut wanted = Wanted { bound: Bound::Time(Duration::from_secs(60)), seed: 1, targets: Vec::new() };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut number = || {
            let text = rest.next().ok_or_else(|| format!("{argument} needs a number\n{USAGE}"))?;
            text.parse::<u64>().map_err(|_| format!("{argument} needs a number, found \"{text}\""))
        };
        match argument.as_str() {
            "--seconds" => wanted.bound = Bound::Time(Duration::from_secs(number()?)),
            "--inputs" => wanted.bound = Bound::Inputs(number()?),
            "--seed" => wanted.seed = number()?,
            name if !name.starts_with('-') => wanted.targets.push(find(name)?),
            _ => return Err(format!("unknown option {argument}\n{USAGE}")),
        }
    }
    if wanted.targets.is_empty() {
        wanted.targets.extend(TARGETS);
    }
    Ok(wanted)
}

fn run(wanted: &Wanted) -> Result<(), String> {
    let mut broken = Vec::new();
    for target in &wanted.targets {
        let samples = drive::samples(target).map_err(|error| error.to_string())?;
        match drive::run(target, samples, wanted.seed, wanted.bound) {
            Ok(report) => println!(
                "{:<12} {:>10} inputs, {:>4} different answers: sound",
                target.name, report.inputs, report.answers
            ),
            Err(finding) => {
                println!("{:<12} BROKEN", target.name);
                broken.push(keep(&finding)?);
            }
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n")) }
}

/// Writes the input down; answers how to see it again.
fn keep(finding: &Finding) -> Result<String, String> {
    let digest: String = Fingerprint::of(&finding.input).to_string().replace(':', "");
    let name = format!("{}-{}", finding.target, digest.get(..16).unwrap_or(&digest).to_lowercase());
    let path = Path::new(FINDINGS).join(name);
    let written = std::fs::create_dir_all(FINDINGS).and_then(|()| std::fs::write(&path, &finding.input));
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(format!(
        "{finding}\n  again: cargo run -p ringhold-fuzz -- --replay {} {}",
        finding.target,
        path.display()
    ))
}

fn run_again(target: &str, file: &Path) -> Result<(), String> {
    let target = find(target)?;
    let input = std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let answer = drive::try_one(target, &input).map_err(|finding| finding.to_string())?;
    println!("{}: sound, it answers {answer}", target.name);
    Ok(())
}

fn find(name: &str) -> Result<&'static Target, String> {
    let names = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    let found = TARGETS.iter().find(|target| target.name == name);
    found.ok_or_else(|| format!("there is no target \"{name}\"; there are: {}", names()))
}
