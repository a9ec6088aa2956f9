//! A cache's user: asks a node for each key of a trace, and stores what was not there.
//!
//! A batch of requests goes out before its answers are read, so a key that is missed twice within a batch is two
//! misses; batches are small beside any cache here.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::{Error, doing};
use crate::process;

/// Of each object.
pub const VALUE_BYTES: usize = 100;
const BATCH: usize = 32;
const PATIENCE: Duration = Duration::from_secs(10);

/// How many objects a node says that it holds.
pub fn held(address: SocketAddr) -> Result<usize, Error> {
    let report = process::ask(address, "/cluster").unwrap_or_default();
    let report: serde_json::Value = serde_json::from_str(&report)?;
    let objects = report["store"]["objects"].as_u64().and_then(|objects| usize::try_from(objects).ok());
    let what = || "a number of objects in /cluster would be right".into();
    objects.ok_or_else(|| Error::Answer { from: address.to_string(), what: what() })
}

/// A connection to it.
#[derive(Debug)]
pub struct Cache {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Cache {
    /// To the node on `address`.
    pub fn connect(address: SocketAddr) -> Result<Self, Error> {
        let connect = || {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok::<_, std::io::Error>(BufReader::with_capacity(64 << 10, stream))
        };
        Ok(Self { address, stream: connect().map_err(doing(format!("connecting to {address}")))? })
    }

    /// How many of the requests were hits.
    pub fn replay(&mut self, trace: &[u64]) -> Result<usize, Error> {
        let mut hits = 0;
        for batch in trace.chunks(BATCH) {
            let gets =
                batch.iter().map(|key| format!("GET /objects/{key:016} HTTP/1.1\r\nHost: bench\r\n\r\n"));
            let statuses = self.exchange(&gets.collect::<String>(), batch.len())?;
            let missed = batch.iter().zip(&statuses).filter(|(_, status)| **status == 404);
            let missed: Vec<_> = missed.map(|(key, _)| key).collect();
            hits += batch.len() - missed.len();
            let value = "v".repeat(VALUE_BYTES);
            let puts = missed.iter().map(|key| {
                format!("PUT /objects/{key:016} HTTP/1.1\r\nHost: bench\r\nContent-Length: {VALUE_BYTES}\r\n\r\n{value}")
            });
            self.exchange(&puts.collect::<String>(), missed.len())?;
        }
        Ok(hits)
    }

    fn exchange(&mut self, requests: &str, count: usize) -> Result<Vec<u16>, Error> {
        let failed = || doing(format!("talking to {}", self.address));
        self.stream.get_mut().write_all(requests.as_bytes()).map_err(failed())?;
        (0..count).map(|_| self.answer()).collect()
    }

    /// The next one's status.
    fn answer(&mut self) -> Result<u16, Error> {
        let address = self.address;
        let failed = || doing(format!("reading an answer of {address}"));
        let (mut status, mut length, mut line) = (0, 0, String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line).map_err(failed())?;
            let text = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = text.strip_prefix("http/1.1 ") {
                status = rest.get(..3).and_then(|status| status.parse().ok()).unwrap_or(0);
            } else if let Some(bytes) = text.strip_prefix("content-length:") {
                length = bytes.trim().parse().unwrap_or(0);
            } else if text.is_empty() {
                break;
            }
        }
        if !matches!(status, 200..=299 | 404) {
            return Err(self.wrong(&format!("it answered {status}; success or 404 would be right")));
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).map_err(failed())?;
        Ok(status)
    }

    fn wrong(&self, what: &str) -> Error {
        Error::Answer { from: self.address.to_string(), what: what.into() }
    }
}
