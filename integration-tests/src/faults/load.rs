//! Clients that never stop, through any member that they may use, and that write down everything they were told.
//!
//! Half of the keys are registers (written, replaced, removed, read), the others counters (added to under an
//! `Idempotency-Key`, which is what makes repeating an addition safe, and read).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Client;
use tokio::task::JoinHandle;

use crate::faults::history::{Action, History, Operation, Outcome};
use crate::http::{Answer, Request, client};

const CLIENTS: usize = 8;
/// Between an answer and the next request of the same client.
const PACE: Duration = Duration::from_millis(4);
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(4);
/// How often it is looked whether the machine stalls.
const WATCH: Duration = Duration::from_millis(5);
/// How often an addition is sent in all.
const ATTEMPTS: usize = 4;

/// The keys of a load: so few that clients meet, so many that the history of each stays short.
pub const KEYS: usize = 60;

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    http: Client,
    members: Vec<SocketAddr>,
    shunned: Mutex<Vec<Shunned>>,
    history: History,
    values: AtomicU64,
    ends: AtomicBool,
    stall_us: AtomicU64,
}

/// A member that clients did not use for a time.
#[derive(Clone, Copy, Debug)]
struct Shunned {
    member: usize,
    from: Duration,
    until: Duration,
    why: Why,
}

/// Why clients do not use a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is lost: what was under way through it may fail.
    Lost,
    /// It cannot reach the others: what it acknowledges by itself, they may go on without.
    CutOff,
    /// It leaves in good order: what is under way through it is answered.
    Leaving,
}

/// All that clients did, and which failures are no wonder.
#[derive(Clone, Debug)]
pub struct Told {
    /// The longest time for which the machine did not let a thread run that had nothing to wait for.
    pub stall: Duration,
    /// Every operation.
    pub operations: Vec<Operation>,
    shunned: Vec<Shunned>,
}

impl Told {
    /// The operations that failed through members that were there all the time.
    pub fn failed(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter().filter(|operation| !operation.is_answered() && !self.was_lost(operation))
    }

    /// The operations that were broken off because the member that they went through was lost.
    pub fn broken_off(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter().filter(|operation| !operation.is_answered() && self.was_lost(operation))
    }

    /// Every operation; what a member acknowledged that was cut off then counts as unknown, as nothing is promised of it.
    #[must_use]
    pub fn promised(&self) -> Vec<Operation> {
        let mut operations = self.operations.clone();
        let is_overruled =
            |operation: &Operation| operation.is_answered() && self.went_through(Why::CutOff, operation);
        for operation in operations.iter_mut().filter(|operation| is_overruled(operation)) {
            operation.outcome = Outcome::Unknown("acknowledged by a member that was cut off".to_owned());
        }
        operations
    }

    fn was_lost(&self, operation: &Operation) -> bool {
        [Why::Lost, Why::CutOff].into_iter().any(|why| self.went_through(why, operation))
    }

    /// Whether it went through a member that was not to be used then, for this reason.
    fn went_through(&self, why: Why, operation: &Operation) -> bool {
        let mut shunned = self.shunned.iter().filter(|shunned| shunned.why == why);
        shunned.any(|shunned| {
            let overlaps = operation.start < shunned.until && operation.end >= shunned.from;
            shunned.member == operation.through && overlaps
        })
    }

    /// The longest time between `from` and `until` in which no operation was answered.
    #[must_use]
    pub fn longest_gap(&self, from: Duration, until: Duration) -> Duration {
        let answered = self.operations.iter().filter(|operation| operation.is_answered());
        let mut times: Vec<_> =
            answered.map(|operation| operation.end).filter(|end| (from..until).contains(end)).collect();
        times.extend([from, until]);
        times.sort_unstable();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// The longest time that an answer took.
    #[must_use]
    pub fn longest_answer(&self) -> Duration {
        let answered = self.operations.iter().filter(|operation| operation.is_answered());
        answered.map(|operation| operation.end - operation.start).max().unwrap_or_default()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
    }
}

impl Load {
    /// Starts clients of these members; `name` begins their keys, `seed` decides what they do.
    #[must_use]
    pub fn start(name: &str, members: Vec<SocketAddr>, seed: u64) -> Self {
        let shared = Arc::new(Shared {
            name: name.into(),
            http: client(),
            members,
            shunned: Mutex::default(),
            history: History::default(),
            values: AtomicU64::new(1),
            ends: AtomicBool::default(),
            stall_us: AtomicU64::default(),
        });
        let watch = Arc::clone(&shared);
        std::thread::spawn(move || watch.watch_machine());
        let begin = |number: usize| {
            let shared = Arc::clone(&shared);
            let chance = Chance(seed.wrapping_mul(1 << 20).wrapping_add(number as u64));
            tokio::spawn(async move { shared.run(chance).await })
        };
        let clients = (0..CLIENTS).map(begin).collect();
        Self { shared, clients }
    }

