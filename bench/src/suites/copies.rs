//! What copies on several members cost. A build that cannot make them refuses the configuration, and its rows are
//! left out with what it said.

use super::{GET, OWNER, PUT, Places, Suite, at_least, row};
use crate::programs::{Asked, Kind, Link, Members};

/// Three members, asked at the owner of the keys.
const fn of_three(replicas: usize) -> Kind {
    Kind::Ring(Members { count: 3, asked: Asked::Owner, between: Link::Plain, replicas })
}

/// Two members over mTLS.
const fn of_two(replicas: usize) -> Kind {
    Kind::Ring(Members { count: 2, asked: Asked::Owner, between: Link::Mtls, replicas })
}

pub const SUITES: &[Suite] = &[
    Suite {
        name: "copies-put",
        title: "PUT 100 B with copies on 1, 2 and 3 of three members, all on one core",
        places: Places::Pinned,
        rows: &[
            row("1 copy", of_three(1), PUT),
            row("2 copies", of_three(2), PUT),
            row("3 copies", of_three(3), PUT),
        ],
        goals: &[],
    },
    Suite {
        name: "copies-get",
        title: "GET 100 B with copies on 1, 2 and 3 of three members, all on one core",
        places: Places::Pinned,
        rows: &[
            row("1 copy", of_three(1), GET),
            row("2 copies", of_three(2), GET),
            row("3 copies", of_three(3), GET),
        ],
        goals: &[],
    },
    Suite {
        name: "copies-mtls",
        title: "PUT 100 B with 1 and 2 copies, two members over mTLS, both on one core",
        places: Places::Pinned,
        rows: &[
            row("1 copy, mTLS", of_two(1), PUT),
            row("2 copies, mTLS", of_two(2), PUT),
            row("1 copy, plain", OWNER, PUT),
        ],
        goals: &[at_least("2 copies, mTLS", "1 copy, mTLS", 0.5)],
    },
];
