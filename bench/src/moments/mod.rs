//! What is not a matter of requests a second of programs side by side: memory, expiry, size, start, bad clients.

mod eviction;
mod expiry;
mod idle;
mod lookup;
mod memory;
mod scale;
mod start;
mod strain;
mod tail;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::load::{Missing, Operation, Pace, Plan, Sizes, Span};
use crate::process::{GENERATOR, Server};
use crate::programs::{Lab, Setup};
use crate::rounds::Effort;
use crate::table::{Reached, Verdict};

/// One of them.
pub struct Moment {
    /// For `--only`.
    pub name: &'static str,
    /// Above the table.
    pub title: &'static str,
    /// Measures it.
    pub run: fn(&Lab, Effort) -> Result<Findings, Error>,
}

/// What came of it: a table of its own form.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Findings {
    /// The moment's.
    pub name: String,
    /// The moment's.
    pub title: String,
    /// How it was measured.
    pub measured: String,
    /// The table's first line.
    pub columns: Vec<String>,
    /// The others.
    pub rows: Vec<Vec<String>>,
    /// What is to be known about it.
    pub note: String,
    /// What was to be shown.
    pub goals: Vec<Verdict>,
    /// What a plot shows.
    pub series: Option<Series>,
    /// What went wrong.
    pub failed: Vec<String>,
}

/// Figures to be seen side by side.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Series {
    /// What they are, with their unit.
    pub label: String,
    /// Each with its name.
    pub points: Vec<(String, f64)>,
}

/// All of them.
pub const MOMENTS: &[Moment] = &[
    Moment {
        name: "memory",
        title: "Resident bytes for each object beyond its key (16 B) and value",
        run: memory::run,
    },
    Moment {
        name: "eviction",
        title: "Hit rates of a store that holds a tenth of the keys",
        run: eviction::run,
    },
    Moment {
        name: "expiry",
        title: "Many objects expiring within one second, GET of others meanwhile",
        run: expiry::run,
    },
    Moment {
        name: "tail",
        title: "GET 100 B at half of the maximum rate, with eviction and expiry meanwhile",
        run: tail::run,
    },
    Moment { name: "scale", title: "GET 100 B by how many objects the node holds", run: scale::run },
    Moment { name: "lookup", title: "Finding the owner of a key, by members of the ring", run: lookup::run },
    Moment { name: "idle", title: "Traffic of a ring that nobody uses, by its members", run: idle::run },
    Moment {
        name: "start",
        title: "From starting the process to its first 200 on /readyz, an empty node alone",
        run: start::run,
    },
    Moment { name: "strain", title: "Clients that behave badly, and what others notice", run: strain::run },
];

const VALUE_BYTES: usize = 100;
const MIB: f64 = (1 << 20) as f64;

impl Moment {
    /// Measures it; what goes wrong is part of the findings.
    pub fn measure(&self, lab: &Lab, effort: Effort) -> Findings {
        let found = (self.run)(lab, effort).unwrap_or_else(|error| {
            eprintln!("  failed: {error}");
            Findings { failed: vec![error.to_string()], ..Findings::default() }
        });
        found.goals.iter().for_each(|goal| eprintln!("  {}", goal.text()));
        let measured = if found.measured.is_empty() { effort.text() } else { found.measured.clone() };
        Findings { name: self.name.into(), title: self.title.into(), measured, ..found }
    }
}

impl Findings {
    fn of<const N: usize>(columns: [&str; N], rows: Vec<[String; N]>) -> Self {
        Self {
            columns: columns.map(Into::into).into(),
            rows: rows.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }
}

/// A goal that is no ratio of two rates.
fn goal(what: &str, figure: &str, wanted: &str, found: String, is_reached: bool) -> Verdict {
    Verdict {
        what: what.into(),
        figure: figure.into(),
        wanted: wanted.into(),
        found,
        by_cpu: None,
        bound: None,
        reached: Reached::when(is_reached),
    }
}

/// Does something once with each key, as fast as it goes.
fn once(setup: &Setup, operation: Operation, keys: &[String]) -> Result<(), Error> {
    bulk(setup, operation, keys).run(GENERATOR).map(drop)
}

/// The same as a plan, for what differs.
fn bulk(setup: &Setup, operation: Operation, keys: &[String]) -> Plan {
    Plan {
        address: setup.target,
        dialect: setup.dialect,
        operation,
        keys: keys.to_vec(),
        sizes: Sizes::Same(VALUE_BYTES),
        missing: Missing::Fails,
        identity: None,
        ttl_seconds: None,
        connections: 8,
        pace: Pace::Closed { depth: 16 },
        span: Span::Once,
    }
}

/// The only server of a setup.
fn server(setup: &Setup) -> Result<&Server, Error> {
    setup
        .servers
        .first()
        .ok_or_else(|| Error::Program { program: "ringhold".into(), what: "it does not run".into() })
}

/// Every item once, in an order that has nothing to do with the one they came in.
fn scattered<T: Clone>(items: &[T], count: usize) -> Vec<T> {
    // A prime that no count here is a multiple of: its multiples visit every place once.
    const STRIDE: usize = 7_368_787;
    (0..count.min(items.len())).map(|index| items[index * STRIDE % items.len()].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scattering_keeps_every_item_once() {
        let items: Vec<_> = (0..100_000).collect();
        let mut scattered = scattered(&items, 100_000);
        assert_ne!(scattered, items);
        scattered.sort_unstable();
        assert_eq!(scattered, items);
    }
}
