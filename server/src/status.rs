//! What a node tells about itself and its ring: readiness, the state of members, where a key lives.

mod metrics;

use std::sync::Arc;

use ringhold_config::Config;
use ringhold_ring::{Key, MemberHealth, Role, Timestamp};

use crate::http::report::{ClusterReport, Location, MemberReport, NodeStatus};
use crate::membership::Membership;
use crate::node::protection::Protection;
use crate::peer::MemberState;
use crate::routing::Objects;
use crate::telemetry::metrics::Page;

/// The answers to `/readyz`, `/cluster`, `/cluster/locate` and, as far as it is here, `/metrics`.
#[derive(Debug)]
pub struct Status {
    cluster: String,
    incarnation: u64,
    started_at: Timestamp,
    objects: Objects,
    membership: Arc<Membership>,
    protection: Arc<Protection>,
}

impl Status {
    /// The status of the node that `objects` and `membership` belong to.
    #[must_use]
    pub(crate) fn new(
        config: &Config,
        incarnation: u64,
        started_at: Timestamp,
        objects: &Objects,
        membership: &Arc<Membership>,
        protection: &Arc<Protection>,
    ) -> Self {
        Self {
            cluster: config.cluster.name.clone(),
            incarnation,
            started_at,
            objects: objects.clone(),
            membership: Arc::clone(membership),
            protection: Arc::clone(protection),
        }
    }

    fn members(&self) -> Vec<MemberReport> {
        let view = self.membership.view();
        let (ring, me) = (view.ring(), view.me());
        let own = self.membership.own_state();
        let known = self.membership.report().into_iter();
        known
            .map(|(index, health, reported)| {
                let is_self = index == me;
                let state = if is_self { Some(own) } else { reported.answer.map(|answer| answer.state) };
                let ring_id = reported.answer.and_then(|answer| answer.ring_id).filter(|id| *id != ring.id());
                MemberReport {
                    address: ring.address(index).clone(),
                    is_self,
                    health: health.name().to_owned(),
                    passes: match health {
                        MemberHealth::Validating { passes } => passes,
                        MemberHealth::Online | MemberHealth::Damaged => 0,
                    },
                    state: state.map(|state| state.name().to_owned()),
                    ring_id: ring_id.map(|id| id.to_string()),
                    share: 1.0 / ring.len() as f64,
                    last_failure: reported.last_failure,
                }
            })
            .collect()
    }
}

impl NodeStatus for Status {
    fn is_ready(&self) -> Result<(), String> {
        match self.membership.own_state() {
            MemberState::Ready => Ok(()),
            state => Err(format!("this node is {}", state.name())),
        }
    }

    fn cluster(&self) -> ClusterReport {
        let view = self.membership.view();
        let ring = view.ring();
        ClusterReport {
            name: self.cluster.clone(),
            ring_id: ring.id().to_string(),
            placement: ring.placement().name().to_owned(),
            replicas: ring.replicas(),
            member: ring.address(view.me()).clone(),
            incarnation: format!("{:016x}", self.incarnation),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            members: self.members(),
            store: self.objects.owner().store().usage().into(),
            security: self.protection.report(),
        }
    }

    fn collect(&self, page: &mut Page) {
        metrics::collect(self, page);
    }

    fn locate(&self, key: &Key<'_>) -> Location {
        let view = self.membership.view();
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
