//! The generator of new connections: connect, shake hands, one GET, close; as fast as eight at once can on one thread.
//!
//! It is a process of its own, like the load generator. Each measured connection must be what was asked for, a full
//! handshake or a resumed session, and must bring the whole object.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

use crate::error::{Error, doing};
use crate::identity::Identity;
use crate::load::Outcome;
use crate::{process, worker};

/// At once.
const CONNECTIONS: usize = 8;
const LONGEST_US: u64 = 100_000_000;

/// What each connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sessions {
    /// A handshake with certificates of both sides.
    Full,
    /// The session of an earlier one.
    Resumed,
}

/// New connections to make.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Where to.
    pub address: SocketAddr,
    /// Who comes.
    pub identity: Identity,
    /// How.
    pub sessions: Sessions,
    /// What is read on each.
    pub key: String,
    /// Its size.
    pub value_bytes: usize,
    /// What does not count.
    pub warm_up: Duration,
    /// What does.
    pub measured: Duration,
}

/// The generator's process.
pub fn main() -> Result<(), Error> {
    let plan: Plan = worker::task()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(doing("starting a runtime"))?;
    worker::report(&runtime.block_on(run(plan))?)
}

async fn run(plan: Plan) -> Result<Outcome, Error> {
    let plan = Arc::new(plan);
    let from = Instant::now() + plan.warm_up;
    let tasks: Vec<_> =
        (0..CONNECTIONS).map(|_| tokio::spawn(again_and_again(Arc::clone(&plan), from))).collect();
    tokio::time::sleep_until(from.into()).await;
    let cpu = process::own_cpu()?;
    let failed = |error: String| Error::Answer { from: plan.address.to_string(), what: error };
    let mut latencies =
        Histogram::<u64>::new_with_bounds(1, LONGEST_US, 3).map_err(|error| failed(error.to_string()))?;
    let mut answers = 0;
    for task in tasks {
        let (all, counted) = task.await.map_err(|error| failed(error.to_string()))??;
        answers += all;
        counted.into_iter().for_each(|latency| latencies.saturating_record(latency));
    }
    let seconds = plan.measured.as_secs_f64();
    let at = |share| latencies.value_at_quantile(share) as f64;
    Ok(Outcome {
        answers,
        per_second: latencies.len() as f64 / seconds,
        seconds,
        p50_us: at(0.5),
        p99_us: at(0.99),
        p999_us: at(0.999),
        generator_cpu: process::own_cpu()?.saturating_sub(cpu).as_secs_f64() / seconds,
        ..Outcome::default()
    })
}

/// How many connections were made, and how many microseconds each that counts took.
async fn again_and_again(plan: Arc<Plan>, from: Instant) -> Result<(u64, Vec<u64>), Error> {
    let mut config = ClientConfig::clone(&*plan.identity.client()?);
    if plan.sessions == Sessions::Full {
        config.resumption = Resumption::disabled();
    }
    let connector = TlsConnector::from(Arc::new(config));
    let wanted = match plan.sessions {
        Sessions::Full => HandshakeKind::Full,
        Sessions::Resumed => HandshakeKind::Resumed,
    };
    let (mut answers, mut counted) = (0, Vec::new());
    loop {
        let begun = Instant::now();
        if begun >= from + plan.measured {
            return Ok((answers, counted));
        }
        let kind = once(&plan, &connector).await?;
        answers += 1;
        if begun >= from {
            if kind != Some(wanted) {
                let what = format!("{wanted:?} was wanted, the handshake was {kind:?}");
                return Err(Error::Answer { from: plan.address.to_string(), what });
            }
            counted.push(u64::try_from(begun.elapsed().as_micros()).unwrap_or(LONGEST_US));
        }
    }
}

async fn once(plan: &Plan, connector: &TlsConnector) -> Result<Option<HandshakeKind>, Error> {
    let doing = || doing(format!("a new connection to {}", plan.address));
    let socket = TcpSocket::new_v4().map_err(doing())?;
    let stream = socket.connect(plan.address).await.map_err(doing())?;
    stream.set_nodelay(true).map_err(doing())?;
    let name = ServerName::from(plan.address.ip());
    let mut stream = connector.connect(name, stream).await.map_err(doing())?;
    let request = format!("GET /objects/{} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n", plan.key);
    stream.write_all(request.as_bytes()).await.map_err(doing())?;
    let mut answer = Vec::with_capacity(1024);
    // The server closes, and with that its last message tells nothing that is not known.
    match stream.read_to_end(&mut answer).await {
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => return Err(doing()(error)),
        _ => {}
    }
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| answer.len() - at - 4);
    if !answer.starts_with(b"HTTP/1.1 200") || body != Some(plan.value_bytes) {
        let what = format!(
            "200 with {} bytes would be right: {}",
            plan.value_bytes,
            String::from_utf8_lossy(&answer)
        );
        return Err(Error::Answer { from: plan.address.to_string(), what });
    }
    Ok(stream.get_ref().1.handshake_kind())
}
