//! "Here, or whose?": asks the view and the mandate; nothing else decides.
//!
//! A request is sent to one member at a time. In a ring that agrees, the member that receives it executes it; while
//! members disagree about who is there, it goes on up the preference list, or down past an owner that must not act, at
//! most [`MAX_HOPS`] times. No client waits longer than `cluster.peer_timeout` plus [`GRACE`] on other members.

mod begun;
mod counts;
mod handler;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ringhold_config::Cluster as Settings;
use ringhold_ring::{Digest, Incarnation, Key, Lookup, Mandate, MemberAddress, Role, View};
use tokio::time::Instant;
use tracing::debug;

use crate::membership::Membership;
use crate::object::{Answer, Delivery, Forwarding, Operation, OperationId, Outcome, Refusal, Route};
use crate::owner::{Authority, Execution, Owner};
use crate::peer::PeerError;
use crate::peer::network::{Executed, MAX_HOPS, Network, Passage};
use begun::Begun;
pub use counts::Counts;
use counts::Passed;

/// What is left for the next in the preference list when the first member took all of `cluster.peer_timeout`.
pub const GRACE: Duration = Duration::from_millis(150);

/// How often a request of a client is looked at again because members disagreed or failed.
const ATTEMPTS: usize = 8;

/// How often one that another member passed on is: it knows more by the time that it tries again, and tries more often.
const ATTEMPTS_FOR_OTHERS: usize = 2;

/// How often that is done at once. Then an eighth of `cluster.peer_timeout` passes first: members that disagree know more by
/// then.
const QUICK_ATTEMPTS: usize = 2;

/// The door to the ring's objects: for listeners, for members' streams and for the program that embeds a node.
#[derive(Clone, Debug)]
pub struct Objects(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    owner: Owner,
    membership: Arc<Membership>,
    network: Arc<dyn Network>,
    settings: Settings,
    ids: Ids,
    counts: Counts,
}

/// Numbers for operations that bring none.
#[derive(Debug)]
struct Ids {
    seed: u64,
    next: AtomicU64,
}

/// Where a request goes.
#[derive(Clone, Debug)]
enum Plan {
    /// It is executed here.
    Here(Authority),
    /// This node does not know yet who is there.
    Wait,
    /// To this member; if this node should execute it and must not, to act in its place.
    Pass { to: MemberAddress, role: Role, is_down: bool },
}

/// A request on its way through this node.
struct Journey<'a> {
    key: &'a Key<'a>,
    operation: &'a Operation,
    /// How it came; of a client's, as if it had come through no member.
    passage: Passage,
    /// Who sent it, unless a client did.
    from: Option<&'a MemberAddress>,
    /// Until when an answer is worth anything.
    deadline: Instant,
    /// Where it goes next, if whoever had it last knew.
    next: Option<MemberAddress>,
    /// Whether some member may have executed it, or keep what came of it.
    may_have_run: bool,
}

/// What came of a request, who executed it, and how it got there.
struct Arrival {
    result: Executed,
    member: MemberAddress,
    route: Route,
}

