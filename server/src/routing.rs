//! "Local, forward, or stand in?": asks the view; nothing else decides.
//!
//! Invariants: a request is sent to one member at a time, and the member that receives it executes it. No
//! request waits longer than `cluster.peer_timeout` plus [`GRACE`] on other members, however many of them fail.

mod counts;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringhold_ring::{Digest, Key, Lookup, Role, View};
use tokio::time::Instant;
use tracing::debug;

use crate::membership::Membership;
use crate::object::{Answer, Conditions, Forwarding, Operation, Outcome, Refusal, Route};
use crate::owner::Owner;
use crate::peer::{self, Handler, MemberState, PeerError, Peers};
pub use counts::Counts;

/// What is left for the next in the preference list when the first member took all of `cluster.peer_timeout`.
pub const GRACE: Duration = Duration::from_millis(100);

/// The door to the ring's objects: for listeners, for members' streams and for the program that embeds a node.
#[derive(Clone, Debug)]
pub struct Objects(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    owner: Owner,
    membership: Arc<Membership>,
    peers: Arc<Peers>,
    peer_timeout: Duration,
    counts: Counts,
}

/// Where a request is executed.
#[derive(Clone, Copy, Debug)]
enum Plan {
    Here(Route),
    Forward(Digest),
}

impl Objects {
    /// Objects of the ring that `membership` knows, of which `owner` holds this node's.
    #[must_use]
    pub fn new(owner: Owner, membership: Arc<Membership>, peers: Arc<Peers>, peer_timeout: Duration) -> Self {
        Self(Arc::new(Parts { owner, membership, peers, peer_timeout, counts: Counts::default() }))
    }

    /// What this node itself holds.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.0.owner
    }

    /// What became of requests.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// This node's address as text.
    pub(crate) fn member(&self) -> Bytes {
        self.0.membership.own_label()
    }

    /// Carries `operation` out at the member that owns `key`, wherever that is.
    pub async fn execute(&self, key: &Key<'_>, operation: Operation, forwarding: Forwarding) -> Answer {
        match self.plan(key, forwarding) {
            Plan::Here(route) => self.execute_here(key, operation, route).await,
            // Boxed, so that the future of a request that is executed here stays small.
            Plan::Forward(digest) => Box::pin(self.forward(key, digest, operation)).await,
        }
    }

    /// What a read of `key` answers, if that is for this node to say: without a future, as nothing is waited for.
    #[must_use]
    pub fn read_here(
        &self,
        key: &Key<'_>,
        conditions: &Conditions,
        forwarding: Forwarding,
    ) -> Option<Answer> {
        let Plan::Here(route) = self.plan(key, forwarding) else { return None };
        self.0.counts.operation(route);
        let result = self.0.owner.get(key, conditions);
        Some(Answer { result, member: self.0.membership.own_label(), route })
    }

    fn plan(&self, key: &Key<'_>, forwarding: Forwarding) -> Plan {
        let view = self.0.membership.view();
        if view.ring().len() == 1 {
            // Whatever the digest, which takes longer than the rest of the plan.
            return Plan::Here(Route::Local);
        }
        let digest = key.digest();
        if forwarding == Forwarding::Disallowed {
            return Plan::Here(route_here(&view, digest));
        }
        match view.lookup(digest) {
            Lookup { member, .. } if member != view.me() => Plan::Forward(digest),
            Lookup { role: Role::Owner, .. } => Plan::Here(Route::Local),
            Lookup { role: Role::StandIn, .. } => Plan::Here(Route::StandIn),
        }
    }

    async fn execute_here(&self, key: &Key<'_>, operation: Operation, route: Route) -> Answer {
        self.0.counts.operation(route);
        let result = self.0.owner.execute(key, operation).await;
        Answer { result, member: self.0.membership.own_label(), route }
    }

    async fn forward(&self, key: &Key<'_>, digest: Digest, operation: Operation) -> Answer {
        let parts = &*self.0;
        let mut timeout = parts.peer_timeout;
        let last = Instant::now() + parts.peer_timeout + GRACE;
        loop {
            let view = Arc::clone(&parts.membership.view());
            let lookup = view.lookup(digest);
            if lookup.member == view.me() || timeout.is_zero() {
                let route = route_here(&view, digest);
                return self.execute_here(key, operation, route).await;
            }
            let address = view.ring().address(lookup.member);
            let sent = Instant::now();
            let executed = parts.peers.execute(address, key, &operation, timeout).await;
            parts.counts.forward(&executed, sent.elapsed());
            let failure = match executed {
                Ok(result) => {
                    let route = if lookup.role == Role::Owner { Route::Forwarded } else { Route::StandIn };
                    parts.counts.operation(route);
                    return Answer { result, member: parts.membership.label(lookup.member), route };
                }
                Err(failure) => failure,
            };
            debug!(%key, member = %address, %failure, "forward failed");
            let time_left = last.saturating_duration_since(Instant::now());
            // Who had only what others had left of the time, and used it up, may just be slower than that.
            if timeout == parts.peer_timeout || !time_left.is_zero() {
                parts.membership.damage(lookup.member, &failure.to_string());
            }
            if matches!(failure, PeerError::Lost(_)) && !operation.is_repeatable() {
                let why = format!("{address} did not answer, and may have executed it ({failure})");
                let result = Err(Refusal::OutcomeUnknown(why));
                parts.counts.operation(Route::Forwarded);
                return Answer {
                    result,
                    member: parts.membership.label(lookup.member),
                    route: Route::Forwarded,
                };
            }
            timeout = parts.peer_timeout.min(time_left);
        }
    }
}

/// How a request that this node executes got to it, whatever sent it here.
fn route_here(view: &View, digest: Digest) -> Route {
    if view.is_home(digest, view.me()) { Route::Local } else { Route::StandIn }
}

/// What comes in on a member's stream is executed here, whoever owns the key: one hop at most.
impl Handler for Objects {
    async fn execute(&self, request: peer::Request) -> Result<Outcome, Refusal> {
        self.0.counts.for_member();
        self.0.owner.execute(&request.key, request.operation).await
    }

    fn state(&self) -> MemberState {
        self.0.membership.own_state()
    }
}

#[cfg(test)]
impl Objects {
    /// The objects of a ring whose only member is `me`.
    pub(crate) fn alone(owner: Owner, me: &str) -> Self {
        let cluster = ringhold_config::Config::default().cluster;
        let clock = crate::clock::Clock::manual(ringhold_ring::Timestamp::default());
        let address: ringhold_ring::MemberAddress = me.parse().unwrap();
        let ring = ringhold_ring::Ring::new([address.clone()], cluster.placement, 1).unwrap();
        let index = ring.index_of(&address).unwrap();
        let identity = peer::Identity::new("test", address, ring.id(), 1, 1 << 20, clock.clone()).unwrap();
        let peers = Arc::new(Peers::new(Arc::new(identity), peer::Tcp));
        let membership = Arc::new(Membership::new(ring, index, &cluster, Arc::clone(&peers), clock));
        Self::new(owner, membership, peers, cluster.peer_timeout)
    }
}
