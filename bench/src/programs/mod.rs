//! How each program is started, with every setting that differs from its default.
//!
//! Nothing is set to make a program slower: logs are off, connections are kept, nothing is written to disk, and a
//! program has as many threads as it has cores.

mod kind;
pub mod settings;

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use ringhold_ring::{Key, MemberAddress, Placement, Ring};

pub use kind::{Asked, Kind, Link, Members};
pub use settings::Node;

use crate::error::{Error, doing};
use crate::identity::Identity;
use crate::load::Dialect;
use crate::process::{self, Cores, Server, addresses};

/// What the rows of a suite stand on.
#[derive(Debug)]
pub struct Lab {
    /// The release build.
    pub program: PathBuf,
    directory: tempfile::TempDir,
    started: Cell<usize>,
    identity: Identity,
}

/// Programs that run, and how to load them.
#[derive(Debug)]
pub struct Setup {
    /// All of them: their time counts.
    pub servers: Vec<Server>,
    /// Who is asked.
    pub target: SocketAddr,
    /// How.
    pub dialect: Dialect,
    /// Who is shown, where that is not a plain connection.
    pub identity: Option<Identity>,
    /// Who is asked to store what will be read; nobody where answers are constants.
    pub filled: Option<SocketAddr>,
    ring: Option<(Ring, SocketAddr)>,
}

impl Setup {
    /// One server.
    pub fn one(server: Server, target: SocketAddr, dialect: Dialect, filled: Option<SocketAddr>) -> Self {
        Self { servers: vec![server], target, dialect, identity: None, filled, ring: None }
    }

    /// Keys of 16 bytes for objects of a size; in a ring of two, those that the same member owns.
    pub fn keys(&self, count: usize, value_bytes: usize) -> Vec<String> {
        let keys = (0..).map(|number: u32| format!("{value_bytes:07}-{number:08}"));
        let is_owned = |key: &String| match &self.ring {
            None => true,
            Some((ring, owner)) => Key::new(key).is_ok_and(|key| {
                let first = ring.preference_list(key.digest()).next();
                first.is_some_and(|member| *ring.address(member) == MemberAddress::from(*owner))
            }),
        };
        keys.filter(is_owned).take(count).collect()
    }
}

impl Lab {
    /// A lab for this program.
    pub fn new(program: &Path) -> Result<Self, Error> {
        let program = program.canonicalize().map_err(doing(format!("finding {}", program.display())))?;
        let directory = tempfile::tempdir().map_err(doing("making a directory"))?;
        let identity = Identity::create(directory.path())?;
        Ok(Self { program, directory, started: Cell::new(0), identity })
    }

    /// Why `kind` cannot be measured here, if it cannot: a program is missing, or this build refuses a setting.
    pub fn why_not(&self, kind: Kind) -> Result<Option<String>, Error> {
        if let Some((program, package)) = kind.needs().filter(|(program, _)| !is_here(program)) {
            return Ok(Some(format!("{program} is not here (Debian package {package})")));
        }
        let Kind::Ring(members) = kind else { return Ok(None) };
        let node = self.nodes(members)?.swap_remove(0);
        let home = self.home()?;
        let file = write(&home, "ring.toml", &node.toml())?;
        let checked = Command::new(&self.program).args(["config", "check"]).arg(file).output();
        let checked = checked.map_err(doing("checking a configuration"))?;
        let said =
            String::from_utf8_lossy(&checked.stderr).trim().replace(&format!("{}/", home.display()), "");
        Ok((!checked.status.success()).then(|| format!("this build refuses the configuration ({said})")))
    }

