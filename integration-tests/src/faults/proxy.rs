//! The slow way between members: what passes is held up for a time that changes, so that it arrives late and, from one
//! connection to the next, in another order.
//!
//! Within a connection the order stays, as TCP promises it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::faults::lan::HOST;

const CHUNK: usize = 16 << 10;

/// Ways to some addresses. They end when this is dropped.
#[derive(Debug)]
pub struct SlowWays {
    ways: Vec<(SocketAddr, SocketAddr)>,
    tasks: Vec<AbortHandle>,
}

impl SlowWays {
    /// Opens one to each of `targets`, on which everything is held up for up to `longest` each time.
    ///
    /// # Panics
    /// When the host has no port left.
    pub async fn open(targets: &[SocketAddr], longest: Duration) -> Self {
        let (mut ways, mut tasks) = (Vec::new(), Vec::new());
        for target in targets {
            let listener = TcpListener::bind((HOST, 0)).await.expect("the host has ports");
            ways.push((*target, listener.local_addr().expect("it is bound")));
            tasks.push(tokio::spawn(accept(listener, *target, longest)).abort_handle());
        }
        Self { ways, tasks }
    }

    /// Which way leads where: the address that is meant, and the one that is to be used instead.
    #[must_use]
    pub fn ways(&self) -> &[(SocketAddr, SocketAddr)] {
        &self.ways
    }
}

impl Drop for SlowWays {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, longest: Duration) {
    // It ends what passes when it is aborted itself.
    let mut passing = JoinSet::new();
    let mut turn = 0;
    while let Ok((from, _)) = listener.accept().await {
        let Ok(to) = TcpStream::connect(target).await else { continue };
        for end in [&from, &to] {
            let _ = end.set_nodelay(true);
        }
        let ((from_read, from_write), (to_read, to_write)) = (from.into_split(), to.into_split());
        turn += 2;
        passing.spawn(pass(from_read, to_write, longest, turn));
        passing.spawn(pass(to_read, from_write, longest, turn + 1));
    }
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    longest: Duration,
    mut turn: u32,
) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        // Spread over the whole span, and different on each connection.
        turn = turn.wrapping_mul(0x9E37_79B1).wrapping_add(0x7F4A_7C15);
        tokio::time::sleep(longest * (turn >> 16) / (1 << 16)).await;
        if to.write_all(chunk.get(..length).unwrap_or_default()).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