    /// The name of a key.
    #[must_use]
    pub fn key(&self, key: usize) -> String {
        self.shared.key(key)
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.shared.history.now()
    }

    /// Lets it go on for a while.
    pub async fn go_on_for(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Has clients leave a member alone from now on.
    ///
    /// # Panics
    /// Never.
    pub fn shun(&self, member: usize, why: Why) {
        let shunned = Shunned { member, from: self.now(), until: Duration::MAX, why };
        self.shared.shunned.lock().expect("nobody panics with it").push(shunned);
    }

    /// Has clients use a member again.
    ///
    /// # Panics
    /// Never.
    pub fn use_again(&self, member: usize) {
        let now = self.now();
        for shunned in self.shared.shunned.lock().expect("nobody panics with it").iter_mut() {
            if shunned.member == member && shunned.until == Duration::MAX {
                shunned.until = now;
            }
        }
    }

    /// Reads one key through one member, again and again for a while if that fails.
    pub async fn read(&self, key: usize, through: usize) -> Operation {
        let mut operation = self.shared.read(key, through).await.0;
        for _ in 1..ATTEMPTS {
            if operation.is_answered() {
                break;
            }
            tokio::time::sleep(PACE).await;
            operation = self.shared.read(key, through).await.0;
        }
        operation
    }

    /// Lets the clients finish what they are at.
    ///
    /// # Panics
    /// When a client was told something that makes no sense.
    pub async fn end(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            client.await.expect("a client was told nonsense");
        }
    }

    /// Everything that happened until now.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn told(&self) -> Told {
        let shunned = self.shared.shunned.lock().expect("nobody panics with it").clone();
        let stall = Duration::from_micros(self.shared.stall_us.load(Ordering::Relaxed));
        Told { stall, operations: self.shared.history.operations(), shunned }
    }
}