    /// Starts what `kind` is, and waits until it serves.
    pub fn start(&self, kind: Kind, cores: Cores) -> Result<Setup, Error> {
        let [a, b, c] = addresses()?;
        let (objects, redis) = (Dialect::Objects, Dialect::Redis);
        let filled = |server, dialect| Setup::one(server, a, dialect, Some(a));
        let constant = |server| Setup::one(server, a, objects, None);
        Ok(match kind {
            Kind::Ringhold(Link::Plain) => filled(self.ringhold(&Node::of(a, &[a]), cores)?, objects),
            Kind::Ringhold(Link::Mtls) => {
                let identity = self.identity.clone();
                let node = Node { secured: Some((identity.clone(), b)), ..Node::of(a, &[a]) };
                let server = self.ringhold(&node, cores)?;
                Setup { identity: Some(identity), ..Setup::one(server, a, objects, Some(b)) }
            }
            Kind::RingholdMimalloc => {
                let home = self.home()?;
                let node = Node::of(a, &[a]);
                let mut command = self.serve(&node, cores, &home)?;
                command.env("LD_PRELOAD", kind::MIMALLOC);
                let mut server = Server::start("ringhold", command, &home)?;
                server.wait_until_ready(a, Some("/readyz"), &home)?;
                filled(server, objects)
            }
            Kind::Ring(members) => self.ring(members, cores)?,
            Kind::NginxForwarder(link) | Kind::HaproxyForwarder(link) => {
                let identity = self.identity_for(link);
                let secured = identity.clone().map(|identity| (identity, c));
                let node = Node { secured, ..Node::of(b, &[b]) };
                let server = self.ringhold(&node, cores)?;
                let front = if matches!(kind, Kind::NginxForwarder(_)) {
                    self.nginx(a, &settings::nginx_forwarder(a, b, identity.as_ref()), cores)?
                } else {
                    self.haproxy(a, &settings::haproxy(a, b, identity.as_ref(), cores), cores)?
                };
                let mut setup = Setup::one(front, a, objects, Some(node.plain()));
                setup.servers.push(server);
                setup
            }
            Kind::Nginx(link) => {
                let identity = self.identity_for(link);
                let http = settings::nginx_constant(a, "", identity.as_ref());
                Setup { identity, ..constant(self.nginx(a, &http, cores)?) }
            }
            Kind::NginxHttp2 => {
                constant(self.nginx(a, &settings::nginx_constant(a, " http2", None), cores)?)
            }
            Kind::Bare => filled(self.own("bare", a, cores)?, objects),
            Kind::Trivial => constant(self.own("trivial", a, cores)?),
            Kind::Redis => filled(self.redis(a, cores)?, redis),
            Kind::Webdis => {
                let behind = self.redis(c, cores)?;
                let mut setup = filled(self.webdis(a, c, cores)?, Dialect::Webdis);
                setup.servers.push(behind);
                setup
            }
            Kind::Memcached(dialect) => filled(self.memcached(a, cores)?, dialect),
            Kind::Etcd => filled(self.etcd(a, b, cores)?, Dialect::Etcd),
        })
    }

    /// The nodes of a ring, the owner of the keys that will be asked for first.
    fn nodes(&self, ring: Members) -> Result<Vec<Node>, Error> {
        let mut members = process::free_addresses(2 * ring.count)?;
        let mut plain = members.split_off(ring.count).into_iter();
        let identity = self.identity_for(ring.between);
        let node = |me: &SocketAddr| {
            let secured = identity.clone().zip(plain.next());
            Node { replicas: ring.replicas, secured, ..Node::of(*me, &members) }
        };
        Ok(members.iter().map(node).collect())
    }

