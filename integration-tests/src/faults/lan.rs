//! Members on a network: each in a namespace of its own, all on one bridge, and filters in each namespace.
//!
//! Clients are on the bridge itself. What goes wrong between members never touches them: a filter names the members that
//! it is about.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::faults::enclosure::run;

/// Where clients, and what stands between members, are.
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// Of the first member; the next one has the next. The harness tells members apart by their ports.
const FIRST_PORT: u16 = 9990;

/// The network.
#[derive(Debug)]
pub struct Lan {
    members: usize,
}

/// What goes wrong between one member and the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Nothing passes.
    Cut,
    /// It hears nobody; the others hear it.
    Deaf,
    /// Nobody hears it; it hears the others.
    Mute,
    /// Of the packets that it is sent, this many of a hundred are lost.
    Lossy(u8),
}

impl Lan {
    /// Builds it, in the namespace that this process is in.
    ///
    /// # Panics
    /// When that is not possible.
    #[must_use]
    pub fn build(members: usize) -> Self {
        run(&["ip", "link", "set", "lo", "up"]);
        run(&["ip", "link", "add", "members", "type", "bridge"]);
        run(&["ip", "address", "add", &format!("{HOST}/24"), "dev", "members"]);
        run(&["ip", "link", "set", "members", "up"]);
        for member in 0..members {
            let (space, port) = (space(member), format!("port-{member}"));
            run(&["ip", "netns", "add", &space]);
            run(&["ip", "link", "add", &port, "type", "veth", "peer", "name", "wire", "netns", &space]);
            run(&["ip", "link", "set", &port, "master", "members", "up"]);
            run(&["ip", "-n", &space, "address", "add", &format!("{}/24", address(member)), "dev", "wire"]);
            run(&["ip", "-n", &space, "link", "set", "wire", "up"]);
            run(&["ip", "-n", &space, "link", "set", "lo", "up"]);
        }
        Self { members }
    }

    /// Where the members listen, in the order of the ring.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let members = (0..self.members).zip(FIRST_PORT..);
        members.map(|(member, port)| SocketAddr::new(IpAddr::V4(address(member)), port)).collect()
    }

    /// The words before a command that have it run where a member is.
    #[must_use]
    pub fn at(&self, member: usize) -> Vec<String> {
        ["ip", "netns", "exec", &space(member)].map(Into::into).into()
    }

    /// Has this go wrong between `member` and all others, instead of what went wrong before.
    pub fn spoil(&self, member: usize, wire: Wire) {
        let others: Vec<_> = (0..self.members)
            .filter(|other| *other != member)
            .map(|other| address(other).to_string())
            .collect();
        let others = others.join(", ");
        let mut filters = String::new();
        if let Wire::Lossy(percent) = wire {
            let lost = format!("numgen random mod 100 < {percent} drop");
            let _ = write!(filters, "add rule inet faults in ip saddr {{ {others} }} {lost}; ");
        }
        if matches!(wire, Wire::Cut | Wire::Deaf) {
            let _ = write!(filters, "add rule inet faults in ip saddr {{ {others} }} drop; ");
        }
        if matches!(wire, Wire::Cut | Wire::Mute) {
            let _ = write!(filters, "add rule inet faults out ip daddr {{ {others} }} drop; ");
        }
        let chains = "add chain inet faults in { type filter hook input priority 0; }; \
                      add chain inet faults out { type filter hook output priority 0; }; ";
        self.filter(member, "inet faults", &format!("{chains}{filters}"));
    }

    /// Has connections from `member` to `to` begin at `instead`, on the side of the clients.
    pub(crate) fn divert(&self, member: usize, ways: &[(SocketAddr, SocketAddr)]) {
        let mut rules = String::from("add chain ip detour out { type nat hook output priority -100; }; ");
        for (to, instead) in ways {
            let (ip, port) = (to.ip(), to.port());
            let _ =
                write!(rules, "add rule ip detour out ip daddr {ip} tcp dport {port} dnat to {instead}; ");
        }
        self.filter(member, "ip detour", &rules);
    }

    /// Everything passes again.
    pub fn heal(&self) {
        for member in 0..self.members {
            run(&["ip", "netns", "exec", &space(member), "nft", "flush ruleset"]);
        }
    }

    fn filter(&self, member: usize, table: &str, rules: &str) {
        let rules = format!(
            "add table {table}; flush table {table}; delete table {table}; add table {table}; {rules}"
        );
        run(&["ip", "netns", "exec", &space(member), "nft", &rules]);
    }
}

fn space(member: usize) -> String {
    format!("member-{member}")
}

fn address(member: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, 10 + u8::try_from(member).expect("few members"))
}
