//! Clients that behave badly, as a process of its own: it goes on until it is ended.
//!
//! A connection that the server ends is opened again after a moment, so that the strain stays.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::error::{Error, doing};
use crate::worker;

/// How clients misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Manner {
    /// One request, then nothing.
    Idle,
    /// Half of a request's head, then nothing.
    HalfOpen,
    /// A kilobyte of a large answer each second.
    SlowReader,
    /// A byte of an announced body each second.
    SlowWriter,
    /// One request after another, without reading an answer.
    NeverReads,
    /// The largest body that is allowed, again each second.
    LargeBodies,
}

/// Who does what to whom.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The server.
    pub address: SocketAddr,
    /// How.
    pub manner: Manner,
    /// How many of them.
    pub connections: usize,
    /// A large object, to be read.
    pub large_key: String,
    /// The largest size of a body.
    pub body_bytes: usize,
}

const SECOND: Duration = Duration::from_secs(1);
/// A receive buffer that makes it the server's task to keep what is not read.
const SMALL_BUFFER_BYTES: u32 = 8 << 10;
/// Connecting all at once would overflow the server's queue of new connections.
const AT_ONCE: usize = 50;
const APART: Duration = Duration::from_millis(2);

/// The process.
pub fn main() -> Result<(), Error> {
    let plan: Arc<Plan> = Arc::new(worker::task()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(doing("starting a runtime"))?.block_on(async {
        for number in 0..plan.connections {
            tokio::spawn(forever(Arc::clone(&plan), number));
            if number % AT_ONCE == 0 {
                tokio::time::sleep(APART).await;
            }
        }
        std::future::pending::<()>().await;
    });
    Ok(())
}

async fn forever(plan: Arc<Plan>, number: usize) {
    loop {
        // That the server ends it is what is expected of it.
        let _ = once(&plan, number).await;
        tokio::time::sleep(SECOND).await;
    }
}

async fn once(plan: &Plan, number: usize) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    if matches!(plan.manner, Manner::SlowReader | Manner::NeverReads) {
        socket.set_recv_buffer_size(SMALL_BUFFER_BYTES)?;
    }
    let mut stream = socket.connect(plan.address).await?;
    let get = format!("GET /objects/{} HTTP/1.1\r\nHost: bench\r\n\r\n", plan.large_key);
    let put = format!(
        "PUT /objects/body-{number:011} HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n\r\n",
        plan.body_bytes
    );
    match plan.manner {
        Manner::Idle => {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n").await?;
            while stream.read(&mut [0; 1024]).await? > 0 {}
            Ok(())
        }
        Manner::HalfOpen => {
            stream.write_all(&get.as_bytes()[..get.len() / 2]).await?;
            while stream.read(&mut [0; 1024]).await? > 0 {}
            Ok(())
        }
        Manner::SlowReader => {
            stream.write_all(get.as_bytes()).await?;
            while stream.read(&mut [0; 1024]).await? > 0 {
                tokio::time::sleep(SECOND).await;
            }
            Ok(())
        }
        Manner::SlowWriter => {
            stream.write_all(put.as_bytes()).await?;
            loop {
                stream.write_all(b"v").await?;
                tokio::time::sleep(SECOND).await;
            }
        }
        Manner::NeverReads => loop {
            stream.write_all(get.as_bytes()).await?;
        },
        Manner::LargeBodies => {
            let request = [put.as_bytes(), &vec![b'v'; plan.body_bytes]].concat();
            loop {
                stream.write_all(&request).await?;
                read_head(&mut stream).await?;
                tokio::time::sleep(SECOND).await;
            }
        }
    }
}

/// Reads an answer without a body.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}
