//! Whom a command believes over TLS, who it says it is, and the token it shows: by option, else by variable.
//!
//! The files are read by the code that a node reads them with, so whatever secures a ring also opens it to a command.
//! Invariant: nothing here believes everyone; every certificate and every host name is checked, except that a
//! certificate which is trusted byte for byte needs no name.

use std::path::{Path, PathBuf};

use clap::Args;
use ringhold_client::ClientBuilder;
use ringhold_ring::MemberAddress;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Failure, password};
use crate::clock::Clock;
use crate::security::automatic::{self, NodeNames};
use crate::security::certificate::Certificate;
use crate::security::file;
use crate::security::identity::{Identity, Trust};
use crate::security::keystore::{Keystore, MAX_KEYSTORE_BYTES, Passwords};
use crate::security::secret::Secret;
use crate::security::shared_secret::SharedSecrets;
use crate::security::tls::{NameCheck, client_config};

/// The host name in the certificate that a command issues itself: no member can have it (RFC 2606).
const CLIENT_NAME: &str = "client.ringhold.invalid:1";

/// Options that secure a connection.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Trust and credentials")]
pub struct Credentials {
    /// Believe nodes with these certificates, or signed by them: PEM [default: the RINGHOLD_CACERT variable]
    #[arg(long, value_name = "FILE", global = true)]
    cacert: Option<PathBuf>,
    /// Show nodes this certificate: PEM, with --key [default: the RINGHOLD_CERT variable]
    #[arg(long, value_name = "FILE", global = true)]
    cert: Option<PathBuf>,
    /// The private key of --cert: PEM [default: the RINGHOLD_KEY variable]
    // Commands have a `key` of their own.
    #[arg(id = "private_key", long = "key", value_name = "FILE", global = true)]
    key: Option<PathBuf>,
    /// A keystore as nodes have it, JKS, PKCS#12 or PEM: show its certificate, believe whom it trusts [default: the
    /// RINGHOLD_KEYSTORE variable]
    #[arg(long, value_name = "FILE", global = true)]
    keystore: Option<PathBuf>,
    /// What opens --keystore: a file, or - for a line of stdin [default: the RINGHOLD_KEYSTORE_PASSWORD_FILE variable,
    /// or RINGHOLD_KEYSTORE_PASSWORD with the password itself]
    #[arg(long, value_name = "FILE", global = true)]
    keystore_password_file: Option<PathBuf>,
    /// Which private key of --keystore, when it has several [default: the RINGHOLD_KEY_ALIAS variable]
    #[arg(long, value_name = "ALIAS", global = true)]
    key_alias: Option<String>,
    /// The shared secret of a ring with automatic TLS: a file, or - for a line of stdin [default: the
    /// RINGHOLD_SECRET_FILE variable]
    #[arg(long, value_name = "FILE", global = true)]
    secret_file: Option<PathBuf>,
    /// A bearer token to show: a file, or - for a line of stdin [default: the RINGHOLD_TOKEN_FILE variable, or
    /// RINGHOLD_TOKEN with the token itself]
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
}

impl Credentials {
    /// Gives `builder` what options and variables say.
    pub fn apply(
        mut self,
        builder: ClientBuilder,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<ClientBuilder, Failure> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        self.take_from(&variable);
        let builder = match self.client_config(&variable)? {
            Some(config) => builder.tls(config),
            None => builder,
        };
        let token = password::read(self.token_file.as_deref(), || variable("RINGHOLD_TOKEN"))?;
        Ok(token.iter().fold(builder, |builder, token| builder.bearer_token(token.expose())))
    }

    /// Refuses these options for a command that talks to no node: ignored, they would promise what they do not do.
    pub fn refuse(&self) -> Result<(), Failure> {
        match self.given().first() {
            None => Ok(()),
            Some(option) => Err(Failure::usage(format!(
                "{option} is for commands that talk to a node; a node itself has the settings [tls] and [auth]"
            ))),
        }
    }

