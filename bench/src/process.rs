//! Programs as processes: on which cores they run, what they use, and that none is left behind.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::{Error, doing};

/// A ring's members may rest for ten seconds before they are asked again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a process may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    /// On this one alone.
    Only(usize),
    /// On this one alone, and ahead of everything else there.
    Ahead(usize),
    /// Anywhere.
    Any,
}

/// Servers have this core when they are pinned.
pub const SERVERS: Cores = Cores::Only(0);
/// And this where latency is measured: what else the machine does must not be what is seen.
pub const SERVERS_AHEAD: Cores = Cores::Ahead(0);
/// What disturbs a measurement of latency has the servers' core as long as they do not want it.
pub const BEHIND: Cores = Cores::Only(0);
/// The load generator has this one.
pub const GENERATOR: Cores = Cores::Only(1);

/// A command that will run on `cores`.
pub fn on(cores: Cores, program: &str) -> Command {
    // Each of these becomes the program that it starts, so the process is ours to measure and to end.
    match cores {
        Cores::Ahead(core) if may_go_ahead() => {
            let mut command = Command::new("chrt");
            command.args(["--fifo", "50", "taskset", "-c", &core.to_string(), program]);
            command
        }
        Cores::Only(core) | Cores::Ahead(core) => {
            let mut command = Command::new("taskset");
            command.args(["-c", &core.to_string(), program]);
            command
        }
        Cores::Any => Command::new(program),
    }
}

/// Lets this process, and those that it starts, have as many connections open as the system permits.
pub fn allow_many_files() {
    let limits = getrlimit(Resource::Nofile);
    // If it cannot be had, what needs it says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits });
}

/// Whether the system lets us put processes ahead of others.
pub fn may_go_ahead() -> bool {
    static MAY: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *MAY.get_or_init(|| {
        let tried = Command::new("chrt").args(["--fifo", "50", "true"]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    })
}

/// A running server. It ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// What it is called in tables.
    pub name: &'static str,
    child: Child,
}

impl Server {
    /// Starts `command`; what it says goes to a file in `directory`.
    pub fn start(name: &'static str, mut command: Command, directory: &Path) -> Result<Self, Error> {
        let log = std::fs::File::create(directory.join("log")).map_err(doing("making a log"))?;
        let errors = log.try_clone().map_err(doing("making a log"))?;
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        Ok(Self { name, child: child.map_err(doing(format!("starting {name}")))? })
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Time on a processor so far, of all threads and of all processes that it started.
    pub fn cpu(&self) -> Result<Duration, Error> {
        let mut sum = cpu_of(self.child.id())?;
        for child in children(self.child.id()) {
            sum += cpu_of(child)?;
        }
        Ok(sum)
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> Result<u64, Error> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path).map_err(doing(format!("reading {path}")))?;
        let kilobytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kilobytes.map(|kilobytes| kilobytes << 10).ok_or_else(|| Error::Program {
            program: self.name.into(),
            what: "it has ended, or has no memory".into(),
        })
    }

    /// Files and sockets that it has open.
    pub fn open_files(&self) -> Result<usize, Error> {
        let path = format!("/proc/{}/fd", self.child.id());
        Ok(std::fs::read_dir(&path).map_err(doing(format!("reading {path}")))?.count())
    }

    /// Waits until it takes connections on `address` and, where there is a `path`, answers it with 200.
    pub fn wait_until_ready(
        &mut self,
        address: SocketAddr,
        path: Option<&str>,
        log: &Path,
    ) -> Result<(), Error> {
        self.wait_until(|| is_ready(address, path), log)
    }

    /// Waits until `is_ready`; if it never is, what the server has said to `log` is the reason.
    pub fn wait_until(&mut self, is_ready: impl Fn() -> bool, log: &Path) -> Result<(), Error> {
        let start = Instant::now();
        while !is_ready() {
            let ended = self.child.try_wait().map_err(doing("looking after a process"))?;
            if ended.is_some() || start.elapsed() > PATIENCE {
                let said = std::fs::read_to_string(log.join("log")).unwrap_or_default();
                let what = format!("it is not ready (ended: {ended:?}); it said:\n{said}");
                return Err(Error::Program { program: self.name.into(), what });
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for child in children(self.child.id()) {
            // Workers end with their master's sockets; asking them is kinder than leaving it to chance.
            let _ = Command::new("kill").arg(child.to_string()).stderr(Stdio::null()).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether something answers there, with 200 where there is a `path`.
pub fn is_ready(address: SocketAddr, path: Option<&str>) -> bool {
    match path {
        Some(path) => ask(address, path).is_some(),
        None => TcpStream::connect_timeout(&address, PATIENCE).is_ok(),
    }
}

/// What is answered with 200 at `path`.
pub fn ask(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
}

/// Free ports on loopback, in rising order.
pub fn addresses<const N: usize>() -> Result<[SocketAddr; N], Error> {
    let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); N];
    addresses.copy_from_slice(&free_addresses(N)?);
    Ok(addresses)
}

/// The same, so many.
pub fn free_addresses(count: usize) -> Result<Vec<SocketAddr>, Error> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    // All are held before one is given back, so that none comes twice.
    let held: Result<Vec<_>, _> = (0..count).map(|_| TcpListener::bind(any)).collect();
    let addresses =
        held.and_then(|held| held.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>());
    let mut addresses = addresses.map_err(doing("finding a free port"))?;
    addresses.sort_unstable();
    Ok(addresses)
}

/// This process's own time on a processor; it has one thread.
pub fn own_cpu() -> Result<Duration, Error> {
    cpu_of(std::process::id())
}

fn cpu_of(process: u32) -> Result<Duration, Error> {
    let path = format!("/proc/{process}/task");
    let tasks = std::fs::read_dir(&path).map_err(doing(format!("reading {path}")))?;
    let of_task = |task: std::fs::DirEntry| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    // A thread may end meanwhile.
    Ok(Duration::from_nanos(tasks.flatten().filter_map(of_task).sum()))
}

fn children(process: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let is_child = |id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
        parent.is_some_and(|parent| parent == process.to_string())
    };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_child).collect()
}
