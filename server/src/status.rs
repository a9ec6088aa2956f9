//! What a node tells about itself and its ring: readiness, the state of members, where a key lives.

mod metrics;

use std::sync::Arc;

use ringhold_config::Config;
use ringhold_ring::{Key, Mandate, MemberHealth, MemberState, Role, Timestamp};

use crate::core::Core;
use crate::http::report::{ClusterReport, Location, MemberReport, NodeStatus};
use crate::membership::MemberKnown;
use crate::node::protection::Protection;
use crate::telemetry::metrics::Page;

/// The answers to `/readyz`, `/cluster`, `/cluster/locate` and, as far as it is here, `/metrics`.
#[derive(Debug)]
pub struct Status {
    cluster: String,
    started_at: Timestamp,
    core: Arc<Core>,
    protection: Arc<Protection>,
}

impl Status {
    /// The status of the node that `core` is the inside of.
    #[must_use]
    pub(crate) fn new(
        config: &Config,
        started_at: Timestamp,
        core: &Arc<Core>,
        protection: &Arc<Protection>,
    ) -> Self {
        let cluster = config.cluster.name.clone();
        Self { cluster, started_at, core: Arc::clone(core), protection: Arc::clone(protection) }
    }

    fn member(&self, known: MemberKnown) -> MemberReport {
        let membership = self.core.membership();
        let view = membership.view();
        let ring = view.ring();
        let is_self = known.index == view.me();
        let state = if is_self { Some(self.own_state()) } else { known.beat.map(|beat| beat.state) };
        let ring_id = known.beat.map(|beat| beat.ring).filter(|id| *id != ring.id());
        MemberReport {
            address: known.address,
            is_self,
            health: known.health.name().to_owned(),
            passes: match known.health {
                MemberHealth::Validating { passes } => passes,
                MemberHealth::Online | MemberHealth::Damaged => 0,
            },
            state: state.map(|state| state.name().to_owned()),
            ring_id: ring_id.map(|id| id.to_string()),
            handed: known.handed,
            share: if ring.has(known.index) { 1.0 / ring.len() as f64 } else { 0.0 },
            last_failure: known.last_failure,
        }
    }

    fn own_state(&self) -> MemberState {
        let membership = self.core.membership();
        if membership.is_leaving() { MemberState::Draining } else { membership.own_state() }
    }
}

impl NodeStatus for Status {
    fn is_ready(&self) -> Result<(), String> {
        match self.own_state() {
            // Whoever waits for this restarts the next member: then this one must stand in for it.
            MemberState::Ready if self.core.membership().mandate() == Mandate::Passive => {
                Err("others do not send this node its requests yet".to_owned())
            }
            MemberState::Ready => Ok(()),
            state => Err(match self.core.membership().ignored_by() {
                Some(member) if state == MemberState::Starting => {
                    format!(
                        "{member} does not count this node among its members yet: reload its configuration"
                    )
                }
                _ if state == MemberState::Syncing && self.core.membership().misses_somebody() => {
                    "this node is syncing, and others reach members that it does not reach".to_owned()
                }
                _ => format!("this node is {}", state.name()),
            }),
        }
    }

    fn cluster(&self) -> ClusterReport {
        let membership = self.core.membership();
        let view = Arc::clone(&membership.view());
        let ring = view.ring();
        ClusterReport {
            name: self.cluster.clone(),
            ring_id: ring.id().to_string(),
            placement: ring.placement().name().to_owned(),
            replicas: ring.replicas(),
            member: membership.address().clone(),
            incarnation: membership.incarnation().to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            members: membership.report().into_iter().map(|known| self.member(known)).collect(),
            store: self.core.store().usage().into(),
            security: self.protection.report(),
            acting: membership.mandate().name().to_owned(),
            syncing_since_ms: membership.syncing_since().map(Timestamp::as_millis),
            target_ring_id: membership.target().map(|id| id.to_string()),
            target_waits_for: membership.target_waits_for(),
            handoff: self.core.sweep().report().into_iter().map(Into::into).collect(),
            copies: self.core.objects().owner().copies().into(),
        }
    }

    fn collect(&self, page: &mut Page) {
        metrics::collect(self, page);
    }

    fn locate(&self, key: &Key<'_>) -> Location {
        let view = self.core.membership().view();
        let digest = key.digest();
        let lookup = view.lookup(digest);
        let address = |index| view.ring().address(index).clone();
        let role = match lookup.role {
            Role::Owner => "owner",
            Role::StandIn => "stand-in",
        };
        Location {
            key: key.to_string(),
            digest: digest.to_string(),
            uuid: digest.to_uuid().to_string(),
            homes: view.homes(digest).map(address).collect(),
            owner: address(lookup.member),
            role: role.to_owned(),
            preference_list: view.ring().preference_list(digest).map(address).collect(),
        }
    }
}
