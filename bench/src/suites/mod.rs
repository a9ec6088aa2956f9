//! What is measured, as data: each suite is one table, each row a program at some work, each goal a ratio of rows.

mod copies;
mod forward;
mod one_node;
mod peers;
mod tls;

use serde::{Deserialize, Serialize};

use crate::h2load::Shape;
use crate::handshakes::Sessions;
use crate::load::Operation::{self, Get, Put};
use crate::load::Pace;
use crate::programs::{Asked, Kind, Link, Members};

/// One table.
#[derive(Debug)]
pub struct Suite {
    /// For `--only`.
    pub name: &'static str,
    /// Above the table.
    pub title: &'static str,
    /// Where programs run.
    pub places: Places,
    /// The first is what the others are compared with.
    pub rows: &'static [Row],
    /// What it should show.
    pub goals: &'static [Goal],
}

/// Where the programs of a table run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Places {
    /// Servers on core 0, the generator on core 1.
    #[default]
    Pinned,
    /// The same, and servers ahead of everything else on their core: for latencies.
    PinnedAhead,
    /// Anywhere.
    Unpinned,
}

/// One line of it.
#[derive(Debug)]
pub struct Row {
    /// In the first column.
    pub name: &'static str,
    /// What runs.
    pub kind: Kind,
    /// What it does.
    pub work: Work,
    /// What else passes meanwhile, the same way.
    pub beside: Option<Work>,
}

/// What a program is made to do.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// With each object.
    pub operation: Operation,
    /// The size of each.
    pub value_bytes: usize,
    /// How many different ones.
    pub keys: usize,
    /// At once.
    pub client: Client,
}

/// Who loads it.
#[derive(Clone, Copy, Debug)]
pub enum Client {
    /// The load generator here.
    Own { connections: usize, pace: Pace },
    /// h2load.
    Http2(Shape),
    /// The generator of new connections.
    New(Sessions),
}

/// A ratio to reach.
#[derive(Debug)]
pub struct Goal {
    /// A row.
    pub of: &'static str,
    /// The row it is compared with.
    pub against: &'static str,
    /// In what.
    pub figure: Figure,
    /// What the ratio should be.
    pub bound: Bound,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Answers a second.
    Rate,
    /// The median latency.
    P50,
    /// 99 of 100 are not slower.
    P99,
}

/// How the ratio should be.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

const fn closed(operation: Operation, value_bytes: usize, connections: usize, depth: usize) -> Work {
    // No more bytes than a processor's cache may hold would flatter; as many as would swamp it would hide the rest.
    let keys = match value_bytes {
        0..KIB => 1024,
        KIB..MIB => 128,
        _ => 8,
    };
    Work { operation, value_bytes, keys, client: Client::Own { connections, pace: Pace::Closed { depth } } }
}

const fn open(operation: Operation, value_bytes: usize, connections: usize, per_second: u32) -> Work {
    let work = closed(operation, value_bytes, connections, 1);
    Work { client: Client::Own { connections, pace: Pace::Open { per_second } }, ..work }
}

const fn row(name: &'static str, kind: Kind, work: Work) -> Row {
    Row { name, kind, work, beside: None }
}

const fn at_least(of: &'static str, against: &'static str, ratio: f64) -> Goal {
    Goal { of, against, figure: Figure::Rate, bound: Bound::AtLeast(ratio) }
}

/// One node, plain.
const NODE: Kind = Kind::Ringhold(Link::Plain);
/// A ring of two, asked at the member that owns the keys.
const OWNER: Kind = Kind::Ring(Members { count: 2, asked: Asked::Owner, between: Link::Plain, replicas: 1 });

const GET: Work = closed(Get, 100, 64, 1);
const PUT: Work = closed(Put, 100, 64, 1);

/// Every table, in the order of the report.
pub fn all() -> impl Iterator<Item = &'static Suite> {
    [one_node::SUITES, peers::SUITES, tls::SUITES, forward::SUITES, copies::SUITES].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_names_two_rows_of_its_table() {
        for suite in all() {
            for goal in suite.goals {
                for name in [goal.of, goal.against] {
                    assert_eq!(
                        suite.rows.iter().filter(|row| row.name == name).count(),
                        1,
                        "{}: {name}",
                        suite.name
                    );
                }
            }
        }
    }

    #[test]
    fn every_table_has_a_name_and_a_title_of_its_own() {
        let suites = all().map(|suite| (suite.name, suite.title));
        let moments = crate::moments::MOMENTS.iter().map(|moment| (moment.name, moment.title));
        let (mut names, mut titles): (Vec<_>, Vec<_>) = suites.chain(moments).unzip();
        for list in [&mut names, &mut titles] {
            list.sort_unstable();
            assert!(list.windows(2).all(|pair| pair[0] != pair[1]), "{list:?}");
        }
    }
}
