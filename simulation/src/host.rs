//! One machine: a process that may run on it, in a runtime of its own whose time is turned from outside.
//!
//! A paused process is one whose runtime is not entered; when it goes on, its clock jumps and all its timers that
//! are over fire at once, as after SIGSTOP and SIGCONT. A process that crashes is dropped with its runtime. Its clock
//! is off by a fixed offset and runs a little too fast or too slow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ringhold_ring::{Key, Timestamp};
use ringhold_server::clock::Clock;
use ringhold_server::object::Record;
use ringhold_server::peer::network::Handler;
use tokio::runtime::Runtime;
use tokio::time::Instant;
use tracing::Dispatch;

use crate::fabric::Fabric;
use crate::lifetime::Carrier;
use crate::message::{Arrival, Notice, Payload, Reply};
use crate::node::{Node, Setup};
use crate::voices;
use crate::wire::{Pace, Wire};

/// What no simulated clock is before: some day of 2026.
const EPOCH_MS: u64 = 1_790_000_000_000;

/// How a machine's clock is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skew {
    /// How far ahead it is.
    pub ahead_ms: u64,
    /// How much too fast it runs, in millionths.
    pub drift_ppm: i64,
}

/// One machine.
#[derive(Debug)]
pub struct Host<N> {
    index: usize,
    skew: Skew,
    fabric: Arc<Fabric>,
    lives: u64,
    is_paused: bool,
    life: Option<Life<N>>,
    listener: Option<Dispatch>,
}

#[derive(Debug)]
struct Life<N> {
    runtime: Runtime,
    node: Arc<N>,
    number: u64,
    pace: Pace,
}

impl<N: Node> Host<N> {
    /// A machine on which no process runs.
    #[must_use]
    pub fn new(index: usize, skew: Skew, fabric: Arc<Fabric>) -> Self {
        let listener = voices::listener(index, &fabric);
        Self { index, skew, fabric, lives: 0, is_paused: false, life: None, listener }
    }

    /// Whether a process runs here, paused or not.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        self.life.is_some()
    }

    /// Whether its process is stopped for a while.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Which process it is that runs here, counted from one.
    #[must_use]
    pub const fn life(&self) -> u64 {
        self.lives
    }

    /// Starts a process, empty.
    ///
    /// # Errors
    /// Why it does not start.
    pub fn start(&mut self, setup: &Setup, seed: u64, now_ms: u64) -> Result<(), String> {
        self.crash();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .map_err(|error| format!("no runtime for a member: {error}"))?;
        let number = self.lives + 1;
        let (node, pace) = {
            let _inside = runtime.enter();
            let clock_at_start = self.clock(now_ms);
            let (start, drift_ppm) = (Instant::now(), self.skew.drift_ppm);
            let pace = Pace { clock_at_start, start_ms: now_ms, start, drift_ppm };
            let clock = Clock::virtual_at(clock_at_start);
            let wire = Arc::new(Wire::new(Arc::clone(&self.fabric), self.index, pace));
            (Arc::new(N::start(setup, wire, clock, seed)?), pace)
        };
        let running = Arc::clone(&node);
        runtime.spawn(async move { running.run().await });
        self.fabric.begin_life(self.index, number);
        self.lives = number;
        self.is_paused = false;
        self.life = Some(Life { runtime, node, number, pace });
        Ok(())
    }

    /// Ends its process without a word, if one runs.
    pub fn crash(&mut self) {
        if self.life.take().is_some() {
            self.fabric.end_life(self.index);
        }
    }

    /// Stops its process for a while.
    pub const fn pause(&mut self) {
        self.is_paused = true;
    }

    /// Has it go on.
    pub const fn resume(&mut self) {
        self.is_paused = false;
    }

    /// Runs its process up to `end_ms`.
    pub fn step(&self, end_ms: u64) {
        let Some(life) = self.life.as_ref().filter(|_| !self.is_paused) else { return };
        let arrivals = self.fabric.arrivals(self.index, end_ms);
        let run = || life.runtime.block_on(life.run(self.index, &self.fabric, arrivals, end_ms));
        match &self.listener {
            Some(listener) => tracing::dispatcher::with_default(listener, run),
            None => run(),
        }
    }

    /// Whether a process runs here that clients may ask.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.life.as_ref().is_some_and(|life| {
            let _inside = life.runtime.enter();
            life.node.is_ready()
        })
    }

    /// All that its process holds.
    #[must_use]
    pub fn records(&self) -> Vec<(Key<'static>, Record)> {
        let Some(life) = &self.life else { return Vec::new() };
        let _inside = life.runtime.enter();
        life.node.records()
    }

    /// The time as its process tells it.
    #[must_use]
    pub fn clock(&self, now_ms: u64) -> Timestamp {
        // Drift is counted from the start of the process.
        let run_ms =
            self.life.as_ref().map_or(now_ms, |life| life.pace.start_ms + life.pace.local_ms(now_ms));
        Timestamp::from_millis(EPOCH_MS + run_ms + self.skew.ahead_ms)
    }
}

impl<N: Node> Life<N> {
    async fn run(
        &self,
        me: usize,
        fabric: &Arc<Fabric>,
        arrivals: BTreeMap<(u64, u64), Arrival>,
        end_ms: u64,
    ) {
        let late = self.pace.local(fabric.step_start_ms()).saturating_duration_since(Instant::now());
        if late > Duration::ZERO {
            tokio::time::advance(late).await;
        }
        for ((at_ms, _), arrival) in arrivals {
            tokio::time::sleep_until(self.pace.local(at_ms)).await;
            self.take(me, fabric, arrival);
        }
        tokio::time::sleep_until(self.pace.local(end_ms)).await;
    }

    fn take(&self, me: usize, fabric: &Arc<Fabric>, arrival: Arrival) {
        let (node, fabric, life, pace) = (Arc::clone(&self.node), Arc::clone(fabric), self.number, self.pace);
        match arrival {
            Arrival::Reply { call, result } => {
                fabric.end(call, result.map(|reply| reply.unpacked(self.pace.now())));
            }
            Arrival::Message { from, call, payload } => {
                let payload = payload.unpacked(pace.now());
                tokio::spawn(async move {
                    let Some(from) = fabric.address(from) else { return };
                    let handler = node.handler();
                    let reply = match payload {
                        Payload::Ask(ask) => Reply::Told(handler.answer(&from, ask).await),
                        Payload::Execute { key, operation, passage, time_left_ms } => {
                            let time_left = Duration::from_millis(time_left_ms);
                            Reply::Executed(
                                match handler.execute_at_once(&from, &key, &operation, &passage) {
                                    Some(executed) => executed,
                                    None => handler.execute(&from, key, operation, passage, time_left).await,
                                },
                            )
                        }
                    };
                    fabric.answer(me, life, call, reply.packed(pace.now()), pace.world_ms());
                });
            }
            Arrival::Request { attempt, key, operation, delivery } => {
                tokio::spawn(async move {
                    let answer = Box::new(node.execute(&key, operation, delivery).await);
                    fabric.notify(me, life, pace.world_ms(), Notice::Answered { attempt, answer });
                });
            }
            Arrival::Leave => {
                tokio::spawn(async move {
                    node.leave().await;
                    fabric.notify(me, life, pace.world_ms(), Notice::Left);
                });
            }
            Arrival::Reload(setup) => {
                if let Err(why) = node.reload(&setup) {
                    fabric.notify(me, life, pace.world_ms(), Notice::Refused(why));
                }
            }
        }
    }
}
