//! Addresses for members: every ring has a loopback address of its own, its members differ by port.
//!
//! Outgoing connections start from 127.0.0.1, so none of them can take a port here between the moment when it
//! was found free and the moment when a member binds it, or while a member is being restarted.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Addresses on `host` that were free a moment ago.
pub(crate) fn addresses(host: Ipv4Addr, count: usize) -> Vec<SocketAddr> {
    // All of them are held before any is let go, so they differ.
    let held: Vec<_> =
        (0..count).map(|_| TcpListener::bind((host, 0)).expect("loopback has free ports")).collect();
    held.iter().map(|listener| listener.local_addr().expect("it is bound")).collect()
}

/// A loopback address that nothing else on this machine listens on.
///
/// # Panics
/// Never: the numbers fit.
pub fn host() -> Ipv4Addr {
    static RINGS: AtomicU32 = AtomicU32::new(0);
    let ring = RINGS.fetch_add(1, Ordering::Relaxed) % 253 + 1;
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, u8::try_from(ring).expect("at most 253"), high, low)
}
