//! One ring of processes on a network of their own, and what one fault did to it.
//!
//! A fault begins and ends with a ring that is whole: every member acts, sees every other online, and has handed it everything.

use std::path::PathBuf;
use std::time::Duration;

use crate::faults::check;
use crate::faults::enclosure::{mount_tmpfs, run};
use crate::faults::history::{Action, Operation};
use crate::faults::lan::Lan;
use crate::faults::load::{KEYS, Load, Why};
use crate::ring::Ring;
use crate::wait::within;

/// How many members a ring here has.
pub const MEMBERS: usize = 5;
/// How long a ring may take until it is whole again.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of a log is shown when a promise was broken.
const SHOWN_LINES: usize = 40;
/// How long clients work before anything happens, and after everything is over.
const CALM: Duration = Duration::from_millis(700);

/// What members of a ring take from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long one may take to answer another.
    pub peer_timeout: Duration,
    /// Whether they know each other by a secret, and not by where they come from.
    pub has_secret: bool,
}

/// A ring that faults happen to.
#[derive(Debug)]
pub struct Stage {
    /// Its members.
    pub ring: Ring,
    /// What they are connected by.
    pub lan: Lan,
    /// How long clients work while something is only slow or changed.
    pub while_slow: Duration,
    /// How long a fault lasts that somebody has to notice: longer than `peer_timeout`.
    pub time: Duration,
    replicas: usize,
    terms: Terms,
    listed: Vec<usize>,
    plays: u64,
}

/// A fault that is happening: clients at work, and the moment from which the ring could heal.
#[derive(Debug)]
pub struct Play {
    /// The clients.
    pub load: Load,
    began: Duration,
    healed: Option<Duration>,
}

/// What one fault did.
#[derive(Clone, Debug)]
pub struct Effect {
    /// The longest time for which the machine stood still, by nobody's fault.
    pub stall: Duration,
    /// What clients asked for.
    pub operations: usize,
    /// Failed through members that were there, and why.
    pub failed: Vec<String>,
    /// Failed because the member that was asked was lost just then.
    pub broken_off: usize,
    /// The longest time without any success.
    pub longest_gap: Duration,
    /// The longest time that an answer took.
    pub longest_answer: Duration,
    /// From the end of the fault until the ring was whole; none: it never was.
    pub repair: Option<Duration>,
    /// Acknowledged changes that are gone, by key.
    pub lost: Vec<String>,
    /// Keys whose counter counted something twice.
    pub ran_twice: Vec<String>,
    /// Keys whose history is not linearizable.
    pub not_linearizable: Vec<String>,
    /// Keys whose home members hold different things in the end.
    pub unequal: Vec<String>,
}

impl Terms {
    /// The same, with at least `peer_timeout` to answer.
    #[must_use]
    pub fn patient(self, peer_timeout: Duration) -> Self {
        Self { peer_timeout: self.peer_timeout.max(peer_timeout), ..self }
    }

    /// Whether the machine stood still for so long that members had to doubt themselves and each other.
    #[must_use]
    pub fn are_broken_by(&self, stall: Duration) -> bool {
        // A member doubts itself after an eighth. What stops this process for a time stops some member for longer.
        stall > self.peer_timeout / 8
    }
}

impl Play {
    /// Says that whatever was wrong no longer is: from now on it is for the ring to heal.
    pub fn over(&mut self) {
        self.healed = Some(self.load.now());
    }
}

