//! A member's own end of the simulated network: what the node is given as its way to all others.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringhold_ring::{Key, MemberAddress, Timestamp};
use ringhold_server::object::Operation;
use ringhold_server::peer::PeerError;
use ringhold_server::peer::network::{Ask, Executed, Network, Passage, Told};
use tokio::time::Instant;

use crate::fabric::Fabric;
use crate::lifetime::Carrier;
use crate::message::{Fate, Payload, Reply};

/// How a process's own time and the world's go together.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// What the process's clock said when it began.
    pub clock_at_start: Timestamp,
    /// When the process began, in the world's time.
    pub start_ms: u64,
    /// The same moment in its own.
    pub start: Instant,
    /// How much too fast its time goes, in millionths.
    pub drift_ppm: i64,
}

impl Pace {
    /// How long the process has run at `world_ms`, by its own clock.
    #[must_use]
    pub fn local_ms(&self, world_ms: u64) -> u64 {
        scaled(world_ms.saturating_sub(self.start_ms), self.drift_ppm)
    }

    /// The moment of the process's own time at `world_ms`.
    #[must_use]
    pub fn local(&self, world_ms: u64) -> Instant {
        self.start + Duration::from_millis(self.local_ms(world_ms))
    }

    /// What its clock says now, asked by the process.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock_at_start + self.start.elapsed()
    }

    /// The world's time now, asked by the process; a millisecond more or less.
    #[must_use]
    pub fn world_ms(&self) -> u64 {
        let local_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.start_ms + scaled(local_ms, -self.drift_ppm)
    }
}

fn scaled(ms: u64, ppm: i64) -> u64 {
    let scaled = i128::from(ms) * (1_000_000 + i128::from(ppm)) / 1_000_000;
    u64::try_from(scaled).unwrap_or_default()
}

/// One member's end.
#[derive(Debug)]
pub struct Wire {
    fabric: Arc<Fabric>,
    me: usize,
    pace: Pace,
}

impl Wire {
    /// The end of the member with this index.
    #[must_use]
    pub const fn new(fabric: Arc<Fabric>, me: usize, pace: Pace) -> Self {
        Self { fabric, me, pace }
    }

    async fn call(
        &self,
        to: &MemberAddress,
        payload: Payload,
        timeout: Duration,
    ) -> Result<Reply, PeerError> {
        let payload = payload.packed(self.pace.now());
        let Some((call, answer)) = self.fabric.call(self.me, to, payload, self.pace.world_ms()) else {
            return Err(PeerError::NotSent(format!("{to} does not exist")));
        };
        let waiting = Waiting { fabric: &self.fabric, call };
        match tokio::time::timeout(timeout, answer).await {
            Ok(Ok(Ok(reply))) => Ok(reply),
            Ok(Ok(Err(Fate::NotSent))) => Err(PeerError::NotSent(format!("{to} cannot be reached"))),
            Ok(Ok(Err(Fate::Lost)) | Err(_)) => Err(PeerError::Lost(format!("the stream to {to} ended"))),
            Err(_) => match waiting.fabric.forget(call) {
                Fate::NotSent => Err(PeerError::NotSent(format!("{to} cannot be reached in time"))),
                Fate::Lost => Err(PeerError::Lost(format!("{to} did not answer in time"))),
            },
        }
    }
}

/// Lets go of a call when nobody waits for it any more.
struct Waiting<'a> {
    fabric: &'a Fabric,
    call: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let _ = self.fabric.forget(self.call);
    }
}

impl Network for Wire {
    fn execute<'a>(
        &'a self,
        to: &'a MemberAddress,
        key: &'a Key<'_>,
        operation: &'a Operation,
        passage: &'a Passage,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Executed, PeerError>> {
        let time_left_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let key = key.clone().into_owned();
        let payload = Payload::Execute { key, operation: operation.clone(), passage: *passage, time_left_ms };
        async move {
            match self.call(to, payload, timeout).await? {
                Reply::Executed(executed) => Ok(executed),
                Reply::Told(told) => Err(PeerError::Lost(format!("an operation was answered by {told:?}"))),
            }
        }
        .boxed()
    }

    fn ask<'a>(
        &'a self,
        to: &'a MemberAddress,
        ask: &'a Ask,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Told, PeerError>> {
        async move {
            match self.call(to, Payload::Ask(ask.clone()), timeout).await? {
                Reply::Told(told) => Ok(told),
                Reply::Executed(executed) => {
                    Err(PeerError::Lost(format!("a question was answered by {executed:?}")))
                }
            }
        }
        .boxed()
    }

    fn disconnect(&self, member: &MemberAddress) {
        self.fabric.disconnect(self.me, member);
    }

    fn set_members(&self, members: &[MemberAddress]) {
        for stranger in self.fabric.others_than(members) {
            self.fabric.disconnect(self.me, &stranger);
        }
    }
}
