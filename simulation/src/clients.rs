//! The clients: what each asks next, and what an answer means.
//!
//! A client asks one thing at a time, of any node. What may be repeated safely, because it carries an id, is repeated
//! when its outcome is unknown; all else is left unknown. Invariant: whatever a node may have executed is in the history.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use ringhold_ring::{Key, MemberAddress, Ttl, Version};
use ringhold_server::object::{
    self, Answer, Conditions, ContentType, Delivery, Object, OperationId, Outcome, PatchEffect, Refusal, Tags,
};
use ringhold_server::patch::PatchKind;

use crate::history::{Action, History, Kind, Operation, Told};
use crate::random::Random;

/// How long a client waits for an answer.
pub const TIMEOUT: Duration = Duration::from_secs(3);
/// How often it sends what it may repeat.
const MAX_ATTEMPTS: u32 = 4;
/// Keys that are asked for often, of each kind.
const HOT_KEYS: u64 = 2;
/// Keys that are seldom asked for, of each kind.
const COLD_KEYS: u64 = 12;
/// The most operations on one key whose order is checked; more would take too long.
const MAX_PER_KEY: usize = 220;

/// A request for a node.
#[derive(Clone, Debug)]
pub struct Request {
    /// Of which key.
    pub key: Key<'static>,
    /// What to do.
    pub operation: object::Operation,
    /// How.
    pub delivery: Delivery,
}

/// What a client does after an answer, or the lack of one.
#[derive(Debug)]
pub enum Next {
    /// It sends the same again.
    Repeat(Box<Request>),
    /// It goes on to something else.
    Done,
}

/// All clients of a run.
#[derive(Debug)]
pub struct Clients {
    random: Random,
    history: History,
    /// What each client is waiting for: its place in the history, and how to send it again.
    waiting: BTreeMap<usize, (usize, Request)>,
    /// What was last read of a key, with its version.
    read: BTreeMap<String, (u64, Version)>,
    per_key: BTreeMap<String, usize>,
    values: u64,
    failures: Vec<String>,
    last_answered: Option<usize>,
}

impl Clients {
    /// Clients that have asked nothing yet.
    #[must_use]
    pub fn new(random: Random) -> Self {
        Self {
            random,
            history: History::default(),
            waiting: BTreeMap::new(),
            read: BTreeMap::new(),
            per_key: BTreeMap::new(),
            values: 0,
            failures: Vec::new(),
            last_answered: None,
        }
    }

