//! What `/metrics` tells of everything behind the HTTP side. To read a number changes nothing.

use ringhold_ring::{Mandate, MemberHealth, MemberState, Timestamp};

use super::Status;
use crate::security::reload;
use crate::store::Usage;
use crate::telemetry::metrics::{Page, family};

pub(super) fn collect(status: &Status, page: &mut Page) {
    about_the_ring(status, page);
    itself(status, page);
    members(status, page);
    store(status, page);
    status.core.objects().counts().collect(page);
    status.core.objects().owner().copies().collect(page);
    status.core.sweep().collect(page);
    for source in status.protection.sources() {
        reloads(&source, page);
    }
    if let Some((own, chain)) = status.protection.certificate_ends() {
        page.put(&family::CERTIFICATE_END, &["own"], seconds(own));
        page.put(&family::CERTIFICATE_END, &["chain"], seconds(chain));
    }
}

fn about_the_ring(status: &Status, page: &mut Page) {
    let view = status.core.membership().view();
    let ring = view.ring();
    let (id, replicas) = (ring.id().to_string(), ring.replicas().to_string());
    page.put(&family::RING, &[&status.cluster, &id, ring.placement().name(), &replicas], true);
    page.put(&family::RING_CHANGING, &[], status.core.membership().target().is_some());
    page.put(&family::BUILD, &[env!("CARGO_PKG_VERSION")], true);
    page.put(&family::READY, &[], super::NodeStatus::is_ready(status).is_ok());
    page.put(&family::STARTED_AT, &[], seconds(status.started_at));
}

fn itself(status: &Status, page: &mut Page) {
    let membership = status.core.membership();
    for state in MemberState::ALL {
        page.put(&family::STATE, &[state.name()], state == status.own_state());
    }
    page.put(&family::ACTING, &[], membership.mandate() == Mandate::Acting);
    page.put(&family::INCARNATIONS, &[], membership.incarnations_begun());
}

fn members(status: &Status, page: &mut Page) {
    let known = status.core.membership().report();
    let ours = status.core.membership().view().ring().id();
    let all = [MemberHealth::Online, MemberHealth::Damaged, MemberHealth::Validating { passes: 0 }];
    for name in all.map(MemberHealth::name) {
        let count = known.iter().filter(|known| known.health.name() == name).count();
        page.put(&family::MEMBERS, &[name], count);
    }
    for known in &known {
        let member: &[&str] = &[&known.address.to_string()];
        let ring_id = known.beat.map(|beat| beat.ring);
        page.put(&family::MEMBER_ONLINE, member, known.health == MemberHealth::Online);
        page.put(&family::MEMBER_DAMAGED, member, u64::from(known.damages));
        let damaged_us = known.beat.map_or(0, |beat| beat.damages);
        page.put(&family::DAMAGED_BY_MEMBER, member, u64::from(damaged_us));
        page.put(&family::MEMBER_HANDED, member, known.handed);
        page.put(&family::RING_ID_MISMATCH, member, ring_id.is_some_and(|theirs| theirs != ours));
    }
}

fn store(status: &Status, page: &mut Page) {
    let owner = status.core.objects().owner();
    let Usage { objects, tombstones, bytes, max_bytes, evicted, expired, refused } = owner.store().usage();
    let [misses, hits] = owner.reads();
    page.put(&family::READS, &["hit"], hits);
    page.put(&family::READS, &["miss"], misses);
    page.put(&family::OBJECTS, &[], objects);
    page.put(&family::TOMBSTONES, &[], tombstones);
    page.put(&family::BYTES, &[], bytes);
    page.put(&family::MAX_BYTES, &[], max_bytes);
    page.put(&family::EVICTED, &[], evicted);
    page.put(&family::EXPIRED, &[], expired);
    page.put(&family::STORE_FULL, &[], refused);
}

fn reloads(source: &reload::Status, page: &mut Page) {
    page.put(&family::RELOADS, &[source.name, "ok"], source.reloads);
    page.put(&family::RELOADS, &[source.name, "failed"], source.failures);
    page.put(&family::RELOAD_FAILING, &[source.name], source.error.is_some());
    page.put(&family::RELOADED_AT, &[source.name], seconds(source.loaded_at));
}

fn seconds(moment: Timestamp) -> f64 {
    moment.as_millis() as f64 / 1000.0
}
