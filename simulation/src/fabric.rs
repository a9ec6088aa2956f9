//! The simulated network: who reaches whom, after how long, and what becomes of what is under way.
//!
//! It stands for kept streams: a message between connected members that is cut off on its way may have arrived, one
//! to a member without a process is refused at once, and one to whom no stream can be opened was certainly not sent.
//! Order is not kept, not even between two members. Invariant: nothing arrives before the end of the step in which
//! it was sent, so the members may take each step one after the other.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use ringhold_ring::{Heartbeat, MemberAddress, MemberState, Standing};
use ringhold_server::peer::network::{Ask, CopyOf, Copying};
use tokio::sync::oneshot;

use crate::log::{Event, Log};
use crate::message::{Arrival, Fate, Notice, Payload, Reply};
use crate::random::Random;

/// How one member reaches another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Nothing gets through.
    pub is_cut: bool,
    /// Of a thousand messages, how many never arrive.
    pub loss_permille: u64,
    /// Of a thousand messages that may come twice, how many do.
    pub duplicates_permille: u64,
    /// How much longer each message takes.
    pub slower_ms: u64,
}

/// How long messages take.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// The least: no step may be longer.
    pub least_ms: u64,
    /// Up to so much comes on top.
    pub spread_ms: u64,
    /// Of a thousand messages, how many take ten times that.
    pub stragglers_permille: u64,
}

/// What members have sent each other so far, answers aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Requests that another member is to execute.
    pub forwards: u64,
    /// Copies of new writes.
    pub copies: u64,
    /// Heartbeats.
    pub heartbeats: u64,
}

struct Call {
    from: usize,
    to: usize,
    is_connected: bool,
    comes_twice: bool,
    answer: oneshot::Sender<Result<Reply, Fate>>,
}

/// One ring's network, shared by all its members.
pub struct Fabric(Mutex<Inner>);

struct Inner {
    random: Random,
    delays: Delays,
    addresses: BTreeMap<MemberAddress, usize>,
    links: Vec<Vec<Link>>,
    /// Who has a stream to whom.
    connected: Vec<Vec<bool>>,
    lives: Vec<Option<u64>>,
    inboxes: Vec<BTreeMap<(u64, u64), Arrival>>,
    notices: Vec<(u64, usize, Notice)>,
    calls: BTreeMap<u64, Call>,
    /// What each member last said to each other one, and when.
    beats: Vec<Vec<Option<(u64, Heartbeat)>>>,
    sent: Sent,
    numbers: u64,
    step_ms: (u64, u64),
    log: Log,
}

impl fmt::Debug for Fabric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fabric").finish_non_exhaustive()
    }
}

impl Fabric {
    /// A network between machines at `addresses`, on none of which a process runs.
    #[must_use]
    pub fn new(addresses: &[MemberAddress], delays: Delays, random: Random, log: Log) -> Arc<Self> {
        let size = addresses.len();
        let numbered = addresses.iter().enumerate().map(|(at, address)| (address.clone(), at));
        Arc::new(Self(Mutex::new(Inner {
            random,
            delays,
            addresses: numbered.collect(),
            links: vec![vec![Link::default(); size]; size],
            connected: vec![vec![false; size]; size],
            lives: vec![None; size],
            inboxes: (0..size).map(|_| BTreeMap::new()).collect(),
            notices: Vec::new(),
            calls: BTreeMap::new(),
            beats: vec![vec![None; size]; size],
            sent: Sent::default(),
            numbers: 0,
            step_ms: (0, 0),
            log,
        })))
    }

    /// Begins the step from `start_ms` to `end_ms`.
    pub fn begin_step(&self, start_ms: u64, end_ms: u64) {
        self.0.lock().step_ms = (start_ms, end_ms);
    }

    /// When the present step began.
    #[must_use]
    pub fn step_start_ms(&self) -> u64 {
        self.0.lock().step_ms.0
    }

