//! `ringhold cluster`: a whole ring of real processes on loopback, to try and to show.
//!
//! Every node's standard input is a pipe from here: when this process ends, however it ends, they stop too.

use std::io::{IsTerminal, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ringhold_client::{Client, ClusterReport, MemberAddress, MemberHealth};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::{Failure, output};
use crate::security::tools;

const READY_WITHIN: Duration = Duration::from_secs(15);
const KNOWN_WITHIN: Duration = Duration::from_secs(5);
const STOPPED_WITHIN: Duration = Duration::from_secs(15);
/// What one of several nodes on one machine may hold.
const STORE: &str = "256MiB";
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Run a whole ring of local processes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=64))]
    nodes: u16,
    /// The loopback address to listen on
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
    host: Ipv4Addr,
    /// The first node's port; the others take the ones above it
    #[arg(long, default_value_t = 9999)]
    port: u16,
    /// Members speak TLS to each other, made from a secret that is generated for this ring; each node has a plain
    /// listener for applications besides
    #[arg(long)]
    secure: bool,
    /// Set one value on every node; may be given several times
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

/// Runs the ring until Ctrl-C.
///
/// # Errors
/// A port that is in use, a value that no node takes, a node that does not become ready.
pub async fn run(args: Args) -> Result<(), Failure> {
    let addresses = free_addresses(&args)?;
    let folder = tempfile::Builder::new().prefix("ringhold-").tempdir()?;
    let secret = if args.secure { Some(write_secret(folder.path())?) } else { None };
    let (members, applications) = addresses.split_at(usize::from(args.nodes));
    let plan = Plan { members, folder: folder.path(), secret: secret.as_deref(), set: &args.set };
    let mut nodes = Vec::with_capacity(members.len());
    for (index, member) in members.iter().enumerate() {
        nodes.push(LocalNode::start(*member, applications.get(index).copied(), &plan)?);
    }
    let ended = tokio::select! {
        ended = show(&mut nodes, folder.path()) => ended,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    stop(nodes).await;
    ended
}

async fn show(nodes: &mut [LocalNode], folder: &Path) -> Result<(), Failure> {
    for node in nodes.iter_mut() {
        node.wait_until_ready().await?;
    }
    wait_until_all_know_each_other(nodes).await;
    output::print(introduction(nodes, folder))?;
    watch(nodes).await
}

/// A secret for this ring alone, in a file that only its owner reads.
fn write_secret(folder: &Path) -> Result<PathBuf, Failure> {
    let path = folder.join("secret");
    let secret = tools::secret_generate().map_err(|error| Failure::general(error.to_string()))?;
    tools::write_new(&path, secret.expose().as_bytes())
        .map_err(|error| Failure::general(error.to_string()))?;
    Ok(path)
}

/// The members' ports, then, on a secure ring, the applications': nothing listens on any of them now. A node that loses the race
/// for one says so itself.
fn free_addresses(args: &Args) -> Result<Vec<SocketAddr>, Failure> {
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
        TcpListener::bind(address).map_err(|why| {
            Failure::general(format!(
                "cannot listen on {address}: {why}; stop the program that does, or choose other ports with --port"
            ))
        })?;
        addresses.push(address);
    }
    Ok(addresses)
}

/// What all nodes of the ring have in common.
struct Plan<'a> {
    members: &'a [SocketAddr],
    folder: &'a Path,
    secret: Option<&'a Path>,
    set: &'a [String],
}

struct LocalNode {
    address: SocketAddr,
    /// Where applications reach it without TLS.
    application: SocketAddr,
    config: PathBuf,
    log: PathBuf,
    process: Child,
    client: Client,
}

impl Plan<'_> {
    fn config(&self, address: SocketAddr, application: Option<SocketAddr>) -> String {
        let members: Vec<_> = self.members.iter().map(|member| format!("\"{member}\"")).collect();
        let members = members.join(", ");
        let mut text = format!(
            "[node]\naddress = \"{address}\"\n\n[cluster]\nmembers = [{members}]\n\n[store]\nmax_bytes = \"{STORE}\"\n"
        );
        if let (Some(secret), Some(application)) = (self.secret, application) {
            text += &format!(
                "\n[[listener]]\naddress = \"{address}\"\ntls = true\n\n[[listener]]\naddress = \"{application}\"\ntls = false\n\
                 \n[tls]\nauto = true\n\n[auth]\nshared_secret_file = \"{}\"\n",
                secret.display()
            );
        }
        text
    }
}

