//! Where certificates and secrets are made: `keytool`, `openssl` and `curl` working in a folder of their own.
//!
//! A tool that is missing fails the test. It remembers every secret that it has made, so that a test can look for them
//! where they must not be.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const POLL: Duration = Duration::from_millis(20);

/// The password of every store here.
pub const PASSWORD: &str = "k3ystore-Passw0rd";
/// The password of the keys that have one of their own.
pub const KEY_PASSWORD: &str = "separate-K3y-word";

/// A folder with tools; it goes when this is dropped.
#[derive(Debug)]
pub struct Workshop {
    folder: TempDir,
    secrets: Mutex<Vec<String>>,
}

/// How a program ended and what it said.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its exit code; none: a signal ended it.
    pub code: Option<i32>,
    /// On its standard output.
    pub out: String,
    /// On its standard error.
    pub err: String,
}

impl Said {
    /// Both outputs.
    #[must_use]
    pub fn all(&self) -> String {
        format!("{}\n{}", self.out, self.err)
    }

    /// That it succeeded.
    ///
    /// # Panics
    /// When it did not.
    pub fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }
}

impl Default for Workshop {
    fn default() -> Self {
        Self::new()
    }
}

impl Workshop {
    /// An empty one.
    ///
    /// # Panics
    /// When there is no room.
    #[must_use]
    pub fn new() -> Self {
        let secrets = Mutex::new(vec![PASSWORD.into(), KEY_PASSWORD.into()]);
        Self { folder: tempfile::tempdir().expect("there is room for keystores"), secrets }
    }

    /// A file in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text.
    #[must_use]
    pub fn name(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Writes a file, as a whole or not at all: members may be watching it.
    ///
    /// # Panics
    /// When there is no room.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let (path, new) = (self.path(name), self.path(&format!("{name}.new")));
        std::fs::write(&new, content).expect("the folder is ours");
        std::fs::rename(&new, &path).expect("the folder is ours");
        path
    }

    /// Reads a file.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Puts a copy of one file in place of another.
    ///
    /// # Panics
    /// When it is not there.
    pub fn replace(&self, name: &str, by: &str) {
        self.write(name, self.bytes(by));
    }

    /// A new secret, of 256 random bits in hexadecimal digits.
    ///
    /// # Panics
    /// When the machine has no random numbers.
    pub fn secret(&self) -> String {
        let secret = self.run("openssl rand -hex 32").out.trim().to_owned();
        self.secrets.lock().expect("nobody panics with it").push(secret.clone());
        secret
    }

    /// A new secret in a file.
    pub fn secret_file(&self, name: &str) -> String {
        let secret = self.secret();
        self.write(name, format!("{secret}\n"));
        secret
    }

