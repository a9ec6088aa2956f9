//! What a node says of its ring. Fields that a newer node adds are ignored; states it adds are kept as text.

use ringhold_ring::MemberAddress;
use serde::{Deserialize, Serialize};

/// The ring as one node sees it (`GET /cluster`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterReport {
    /// The ring's name.
    pub name: String,
    /// What is equal on every member that is configured alike.
    pub ring_id: String,
    /// The rule that places keys on members.
    pub placement: String,
    /// How many home members a key has.
    pub replicas: usize,
    /// The member that answers.
    pub member: MemberAddress,
    /// Tells one start of that member from the next.
    pub incarnation: String,
    /// The version of the program that it runs.
    pub version: String,
    /// Every member in the order of the ring.
    pub members: Vec<MemberReport>,
    /// What that member holds.
    pub store: StoreReport,
    /// What that member does with requests for keys that it owns: `acting`, `doubting` or `passive`.
    #[serde(default)]
    pub acting: Acting,
    /// Since when it has been waiting to be handed what it missed, milliseconds since 1970-01-01 UTC; none: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syncing_since_ms: Option<u64>,
    /// The ring that it is changing to.
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

/// What a member does with requests for keys that it owns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acting {
    /// It executes them.
    #[default]
    Acting,
    /// They wait until it knows whether others took its place.
    Doubting,
    /// It passes them to the next in the preference list.
    Passive,
    /// Something that this client does not know.
    #[serde(untagged)]
    Other(String),
}

/// How far a member is with handing another one what that one should keep.
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

/// Copies of writes that a member executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiesReport {
    /// Copies that another member keeps.
    pub sent: u64,
    /// Copies that a member did not take, or did not answer for.
    pub failed: u64,
}

/// A member as another one sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberReport {
    /// Its address.
    pub address: MemberAddress,
    /// How it is seen.
    pub health: MemberHealth,
    /// How many probes in a row it has passed while it is being validated.
    #[serde(default)]
    pub passes: u32,
    /// What it last said of itself, `ready` for one; none: nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Its ring id when that is not the answering member's: the two disagree about the ring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring_id: Option<String>,
    /// Whether the answering member has handed it everything that it should keep, since it last came.
    #[serde(default)]
    pub handed: bool,
    /// Its part of the key space, from 0 to 1.
    pub share: f64,
    /// Whether it is the member that answers.
    pub is_self: bool,
}

/// How a member is seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberHealth {
    /// It gets requests.
    Online,
    /// It failed and rests.
    Damaged,
    /// Its rest is over; it is probed and gets no requests yet.
    Validating,
    /// Something that this client does not know.
    #[serde(untagged)]
    Other(String),
}

impl MemberHealth {
    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Online => "online",
            Self::Damaged => "damaged",
            Self::Validating => "validating",
            Self::Other(text) => text,
        }
    }
}

impl std::fmt::Display for MemberHealth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a member holds, and has dropped since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreReport {
    /// Objects held.
    pub objects: u64,
    /// Deleted and expired objects that are remembered, so that older copies do not come back.
    #[serde(default)]
    pub tombstones: u64,
    /// Bytes held: keys, values and overhead.
    pub bytes: u64,
    /// The most bytes it may hold.
    pub max_bytes: u64,
    /// Objects dropped to make room.
    pub evicted: u64,
    /// Objects dropped because their time was over.
    pub expired: u64,
}

/// Where a key lives, as one node sees it (`GET /cluster/locate/{key}`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The key.
    pub key: String,
    /// Its MD5 digest in hexadecimal.
    pub digest: String,
    /// The UUID form of the digest.
    pub uuid: String,
    /// The member that executes requests for the key now.
    pub owner: MemberAddress,
    /// As what it does: `owner` or `stand-in`.
    pub role: String,
    /// The members at which the key is at home.
    pub homes: Vec<MemberAddress>,
    /// All members in the key's order of preference.
    pub preference_list: Vec<MemberAddress>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_newer_nodes_are_understood() {
        let text = r#"{"name":"c","ring_id":"0f","placement":"modulo","replicas":2,"member":"10.0.0.1:9999",
            "incarnation":"000f","version":"9.9.9","new":{},"acting":"asleep","handoff":[{"member":"10.0.0.2:9999","objects_sent":1,
            "bytes_sent":2,"objects_left":3,"started_at_ms":4,"new":5}],"members":[
              {"address":"10.0.0.1:9999","health":"online","share":0.5,"is_self":true,"zone":"a"},
              {"address":"10.0.0.2:9999","health":"validating","passes":2,"share":0.25,"is_self":false},
              {"address":"10.0.0.3:9999","health":"asleep","state":"syncing","ring_id":"10","share":0.25,"is_self":false}],
            "store":{"objects":1,"bytes":2,"max_bytes":3,"evicted":4,"expired":5,"tombstones":6}}"#;
        let report: ClusterReport = serde_json::from_str(text).unwrap();
        assert!(report.members[0].is_self);
        assert_eq!(report.members[1].passes, 2);
        assert_eq!(report.members[1].health, MemberHealth::Validating);
        assert_eq!(report.members[2].health, MemberHealth::Other("asleep".into()));
        assert_eq!(serde_json::to_value(&report).unwrap()["members"][2]["health"], "asleep");
        assert_eq!(report.members[2].state.as_deref(), Some("syncing"));
        assert_eq!((report.store.expired, report.store.tombstones), (5, 6));
        assert_eq!(report.acting, Acting::Other("asleep".into()));
        assert_eq!(report.handoff[0].objects_left, 3);
    }

    #[test]
    fn reports_of_nodes_without_copies_are_understood() {
        let text = r#"{"name":"c","ring_id":"0f","placement":"modulo","replicas":1,"member":"10.0.0.1:9999",
            "incarnation":"000f","version":"0.1.0","members":[
              {"address":"10.0.0.1:9999","health":"online","share":1.0,"is_self":true}],
            "store":{"objects":1,"bytes":2,"max_bytes":3,"evicted":4,"expired":5}}"#;
        let report: ClusterReport = serde_json::from_str(text).unwrap();
        assert_eq!((report.acting, report.copies), (Acting::Acting, CopiesReport::default()));
        assert!(report.handoff.is_empty() && report.target_ring_id.is_none() && !report.members[0].handed);
    }
}