impl Objects {
    /// Objects of the ring that `membership` knows, of which `owner` holds this node's. `seed` is a random number.
    #[must_use]
    pub fn new(
        owner: Owner,
        membership: Arc<Membership>,
        network: Arc<dyn Network>,
        settings: &Settings,
        seed: u64,
    ) -> Self {
        let ids = Ids { seed, next: AtomicU64::new(0) };
        let (settings, counts) = (settings.clone(), Counts::default());
        Self(Arc::new(Parts { owner, membership, network, settings, ids, counts }))
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

    /// This node's address.
    pub(crate) fn member(&self) -> &MemberAddress {
        self.0.membership.address()
    }

    /// Carries `operation` out at the member that owns `key`, wherever that is.
    pub async fn execute(
        &self,
        key: &Key<'_>,
        operation: Operation,
        delivery: impl Into<Delivery>,
    ) -> Answer {
        let delivery = delivery.into();
        match self.execute_at_once(key, &operation, delivery) {
            Some(answer) => answer,
            None => self.execute_in_time(key, operation, delivery).await,
        }
    }

    /// What `operation` comes to, if this node carries it out and nothing has to be waited for: without a future.
    #[must_use]
    pub fn execute_at_once(
        &self,
        key: &Key<'_>,
        operation: &Operation,
        delivery: Delivery,
    ) -> Option<Answer> {
        let view = self.0.membership.view();
        if self.refuses(&view).is_some() {
            return None;
        }
        let is_alone = view.is_alone();
        let Operation::Get { conditions } = operation else {
            let is_local = delivery.forwarding == Forwarding::Disallowed && !is_alone;
            let authority = if is_local { Authority::Local } else { Authority::Owner };
            let result = self.0.owner.write_at_once(key, operation, delivery.id, &authority)?;
            return Some(self.here(result, route_here(&view, key)));
        };
        let may_be_old = || {
            delivery.forwarding == Forwarding::Disallowed
                || delivery.any_copy && view.is_home(key.digest(), view.me())
        };
        let is_here = is_alone || may_be_old() || self.acts_as_owner(&view, key.digest());
        is_here.then(|| self.here(self.0.owner.get(key, conditions), route_here(&view, key)))
    }

    /// [`Objects::execute`] for what cannot be done at once.
    pub async fn execute_in_time(&self, key: &Key<'_>, operation: Operation, delivery: Delivery) -> Answer {
        let view = Arc::clone(&self.0.membership.view());
        if let Some(refusal) = self.refuses(&view) {
            return self.here(Err(refusal), Route::Local);
        }
        if view.is_alone() || delivery.forwarding == Forwarding::Disallowed {
            let authority = if view.is_alone() { Authority::Owner } else { Authority::Local };
            let route = route_here(&view, key);
            return match Box::pin(self.0.owner.execute(key, &operation, delivery.id, &authority)).await {
                Execution::Done(result) => self.here(result, route),
                Execution::Elsewhere { .. } => self.here(Err(nobody()), route),
            };
        }
        let repeats_harm = !operation.is_repeatable();
        let id = delivery.id.or_else(|| repeats_harm.then(|| self.0.ids.next()));
        let deadline = Instant::now() + self.0.settings.peer_timeout + GRACE;
        let (mut operation, mut next, mut may_have_run) = (operation, None, false);
        if !operation.is_read() && self.acts_as_owner(&view, key.digest()) {
            let (execution, back) = self.begin_write(key, operation, id, Authority::Owner).await;
            match execution {
                Execution::Done(result) => return self.here(result, route_here(&view, key)),
                Execution::Elsewhere { to, may_have_run: may } => (next, may_have_run) = (to, may),
            }
            operation = back;
        }
        let passage = Passage { any_copy: delivery.any_copy, id, ..Passage::through(0, view.ring().id()) };
        let operation = &operation;
        let journey = Journey { key, operation, passage, from: None, deadline, next, may_have_run };
        // Boxed, as all else that takes long: a connection that waits for its next request stays small.
        Box::pin(self.send(journey)).await
    }

    /// Whether a request under `digest` is for this node to execute, with nobody else to be asked.
    fn acts_as_owner(&self, view: &View, digest: Digest) -> bool {
        view.lookup(digest).member == view.me() && self.0.membership.mandate() == Mandate::Acting
    }

    /// A client's request, in a ring of several.
    async fn send(&self, mut journey: Journey<'_>) -> Answer {
        let arrival = self.travel(&mut journey).await;
        let result = match arrival.result {
            Executed::Done(result) => result,
            Executed::NotOwner { .. } => Err(nobody()),
        };
        self.0.counts.operation(arrival.route, &result);
        Answer { result, member: arrival.member, route: arrival.route }
    }

    /// Takes a request to who executes it.
    async fn travel(&self, journey: &mut Journey<'_>) -> Arrival {
        let parts = &*self.0;
        let attempts = if journey.from.is_some() { ATTEMPTS_FOR_OTHERS } else { ATTEMPTS };
        let mut refused = 0;
        for _ in 0..attempts {
            if refused > QUICK_ATTEMPTS {
                let in_a_moment = Instant::now() + parts.settings.peer_timeout / 8;
                tokio::time::sleep_until(in_a_moment.min(journey.deadline)).await;
            }
            let view = Arc::clone(&parts.membership.view());
            journey.passage.ring = view.ring().id();
            let plan = match journey.next.take() {
                Some(to) => Plan::Pass { to, role: Role::Owner, is_down: false },
                None => self.plan(&view, journey),
            };
            match plan {
                Plan::Wait => {
                    let _ = tokio::time::timeout_at(journey.deadline, parts.membership.resolved()).await;
                }
                Plan::Here(authority) => match self.carry_out(journey, authority).await {
                    Execution::Done(result) => {
                        let result = Executed::Done(journey.honest(result));
                        let (member, route) = (self.member().clone(), route_here(&view, journey.key));
                        return Arrival { result, member, route };
                    }
                    Execution::Elsewhere { to, may_have_run } => {
                        journey.may_have_run |= may_have_run;
                        journey.next = to;
                    }
                },
                Plan::Pass { to, role, is_down } => {
                    if journey.passage.hops >= MAX_HOPS {
                        break;
                    }
                    // Whoever sent it has found a member damaged: perhaps the one that this node has not.
                    if journey.passage.after_failure && journey.from.is_some() && !is_down {
                        journey.passage.after_failure = false;
                        if !parts.membership.verify(&to).await {
                            continue;
                        }
                    }
                    match self.pass(journey, &to, is_down).await {
                        Some(Executed::NotOwner { may_have_run }) => {
                            journey.may_have_run |= may_have_run;
                            refused += 1;
                        }
                        None => {}
                        Some(Executed::Done(result)) => {
                            let result = Executed::Done(journey.honest(result));
                            let route = if role == Role::Owner { Route::Forwarded } else { Route::StandIn };
                            return Arrival { result, member: to, route };
                        }
                    }
                }
            }
            if journey.deadline <= Instant::now() {
                break;
            }
        }
        let (member, route) = (self.member().clone(), Route::Forwarded);
        let result = match journey.from {
            Some(_) => Executed::NotOwner { may_have_run: journey.may_have_run },
            None => Executed::Done(journey.honest(Err(nobody()))),
        };
        Arrival { result, member, route }
    }

    fn plan(&self, view: &View, journey: &Journey<'_>) -> Plan {
        let Journey { key, passage, from, operation, .. } = journey;
        let digest = key.digest();
        let address = |member| view.ring().address(member).clone();
        if passage.any_copy && operation.is_read() && view.is_home(digest, view.me()) {
            return Plan::Here(Authority::Local);
        }
        // Perhaps its owner asks this node to act in its place.
        let (absent, authority) = match (passage.instead_of, from) {
            (Some(term), Some(owner)) => {
                (view.ring().index_of(owner), Authority::InsteadOf((*owner).clone(), term))
            }
            _ => (None, Authority::Owner),
        };
        let Lookup { member, role } = view.lookup_without(digest, absent);
        match self.0.membership.mandate() {
            Mandate::Doubting => Plan::Wait,
            _ if member != view.me() => Plan::Pass { to: address(member), role, is_down: false },
            Mandate::Acting => Plan::Here(authority),
            Mandate::Passive => match view.substitute(digest, absent) {
                Some(Lookup { member, role }) => Plan::Pass { to: address(member), role, is_down: true },
                None => Plan::Here(authority),
            },
        }
    }

    /// Executes it here. A write runs to its end, even when nobody waits for it any more.
    async fn carry_out(&self, journey: &Journey<'_>, authority: Authority) -> Execution {
        let Journey { key, operation, passage, .. } = journey;
        if operation.is_read() || journey.from.is_some() {
            // Boxed: a request that is passed on, as most are that come here, stays small.
            return Box::pin(self.0.owner.execute(key, operation, passage.id, &authority)).await;
        }
        self.begin_write(key, (*operation).clone(), passage.id, authority).await.0
    }

    /// Executes a write of a client here, which gets it back.
    fn begin_write(
        &self,
        key: &Key<'_>,
        operation: Operation,
        id: Option<OperationId>,
        authority: Authority,
    ) -> Begun<(Execution, Operation)> {
        let (this, key) = (self.clone(), key.clone().into_owned());
        Begun::new(async move {
            let execution = this.0.owner.execute(&key, &operation, id, &authority).await;
            (execution, operation)
        })
    }

    /// Sends it to `to`. Nothing when another way is to be looked for.
    async fn pass(&self, journey: &mut Journey<'_>, to: &MemberAddress, is_down: bool) -> Option<Executed> {
        let parts = &*self.0;
        let peer_timeout = parts.settings.peer_timeout;
        let began = Instant::now();
        let left = journey.deadline.saturating_duration_since(began);
        // Who waits for this node must not give it up because it waits for another.
        let timeout = if journey.from.is_some() { left / 2 } else { left.min(peer_timeout) };
        let passage = Passage {
            hops: journey.passage.hops + 1,
            to: incarnation_of(&parts.membership.view(), to),
            instead_of: is_down.then(|| parts.membership.term()),
            ..journey.passage
        };
        parts.counts.pass(match (is_down, journey.from) {
            (true, _) => Passed::Down,
            (false, Some(_)) => Passed::Up,
            (false, None) => Passed::Forward,
        });
        let stops = parts.membership.stops();
        let sending = parts.network.execute(to, journey.key, journey.operation, &passage, timeout);
        let sent = match timeout < peer_timeout {
            true => sending.await,
            false => parts.membership.watch(to, began, sending).await,
        };
        parts.counts.forward(&sent, began.elapsed());
        let failure = match sent {
            Ok(executed) => return Some(executed),
            Err(failure) => failure,
        };
        debug!(key = %journey.key, member = %to, %failure, "forward failed");
        // Who used up its time may just be slow. With all of `cluster.peer_timeout`, it has been asked whether it lives.
        if began.elapsed() < timeout {
            parts.membership.damage(to, &failure.to_string(), stops);
            journey.passage.after_failure = true;
        }
        journey.may_have_run |= matches!(failure, PeerError::Lost(_)) && !journey.operation.is_read();
        let replicas = parts.membership.view().ring().replicas();
        // With copies, whoever becomes owner knows whether the operation ran; without, nobody does.
        if matches!(failure, PeerError::Lost(_)) && !journey.operation.is_repeatable() && replicas == 1 {
            let why = format!("{to} did not answer, and may have executed it ({failure})");
            return Some(Executed::Done(Err(Refusal::OutcomeUnknown(why))));
        }
        None
    }

    /// What the majority guard says.
    fn refuses(&self, view: &View) -> Option<Refusal> {
        if !self.0.settings.majority_guard {
            return None;
        }
        let (reached, members) = (view.addressable(), view.ring().len());
        (2 * reached <= members).then_some(Refusal::NoMajority { reached, members })
    }

    fn here(&self, result: Result<Outcome, Refusal>, route: Route) -> Answer {
        self.0.counts.operation(route, &result);
        Answer { result, member: self.member().clone(), route }
    }
}

impl Journey<'_> {
    /// The same result, unless it says that nothing was done where that is not known.
    fn honest(&self, result: Result<Outcome, Refusal>) -> Result<Outcome, Refusal> {
        result.map_err(|refusal| refusal.honest(self.may_have_run))
    }
}

