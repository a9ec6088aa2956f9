//! The loop that drives all connections of a load, and keeps its time.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};

use super::connection::Connection;
use super::stream::Stream;
use super::wire::{self, Framing};
use super::{Outcome, Pace, Plan, Span};
use crate::error::{Error, doing};
use crate::identity::Identity;
use crate::process;

const BUFFER_BYTES: usize = 256 << 10;
const LONGEST: Duration = Duration::from_secs(100);
/// A load that nothing answers for so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// Requests that may be due and unsent: a rate far beyond what the server can do is a mistake in the plan.
const MAX_OVERDUE: usize = 1 << 20;

/// A load at work.
#[derive(Debug)]
pub struct Engine<'a> {
    plan: &'a Plan,
    poll: Poll,
    connections: Vec<Connection>,
    requests: Vec<Vec<u8>>,
    framing: Framing,
    buffer: Vec<u8>,
    /// Requests begun, and those of them answered.
    begun: usize,
    answered: usize,
    overdue: VecDeque<Instant>,
    idle: Vec<usize>,
}

/// What is measured after the warm-up.
struct Measured {
    from: Instant,
    until: Instant,
    latencies: Histogram<u64>,
    cpu_at_start: Option<Duration>,
}

impl<'a> Engine<'a> {
    /// Opens every connection.
    pub fn new(plan: &'a Plan) -> Result<Self, Error> {
        let poll = Poll::new().map_err(doing("making a poll"))?;
        let tls = plan.identity.as_ref().map(Identity::client).transpose()?;
        let open = |token| {
            let mut stream = Stream::open(plan.address, tls.as_ref())?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(stream.socket(), Token(token), interest)?;
            Ok::<_, io::Error>(Connection::new(stream))
        };
        let connections = (0..plan.connections)
            .map(open)
            .collect::<Result<Vec<_>, _>>()
            .map_err(doing(format!("connecting to {}", plan.address)))?;
        Ok(Self {
            plan,
            poll,
            idle: (0..connections.len()).rev().collect(),
            connections,
            requests: (0..plan.keys.len()).map(|number| wire::request(plan, number)).collect(),
            framing: Framing::of(plan),
            buffer: vec![0; BUFFER_BYTES],
            begun: 0,
            answered: 0,
            overdue: VecDeque::new(),
        })
    }

    /// Runs the load to its end.
    pub fn run(mut self) -> Result<Outcome, Error> {
        let start = Instant::now();
        let (warm_up, length) = match self.plan.span {
            Span::Once => (Duration::ZERO, Duration::MAX / 4),
            Span::Timed { warm_up, measured } => (warm_up, measured),
        };
        let far = Duration::from_secs(1 << 30);
        let mut measured = Measured {
            from: start + warm_up,
            until: start + warm_up + length.min(far),
            latencies: Histogram::new_with_bounds(1, nanos(LONGEST), 3)
                .map_err(|error| doing("making a histogram")(io::Error::other(error)))?,
            cpu_at_start: None,
        };
        match self.plan.pace {
            Pace::Closed { depth } => self.closed(depth, &mut measured)?,
            Pace::Open { per_second } => self.open(per_second, &mut measured)?,
        }
        let now = Instant::now().min(measured.until);
        Ok(Outcome { misses: self.framing.misses, ..measured.outcome(self.answered, now) })
    }

