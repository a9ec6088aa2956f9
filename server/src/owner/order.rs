//! One write at a time for each key. Only keys with a write in flight take any memory.
//!
//! Keys are told apart by a hash: the few that share one wait for each other, which costs time and nothing else.

use std::collections::VecDeque;
use std::hash::BuildHasher as _;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use foldhash::quality::RandomState;
use ringhold_ring::Key;
use tokio::sync::oneshot;

/// The keys that are being written, and who waits for each of them.
#[derive(Debug, Default)]
pub(super) struct Order {
    hasher: RandomState,
    queues: DashMap<u64, VecDeque<oneshot::Sender<()>>, RandomState>,
}

/// The right to write one key; the next in its queue gets it when this is dropped.
#[must_use = "without its turn held, a write has no order"]
pub(super) struct Turn<'a> {
    order: &'a Order,
    hash: u64,
    /// It has not come yet.
    promised: Option<oneshot::Receiver<()>>,
}

impl Order {
    /// Waits for the turn of a write to `key`; first come, first served.
    pub(super) async fn turn(&self, key: &Key<'_>) -> Turn<'_> {
        let hash = self.hasher.hash_one(key.as_bytes());
        // Made before the wait, so that a request that gives up in the queue tidies up as well.
        let mut turn = Turn { order: self, hash, promised: self.stand_in_line(hash) };
        if let Some(promised) = &mut turn.promised {
            // It is always kept: whoever has the turn hands it on.
            let _ = promised.await;
            turn.promised = None;
        }
        turn
    }

    /// The turn of a write to `key`, if nobody has it or waits for it.
    pub(super) fn try_turn(&self, key: &Key<'_>) -> Option<Turn<'_>> {
        let hash = self.hasher.hash_one(key.as_bytes());
        match self.queues.entry(hash) {
            Entry::Occupied(_) => None,
            Entry::Vacant(free) => {
                free.insert(VecDeque::new());
                Some(Turn { order: self, hash, promised: None })
            }
        }
    }

    /// Nothing to wait for, if nobody has the turn.
    fn stand_in_line(&self, hash: u64) -> Option<oneshot::Receiver<()>> {
        match self.queues.entry(hash) {
            Entry::Occupied(mut queue) => {
                let (sender, promised) = oneshot::channel();
                let queue = queue.get_mut();
                // Who gave up is forgotten, so that the queue is no longer than there are requests.
                queue.retain(|waiting| !waiting.is_closed());
                queue.push_back(sender);
                Some(promised)
            }
            Entry::Vacant(free) => {
                free.insert(VecDeque::new());
                None
            }
        }
    }

    /// Hands the turn to the first who still waits for it.
    fn hand_on(&self, hash: u64) {
        while let Some(next) = self.next(hash) {
            if next.send(()).is_ok() {
                return;
            }
        }
    }

    /// The next in the queue; none: the key is free again.
    fn next(&self, hash: u64) -> Option<oneshot::Sender<()>> {
        let Entry::Occupied(mut queue) = self.queues.entry(hash) else { return None };
        let next = queue.get_mut().pop_front();
        if next.is_none() {
            queue.remove();
        }
        next
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(mut promised) = self.promised.take() {
            promised.close();
            // Unless the turn has come just now, there is none to hand on.
            if promised.try_recv().is_err() {
                return;
            }
        }
        self.order.hand_on(self.hash);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    fn key() -> Key<'static> {
        Key::new("key").unwrap()
    }

    #[tokio::test]
    async fn turns_come_in_the_order_of_arrival_and_leave_nothing_behind() {
        let (order, key) = (Order::default(), key());
        let first = order.turn(&key).await;
        let mut second = pin!(order.turn(&key));
        let mut third = pin!(order.turn(&key));
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        assert!(order.try_turn(&key).is_none());
        drop(first);
        assert!(third.as_mut().now_or_never().is_none());
        drop(second.await);
        drop(third.await);
        assert!(order.queues.is_empty());
        assert!(order.try_turn(&key).is_some());
    }

    #[tokio::test]
    async fn who_gives_up_in_the_queue_or_at_its_turn_does_not_hold_up_the_others() {
        let (order, key) = (Order::default(), key());
        let first = order.turn(&key).await;
        let mut gone = Box::pin(order.turn(&key));
        let mut late = Box::pin(order.turn(&key));
        let mut last = pin!(order.turn(&key));
        for waiting in [gone.as_mut(), late.as_mut(), last.as_mut()] {
            assert!(waiting.now_or_never().is_none());
        }
        drop(gone);
        drop(first);
        // It has been given its turn by now, and does not know yet.
        drop(late);
        drop(last.await);
        assert!(order.queues.is_empty());
    }
}
