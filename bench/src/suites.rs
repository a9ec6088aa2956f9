//! What is measured, as data: each suite is one table, each row a program at some work, each goal a ratio of rows.

use crate::h2load::Shape;
use crate::load::Operation::{self, Get, Put};
use crate::load::Pace;
use crate::programs::Kind;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places {
    /// Servers on core 0, the generator on core 1.
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

const GET: Work = closed(Get, 100, 64, 1);
const PUT: Work = closed(Put, 100, 64, 1);
const GET_16: Work = closed(Get, 100, 64, 16);
const GET_H2: Work = Work { client: Client::Http2(Shape { connections: 8, streams: 32 }), ..GET };
const SLOW: Work = open(Get, 100, 32, 10_000);
const SMALL: Work = open(Get, 100, 32, 2_000);
const LARGE: Work = open(Get, MIB, 4, 100);

/// Every table, in the order of the report.
pub const SUITES: &[Suite] = &[
    Suite {
        name: "get-100",
        title: "GET 100 B over HTTP/1.1, one node, 64 connections",
        places: Places::Pinned,
        rows: &[
            row("nginx, a constant", Kind::Nginx, GET),
            row("ringhold", Kind::Ringhold, GET),
            row("hyper with a map", Kind::Bare, GET),
            row("no parsing: the generator's ceiling", Kind::Trivial, GET),
        ],
        goals: &[at_least("ringhold", "nginx, a constant", 1.0)],
    },
    Suite {
        name: "get-100-unpinned",
        title: "The same, nothing pinned, as many workers as cores",
        places: Places::Unpinned,
        rows: &[
            row("nginx, a constant", Kind::Nginx, GET),
            row("ringhold", Kind::Ringhold, GET),
            row("hyper with a map", Kind::Bare, GET),
        ],
        goals: &[at_least("ringhold", "nginx, a constant", 1.0)],
    },
    Suite {
        name: "get-100-pipelined",
        title: "GET 100 B over HTTP/1.1, 16 requests pipelined on each of 64 connections",
        places: Places::Pinned,
        rows: &[
            row("nginx, a constant", Kind::Nginx, GET_16),
            row("ringhold", Kind::Ringhold, GET_16),
            row("hyper with a map", Kind::Bare, GET_16),
            row("redis", Kind::Redis, GET_16),
            row("no parsing: the generator's ceiling", Kind::Trivial, GET_16),
        ],
        goals: &[at_least("ringhold", "nginx, a constant", 5.0)],
    },
    Suite {
        name: "get-100-http2",
        title: "GET 100 B over HTTP/2, 8 connections of 32 streams (h2load)",
        places: Places::Pinned,
        rows: &[
            row("nginx, a constant", Kind::NginxHttp2, GET_H2),
            row("ringhold", Kind::Ringhold, GET_H2),
            row("hyper with a map", Kind::Bare, GET_H2),
        ],
        goals: &[at_least("ringhold", "nginx, a constant", 3.4)],
    },
    Suite {
        name: "put",
        title: "PUT beside GET, one node, one copy",
        places: Places::Pinned,
        rows: &[
            row("ringhold GET 100 B", Kind::Ringhold, GET),
            row("ringhold PUT 100 B", Kind::Ringhold, PUT),
            row("ringhold GET 1 KiB", Kind::Ringhold, closed(Get, KIB, 64, 1)),
            row("ringhold PUT 1 KiB", Kind::Ringhold, closed(Put, KIB, 64, 1)),
        ],
        goals: &[
            at_least("ringhold PUT 100 B", "ringhold GET 100 B", 0.95),
            at_least("ringhold PUT 1 KiB", "ringhold GET 1 KiB", 0.95),
        ],
    },
    Suite {
        name: "get-64k",
        title: "GET 64 KiB",
        places: Places::Pinned,
        rows: &[
            row("hyper with a map", Kind::Bare, closed(Get, 64 * KIB, 64, 1)),
            row("ringhold", Kind::Ringhold, closed(Get, 64 * KIB, 64, 1)),
        ],
        goals: &[at_least("ringhold", "hyper with a map", 0.95)],
    },
    Suite {
        name: "put-64k",
        title: "PUT 64 KiB",
        places: Places::Pinned,
        rows: &[
            row("hyper with a map", Kind::Bare, closed(Put, 64 * KIB, 64, 1)),
            row("ringhold", Kind::Ringhold, closed(Put, 64 * KIB, 64, 1)),
        ],
        goals: &[at_least("ringhold", "hyper with a map", 0.95)],
    },
    Suite {
        name: "get-1m",
        title: "GET 1 MiB, 8 connections",
        places: Places::Pinned,
        rows: &[
            row("hyper with a map", Kind::Bare, closed(Get, MIB, 8, 1)),
            row("ringhold", Kind::Ringhold, closed(Get, MIB, 8, 1)),
        ],
        goals: &[at_least("ringhold", "hyper with a map", 0.95)],
    },
    Suite {
        name: "put-1m",
        title: "PUT 1 MiB, 8 connections",
        places: Places::Pinned,
        rows: &[
            row("hyper with a map", Kind::Bare, closed(Put, MIB, 8, 1)),
            row("ringhold", Kind::Ringhold, closed(Put, MIB, 8, 1)),
        ],
        goals: &[at_least("ringhold", "hyper with a map", 0.95)],
    },
    Suite {
        name: "peers-get",
        title: "GET 100 B beside stores, one request for each round trip",
        places: Places::Pinned,
        rows: &[
            row("redis", Kind::Redis, GET),
            row("ringhold", Kind::Ringhold, GET),
            row("memcached", Kind::Memcached, GET),
            row("webdis with redis", Kind::Webdis, GET),
        ],
        goals: &[
            at_least("ringhold", "redis", 0.95),
            at_least("ringhold", "memcached", 1.0),
            at_least("ringhold", "webdis with redis", 2.8),
        ],
    },
    Suite {
        name: "peers-put",
        title: "PUT 100 B beside stores, one request for each round trip",
        places: Places::Pinned,
        rows: &[
            row("redis", Kind::Redis, PUT),
            row("ringhold", Kind::Ringhold, PUT),
            row("memcached", Kind::Memcached, PUT),
            row("webdis with redis", Kind::Webdis, PUT),
        ],
        goals: &[
            at_least("ringhold", "redis", 1.0),
            at_least("ringhold", "memcached", 1.0),
            at_least("ringhold", "webdis with redis", 2.8),
        ],
    },
    Suite {
        name: "forward-100",
        title: "GET 100 B through a node that must forward it, plain, both nodes on one core",
        places: Places::Pinned,
        rows: &[
            row("the right member", Kind::RightMember, GET),
            row("the wrong member", Kind::WrongMember, GET),
            row("nginx as forwarder", Kind::NginxForwarder, GET),
            row("haproxy as forwarder", Kind::HaproxyForwarder, GET),
        ],
        goals: &[
            at_least("the wrong member", "the right member", 0.75),
            at_least("the wrong member", "nginx as forwarder", 1.2),
        ],
    },
    Suite {
        name: "forward-100-unpinned",
        title: "The same, nothing pinned, as many workers as cores",
        places: Places::Unpinned,
        rows: &[
            row("the right member", Kind::RightMember, GET),
            row("the wrong member", Kind::WrongMember, GET),
            row("nginx as forwarder", Kind::NginxForwarder, GET),
        ],
        goals: &[
            at_least("the wrong member", "the right member", 0.55),
            at_least("the wrong member", "nginx as forwarder", 1.2),
        ],
    },
    Suite {
        name: "forward-64k",
        title: "GET 64 KiB through a node that must forward it",
        places: Places::Pinned,
        rows: &[
            row("the right member", Kind::RightMember, closed(Get, 64 * KIB, 64, 1)),
            row("the wrong member", Kind::WrongMember, closed(Get, 64 * KIB, 64, 1)),
            row("nginx as forwarder", Kind::NginxForwarder, closed(Get, 64 * KIB, 64, 1)),
            row("haproxy as forwarder", Kind::HaproxyForwarder, closed(Get, 64 * KIB, 64, 1)),
        ],
        goals: &[at_least("the wrong member", "the right member", 0.25)],
    },
    Suite {
        name: "forward-latency",
        title: "GET 100 B at a fixed 10,000 requests a second, open loop, latency from the moment each was due",
        places: Places::PinnedAhead,
        rows: &[
            row("the right member", Kind::RightMember, SLOW),
            row("the wrong member", Kind::WrongMember, SLOW),
            row("nginx as forwarder", Kind::NginxForwarder, SLOW),
            row("no parsing: the generator's floor", Kind::Trivial, SLOW),
        ],
        goals: &[Goal {
            of: "the wrong member",
            against: "the right member",
            figure: Figure::P50,
            bound: Bound::AtMost(1.3),
        }],
    },
    Suite {
        name: "forward-mixed",
        title: "GET 100 B at 2,000 a second, open loop, alone and while 100 objects of 1 MiB a second pass the same way",
        places: Places::PinnedAhead,
        rows: &[
            row("forwarded", Kind::WrongMember, SMALL),
            Row { name: "forwarded, 1 MiB too", kind: Kind::WrongMember, work: SMALL, beside: Some(LARGE) },
            Row {
                name: "not forwarded, 1 MiB too",
                kind: Kind::RightMember,
                work: SMALL,
                beside: Some(LARGE),
            },
        ],
        goals: &[Goal {
            of: "forwarded, 1 MiB too",
            against: "forwarded",
            figure: Figure::P99,
            bound: Bound::AtMost(2.0),
        }],
    },
    Suite {
        name: "allocator",
        title: "GET and PUT 100 B with another allocator",
        places: Places::Pinned,
        rows: &[
            row("GET", Kind::Ringhold, GET),
            row("GET, mimalloc", Kind::RingholdMimalloc, GET),
            row("PUT", Kind::Ringhold, PUT),
            row("PUT, mimalloc", Kind::RingholdMimalloc, PUT),
        ],
        goals: &[],
    },
];
