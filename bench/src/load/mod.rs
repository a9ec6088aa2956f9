//! The load generator: one thread, a process of its own, told by a [`Plan`] on its standard input.
//!
//! Closed loop: each connection always has `depth` requests unanswered. Open loop: requests fall due at a fixed rate
//! whatever becomes of earlier ones, and latency counts from the moment a request was due, so that waiting in line
//! is never hidden. Every answer must have a status of success and exactly the bytes that it announces and that
//! were asked for; the first that has not ends the run with an error.

mod connection;
mod engine;
mod wire;

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, doing};
use crate::process::{self, Cores};

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
}

/// What is done with each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Read it.
    Get,
    /// Write it.
    Put,
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
    pub value_bytes: usize,
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
    /// The generator's share of its core; an open loop always spins.
    pub generator_cpu: f64,
}

impl Plan {
    /// Runs it in a generator of its own.
    pub fn run(&self, cores: Cores) -> Result<Outcome, Error> {
        self.start(cores)?.wait()
    }

    /// Starts it.
    pub fn start(&self, cores: Cores) -> Result<Running, Error> {
        let program = std::env::current_exe().map_err(doing("finding this program"))?;
        let mut command = process::on(cores, &program.to_string_lossy());
        command.arg("load").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(doing("starting the load generator"))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin
                .write_all(&serde_json::to_vec(self)?)
                .map_err(doing("telling the load generator its plan"))?;
        }
        Ok(Running(child))
    }
}

/// A generator at work.
#[derive(Debug)]
pub struct Running(std::process::Child);

impl Running {
    /// Waits for its end.
    pub fn wait(self) -> Result<Outcome, Error> {
        let output = self.0.wait_with_output().map_err(doing("waiting for the load generator"))?;
        if !output.status.success() {
            let what = format!("it failed ({}); what it said is above", output.status);
            return Err(Error::Program { program: "the load generator".into(), what });
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// The generator's process.
pub fn main() -> Result<(), Error> {
    let plan: Plan = serde_json::from_reader(std::io::stdin().lock())?;
    let outcome = engine::Engine::new(&plan)?.run()?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}