    fn ring(&self, members: Members, cores: Cores) -> Result<Setup, Error> {
        let nodes = self.nodes(members)?;
        let names = ["owner", "other", "third"];
        let mut servers = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let home = self.home()?;
            let name = names.get(index).copied().unwrap_or("member");
            servers.push((Server::start(name, self.serve(node, cores, &home)?, &home)?, home));
        }
        // A member that was looked for before it listened is not asked for a while.
        for ((server, home), node) in servers.iter_mut().zip(&nodes) {
            let sees_all = |health: &str| health.matches("\"online\"").count() == nodes.len();
            let is_ready = || process::ask(node.plain(), "/cluster").is_some_and(|report| sees_all(&report));
            server.wait_until_ready(node.plain(), Some("/readyz"), home)?;
            server.wait_until(is_ready, home)?;
        }
        let [owner, other, ..] = nodes.as_slice() else { return Err(no_ring("two or more members are one")) };
        let all = nodes.iter().map(|node| MemberAddress::from(node.me));
        let ring = Ring::new(all, Placement::Modulo, members.replicas)
            .map_err(|error| no_ring(&error.to_string()))?;
        let asked = if members.asked == Asked::Owner { owner } else { other };
        Ok(Setup {
            servers: servers.into_iter().map(|(server, _)| server).collect(),
            target: asked.plain(),
            dialect: Dialect::Objects,
            identity: None,
            filled: Some(owner.plain()),
            ring: Some((ring, owner.me)),
        })
    }

    fn identity_for(&self, link: Link) -> Option<Identity> {
        (link == Link::Mtls).then(|| self.identity.clone())
    }

    /// A directory for the files of one process.
    pub fn home(&self) -> Result<PathBuf, Error> {
        self.started.set(self.started.get() + 1);
        let home = self.directory.path().join(self.started.get().to_string());
        std::fs::create_dir(&home).map_err(doing("making a directory"))?;
        Ok(home)
    }

    /// The command that serves as this node.
    pub fn serve(&self, node: &Node, cores: Cores, home: &Path) -> Result<Command, Error> {
        let file = write(home, "ring.toml", &node.toml())?;
        let mut command = process::on(cores, &self.program.to_string_lossy());
        command.args(["serve", "--config"]).arg(file);
        Ok(command)
    }

    /// A node that is ready, in a ring of its own.
    pub fn ringhold(&self, node: &Node, cores: Cores) -> Result<Server, Error> {
        let home = self.home()?;
        let mut server = Server::start("ringhold", self.serve(node, cores, &home)?, &home)?;
        server.wait_until_ready(node.plain(), Some("/readyz"), &home)?;
        Ok(server)
    }

    fn own(&self, name: &'static str, address: SocketAddr, cores: Cores) -> Result<Server, Error> {
        let program = std::env::current_exe().map_err(doing("finding this program"))?;
        let mut command = process::on(cores, &program.to_string_lossy());
        command.args([name, &address.to_string()]);
        self.ready(name, command, &self.home()?, address)
    }

    fn nginx(&self, address: SocketAddr, http: &str, cores: Cores) -> Result<Server, Error> {
        let home = self.home()?;
        let file = write(&home, "nginx.conf", &settings::nginx(http, cores))?;
        let mut command = process::on(cores, "nginx");
        command.arg("-p").arg(&home).arg("-e").arg("stderr").arg("-c").arg(file);
        self.ready("nginx", command, &home, address)
    }

    fn haproxy(&self, address: SocketAddr, settings: &str, cores: Cores) -> Result<Server, Error> {
        let home = self.home()?;
        let file = write(&home, "haproxy.cfg", settings)?;
        let mut command = process::on(cores, "haproxy");
        command.arg("-db").arg("-f").arg(file);
        self.ready("haproxy", command, &home, address)
    }

    fn redis(&self, address: SocketAddr, cores: Cores) -> Result<Server, Error> {
        let home = self.home()?;
        let mut command = process::on(cores, "redis-server");
        command.args(settings::REDIS).args(["--port", &address.port().to_string()]).arg("--dir").arg(&home);
        self.ready("redis", command, &home, address)
    }

    fn webdis(&self, address: SocketAddr, redis: SocketAddr, cores: Cores) -> Result<Server, Error> {
        let home = self.home()?;
        let file = write(&home, "webdis.json", &settings::webdis(address, redis, &home))?;
        let mut command = process::on(cores, "webdis");
        command.arg(file).current_dir(&home);
        self.ready("webdis", command, &home, address)
    }

    fn memcached(&self, address: SocketAddr, cores: Cores) -> Result<Server, Error> {
        let home = self.home()?;
        let mut command = process::on(cores, "memcached");
        command.args(settings::memcached(cores)).args(["-p", &address.port().to_string()]);
        self.ready("memcached", command, &home, address)
    }

    fn etcd(&self, address: SocketAddr, peer: SocketAddr, cores: Cores) -> Result<Server, Error> {
        let home = self.home()?;
        let mut command = process::on(cores, "etcd");
        command.args(settings::etcd(address, peer, &home));
        let mut server = Server::start("etcd", command, &home)?;
        server.wait_until_ready(address, Some("/health"), &home)?;
        Ok(server)
    }

    fn ready(
        &self,
        name: &'static str,
        command: Command,
        home: &Path,
        address: SocketAddr,
    ) -> Result<Server, Error> {
        let mut server = Server::start(name, command, home)?;
        server.wait_until_ready(address, None, home)?;
        Ok(server)
    }
}

/// Whether a program of this name, or a file of this path, is here.
pub fn is_here(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Path::new(program).is_absolute() && Path::new(program).exists()
        || std::env::split_paths(&path)
            .chain(["/usr/sbin".into()])
            .any(|directory| directory.join(program).is_file())
}

fn no_ring(what: &str) -> Error {
    Error::Program { program: "the ring".into(), what: what.into() }
}

fn write(home: &Path, name: &str, text: &str) -> Result<PathBuf, Error> {
    let file = home.join(name);
    std::fs::write(&file, text).map_err(doing(format!("writing {}", file.display())))?;
    Ok(file)
}
