//! Configuration: files in both languages, and settings on the command line.
//!
//! Rule: what is wrong is named in a text, and what is right can be loaded again to the same.

use std::path::PathBuf;
use std::sync::LazyLock;

use ringhold_config::{Config, Sources};
use tempfile::TempDir;

use super::{Target, kind, texts};

const WORDS: &[&str] = &[
    "[node]\n",
    "address = ",
    "[[listener]]\n",
    "members = [",
    "\"127.0.0.1:1\"",
    "[tls]\n",
    "[auth]\n",
    "[access]\n",
    "allow = ",
    "true",
    "false",
    "10s",
    "64MiB",
    "\n",
    "  - ",
    ": ",
    "'''",
    "\"\"\"",
    "&a ",
    "*a",
    "<<: ",
    "inf",
    "nan",
    "1e999",
    "9223372036854775808",
    "\u{0}",
];

pub const FILE: Target =
    Target { name: "config", words: WORDS, max_bytes: 16 << 10, samples: files, run: run_file };
pub const OVERRIDES: Target = Target {
    name: "overrides",
    words: WORDS,
    max_bytes: 4096,
    samples: || {
        texts(&[
            "node.address=127.0.0.1:1\nstore.max_bytes=64MiB",
            "cluster.members=127.0.0.1:1,127.0.0.1:2\nnode.address=127.0.0.1:1",
            "access.allow_all=true",
            "listener=127.0.0.1:1,127.0.0.1:2",
        ])
    },
    run: run_overrides,
};

fn files() -> Vec<Vec<u8>> {
    let toml = "[node]\naddress = \"127.0.0.1:9999\"\n\n[[listener]]\naddress = \"127.0.0.1:9999\"\n\n[cluster]\n\
                members = [\"127.0.0.1:9999\", \"127.0.0.1:9998\"]\nplacement = \"modulo\"\npeer_timeout = \"1s\"\n\n\
                [store]\nmax_bytes = \"64MiB\"\n\n[access]\nallow_all = true\n";
    let secured = "[node]\naddress = \"10.0.0.1:9999\"\n\n[tls]\nkeystore = \"ring.p12\"\nkeystore_password_file = \"p\"\n\
                   client_auth = \"optional\"\n\n[auth]\nshared_secret = \"c1f9d8b04e7a63528fbd0917ace64b30\"\n\
                   accept_secrets_files = [\"a\", \"b\"]\nclock_skew = \"30s\"\n\n[access]\nallow = [\"10.0.0.0/8\"]\n\
                   trusted_proxies = [\"::1\"]\nforwarded_header = \"forwarded\"\n";
    let yaml = "node:\n  address: 127.0.0.1:9999\nlistener:\n  - address: 127.0.0.1:9999\ncluster:\n  members:\n    - \
                127.0.0.1:9999\n    - 127.0.0.1:9998\nstore:\n  max_bytes: 64MiB\n";
    let reference = ringhold_config::reference();
    texts(&[toml, secured, yaml, &reference])
}

/// A folder for this process, since a configuration is read from files; in memory, if there is such a place: a disk
/// makes fourteen inputs into one.
static FOLDER: LazyLock<Option<TempDir>> =
    LazyLock::new(|| tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).ok());

fn run_file(input: &[u8]) -> String {
    let Some(folder) = FOLDER.as_ref() else { return "no folder".into() };
    // Tests may run on several threads.
    let thread = kind(&std::thread::current().id());
    let number = format!("{:?}", std::thread::current().id())
        .replace(|character: char| !character.is_ascii_digit(), "");
    let load = |extension: &str| {
        let path: PathBuf = folder.path().join(format!("{thread}{number}.{extension}"));
        if std::fs::write(&path, input).is_err() {
            return "no file".into();
        }
        judge(Sources { file: Some(&path), environment: Vec::new(), overrides: &[] })
    };
    load("toml") + &load("yaml")
}

fn run_overrides(input: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(input) else { return "no text".into() };
    let overrides: Vec<_> = text.lines().map(str::to_owned).collect();
    judge(Sources { file: None, environment: Vec::new(), overrides: &overrides })
}

fn judge(sources: Sources<'_, Vec<(String, String)>>) -> String {
    match Config::load(sources.clone()) {
        Err(error) => {
            let text = error.to_string();
            assert!(!text.trim().is_empty(), "an error without a word: {error:?}");
            kind(&error)
        }
        Ok(config) => {
            assert_eq!(
                Config::load(sources).ok().as_ref(),
                Some(&config),
                "loading again gives something else"
            );
            "a configuration".into()
        }
    }
}