impl Stage {
    /// Starts a ring with as many copies as `replicas`.
    pub async fn set(lan: Lan, replicas: usize, time: Duration, terms: Terms) -> Self {
        let peer_timeout = format!("{}ms", terms.peer_timeout.as_millis());
        let settings = [
            ("cluster.peer_timeout", &*peer_timeout),
            ("cluster.rest", "1s"),
            ("cluster.probe_interval", "200ms"),
            ("cluster.validation_passes", "2"),
            ("cluster.sync_timeout", "20s"),
        ];
        let mut builder = Ring::builder(MEMBERS).on(lan.addresses()).set("cluster.replicas", replicas);
        builder = builder.configure("[access]\nallow = [\"10.77.0.0/24\"]");
        if terms.has_secret {
            let secret = run(&[&crate::binary().display().to_string(), "secret", "generate"]);
            builder = builder.configure(format!("[auth]\nshared_secret = {:?}", secret.trim()));
        }
        for (setting, value) in settings {
            builder = builder.set(setting, value);
        }
        for member in 0..MEMBERS {
            let entry = lan.at(member);
            builder = builder.start_member_by(member, &entry.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let ring = builder.start().await;
        let listed = (0..MEMBERS).collect();
        let (while_slow, time) = (time * 2, time.max(terms.peer_timeout * 3));
        let stage = Self { ring, lan, while_slow, time, replicas, terms, listed, plays: 0 };
        assert!(
            stage.wait_until_whole().await.is_some(),
            "a new ring is not whole:\n{}",
            stage.state().await
        );
        stage
    }

    /// Ends the ring and hands back the network, as it was.
    #[must_use]
    pub fn strike(self) -> Lan {
        self.lan.heal();
        self.lan
    }

    /// How many members keep a key.
    #[must_use]
    pub const fn replicas(&self) -> usize {
        self.replicas
    }

    /// Whether it is a ring as this one.
    #[must_use]
    pub fn is(&self, replicas: usize, terms: Terms) -> bool {
        self.replicas == replicas && self.terms == terms
    }

    /// Which members a fault that hits `count` of them hits this time.
    #[must_use]
    pub fn victims(&self, count: usize) -> Vec<usize> {
        let first = usize::try_from(self.plays).expect("few plays");
        (0..count).map(|offset| (first + 2 * offset) % MEMBERS).collect()
    }

    /// Lets clients begin.
    pub async fn begin(&mut self, name: &str) -> Play {
        self.plays += 1;
        let name = format!("{name}-{}", self.plays);
        let load = Load::start(&name, self.lan.addresses(), self.plays);
        load.go_on_for(CALM).await;
        let began = load.now();
        Play { load, began, healed: None }
    }

    /// What members logged lately, a block for each.
    #[must_use]
    pub fn logs(&self) -> String {
        let tail = |member: &crate::Member| {
            let log = member.log();
            let lines: Vec<_> = log.lines().collect();
            let lines = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
            format!("---- {} ----\n{lines}\n", member.address())
        };
        self.ring.members().iter().map(tail).collect()
    }

    /// Waits until the ring is whole, ends the clients, and looks at what they were told.
    pub async fn end(&mut self, mut play: Play) -> Effect {
        let healed = play.healed.unwrap_or_else(|| play.load.now());
        let repair = self.wait_until_whole().await.map(|_| play.load.now().saturating_sub(healed));
        if repair.is_none() {
            eprintln!("not whole after {PATIENCE:?}:\n{}", self.state().await);
        }
        let whole = play.load.now();
        play.load.go_on_for(CALM).await;
        play.load.end().await;
        let told = play.load.told();
        let unequal = self.wait_until_equal(&play.load).await;
        let mut found = Vec::new();
        for key in 0..KEYS {
            let mut reads = Vec::new();
            for member in &self.listed {
                reads.push(play.load.read(key, *member).await);
            }
            found.push(reads);
        }
        let mut effect = Effect {
            stall: told.stall,
            operations: told.operations.len(),
            failed: told.failed().map(|operation| format!("{operation:?}")).collect(),
            broken_off: told.broken_off().count(),
            longest_gap: told.longest_gap(play.began, whole),
            longest_answer: told.longest_answer(),
            repair,
            lost: Vec::new(),
            ran_twice: Vec::new(),
            not_linearizable: Vec::new(),
            unequal,
        };
        let promised = told.promised();
        for (key, reads) in found.into_iter().enumerate() {
            let name = play.load.key(key);
            let operations = promised.iter().filter(|operation| operation.key == key).cloned().collect();
            effect.judge(&name, operations, reads);
        }
        effect
    }

    /// How long it took until the ring was whole.
    pub async fn wait_until_whole(&self) -> Option<Duration> {
        within(PATIENCE, async || self.first_complaint().await.is_none()).await
    }

    /// What is not whole about the ring; none: nothing.
    async fn first_complaint(&self) -> Option<String> {
        for member in &self.listed {
            let Ok(answer) = self.ring[*member].request("GET", "/cluster").try_send().await else {
                return Some(format!("{member} does not answer"));
            };
            let report = answer.json();
            let members = report["members"].as_array()?;
            let is_well = |member: &serde_json::Value| {
                member["is_self"] == true || (member["health"] == "online" && member["handed"] == true)
            };
            let sees_all = members.len() == self.listed.len() && members.iter().all(is_well);
            let is_idle = report["handoff"].as_array().is_some_and(Vec::is_empty);
            let is_settled = report["acting"] == "acting" && report["target_ring_id"].is_null();
            if !sees_all || !is_idle || !is_settled {
                return Some(format!("{member}: {report}"));
            }
        }
        None
    }

    async fn state(&self) -> String {
        self.first_complaint().await.unwrap_or_default()
    }

    /// Waits until the home members of every key hold the same; which keys they do not.
    async fn wait_until_equal(&self, load: &Load) -> Vec<String> {
        let mut unequal = Vec::new();
        within(PATIENCE / 2, async || {
            unequal.clear();
            for key in (0..KEYS).map(|key| load.key(key)) {
                unequal.extend(self.difference(&key).await);
            }
            unequal.is_empty()
        })
        .await;
        unequal
    }

    async fn difference(&self, key: &str) -> Option<String> {
        let location = self.ring[self.listed[0]].locate(key).await;
        let mut held = Vec::new();
        for home in &location.homes {
            let member = self.ring.members().iter().find(|member| member.known_as().to_string() == *home);
            let request = member.expect("a home is a member").object("GET", key);
            let answer = request.header("X-PP-Datastore-Behavior", "DISALLOW_FORWARDING").send().await;
            let tag = answer.header("etag").map(str::to_owned);
            held.push((answer.status, tag));
        }
        let differ = held.windows(2).any(|pair| pair[0] != pair[1]);
        differ.then(|| format!("{key}: {held:?} at {:?}", location.homes))
    }

    /// The folder of a member: its configuration and what it says.
    #[must_use]
    pub fn folder(&self, member: usize) -> PathBuf {
        self.ring[member].configuration().parent().expect("a file has a folder").into()
    }

    /// Stops a member in good order and starts it again with other words before its command.
    pub async fn start_again_by(&mut self, member: usize, words: &[String], small_folder: Option<&str>) {
        self.ring.stop(member).await;
        if let Some(size) = small_folder {
            let configuration = std::fs::read(self.ring[member].configuration()).expect("readable");
            mount_tmpfs(&self.folder(member), size);
            std::fs::write(self.ring[member].configuration(), configuration).expect("there is room");
        }
        let mut wrapper = self.lan.at(member);
        wrapper.extend_from_slice(words);
        self.ring[member].start_by(wrapper);
        self.ring.restart(member).await;
        assert!(self.wait_until_whole().await.is_some(), "not whole:\n{}", self.state().await);
    }

    /// Writes the list of members to the files of those who run, and has them read it.
    pub fn list(&mut self, members: &[usize]) {
        self.listed = members.to_vec();
        let addresses = self.lan.addresses();
        let list: Vec<_> =
            members.iter().map(|member| format!("{:?}", addresses[*member].to_string())).collect();
        let line = format!("members = [{}]", list.join(", "));
        for member in members {
            let file = self.ring[*member].configuration();
            let text = std::fs::read_to_string(&file).expect("readable");
            let lines = text.lines().map(|old| if old.starts_with("members = ") { &line } else { old });
            let new = file.with_extension("new");
            std::fs::write(&new, lines.collect::<Vec<_>>().join("\n")).expect("there is room");
            std::fs::rename(&new, &file).expect("the folder is ours");
            if self.ring[*member].is_running() {
                self.ring[*member].hang_up();
            }
        }
    }

    /// Kills a member and has clients leave it alone.
    pub fn kill(&mut self, play: &Play, member: usize) {
        play.load.shun(member, Why::Lost);
        self.ring.kill(member);
    }

    /// Starts a member, and has clients use it when it says that it is ready.
    pub async fn start(&mut self, play: &Play, member: usize) {
        self.ring.restart(member).await;
        play.load.use_again(member);
    }
}

impl Effect {
    fn judge(&mut self, key: &str, mut operations: Vec<Operation>, reads: Vec<Operation>) {
        let mut lost = 0;
        let mut twice = 0;
        for read in &reads {
            if let (Action::Read(found), true) = (read.action, read.is_answered()) {
                lost = lost.max(check::lost(&operations, found));
                twice = twice.max(check::ran_twice(&operations, found));
            } else {
                self.failed.push(format!("in the end: {read:?}"));
            }
        }
        let found: Vec<_> = reads.iter().map(|read| read.action).collect();
        let count = operations.len();
        operations.extend(reads);
        let is_linearizable = check::is_linearizable(&operations);
        operations.sort_by_key(|operation| operation.start);
        let history = || operations.iter().map(line).collect::<Vec<_>>().join("\n");
        if lost > 0 {
            self.lost.push(format!("{key}: {lost} of {count} operations, found {found:?}:\n{}", history()));
        }
        if twice > 0 {
            self.ran_twice.push(format!("{key}: {twice} too many, found {found:?}"));
        }
        if !is_linearizable {
            self.not_linearizable.push(format!("{key}:\n{}", history()));
        }
    }
}

/// An operation as a line of a history.
fn line(operation: &Operation) -> String {
    let Operation { through, executor, action, start, end, outcome, .. } = operation;
    let executor = executor.as_deref().unwrap_or("nobody");
    format!(
        "    {:>8.3} .. {:>8.3} s through {through} by {executor}: {action:?} {outcome:?}",
        start.as_secs_f64(),
        end.as_secs_f64()
    )
}
