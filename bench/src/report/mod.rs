//! What was found, as files: a page for people, JSON for programs, plots.
//!
//! The JSON has everything that the other two say, so that a part of it can be measured again and put in place.

mod page;
mod plot;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, doing};
use crate::machine::Fact;
use crate::moments::Findings;
use crate::table::Table;

/// Everything that was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// On what.
    pub machine: Vec<Fact>,
    /// Programs side by side.
    pub suites: Vec<Table>,
    /// The rest.
    pub moments: Vec<Findings>,
}

const JSON: &str = "benchmarks.json";
const PAGE: &str = "benchmarks.md";
const PLOTS: &str = "benchmarks";

impl Report {
    /// What an earlier run has written.
    pub fn read(directory: &Path) -> Result<Self, Error> {
        let file = directory.join(JSON);
        let text = std::fs::read(&file).map_err(doing(format!("reading {}", file.display())))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// This one with the tables of `newer` in place of its own of the same names.
    #[must_use]
    pub fn updated(mut self, newer: Self) -> Self {
        for table in newer.suites {
            put(&mut self.suites, table, |table| &table.name);
        }
        for found in newer.moments {
            put(&mut self.moments, found, |found| &found.name);
        }
        Self { machine: newer.machine, ..self }
    }

    /// Writes all files.
    pub fn write(&self, directory: &Path) -> Result<(), Error> {
        let plots = directory.join(PLOTS);
        let _ = std::fs::remove_dir_all(&plots);
        std::fs::create_dir_all(&plots).map_err(doing(format!("making {}", plots.display())))?;
        let json = serde_json::to_string_pretty(self)? + "\n";
        let mut files = vec![(directory.join(PAGE), page::page(self)), (directory.join(JSON), json)];
        let of_suites = self.suites.iter().map(|table| (&table.name, plot::of_table(table)));
        let of_moments = self.moments.iter().map(|found| (&found.name, plot::of_findings(found)));
        for (name, plot) in of_suites.chain(of_moments) {
            files.extend(plot.map(|plot| (plots.join(format!("{name}.svg")), plot.svg())));
        }
        for (file, text) in &files {
            std::fs::write(file, text).map_err(doing(format!("writing {}", file.display())))?;
        }
        eprintln!("\nwrote {} files into {}", files.len(), directory.display());
        Ok(())
    }

    /// The tables alone.
    pub fn tables(&self) -> String {
        page::tables(self)
    }

    /// What went wrong, over all tables.
    pub fn failures(&self) -> Vec<String> {
        let suites = self.suites.iter().flat_map(|table| table.failed.iter().map(|why| (&table.name, why)));
        let moments = self.moments.iter().flat_map(|found| found.failed.iter().map(|why| (&found.name, why)));
        suites.chain(moments).map(|(name, why)| format!("{name}: {why}")).collect()
    }
}

fn put<T>(all: &mut Vec<T>, new: T, name: fn(&T) -> &String) {
    match all.iter_mut().find(|old| name(old) == name(&new)) {
        Some(old) => *old = new,
        None => all.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, title: &str) -> Table {
        Table { name: name.into(), title: title.into(), ..Table::default() }
    }

    #[test]
    fn a_table_that_is_measured_again_takes_the_place_of_the_old_one() {
        let old = Report { suites: vec![table("a", "1"), table("b", "1")], ..Report::default() };
        let new = Report { suites: vec![table("a", "2"), table("c", "2")], ..Report::default() };
        let updated = old.updated(new);
        let titles: Vec<_> = updated.suites.iter().map(|table| (&*table.name, &*table.title)).collect();
        assert_eq!(titles, [("a", "2"), ("b", "1"), ("c", "2")]);
    }

    #[test]
    fn what_is_written_can_be_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let report = Report { suites: vec![table("a", "1")], ..Report::default() };
        report.write(directory.path()).unwrap();
        assert_eq!(Report::read(directory.path()).unwrap().suites[0].name, "a");
    }
}
