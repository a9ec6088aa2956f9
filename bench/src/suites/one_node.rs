//! One node beside what answers a constant, and beside the library that it stands on.

use super::{Client, GET, KIB, MIB, NODE, PUT, Places, Shape, Suite, Work, at_least, closed, row};
use crate::load::Operation::{Get, Put};
use crate::programs::{Kind, Link};

const GET_16: Work = closed(Get, 100, 64, 16);
const GET_H2: Work = Work { client: Client::Http2(Shape { connections: 8, streams: 32 }), ..GET };

pub const SUITES: &[Suite] = &[
    Suite {
        name: "get-100",
        title: "GET 100 B over HTTP/1.1, one node, 64 connections",
        places: Places::Pinned,
        rows: &[
            row("nginx, a constant", Kind::Nginx(Link::Plain), GET),
            row("ringhold", NODE, GET),
            row("hyper with a map", Kind::Bare, GET),
            row("no parsing: the generator's ceiling", Kind::Trivial, GET),
        ],
        goals: &[at_least("ringhold", "nginx, a constant", 1.0)],
    },
    Suite {
        name: "get-100-unpinned",
        title: "GET 100 B over HTTP/1.1, one node, nothing pinned, as many workers as cores",
        places: Places::Unpinned,
        rows: &[
            row("nginx, a constant", Kind::Nginx(Link::Plain), GET),
            row("ringhold", NODE, GET),
            row("hyper with a map", Kind::Bare, GET),
        ],
        goals: &[at_least("ringhold", "nginx, a constant", 1.0)],
    },
    Suite {
        name: "get-100-pipelined",
        title: "GET 100 B over HTTP/1.1, 16 requests pipelined on each of 64 connections",
        places: Places::Pinned,
        rows: &[
            row("nginx, a constant", Kind::Nginx(Link::Plain), GET_16),
            row("ringhold", NODE, GET_16),
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
            row("ringhold", NODE, GET_H2),
            row("hyper with a map", Kind::Bare, GET_H2),
        ],
        goals: &[at_least("ringhold", "nginx, a constant", 3.4)],
    },
    Suite {
        name: "put",
        title: "PUT beside GET, one node, one copy",
        places: Places::Pinned,
        rows: &[
            row("ringhold GET 100 B", NODE, GET),
            row("ringhold PUT 100 B", NODE, PUT),
            row("ringhold GET 1 KiB", NODE, closed(Get, KIB, 64, 1)),
            row("ringhold PUT 1 KiB", NODE, closed(Put, KIB, 64, 1)),
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
            row("ringhold", NODE, closed(Get, 64 * KIB, 64, 1)),
        ],
        goals: &[at_least("ringhold", "hyper with a map", 0.95)],
    },
    Suite {
        name: "put-64k",
        title: "PUT 64 KiB",
        places: Places::Pinned,
        rows: &[
            row("hyper with a map", Kind::Bare, closed(Put, 64 * KIB, 64, 1)),
            row("ringhold", NODE, closed(Put, 64 * KIB, 64, 1)),
        ],
        goals: &[at_least("ringhold", "hyper with a map", 0.95)],
    },
    Suite {
        name: "get-1m",
        title: "GET 1 MiB, 8 connections",
        places: Places::Pinned,
        rows: &[
            row("hyper with a map", Kind::Bare, closed(Get, MIB, 8, 1)),
            row("ringhold", NODE, closed(Get, MIB, 8, 1)),
        ],
        goals: &[at_least("ringhold", "hyper with a map", 0.95)],
    },
    Suite {
        name: "put-1m",
        title: "PUT 1 MiB, 8 connections",
        places: Places::Pinned,
        rows: &[
            row("hyper with a map", Kind::Bare, closed(Put, MIB, 8, 1)),
            row("ringhold", NODE, closed(Put, MIB, 8, 1)),
        ],
        goals: &[at_least("ringhold", "hyper with a map", 0.95)],
    },
    Suite {
        name: "allocator",
        title: "GET and PUT 100 B with another allocator",
        places: Places::Pinned,
        rows: &[
            row("GET", NODE, GET),
            row("GET, mimalloc", Kind::RingholdMimalloc, GET),
            row("PUT", NODE, PUT),
            row("PUT, mimalloc", Kind::RingholdMimalloc, PUT),
        ],
        goals: &[],
    },
];
