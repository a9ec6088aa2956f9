//! Every metric that there is. A name is declared here once; whoever counts it writes it down by its constant.
//!
//! Names keep to Prometheus' conventions: base units, `_total` on what only rises. They are never changed or
//! given another meaning: dashboards and alerts read them. `docs/metrics.md` is checked against this list.

/// A metric: its name and what it means.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// What it is called.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it tells, a sentence or two.
    pub help: &'static str,
}

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only rises.
    Counter,
    /// It rises and falls.
    Gauge,
    /// Durations, counted up to bounds.
    Histogram,
}

impl Kind {
    /// As the text format calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

macro_rules! families {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub static $constant: Family =
                Family { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };
        )*

        /// All of them, in the order of the page that documents them.
        pub static ALL: &[&Family] = &[$(&$constant),*];
    };
}

families! {
    BUILD: Gauge "ringhold_build_info" ["version"]
        "Always 1: the version of the program.";
    RING: Gauge "ringhold_ring_info" ["cluster", "ring_id", "placement", "replicas"]
        "Always 1: the ring as this node's configuration has it. Members with other ring ids disagree about where keys live.";
    RING_CHANGING: Gauge "ringhold_ring_changing" []
        "1 while this node is changing to another ring, which /cluster names.";
    READY: Gauge "ringhold_ready" []
        "1 while this node wants traffic, as /readyz says.";

    HTTP_REQUESTS: Counter "ringhold_http_requests_total" ["method", "status"]
        "Requests answered, by method (other: any but those of objects) and class of status.";
    HTTP_RECEIVED: Counter "ringhold_http_received_bytes_total" []
        "Bytes read from connections of listeners, above TLS; members' streams included.";
    HTTP_SENT: Counter "ringhold_http_sent_bytes_total" []
        "Bytes written to connections of listeners, above TLS; members' streams included.";
    CONNECTIONS_ACCEPTED: Counter "ringhold_connections_accepted_total" []
        "Connections accepted by listeners.";
    CONNECTIONS_OPEN: Gauge "ringhold_connections_open" []
        "Connections that count towards limits.max_connections: clients', and members' until they have proved to be members'.";
    CONNECTIONS_LIMIT: Gauge "ringhold_connections_limit" []
        "limits.max_connections.";
    ACCEPT_FAILURES: Counter "ringhold_accept_failures_total" []
        "Connections that could not be accepted, mostly for want of file descriptors.";
    LIMITS: Counter "ringhold_limits_reached_total" ["limit"]
        "What was refused or ended because a limit was reached, by limit.";

    REFUSALS: Counter "ringhold_refusals_total" ["reason"]
        "Requests and connections refused for who they are or what they show, by reason.";
    RELOADS: Counter "ringhold_reloads_total" ["source", "result"]
        "Reloads of tls, secrets and access. After one that failed, what was in use stays in use.";
    RELOAD_FAILING: Gauge "ringhold_reload_failing" ["source"]
        "1 while the files of a source are not what is in use, because they are wrong.";
    RELOADED_AT: Gauge "ringhold_reload_last_success_timestamp_seconds" ["source"]
        "When what is in use was loaded.";
    CERTIFICATE_END: Gauge "ringhold_certificate_not_after_timestamp_seconds" ["certificate"]
        "When the certificate ends that this node shows (own), and the first of its chain does (chain).";

    OPERATIONS: Counter "ringhold_operations_total" ["route"]
        "Operations on objects that were asked of this node, by where they were carried out: local, forwarded, stand-in.";
    MEMBER_OPERATIONS: Counter "ringhold_member_operations_total" []
        "Operations that this node carried out for other members.";
    FORWARDS: Counter "ringhold_forwards_total" ["result"]
        "Attempts to forward an operation: answered, not-sent (another member took it), lost (its outcome was unknown).";
    FORWARD_SECONDS: Histogram "ringhold_forward_duration_seconds" []
        "How long forwards took that were answered.";
    PASSES: Counter "ringhold_passes_total" ["direction"]
        "Operations sent to another member: forward (a client's), up (another member's, which is not for this node), down (for keys of this node's own while it does not act).";
    OPERATION_REFUSALS: Counter "ringhold_operation_refusals_total" ["reason"]
        "Operations asked of this node that other members kept from being carried out, by reason: unavailable, no-majority, too-few-copies, outcome-unknown.";

    COPIES: Counter "ringhold_copies_total" ["result"]
        "Copies of writes sent to other members: kept, newer (one is there), not-owner (that member acts as owner too), full, skewed, failed (no answer).";
    HANDOVERS: Counter "ringhold_handovers_total" ["result"]
        "Times that a member was to be handed all that it should keep: complete, failed (tried again if it is still there).";
    HANDED_RECORDS: Counter "ringhold_handoff_records_total" []
        "Objects and tombstones handed to other members, which keep them.";
    HANDED_BYTES: Counter "ringhold_handoff_bytes_total" []
        "Bytes of these: keys, values and overhead.";
    LEFT_RECORDS: Gauge "ringhold_handoff_left_records" []
        "Objects and tombstones that handovers under way have still to look at, about.";
    STRAYS: Counter "ringhold_strays_dropped_total" []
        "Objects and tombstones that belong elsewhere and were dropped here, as all who should keep them do.";

    READS: Counter "ringhold_store_reads_total" ["result"]
        "Reads carried out here: hit or miss.";
    OBJECTS: Gauge "ringhold_store_objects" []
        "Objects held.";
    TOMBSTONES: Gauge "ringhold_store_tombstones" []
        "Deleted and expired objects that are remembered, so that older copies do not come back.";
    BYTES: Gauge "ringhold_store_bytes" []
        "Bytes held: keys, values and overhead.";
    MAX_BYTES: Gauge "ringhold_store_limit_bytes" []
        "store.max_bytes.";
    EVICTED: Counter "ringhold_store_evicted_objects_total" []
        "Objects dropped to make room.";
    STORE_FULL: Counter "ringhold_store_refused_writes_total" []
        "Writes refused because there was no room and none could be made.";
    EXPIRED: Counter "ringhold_store_expired_objects_total" []
        "Objects dropped because their time was over.";

    STATE: Gauge "ringhold_state" ["state"]
        "1 for the state that this node is in: starting, syncing, ready, draining.";
    ACTING: Gauge "ringhold_acting" []
        "1 while this node carries out writes to the keys that it owns; else they wait, or another member does.";
    INCARNATIONS: Counter "ringhold_incarnations_begun_total" []
        "How often this node began anew without a restart, as others may have taken its place.";
    MEMBERS: Gauge "ringhold_members" ["health"]
        "Members of the ring by health as this node sees it, itself included.";
    MEMBER_ONLINE: Gauge "ringhold_member_online" ["member"]
        "1 while this node sees the member online.";
    MEMBER_DAMAGED: Counter "ringhold_member_damaged_total" ["member"]
        "How often this node took the member out.";
    DAMAGED_BY_MEMBER: Counter "ringhold_damaged_by_member_total" ["member"]
        "How often the member took this node out, as the member said last.";
    MEMBER_HANDED: Gauge "ringhold_member_handed" ["member"]
        "1 while the member has been handed all that it should keep, as far as this node has it.";
    RING_ID_MISMATCH: Gauge "ringhold_member_ring_id_mismatch" ["member"]
        "1 while the member has another ring id: compare members, placement and replicas in both configurations.";

    STARTED_AT: Gauge "process_start_time_seconds" []
        "When the node started.";
    RESIDENT_MEMORY: Gauge "process_resident_memory_bytes" []
        "Memory of the process that is in RAM.";
    OPEN_FILES: Gauge "process_open_fds" []
        "File descriptors in use.";
    MAX_OPEN_FILES: Gauge "process_max_fds" []
        "File descriptors that may be in use.";
    PROCESSOR_TIME: Counter "process_cpu_seconds_total" []
        "Processor time used.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::guard::Refused;
    use crate::http::traffic::Limit;
    use crate::telemetry::metrics::Label;

    const DOCUMENT: &str = include_str!("../../../../docs/metrics.md");

    fn row(family: &Family) -> String {
        let labels: Vec<_> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{}` | {} | {} | {} |", family.name, family.kind.name(), labels.join(", "), family.help)
    }

    #[test]
    fn the_page_of_metrics_tells_exactly_these_in_this_order() {
        let table: Vec<_> = ALL.iter().map(|family| row(family)).collect();
        let documented: Vec<_> =
            DOCUMENT.lines().filter(|line| line.matches('|').count() == 5 && line.contains("| `")).collect();
        assert_eq!(documented, table, "the table of docs/metrics.md should be:\n{}", table.join("\n"));
    }

    #[test]
    fn the_page_of_metrics_explains_every_reason_and_every_limit() {
        let reasons = Refused::ALL.iter().map(|reason| reason.name());
        for name in reasons.chain(Limit::ALL.iter().map(|limit| limit.name())) {
            assert!(DOCUMENT.contains(&format!("\n| `{name}` | ")), "{name} has no row in docs/metrics.md");
        }
    }

    #[test]
    fn names_keep_to_the_conventions() {
        let names: BTreeSet<_> = ALL.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), ALL.len(), "every name is there once");
        for Family { name, kind, help, .. } in ALL {
            assert!(name.starts_with("ringhold_") || name.starts_with("process_"), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(help.ends_with('.') && !help.contains(['|', '\n']), "{name}: {help}");
        }
    }
}
