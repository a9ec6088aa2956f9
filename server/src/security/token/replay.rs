//! Which tokens were used in the window in which they would be accepted again: two generations of a set.
//!
//! Invariant: a token is remembered for at least one whole window, and at most [`MAX_TOKENS`] are; beyond that
//! requests are refused, since forgetting one would let it in again.

use std::collections::HashSet;
use std::time::Duration;

use ringhold_ring::Timestamp;

use super::TokenError;

/// The most tokens of two windows: about 20 MB.
pub const MAX_TOKENS: usize = 400_000;

#[derive(Debug)]
pub struct Replays {
    window: Duration,
    since: Timestamp,
    current: HashSet<[u8; 32]>,
    previous: HashSet<[u8; 32]>,
    limit: usize,
}

impl Replays {
    /// Remembers each token for `window`.
    pub fn new(window: Duration) -> Self {
        let sets = (HashSet::new(), HashSet::new());
        Self { window, since: Timestamp::default(), current: sets.0, previous: sets.1, limit: MAX_TOKENS }
    }

    /// Takes a token that was not used in this window.
    ///
    /// # Errors
    /// [`TokenError::Replayed`], and [`TokenError::Overloaded`] when there is no room to remember it.
    pub fn admit(&mut self, token: [u8; 32], now: Timestamp) -> Result<(), TokenError> {
        self.turn(now);
        if self.current.contains(&token) || self.previous.contains(&token) {
            return Err(TokenError::Replayed);
        }
        if self.current.len() + self.previous.len() >= self.limit {
            return Err(TokenError::Overloaded(self.window * 2));
        }
        self.current.insert(token);
        Ok(())
    }

    fn turn(&mut self, now: Timestamp) {
        let age = now.since(self.since);
        if age > self.window {
            self.previous = std::mem::take(&mut self.current);
            if age > self.window * 2 {
                self.previous = HashSet::new();
            }
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + seconds * 1000)
    }

    #[test]
    fn a_token_is_remembered_for_the_whole_window_whenever_it_came() {
        for start in [0, 1, 30, 59, 60, 61] {
            let mut replays = Replays::new(WINDOW);
            replays.admit([0; 32], at(0)).unwrap();
            replays.admit([1; 32], at(start)).unwrap();
            for later in 0..=60 {
                assert_eq!(
                    replays.admit([1; 32], at(start + later)),
                    Err(TokenError::Replayed),
                    "{start}+{later}"
                );
            }
        }
    }

    #[test]
    fn memory_of_old_tokens_is_given_back() {
        let mut replays = Replays::new(WINDOW);
        for second in 0..1000_u64 {
            let mut token = [0; 32];
            token[..8].copy_from_slice(&second.to_be_bytes());
            replays.admit(token, at(second)).unwrap();
            assert!(replays.current.len() + replays.previous.len() <= 123);
        }
    }

    #[test]
    fn a_full_memory_refuses_rather_than_forgets() {
        let mut replays = Replays { limit: 2, ..Replays::new(WINDOW) };
        replays.admit([1; 32], at(0)).unwrap();
        replays.admit([2; 32], at(0)).unwrap();
        assert_eq!(replays.admit([3; 32], at(0)), Err(TokenError::Overloaded(WINDOW * 2)));
        assert_eq!(replays.admit([1; 32], at(0)), Err(TokenError::Replayed));
        assert_eq!(replays.admit([3; 32], at(200)), Ok(()));
    }
}
