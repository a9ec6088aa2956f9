//! The nodes of a local ring, and how there come to be more of them and fewer.
//!
//! Invariant: every node's configuration file names the same members, but for that of a node that is leaving: it goes by
//! the list that it knew, and the others are told once it has ended, so that it hands its objects over in a ring that has it.

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::local::{LocalNode, Place, Plan};
use super::{Args, MAX_NODES};
use crate::cli::{Failure, output};

const KNOWN_WITHIN: Duration = Duration::from_secs(5);
const STOPPED_WITHIN: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(super) struct LocalRing {
    plan: Plan,
    /// Where ports are looked for.
    start: SocketAddr,
    nodes: Vec<LocalNode>,
}

impl LocalRing {
    /// Starts as many nodes as `args` say.
    pub(super) fn start(args: &Args, folder: &Path, secret: Option<PathBuf>) -> Result<Self, Failure> {
        let places = free_places(args)?;
        let plan = Plan { folder: folder.to_owned(), secret, set: args.set.clone() };
        let members: Vec<_> = places.iter().map(|place| place.member).collect();
        let start = SocketAddr::from((args.host, args.port));
        let mut ring = Self { plan, start, nodes: Vec::with_capacity(places.len()) };
        for place in places {
            ring.plan.write(place, &members)?.put_in_force()?;
            ring.nodes.push(LocalNode::start(place, &ring.plan)?);
        }
        Ok(ring)
    }

    pub(super) fn nodes(&self) -> &[LocalNode] {
        &self.nodes
    }

    pub(super) const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Waits until every node is ready; and, as members that start together find each other within a probe interval, a while
    /// until they have.
    pub(super) async fn wait_until_ready(&mut self) -> Result<(), Failure> {
        for node in &mut self.nodes {
            node.wait_until_ready().await?;
        }
        let deadline = Instant::now() + KNOWN_WITHIN;
        for node in &self.nodes {
            while !node.sees_all_online().await && Instant::now() < deadline {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// Starts one more node, and tells the others of it.
    pub(super) fn add(&mut self) -> Result<String, Failure> {
        if self.nodes.len() >= usize::from(MAX_NODES) {
            return Err(Failure::usage(format!("a local ring has at most {MAX_NODES} nodes")));
        }
        self.check_nobody_leaves()?;
        let place = self.next_place()?;
        let members: Vec<_> = self.members().chain([place.member]).collect();
        let own = self.plan.write(place, &members)?;
        self.tell(&members)?;
        own.put_in_force()?;
        self.nodes.push(LocalNode::start(place, &self.plan)?);
        let said = format!("{} is added; the others make room for it", place.member);
        Ok(said)
    }

    /// Has the last node leave; the others are told once it has ended.
    pub(super) fn remove_last(&mut self) -> Result<String, Failure> {
        self.check_nobody_leaves()?;
        let [rest @ .., last] = &mut self.nodes[..] else { return Err(Failure::usage("there is no node")) };
        if rest.is_empty() {
            return Err(Failure::usage("a ring keeps its last node; Ctrl-C stops it"));
        }
        let members: Vec<_> = rest.iter().map(|node| node.place.member).collect();
        // Nobody is asked to leave a ring that the others could not form without it.
        rest.iter().try_for_each(|node| self.plan.write(node.place, &members).map(drop))?;
        last.leave();
        Ok(format!("{} leaves; it hands over what it holds first", last.place.member))
    }

    /// Takes out of the ring whoever was asked to leave and has ended, tells the others, and answers who it was.
    pub(super) fn see_off(&mut self) -> Result<Vec<SocketAddr>, Failure> {
        let mut gone = Vec::new();
        for node in self.nodes.iter_mut().filter(|node| node.is_leaving()) {
            if node.has_ended()? {
                gone.push(node.place.member);
            }
        }
        if !gone.is_empty() {
            self.nodes.retain(|node| !gone.contains(&node.place.member));
            let members: Vec<_> = self.members().collect();
            self.tell(&members)?;
        }
        Ok(gone)
    }

    /// Stops every node.
    pub(super) async fn stop(self) {
        futures_util::future::join_all(self.nodes.into_iter().map(|node| node.stop(STOPPED_WITHIN))).await;
        output::tell("all nodes have stopped");
    }

    fn members(&self) -> impl Iterator<Item = SocketAddr> {
        self.nodes.iter().map(|node| node.place.member)
    }

    /// Gives every node this list, or, if one of them could not take it, none.
    fn tell(&self, members: &[SocketAddr]) -> Result<(), Failure> {
        let drafts: Vec<_> =
            self.nodes.iter().map(|node| self.plan.write(node.place, members)).collect::<Result<_, _>>()?;
        for (node, draft) in self.nodes.iter().zip(drafts) {
            draft.put_in_force()?;
            node.hang_up();
        }
        Ok(())
    }

    fn check_nobody_leaves(&self) -> Result<(), Failure> {
        match self.nodes.iter().find(|node| node.is_leaving()) {
            Some(node) => Err(Failure::usage(format!("wait until {} has left", node.place.member))),
            None => Ok(()),
        }
    }

    /// The lowest ports that no node has and nothing listens on.
    fn next_place(&self) -> Result<Place, Failure> {
        let used = self.nodes.iter().flat_map(|node| [node.place.member, node.place.application]);
        let used: HashSet<_> = used.collect();
        let ports = (self.start.port()..=u16::MAX).take(usize::from(8 * MAX_NODES));
        let addresses = ports.map(|port| SocketAddr::new(self.start.ip(), port));
        let mut free = addresses.filter(|address| !used.contains(address) && is_free(*address).is_ok());
        let member = free.next();
        let application = if self.plan.secret.is_some() { free.next() } else { member };
        match (member, application) {
            (Some(member), Some(application)) => Ok(Place { member, application }),
            _ => Err(Failure::general(format!("there is no free port above {}", self.start.port()))),
        }
    }
}

/// The members' ports and, on a secure ring, above them the applications': nothing listens on any of them now. A node that
/// loses the race for one says so itself.
fn free_places(args: &Args) -> Result<Vec<Place>, Failure> {
    if !args.host.is_loopback() {
        return Err(Failure::usage(format!(
            "{} is not a loopback address; a local ring is for this machine",
            args.host
        )));
    }
    let mut addresses = Vec::with_capacity(usize::from(args.nodes));
    let ports = if args.secure { 2 * args.nodes } else { args.nodes };
    for number in 0..ports {
        let port = args.port.checked_add(number).filter(|port| *port != 0).ok_or_else(|| {
            Failure::usage(format!(
                "{ports} ports do not fit above port {}; choose a lower --port",
                args.port
            ))
        })?;
        let address = SocketAddr::from((args.host, port));
        is_free(address).map_err(|why| {
            Failure::general(format!(
                "cannot listen on {address}: {why}; stop the program that does, or choose other ports with --port"
            ))
        })?;
        addresses.push(address);
    }
    let (members, applications) = addresses.split_at(usize::from(args.nodes));
    let applications = if args.secure { applications } else { members };
    let places = members.iter().zip(applications);
    Ok(places.map(|(member, application)| Place { member: *member, application: *application }).collect())
}

fn is_free(address: SocketAddr) -> std::io::Result<()> {
    TcpListener::bind(address).map(drop)
}
