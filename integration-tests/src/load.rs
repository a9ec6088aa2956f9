//! Clients that never stop asking while a test does something to a ring, and that complain of every wrong answer.
//!
//! A client takes one turn after the other; what a turn says when it fails is a complaint, and one complaint fails the
//! test when the load ends. [`Counters`] are clients that know what every answer must be.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::Client;
use tokio::task::JoinHandle;

use crate::http::{Answer, Request, client};
use crate::ring::Ring;
use crate::wait::wait_until;

/// How long some turns, or one request with all its repetitions, may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two attempts at a request.
const PAUSE: Duration = Duration::from_millis(10);
/// How many complaints of one client are kept: the first ones say most.
const KEPT: usize = 10;

/// Clients at work.
#[derive(Debug, Default)]
#[must_use = "what was wrong is said by `end`"]
pub struct Load {
    ends: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Complaints>>,
}

#[derive(Debug, Default)]
struct Complaints {
    count: usize,
    first: Vec<String>,
}

impl Complaints {
    fn note(&mut self, result: Result<(), String>) {
        if let Err(complaint) = result {
            self.count += 1;
            if self.first.len() < KEPT {
                self.first.push(complaint);
            }
        }
    }
}

impl Load {
    /// Nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a client more, whose turns have the numbers from 0.
    pub fn client<T>(mut self, mut turn: impl FnMut(usize) -> T + Send + 'static) -> Self
    where
        T: Future<Output = Result<(), String>> + Send + 'static,
    {
        let (ends, done) = (Arc::clone(&self.ends), Arc::clone(&self.done));
        self.clients.push(tokio::spawn(async move {
            let mut complaints = Complaints::default();
            for number in 0.. {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                complaints.note(turn(number).await);
                done.fetch_add(1, Ordering::Relaxed);
            }
            complaints
        }));
        self
    }

    /// The same with a client that blocks, such as a program that is run for each turn.
    pub fn blocking_client(mut self, mut turn: impl FnMut() -> Result<(), String> + Send + 'static) -> Self {
        let (ends, done) = (Arc::clone(&self.ends), Arc::clone(&self.done));
        self.clients.push(tokio::task::spawn_blocking(move || {
            let mut complaints = Complaints::default();
            while !ends.load(Ordering::Relaxed) {
                complaints.note(turn());
                done.fetch_add(1, Ordering::Relaxed);
            }
            complaints
        }));
        self
    }

    /// With something that runs until it is told that the load ends, and then says what was wrong. It counts no turns.
    pub fn companion(mut self, run: impl FnOnce(&AtomicBool) -> Result<(), String> + Send + 'static) -> Self {
        let ends = Arc::clone(&self.ends);
        self.clients.push(tokio::task::spawn_blocking(move || {
            let mut complaints = Complaints::default();
            complaints.note(run(&ends));
            complaints
        }));
        self
    }

    /// Waits until that many turns more have been taken.
    ///
    /// # Panics
    /// When they take too long.
    pub async fn continue_for(&self, turns: u64) {
        let until = self.done.load(Ordering::Relaxed) + turns;
        wait_until(PATIENCE, "requests to be answered", async || self.done.load(Ordering::Relaxed) >= until)
            .await;
    }

    /// Ends it.
    ///
    /// # Panics
    /// When anything was wrong with any answer.
    pub async fn end(mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let (mut count, mut first) = (0, Vec::new());
        for client in self.clients.drain(..) {
            let complaints = client.await.expect("a client never panics");
            count += complaints.count;
            first.extend(complaints.first);
        }
        let (turns, shown) = (self.done.load(Ordering::Relaxed), first.join("\n"));
        assert!(count == 0, "{count} of {turns} turns went wrong:\n{shown}");
    }
}

impl Drop for Load {
    /// A test that failed does not go on asking.
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        self.clients.iter().for_each(JoinHandle::abort);
    }
}

/// What a client takes for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// Any; only a member that refuses connections is left for another one.
    Everything,
    /// Any but 503 and none at all; then it repeats the request at another member, under the same name.
    Service,
}

/// A client of a ring who tries one member after the other.
#[derive(Clone, Debug)]
pub struct Caller {
    members: Vec<SocketAddr>,
    accepts: Accepts,
    http: Client,
}

impl Caller {
    /// A client of these members of `ring`.
    #[must_use]
    pub fn new(ring: &Ring, members: impl IntoIterator<Item = usize>, accepts: Accepts) -> Self {
        let members = members.into_iter().map(|member| ring[member].door()).collect();
        Self { members, accepts, http: client() }
    }

    /// Sends one request, first to the member with this number, until there is an answer that counts.
    ///
    /// # Errors
    /// What came of the last attempt.
    pub async fn call(
        &self,
        first: usize,
        method: &str,
        key: &str,
        build: impl Fn(Request) -> Request,
    ) -> Result<Answer, String> {
        let start = Instant::now();
        for attempt in first.. {
            let member = self.members[attempt % self.members.len()];
            let request = Request::new(&self.http, method, &format!("http://{member}/objects/{key}"));
            let sent = Instant::now();
            let failed = match build(request).try_send().await {
                Ok(answer) if answer.status != 503 || self.accepts == Accepts::Everything => {
                    return Ok(answer);
                }
                Err(error) if !error.is_connect() && self.accepts == Accepts::Everything => {
                    return Err(format!("{method} {key} at {member}, {:?}: {error:?}", sent.elapsed()));
                }
                failed => failed,
            };
            if start.elapsed() > PATIENCE {
                return Err(format!("{method} {key} at {member}: {failed:?}, and so for {PATIENCE:?}"));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err("there are no members".to_owned())
    }
}

/// Clients that each count keys of their own up by patches that bring a name, and read them elsewhere. Every patch must
/// have run exactly once, and every read must show the last one.
#[derive(Debug)]
pub struct Counters {
    name: String,
    caller: Caller,
    keys_of_each: usize,
}

impl Counters {
    /// `keys_of_each` keys for each client, one client for each member that the `caller` knows.
    #[must_use]
    pub fn new(name: &str, caller: Caller, keys_of_each: usize) -> Self {
        Self { name: name.to_owned(), caller, keys_of_each }
    }

    /// The key that a client counts up in a turn.
    fn key(&self, client: usize, turn: usize) -> String {
        format!("{}-{client}-{}", self.name, turn % self.keys_of_each)
    }

    /// Adds these clients to `load`.
    pub fn join(self, load: Load) -> Load {
        let this = Arc::new(self);
        (0..this.caller.members.len()).fold(load, |load, client| {
            let this = Arc::clone(&this);
            load.client(move |turn| {
                let this = Arc::clone(&this);
                async move { this.turn(client, turn).await }
            })
        })
    }

    async fn turn(&self, client: usize, turn: usize) -> Result<(), String> {
        let (key, expected) = (self.key(client, turn), (turn / self.keys_of_each + 1).to_string());
        let id = format!("{key}-{expected}");
        let count = |request: Request| {
            let request = request.header("content-type", "application/vnd.ringhold.counter+json");
            request.header("idempotency-key", &id).body(r#"{"add": 1}"#)
        };
        for (method, first) in [("PATCH", client), ("GET", client + turn)] {
            let is_patch = method == "PATCH";
            let build = |request| if is_patch { count(request) } else { request };
            let answer = self.caller.call(first, method, &key, build).await?;
            if !matches!(answer.status, 200 | 201) || answer.body != expected {
                return Err(format!("{method} {key}: {answer:?}, and not {expected}"));
            }
        }
        Ok(())
    }
}