impl Shared {
    fn watch_machine(&self) {
        while !self.ends.load(Ordering::Relaxed) {
            let start = Instant::now();
            std::thread::sleep(WATCH);
            let late = start.elapsed().saturating_sub(WATCH);
            self.stall_us.fetch_max(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    async fn run(&self, mut chance: Chance) {
        while !self.ends.load(Ordering::Relaxed) {
            tokio::time::sleep(PACE).await;
            let key = chance.below(KEYS);
            let Some(through) = self.any_member(&mut chance) else { continue };
            match (is_counter(key), chance.below(10)) {
                (true, 0..6) => self.add(key, &mut chance).await,
                (false, 0..3) => self.write(key, through).await,
                (false, 3..6) => self.replace(key, through, &mut chance).await,
                (false, 6) => self.remove(key, through).await,
                (true | false, _) => drop(self.read(key, through).await),
            }
        }
    }

    fn key(&self, key: usize) -> String {
        let kind = if is_counter(key) { "counter" } else { "register" };
        format!("{}-{kind}-{key}", self.name)
    }

    fn any_member(&self, chance: &mut Chance) -> Option<usize> {
        let shunned = self.shunned.lock().expect("nobody panics with it").clone();
        let is_shunned = |member: &usize| {
            shunned.iter().any(|shunned| shunned.member == *member && shunned.until == Duration::MAX)
        };
        let usable: Vec<_> = (0..self.members.len()).filter(|member| !is_shunned(member)).collect();
        usable.get(chance.below(usable.len().max(1))).copied()
    }

    fn request(&self, method: &str, key: usize, through: usize) -> Request {
        let url = format!("http://{}/objects/{}", self.members[through], self.key(key));
        Request::new(&self.http, method, &url).timeout(PATIENCE)
    }

    /// Sends a request for an operation, and what it makes of the answer: the operation, or that this is no answer to it.
    async fn operate(
        &self,
        (key, through): (usize, usize),
        unknown: Action,
        request: Request,
        read: impl FnOnce(&Answer) -> Option<Action>,
    ) -> (Operation, Option<Answer>) {
        let start = self.history.now();
        let answer = request.try_send().await;
        let end = self.history.now();
        let (action, outcome) = match &answer {
            Ok(answer) => match read(answer) {
                Some(action) => (action, Outcome::Answered),
                None => (unknown, Outcome::Unknown(reason(answer))),
            },
            Err(error) if error.is_connect() => (unknown, Outcome::Unsent("no connection".into())),
            Err(error) if error.is_timeout() => (unknown, Outcome::Unknown("no answer in time".into())),
            Err(_) => (unknown, Outcome::Unknown("connection broken off".into())),
        };
        let executor = answer.as_ref().ok().and_then(|answer| answer.header("x-ringhold-member"));
        let executor = executor.map(str::to_owned);
        (Operation { key, through, executor, action, start, end, outcome }, answer.ok())
    }

    /// Also the entity tag, if there was anything.
    async fn read(&self, key: usize, through: usize) -> (Operation, Option<String>) {
        let request = self.request("GET", key, through);
        let read = |answer: &Answer| match answer.status {
            200 => Some(Action::Read(Some(number(answer)))),
            404 => Some(Action::Read(None)),
            _ => None,
        };
        let (operation, answer) = self.operate((key, through), Action::Read(None), request, read).await;
        self.history.add(operation.clone());
        let tag = answer.and_then(|answer| answer.header("etag").map(str::to_owned));
        (operation, tag)
    }

    fn new_value(&self) -> u64 {
        self.values.fetch_add(1, Ordering::Relaxed)
    }

    async fn write(&self, key: usize, through: usize) {
        let value = self.new_value();
        let action = Action::Write(value);
        let request = self.request("PUT", key, through).body(value.to_string());
        let read = |answer: &Answer| matches!(answer.status, 201 | 204).then_some(action);
        let (operation, _) = self.operate((key, through), action, request, read).await;
        self.history.add(operation);
    }

    async fn remove(&self, key: usize, through: usize) {
        let request = self.request("DELETE", key, through);
        let read = |answer: &Answer| (answer.status == 204).then_some(Action::Remove);
        let (operation, _) = self.operate((key, through), Action::Remove, request, read).await;
        self.history.add(operation);
    }

    /// Reads through one member and replaces through any: by then the first may be leaving, and takes no new connection.
    async fn replace(&self, key: usize, through: usize, chance: &mut Chance) {
        let (found, Some(tag)) = self.read(key, through).await else { return };
        let Action::Read(Some(expected)) = found.action else { return };
        let Some(through) = self.any_member(chance) else { return };
        let value = self.new_value();
        let action = |replaced| Action::Replace { expected, value, replaced };
        let request = self.request("PUT", key, through).header("If-Match", tag).body(value.to_string());
        let read = |answer: &Answer| match answer.status {
            201 | 204 => Some(action(Some(true))),
            412 => Some(action(Some(false))),
            _ => None,
        };
        let (operation, _) = self.operate((key, through), action(None), request, read).await;
        self.history.add(operation);
    }

    /// Repeats it until it is answered. An addition that others have overtaken does not say what the sum was just then.
    async fn add(&self, key: usize, chance: &mut Chance) {
        let name = format!("{}-{}", self.name, self.new_value());
        let mut operation: Option<Operation> = None;
        for _ in 0..ATTEMPTS {
            let Some(through) = self.any_member(chance) else { return };
            let request = self.request("PATCH", key, through).header("Idempotency-Key", &name);
            let request = request.header("Content-Type", "application/vnd.ringhold.counter+json");
            let request = request.body(r#"{"add":1}"#);
            let read = |answer: &Answer| {
                let sum = || answer.header("x-ringhold-overtaken").is_none().then(|| number(answer));
                matches!(answer.status, 200 | 201).then(|| Action::Add(sum()))
            };
            let (now, _) = self.operate((key, through), Action::Add(None), request, read).await;
            let merged = match operation.take() {
                None => now,
                Some(first) => {
                    let outcome = match (first.outcome, now.outcome) {
                        (Outcome::Unknown(why), Outcome::Unsent(_)) => Outcome::Unknown(why),
                        (_, outcome) => outcome,
                    };
                    Operation { start: first.start, outcome, ..now }
                }
            };
            let is_answered = merged.is_answered();
            operation = Some(merged);
            if is_answered {
                break;
            }
            tokio::time::sleep(PACE).await;
        }
        operation.into_iter().for_each(|operation| self.history.add(operation));
    }
}

const fn is_counter(key: usize) -> bool {
    key % 2 == 1
}

fn number(answer: &Answer) -> u64 {
    answer.text().parse().unwrap_or_else(|_| panic!("no client wrote this: {answer:?}"))
}

/// Why an answer is none: the code of its problem, or else its status.
fn reason(answer: &Answer) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
    let code = problem.as_ref().and_then(|problem| problem["code"].as_str());
    code.map_or_else(|| format!("status {}", answer.status), Into::into)
}

/// Numbers that depend on a seed alone (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}
