//! `HELLO`: what each side says of itself before anything else.
//!
//! Pure functions; who refuses whom is in `handshake`.

use ringhold_ring::{MemberAddress, RingId};

use super::Identity;
use super::frame::{Fields, Violation, cut};
use super::handshake::HandshakeError;

const MAGIC: [u8; 8] = *b"RINGHOLD";

/// The oldest and newest version this side speaks.
pub(super) const VERSIONS: (u8, u8) = (1, 1);

/// The sender has a shared secret, proves it, and demands the same.
const PROOF: u64 = 1;

/// The sender's end of the transport is TLS.
const OVER_TLS: u64 = 2;

/// How many random bytes a side that proves a secret sends.
const CHALLENGE_BYTES: usize = 16;

/// Requests one side lets the other have in progress on a stream.
pub(super) const MAX_REQUESTS: u32 = 1024;

/// What every side holds at least of unfinished values: any list that members send each other.
pub const MIN_ASSEMBLY_BYTES: usize = 1 << 20;

/// The longest text of a member's address: a 253-byte name, a colon and a port.
pub(super) const MAX_ADDRESS_BYTES: usize = 259;

/// Random bytes that make each `HELLO`, and so each proof, another one.
pub type Challenge = [u8; CHALLENGE_BYTES];

/// What a side says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The oldest and newest protocol version it speaks.
    pub versions: (u8, u8),
    /// Optional parts of the protocol it knows beside those below; what both know applies.
    pub features: u64,
    /// Its ring.
    pub ring_id: RingId,
    /// Which start of its process.
    pub incarnation: u64,
    /// The largest value it stores.
    pub max_object_bytes: usize,
    /// How many bytes of unfinished values it will hold for the other side.
    pub assembly_bytes: usize,
    /// How many requests it will have in progress for the other side.
    pub max_requests: u32,
    /// Its cluster.
    pub cluster: String,
    /// Itself.
    pub member: MemberAddress,
    /// There when it has a shared secret: it proves that, and demands the same.
    pub challenge: Option<Challenge>,
    /// Whether its end of the transport is TLS.
    pub is_over_tls: bool,
}

impl Hello {
    /// What this member says when it has no shared secret and speaks over plain TCP.
    #[must_use]
    pub fn of(identity: &Identity) -> Self {
        Self {
            versions: VERSIONS,
            features: 0,
            ring_id: identity.ring_id(),
            incarnation: identity.incarnation(),
            max_object_bytes: identity.max_object_bytes(),
            assembly_bytes: identity.assembly_bytes(),
            max_requests: MAX_REQUESTS,
            cluster: identity.cluster().into(),
            member: identity.member().clone(),
            challenge: None,
            is_over_tls: false,
        }
    }

    /// Appends the payload of a `HELLO`.
    pub fn encode(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&MAGIC);
        to.extend_from_slice(&[self.versions.0, self.versions.1]);
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let own = flag(self.challenge.is_some(), PROOF) | flag(self.is_over_tls, OVER_TLS);
        to.extend_from_slice(&(self.features & !(PROOF | OVER_TLS) | own).to_be_bytes());
        to.extend_from_slice(&self.ring_id.as_u64().to_be_bytes());
        to.extend_from_slice(&self.incarnation.to_be_bytes());
        to.extend_from_slice(&(self.max_object_bytes as u64).to_be_bytes());
        to.extend_from_slice(&(self.assembly_bytes as u64).to_be_bytes());
        to.extend_from_slice(&self.max_requests.to_be_bytes());
        let cluster = cut(&self.cluster, Identity::MAX_CLUSTER_BYTES);
        to.push(cluster.len() as u8);
        to.extend_from_slice(cluster.as_bytes());
        let member = self.member.to_string();
        to.extend_from_slice(&(member.len() as u16).to_be_bytes());
        to.extend_from_slice(member.as_bytes());
        to.extend_from_slice(self.challenge.as_ref().map_or(&[], |challenge| challenge));
    }

    /// The inverse of [`Hello::encode`]. Of another version's `HELLO` only the front is looked at, and bytes behind
    /// the last field are left to later versions.
    ///
    /// # Errors
    /// [`HandshakeError::Violation`] when it is none, [`HandshakeError::Version`] when there is no common version.
    pub fn decode(payload: &[u8]) -> Result<Self, HandshakeError> {
        let mut fields = Fields::new(payload, "HELLO");
        if fields.array()? != MAGIC {
            return Err(Violation::Malformed("HELLO").into());
        }
        let versions = (fields.u8()?, fields.u8()?);
        if versions.0 > VERSIONS.1 || versions.1 < VERSIONS.0 {
            return Err(HandshakeError::Version(versions));
        }
        let features = fields.u64()?;
        let ring_id = RingId::from_u64(fields.u64()?);
        let incarnation = fields.u64()?;
        let max_object_bytes = usize::try_from(fields.u64()?).map_err(fields.malformed())?;
        let assembly_bytes = usize::try_from(fields.u64()?).map_err(fields.malformed())?;
        let max_requests = fields.u32()?;
        let length = usize::from(fields.u8()?);
        let cluster = std::str::from_utf8(fields.take(length)?).map_err(fields.malformed())?.to_owned();
        let length = usize::from(fields.u16()?);
        if length > MAX_ADDRESS_BYTES {
            return Err(Violation::OverLimit("member address").into());
        }
        let member = std::str::from_utf8(fields.take(length)?).map_err(fields.malformed())?;
        let member = member.parse().map_err(fields.malformed())?;
        let challenge = if features & PROOF == 0 { None } else { Some(fields.array()?) };
        fields.rest();
        if max_requests == 0 || assembly_bytes < max_object_bytes.max(MIN_ASSEMBLY_BYTES) {
            return Err(Violation::Malformed("HELLO limits").into());
        }
        Ok(Self {
            versions,
            features: features & !(PROOF | OVER_TLS),
            ring_id,
            incarnation,
            max_object_bytes,
            assembly_bytes,
            max_requests,
            cluster,
            member,
            challenge,
            is_over_tls: features & OVER_TLS != 0,
        })
    }
}