    /// Every secret and password that was made here.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.secrets.lock().expect("nobody panics with it").clone()
    }

    /// Runs `command`, split at blanks; it must succeed.
    pub fn run(&self, command: &str) -> Said {
        let words: Vec<_> = command.split_whitespace().collect();
        self.try_run(&words).well()
    }

    /// Runs a command.
    ///
    /// # Panics
    /// When there is no such program.
    #[must_use]
    pub fn try_run(&self, words: &[&str]) -> Said {
        let output = self.command(words).output();
        said(output.unwrap_or_else(|error| panic!("{} is needed: {error}", words[0])))
    }

    /// Runs a command until it ends or is told to.
    ///
    /// # Panics
    /// When there is no such program.
    #[must_use]
    pub fn run_until(&self, words: &[&str], ends: &AtomicBool) -> Said {
        let mut command = self.command(words);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.unwrap_or_else(|error| panic!("{} is needed: {error}", words[0]));
        let pid = Pid::from_child(&child);
        // Its output is read while it runs, so that no pipe fills up.
        let output = std::thread::spawn(move || child.wait_with_output());
        while !ends.load(Ordering::Relaxed) && !output.is_finished() {
            std::thread::sleep(POLL);
        }
        // Not an interrupt: whoever started the tests in the background has had those ignored, here too.
        let _ = kill_process(pid, Signal::TERM);
        said(output.join().expect("it does not panic").expect("it is our child"))
    }

    fn command(&self, words: &[&str]) -> Command {
        let (program, arguments) = words.split_first().expect("a command has a program");
        let mut command = Command::new(program);
        // Java starts in half the time like this.
        command.env("JAVA_TOOL_OPTIONS", "-Xshare:auto -XX:TieredStopAtLevel=1");
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("RINGHOLD_") {
                command.env_remove(variable);
            }
        }
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Makes a key in a store of `keytool`; `more` are its other options.
    pub fn keytool(&self, store: &str, kind: &str, alias: &str, more: &str) {
        self.run(&format!(
            "keytool -genkeypair -keyalg EC -groupname secp256r1 -storetype {kind} -keystore {store} -alias {alias} \
             -storepass {PASSWORD} -validity 30 {more}"
        ));
    }

    /// Makes a store that trusts the certificates `entries` (alias and PEM file).
    pub fn truststore(&self, store: &str, entries: &[(&str, &str)]) {
        let temporary = format!("{store}.making");
        let _ = std::fs::remove_file(self.path(&temporary));
        for (alias, certificate) in entries {
            self.run(&format!(
                "keytool -importcert -noprompt -storetype PKCS12 -keystore {temporary} -alias {alias} -file {certificate} \
                 -storepass {PASSWORD}"
            ));
        }
        self.replace(store, &temporary);
    }

    /// Writes the certificate of a key in a store to a PEM file.
    pub fn export_certificate(&self, store: &str, alias: &str, to: &str) {
        self.run(&format!(
            "keytool -exportcert -rfc -keystore {store} -alias {alias} -file {to} -storepass {PASSWORD}"
        ));
    }

    /// Makes a private authority, `NAME.crt` and `NAME.key`.
    pub fn authority(&self, name: &str) {
        self.run(&format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.crt \
             -days 30 -subj /CN={name}"
        ));
    }

    /// Makes a certificate that `authority` signs, `NAME.crt` and `NAME.key`; `names` as `IP:127.0.0.1,DNS:a.example`.
    pub fn signed(&self, name: &str, authority: &str, names: &str) {
        let usage = "extendedKeyUsage=serverAuth,clientAuth";
        let alternatives = if names.is_empty() { String::new() } else { format!("subjectAltName={names}\n") };
        self.write(&format!("{name}.ext"), format!("{alternatives}{usage}\n"));
        self.run(&format!(
            "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr -subj \
             /CN={name}"
        ));
        self.run(&format!(
            "openssl x509 -req -in {name}.csr -CA {authority}.crt -CAkey {authority}.key -CAcreateserial -days 30 -extfile \
             {name}.ext -out {name}.crt"
        ));
    }

    /// The same as a PKCS#12 store, `NAME.p12`, with the authority as a trusted entry.
    pub fn signed_store(&self, name: &str, authority: &str, names: &str) {
        self.signed(name, authority, names);
        self.run(&format!(
            "openssl pkcs12 -export -inkey {name}.key -in {name}.crt -name {name} -passout pass:{PASSWORD} -out {name}.p12"
        ));
        self.run(&format!(
            "keytool -importcert -noprompt -keystore {name}.p12 -alias authority -file {authority}.crt -storepass {PASSWORD}"
        ));
    }

    /// The key and certificates of a store as one PEM file, for `curl` and `openssl`.
    pub fn to_pem(&self, store: &str, alias: &str, password: &str, pem: &str) {
        let temporary = format!("{pem}.p12");
        self.run(&format!(
            "keytool -importkeystore -noprompt -srckeystore {store} -srcalias {alias} -srcstorepass {PASSWORD} \
             -srckeypass {password} -destkeystore {temporary} -deststoretype PKCS12 -deststorepass {PASSWORD} \
             -destkeypass {PASSWORD}"
        ));
        self.run(&format!(
            "openssl pkcs12 -in {temporary} -passin pass:{PASSWORD} -clcerts -nodes -out {pem}"
        ));
    }
}

fn said(output: Output) -> Said {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// The text of every file beside `file`, itself included: all that a member has written.
///
/// # Panics
/// When they cannot be read.
#[must_use]
pub fn written_beside(file: &Path) -> String {
    let folder = file.parent().expect("a file has a folder");
    let paths =
        std::fs::read_dir(folder).expect("the folder is ours").map(|entry| entry.expect("readable").path());
    let written = paths.filter(|path| path.is_file() && path != file);
    written
        .map(|path| String::from_utf8_lossy(&std::fs::read(path).expect("readable")).into_owned())
        .collect()
}
