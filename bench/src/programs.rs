//! How each program is started, with every setting that differs from its default.
//!
//! Nothing is set to make a program slower: logs are off, connections are kept, nothing is written to disk, and a
//! program has as many threads as it has cores.

pub mod settings;

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use ringhold_ring::{Key, MemberAddress, Placement, Ring};

use crate::error::{Error, doing};
use crate::load::Dialect;
use crate::process::{self, Cores, Server, addresses};

/// What is started for one row of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One node.
    Ringhold,
    /// One node with another allocator.
    RingholdMimalloc,
    /// A ring of two, asked at the member that owns the keys.
    RightMember,
    /// The same ring, asked at the member that does not.
    WrongMember,
    /// nginx in front of a node.
    NginxForwarder,
    /// HAProxy in front of a node.
    HaproxyForwarder,
    /// nginx that answers a constant of 100 bytes.
    Nginx,
    /// The same over HTTP/2.
    NginxHttp2,
    /// hyper and a map.
    Bare,
    /// A constant answer without parsing.
    Trivial,
    /// Redis.
    Redis,
    /// Redis behind HTTP.
    Webdis,
    /// memcached.
    Memcached,
}

/// What the rows of a suite stand on.
#[derive(Debug)]
pub struct Lab {
    /// The release build.
    pub program: PathBuf,
    directory: tempfile::TempDir,
    started: Cell<usize>,
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
    /// Who is asked to store what will be read; nobody where answers are constants.
    pub filled: Option<SocketAddr>,
    ring: Option<(Ring, SocketAddr)>,
}

impl Kind {
    /// The program that must be here, and the Debian package that brings it.
    pub const fn needs(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Nginx | Self::NginxHttp2 | Self::NginxForwarder => Some(("nginx", "nginx-light")),
            Self::HaproxyForwarder => Some(("haproxy", "haproxy")),
            Self::Redis => Some(("redis-server", "redis-server")),
            Self::Webdis => Some(("webdis", "webdis")),
            Self::Memcached => Some(("memcached", "memcached")),
            Self::RingholdMimalloc => Some(("/usr/lib/x86_64-linux-gnu/libmimalloc.so.2", "libmimalloc2.0")),
            Self::Ringhold | Self::RightMember | Self::WrongMember | Self::Bare | Self::Trivial => None,
        }
    }
}

impl Setup {
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
        Ok(Self { program, directory, started: Cell::new(0) })
    }

    /// Starts what `kind` is, and waits until it serves.
    pub fn start(&self, kind: Kind, cores: Cores) -> Result<Setup, Error> {
        let one = |server, target, dialect, filled| Setup {
            servers: vec![server],
            target,
            dialect,
            filled,
            ring: None,
        };
        let [a, b, c] = addresses()?;
        let (objects, redis) = (Dialect::Objects, Dialect::Redis);
        Ok(match kind {
            Kind::Ringhold => one(self.ringhold(a, &[a], cores, &[])?, a, objects, Some(a)),
            Kind::RingholdMimalloc => {
                let preload = kind.needs().map_or("", |(library, _)| library);
                one(self.ringhold(a, &[a], cores, &[("LD_PRELOAD", preload)])?, a, objects, Some(a))
            }
            Kind::RightMember | Kind::WrongMember => {
                let owner = self.ringhold_unready(b, &[a, b], cores)?;
                let other = self.ringhold(a, &[a, b], cores, &[])?;
                let members = [a, b].map(MemberAddress::from);
                let ring = Ring::new(members, Placement::Modulo, 1).map_err(|error| Error::Program {
                    program: "the ring".into(),
                    what: error.to_string(),
                })?;
                let target = if kind == Kind::RightMember { b } else { a };
                let servers = vec![other, owner];
                Setup { servers, target, dialect: objects, filled: Some(b), ring: Some((ring, b)) }
            }
            Kind::NginxForwarder | Kind::HaproxyForwarder => {
                let node = self.ringhold(b, &[b], cores, &[])?;
                let front = if kind == Kind::NginxForwarder {
                    self.nginx(a, &settings::nginx_forwarder(a, b), cores)?
                } else {
                    self.haproxy(a, b, cores)?
                };
                Setup { servers: vec![front, node], target: a, dialect: objects, filled: Some(b), ring: None }
            }
            Kind::Nginx => one(self.nginx(a, &settings::nginx_constant(a, ""), cores)?, a, objects, None),
            Kind::NginxHttp2 => {
                one(self.nginx(a, &settings::nginx_constant(a, " http2"), cores)?, a, objects, None)
            }
            Kind::Bare => one(self.own("bare", a, cores)?, a, objects, Some(a)),
            Kind::Trivial => one(self.own("trivial", a, cores)?, a, objects, None),
            Kind::Redis => one(self.redis(a, cores)?, a, redis, Some(a)),
            Kind::Webdis => {
                let behind = self.redis(c, cores)?;
                let front = self.webdis(a, c, cores)?;
                let servers = vec![front, behind];
                Setup { servers, target: a, dialect: Dialect::Webdis, filled: Some(a), ring: None }
            }
            Kind::Memcached => one(self.memcached(a, cores)?, a, Dialect::Memcached, Some(a)),
        })
    }

    /// A directory for the files of one process.
    pub fn home(&self) -> Result<PathBuf, Error> {
        self.started.set(self.started.get() + 1);
        let home = self.directory.path().join(self.started.get().to_string());
        std::fs::create_dir(&home).map_err(doing("making a directory"))?;
        Ok(home)
    }

    /// The command that serves as one node of `members`.
    pub fn node(
        &self,
        me: SocketAddr,
        members: &[SocketAddr],
        cores: Cores,
        home: &Path,
    ) -> Result<Command, Error> {
        let file = write(home, "ring.toml", &settings::ringhold(me, members))?;
        let mut command = process::on(cores, &self.program.to_string_lossy());
        command.args(["serve", "--config"]).arg(file);
        Ok(command)
    }

    fn ringhold(
        &self,
        me: SocketAddr,
        members: &[SocketAddr],
        cores: Cores,
        environment: &[(&str, &str)],
    ) -> Result<Server, Error> {
        let home = self.home()?;
        let mut command = self.node(me, members, cores, &home)?;
        command.envs(environment.iter().copied());
        let mut server = Server::start("ringhold", command, &home)?;
        server.wait_until_ready(me, Some("/readyz"), &home)?;
        Ok(server)
    }

    /// A member that may have to wait for another.
    fn ringhold_unready(
        &self,
        me: SocketAddr,
        members: &[SocketAddr],
        cores: Cores,
    ) -> Result<Server, Error> {
        let home = self.home()?;
        Server::start("owner", self.node(me, members, cores, &home)?, &home)
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

    fn haproxy(&self, address: SocketAddr, node: SocketAddr, cores: Cores) -> Result<Server, Error> {
        let home = self.home()?;
        let file = write(&home, "haproxy.cfg", &settings::haproxy(address, node, cores))?;
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

fn write(home: &Path, name: &str, text: &str) -> Result<PathBuf, Error> {
    let file = home.join(name);
    std::fs::write(&file, text).map_err(doing(format!("writing {}", file.display())))?;
    Ok(file)
}
