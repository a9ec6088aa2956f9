//! What a node says about itself and its ring: the documents of `/cluster` and `/cluster/locate/{key}`.
//!
//! Fields are added, never renamed or removed: clients and dashboards read these.

use ringhold_ring::{Key, Mandate, MemberAddress};
use serde::{Deserialize, Serialize};

use crate::owner::CopyCounts;
use crate::sweep::Handover;
use crate::telemetry::metrics::Page;

/// What the HTTP side asks of the node it belongs to.
pub trait NodeStatus: Send + Sync {
    /// Whether the node should be sent traffic.
    ///
    /// # Errors
    /// Why not, for a person to read.
    fn is_ready(&self) -> Result<(), String>;

    /// The ring as this node sees it.
    fn cluster(&self) -> ClusterReport;

    /// Writes down what everything behind the HTTP side counts.
    fn collect(&self, page: &mut Page);

    /// Where `key` lives.
    fn locate(&self, key: &Key<'_>) -> Location;
}

/// `GET /cluster`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterReport {
    /// `cluster.name`
    pub name: String,
    /// What members must agree on to send keys to the same places, 16 hexadecimal digits.
    pub ring_id: String,
    /// `modulo` or `rendezvous`.
    pub placement: String,
    /// Home members of each key.
    pub replicas: usize,
    /// The member that answers.
    pub member: MemberAddress,
    /// Tells one start of this member from the next, 16 hexadecimal digits.
    pub incarnation: String,
    /// The version of the program.
    pub version: String,
    /// Every configured member, in the order of the ring.
    pub members: Vec<MemberReport>,
    /// What this member holds.
    pub store: StoreReport,
    /// What keeps strangers out.
    #[serde(default)]
    pub security: SecurityReport,
    /// What the answering member does with requests for keys that it owns: `acting` (it executes them), `doubting` (they
    /// wait until it knows whether others took its place) or `passive` (it passes them to the next in the list).
    #[serde(default = "acting")]
    pub acting: String,
    /// Since when it has been waiting to be handed what it missed, milliseconds since 1970-01-01 UTC; absent: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syncing_since_ms: Option<u64>,
    /// The ring that it is changing to; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_ring_id: Option<String>,
    /// Members that keep it waiting: they do not know of that ring yet, or have not handed over what it places elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_waits_for: Vec<MemberAddress>,
    /// To whom it is handing objects now.
    #[serde(default)]
    pub handoff: Vec<HandoffReport>,
    /// What came of its copies to other members since it started.
    #[serde(default)]
    pub copies: CopiesReport,
}

fn acting() -> String {
    Mandate::Acting.name().to_owned()
}

/// How far the answering member is with handing another one what that one should keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoffReport {
    /// To whom.
    pub member: MemberAddress,
    /// Objects and tombstones that were sent and kept.
    pub objects_sent: u64,
    /// Their keys and values.
    pub bytes_sent: u64,
    /// About how many are still to be looked at or sent.
    pub objects_left: u64,
    /// When it began, milliseconds since 1970-01-01 UTC.
    pub started_at_ms: u64,
}

impl From<Handover> for HandoffReport {
    fn from(handover: Handover) -> Self {
        let Handover { member, began_at, objects_sent, bytes_sent, objects_left } = handover;
        Self { member, objects_sent, bytes_sent, objects_left, started_at_ms: began_at.as_millis() }
    }
}

/// Copies of writes that the answering member executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiesReport {
    /// Copies that another member keeps.
    pub sent: u64,
    /// Copies that a member did not take, or did not answer for.
    pub failed: u64,
}

impl From<&CopyCounts> for CopiesReport {
    fn from(counts: &CopyCounts) -> Self {
        Self { sent: counts.kept(), failed: counts.not_kept() }
    }
}

