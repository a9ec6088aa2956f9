//! Tables for people, raw results for programs.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::error::{Error, doing};
use crate::machine::Fact;
use crate::moments::Findings;
use crate::programs::settings;
use crate::rounds::{Effort, Measured, Sample, Table};

/// Everything that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// On what.
    pub machine: Vec<Fact>,
    /// With what effort.
    pub effort: Effort,
    /// Programs side by side.
    pub suites: Vec<Table>,
    /// The rest.
    pub moments: Vec<Findings>,
}

const INTRODUCTION: &str = "# Benchmarks

Written by `cargo xtask bench`; run it again to repeat everything here. It needs Debian or a system with the same
programs; what is missing is left out and named. `cargo xtask bench --quick` is for seeing that it works, not for
figures. Raw results: [benchmarks.json](benchmarks.json).

## How it is measured

- Every program is a process of its own on loopback. *Pinned*: all servers of a row on core 0, the load generator on
  core 1; a node that forwards and the member it forwards to share core 0. *Unpinned*: everything anywhere, as many
  workers as cores.
- The programs of a table take turns within a round. A ratio is taken within each round; the table has the median of
  the rounds' ratios. The machine should have nothing else to do: with other work on a core, requests a second say
  who was given more of it, and only server CPU can be compared.
- Open loops, where latency is what counts, have their servers ahead of all other processes on core 0 (`chrt --fifo 50`),
  where the system permits it.
- The generator is one thread with kept-alive connections. Closed loop: each connection sends its next request when
  an answer has come, so latencies there are those of a full queue. Open loop: requests fall due at a fixed rate, and
  latency counts from that moment, so no waiting is hidden. Every answer must be a success of exactly the right length.
- *Server CPU* is the time all of a row's server threads spent on a processor, from the kernel's scheduler, for each
  answer; the ratio beside it says how many answers a program gives where the first of the table gives one, by that
  measure. It does not depend on the generator. Where *generator CPU* is above 0.95, the generator was the limit: compare
  server CPU there, not requests. An open loop always spins, so its generator CPU says nothing.
- 16-byte keys; 1,024 objects below 1 KiB, 128 below 1 MiB, 8 above. Every object is written before it is read or
  overwritten.

What the comparison is not: nginx answers a constant and stores nothing; hyper with a map has no limits, no expiry and no
versions; Redis and memcached speak protocols of their own, with shorter requests than HTTP's.
";

impl Report {
    /// Writes both files.
    pub fn write(&self, directory: &Path) -> Result<(), Error> {
        for (name, text) in
            [("benchmarks.md", self.page()), ("benchmarks.json", serde_json::to_string_pretty(self)? + "\n")]
        {
            let file = directory.join(name);
            std::fs::write(&file, text).map_err(doing(format!("writing {}", file.display())))?;
            eprintln!("wrote {}", file.display());
        }
        Ok(())
    }

    fn page(&self) -> String {
        let mut text = INTRODUCTION.to_owned();
        let _ = writeln!(text, "\n## On what\n\n| | |\n|---|---|");
        for Fact { name, value } in &self.machine {
            let _ = writeln!(text, "| {name} | {value} |");
        }
        let Effort { rounds, warm_up, measured, .. } = self.effort;
        let _ = writeln!(
            text,
            "\n{rounds} rounds; in each, {measured:?} of each program after {warm_up:?} of warm-up."
        );
        text += "\n## Results\n";
        text += &self.tables();
        text += "\n## Settings\n\nAll that differs from each program's defaults, at example addresses.\n";
        for (program, settings) in settings::all() {
            let _ = write!(text, "\n`{program}`\n\n```\n{}\n```\n", settings.trim_end());
        }
        text
    }

    /// The tables alone.
    pub fn tables(&self) -> String {
        let mut text = String::new();
        for table in &self.suites {
            suite(&mut text, table);
        }
        for findings in &self.moments {
            moment(&mut text, findings);
        }
        text
    }
}

fn suite(text: &mut String, table: &Table) {
    let _ = writeln!(text, "\n### {}\n", table.title);
    if let Some(base) = table.rows.first() {
        let _ = writeln!(
            text,
            "| what | requests/s | ratio to {} | min to max | p50 us | p99 us | p99.9 us | server CPU us/request | ratio | generator CPU |",
            base.name
        );
        let _ = writeln!(text, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        for row in &table.rows {
            let _ = writeln!(text, "{}", line(row, base));
        }
    }
    if !table.goals.is_empty() {
        text.push('\n');
    }
    for goal in &table.goals {
        let _ =
            writeln!(text, "- {}: {}", goal.text, if goal.reached { "reached" } else { "**not reached**" });
    }
    for skipped in &table.skipped {
        let _ = writeln!(text, "\nLeft out: {skipped}.");
    }
}

fn line(row: &Measured, base: &Measured) -> String {
    let rate = |sample: &Sample| sample.outcome.per_second;
    let (least, most) = row.range(rate);
    let latency = |of: fn(&Sample) -> f64| match row.median(of) {
        latency if latency > 0.0 => format!("{latency:.0}"),
        _ => "-".into(),
    };
    let generator = row.median(|sample| sample.outcome.generator_cpu);
    let generator = if generator > 0.0 { format!("{generator:.2}") } else { "-".into() };
    let servers = row.samples.first().map_or(&[][..], |sample| &sample.cpu_us);
    let each = servers.iter().enumerate().map(|(index, (name, _))| {
        let cpu = row.median(|sample| sample.cpu_us.get(index).map_or(f64::NAN, |(_, cpu)| *cpu));
        if servers.len() == 1 { format!("{cpu:.2}") } else { format!("{name} {cpu:.2}") }
    });
    format!(
        "| {} | {} | {:.2} | {} to {} | {} | {} | {} | {} | {:.2} | {generator} |",
        row.name,
        thousands(row.median(rate)),
        row.ratio(base, rate),
        thousands(least),
        thousands(most),
        latency(|sample| sample.outcome.p50_us),
        latency(|sample| sample.outcome.p99_us),
        latency(|sample| sample.outcome.p999_us),
        each.collect::<Vec<_>>().join(" + "),
        base.ratio(row, Sample::cpu),
    )
}

fn moment(text: &mut String, findings: &Findings) {
    let _ = writeln!(text, "\n### {}\n\n| {} |", findings.title, findings.columns.join(" | "));
    let _ = writeln!(text, "|---|{}", "---:|".repeat(findings.columns.len().saturating_sub(1)));
    for row in &findings.rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    let _ = writeln!(text, "\n{}", findings.note);
}

/// With a comma between thousands.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas_between_them() {
        assert_eq!([999.0, 1000.0, 1_234_567.4].map(thousands), ["999", "1,000", "1,234,567"]);
    }
}