    fn closed(&mut self, depth: usize, measured: &mut Measured) -> Result<(), Error> {
        for connection in 0..self.connections.len() {
            self.begin(connection, depth);
            self.connections[connection].send(&self.requests)?;
        }
        let mut events = Events::with_capacity(1024);
        while !self.is_finished() {
            self.wait(&mut events, PATIENCE)?;
            let now = Instant::now();
            if measured.is_over(now)? {
                break;
            }
            for event in &events {
                let connection = event.token().0;
                let answers = self.serve(connection, now, measured)?;
                if answers > 0 {
                    self.begin(connection, answers);
                    self.connections[connection].send(&self.requests)?;
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, connection: usize, count: usize) {
        let now = Instant::now();
        for _ in 0..count {
            if self.plan.span == Span::Once && self.begun == self.requests.len() {
                return;
            }
            self.push(connection, now);
        }
    }

    fn push(&mut self, connection: usize, begun: Instant) {
        self.connections[connection].push(self.begun % self.requests.len(), begun);
        self.begun += 1;
    }

    fn is_finished(&self) -> bool {
        self.plan.span == Span::Once && self.answered == self.requests.len()
    }

    fn open(&mut self, per_second: u32, measured: &mut Measured) -> Result<(), Error> {
        let interval = Duration::from_secs(1) / per_second.max(1);
        let mut due = Instant::now();
        let mut events = Events::with_capacity(1024);
        loop {
            let mut now = Instant::now();
            if measured.is_over(now)? {
                return Ok(());
            }
            while due <= now {
                self.overdue.push_back(due);
                due += interval;
            }
            if self.overdue.len() > MAX_OVERDUE {
                let what =
                    format!("it cannot answer {per_second} requests a second; a lower rate would be right");
                return Err(Error::Answer { from: self.plan.address.to_string(), what });
            }
            while !self.overdue.is_empty()
                && let Some(connection) = self.idle.pop()
                && let Some(since) = self.overdue.pop_front()
            {
                self.push(connection, since);
                self.connections[connection].send(&self.requests)?;
            }
            // Timers of the system are too coarse for the next one: the loop spins.
            self.wait(&mut events, Duration::ZERO)?;
            now = Instant::now();
            for event in &events {
                let connection = event.token().0;
                if self.serve(connection, now, measured)? > 0 && self.connections[connection].is_idle() {
                    self.idle.push(connection);
                }
            }
        }
    }

    fn wait(&mut self, events: &mut Events, timeout: Duration) -> Result<(), Error> {
        match self.poll.poll(events, Some(timeout)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                Err(doing("waiting for answers")(error))
            }
            _ if events.is_empty() && !timeout.is_zero() => Err(Error::Answer {
                from: self.plan.address.to_string(),
                what: format!(
                    "nothing came for {timeout:?}, with {} answers missing",
                    self.begun - self.answered
                ),
            }),
            _ => Ok(()),
        }
    }

    /// Moves what can be moved on a connection; returns how many answers have come.
    fn serve(&mut self, connection: usize, now: Instant, measured: &mut Measured) -> Result<usize, Error> {
        let connection = &mut self.connections[connection];
        connection.send(&self.requests)?;
        let mut answers = 0;
        connection.receive(&mut self.framing, &mut self.buffer, |begun| {
            answers += 1;
            measured.record(begun, now);
        })?;
        self.answered += answers;
        Ok(answers)
    }
}

impl Measured {
    /// Whether the time is over; also takes note of the generator's use of its core when the warm-up ends.
    fn is_over(&mut self, now: Instant) -> Result<bool, Error> {
        if self.cpu_at_start.is_none() && now >= self.from {
            self.cpu_at_start = Some(process::own_cpu()?);
        }
        Ok(now >= self.until)
    }

    fn record(&mut self, begun: Instant, now: Instant) {
        if now >= self.from {
            self.latencies.saturating_record(nanos(now.saturating_duration_since(begun)));
        }
    }

    fn outcome(&self, answers: usize, end: Instant) -> Outcome {
        let seconds = end.saturating_duration_since(self.from).as_secs_f64();
        let at = |share| self.latencies.value_at_quantile(share) as f64 / 1000.0;
        let used =
            process::own_cpu().unwrap_or_default().saturating_sub(self.cpu_at_start.unwrap_or_default());
        Outcome {
            answers: answers as u64,
            per_second: self.latencies.len() as f64 / seconds,
            seconds,
            p50_us: at(0.5),
            p99_us: at(0.99),
            p999_us: at(0.999),
            generator_cpu: used.as_secs_f64() / seconds,
            ..Outcome::default()
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