    /// Whether the log keeps the text of what happens.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.lock().log.is_kept()
    }

    /// The member on this machine logs a line.
    pub fn overhear(&self, machine: usize, line: &str) {
        let inner = self.0.lock();
        inner.log.remark(inner.step_ms.0, &format!("{machine} says: {line}"));
    }

    /// The address of the member with this index.
    #[must_use]
    pub fn address(&self, member: usize) -> Option<MemberAddress> {
        let inner = self.0.lock();
        inner.addresses.iter().find(|(_, at)| **at == member).map(|(address, _)| address.clone())
    }

    /// What happens at `member` before `end_ms`, in its order.
    #[must_use]
    pub fn arrivals(&self, member: usize, end_ms: u64) -> BTreeMap<(u64, u64), Arrival> {
        let mut inner = self.0.lock();
        let later = inner.inboxes[member].split_off(&(end_ms, 0));
        std::mem::replace(&mut inner.inboxes[member], later)
    }

    /// Has something happen at `member`, as soon as it can.
    pub fn post(&self, member: usize, arrival: Arrival) {
        let mut inner = self.0.lock();
        let at_ms = inner.step_ms.1;
        inner.put(member, at_ms, arrival);
    }

    /// What members have said to the outside since this was last asked: when, who, what.
    #[must_use]
    pub fn notices(&self) -> Vec<(u64, usize, Notice)> {
        std::mem::take(&mut self.0.lock().notices)
    }

    /// `member`, in its life number `life`, says something to the outside at `now_ms`.
    pub fn notify(&self, member: usize, life: u64, now_ms: u64, notice: Notice) {
        let mut inner = self.0.lock();
        if inner.lives[member] == Some(life) {
            let now_ms = inner.in_step(now_ms);
            inner.notices.push((now_ms, member, notice));
        }
    }

    /// A process begins to run at `member`.
    pub fn begin_life(&self, member: usize, life: u64) {
        let mut inner = self.0.lock();
        inner.lives[member] = Some(life);
        inner.disconnect_all(member);
    }

    /// No process runs at `member` any more: all that is under way to it is lost.
    pub fn end_life(&self, member: usize) {
        let mut inner = self.0.lock();
        inner.lives[member] = None;
        inner.inboxes[member].clear();
        inner.disconnect_all(member);
        let at_ms = inner.step_ms.1;
        let to_it: Vec<_> = inner
            .calls
            .iter()
            .filter(|(_, call)| call.to == member)
            .map(|(id, call)| (*id, call.from))
            .collect();
        for (call, from) in to_it {
            // The sender's system hears of the end of the stream, unless the way back is cut.
            if !inner.links[member][from].is_cut {
                let arrives_ms = at_ms + inner.delay(member, from);
                inner.put(from, arrives_ms, Arrival::Reply { call, result: Err(Fate::Lost) });
            }
        }
        inner.calls.retain(|_, call| call.from != member);
    }

    /// Whether somebody waits for an answer of `member`.
    #[must_use]
    pub fn is_asked(&self, member: usize) -> bool {
        self.0.lock().calls.values().any(|call| call.to == member && call.is_connected)
    }

    /// Changes how `from` reaches `to`.
    pub fn set_link(&self, from: usize, to: usize, link: Link) {
        self.0.lock().links[from][to] = link;
    }

    /// Whether `from` and `to` reach each other now, both ways.
    #[must_use]
    pub fn is_open(&self, from: usize, to: usize) -> bool {
        let inner = self.0.lock();
        !inner.links[from][to].is_cut && !inner.links[to][from].is_cut
    }

    /// What members have sent each other so far.
    #[must_use]
    pub fn sent(&self) -> Sent {
        self.0.lock().sent
    }

    /// Sends `payload` from a member to another; the receiver gets how it ended, if it ends.
    #[must_use]
    pub fn call(
        &self,
        from: usize,
        to: &MemberAddress,
        payload: Payload,
        now_ms: u64,
    ) -> Option<(u64, oneshot::Receiver<Result<Reply, Fate>>)> {
        let mut inner = self.0.lock();
        let to = *inner.addresses.get(to)?;
        let now_ms = inner.in_step(now_ms);
        let (answer, receiver) = oneshot::channel();
        let call = inner.number();
        let was_connected = inner.connected[from][to];
        let reaches = !inner.links[from][to].is_cut && (was_connected || !inner.links[to][from].is_cut);
        match &payload {
            Payload::Execute { .. } => inner.sent.forwards += 1,
            Payload::Ask(Ask::Copy(CopyOf { copying: Copying::Write(_), .. })) => inner.sent.copies += 1,
            Payload::Ask(Ask::Heartbeat(beat)) => {
                inner.sent.heartbeats += 1;
                inner.beats[from][to] = Some((now_ms, *beat));
            }
            Payload::Ask(_) => {}
        }
        let is_connected = was_connected || reaches;
        inner.calls.insert(call, Call { from, to, is_connected, comes_twice: false, answer });
        inner.log.add(now_ms, || Event::Sent {
            from,
            to,
            what: payload.describe(),
            key: payload.key().cloned(),
        });
        if reaches {
            inner.connected[from][to] = inner.lives[to].is_some();
            inner.send(from, to, call, payload, now_ms);
        }
        Some((call, receiver))
    }

    /// Nobody waits for this call any more. Says what is known of it, if it has not ended.
    pub fn forget(&self, call: u64) -> Fate {
        match self.0.lock().calls.remove(&call) {
            Some(call) if !call.is_connected => Fate::NotSent,
            _ => Fate::Lost,
        }
    }

    /// `from`, in its life number `life`, answers a call at `now_ms`.
    pub fn answer(&self, from: usize, life: u64, call: u64, reply: Reply, now_ms: u64) {
        let mut inner = self.0.lock();
        let Some(Call { from: to, comes_twice, .. }) = inner.calls.get(&call) else { return };
        let (to, reply) = (*to, if *comes_twice { reply.of_one_sending() } else { reply });
        let link = inner.links[from][to];
        if inner.lives[from] != Some(life) || link.is_cut || inner.random.chance(link.loss_permille) {
            return;
        }
        let arrives_ms = inner.in_step(now_ms) + inner.delay(from, to);
        inner.put(to, arrives_ms, Arrival::Reply { call, result: Ok(reply) });
    }

    /// Hands a call's end over to whoever waits for it.
    pub fn end(&self, call: u64, result: Result<Reply, Fate>) {
        let ended = self.0.lock().calls.remove(&call);
        if let Some(ended) = ended {
            // Nobody may be waiting any more.
            let _ = ended.answer.send(result);
        }
    }

    /// `from` drops its stream to `to`, and with it what is under way there.
    pub fn disconnect(&self, from: usize, to: &MemberAddress) {
        let ended: Vec<_> = {
            let mut inner = self.0.lock();
            let Some(to) = inner.addresses.get(to).copied() else { return };
            inner.connected[from][to] = false;
            inner.calls.extract_if(.., |_, call| call.from == from && call.to == to).collect()
        };
        for (_, call) in ended {
            let fate = if call.is_connected { Fate::Lost } else { Fate::NotSent };
            let _ = call.answer.send(Err(fate));
        }
    }

    /// Whether all of `members` have told each other since `since_ms` that they are ready, get requests, have handed
    /// over everything, and use one ring.
    #[must_use]
    pub fn is_whole(&self, members: &[usize], since_ms: u64) -> bool {
        let inner = self.0.lock();
        let pairs = members.iter().flat_map(|from| members.iter().map(move |to| (*from, *to)));
        let beats: Vec<_> =
            pairs.filter(|(from, to)| from != to).map(|(from, to)| inner.beats[from][to]).collect();
        let ring = beats.first().copied().flatten().map(|(_, beat)| beat.ring);
        beats.iter().all(|beat| {
            beat.is_some_and(|(at_ms, beat)| {
                at_ms >= since_ms
                    && beat.state == MemberState::Ready
                    && beat.sees == Standing::Online
                    && beat.acts
                    && beat.handed
                    && beat.target.is_none()
                    && Some(beat.ring) == ring
            })
        })
    }

    /// All addresses but these.
    #[must_use]
    pub fn others_than(&self, members: &[MemberAddress]) -> Vec<MemberAddress> {
        self.0.lock().addresses.keys().filter(|address| !members.contains(address)).cloned().collect()
    }
}

