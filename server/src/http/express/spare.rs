//! The buffers of connections that wait for a request: they have none. Each thread keeps one pair for whichever of its
//! connections wakes up next, which nearly always gives it back before another does.
//!
//! What is kept is empty: a connection never sees another's bytes.

use std::cell::Cell;

/// Buffers that have grown larger are not worth keeping.
const KEPT_BYTES: usize = 16 << 10;

/// What a connection needs while it is awake.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) requests: Vec<u8>,
    pub(super) answers: Vec<u8>,
}

thread_local! {
    static SPARE: Cell<Buffers> = const { Cell::new(Buffers { requests: Vec::new(), answers: Vec::new() }) };
}

/// The thread's spare buffers, or new ones, all of them empty.
pub(super) fn take() -> Buffers {
    SPARE.take()
}

/// Leaves buffers in which nothing is to the next connection.
pub(super) fn give_back(mut buffers: Buffers) {
    for buffer in [&mut buffers.requests, &mut buffers.answers] {
        buffer.clear();
        buffer.shrink_to(KEPT_BYTES);
    }
    SPARE.set(buffers);
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
}
