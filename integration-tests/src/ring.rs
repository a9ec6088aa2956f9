//! A ring under test: some members that know each other, with timings short enough for tests.

use std::fmt::Write;
use std::net::SocketAddr;
use std::ops::{Index, IndexMut};
use std::process::ExitStatus;
use std::time::Duration;

use ringhold_ring::{Key, MemberAddress, Placement};
use tempfile::TempDir;

use crate::loopback;
use crate::member::Member;
use crate::program;
use crate::wait::wait_until;

/// How long members may take until they see each other.
const PATIENCE: Duration = Duration::from_secs(20);

/// Some members, each a process.
#[derive(Debug)]
pub struct Ring {
    // First, so that the processes end before their directory goes.
    members: Vec<Member>,
    placement: ringhold_ring::Ring,
    _directory: TempDir,
}

/// A ring to be started.
#[derive(Clone, Debug)]
#[must_use = "it is started by `start`"]
pub struct RingBuilder {
    members: usize,
    placement: Placement,
    settings: Vec<(String, String)>,
}

/// One way to a key: which member is asked, and which one owns the key.
#[derive(Debug)]
pub struct Way<'a> {
    /// The member to ask.
    pub asked: &'a Member,
    /// The member that owns the key.
    pub owner: &'a Member,
    /// A key that nothing else uses.
    pub key: String,
}

impl Way<'_> {
    /// Whether the member that is asked owns the key itself.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.asked.address() == self.owner.address()
    }

    /// A request for the object, to the member that is asked.
    pub fn request(&self, method: &str) -> crate::Request {
        self.asked.object(method, &self.key)
    }
}

impl Ring {
    /// `peer_timeout` of every ring, unless a test sets it.
    pub const PEER_TIMEOUT: Duration = Duration::from_millis(500);
    /// `probe_interval` of every ring, unless a test sets it.
    pub const PROBE_INTERVAL: Duration = Duration::from_millis(100);
    /// `rest` of every ring, unless a test sets it.
    pub const REST: Duration = Duration::from_millis(300);

    /// Starts a ring of `members`; each sees every other when this returns.
    pub async fn start(members: usize) -> Self {
        Self::builder(members).start().await
    }

    /// A ring of `members` with settings of its own.
    pub fn builder(members: usize) -> RingBuilder {
        RingBuilder { members, placement: Placement::Modulo, settings: Vec::new() }
    }

    /// Every member, in the order of the ring.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Who owns `key` while everyone is online, computed here and not asked.
    ///
    /// # Panics
    /// When `key` is not a key.
    #[must_use]
    pub fn owner_of(&self, key: &str) -> usize {
        let digest = Key::new(key).expect("a key").digest();
        self.placement.preference_list(digest).next().expect("a ring has a member").as_usize()
    }

    /// A key that begins with `name` and that the member `owner` owns.
    ///
    /// # Panics
    /// When there is no such member.
    #[must_use]
    pub fn key_of(&self, owner: usize, name: &str) -> String {
        assert!(owner < self.members.len(), "no member {owner}");
        let mut keys = (0..).map(|number| format!("{name}-{number}"));
        keys.find(|key| self.owner_of(key) == owner).expect("every member owns keys")
    }

