//! One member: a process, its HTTP interface, its logs.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use reqwest::Client;
use ringhold_ring::{Key, MemberAddress};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::http::{Request, client, http2_client};
use crate::raw::RawConnection;
use crate::wait::wait_until;

/// How long a member may take to start, or to stop.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much of a log is shown when a test has failed.
const SHOWN_LINES: usize = 60;

/// A member of a ring under test.
#[derive(Debug)]
pub struct Member {
    address: SocketAddr,
    known_as: MemberAddress,
    door: SocketAddr,
    directory: PathBuf,
    wrapper: Vec<String>,
    arguments: Vec<String>,
    headers: Vec<(String, String)>,
    http: Client,
    http2: Client,
    child: Option<Child>,
}

/// Where a key lives, as a member says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The MD5 of the key, in hexadecimal.
    pub digest: String,
    /// Its UUID form.
    pub uuid: String,
    /// Who executes requests for it now.
    pub owner: String,
    /// Its home members.
    pub homes: Vec<String>,
    /// All members, the most preferred first.
    pub preference_list: Vec<String>,
}

impl Member {
    /// A member that is not started yet. Its files go to `directory`, which exists.
    pub(crate) fn new(address: SocketAddr, directory: PathBuf) -> Self {
        Self {
            address,
            known_as: address.into(),
            door: address,
            directory,
            wrapper: Vec::new(),
            arguments: Vec::new(),
            headers: Vec::new(),
            http: client(),
            http2: http2_client(),
            child: None,
        }
    }

    /// With arguments for its program.
    pub(crate) fn with_arguments(mut self, arguments: Vec<String>) -> Self {
        self.arguments = arguments;
        self
    }

    /// With a plain listener, through which the harness talks to it.
    pub(crate) const fn with_door(mut self, door: SocketAddr) -> Self {
        self.door = door;
        self
    }

    /// Known to the others by this address.
    pub(crate) fn known_as_is(mut self, known_as: MemberAddress) -> Self {
        self.known_as = known_as;
        self
    }

    /// With a header in every request of the harness.
    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Started by a program that executes it.
    pub(crate) fn started_by(mut self, wrapper: Vec<String>) -> Self {
        self.wrapper = wrapper;
        self
    }

    /// Has other words before its command from its next start on.
    pub(crate) fn start_by(&mut self, wrapper: Vec<String>) {
        self.wrapper = wrapper;
    }