    fn given(&self) -> Vec<&'static str> {
        let options = [
            ("--cacert", self.cacert.is_some()),
            ("--cert", self.cert.is_some()),
            ("--key", self.key.is_some()),
            ("--keystore", self.keystore.is_some()),
            ("--keystore-password-file", self.keystore_password_file.is_some()),
            ("--key-alias", self.key_alias.is_some()),
            ("--secret-file", self.secret_file.is_some()),
            ("--token-file", self.token_file.is_some()),
        ];
        options.into_iter().filter(|(_, is_given)| *is_given).map(|(option, _)| option).collect()
    }

    /// An option wins over its variable.
    fn take_from(&mut self, variable: &impl Fn(&str) -> Option<String>) {
        let path = |name: &str| variable(name).map(PathBuf::from);
        self.cacert = self.cacert.take().or_else(|| path("RINGHOLD_CACERT"));
        self.cert = self.cert.take().or_else(|| path("RINGHOLD_CERT"));
        self.key = self.key.take().or_else(|| path("RINGHOLD_KEY"));
        self.keystore = self.keystore.take().or_else(|| path("RINGHOLD_KEYSTORE"));
        self.keystore_password_file =
            self.keystore_password_file.take().or_else(|| path("RINGHOLD_KEYSTORE_PASSWORD_FILE"));
        self.key_alias = self.key_alias.take().or_else(|| variable("RINGHOLD_KEY_ALIAS"));
        self.secret_file = self.secret_file.take().or_else(|| path("RINGHOLD_SECRET_FILE"));
        self.token_file = self.token_file.take().or_else(|| path("RINGHOLD_TOKEN_FILE"));
    }

    fn client_config(
        &self,
        variable: &impl Fn(&str) -> Option<String>,
    ) -> Result<Option<ClientConfig>, Failure> {
        let clock = Clock::system();
        let (identity, trust) = match (&self.secret_file, &self.keystore, &self.cacert, &self.cert, &self.key)
        {
            (None, None, None, None, None) => return Ok(None),
            (Some(file), None, None, None, None) => {
                let secret = password::read(Some(file), || None)?;
                return secret.map(|secret| automatic(&secret, &clock)).transpose();
            }
            (Some(_), ..) => {
                return Err(Failure::usage(
                    "--secret-file (RINGHOLD_SECRET_FILE) stands for all certificates; leave out --keystore, --cacert, \
                     --cert and --key, and their variables",
                ));
            }
            (None, Some(keystore), cacert, None, None) => {
                let password = password::read(self.keystore_password_file.as_deref(), || {
                    variable("RINGHOLD_KEYSTORE_PASSWORD")
                })?;
                let passwords = Passwords { store: password, key: None };
                let store = Keystore::open(keystore, &passwords).map_err(failed)?;
                let named = |error| failed(format!("{}: {error}", keystore.display()));
                let identity = match store.keys() {
                    [] => None,
                    _ => Some(store.identity(self.key_alias.as_deref(), &passwords, clock.wall())),
                };
                let trust = match cacert {
                    Some(cacert) => trusted(cacert)?,
                    None => store.trust().map_err(named)?,
                };
                (identity.transpose().map_err(named)?, trust)
            }
            (None, None, Some(cacert), None, None) => (None, trusted(cacert)?),
            (None, None, Some(cacert), Some(cert), Some(key)) => {
                (Some(pair(cert, key, &clock)?), trusted(cacert)?)
            }
            (None, Some(_), ..) => {
                return Err(Failure::usage(
                    "--keystore (RINGHOLD_KEYSTORE) has certificate and key; leave out --cert and --key, and their \
                     variables",
                ));
            }
            (None, None, ..) => {
                return Err(Failure::usage(
                    "--cert and --key belong together, and with --cacert, which says whom to believe",
                ));
            }
        };
        client_config(identity.as_ref(), &trust, NameCheck::Required, &clock).map(Some).map_err(failed)
    }
}

/// A client of a ring with automatic TLS: what the secret's authority signs is believed, and nothing else.
pub fn automatic(secret: &Secret, clock: &Clock) -> Result<ClientConfig, Failure> {
    let secrets = SharedSecrets::new(secret, &[]).map_err(failed)?;
    let name: MemberAddress = CLIENT_NAME.parse().map_err(failed)?;
    let names = NodeNames::new(&[name]).map_err(failed)?;
    let material = automatic::material(&secrets, &names, clock.wall()).map_err(failed)?;
    client_config(Some(&material.identity), &material.trust, NameCheck::Required, clock).map_err(failed)
}

fn trusted(cacert: &Path) -> Result<Trust, Failure> {
    let store = Keystore::open(cacert, &Passwords::default()).map_err(failed)?;
    store.trust().map_err(|error| failed(format!("{}: {error}", cacert.display())))
}

/// Both may be one file. Of what is in `key` no error says anything.
fn pair(cert: &Path, key: &Path, clock: &Clock) -> Result<Identity, Failure> {
    let read = |path: &Path| file::read(path, MAX_KEYSTORE_BYTES).map_err(failed);
    let said = |path: &Path, what: &str| failed(format!("{}: {what}", path.display()));
    let chain = CertificateDer::pem_slice_iter(&read(cert)?).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|_| said(cert, "it is not PEM that can be read"))?;
    let parsed = chain.into_iter().map(Certificate::parse).collect::<Result<Vec<_>, _>>();
    let parsed = parsed.map_err(|error| said(cert, &error.to_string()))?;
    if parsed.is_empty() {
        return Err(said(cert, "it holds no certificate in PEM"));
    }
    let unread =
        "it holds no private key in PEM without a password; a file with a password is for --keystore";
    let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| said(key, unread))?;
    Identity::new(&private, parsed, clock.wall()).map_err(|error| said(cert, &error.to_string()))
}

fn failed(error: impl ToString) -> Failure {
    Failure::general(error.to_string())
}
