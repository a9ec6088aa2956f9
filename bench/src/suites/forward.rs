//! A request that reaches a member which has to forward it, beside one that does not, and beside proxies.

use super::{
    Bound, Figure, GET, Goal, KIB, MIB, OWNER, Places, Row, Suite, Work, at_least, closed, open, row,
};
use crate::load::Operation::Get;
use crate::programs::{Asked, Kind, Link, Members};

/// Asked at the member that does not own the keys.
const fn wrong(between: Link) -> Kind {
    Kind::Ring(Members { count: 2, asked: Asked::Other, between, replicas: 1 })
}

const PLAIN: Kind = wrong(Link::Plain);
const MTLS: Kind = wrong(Link::Mtls);
const NGINX: Kind = Kind::NginxForwarder(Link::Plain);
const NGINX_MTLS: Kind = Kind::NginxForwarder(Link::Mtls);
const HAPROXY: Kind = Kind::HaproxyForwarder(Link::Plain);
const HAPROXY_MTLS: Kind = Kind::HaproxyForwarder(Link::Mtls);

const GET_64K: Work = closed(Get, 64 * KIB, 64, 1);
const SLOW: Work = open(Get, 100, 32, 10_000);
const SMALL: Work = open(Get, 100, 32, 2_000);
const LARGE: Work = open(Get, MIB, 4, 100);

const fn beside_large(name: &'static str, kind: Kind) -> Row {
    Row { name, kind, work: SMALL, beside: Some(LARGE) }
}

pub const SUITES: &[Suite] = &[
    Suite {
        name: "forward-100",
        title: "GET 100 B through a node that must forward it, both nodes on one core",
        places: Places::Pinned,
        rows: &[
            row("the right member", OWNER, GET),
            row("the wrong member", PLAIN, GET),
            row("the wrong member, mTLS", MTLS, GET),
            row("nginx as forwarder", NGINX, GET),
            row("nginx as forwarder, mTLS", NGINX_MTLS, GET),
            row("haproxy as forwarder", HAPROXY, GET),
            row("haproxy as forwarder, mTLS", HAPROXY_MTLS, GET),
        ],
        goals: &[at_least("the wrong member, mTLS", "the right member", 0.75)],
    },
    Suite {
        name: "forward-100-unpinned",
        title: "GET 100 B through a node that must forward it, nothing pinned, as many workers as cores",
        places: Places::Unpinned,
        rows: &[
            row("the right member", OWNER, GET),
            row("the wrong member", PLAIN, GET),
            row("the wrong member, mTLS", MTLS, GET),
            row("nginx as forwarder", NGINX, GET),
            row("nginx as forwarder, mTLS", NGINX_MTLS, GET),
        ],
        goals: &[
            at_least("the wrong member, mTLS", "the right member", 0.55),
            at_least("the wrong member, mTLS", "nginx as forwarder, mTLS", 1.4),
        ],
    },
    Suite {
        name: "forward-64k",
        title: "GET 64 KiB through a node that must forward it",
        places: Places::Pinned,
        rows: &[
            row("the right member", OWNER, GET_64K),
            row("the wrong member", PLAIN, GET_64K),
            row("the wrong member, mTLS", MTLS, GET_64K),
            row("nginx as forwarder", NGINX, GET_64K),
            row("nginx as forwarder, mTLS", NGINX_MTLS, GET_64K),
            row("haproxy as forwarder, mTLS", HAPROXY_MTLS, GET_64K),
        ],
        goals: &[at_least("the wrong member, mTLS", "the right member", 0.25)],
    },
    Suite {
        name: "forward-latency",
        title: "GET 100 B at a fixed 10,000 requests a second, open loop, latency from the moment each was due",
        places: Places::PinnedAhead,
        rows: &[
            row("the right member", OWNER, SLOW),
            row("the wrong member", PLAIN, SLOW),
            row("the wrong member, mTLS", MTLS, SLOW),
            row("nginx as forwarder", NGINX, SLOW),
            row("nginx as forwarder, mTLS", NGINX_MTLS, SLOW),
            row("no parsing: the generator's floor", Kind::Trivial, SLOW),
        ],
        goals: &[Goal {
            of: "the wrong member, mTLS",
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
            row("forwarded, mTLS", MTLS, SMALL),
            beside_large("forwarded, mTLS, 1 MiB too", MTLS),
            row("forwarded", PLAIN, SMALL),
            beside_large("forwarded, 1 MiB too", PLAIN),
            row("not forwarded", OWNER, SMALL),
            beside_large("not forwarded, 1 MiB too", OWNER),
        ],
        goals: &[Goal {
            of: "forwarded, mTLS, 1 MiB too",
            against: "forwarded, mTLS",
            figure: Figure::P99,
            bound: Bound::AtMost(2.0),
        }],
    },
];