/// One member, as the answering one sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberReport {
    /// Where it is reached.
    pub address: MemberAddress,
    /// Whether it is the one that answers.
    pub is_self: bool,
    /// `online`, `damaged` or `validating`.
    pub health: String,
    /// Probes passed in a row while it is validating.
    pub passes: u32,
    /// What it last said of itself: `starting`, `syncing`, `ready` or `draining`; absent: nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Its ring id when it is known and not the answering member's: the two disagree about the ring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring_id: Option<String>,
    /// Whether the answering member has handed it everything that it should keep, since it last came.
    #[serde(default)]
    pub handed: bool,
    /// The fraction of all keys that it is the first home member of.
    pub share: f64,
    /// Why it was last taken out; absent: it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
}

/// How full a member's store is, and what it has dropped since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreReport {
    /// Objects held.
    pub objects: u64,
    /// Deleted and expired objects that are remembered, so that older copies do not come back.
    #[serde(default)]
    pub tombstones: u64,
    /// Bytes held: keys, values and overhead.
    pub bytes: u64,
    /// `store.max_bytes`
    pub max_bytes: u64,
    /// Objects dropped to make room.
    pub evicted: u64,
    /// Objects dropped because their time was over.
    pub expired: u64,
}

impl From<crate::store::Usage> for StoreReport {
    fn from(usage: crate::store::Usage) -> Self {
        let crate::store::Usage { objects, tombstones, bytes, max_bytes, evicted, expired, .. } = usage;
        Self { objects, tombstones, bytes, max_bytes, evicted, expired }
    }
}

/// How a node is protected, without anything that is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityReport {
    /// `off`, `keystore` or `automatic`.
    pub tls: String,
    /// Whether clients show a certificate: `required`, `optional` or `none`.
    pub client_auth: String,
    /// Whether there is an `auth.shared_secret`.
    pub shared_secret: bool,
    /// What is read from files, and read again when they change.
    pub sources: Vec<SourceReport>,
    /// What new connections are shown; absent: there is no TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateReport>,
}

/// The certificate of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateReport {
    /// Whom it is for.
    pub subject: String,
    /// The SHA-256 of its bytes, 64 hexadecimal digits: nodes that share a certificate show the same.
    pub fingerprint: String,
    /// When it ends, or the first of its issuers, milliseconds since 1970-01-01 UTC.
    pub expires_at_ms: u64,
}

/// One of the things that a node's protection is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReport {
    /// `tls`, `secrets` or `access`.
    pub name: String,
    /// Its files.
    pub files: Vec<String>,
    /// When what is in use was loaded, milliseconds since 1970-01-01 UTC.
    pub loaded_at_ms: u64,
    /// How often it was replaced since the node started.
    pub reloads: u64,
    /// How often that failed.
    pub failures: u64,
    /// What is wrong with the files as they are; absent: they are what is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Default for SecurityReport {
    /// A plain ring.
    fn default() -> Self {
        Self {
            tls: "off".into(),
            client_auth: "none".into(),
            shared_secret: false,
            sources: Vec::new(),
            certificate: None,
        }
    }
}

impl From<&crate::security::identity::Identity> for CertificateReport {
    fn from(identity: &crate::security::identity::Identity) -> Self {
        Self {
            subject: identity.leaf().subject().to_owned(),
            fingerprint: identity.leaf().fingerprint().to_string(),
            expires_at_ms: identity.expires_at().as_millis(),
        }
    }
}

impl From<crate::security::reload::Status> for SourceReport {
    fn from(status: crate::security::reload::Status) -> Self {
        Self {
            name: status.name.to_owned(),
            files: status.files.iter().map(|file| file.display().to_string()).collect(),
            loaded_at_ms: status.loaded_at.as_millis(),
            reloads: status.reloads,
            failures: status.failures,
            error: status.error.map(|(why, _)| why),
        }
    }
}

/// `GET /cluster/locate/{key}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The key, decoded.
    pub key: String,
    /// Its digest, 32 hexadecimal digits.
    pub digest: String,
    /// The digest's UUID form.
    pub uuid: String,
    /// The home members, in order of preference.
    pub homes: Vec<MemberAddress>,
    /// The member that executes requests for the key now.
    pub owner: MemberAddress,
    /// As what it does: `owner` or `stand-in`.
    pub role: String,
    /// Every member, in order of preference.
    pub preference_list: Vec<MemberAddress>,
}
