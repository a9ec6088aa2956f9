//! A line plot as SVG: members along a logarithmic axis, one line for each series. No more than the page here needs.

use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 45.0;
const COLOURS: [&str; 4] = ["#1f77b4", "#d95f02", "#1b9e77", "#7570b3"];

/// Points of one line.
#[derive(Clone, Debug)]
pub struct Series {
    /// What it shows.
    pub name: &'static str,
    /// Members, and the value there.
    pub points: Vec<(usize, f64)>,
}

/// A plot of `series`; values start at zero.
#[must_use]
pub fn svg(title: &str, unit: &str, series: &[Series]) -> String {
    let points = || series.iter().flat_map(|series| &series.points);
    let most = points().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max) * 1.05;
    let first = points().map(|(members, _)| *members).min().unwrap_or(1).max(1) as f64;
    let last = points().map(|(members, _)| *members).max().unwrap_or(2).max(2) as f64;
    let x =
        |members: usize| LEFT + (WIDTH - LEFT - RIGHT) * (members as f64 / first).ln() / (last / first).ln();
    let y = |value: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / most;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{title}</text>\n"
    );
    // Writing to a String cannot fail.
    for step in 0..=4 {
        let value = most * f64::from(step) / 4.0;
        let (at, end) = (y(value), WIDTH - RIGHT);
        let _ = writeln!(
            text,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{end}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>"
        );
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.3}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
    let mut ticks: Vec<_> = points().map(|(members, _)| *members).collect();
    ticks.sort_unstable();
    ticks.dedup();
    for members in ticks {
        let (at, below) = (x(members), HEIGHT - BOTTOM + 16.0);
        let _ = writeln!(text, "<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{members}</text>");
    }
    let _ = writeln!(text, "<text x=\"{LEFT}\" y=\"{}\">members; {unit}</text>", HEIGHT - 8.0);
    for (number, (Series { name, points }, colour)) in series.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let line: Vec<_> =
            points.iter().map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value))).collect();
        let _ = writeln!(
            text,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            line.join(" ")
        );
        let below = TOP + 18.0 * number as f64;
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{below}\" fill=\"{colour}\">{name}</text>",
            WIDTH - RIGHT + 10.0
        );
    }
    text.push_str("</svg>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_has_a_line_for_each_series_and_names_it() {
        let series = |name| Series { name, points: vec![(3, 1.0), (500, 2.0)] };
        let plot = svg("Shares", "share", &[series("modulo"), series("rendezvous")]);
        assert_eq!(plot.matches("<polyline").count(), 2);
        assert!(plot.contains(">modulo<") && plot.contains(">rendezvous<") && plot.ends_with("</svg>\n"));
    }
}
