//! The page for people: goals, tables, settings.

use std::fmt::Write as _;

use super::{Report, plot};
use crate::moments::Findings;
use crate::programs::settings;
use crate::suites::Places;
use crate::table::{Measured, Sample, Table, Verdict};

const INTRODUCTION: &str = "# Benchmarks

Written by `cargo xtask bench`; run it again to repeat everything here. It takes about 35 minutes beside the build, and
wants two cores with nothing else to do. It needs Debian or a system with the same programs; what is missing is left out
and named. `cargo xtask bench --quick`, about 10 minutes, is for seeing that it works, not for figures. `cargo xtask bench
--only NAME` measures the tables with this in their name and prints them; with `--update` it also puts them here, in place
of the old ones. Raw results: [benchmarks.json](benchmarks.json).

## How it is measured

- Every program is a process of its own on loopback. *Pinned*: all servers of a row on core 0, the load generator on
  core 1; a node that forwards and the member it forwards to share core 0. *Unpinned*: everything anywhere, as many
  workers as cores.
- The programs of a table take turns within a round. A ratio is taken within each round; the table has the median of
  the rounds' ratios. The machine should have nothing else to do: with other work on a core, requests a second say
  who was given more of it, and only server CPU can be compared.
- A goal of rates is judged twice, by requests a second and by server CPU. Where they differ, it says so: then the
  generator, or what else used the machine, was the limit of one side or of both; or the row has more cores than one.
- Open loops, where latency is what counts, have their servers ahead of all other processes on core 0 (`chrt --fifo 50`),
  where the system permits it. What loads them beside that has core 0 too, behind them.
- Where connections speak TLS, all programs and the generator show the same EC P-256 certificate and check the other's
  against the same authority. The generator decrypts and checks everything it gets, so over TLS it works harder than
  some servers: compare server CPU there.
- The generator is one thread with kept-alive connections. Closed loop: each connection sends its next request when
  an answer has come, so latencies there are those of a full queue. Open loop: requests fall due at a fixed rate, and
  latency counts from that moment, so no waiting is hidden. Every answer must be a success of exactly the right length.
  It is not the limit below about 185,000 answers a second (its own ceiling is in the first table), has no HTTP/2
  (h2load stands in, which measures no latency worth a row), and says nothing of networks: everything is on loopback.
- *Server CPU* is the time all of a row's server threads spent on a processor, from the kernel's scheduler, for each
  answer; the ratio beside it says how many answers a program gives where the first of the table gives one, by that
  measure. It does not depend on the generator. Where *generator CPU* is above 0.95, the generator was the limit: compare
  server CPU there, not requests. An open loop always spins, so its generator CPU says nothing.
- 16-byte keys; 1,024 objects below 1 KiB, 128 below 1 MiB, 8 above. Every object is written before it is read or
  overwritten.

What the comparison is not: nginx answers a constant and stores nothing; hyper with a map has no limits, no expiry and no
versions; Redis and memcached speak protocols of their own, with shorter requests than HTTP's.
";

/// The whole page.
pub fn page(report: &Report) -> String {
    let mut text = INTRODUCTION.to_owned();
    let _ = writeln!(text, "\n## On what\n\n| | |\n|---|---|");
    for fact in &report.machine {
        let _ = writeln!(text, "| {} | {} |", fact.name, cell(&fact.value));
    }
    text += "\n## Goals\n\n";
    text += &goals(report);
    text += "\n## Results\n";
    text += &tables(report);
    text += "\n## Settings\n\nAll that differs from each program's defaults, at example addresses.\n";
    for (program, settings) in settings::all() {
        let _ = write!(text, "\n`{program}`\n\n```\n{}\n```\n", settings.trim_end());
    }
    text
}

/// Each goal beside what came out.
fn goals(report: &Report) -> String {
    let suites = report.suites.iter().map(|table| (&table.name, &table.title, &table.goals));
    let moments = report.moments.iter().map(|found| (&found.name, &found.title, &found.goals));
    let mut text =
        "| table | what | in | wanted | found | by server CPU | |\n|---|---|---|---|---:|---:|---|\n"
            .to_owned();
    for (name, title, goals) in suites.chain(moments) {
        for Verdict { what, figure, wanted, found, by_cpu, reached, .. } in goals {
            let by_cpu = by_cpu.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
            let table = format!("[{name}](#{})", anchor(title));
            let _ = writeln!(
                text,
                "| {table} | {what} | {figure} | {wanted} | {found} | {by_cpu} | {} |",
                reached.text()
            );
        }
    }
    text
}

/// The tables alone.
pub fn tables(report: &Report) -> String {
    let mut text = String::new();
    for table in &report.suites {
        suite(&mut text, table);
    }
    for findings in &report.moments {
        moment(&mut text, findings);
    }
    text
}

