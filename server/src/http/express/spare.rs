//! The buffers of connections that wait for a request: they have none. Each thread keeps some pairs for whichever of its
//! connections wake up next: one is enough while every request is answered at once, more are used while requests wait for
//! other members.
//!
//! What is kept is empty: a connection never sees another's bytes.

use std::cell::RefCell;

/// Buffers that have grown larger are not worth keeping.
const KEPT_BYTES: usize = 16 << 10;

/// Pairs that a thread keeps: at most 2 MiB.
const KEPT_PAIRS: usize = 64;

/// Room for the answer to a small request, so that it does not grow in steps.
const ANSWER_BYTES: usize = 512;

/// What a connection needs while it is awake.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) requests: Vec<u8>,
    pub(super) answers: Vec<u8>,
}

thread_local! {
    static SPARE: RefCell<Vec<Buffers>> = const { RefCell::new(Vec::new()) };
}

/// Spare buffers of the thread, or new ones, all of them empty.
pub(super) fn take() -> Buffers {
    let spare = SPARE.with_borrow_mut(Vec::pop);
    spare.unwrap_or_else(|| Buffers { requests: Vec::new(), answers: Vec::with_capacity(ANSWER_BYTES) })
}

/// Leaves buffers in which nothing is to the next connection.
pub(super) fn give_back(mut buffers: Buffers) {
    for buffer in [&mut buffers.requests, &mut buffers.answers] {
        buffer.clear();
        buffer.shrink_to(KEPT_BYTES);
    }
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < KEPT_PAIRS {
            spare.push(buffers);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_connection_gets_the_memory_and_nothing_that_was_in_it() {
        give_back(Buffers { requests: vec![1; 100], answers: vec![2; KEPT_BYTES * 2] });
        let Buffers { requests, answers } = take();
        assert!(requests.is_empty() && requests.capacity() >= 100);
        assert!(answers.is_empty() && answers.capacity() < KEPT_BYTES * 2);
        assert_eq!(take().requests.capacity(), 0);
    }

    #[test]
    fn no_more_is_kept_than_a_thread_may_keep() {
        (0..2 * KEPT_PAIRS).for_each(|_| give_back(Buffers::default()));
        assert_eq!(SPARE.with_borrow(Vec::len), KEPT_PAIRS);
    }
}
