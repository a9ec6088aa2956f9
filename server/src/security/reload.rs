//! Watching files and reloading what was made of them, while the node runs.
//!
//! Each source names its files and knows how to load them; it is asked to when their content has changed, or on
//! demand (SIGHUP). A source loads everything before it changes anything, so a bad file changes nothing: the old
//! material stays, and what is wrong is told by [`Watcher::report`] until it is right.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use parking_lot::Mutex;
use ringhold_ring::Timestamp;
use tokio::sync::Notify;
use tracing::{info, warn};

use super::file;
use crate::clock::Clock;

/// How often files are looked at, unless configured.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
/// The most sources, and the most files of each.
pub const MAX_SOURCES: usize = 64;
const MAX_FILE_BYTES: usize = 16 << 20;

/// Something that is made of files.
pub struct Source {
    /// What it is, for logs and `/cluster`: `tls`, `secrets`, `access`.
    pub name: &'static str,
    /// The files that it is made of, read or not.
    pub files: Vec<PathBuf>,
    /// Loads all of it, then puts it in place of the old, and answers the files that it is made of now. An error
    /// changes nothing and shows no secret.
    pub apply: Box<dyn Fn() -> Result<Vec<PathBuf>, String> + Send + Sync>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("name", &self.name).field("files", &self.files).finish_non_exhaustive()
    }
}

/// Why files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Time has passed: load what has changed.
    Interval,
    /// Someone asks: load everything again.
    Demand,
}

/// What became of a source that was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which.
    pub name: &'static str,
    /// Why not, if not.
    pub result: Result<(), String>,
}

/// How a source stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which.
    pub name: &'static str,
    /// Its files.
    pub files: Vec<PathBuf>,
    /// When what is in use was loaded.
    pub loaded_at: Timestamp,
    /// How often it was replaced since the node started.
    pub reloads: u64,
    /// How often that failed.
    pub failures: u64,
    /// What is wrong with the files as they are, and since when; none: they are what is in use.
    pub error: Option<(String, Timestamp)>,
}

/// Every source of a node. What they name must have been loaded once before, at start.
#[derive(Debug)]
pub struct Watcher {
    watched: Mutex<Vec<Watched>>,
    demand: Notify,
    clock: Clock,
}

#[derive(Debug)]
struct Watched {
    source: Source,
    stamps: Vec<Option<Stamp>>,
    content: Content,
    status: Status,
}

/// What tells a changed file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The SHA-256 of all files; a file that cannot be read counts as absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Content([u8; 32]);

impl Watcher {
    /// Watches `sources`, which are in use as their files are now; sources beyond [`MAX_SOURCES`] and files beyond
    /// as many are not watched.
    #[must_use]
    pub fn new(sources: Vec<Source>, clock: Clock) -> Self {
        let now = clock.wall();
        let watched = sources.into_iter().take(MAX_SOURCES).map(|mut source| {
            source.files.truncate(MAX_SOURCES);
            Watched {
                stamps: stamps(&source.files),
                content: Content::of(&source.files),
                status: Status {
                    name: source.name,
                    files: source.files.clone(),
                    loaded_at: now,
                    reloads: 0,
                    failures: 0,
                    error: None,
                },
                source,
            }
        });
        Self { watched: Mutex::new(watched.collect()), demand: Notify::new(), clock }
    }

    /// Looks at every source once and loads those that need it. It reads files: call it off the async threads.
    pub fn check(&self, trigger: Trigger) -> Vec<Outcome> {
        let now = self.clock.wall();
        // One check at a time; nobody else waits for this lock but reports.
        self.watched.lock().iter_mut().filter_map(|watched| watched.check(trigger, now)).collect()
    }

    /// How every source stands.
    #[must_use]
    pub fn report(&self) -> Vec<Status> {
        self.watched.lock().iter().map(|watched| watched.status.clone()).collect()
    }

    /// Has the running watcher load everything again, soon.
    pub fn demand(&self) {
        self.demand.notify_one();
    }

    /// Checks at every `interval` and on demand, and logs what comes of it, for as long as it is polled.
    pub async fn run(self: Arc<Self>, interval: Duration) {
        loop {
            let trigger = tokio::select! {
                () = tokio::time::sleep(interval) => Trigger::Interval,
                () = self.demand.notified() => Trigger::Demand,
            };
            let this = Arc::clone(&self);
            let outcomes = tokio::task::spawn_blocking(move || this.check(trigger)).await;
            outcomes.unwrap_or_default().iter().for_each(log);
        }
    }
}

fn log(outcome: &Outcome) {
    match &outcome.result {
        Ok(()) => info!(source = outcome.name, "reloaded; new connections use it"),
        Err(why) => warn!(source = outcome.name, why, "not reloaded; the old one stays in use"),
    }
}

impl Watched {
    fn check(&mut self, trigger: Trigger, now: Timestamp) -> Option<Outcome> {
        let stamps = stamps(&self.source.files);
        if trigger == Trigger::Interval && stamps == self.stamps {
            return None;
        }
        // Before loading: what changes during it is seen the next time.
        let content = Content::of(&self.source.files);
        self.stamps = stamps;
        if trigger == Trigger::Interval && content == self.content {
            return None;
        }
        self.content = content;
        let result = (self.source.apply)().map(|files| self.watch(files));
        match &result {
            Ok(()) => {
                self.status.loaded_at = now;
                self.status.reloads += 1;
                self.status.error = None;
            }
            Err(why) => {
                self.status.failures += 1;
                self.status.error = Some((why.clone(), now));
            }
        }
        Some(Outcome { name: self.source.name, result })
    }
}

impl Watched {
    /// Watches these files from now on, if they are others than before.
    fn watch(&mut self, mut files: Vec<PathBuf>) {
        files.truncate(MAX_SOURCES);
        if files != self.source.files {
            self.stamps = stamps(&files);
            self.content = Content::of(&files);
            self.status.files.clone_from(&files);
            self.source.files = files;
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    files.iter().map(|path| Stamp::of(path)).collect()
}

impl Stamp {
    /// Through links: Kubernetes swaps a link to a folder.
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let meta = std::fs::metadata(path).ok()?;
        let (modified, changed) = ((meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec()));
        Some(Self { length: meta.len(), inode: meta.ino(), modified, changed })
    }
}

impl Content {
    fn of(files: &[PathBuf]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for path in files {
            match file::read(path, MAX_FILE_BYTES) {
                Ok(bytes) => {
                    context.update(&(bytes.len() as u64 + 1).to_be_bytes());
                    context.update(&bytes);
                }
                Err(_) => context.update(&0_u64.to_be_bytes()),
            }
        }
        let mut content = [0; 32];
        content.copy_from_slice(context.finish().as_ref());
        Self(content)
    }
}

#[cfg(test)]
mod tests;
