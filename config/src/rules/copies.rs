//! What the settings about copies and their repair mean for each other.

use std::time::Duration;

use super::mistake;
use crate::Cluster;
use crate::error::Mistake;
use crate::load::Places;

/// Everything that cannot be; how many copies there may be is the ring's to say.
pub(super) fn check(cluster: &Cluster, places: &Places, mistakes: &mut Vec<Mistake>) {
    let Cluster { replicas, min_copies, peer_timeout, sync_timeout, .. } = cluster;
    if min_copies > replicas {
        let right = format!("it is at most cluster.replicas, which is {replicas}: lower this, or raise that");
        mistakes.push(mistake(places, "cluster.min_copies", min_copies.to_string(), right));
    }
    if sync_timeout < peer_timeout {
        let right = format!(
            "it is at least cluster.peer_timeout, which is {peer_timeout:?}: a member would go on without what others are \
             just about to hand it"
        );
        mistakes.push(mistake(places, "cluster.sync_timeout", format!("{sync_timeout:?}"), right));
    }
}

/// What is allowed of it and worth a word.
pub(super) fn warnings(cluster: &Cluster) -> Vec<String> {
    let Cluster { members, min_copies, majority_guard, tombstone_ttl, .. } = cluster;
    let mut warnings = Vec::new();
    if *majority_guard && members.len() == 2 {
        warnings.push(
            "cluster.majority_guard is on in a ring of two: one alone is no majority, so when either is lost the other \
             serves nothing; three members are the fewest that can spare one"
                .into(),
        );
    }
    if members.len() > 1 && *min_copies == members.len() {
        warnings.push(format!(
            "cluster.min_copies is {min_copies}, the number of members: while any of them is away, no write is \
             acknowledged"
        ));
    }
    let return_time = time_to_return(cluster);
    if members.len() > 1 && *tombstone_ttl < return_time {
        warnings.push(format!(
            "cluster.tombstone_ttl is {tombstone_ttl:?}, and a member that was taken out needs {return_time:.1?} to \
             return: what was deleted meanwhile may come back with it"
        ));
    }
    warnings
}

/// How long a damaged member takes to return at the least: its rest, and then one after each probe but the last.
fn time_to_return(cluster: &Cluster) -> Duration {
    cluster.rest + (1..cluster.validation_passes).map(|pass| cluster.rest / pass).sum::<Duration>()
}
