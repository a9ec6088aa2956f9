//! Which refusals are worth a log line: the first of each peer in a minute; the rest are counted.
//!
//! A stranger who knocks a thousand times a second fills neither the log nor the memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use ringhold_ring::Timestamp;

/// How long a peer is quiet after a line.
pub const QUIET: Duration = Duration::from_secs(60);
/// The most peers that are told apart.
pub const MAX_PEERS: usize = 1024;

/// What was logged lately. Those who come are told apart by where they come from, those who are called by their name.
#[derive(Debug)]
pub struct Refusals<P = IpAddr>(Mutex<Seen<P>>);

#[derive(Debug)]
struct Seen<P> {
    peers: HashMap<P, Entry>,
    others: Entry,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    logged_at: Option<Timestamp>,
    suppressed: u64,
}

impl<P> Default for Refusals<P> {
    fn default() -> Self {
        Self(Mutex::new(Seen { peers: HashMap::new(), others: Entry::default() }))
    }
}

impl<P: Eq + Hash> Refusals<P> {
    /// Counts a refusal of or by `peer`. Some: log it, with how many went unlogged before it.
    #[must_use]
    pub fn note(&self, peer: P, now: Timestamp) -> Option<u64> {
        let mut seen = self.0.lock();
        if seen.peers.len() >= MAX_PEERS && !seen.peers.contains_key(&peer) {
            seen.peers.retain(|_, entry| !entry.is_over(now));
        }
        if seen.peers.len() >= MAX_PEERS && !seen.peers.contains_key(&peer) {
            return seen.others.note(now);
        }
        seen.peers.entry(peer).or_default().note(now)
    }
}

impl Entry {
    fn is_over(&self, now: Timestamp) -> bool {
        self.logged_at.is_none_or(|at| now.since(at) >= QUIET)
    }

    fn note(&mut self, now: Timestamp) -> Option<u64> {
        if !self.is_over(now) {
            self.suppressed += 1;
            return None;
        }
        self.logged_at = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn peer(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from(number).into()
    }

    #[test]
    fn each_peer_is_logged_once_a_minute_with_the_number_of_the_others() {
        let refusals = Refusals::default();
        assert_eq!(refusals.note(peer(1), at(0)), Some(0));
        assert_eq!(refusals.note(peer(1), at(1)), None);
        assert_eq!(refusals.note(peer(1), at(59)), None);
        assert_eq!(refusals.note(peer(2), at(59)), Some(0));
        assert_eq!(refusals.note(peer(1), at(60)), Some(2));
        assert_eq!(refusals.note(peer(1), at(119)), None);
    }

    #[test]
    fn a_crowd_of_peers_shares_one_line_and_is_forgotten() {
        let refusals = Refusals::default();
        let lines = (0..5000).filter(|number| refusals.note(peer(*number), at(0)).is_some()).count();
        assert_eq!(lines, MAX_PEERS + 1);
        assert_eq!(refusals.note(peer(9999), at(61)), Some(0), "the quiet ones made room");
        assert!(refusals.0.lock().peers.len() <= MAX_PEERS);
    }
}
