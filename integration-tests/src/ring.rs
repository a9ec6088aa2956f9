//! A ring under test: some members that know each other, with timings short enough for tests.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::{Index, IndexMut};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use ringhold_ring::{Key, MemberAddress, MemberIndex, Placement};
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
    outcasts: Vec<usize>,
    _directory: TempDir,
}

/// A ring to be started.
#[derive(Clone, Debug)]
#[must_use = "it is started by `start`"]
pub struct RingBuilder {
    members: usize,
    placement: Placement,
    settings: Vec<(String, String)>,
    host: Option<Ipv4Addr>,
    addresses: Option<Vec<SocketAddr>>,
    domain: Option<String>,
    has_doors: bool,
    headers: Vec<(String, String)>,
    texts: Vec<String>,
    own_texts: Vec<(usize, String)>,
    wrappers: Vec<(usize, Vec<String>)>,
    outcasts: Vec<usize>,
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

    /// Starts a ring of `members`; each sees every other, and acts, when this returns.
    pub async fn start(members: usize) -> Self {
        Self::builder(members).start().await
    }

    /// A ring of `members` with settings of its own.
    pub fn builder(members: usize) -> RingBuilder {
        RingBuilder {
            members,
            placement: Placement::Modulo,
            settings: Vec::new(),
            host: None,
            addresses: None,
            domain: None,
            has_doors: false,
            headers: Vec::new(),
            texts: Vec::new(),
            own_texts: Vec::new(),
            wrappers: Vec::new(),
            outcasts: Vec::new(),
        }
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

    /// Every member that is not an outcast.
    pub fn insiders(&self) -> impl Iterator<Item = &Member> {
        let is_in = |(index, _): &(usize, &Member)| !self.outcasts.contains(index);
        self.members.iter().enumerate().filter(is_in).map(|(_, member)| member)
    }

    /// Waits until every member sees every other online, outcasts aside.
    pub async fn wait_until_all_online(&self) {
        for seen in self.insiders() {
            self.wait_until_seen(seen.address(), "online", PATIENCE).await;
        }
    }

    /// Waits until nothing is on its way any more: every member acts, sees every other online, and has handed it all that
    /// it should keep. Outcasts aside.
    pub async fn wait_until_settled(&self) {
        for member in self.insiders() {
            let what = format!("{} to act, and to have handed over everything", member.address());
            wait_until(PATIENCE, &what, async || {
                for other in self.insiders().filter(|other| other.address() != member.address()) {
                    let Some(said) = member.says_of(other.address()).await else { return false };
                    if said["health"] != "online" || said["handed"] != true {
                        return false;
                    }
                }
                member.acts().await
            })
            .await;
        }
    }

    /// Waits until every member that runs, paused ones aside, has taken out those that do not.
    pub async fn wait_until_out(&self, gone: &[usize]) {
        let address = |member: &usize| self.members[*member].address();
        for (seen, member) in gone.iter().flat_map(|seen| (0..self.members.len()).map(move |at| (seen, at))) {
            if !gone.contains(&member) {
                let what = format!("{} to take {} out", self.members[member].address(), address(seen));
                let out = async || {
                    let seen = self.members[member].sees(address(seen)).await;
                    seen.is_some_and(|health| health != "online")
                };
                wait_until(PATIENCE, &what, out).await;
            }
        }
    }

    /// The home members of `key`, the first `replicas` of its preference list, computed here and not asked.
    ///
    /// # Panics
    /// When `key` is not a key.
    #[must_use]
    pub fn homes_of(&self, key: &str, replicas: usize) -> Vec<usize> {
        let digest = Key::new(key).expect("a key").digest();
        self.placement.preference_list(digest).take(replicas).map(MemberIndex::as_usize).collect()
    }

    /// Waits until every member, that one and outcasts aside, sees the one at `address` in this state of health.
    pub async fn wait_until_seen(&self, address: SocketAddr, health: &str, deadline: Duration) {
        for member in self.insiders().filter(|member| member.address() != address) {
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

    /// On this loopback address, for certificates that name it.
    pub fn at(self, host: Ipv4Addr) -> Self {
        Self { host: Some(host), ..self }
    }

    /// On these addresses, one for each member, in the order of the ring.
    pub fn on(self, addresses: Vec<SocketAddr>) -> Self {
        Self { addresses: Some(addresses), ..self }
    }

    /// Known to each other as `node-0` and so on in this domain; whatever starts the members has those names lead to the
    /// ring's address.
    pub fn in_domain(self, domain: &str) -> Self {
        Self { domain: Some(domain.into()), ..self }
    }

    /// With a second, plain listener for each member, through which the harness talks to it.
    pub fn with_doors(self) -> Self {
        Self { has_doors: true, ..self }
    }

    /// With a header in every request of the harness.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With sections more in every member's configuration file.
    pub fn configure(mut self, text: impl Into<String>) -> Self {
        self.texts.push(text.into());
        self
    }

    /// With sections more in the configuration file of one member.
    pub fn configure_member(mut self, member: usize, text: impl Into<String>) -> Self {
        self.own_texts.push((member, text.into()));
        self
    }

    /// With one member started by a program that executes it in its own place: what is killed is the member.
    pub fn start_member_by(mut self, member: usize, wrapper: &[impl AsRef<str>]) -> Self {
        self.wrappers.push((member, wrapper.iter().map(|word| word.as_ref().to_owned()).collect()));
        self
    }

    /// With a member that the others will not let in, or that does not start at all: nobody waits for it.
    pub fn outcast(mut self, member: usize) -> Self {
        self.outcasts.push(member);
        self
    }

    /// Starts the ring; each member sees every other, and acts, when this returns.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start(self) -> Ring {
        let program = program::binary();
        let directory = tempfile::tempdir().expect("there is room for logs");
        let host = self.host.unwrap_or_else(loopback::host);
        let mut own = loopback::addresses(host, self.members * 2);
        let doors = own.split_off(self.members);
        // The order of the ring: the host is the same, so ports decide.
        own.sort_unstable();
        let addresses = self.addresses.clone().unwrap_or(own);
        let home = |index: usize| directory.path().join(index.to_string());
        let mut members = Vec::new();
        let known: Vec<_> =
            addresses.iter().enumerate().map(|(index, address)| self.known_as(index, *address)).collect();
        for (index, (address, door)) in addresses.iter().zip(doors).enumerate() {
            std::fs::create_dir(home(index)).expect("the directory is ours");
            let door = if self.has_doors { door } else { *address };
            let member = self.member(index, *address, door, home(index));
            let mut member = member.known_as_is(known[index].clone());
            std::fs::write(member.configuration(), self.file(index, *address, door, &known))
                .expect("the directory is ours");
            member.spawn(&program);
            members.push(member);
        }
        let placement = ringhold_ring::Ring::new(known, self.placement, 1).expect("addresses differ");
        let ring = Ring { members, placement, outcasts: self.outcasts, _directory: directory };
        for member in ring.insiders() {
            member.wait_until_ready().await;
        }
        ring.wait_until_settled().await;
        ring
    }

    fn member(&self, index: usize, address: SocketAddr, door: SocketAddr, home: PathBuf) -> Member {
        let settings = self.settings.iter();
        let arguments = settings.flat_map(|(key, value)| ["--set".into(), format!("{key}={value}")]);
        let member = Member::new(address, home).with_arguments(arguments.collect()).with_door(door);
        let headers = self.headers.iter();
        let member = headers.fold(member, |member, (name, value)| member.with_header(name, value));
        let wrapper = self.wrappers.iter().find(|(wrapped, _)| *wrapped == index);
        wrapper.map(|(_, wrapper)| wrapper.clone()).into_iter().fold(member, Member::started_by)
    }

    fn known_as(&self, index: usize, address: SocketAddr) -> MemberAddress {
        let Some(domain) = &self.domain else { return address.into() };
        let name = format!("node-{index}.{domain}:{}", address.port());
        name.parse().expect("a domain makes a name")
    }

    fn file(&self, index: usize, address: SocketAddr, door: SocketAddr, members: &[MemberAddress]) -> String {
        let known_as = &members[index];
        let members: Vec<_> = members.iter().map(|member| format!("{:?}", member.to_string())).collect();
        let mut text = String::new();
        let _ = writeln!(text, "[node]\naddress = \"{known_as}\"\n");
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
        if self.has_doors {
            let _ = writeln!(text, "\n[[listener]]\naddress = \"{address}\"");
            let _ = writeln!(text, "\n[[listener]]\naddress = \"{door}\"\ntls = false");
        }
        let own = self.own_texts.iter().filter(|(of, _)| *of == index).map(|(_, text)| text);
        for more in self.texts.iter().chain(own) {
            let _ = writeln!(text, "\n{more}");
        }
        text
    }
}
