//! What an owner promises to who hands its objects over, and whom it asks first.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use ringhold_config::Config;
use ringhold_ring::{Incarnation, Key, MemberAddress, Placement, Ring, Timestamp, VersionClock, WriterId};

use super::copies::{Copies, Placed};
use super::{Authority, copies};
use crate::clock::Clock;
use crate::membership::Membership;
use crate::object::{Conditions, ContentType, Object, Operation, OperationId, Outcome, Record};
use crate::patch::PatchKind;
use crate::peer::PeerError;
use crate::peer::network::{Ask, Copied, CopyOf, Copying, Executed, Network, Passage, Told};
use crate::routing::Objects;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

#[tokio::test]
async fn every_barrier_waits_for_a_write_that_began_before_it() {
    let clock = Clock::virtual_at(NOW);
    let settings = Config::alone("10.0.0.1:1".parse().unwrap()).store;
    let objects = Objects::alone(&settings, clock, "10.0.0.1:1");
    let owner = objects.owner();
    let write = owner.writes.load().token();
    let (mut first, mut second) = (Box::pin(owner.barrier()), Box::pin(owner.barrier()));
    assert_eq!(futures_util::poll!(&mut first), Poll::Pending);
    assert_eq!(futures_util::poll!(&mut second), Poll::Pending);
    let later = owner.writes.load().token();
    drop(write);
    assert_eq!(futures_util::poll!(&mut first), Poll::Ready(()));
    assert_eq!(futures_util::poll!(&mut second), Poll::Ready(()));
    drop(later);
}

#[tokio::test]
async fn an_operation_on_a_copy_that_lost_to_another_has_not_run() {
    let settings = Config::alone("10.0.0.1:1".parse().unwrap()).store;
    let objects = Objects::alone(&settings, Clock::virtual_at(NOW), "10.0.0.1:1");
    let (owner, key) = (objects.owner(), Key::new("count").unwrap());
    let digest = key.digest();
    let ring = Ring::new(["10.0.0.1:1".parse().unwrap()], Placement::Modulo, 1).unwrap().id();
    let versions = VersionClock::new(WriterId::of(&"10.0.0.2:1".parse().unwrap()));
    // Two that both take themselves for the owner, and both have added 1 to nothing.
    let [first, second] = [1, 2].map(|id| (OperationId::from_u128(id), versions.next(NOW)));
    for (member, (id, version)) in [("10.0.0.2:1", first), ("10.0.0.3:1", second)] {
        let (value, content_type) = ("1".into(), ContentType::Json);
        let record = Record::Object(Object { value, content_type, version, expires_at: None });
        let (key, ids, copying) = (key.clone(), vec![(id, version)], Copying::Handoff);
        let copied = owner.keep(&member.parse().unwrap(), CopyOf { key, record, copying, ring, ids }).await;
        assert_eq!(copied, Copied::Kept);
        assert_eq!(owner.repeats().seen(digest, id), Some(version));
    }
    assert_eq!(owner.repeats().seen(digest, first.0), None, "the counter is 1, not 2");
}

#[tokio::test]
async fn a_write_is_not_done_at_once_while_another_has_the_turn_and_leaves_nothing_then() {
    let settings = Config::alone("10.0.0.1:1".parse().unwrap()).store;
    let objects = Objects::alone(&settings, Clock::virtual_at(NOW), "10.0.0.1:1");
    let (owner, key, id) = (objects.owner(), Key::new("key").unwrap(), Some(OperationId::from_u128(1)));
    let append = Operation::Patch {
        kind: PatchKind::Append,
        document: "1".into(),
        content_type: ContentType::Text,
        ttl: None,
        conditions: Conditions::default(),
    };
    let at_once = || owner.write_at_once(&key, &append, id, &Authority::Owner);
    let turn = owner.order.turn(&key).await;
    assert_eq!(at_once(), None);
    assert_eq!(owner.get(&key, &Conditions::default()), Ok(Outcome::Missing));
    drop(turn);
    for _ in 0..2 {
        let done = at_once().unwrap().unwrap();
        assert!(matches!(done, Outcome::Patched { object, .. } if object.value == "1"), "a repeat has run");
    }
}

/// Members that all act as owners of what they are to keep.
#[derive(Debug, Default)]
struct Owners {
    asked: Mutex<Vec<MemberAddress>>,
}

impl Network for Owners {
    fn execute<'a>(
        &'a self,
        to: &'a MemberAddress,
        _: &'a Key<'_>,
        _: &'a Operation,
        _: &'a Passage,
        _: Duration,
    ) -> BoxFuture<'a, Result<Executed, PeerError>> {
        Box::pin(async move { Err(PeerError::NotSent(format!("{to} executes nothing"))) })
    }

    fn ask<'a>(
        &'a self,
        to: &'a MemberAddress,
        _: &'a Ask,
        _: Duration,
    ) -> BoxFuture<'a, Result<Told, PeerError>> {
        self.asked.lock().push(to.clone());
        Box::pin(async { Ok(Told::Copied(Copied::NotOwner)) })
    }

    fn disconnect(&self, _: &MemberAddress) {}

    fn set_members(&self, _: &[MemberAddress]) {}
}

#[tokio::test]
async fn while_rings_change_nobody_keeps_what_the_other_owner_refuses() {
    let member = |port: u16| -> MemberAddress { format!("10.0.0.1:{port}").parse().unwrap() };
    let ring =
        |ports: &[u16]| Ring::new(ports.iter().map(|port| member(*port)), Placement::Modulo, 2).unwrap();
    let settings = Config::alone("10.0.0.1:1".parse().unwrap());
    let (network, clock) = (Arc::new(Owners::default()), Clock::virtual_at(NOW));
    let membership = Membership::new(
        ring(&[1, 2, 3]),
        &member(1),
        Incarnation::new(1),
        &settings.cluster,
        Arc::clone(&network) as Arc<dyn Network>,
        clock.clone(),
    );
    let membership = Arc::new(membership.unwrap());
    membership.reload(ring(&[1, 2, 3, 4])).unwrap();
    let view = Arc::clone(&membership.view());
    let copies: Copies =
        copies::Copies::new(Arc::clone(&network) as Arc<dyn Network>, membership, Duration::from_secs(1));
    let alone = Objects::alone(&settings.store, clock, "10.0.0.1:1");
    let put = Operation::Put {
        value: "value".into(),
        content_type: ContentType::Text,
        ttl: None,
        conditions: Conditions::default(),
    };
    let mut tried = 0;
    for number in 0..100 {
        let key = Key::new(format!("key-{number}")).unwrap();
        let (digest, change) = (key.digest(), alone.owner().change(&key, &put, None, &view).unwrap());
        let receivers = view.receivers(digest);
        let Some(next) = view.next(digest).filter(|next| receivers.len() > 1 && receivers.contains(next))
        else {
            continue;
        };
        tried += 1;
        network.asked.lock().clear();
        let placement = copies.place(&key, &change, Vec::new, &view).await;
        let next = view.ring().address(next).clone();
        assert_eq!(*network.asked.lock(), std::slice::from_ref(&next));
        assert_eq!((placement.placed, placement.may_be_kept), (Placed::NotOwner(next), false));
    }
    assert!(tried > 10, "{tried} keys have another owner in the other ring");
}
