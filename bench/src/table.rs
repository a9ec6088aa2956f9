//! What came of a suite: its rows with a sample for each round, and whether its goals were reached.
//!
//! It is read back when a single suite is measured again, so it says everything that the report says.

use serde::{Deserialize, Serialize};

use crate::load::Outcome;
use crate::suites::{Figure, Places};

/// A suite's results.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Table {
    /// The suite's.
    pub name: String,
    /// The suite's.
    pub title: String,
    /// How it was measured.
    pub measured: String,
    /// Where programs ran.
    pub places: Places,
    /// In the suite's order, without those that failed or were left out.
    pub rows: Vec<Measured>,
    /// What was to be shown.
    pub goals: Vec<Verdict>,
    /// What is missing and why.
    pub skipped: Vec<String>,
    /// What went wrong.
    pub failed: Vec<String>,
}

/// A row's results.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// The row's.
    pub name: String,
    /// One for each round.
    pub samples: Vec<Sample>,
}

/// One turn of one program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// What the generator saw.
    pub outcome: Outcome,
    /// Microseconds on a processor for each answer, by server.
    pub cpu_us: Vec<(String, f64)>,
}

/// Whether a goal was reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// What to what, or what alone.
    pub what: String,
    /// In what it was measured.
    pub figure: String,
    /// What is wanted.
    pub wanted: String,
    /// What came out.
    pub found: String,
    /// The same ratio by server CPU, where that is a ratio of rates.
    pub by_cpu: Option<f64>,
    /// The ratio that is wanted at least, where it is one of rates.
    pub bound: Option<Least>,
    /// How far it went.
    pub reached: Reached,
}

/// A least ratio of two rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Least {
    /// A row.
    pub of: String,
    /// The row it is compared with.
    pub against: String,
    /// How much more or less the first should do.
    pub ratio: f64,
}

/// How far a goal was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reached {
    /// As it was meant, and by server CPU too where that was measured.
    Yes,
    /// By answers a second, which the generator or other work on the machine may have made alike.
    ByRate,
    /// By server CPU, which neither of them moves.
    ByCpu,
    /// Not.
    No,
}

impl Reached {
    /// For a measurement of one kind.
    pub fn when(is_reached: bool) -> Self {
        if is_reached { Self::Yes } else { Self::No }
    }

    /// For a reader.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Yes => "reached",
            Self::ByRate => "**reached by requests a second only**",
            Self::ByCpu => "**reached by server CPU only**",
            Self::No => "**not reached**",
        }
    }
}

impl Verdict {
    /// As a sentence.
    pub fn text(&self) -> String {
        let Self { what, figure, wanted, found, by_cpu, reached, .. } = self;
        let by_cpu = by_cpu.map(|ratio| format!(", by server CPU {ratio:.2}")).unwrap_or_default();
        format!("{what}, {figure}: {found}{by_cpu} ({wanted} wanted): {}", reached.text())
    }
}

impl Sample {
    /// Of all servers.
    pub fn cpu(&self) -> f64 {
        self.cpu_us.iter().map(|(_, cpu)| cpu).sum()
    }

    /// What goals are about.
    pub fn figure(&self, figure: Figure) -> f64 {
        match figure {
            Figure::Rate => self.outcome.per_second,
            Figure::P50 => self.outcome.p50_us,
            Figure::P99 => self.outcome.p99_us,
        }
    }
}

impl Measured {
    /// The median over all rounds.
    pub fn median(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(of).collect())
    }

    /// The median of the ratios to `base`, each within its round.
    pub fn ratio(&self, base: &Self, of: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().zip(&base.samples).map(|(this, base)| of(this) / of(base)).collect())
    }

    /// The least and the most.
    pub fn range(&self, of: impl Fn(&Sample) -> f64) -> (f64, f64) {
        let values = self.samples.iter().map(of);
        values.fold((f64::INFINITY, 0.0), |(least, most), value| (value.min(least), value.max(most)))
    }
}

/// The middle one; the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length.is_multiple_of(2) => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(rates: &[f64]) -> Measured {
        let sample = |rate: &f64| Sample {
            outcome: Outcome { per_second: *rate, ..Outcome::default() },
            cpu_us: Vec::new(),
        };
        Measured { name: "row".into(), samples: rates.iter().map(sample).collect() }
    }

    #[test]
    fn ratios_are_taken_within_rounds_before_their_median() {
        let (base, row) = (measured(&[100.0, 50.0, 10.0]), measured(&[100.0, 100.0, 30.0]));
        let ratio = row.ratio(&base, |sample| sample.outcome.per_second);
        assert!((ratio - 2.0).abs() < 1e-9, "{ratio}");
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-9);
    }
}
