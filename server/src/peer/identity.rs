//! Who this member is to others and how it proves that. How it is, it says in heartbeats.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use ringhold_ring::{MemberAddress, RingId};

use super::secrets::Secrets;
use crate::clock::Clock;
use crate::security::shared_secret::SharedSecrets;

/// What this member tells every other one when a stream opens. Only the ring id and the shared secrets change, at a
/// reload.
#[derive(Debug)]
pub struct Identity {
    cluster: String,
    member: MemberAddress,
    ring_id: AtomicU64,
    incarnation: u64,
    max_object_bytes: usize,
    clock: Clock,
    secrets: ArcSwapOption<Secrets>,
}

/// A cluster name that does not travel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cluster name is 1 to {limit} bytes long, not {0}", limit = Identity::MAX_CLUSTER_BYTES)]
pub struct ClusterNameError(usize);

impl Identity {
    /// The longest cluster name, in bytes.
    pub const MAX_CLUSTER_BYTES: usize = 255;

    /// The member at `member` of `cluster`. `incarnation` is a random number of this start of the process; `clock` turns
    /// expiries into milliseconds left and back.
    ///
    /// # Errors
    /// [`ClusterNameError`] when the name is empty or too long.
    pub fn new(
        cluster: impl Into<String>,
        member: MemberAddress,
        ring_id: RingId,
        incarnation: u64,
        max_object_bytes: usize,
        clock: Clock,
    ) -> Result<Self, ClusterNameError> {
        let cluster = cluster.into();
        if !(1..=Self::MAX_CLUSTER_BYTES).contains(&cluster.len()) {
            return Err(ClusterNameError(cluster.len()));
        }
        let ring_id = AtomicU64::new(ring_id.as_u64());
        let secrets = ArcSwapOption::empty();
        Ok(Self { cluster, member, ring_id, incarnation, max_object_bytes, clock, secrets })
    }

    /// Members of another cluster are refused.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// This member.
    #[must_use]
    pub const fn member(&self) -> &MemberAddress {
        &self.member
    }

    /// The ring as this member knows it now.
    #[must_use]
    pub fn ring_id(&self) -> RingId {
        RingId::from_u64(self.ring_id.load(Ordering::Acquire))
    }

    /// After a reload: the new ring.
    pub fn set_ring_id(&self, ring_id: RingId) {
        self.ring_id.store(ring_id.as_u64(), Ordering::Release);
    }

    /// From now on every new stream, in either direction, begins with a proof of these secrets, and what is sent in
    /// plain HTTP bears a token; open streams live on. With none, members prove nothing and none is demanded.
    pub fn set_secrets(&self, secrets: Option<SharedSecrets>) {
        let secrets = secrets.map(|shared| Arc::new(Secrets::new(shared, self.member.clone())));
        self.secrets.store(secrets);
    }

    pub(super) fn secrets(&self) -> Option<Arc<Secrets>> {
        self.secrets.load_full()
    }

    /// Which start of this process it is. It stays what it is while the member that lives in the process begins a new
    /// incarnation ([`ringhold_ring::Tenure`]): that one travels in heartbeats.
    #[must_use]
    pub const fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The largest value this member stores.
    #[must_use]
    pub const fn max_object_bytes(&self) -> usize {
        self.max_object_bytes
    }

    /// How many bytes of values may be on their way to this member on one stream.
    pub(super) fn assembly_bytes(&self) -> usize {
        const AT_LEAST: usize = 16 << 20;
        self.max_object_bytes.saturating_mul(4).clamp(AT_LEAST, u32::MAX as usize)
    }

    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }
}
