//! What a member tells Prometheus, read line by line.

use std::collections::{BTreeMap, BTreeSet};

use crate::member::Member;

/// One page of metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// As it came.
    pub text: String,
    samples: BTreeMap<String, f64>,
}

impl Metrics {
    /// Asks `member` for its page.
    ///
    /// # Panics
    /// When it does not answer with one, or a line cannot be read or comes twice.
    pub async fn of(member: &Member) -> Self {
        let answer = member.request("GET", "/metrics").send().await;
        answer.assert_status(200);
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let text = answer.text().to_owned();
        let mut samples = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, number) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no number in {line:?}"));
            let number = number.parse().unwrap_or_else(|_| panic!("no number in {line:?}"));
            assert_eq!(samples.insert(name.to_owned(), number), None, "{line:?} comes twice");
        }
        Self { text, samples }
    }

    /// The number of one line, named as it is written: `name{label="value"}`.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> f64 {
        *self.samples.get(name).unwrap_or_else(|| panic!("no {name} in\n{}", self.text))
    }

    /// The names of all metrics on the page.
    #[must_use]
    pub fn families(&self) -> BTreeSet<String> {
        let lines = self.text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        lines.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
    }
}
