//! Prometheus' text format, version 0.0.4.
//!
//! Invariant: the lines of a family stand together under its `HELP` and `TYPE`, whatever order they were put in.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use super::count::{Counters, Label};
use super::family::{Family, Kind};
use super::histogram::Histogram;

/// The media type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page of metrics on its way to be written.
#[derive(Debug, Default)]
pub struct Page(BTreeMap<&'static str, Section>);

#[derive(Debug)]
struct Section {
    family: &'static Family,
    lines: String,
}

/// A number as the format has it.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// Exact.
    Whole(u64),
    /// Seconds, and other fractions.
    Real(f64),
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        Self::Whole(number as u64)
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<bool> for Number {
    fn from(is_so: bool) -> Self {
        Self::Whole(is_so.into())
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            Self::Real(number) => number.fmt(f),
        }
    }
}

impl Page {
    /// Puts one number down; `values` are those of the family's labels, in their order.
    pub fn put(&mut self, family: &'static Family, values: &[&str], number: impl Into<Number>) {
        debug_assert_eq!(family.labels.len(), values.len(), "{}", family.name);
        let labels = family.labels.iter().copied().zip(values.iter().copied());
        self.line(family, "", labels, number.into());
    }

    /// Puts a counter for each value of the family's one label down.
    pub fn put_each<L: Label>(&mut self, family: &'static Family, counters: &Counters<L>) {
        for (value, number) in counters.all() {
            self.put(family, &[value.name()], number);
        }
    }

    /// Puts durations down.
    pub fn put_durations(&mut self, family: &'static Family, durations: &Histogram) {
        let (up_to, all, seconds) = durations.read();
        for (bound, count) in up_to {
            self.line(family, "_bucket", [("le", &*bound.to_string())].into_iter(), count.into());
        }
        self.line(family, "_bucket", [("le", "+Inf")].into_iter(), all.into());
        self.line(family, "_sum", std::iter::empty(), seconds.into());
        self.line(family, "_count", std::iter::empty(), all.into());
    }

    /// The text of the page. Only what was put down is in it.
    #[must_use]
    pub fn into_text(self) -> String {
        let mut text = String::new();
        for Section { family: Family { name, kind, help, .. }, lines } in self.0.into_values() {
            let help = help.trim().replace('\\', "\\\\").replace('\n', " ");
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {}\n{lines}", kind.name());
        }
        text
    }

    fn line<'a>(
        &mut self,
        family: &'static Family,
        suffix: &str,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
        number: Number,
    ) {
        debug_assert_eq!(family.kind == Kind::Histogram, !suffix.is_empty(), "{}", family.name);
        let section = self.0.entry(family.name).or_insert_with(|| Section { family, lines: String::new() });
        let lines = &mut section.lines;
        let _ = write!(lines, "{}{suffix}", family.name);
        let mut before = '{';
        for (label, value) in labels {
            let _ = write!(lines, "{before}{label}=\"{}\"", Escaped(value));
            before = ',';
        }
        let end = if before == ',' { "}" } else { "" };
        let _ = writeln!(lines, "{end} {number}");
    }
}

/// A label's value between quotes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            other => f.write_char(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LATER: Family =
        Family { name: "z_bytes", kind: Kind::Gauge, labels: &[], help: "Back\\slash,\ntwo lines." };
    const LABELLED: Family =
        Family { name: "a_total", kind: Kind::Counter, labels: &["name", "result"], help: "Help." };
    const DURATIONS: Family = Family { name: "m_seconds", kind: Kind::Histogram, labels: &[], help: "Help." };

    #[test]
    fn lines_of_a_family_stand_together_and_labels_are_escaped() {
        let mut page = Page::default();
        page.put(&LABELLED, &["a \"b\"\\\n", "ok"], 1_u64);
        page.put(&LATER, &[], 0.25);
        page.put(&LABELLED, &["c", "failed"], u64::MAX);
        assert_eq!(
            page.into_text(),
            "# HELP a_total Help.\n# TYPE a_total counter\na_total{name=\"a \\\"b\\\"\\\\\\n\",result=\"ok\"} 1\n\
             a_total{name=\"c\",result=\"failed\"} 18446744073709551615\n\
             # HELP z_bytes Back\\\\slash, two lines.\n# TYPE z_bytes gauge\nz_bytes 0.25\n"
        );
    }

    #[test]
    fn durations_are_buckets_a_sum_and_a_count() {
        let durations = Histogram::default();
        durations.note(Duration::from_millis(3));
        let mut page = Page::default();
        page.put_durations(&DURATIONS, &durations);
        let text = page.into_text();
        for line in [
            "m_seconds_bucket{le=\"0.0025\"} 0\n",
            "m_seconds_bucket{le=\"0.005\"} 1\n",
            "m_seconds_bucket{le=\"+Inf\"} 1\n",
            "m_seconds_sum 0.003\n",
            "m_seconds_count 1\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