    /// What was asked and answered so far.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Requests that failed, or whose outcome was left unknown: one line each.
    #[must_use]
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Every key that was asked for.
    #[must_use]
    pub fn keys(&self) -> Vec<Key<'static>> {
        self.history.by_key().into_iter().map(|(key, _)| key.clone()).collect()
    }

    /// The operation that was answered last.
    #[must_use]
    pub fn last_answered(&self) -> Option<&Operation> {
        self.history.0.get(self.last_answered?)
    }

    /// The key that `client` waits for.
    #[must_use]
    pub fn key_of(&self, client: usize) -> Option<Key<'static>> {
        self.waiting.get(&client).map(|(_, request)| request.key.clone())
    }

    /// What `client` waits for.
    #[must_use]
    pub fn action_of(&self, client: usize) -> Option<Action> {
        self.waiting.get(&client).map(|(at, _)| self.history.0[*at].action)
    }

    /// What `client` asks next.
    pub fn ask(&mut self, client: usize, now_ms: u64) -> Option<Request> {
        let key = self.key()?;
        let action = self.action(&key);
        self.begin(client, key, action, now_ms)
    }

    /// Has `client` read `key`.
    pub fn read(&mut self, client: usize, key: Key<'static>, now_ms: u64) -> Option<Request> {
        self.begin(client, key, Action::Get, now_ms)
    }

    fn begin(&mut self, client: usize, key: Key<'static>, action: Action, now_ms: u64) -> Option<Request> {
        let request = self.request(&key, action)?;
        let at = self.history.0.len();
        self.history.0.push(Operation {
            client,
            key,
            action,
            invoked_ms: now_ms,
            returned: None,
            attempts: 1,
            is_doubtful: false,
            executor: None,
        });
        self.waiting.insert(client, (at, request.clone()));
        Some(request)
    }

    /// The node that `client` asked does not run, so it was not asked: it never happened, or it is sent elsewhere.
    pub fn not_sent(&mut self, client: usize, now_ms: u64) -> Next {
        let Some((at, request)) = self.waiting.remove(&client) else { return Next::Done };
        self.settle(client, at, request, Err(Failure::NotSent), now_ms)
    }

    /// No answer came in time, or the connection broke.
    pub fn unanswered(&mut self, client: usize, why: &str, now_ms: u64) -> Next {
        let Some((at, request)) = self.waiting.remove(&client) else { return Next::Done };
        self.settle(client, at, request, Err(Failure::Unknown(why.to_owned())), now_ms)
    }

    /// An answer came.
    pub fn answered(
        &mut self,
        client: usize,
        answer: &Answer,
        members: &[MemberAddress],
        now_ms: u64,
    ) -> Next {
        let Some((at, request)) = self.waiting.remove(&client) else { return Next::Done };
        self.last_answered = Some(at);
        self.history.0[at].executor = members.iter().position(|member| *member == answer.member);
        let result = self.judge(at, &answer.result);
        self.settle(client, at, request, result, now_ms)
    }

    fn settle(
        &mut self,
        client: usize,
        at: usize,
        request: Request,
        result: Result<Told, Failure>,
        now_ms: u64,
    ) -> Next {
        let operation = &mut self.history.0[at];
        operation.is_doubtful |= matches!(result, Err(Failure::Unknown(_)));
        match result {
            // Of two sendings the first may be on its way still, whatever the second was told.
            Ok(Told::ConditionFailed) if operation.is_doubtful => Next::Done,
            Ok(told) => {
                operation.returned = Some((now_ms, told));
                Next::Done
            }
            Err(failure) => {
                let repeats = request.delivery.id.is_some() && operation.attempts < MAX_ATTEMPTS;
                if repeats {
                    operation.attempts += 1;
                    self.waiting.insert(client, (at, request.clone()));
                    return Next::Repeat(Box::new(request));
                }
                if !operation.is_doubtful {
                    operation.returned = Some((now_ms, Told::Refused));
                }
                if matches!(failure, Failure::NotSent) {
                    return Next::Done;
                }
                let seconds = now_ms as f64 / 1000.0;
                self.failures.push(format!(
                    "{seconds:.3} s: {:?} of {}: {failure}",
                    operation.action,
                    operation.key.as_str()
                ));
                Next::Done
            }
        }
    }

    fn judge(&mut self, at: usize, result: &Result<Outcome, Refusal>) -> Result<Told, Failure> {
        let action = self.history.0[at].action;
        let key = self.history.0[at].key.as_str().to_owned();
        match result {
            // A repeat is answered with the object as it is now.
            Ok(Outcome::Found(_) | Outcome::Missing) if action != Action::Get => Ok(Told::Written(None)),
            Ok(Outcome::Found(object)) => {
                let value = value_of(object)?;
                self.read.insert(key, (value, object.version));
                Ok(Told::Found(Some(value)))
            }
            Ok(Outcome::Missing) => {
                self.read.remove(&key);
                Ok(Told::Found(None))
            }
            Ok(Outcome::Created(version) | Outcome::Replaced(version)) => Ok(Told::Written(Some(*version))),
            Ok(Outcome::Deleted) => Ok(Told::Written(None)),
            Ok(Outcome::Patched { object, effect: PatchEffect::Changed | PatchEffect::Created })
                if action == Action::Add =>
            {
                Ok(Told::Count(value_of(object)?, object.version))
            }
            Ok(Outcome::Patched { .. } | Outcome::NotModified(_)) => Ok(Told::Written(None)),
            Err(Refusal::PreconditionFailed) => Ok(Told::ConditionFailed),
            Err(refusal @ (Refusal::OutcomeUnknown(_) | Refusal::TooFewCopies { .. })) => {
                Err(Failure::Unknown(refusal.to_string()))
            }
            Err(refusal) => Err(Failure::NothingDone(refusal.to_string())),
        }
    }

    fn key(&mut self) -> Option<Key<'static>> {
        for _ in 0..8 {
            let kind = self.random.one_of(&['r', 'r', 'r', 'c', 'c', 't']);
            let number = if self.random.chance(600) {
                self.random.below(HOT_KEYS)
            } else {
                HOT_KEYS + self.random.below(COLD_KEYS)
            };
            let name = format!("{kind}{number}");
            let asked = self.per_key.entry(name.clone()).or_default();
            if *asked < MAX_PER_KEY {
                *asked += 1;
                return Key::new(name).ok();
            }
        }
        None
    }

    fn action(&mut self, key: &Key<'_>) -> Action {
        self.values += 1;
        let value = self.values;
        let dice = self.random.below(100);
        match (Kind::of(key), dice) {
            (_, 0..40) => Action::Get,
            (Kind::Counter, _) => Action::Add,
            (Kind::Expiring, _) => Action::Put { value, ttl: Some(self.random.one_of(&[1, 3, 10, 30])) },
            (Kind::Register, 40..65) => Action::Put { value, ttl: None },
            (Kind::Register, 65..80) => match self.read.get(key.as_str()) {
                Some((expected, _)) => Action::Replace { expected: *expected, value },
                None => Action::Create { value },
            },
            (Kind::Register, 80..85) => Action::Create { value },
            (Kind::Register, _) => Action::Delete,
        }
    }

    fn request(&mut self, key: &Key<'static>, action: Action) -> Option<Request> {
        let put = |value: u64, ttl: Option<u32>, conditions: Conditions| object::Operation::Put {
            value: Bytes::from(value.to_string()),
            content_type: ContentType::OctetStream,
            ttl: ttl.and_then(|seconds| Ttl::from_seconds(u64::from(seconds)).ok()),
            conditions,
        };
        let operation = match action {
            Action::Get => object::Operation::Get { conditions: Conditions::default() },
            Action::Delete => object::Operation::Delete { conditions: Conditions::default() },
            Action::Put { value, ttl } => put(value, ttl, Conditions::default()),
            Action::Create { value } => {
                put(value, None, Conditions { if_none_match: Some(Tags::Any), ..Conditions::default() })
            }
            Action::Replace { value, .. } => {
                let (_, version) = *self.read.get(key.as_str())?;
                let tags = Tags::Of(vec![version]);
                put(value, None, Conditions { if_match: Some(tags), ..Conditions::default() })
            }
            Action::Add => object::Operation::Patch {
                kind: PatchKind::Counter,
                document: Bytes::from_static(br#"{"add":1}"#),
                content_type: ContentType::Json,
                ttl: None,
                conditions: Conditions::default(),
            },
        };
        // A plain write without a name may be applied twice, by the contract, the second time much later: what must be
        // linearizable carries one, and what must be over in time.
        let is_named = !operation.is_read();
        let id = is_named.then(|| {
            OperationId::from_u128(u128::from(self.random.number()) << 64 | u128::from(self.random.number()))
        });
        Some(Request { key: key.clone(), operation, delivery: Delivery { id, ..Delivery::default() } })
    }
}

/// Why an attempt brought no result.
#[derive(Clone, Debug, thiserror::Error)]
enum Failure {
    #[error("the node did not run")]
    NotSent,
    #[error("nothing was done: {0}")]
    NothingDone(String),
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
}

fn value_of(object: &Object) -> Result<u64, Failure> {
    let text = std::str::from_utf8(&object.value).ok();
    let value = text.and_then(|text| text.parse().ok());
    value.ok_or_else(|| Failure::Unknown(format!("a value that nobody wrote: {:?}", object.value)))
}