fn suite(text: &mut String, table: &Table) {
    let _ = writeln!(text, "\n### {}\n\n`{}`: {}.\n", table.title, table.name, table.measured);
    if let Some(base) = table.rows.first() {
        let is_latency = table.places == Places::PinnedAhead;
        let columns = if is_latency {
            "| what | requests/s | p50 us | ratio to BASE | p99 us | ratio | p99.9 us | server CPU us/request | generator CPU |"
        } else {
            "| what | requests/s | ratio to BASE | min to max | p50 us | p99 us | p99.9 us | server CPU us/request | ratio | generator CPU |"
        };
        let _ = writeln!(text, "{}", columns.replace("BASE", &base.name));
        let _ = writeln!(text, "|---|{}", "---:|".repeat(columns.matches('|').count() - 2));
        let line = if is_latency { latencies } else { rates };
        for row in &table.rows {
            let _ = writeln!(text, "| {} | {} |", row.name, line(row, base).join(" | "));
        }
    }
    if plot::of_table(table).is_some() {
        let _ = writeln!(text, "\n![{}](benchmarks/{}.svg)", table.title, table.name);
    }
    endings(text, &table.goals, &table.skipped, &table.failed);
}

fn moment(text: &mut String, found: &Findings) {
    let _ = writeln!(text, "\n### {}\n\n`{}`: {}.\n", found.title, found.name, found.measured);
    if !found.rows.is_empty() {
        let _ = writeln!(text, "| {} |", found.columns.join(" | "));
        let _ = writeln!(text, "|---|{}", "---:|".repeat(found.columns.len().saturating_sub(1)));
    }
    for row in &found.rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    if !found.note.is_empty() {
        let _ = writeln!(text, "\n{}", found.note);
    }
    if found.series.is_some() {
        let _ = writeln!(text, "\n![{}](benchmarks/{}.svg)", found.title, found.name);
    }
    endings(text, &found.goals, &[], &found.failed);
}

fn endings(text: &mut String, goals: &[Verdict], skipped: &[String], failed: &[String]) {
    if !goals.is_empty() {
        text.push('\n');
    }
    for goal in goals {
        let _ = writeln!(text, "- {}", goal.text());
    }
    for skipped in skipped {
        let _ = writeln!(text, "\nLeft out: {}.", cell(skipped));
    }
    for failed in failed {
        let _ = writeln!(text, "\n**Failed**: {}.", cell(failed));
    }
}

/// A row where the rate is what counts.
fn rates(row: &Measured, base: &Measured) -> Vec<String> {
    let rate = |sample: &Sample| sample.outcome.per_second;
    let (least, most) = row.range(rate);
    vec![
        thousands(row.median(rate)),
        format!("{:.2}", row.ratio(base, rate)),
        format!("{} to {}", thousands(least), thousands(most)),
        figure(row.median(|sample| sample.outcome.p50_us), 0),
        figure(row.median(|sample| sample.outcome.p99_us), 0),
        figure(row.median(|sample| sample.outcome.p999_us), 0),
        server_cpu(row),
        format!("{:.2}", base.ratio(row, Sample::cpu)),
        figure(row.median(|sample| sample.outcome.generator_cpu), 2),
    ]
}

/// A row where latency is what counts, at a fixed rate.
fn latencies(row: &Measured, base: &Measured) -> Vec<String> {
    let (p50, p99) = (|sample: &Sample| sample.outcome.p50_us, |sample: &Sample| sample.outcome.p99_us);
    vec![
        thousands(row.median(|sample| sample.outcome.per_second)),
        figure(row.median(p50), 0),
        format!("{:.2}", row.ratio(base, p50)),
        figure(row.median(p99), 0),
        format!("{:.2}", row.ratio(base, p99)),
        figure(row.median(|sample| sample.outcome.p999_us), 0),
        server_cpu(row),
        figure(row.median(|sample| sample.outcome.generator_cpu), 2),
    ]
}

/// Of each server.
fn server_cpu(row: &Measured) -> String {
    let servers = row.samples.first().map_or(&[][..], |sample| &sample.cpu_us);
    let each = servers.iter().enumerate().map(|(index, (name, _))| {
        let cpu = row.median(|sample| sample.cpu_us.get(index).map_or(f64::NAN, |(_, cpu)| *cpu));
        if servers.len() == 1 { format!("{cpu:.2}") } else { format!("{name} {cpu:.2}") }
    });
    each.collect::<Vec<_>>().join(" + ")
}

/// A figure, or a dash where none was taken.
fn figure(value: f64, decimals: usize) -> String {
    if value > 0.0 { format!("{value:.decimals$}") } else { "-".into() }
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

/// Text of another program, on one line and without what a table would take for its own.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "/")
}

/// Where a heading is found.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas_between_them() {
        assert_eq!([999.0, 1000.0, 1_234_567.4].map(thousands), ["999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_heading_is_found_by_its_letters() {
        assert_eq!(anchor("GET 64 KiB, plain: p99.9"), "get-64-kib-plain-p999");
    }
}