impl Inner {
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Members' own clocks are not exact: what they say of the time is put into the present step.
    fn in_step(&self, now_ms: u64) -> u64 {
        now_ms.clamp(self.step_ms.0, self.step_ms.1)
    }

    fn put(&mut self, member: usize, at_ms: u64, arrival: Arrival) {
        let number = self.number();
        self.inboxes[member].insert((at_ms.max(self.step_ms.1), number), arrival);
    }

    fn delay(&mut self, from: usize, to: usize) -> u64 {
        let Delays { least_ms, spread_ms, stragglers_permille } = self.delays;
        let straggles = self.random.chance(stragglers_permille);
        let spread = self.random.below(spread_ms + 1) * if straggles { 10 } else { 1 };
        least_ms + spread + self.links[from][to].slower_ms
    }

    fn send(&mut self, from: usize, to: usize, call: u64, payload: Payload, now_ms: u64) {
        let arrives_ms = now_ms + self.delay(from, to);
        if self.lives[to].is_none() {
            let back_ms = arrives_ms + self.delay(to, from);
            self.put(from, back_ms, Arrival::Reply { call, result: Err(Fate::NotSent) });
            return;
        }
        let link = self.links[from][to];
        if self.random.chance(link.loss_permille) {
            return;
        }
        if payload.may_come_twice() && self.random.chance(link.duplicates_permille) {
            let again_ms = arrives_ms + self.delay(from, to);
            self.calls.entry(call).and_modify(|call| call.comes_twice = true);
            self.put(to, again_ms, Arrival::Message { from, call, payload: payload.clone() });
        }
        self.put(to, arrives_ms, Arrival::Message { from, call, payload });
    }

    fn disconnect_all(&mut self, member: usize) {
        for other in 0..self.links.len() {
            self.connected[member][other] = false;
            self.connected[other][member] = false;
        }
    }
}
