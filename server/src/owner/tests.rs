//! What an owner promises to who hands its objects over.

use std::task::Poll;

use ringhold_config::Config;
use ringhold_ring::Timestamp;

use crate::clock::Clock;
use crate::routing::Objects;

#[tokio::test]
async fn every_barrier_waits_for_a_write_that_began_before_it() {
    let clock = Clock::virtual_at(Timestamp::from_millis(1_790_000_000_000));
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
