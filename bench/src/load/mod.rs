//! The load generator: one thread, a process of its own, told by a [`Plan`] on its standard input.
//!
//! Closed loop: each connection always has `depth` requests unanswered. Open loop: requests fall due at a fixed rate
//! whatever becomes of earlier ones, and latency counts from the moment a request was due, so that waiting in line
//! is never hidden. Every answer must have a status of success and exactly the bytes that it announces and that
//! were asked for; the first that has not ends the run with an error.

mod connection;
mod engine;
mod stream;
mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::identity::Identity;
use crate::process::Cores;
use crate::worker::{self, Worker};

/// What a server understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dialect {
    /// `GET` and `PUT` of `/objects/{key}`.
    Objects,
    /// Redis behind HTTP: `GET /GET/{key}.txt`, `PUT /SET/{key}`.
    Webdis,
    /// RESP 2.
    Redis,
    /// memcached's text protocol.
    Memcached,
    /// memcached's meta commands.
    MemcachedMeta,
    /// memcached's binary protocol.
    MemcachedBinary,
    /// JSON over HTTP, as etcd's gateway has it.
    Etcd,
}

/// What is done with each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Read it.
    Get,
    /// Write it.
    Put,
}

/// How large values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sizes {
    /// All alike, in bytes.
    Same(usize),
    /// From 1 to twice `mean` less 1, each as `seed` and its key's number have it.
    Spread {
        /// Bytes of all of them together, divided by their number.
        mean: usize,
        /// Another one gives other sizes.
        seed: u64,
    },
}

impl Sizes {
    /// The size of the value of the key with this number.
    pub fn of(self, number: usize) -> usize {
        match self {
            Self::Same(bytes) => bytes,
            Self::Spread { mean, seed } => {
                let mixed = (number as u64 ^ seed.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                1 + (mixed >> 33) as usize % (2 * mean - 1)
            }
        }
    }
}

/// What an answer is that says that there is no such object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Missing {
    /// Wrong: all were stored.
    Fails,
    /// An answer as good as any, over HTTP: the store may have dropped it.
    Counts,
}

/// When the next request goes out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Pace {
    /// As soon as an answer has come: so many unanswered on each connection.
    Closed {
        /// Requests unanswered on each connection.
        depth: usize,
    },
    /// At a fixed rate, over all connections.
    Open {
        /// Requests that fall due in a second.
        per_second: u32,
    },
}

/// When it is enough.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Span {
    /// Each key once.
    Once,
    /// For a time, of which the beginning does not count.
    Timed {
        /// What does not count.
        warm_up: Duration,
        /// What does.
        measured: Duration,
    },
}

/// A load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Where to.
    pub address: SocketAddr,
    /// How it is spoken to.
    pub dialect: Dialect,
    /// What is done.
    pub operation: Operation,
    /// Which keys, in turn.
    pub keys: Vec<String>,
    /// Bytes of each value.
    pub sizes: Sizes,
    /// Whether there may be none.
    pub missing: Missing,
    /// Who is shown to the server, over TLS; without it connections are plain.
    pub identity: Option<Identity>,
    /// Seconds that written objects live, over HTTP.
    pub ttl_seconds: Option<u32>,
    /// Connections, kept alive.
    pub connections: usize,
    /// When the next request goes out.
    pub pace: Pace,
    /// When it is enough.
    pub span: Span,
}

/// What came of a load.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Answers in all, those of the warm-up among them.
    pub answers: u64,
    /// Answers a second, after the warm-up.
    pub per_second: f64,
    /// Seconds after the warm-up.
    pub seconds: f64,
    /// Latencies in microseconds, after the warm-up; zero where they are not measured.
    pub p50_us: f64,
    /// 99 of 100 are not above.
    pub p99_us: f64,
    /// 999 of 1000 are not above.
    pub p999_us: f64,
    /// Answers that said that there is no such object.
    #[serde(default)]
    pub misses: u64,
    /// The generator's share of its core; an open loop always spins.
    pub generator_cpu: f64,
}

impl Plan {
    /// Runs it in a generator of its own.
    pub fn run(&self, cores: Cores) -> Result<Outcome, Error> {
        self.start(cores)?.wait()
    }

    /// Starts it.
    pub fn start(&self, cores: Cores) -> Result<Worker, Error> {
        Worker::start("load", self, cores)
    }
}

/// The generator's process.
pub fn main() -> Result<(), Error> {
    let plan: Plan = worker::task()?;
    worker::report(&engine::Engine::new(&plan)?.run()?)
}