    /// Every member asked for a key of every member.
    #[must_use]
    pub fn ways(&self, name: &str) -> Vec<Way<'_>> {
        let pairs = (0..self.members.len())
            .flat_map(|asked| (0..self.members.len()).map(move |owner| (asked, owner)));
        pairs
            .map(|(asked, owner)| Way {
                asked: &self.members[asked],
                owner: &self.members[owner],
                key: self.key_of(owner, &format!("{name}-{asked}-{owner}")),
            })
            .collect()
    }

    /// Kills a member (SIGKILL).
    pub fn kill(&mut self, member: usize) {
        self.members[member].kill();
    }

    /// Pauses a member (SIGSTOP).
    pub fn pause(&self, member: usize) {
        self.members[member].pause();
    }

    /// Lets a paused member go on (SIGCONT).
    pub fn resume(&self, member: usize) {
        self.members[member].resume();
    }

    /// Stops a member (SIGTERM) and says how it ended.
    pub async fn stop(&mut self, member: usize) -> ExitStatus {
        self.members[member].stop().await
    }

    /// Starts a member again that was killed or stopped, and waits until it is ready.
    pub async fn restart(&mut self, member: usize) {
        self.spawn(member);
        self.wait_until_ready(member).await;
    }

    /// Starts a member again that was killed or stopped, and does not wait for it.
    pub fn spawn(&mut self, member: usize) {
        self.members[member].spawn(&program::binary());
    }

    /// Waits until a member says that it is ready.
    pub async fn wait_until_ready(&self, member: usize) {
        self.members[member].wait_until_ready().await;
    }

    /// Waits until every member sees every other online.
    pub async fn wait_until_all_online(&self) {
        for seen in &self.members {
            self.wait_until_seen(seen.address(), "online", PATIENCE).await;
        }
    }

    /// Waits until every member, that one aside, sees the one at `address` in this state of health.
    pub async fn wait_until_seen(&self, address: SocketAddr, health: &str, deadline: Duration) {
        for member in self.members.iter().filter(|member| member.address() != address) {
            let what = format!("{} to see {address} {health}", member.address());
            wait_until(deadline, &what, async || member.sees(address).await.as_deref() == Some(health)).await;
        }
    }
}

impl Index<usize> for Ring {
    type Output = Member;

    fn index(&self, member: usize) -> &Member {
        &self.members[member]
    }
}

impl IndexMut<usize> for Ring {
    fn index_mut(&mut self, member: usize) -> &mut Member {
        &mut self.members[member]
    }
}

impl RingBuilder {
    /// How keys are placed on members; otherwise `modulo`.
    pub fn placement(self, placement: Placement) -> Self {
        Self { placement, ..self }
    }

    /// With a setting, `section.key`, given to every member after `--set`.
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.settings.push((key.into(), value.to_string()));
        self
    }

    /// Starts the ring; each member sees every other when this returns.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start(self) -> Ring {
        let program = program::binary();
        let directory = tempfile::tempdir().expect("there is room for logs");
        let mut addresses = loopback::addresses(self.members);
        // The order of the ring: the host is the same, so ports decide.
        addresses.sort_unstable();
        let arguments: Vec<_> = self
            .settings
            .iter()
            .flat_map(|(key, value)| ["--set".into(), format!("{key}={value}")])
            .collect();
        let start_one = |(index, address): (usize, &SocketAddr)| {
            let home = directory.path().join(index.to_string());
            std::fs::create_dir(&home).expect("the directory is ours");
            std::fs::write(home.join("ring.toml"), self.file(*address, &addresses))
                .expect("the directory is ours");
            let mut member = Member::new(*address, home, arguments.clone());
            member.spawn(&program);
            member
        };
        let members: Vec<_> = addresses.iter().enumerate().map(start_one).collect();
        for member in &members {
            member.wait_until_ready().await;
        }
        let known = addresses.iter().copied().map(MemberAddress::from);
        let placement = ringhold_ring::Ring::new(known, self.placement, 1).expect("addresses differ");
        let ring = Ring { members, placement, _directory: directory };
        ring.wait_until_all_online().await;
        ring
    }

    fn file(&self, address: SocketAddr, members: &[SocketAddr]) -> String {
        let members: Vec<_> = members.iter().map(|member| format!("{:?}", member.to_string())).collect();
        let mut text = String::new();
        let _ = writeln!(text, "[node]\naddress = \"{address}\"\n");
        let _ = writeln!(
            text,
            "[cluster]\nmembers = [{}]\nplacement = \"{}\"",
            members.join(", "),
            self.placement
        );
        let timings = [
            ("peer_timeout", Ring::PEER_TIMEOUT),
            ("probe_interval", Ring::PROBE_INTERVAL),
            ("rest", Ring::REST),
        ];
        for (name, duration) in timings {
            let _ = writeln!(text, "{name} = \"{}ms\"", duration.as_millis());
        }
        let _ = writeln!(text, "\n[store]\nmax_bytes = \"256MiB\"\n\n[log]\nfilter = \"info\"");
        text
    }
}
