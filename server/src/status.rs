//! What a node tells about itself and its ring: readiness, the state of members, where a key lives.

use std::sync::Arc;

use ringhold_config::Config;
use ringhold_ring::{Key, MemberHealth, Role};

use crate::http::{ClusterReport, Location, MemberReport, NodeStatus, StoreReport};
use crate::membership::Membership;
use crate::peer::MemberState;
use crate::routing::Objects;

/// The answers to `/readyz`, `/cluster` and `/cluster/locate`.
#[derive(Debug)]
pub struct Status {
    cluster: String,
    incarnation: u64,
    objects: Objects,
    membership: Arc<Membership>,
}

impl Status {
    /// The status of the node that `objects` and `membership` belong to.
    #[must_use]
    pub fn new(config: &Config, incarnation: u64, objects: &Objects, membership: &Arc<Membership>) -> Self {
        Self {
            cluster: config.cluster.name.clone(),
            incarnation,
            objects: objects.clone(),
            membership: Arc::clone(membership),
        }
    }

    fn members(&self) -> Vec<MemberReport> {
        let view = self.membership.view();
        let (ring, me) = (view.ring(), view.me());
        let own = self.membership.own_state();
        let reports = self.membership.report().into_iter();
        reports
            .map(|(index, health, reported)| {
                let is_self = index == me;
                let theirs = reported.answer.and_then(|answer| answer.ring_id).filter(|id| *id != ring.id());
                MemberReport {
                    address: ring.address(index).to_string(),
                    health: health.name(),
                    passes: match health {
                        MemberHealth::Validating { passes } => Some(passes),
                        MemberHealth::Online | MemberHealth::Damaged => None,
                    },
                    state: if is_self { Some(own.name()) } else { reported.answer.map(|answer| answer.state.name()) },
                    other_ring_id: theirs.map(|id| id.to_string()),
                    last_failure: reported.last_failure,
                    share: 1.0 / ring.len() as f64,
                    is_self,
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
        let usage = self.objects.owner().store().usage();
        ClusterReport {
            cluster: self.cluster.clone(),
            ring_id: ring.id().to_string(),
            placement: ring.placement().name(),
            replicas: ring.replicas(),
            this: ring.address(view.me()).to_string(),
            incarnation: format!("{:016x}", self.incarnation),
            version: env!("CARGO_PKG_VERSION"),
            members: self.members(),
            store: StoreReport {
                objects: usage.objects,
                bytes: usage.bytes,
                max_bytes: usage.max_bytes,
                evicted: usage.evicted,
                expired: usage.expired,
            },
        }
    }

    fn locate(&self, key: &Key<'_>) -> Location {
        let view = self.membership.view();
        let digest = key.digest();
        let lookup = view.lookup(digest);
        let address = |index| view.ring().address(index).to_string();
        Location {
            key: key.to_string(),
            digest: digest.to_string(),
            uuid: digest.to_uuid().to_string(),
            owner: address(lookup.member),
            role: match lookup.role {
                Role::Owner => "owner",
                Role::StandIn => "stand-in",
            },
            homes: view.homes(digest).map(address).collect(),
            preference_list: view.ring().preference_list(digest).map(address).collect(),
        }
    }
}
