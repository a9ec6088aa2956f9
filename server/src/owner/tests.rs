//! What an owner promises to who hands its objects over.

use std::task::Poll;

use ringhold_config::Config;
use ringhold_ring::{Key, Placement, Ring, Timestamp, VersionClock, WriterId};

use crate::clock::Clock;
use crate::object::{ContentType, Object, OperationId, Record};
use crate::peer::network::{Copied, CopyOf, Copying};
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
