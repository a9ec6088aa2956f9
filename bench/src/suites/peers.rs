//! One node beside stores that a user would pick instead. What has no goal stands here as context.

use super::{GET, NODE, PUT, Places, Suite, Work, at_least, closed, row};
use crate::load::Dialect;
use crate::load::Operation::{Get, Put};
use crate::programs::Kind;

const GET_16: Work = closed(Get, 100, 64, 16);
const PUT_16: Work = closed(Put, 100, 64, 16);

pub const SUITES: &[Suite] = &[
    Suite {
        name: "peers-get",
        title: "GET 100 B beside stores, one request for each round trip",
        places: Places::Pinned,
        rows: &[
            row("redis", Kind::Redis, GET),
            row("ringhold", NODE, GET),
            row("memcached", Kind::Memcached(Dialect::Memcached), GET),
            row("webdis with redis", Kind::Webdis, GET),
        ],
        goals: &[
            at_least("ringhold", "redis", 0.95),
            at_least("ringhold", "memcached", 1.0),
            at_least("ringhold", "webdis with redis", 3.0),
        ],
    },
    Suite {
        name: "peers-put",
        title: "PUT 100 B beside stores, one request for each round trip",
        places: Places::Pinned,
        rows: &[
            row("redis", Kind::Redis, PUT),
            row("ringhold", NODE, PUT),
            row("memcached", Kind::Memcached(Dialect::Memcached), PUT),
            row("webdis with redis", Kind::Webdis, PUT),
        ],
        goals: &[
            at_least("ringhold", "redis", 1.0),
            at_least("ringhold", "memcached", 1.0),
            at_least("ringhold", "webdis with redis", 3.0),
        ],
    },
    Suite {
        name: "peers-other-protocols",
        title: "GET 100 B of stores in their other protocols, and of etcd (context)",
        places: Places::Pinned,
        rows: &[
            row("ringhold", NODE, GET),
            row("memcached, text", Kind::Memcached(Dialect::Memcached), GET),
            row("memcached, meta commands", Kind::Memcached(Dialect::MemcachedMeta), GET),
            row("memcached, binary", Kind::Memcached(Dialect::MemcachedBinary), GET),
            row("etcd, JSON over HTTP", Kind::Etcd, GET),
        ],
        goals: &[],
    },
    Suite {
        name: "peers-other-protocols-put",
        title: "PUT 100 B of the same (context; etcd agrees with nobody here, but writes a log to disk)",
        places: Places::Pinned,
        rows: &[
            row("ringhold", NODE, PUT),
            row("memcached, text", Kind::Memcached(Dialect::Memcached), PUT),
            row("memcached, meta commands", Kind::Memcached(Dialect::MemcachedMeta), PUT),
            row("memcached, binary", Kind::Memcached(Dialect::MemcachedBinary), PUT),
            row("etcd, JSON over HTTP", Kind::Etcd, PUT),
        ],
        goals: &[],
    },
    Suite {
        name: "peers-pipelined",
        title: "GET and PUT 100 B, 16 requests pipelined on each of 64 connections (context)",
        places: Places::Pinned,
        rows: &[
            row("ringhold GET", NODE, GET_16),
            row("redis GET", Kind::Redis, GET_16),
            row("memcached GET", Kind::Memcached(Dialect::Memcached), GET_16),
            row("ringhold PUT", NODE, PUT_16),
            row("redis SET", Kind::Redis, PUT_16),
            row("memcached set", Kind::Memcached(Dialect::Memcached), PUT_16),
        ],
        goals: &[],
    },
];
