//! What the tests here share: `keytool` and `openssl` working in a folder of their own, and quick certificates.
//! A tool that is missing fails the test.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use ringhold_ring::Timestamp;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::certificate::Certificate;
use super::identity::Identity;
use super::keystore::{Keystore, KeystoreError, Passwords};
use super::shared_secret::{SharedSecrets, generate_secret};
use crate::clock::Clock;

/// The time by the machine's clock: the tools date what they make by it.
pub fn now() -> Timestamp {
    Clock::system().wall()
}

pub const DAY: Duration = Duration::from_secs(24 * 3600);

pub fn before(moment: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_millis(moment.as_millis() - by.as_millis() as u64)
}

/// A folder in which tools work; it goes when this is dropped.
pub struct Workshop(tempfile::TempDir);

impl Workshop {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Runs `command`, split at blanks; it must succeed. Answers what it said.
    pub fn run(&self, command: &str) -> String {
        let words: Vec<_> = command.split_whitespace().collect();
        self.run_words(&words)
    }

    pub fn run_words(&self, words: &[&str]) -> String {
        let (tool, arguments) = words.split_first().unwrap();
        let output = Command::new(tool)
            .args(arguments)
            .current_dir(self.0.path())
            .env("JAVA_TOOL_OPTIONS", "-Xshare:auto -XX:TieredStopAtLevel=1")
            .output();
        let output = output.unwrap_or_else(|error| panic!("{tool} is needed on the PATH: {error}"));
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{words:?} failed: {said}");
        said
    }

    pub fn open(&self, name: &str, passwords: &Passwords) -> Result<Keystore, KeystoreError> {
        Keystore::read(&self.bytes(name), passwords)
    }
}

/// An authority for tests.
pub struct TestAuthority {
    issuer: Issuer<'static, KeyPair>,
    pub certificate: Certificate,
}

/// How a test certificate is to be.
#[derive(Clone)]
pub struct Wanted<'a> {
    pub names: &'a [&'a str],
    pub from: Timestamp,
    pub to: Timestamp,
    pub subject: &'a str,
    pub is_ca: bool,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        let (from, to) = (before(now(), DAY), now() + DAY * 30);
        Self { names: &[], from, to, subject: "node", is_ca: false }
    }
}

impl Wanted<'_> {
    fn params(&self) -> CertificateParams {
        let names: Vec<_> = self.names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, self.subject);
        let moment = |at: Timestamp| SystemTime::UNIX_EPOCH + Duration::from_millis(at.as_millis());
        params.not_before = moment(self.from).into();
        params.not_after = moment(self.to).into();
        if self.is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params
    }

    /// Self-signed.
    pub fn self_signed(&self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = self.params().self_signed(&key).unwrap();
        identity(&key, vec![Certificate::parse(certificate.der().clone()).unwrap()], self.from)
    }
}

impl TestAuthority {
    pub fn new(subject: &str) -> Self {
        let params = Wanted { subject, is_ca: true, ..Wanted::default() }.params();
        let key = KeyPair::generate().unwrap();
        let certificate = Certificate::parse(params.self_signed(&key).unwrap().der().clone()).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub fn sign(&self, wanted: &Wanted<'_>) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = wanted.params().signed_by(&key, &self.issuer).unwrap();
        identity(&key, vec![Certificate::parse(certificate.der().clone()).unwrap()], wanted.from)
    }
}

fn identity(key: &KeyPair, chain: Vec<Certificate>, at: Timestamp) -> Identity {
    let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Identity::new(&der, chain, at + Duration::from_secs(1)).unwrap()
}

pub fn some_secrets() -> SharedSecrets {
    SharedSecrets::new(&generate_secret().unwrap(), &[]).unwrap()
}
