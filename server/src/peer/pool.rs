//! The asking side as the rest of the node sees it: a member's address, a request, an answer.
//!
//! One stream to each member is opened when it is first needed, kept, and reopened when it has ended. Invariant: a
//! request is put on a second stream only when the first certainly did not execute it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use ringhold_ring::{Key, MemberAddress, Timestamp};
use tokio::task::AbortHandle;

use super::connect::Connect;
use super::connection::Trace;
use super::dial::{DialError, Dialled, dial};
use super::network::{Ask, Executed, Network, Passage, Told};
use super::outbox::Fate;
use super::plain_http::PlainHttp;
use super::transport::{Failure, Transport};
use super::{Identity, ask, message};
use crate::object::{Operation, Refusal};
use crate::security::refusals::Refusals;

/// How long one attempt to open a stream may take, whoever waits for it.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a request that certainly was not executed is tried.
const ATTEMPTS: usize = 2;

/// Why a member did not answer. Either damages it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The request was certainly not executed: it never left, or was refused unread.
    #[error("{0}; the request was not executed")]
    NotSent(String),
    /// The request may have been executed.
    #[error("{0}; the request may have been executed")]
    Lost(String),
}

/// Every other member, as far as it has been asked for anything.
pub struct Peers {
    identity: Arc<Identity>,
    connector: Arc<dyn Connect>,
    refusals: Arc<Refusals<MemberAddress>>,
    links: RwLock<HashMap<MemberAddress, Arc<Link>, foldhash::fast::RandomState>>,
}

/// The way to one member.
struct Link {
    member: MemberAddress,
    transport: ArcSwapOption<Transport>,
    dialling: Mutex<Dialling>,
}

/// At most one attempt; `round` counts disconnects, so that an attempt from before one changes nothing after it.
#[derive(Default)]
struct Dialling {
    attempt: Option<Attempt>,
    round: u64,
}

/// An attempt to open a stream that everybody who needs one waits for.
#[derive(Clone)]
struct Attempt {
    result: Shared<BoxFuture<'static, Result<Arc<Transport>, Arc<str>>>>,
    task: AbortHandle,
}

impl Peers {
    /// Members are reached through `connector`, and told what `identity` says.
    #[must_use]
    pub fn new(identity: Arc<Identity>, connector: impl Connect) -> Self {
        let (connector, refusals) = (Arc::new(connector), Arc::default());
        Self { identity, connector, refusals, links: RwLock::default() }
    }

    async fn execute_at(
        &self,
        member: &MemberAddress,
        key: &Key<'_>,
        operation: &Operation,
        passage: &Passage,
        timeout: Duration,
    ) -> Result<Executed, PeerError> {
        if !message::is_encodable(operation) {
            // More tags than any real client sends; refusing changes nothing, guessing might.
            return Ok(Executed::Done(Err(Refusal::PreconditionFailed)));
        }
        let trace = Trace::default();
        let link = self.link(member);
        let work = self.with_transport(&link, |transport| {
            let trace = &trace;
            async move { transport.execute(key, operation, passage, timeout, trace).await }
        });
        finish(member, timeout, &trace, tokio::time::timeout(timeout, work).await)
    }

    async fn ask_at(&self, member: &MemberAddress, ask: &Ask, timeout: Duration) -> Result<Told, PeerError> {
        if !ask::is_encodable(ask) {
            return Err(PeerError::NotSent(format!("member {member}: more is asked at once than may be")));
        }
        let trace = Trace::default();
        let link = self.link(member);
        let work = self.with_transport(&link, |transport| {
            let trace = &trace;
            async move { transport.ask(ask, timeout, trace).await }
        });
        finish(member, timeout, &trace, tokio::time::timeout(timeout, work).await)
    }

    /// Whether there is an open stream, or a plain HTTP way, to `member` now.
    #[must_use]
    pub fn is_connected(&self, member: &MemberAddress) -> bool {
        self.links.read().get(member).is_some_and(|link| link.usable().is_some())
    }

    #[cfg(test)]
    pub(super) fn is_connecting(&self, member: &MemberAddress) -> bool {
        self.links.read().get(member).is_some_and(|link| link.dialling.lock().attempt.is_some())
    }

    fn link(&self, member: &MemberAddress) -> Arc<Link> {
        if let Some(link) = self.links.read().get(member) {
            return Arc::clone(link);
        }
        let mut links = self.links.write();
        Arc::clone(links.entry_ref(member).or_insert_with(|| {
            let (transport, dialling) = (ArcSwapOption::empty(), Mutex::default());
            Arc::new(Link { member: member.clone(), transport, dialling })
        }))
    }

