//! One node of a local ring: its configuration file, its log, its process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ringhold_client::{Client, ClusterReport, MemberHealth};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::cli::Failure;

const READY_WITHIN: Duration = Duration::from_secs(15);
/// What one of several nodes on one machine may hold.
const STORE: &str = "256MiB";

/// What all nodes of the ring have in common.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) folder: PathBuf,
    pub(super) secret: Option<PathBuf>,
    pub(super) set: Vec<String>,
}

/// Where a node is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// By other members.
    pub(super) member: SocketAddr,
    /// By applications, without TLS.
    pub(super) application: SocketAddr,
}

impl Place {
    /// Whether applications have a listener of their own.
    pub(super) fn is_split(self) -> bool {
        self.member != self.application
    }
}

impl Plan {
    fn text(&self, place: Place, members: &[SocketAddr]) -> String {
        let Place { member, application } = place;
        let members: Vec<_> = members.iter().map(|member| format!("\"{member}\"")).collect();
        let members = members.join(", ");
        let mut text = format!(
            "[node]\naddress = \"{member}\"\n\n[cluster]\nmembers = [{members}]\n\n[store]\nmax_bytes = \"{STORE}\"\n"
        );
        if let Some(secret) = &self.secret {
            text += &format!(
                "\n[[listener]]\naddress = \"{member}\"\ntls = true\n\n[[listener]]\naddress = \"{application}\"\n\
                 tls = false\n\n[tls]\nauto = true\n\n[auth]\nshared_secret_file = \"{}\"\n",
                secret.display()
            );
        }
        text
    }

    fn path(&self, place: Place, extension: &str) -> PathBuf {
        self.folder.join(format!("node-{}.{extension}", place.member.port()))
    }

    /// A configuration for the node at `place` in a ring of `members`, under another name until it is put in force.
    pub(super) fn write(&self, place: Place, members: &[SocketAddr]) -> Result<Draft, Failure> {
        let draft = Draft { written: self.path(place, "next.toml"), path: self.path(place, "toml") };
        std::fs::write(&draft.written, self.text(place, members))?;
        crate::cli::config::load(Some(&draft.written), &self.set)?;
        Ok(draft)
    }
}

/// A configuration file that nodes would take, and that none reads yet.
#[derive(Debug)]
pub(super) struct Draft {
    written: PathBuf,
    path: PathBuf,
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It is gone already if it was put in force.
        let _ = std::fs::remove_file(&self.written);
    }
}

impl Draft {
    /// Replaces the node's configuration by it, at once.
    pub(super) fn put_in_force(self) -> std::io::Result<()> {
        std::fs::rename(&self.written, &self.path)
    }
}

#[derive(Debug)]
pub(super) struct LocalNode {
    pub(super) place: Place,
    config: PathBuf,
    log: PathBuf,
    process: Child,
    client: Client,
    is_leaving: bool,
}

impl LocalNode {
    /// Starts the node whose configuration is in force.
    pub(super) fn start(place: Place, plan: &Plan) -> Result<Self, Failure> {
        let (config, log) = (plan.path(place, "toml"), plan.path(place, "log"));
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").arg("--stop-at-stdin-end").arg("--config").arg(&config);
        command.args(plan.set.iter().flat_map(|value| ["--set", value]));
        let process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log)?)
            .kill_on_drop(true)
            .spawn()?;
        let client = Client::new([format!("http://{}", place.application)])?;
        Ok(Self { place, config, log, process, client, is_leaving: false })
    }

    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    /// The number of its process, while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    pub(super) const fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// Has it read its configuration again. One that was killed has nothing to be told.
    pub(super) fn hang_up(&self) {
        let pid = self.pid().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::HUP);
        }
    }

    /// Has it leave the ring: it hands over what it holds, and ends.
    pub(super) fn leave(&mut self) {
        self.is_leaving = true;
        drop(self.process.stdin.take());
    }

    /// Whether its process has ended.
    pub(super) fn has_ended(&mut self) -> std::io::Result<bool> {
        Ok(self.process.try_wait()?.is_some())
    }

    /// Has it leave, and waits until it has; at most `patience`.
    pub(super) async fn stop(mut self, patience: Duration) {
        self.leave();
        let _ = tokio::time::timeout(patience, self.process.wait()).await;
    }

    /// The ring as it sees it, if it says so within `patience`.
    pub(super) async fn report(&self, patience: Duration) -> Option<ClusterReport> {
        tokio::time::timeout(patience, self.client.cluster()).await.ok().and_then(Result::ok)
    }

    pub(super) async fn sees_all_online(&self) -> bool {
        let report = self.client.cluster().await;
        report.is_ok_and(|report| report.members.iter().all(|member| member.health == MemberHealth::Online))
    }

    pub(super) async fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + READY_WITHIN;
        while !matches!(self.client.readyz().await, Ok(true)) {
            if let Some(status) = self.process.try_wait()? {
                let said = std::fs::read_to_string(&self.log).unwrap_or_default();
                let member = self.place.member;
                return Err(Failure::general(format!("node {member} ended ({status}): {}", said.trim())));
            }
            if Instant::now() > deadline {
                return Err(Failure::general(format!(
                    "node {} is not ready after {READY_WITHIN:?}; its log is {}",
                    self.place.member,
                    self.log.display()
                )));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}
