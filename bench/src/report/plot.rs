//! Bars as SVG: one group for each row of a table, with a mark where a goal wants it.

use std::fmt::Write as _;

use crate::moments::Findings;
use crate::suites::Places;
use crate::table::{Measured, Sample, Table};

/// A plot.
#[derive(Debug)]
pub struct Plot {
    title: String,
    /// What each bar of a group is.
    legend: Vec<String>,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    name: String,
    bars: Vec<f64>,
    mark: Option<f64>,
}

const WIDTH: f64 = 780.0;
const LABELS: f64 = 250.0;
const FIGURES: f64 = 70.0;
const TOP: f64 = 52.0;
const BAR: f64 = 13.0;
const GAP: f64 = 10.0;
const COLOURS: [&str; 2] = ["#2f6f9f", "#9fc3dc"];
const MARK: &str = "#b3261e";

/// Ratios of a table's rows to its first, or latencies where they are what counts.
pub fn of_table(table: &Table) -> Option<Plot> {
    let base = table.rows.first().filter(|_| table.rows.len() > 1)?;
    let is_latency = table.places == Places::PinnedAhead;
    let rate = |sample: &Sample| sample.outcome.per_second;
    let bars = |row: &Measured| {
        if is_latency {
            vec![row.median(|sample| sample.outcome.p50_us), row.median(|sample| sample.outcome.p99_us)]
        } else {
            vec![row.ratio(base, rate), base.ratio(row, Sample::cpu)]
        }
    };
    let mark = |row: &Measured| {
        let bounds =
            table.goals.iter().filter_map(|goal| goal.bound.as_ref()).filter(|bound| bound.of == row.name);
        let least = bounds.filter_map(|bound| {
            let against = table.rows.iter().find(|other| other.name == bound.against)?;
            Some(bound.ratio * against.ratio(base, rate))
        });
        least.fold(None, |most: Option<f64>, least| Some(most.map_or(least, |most| most.max(least))))
    };
    let groups = table.rows.iter().map(|row| Group {
        name: row.name.clone(),
        bars: bars(row),
        mark: mark(row).filter(|_| !is_latency),
    });
    let legend = if is_latency {
        ["p50, us".into(), "p99, us".into()]
    } else {
        [format!("requests a second, to {}", base.name), "the same by server CPU".into()]
    };
    Some(Plot { title: table.title.clone(), legend: legend.into(), groups: groups.collect() })
}

/// A series of findings.
pub fn of_findings(found: &Findings) -> Option<Plot> {
    let series = found.series.as_ref()?;
    let group = |(name, value): &(String, f64)| Group { name: name.clone(), bars: vec![*value], mark: None };
    let groups = series.points.iter().map(group).collect();
    Some(Plot { title: found.title.clone(), legend: vec![series.label.clone()], groups })
}

impl Plot {
    /// As a file.
    pub fn svg(&self) -> String {
        let per_group = self.legend.len() as f64 * BAR + GAP;
        let height = TOP + per_group * self.groups.len() as f64 + GAP;
        let values = self.groups.iter().flat_map(|group| group.bars.iter().copied().chain(group.mark));
        let most = values.filter(|value| value.is_finite()).fold(f64::MIN_POSITIVE, f64::max);
        let length = |value: f64| (value.max(0.0) / most * (WIDTH - LABELS - FIGURES)).min(WIDTH);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"11\" fill=\"#222\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
             <text x=\"8\" y=\"17\" font-size=\"12\" font-weight=\"bold\">{}</text>\n",
            escaped(&self.title)
        );
        for (index, (text, colour)) in self.legend.iter().zip(COLOURS).enumerate() {
            let x = 8.0 + 330.0 * index as f64;
            let _ = writeln!(svg, "<rect x=\"{x}\" y=\"27\" width=\"10\" height=\"10\" fill=\"{colour}\"/>");
            let _ = writeln!(svg, "<text x=\"{}\" y=\"36\">{}</text>", x + 15.0, escaped(text));
        }
        if self.groups.iter().any(|group| group.mark.is_some()) {
            let _ = writeln!(svg, "<text x=\"{}\" y=\"36\" fill=\"{MARK}\">| wanted</text>", WIDTH - FIGURES);
        }
        for (index, group) in self.groups.iter().enumerate() {
            let y = TOP + per_group * index as f64;
            let middle = y + self.legend.len() as f64 * BAR / 2.0 + 4.0;
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>",
                LABELS - 8.0,
                escaped(&group.name)
            );
            for (bar, (value, colour)) in group.bars.iter().zip(COLOURS).enumerate() {
                let (y, width) = (y + BAR * bar as f64, length(*value));
                let _ = writeln!(
                    svg,
                    "<rect x=\"{LABELS}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" fill=\"{colour}\"/>",
                    BAR - 1.0
                );
                let _ = writeln!(
                    svg,
                    "<text x=\"{:.1}\" y=\"{}\">{}</text>",
                    LABELS + width + 4.0,
                    y + 10.0,
                    figure(*value)
                );
            }
            if let Some(mark) = group.mark {
                let (x, bottom) = (LABELS + length(mark), y + BAR * group.bars.len() as f64);
                let _ =
                    writeln!(svg, "<path d=\"M{x:.1} {y}V{bottom}\" stroke=\"{MARK}\" stroke-width=\"2\"/>");
            }
        }
        svg + "</svg>\n"
    }
}

/// With as many digits as say something.
fn figure(value: f64) -> String {
    if value < 20.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_ends_before_its_figure_does() {
        let group = |name: &str, value| Group { name: name.into(), bars: vec![value], mark: Some(0.5) };
        let plot = Plot {
            title: "a < b".into(),
            legend: vec!["ratio".into()],
            groups: vec![group("one", 1.0), group("two", 2.0)],
        };
        let svg = plot.svg();
        assert!(
            svg.contains("a &lt; b") && svg.contains("width=\"460.0\"") && svg.contains("width=\"230.0\""),
            "{svg}"
        );
        assert!(svg.contains("M365.0"), "{svg}");
    }
}
