//! What mTLS costs a node's clients: on connections that stay, and for new ones.

use super::{Client, GET, KIB, NODE, Places, Suite, Work, at_least, closed, row};
use crate::handshakes::Sessions;
use crate::load::Operation::Get;
use crate::programs::{Kind, Link};

const SECURED: Kind = Kind::Ringhold(Link::Mtls);
const GET_64K: Work = closed(Get, 64 * KIB, 64, 1);
const FULL: Work = Work { client: Client::New(Sessions::Full), ..GET };
const RESUMED: Work = Work { client: Client::New(Sessions::Resumed), ..GET };

pub const SUITES: &[Suite] = &[
    Suite {
        name: "mtls-100",
        title: "GET 100 B on kept-alive connections, plain and with mTLS",
        places: Places::Pinned,
        rows: &[
            row("ringhold", NODE, GET),
            row("ringhold, mTLS", SECURED, GET),
            row("nginx, a constant", Kind::Nginx(Link::Plain), GET),
            row("nginx, a constant, mTLS", Kind::Nginx(Link::Mtls), GET),
        ],
        goals: &[at_least("ringhold, mTLS", "ringhold", 0.85)],
    },
    Suite {
        name: "mtls-64k",
        title: "GET 64 KiB on kept-alive connections, plain and with mTLS",
        places: Places::Pinned,
        rows: &[row("ringhold", NODE, GET_64K), row("ringhold, mTLS", SECURED, GET_64K)],
        goals: &[at_least("ringhold, mTLS", "ringhold", 0.6)],
    },
    Suite {
        name: "mtls-handshakes",
        title: "New mTLS connections, EC P-256: connect, shake hands, one GET of 100 B, close; 8 at once",
        places: Places::Pinned,
        rows: &[
            row("nginx, full", Kind::Nginx(Link::Mtls), FULL),
            row("ringhold, full", SECURED, FULL),
            row("nginx, resumed", Kind::Nginx(Link::Mtls), RESUMED),
            row("ringhold, resumed", SECURED, RESUMED),
        ],
        goals: &[
            at_least("ringhold, full", "nginx, full", 3.5),
            at_least("ringhold, resumed", "nginx, resumed", 3.5),
        ],
    },
];