    /// The number of its process.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process().id()
    }

    /// The address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address it is known by: the one it listens on, or a name.
    #[must_use]
    pub const fn known_as(&self) -> &MemberAddress {
        &self.known_as
    }

    /// Where the harness talks to it in plain HTTP: its address, unless that speaks TLS.
    #[must_use]
    pub const fn door(&self) -> SocketAddr {
        self.door
    }

    /// Its configuration file.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.directory.join("ring.toml")
    }

    /// A request to it; `target` is a path, with a query if there is one.
    pub fn request(&self, method: &str, target: &str) -> Request {
        let request = Request::new(&self.http, method, &self.url(target));
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// The same over HTTP/2.
    pub fn http2(&self, method: &str, target: &str) -> Request {
        Request::new(&self.http2, method, &self.url(target))
    }

    /// A request for an object.
    ///
    /// # Panics
    /// When `key` is not a key.
    pub fn object(&self, method: &str, key: &str) -> Request {
        self.request(method, &format!("/objects/{}", Key::new(key).expect("a key").to_path()))
    }

    /// A connection to it.
    pub async fn connect(&self) -> RawConnection {
        RawConnection::open(self.door).await
    }

    fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.door)
    }

    /// Where it says that `key` lives.
    ///
    /// # Panics
    /// When it does not say it completely.
    pub async fn locate(&self, key: &str) -> Location {
        let path = format!("/cluster/locate/{}", Key::new(key).expect("a key").to_path());
        let answer = self.request("GET", &path).send().await;
        answer.assert_status(200);
        let json = answer.json();
        let text =
            |name: &str| json[name].as_str().unwrap_or_else(|| panic!("no {name} in {json}")).to_owned();
        let list = |name: &str| {
            let elements = json[name].as_array().unwrap_or_else(|| panic!("no {name} in {json}")).iter();
            elements.map(|element| element.as_str().expect("an address").to_owned()).collect()
        };
        Location {
            digest: text("digest"),
            uuid: text("uuid"),
            owner: text("owner"),
            homes: list("homes"),
            preference_list: list("preference_list"),
        }
    }

    /// What it says of itself and its ring; none when it does not answer.
    pub async fn report(&self) -> Option<Value> {
        let answer = self.request("GET", "/cluster").try_send().await.ok()?;
        (answer.status == 200).then(|| answer.json())
    }

    /// What it says of the member at `address`; none when it does not answer. Members may go by names; what tells them
    /// apart is the port.
    pub async fn says_of(&self, address: SocketAddr) -> Option<Value> {
        let is_at_port = |known_as: &str| {
            known_as.parse::<MemberAddress>().is_ok_and(|known_as| known_as.port() == address.port())
        };
        let report = self.report().await?;
        let mut members = report["members"].as_array()?.iter();
        members.find(|member| member["address"].as_str().is_some_and(is_at_port)).cloned()
    }

    /// How it sees the member at `address`: `online`, `damaged`, `validating`; none when it does not answer.
    pub async fn sees(&self, address: SocketAddr) -> Option<String> {
        self.says_of(address).await?["health"].as_str().map(Into::into)
    }

    /// Whether it executes requests for the keys that it owns.
    pub async fn acts(&self) -> bool {
        self.report().await.is_some_and(|report| report["acting"] == "acting")
    }

    /// The memory that its process has, in bytes.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process().id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
        line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number") * 1024
    }

    /// Everything it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("stderr")).unwrap_or_default()
    }

    /// Everything it has said on its standard output since it was last started.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.directory.join("stdout")).unwrap_or_default()
    }

    /// The command line of its process, as everyone on the machine sees it.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn command_line(&self) -> String {
        let path = format!("/proc/{}/cmdline", self.process().id());
        std::fs::read_to_string(path).expect("it runs").replace('\0', " ")
    }

    /// Has it load its files again (SIGHUP).
    ///
    /// # Panics
    /// When it does not run.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Whether its process runs, paused or not.
    #[must_use]
    pub fn is_running(&self) -> bool {
        // A process that has ended and was not waited for is a zombie: Z, the field behind the name in brackets.
        let Some(child) = &self.child else { return false };
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
    }

    /// Starts the process, and does not wait for it.
    pub(crate) fn spawn(&mut self, program: &Path) {
        assert!(self.child.is_none(), "{} runs already", self.address);
        // What an earlier process said is no sign of this one; what it logged is kept.
        let stdout = File::create(self.directory.join("stdout")).expect("the directory is ours");
        let log = File::options().create(true).append(true).open(self.directory.join("stderr"));
        let log = log.expect("the directory is ours");
        let mut command = match &*self.wrapper {
            [] => Command::new(program),
            [wrapper, arguments @ ..] => {
                let mut command = Command::new(wrapper);
                command.args(arguments).arg(program);
                command
            }
        };
        command.args(["serve", "--config"]).arg(self.configuration());
        for variable in std::env::vars_os().map(|(name, _)| name) {
            if variable.to_string_lossy().starts_with("RINGHOLD_") {
                command.env_remove(variable);
            }
        }
        // It ends even if this process is killed.
        command.arg("--stop-at-stdin-end").args(&self.arguments);
        command.stdin(Stdio::piped()).stdout(stdout).stderr(log);
        self.child = Some(command.spawn().expect("the program starts"));
    }

    /// Waits until it has said that it is ready, and its own `/readyz` says so too.
    pub(crate) async fn wait_until_ready(&self) {
        let line = format!("ringhold is ready on {}", self.address);
        let what = format!("{} to be ready", self.address);
        wait_until(PATIENCE, &what, async || {
            assert!(self.is_running(), "{} has ended while starting:\n{}", self.address, self.log());
            let ready = self.request("GET", "/readyz").try_send().await;
            self.said().lines().any(|said| said == line) && ready.is_ok_and(|answer| answer.status == 200)
        })
        .await;
    }

    /// Ends the process at once (SIGKILL): nothing of it is left when this returns.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it is ours to kill");
        child.wait().expect("it is our child");
    }

    /// Stops the process without ending it (SIGSTOP): its sockets stay open and nobody answers. When this returns, no
    /// thread of it runs any more.
    ///
    /// # Panics
    /// When it does not run, or goes on running.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        let deadline = Instant::now() + PATIENCE;
        while !self.is_stopped() {
            assert!(Instant::now() < deadline, "{} does not stop", self.address);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether every thread is: T, the field behind the name in brackets.
    fn is_stopped(&self) -> bool {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.process().id())).expect("it runs");
        let mut states =
            threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("stat")).ok());
        states.all(|stat| stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T')))
    }

    /// Lets a paused process go on (SIGCONT).
    ///
    /// # Panics
    /// When it does not run.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks the process to end (SIGTERM), and waits for it.
    ///
    /// # Panics
    /// When it does not run, or does not end.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let mut child = self.child.take().expect("it runs");
        let mut status = None;
        let what = format!("{} to stop", self.address);
        wait_until(PATIENCE, &what, async || {
            status = child.try_wait().expect("it is our child");
            status.is_some()
        })
        .await;
        status.expect("it has ended")
    }

    fn process(&self) -> &Child {
        self.child.as_ref().expect("it runs")
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(self.process());
        kill_process(pid, signal).expect("it is ours to signal");
    }

    fn print_log(&self) {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let shown = lines.get(lines.len().saturating_sub(SHOWN_LINES)..).unwrap_or_default();
        eprintln!("---- {} ----\n{}", self.address, shown.join("\n"));
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_log();
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