impl Ids {
    fn next(&self) -> OperationId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        OperationId::from_u128(u128::from(self.seed) << 64 | u128::from(number))
    }
}

fn incarnation_of(view: &View, member: &MemberAddress) -> Option<Incarnation> {
    view.ring().index_of(member).and_then(|member| view.incarnation(member))
}

fn nobody() -> Refusal {
    Refusal::Unavailable("who owns the key could not be reached in time".to_owned())
}

/// How a request that this node executes got to it, whatever sent it here.
fn route_here(view: &View, key: &Key<'_>) -> Route {
    // Who is alone need not know the digest, which takes longer than all else.
    match view.is_alone() || view.is_home(key.digest(), view.me()) {
        true => Route::Local,
        false => Route::StandIn,
    }
}

#[cfg(test)]
impl Objects {
    /// The objects of a ring whose only member is `me`.
    pub(crate) fn alone(settings: &ringhold_config::Store, clock: crate::clock::Clock, me: &str) -> Self {
        let mut config =
            ringhold_config::Config { store: settings.clone(), ..ringhold_config::Config::default() };
        config.node.address = me.parse().unwrap();
        config.cluster.members = vec![config.node.address.clone()];
        let incarnation = ringhold_ring::Incarnation::new(1);
        let core =
            crate::core::Core::new(&config, incarnation, Arc::new(crate::core::Nobody), clock, 1).unwrap();
        core.objects().clone()
    }
}