impl LocalNode {
    fn start(address: SocketAddr, application: Option<SocketAddr>, plan: &Plan<'_>) -> Result<Self, Failure> {
        let config = plan.folder.join(format!("node-{}.toml", address.port()));
        let log = plan.folder.join(format!("node-{}.log", address.port()));
        std::fs::write(&config, plan.config(address, application))?;
        let application = application.unwrap_or(address);
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").arg("--stop-at-stdin-end").arg("--config").arg(&config);
        command.args(plan.set.iter().flat_map(|value| ["--set", value]));
        let process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log)?)
            .kill_on_drop(true)
            .spawn()?;
        let client = Client::new([format!("http://{application}")])?;
        Ok(Self { address, application, config, log, process, client })
    }

    async fn sees_all_online(&self) -> bool {
        let report = self.client.cluster().await;
        report.is_ok_and(|report| report.members.iter().all(|member| member.health == MemberHealth::Online))
    }

    async fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + READY_WITHIN;
        while !matches!(self.client.readyz().await, Ok(true)) {
            if let Some(status) = self.process.try_wait()? {
                let said = std::fs::read_to_string(&self.log).unwrap_or_default();
                return Err(Failure::general(format!(
                    "node {} ended ({status}): {}",
                    self.address,
                    said.trim()
                )));
            }
            if Instant::now() > deadline {
                return Err(Failure::general(format!(
                    "node {} is not ready after {READY_WITHIN:?}; its log is {}",
                    self.address,
                    self.log.display()
                )));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// Members that start together find each other within a probe interval; who does not is shown as it is.
async fn wait_until_all_know_each_other(nodes: &[LocalNode]) {
    let deadline = Instant::now() + KNOWN_WITHIN;
    for node in nodes {
        while !node.sees_all_online().await && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn stop(nodes: Vec<LocalNode>) {
    let stopping = nodes.into_iter().map(|mut node| async move {
        drop(node.process.stdin.take());
        let _ = tokio::time::timeout(STOPPED_WITHIN, node.process.wait()).await;
    });
    futures_util::future::join_all(stopping).await;
    // Nobody may be there any more to read it.
    let _ = writeln!(std::io::stderr(), "all nodes have stopped");
}

fn introduction(nodes: &[LocalNode], folder: &Path) -> String {
    let address = |number: usize| nodes[number % nodes.len()].application;
    let last = &nodes[nodes.len() - 1];
    let mut text =
        format!("A ring of {} nodes; configuration and logs are in {}\n\n", nodes.len(), folder.display());
    for node in nodes {
        let pid = node.process.id().unwrap_or_default();
        if node.application == node.address {
            text += &format!("  http://{}  pid {pid}\n", node.address);
        } else {
            text += &format!("  https://{}  http://{}  pid {pid}\n", node.address, node.application);
        }
    }
    if let Some(node) = nodes.first().filter(|node| node.application != node.address) {
        let secret = folder.join("secret");
        text += &format!(
            "\nMembers speak TLS, made from the secret in {}; whoever holds it may talk to them too:\n\n  \
             {} --node https://{} --secret-file {} status\n",
            secret.display(),
            program(),
            node.address,
            secret.display()
        );
    }
    text += &format!(
        "
Store through one node, read through another, patch through the third, ask where it lives:

  curl -i -X PUT  http://{first}/objects/hello -H 'Content-Type: text/plain' -d 'world'
  curl -i         http://{second}/objects/hello
  curl -i -X PATCH http://{third}/objects/hello -H 'Content-Type: text/plain' -d ', and you'
  curl            http://{first}/cluster/locate/hello

Kill a node and go on; start it again to see it return:

  kill -9 {pid}
  {program} serve --config {config}

Ctrl-C stops all of it.

",
        first = address(0),
        second = address(1),
        third = address(2),
        pid = last.process.id().unwrap_or_default(),
        program = program(),
        config = last.config.display(),
    );
    text
}

fn program() -> String {
    std::env::current_exe().map_or_else(|_| "ringhold".to_owned(), |path| path.display().to_string())
}

/// One line a member: rewritten in place on a terminal, printed on change elsewhere.
async fn watch(nodes: &mut [LocalNode]) -> Result<(), Failure> {
    let terminal = std::io::stdout().is_terminal();
    let mut shown: Vec<String> = Vec::new();
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let lines = look(nodes).await;
        let mut text = String::new();
        if terminal {
            if !shown.is_empty() {
                text += &format!("\x1b[{}A", shown.len());
            }
            lines.iter().for_each(|line| text += &format!("\x1b[2K{line}\n"));
        } else {
            let changed = lines.iter().enumerate().filter(|(index, line)| shown.get(*index) != Some(line));
            changed.for_each(|(_, line)| text += &format!("{line}\n"));
        }
        output::print(text)?;
        shown = lines;
    }
}

async fn look(nodes: &mut [LocalNode]) -> Vec<String> {
    let reports = futures_util::future::join_all(nodes.iter().map(|node| async {
        tokio::time::timeout(LOOK_EVERY / 2, node.client.cluster()).await.ok().and_then(Result::ok)
    }))
    .await;
    nodes.iter().zip(&reports).map(|(node, own)| line(node, own.as_ref(), &reports)).collect()
}

fn line(node: &LocalNode, own: Option<&ClusterReport>, all: &[Option<ClusterReport>]) -> String {
    let address = MemberAddress::from(node.address);
    let others = all.iter().flatten().filter(|report| report.member != address);
    let seen = others.flat_map(|report| &report.members).filter(|member| member.address == address);
    let mut healths: Vec<_> = seen.map(|member| member.health.as_str()).collect();
    healths.sort_unstable();
    healths.dedup();
    let health = if healths.is_empty() { "alone".to_owned() } else { healths.join("/") };
    let holds = match own {
        Some(report) => format!("{} objects, {} bytes", report.store.objects, report.store.bytes),
        None => "does not answer".to_owned(),
    };
    format!("  {:<16} {health:<20} {holds}", node.address)
}