    /// Runs `work` on the member's transport; once more on a new one if the first turns out to be dead.
    async fn with_transport<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        link: &Arc<Link>,
        work: impl Fn(Arc<Transport>) -> F,
    ) -> Result<T, Failure> {
        let mut attempt = 1;
        loop {
            let transport = match link.usable() {
                Some(transport) => transport,
                // Boxed, as what follows is: a request on an open stream, nearly every one, is a small future.
                None => Box::pin(self.connect(link)).await?,
            };
            match work(Arc::clone(&transport)).await {
                Err(failure)
                    if failure.fate == Fate::Unsent && attempt < ATTEMPTS && transport.has_ended() =>
                {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn connect(&self, link: &Arc<Link>) -> Result<Arc<Transport>, Failure> {
        let attempt = {
            let mut dialling = link.dialling.lock();
            // It may have succeeded just now.
            if let Some(transport) = link.usable() {
                return Ok(transport);
            }
            let round = dialling.round;
            dialling.attempt.get_or_insert_with(|| self.dial(link, round)).clone()
        };
        attempt.result.await.map_err(|cause| Failure { fate: Fate::Unsent, cause: cause.to_string() })
    }

    /// Starts an attempt. It goes on when those who wait for it give up, and tidies up after itself.
    fn dial(&self, link: &Arc<Link>, round: u64) -> Attempt {
        let (link, connector, identity) =
            (Arc::clone(link), Arc::clone(&self.connector), Arc::clone(&self.identity));
        let refusals = Arc::clone(&self.refusals);
        let task = tokio::spawn(async move {
            let dialled = dial(&*connector, &link.member, Arc::clone(&identity));
            let result = match tokio::time::timeout(DIAL_TIMEOUT, dialled).await {
                Err(_) => Err(format!("cannot connect within {} s", DIAL_TIMEOUT.as_secs()).into()),
                Ok(Err(error)) => {
                    log_refusal(&refusals, &link.member, &error, identity.clock().now());
                    Err(Arc::from(error.to_string()))
                }
                Ok(Ok(Dialled::Stream(connection))) => Ok(Arc::new(Transport::Stream(connection))),
                Ok(Ok(Dialled::PlainHttp)) => {
                    let http = PlainHttp::new(link.member.clone(), connector, identity);
                    Ok(Arc::new(Transport::PlainHttp(http)))
                }
            };
            let mut dialling = link.dialling.lock();
            if dialling.round != round {
                if let Ok(transport) = &result {
                    transport.close(DISCONNECTED);
                }
                return Err(DISCONNECTED.into());
            }
            dialling.attempt = None;
            if let Ok(transport) = &result {
                link.transport.store(Some(Arc::clone(transport)));
            }
            result
        });
        let abort = task.abort_handle();
        let result = task.map(|joined| joined.unwrap_or_else(|_| Err(DISCONNECTED.into())));
        Attempt { result: result.boxed().shared(), task: abort }
    }
}

impl Network for Peers {
    fn execute<'a>(
        &'a self,
        to: &'a MemberAddress,
        key: &'a Key<'_>,
        operation: &'a Operation,
        passage: &'a Passage,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Executed, PeerError>> {
        Box::pin(self.execute_at(to, key, operation, passage, timeout))
    }

    fn ask<'a>(
        &'a self,
        to: &'a MemberAddress,
        ask: &'a Ask,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Told, PeerError>> {
        Box::pin(self.ask_at(to, ask, timeout))
    }

    /// The next request opens a new stream.
    fn disconnect(&self, member: &MemberAddress) {
        let link = self.links.read().get(member).cloned();
        if let Some(link) = link {
            link.disconnect("it was found damaged");
        }
    }

    fn set_members(&self, members: &[MemberAddress]) {
        self.links.write().retain(|member, link| {
            let stays = members.contains(member);
            if !stays {
                link.disconnect("it is no longer a member");
            }
            stays
        });
    }
}

/// Members are asked again and again; the reason is told once in a while.
fn log_refusal(
    refusals: &Refusals<MemberAddress>,
    member: &MemberAddress,
    error: &DialError,
    now: Timestamp,
) {
    if error.is_refusal()
        && let Some(unlogged) = refusals.note(member.clone(), now)
    {
        tracing::warn!(%member, %error, unlogged, "no stream to a member");
    }
}

const DISCONNECTED: &str = "it was disconnected while a stream was being opened";

impl Drop for Peers {
    fn drop(&mut self) {
        self.links.get_mut().values().for_each(|link| link.disconnect("this node stops"));
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Link {
    fn usable(&self) -> Option<Arc<Transport>> {
        self.transport.load_full().filter(|transport| !transport.has_ended())
    }

    fn disconnect(&self, cause: &str) {
        let mut dialling = self.dialling.lock();
        dialling.round += 1;
        if let Some(attempt) = dialling.attempt.take() {
            attempt.task.abort();
        }
        if let Some(transport) = self.transport.swap(None) {
            transport.close(cause);
        }
    }
}

fn finish<T>(
    member: &MemberAddress,
    timeout: Duration,
    trace: &Trace,
    result: Result<Result<T, Failure>, tokio::time::error::Elapsed>,
) -> Result<T, PeerError> {
    let failure = match result {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(failure)) => failure,
        Err(_) => {
            Failure { fate: trace.fate(), cause: format!("no answer within {} ms", timeout.as_millis()) }
        }
    };
    let text = format!("member {member}: {}", failure.cause);
    Err(match failure.fate {
        Fate::Unsent => PeerError::NotSent(text),
        Fate::Sent => PeerError::Lost(text),
    })
}
