//! `ringhold-fuzz [--seconds N | --inputs N] [--seed N] [TARGET...]`, and `ringhold-fuzz --replay TARGET FILE`.
//!
//! Usually run as `cargo xtask fuzz`, which builds it with optimisation and checks. It starts itself once more for each
//! target, as `--alone`, with limits of memory and of processor time.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use ringhold_fuzz::drive::{self, Bound, Finding};
use ringhold_fuzz::spread;
use ringhold_fuzz::targets::{TARGETS, Target};
use ringhold_server::security::certificate::Fingerprint;
use rustix::process::{Resource, Rlimit, setrlimit};

const USAGE: &str = "ringhold-fuzz [--seconds N | --inputs N] [--seed N] [TARGET...]\n\
                     ringhold-fuzz --replay TARGET FILE";
/// Where inputs that break a target are written.
const FINDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/findings");
/// The memory of a target's process; what asks for more would take a small machine down.
const MAX_MEMORY_BYTES: u64 = 4 << 30;
/// Processor seconds beyond the time of a run, for samples and for one input that does not end.
const SPARE_SECONDS: u64 = 30;
/// Writing every input down takes its time: what came within a run comes within so many.
const NOTING_TAKES: u32 = 10;

struct Wanted {
    bound: Bound,
    seed: u64,
    targets: Vec<&'static Target>,
    /// This process runs its one target itself.
    alone: bool,
    /// Where it writes each input first.
    note: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match &*arguments {
        [replay, target, file] if replay == "--replay" => run_again(target, Path::new(file)),
        _ => read(&arguments).and_then(|wanted| if wanted.alone { run_alone(&wanted) } else { run(&wanted) }),
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
    let bound = Bound::Time(Duration::from_secs(60));
    let mut wanted = Wanted { bound, seed: any_seed(), targets: Vec::new(), alone: false, note: None };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value\n{USAGE}"));
        let number = |text: &String| {
            text.parse::<u64>().map_err(|_| format!("{argument} needs a number, found \"{text}\""))
        };
        match argument.as_str() {
            "--seconds" => wanted.bound = Bound::Time(Duration::from_secs(number(value()?)?)),
            "--inputs" => wanted.bound = Bound::Inputs(number(value()?)?),
            "--seed" => wanted.seed = number(value()?)?,
            "--alone" => wanted.alone = true,
            "--note" => wanted.note = Some(value()?.into()),
            name if !name.starts_with('-') => wanted.targets.push(find(name)?),
            _ => return Err(format!("unknown option {argument}\n{USAGE}")),
        }
    }
    if wanted.targets.is_empty() {
        wanted.targets.extend(TARGETS);
    }
    Ok(wanted)
}

/// Another one for each run, so that runs add up; it is short, as people will copy it.
fn any_seed() -> u64 {
    RandomState::new().build_hasher().finish() >> 32
}

fn run(wanted: &Wanted) -> Result<(), String> {
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (targets, seed) = (&wanted.targets, wanted.seed);
    println!("{} targets from seed {seed}, {jobs} at a time", targets.len());
    let program = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let results = spread::side_by_side(targets, jobs, |target| {
        let note = Path::new(FINDINGS).join(format!("{}-seed-{seed}", target.name));
        spread::supervise(target.name, &note, |note| alone(&program, target, wanted, note))
    });
    let broken: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    if broken.is_empty() {
        return Ok(());
    }
    Err(format!("{}\n  the whole run again: add --seed {seed}", broken.join("\n")))
}

fn alone(program: &Path, target: &Target, wanted: &Wanted, note: Option<&Path>) -> Command {
    let mut command = Command::new(program);
    command.args(["--alone", target.name, "--seed", &wanted.seed.to_string()]);
    let takes = if note.is_some() { NOTING_TAKES } else { 1 };
    match wanted.bound {
        Bound::Inputs(count) => command.args(["--inputs", &count.to_string()]),
        Bound::Time(time) => command.args(["--seconds", &(time * takes).as_secs().to_string()]),
    };
    if let Some(note) = note {
        command.arg("--note").arg(note);
    }
    command
}

fn run_alone(wanted: &Wanted) -> Result<(), String> {
    limit(Resource::As, MAX_MEMORY_BYTES)?;
    if let Bound::Time(time) = wanted.bound {
        limit(Resource::Cpu, time.as_secs() + SPARE_SECONDS)?;
    }
    for target in &wanted.targets {
        let samples = drive::samples(target).map_err(|error| error.to_string())?;
        let report = drive::run(target, samples, wanted.seed, wanted.bound, |input| {
            if let Some(note) = &wanted.note {
                // A note that cannot be written is missed by whoever looks for it.
                let _ = std::fs::write(note, input);
            }
        });
        let name = target.name;
        let drive::Report { inputs, answers } =
            report.map_err(|finding| keep(&finding).unwrap_or_else(|why| format!("{finding}\n  {why}")))?;
        println!("{name:<12} {inputs:>10} inputs, {answers:>4} different answers: sound");
    }
    Ok(())
}

fn limit(resource: Resource, most: u64) -> Result<(), String> {
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
        .map_err(|error| format!("cannot limit {resource:?} to {most}: {error}"))
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
    limit(Resource::As, MAX_MEMORY_BYTES)?;
    let answer = drive::try_one(target, &input).map_err(|finding| finding.to_string())?;
    println!("{}: sound, it answers {answer}", target.name);
    Ok(())
}

fn find(name: &str) -> Result<&'static Target, String> {
    let names = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    let found = TARGETS.iter().find(|target| target.name == name);
    found.ok_or_else(|| format!("there is no target \"{name}\"; there are: {}", names()))
}
