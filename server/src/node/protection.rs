//! What a node's settings make of security: its TLS, the secret it shares, what it asks of whoever connects; and
//! their reload while it runs.
//!
//! Invariant: a reload loads everything that it replaces before it replaces anything; a failure leaves what is in use.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ringhold_config::{self as config, Config};
use ringhold_ring::{MemberAddress, Timestamp};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::http::guard::{Guard, MemberProof, Policy};
use crate::http::report::SecurityReport;
use crate::peer::Identity;
use crate::security::access::{
    Access, AddressError, AddressList, AuthenticationMethod, BearerError, BearerTokens, Scope, TrustedProxies,
};
use crate::security::automatic::{AutomaticError, AutomaticTls, NodeNames};
use crate::security::material::{MaterialError, SecretSources, TlsFiles};
use crate::security::reload::{self, Source, Watcher};
use crate::security::reminder::Reminder;
use crate::security::shared_secret::SharedSecrets;
use crate::security::tls::{NameCheck, Options, Tls, TlsError};
use crate::security::token::TokenVerifier;

/// How often certificates and session keys are looked at, and names of members looked up.
const RENEW_EVERY: Duration = Duration::from_secs(60);
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a node's protection could not be set up. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum ProtectionError {
    /// A keystore, password or secret.
    #[error(transparent)]
    Material(#[from] MaterialError),
    /// TLS of a keystore.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// TLS of the shared secret.
    #[error("tls.auto: {0}")]
    Automatic(#[from] AutomaticError),
    /// Bearer tokens.
    #[error("auth.tokens: {0}")]
    Tokens(#[from] BearerError),
    /// Trusted proxies.
    #[error("access.trusted_proxies: {0}")]
    Proxies(#[from] AddressError),
    /// The kind of protection has changed, not only its material.
    #[error("{0} was configured when the node started, or was not; that changes with a restart only")]
    OtherKind(&'static str),
}

/// Reads the configuration again, as it was read at start.
pub type ReadConfig = Arc<dyn Fn() -> Result<Config, String> + Send + Sync>;

/// Where a configuration comes from that may change while the node runs.
#[derive(Clone)]
pub struct Reload {
    /// The files that it is read from.
    pub files: Vec<PathBuf>,
    /// Reads it again.
    pub read: ReadConfig,
}

/// What protects one node.
#[derive(Debug)]
pub(crate) struct Protection {
    speech: Speech,
    client_auth: config::ClientAuth,
    members: Vec<MemberAddress>,
    /// Where members come from, as their names were last looked up.
    addresses: Arc<Mutex<HashSet<IpAddr>>>,
    verifier: Option<Arc<TokenVerifier>>,
    pub(super) guard: Arc<Guard>,
    watcher: Arc<Watcher>,
    reminder: Reminder,
    clock: Clock,
}

/// How the node speaks.
#[derive(Clone, Debug)]
enum Speech {
    Plain,
    Keystore(Arc<Tls>),
    Automatic(Arc<AutomaticTls>),
}

impl Protection {
    /// Loads everything that `config` names. From here on `identity` proves the shared secret.
    pub(super) async fn load(
        config: &Config,
        reload: Option<Reload>,
        identity: &Arc<Identity>,
        clock: &Clock,
    ) -> Result<Arc<Self>, ProtectionError> {
        let secrets = secrets(config)?;
        let speech = Speech::load(config, secrets.as_ref(), clock)?;
        let me = config.node.address.clone();
        let verifier = secrets
            .as_ref()
            .map(|secrets| Arc::new(TokenVerifier::new(secrets, me, config.auth.clock_skew, clock.wall())));
        identity.set_secrets(secrets);
        let members = config.cluster.members.clone();
        let addresses = look_up(&members).await;
        let policy = policy(config, addresses.clone(), verifier.as_ref())?;
        let addresses = Arc::new(Mutex::new(addresses));
        let guard = Arc::new(Guard::new(policy, clock.clone()));
        let parts = Parts {
            speech: &speech,
            verifier: verifier.as_ref(),
            guard: &guard,
            identity,
            addresses: &addresses,
        };
        let sources = sources(config, reload, parts, clock);
        let watcher = Arc::new(Watcher::new(sources, clock.clone()));
        let client_auth = config.tls.client_auth;
        let (reminder, clock) = (Reminder::default(), clock.clone());
        Ok(Arc::new(Self {
            speech,
            client_auth,
            members,
            addresses,
            verifier,
            guard,
            watcher,
            reminder,
            clock,
        }))
    }

    /// The TLS of listeners that speak it, and of streams to members.
    pub(super) fn tls(&self) -> Option<&Arc<Tls>> {
        self.speech.tls()
    }

    /// Loads everything again, soon.
    pub(super) fn demand(&self) {
        self.watcher.demand();
    }

    /// How it stands, for `/cluster`.
    pub(crate) fn report(&self) -> SecurityReport {
        let tls = match self.speech {
            Speech::Plain => "off",
            Speech::Keystore(_) => "keystore",
            Speech::Automatic(_) => "automatic",
        };
        let client_auth = if self.tls().is_some() { self.client_auth } else { config::ClientAuth::None };
        SecurityReport {
            tls: tls.to_owned(),
            client_auth: client_auth.name().to_owned(),
            shared_secret: self.verifier.is_some(),
            sources: self.sources().into_iter().map(Into::into).collect(),
            certificate: self.tls().map(|tls| (&tls.current().material.identity).into()),
        }
    }

    /// How everything stands that is read from files.
    pub(crate) fn sources(&self) -> Vec<reload::Status> {
        self.watcher.report()
    }

    /// When this node's certificate ends, and when the first of its chain does.
    pub(crate) fn certificate_ends(&self) -> Option<(Timestamp, Timestamp)> {
        let current = self.tls()?.current();
        let identity = &current.material.identity;
        Some((identity.leaf().not_after(), identity.expires_at()))
    }

    /// Watches files, renews certificates and looks up names, until `stop`.
    pub(super) fn keep(self: &Arc<Self>, tasks: &TaskTracker, stop: &CancellationToken) {
        let (watcher, token) = (Arc::clone(&self.watcher), stop.clone());
        tasks.spawn(async move { token.run_until_cancelled(watcher.run(reload::DEFAULT_INTERVAL)).await });
        let (this, token) = (Arc::clone(self), stop.clone());
        tasks.spawn(async move { token.run_until_cancelled(this.renew_forever()).await });
    }

    async fn renew_forever(self: Arc<Self>) {
        loop {
            self.remind();
            tokio::time::sleep(RENEW_EVERY).await;
            if let Err(error) = self.speech.renew() {
                warn!(%error, "a certificate could not be renewed; the old one stays in use");
            }
            if self.members.iter().any(|member| member.ip().is_none()) {
                *self.addresses.lock() = look_up(&self.members).await;
                self.watcher.demand();
            }
        }
    }

    /// A certificate that the node issues itself is renewed in time; a keystore's is its operator's to replace.
    fn remind(&self) {
        if let Speech::Keystore(tls) = &self.speech
            && let Some(line) = self.reminder.look(&tls.current().material.identity, self.clock.wall())
        {
            warn!("{line}");
        }
    }
}

impl Speech {
    fn load(
        config: &Config,
        secrets: Option<&SharedSecrets>,
        clock: &Clock,
    ) -> Result<Self, ProtectionError> {
        let names = if config.tls.verify_names { NameCheck::Required } else { NameCheck::Off };
        let options = Options { client_auth: config.tls.client_auth, names };
        match (tls_files(&config.tls), secrets) {
            (Some(files), _) => {
                let material = files.load(clock.wall())?;
                Ok(Self::Keystore(Arc::new(Tls::new(material, options, clock.clone())?)))
            }
            (None, Some(secrets)) if config.tls.auto => {
                let names = NodeNames::new(&own_names(config))?;
                let automatic = AutomaticTls::start(secrets.clone(), names, options, clock.clone())?;
                Ok(Self::Automatic(Arc::new(automatic)))
            }
            _ => Ok(Self::Plain),
        }
    }

    fn tls(&self) -> Option<&Arc<Tls>> {
        match self {
            Self::Plain => None,
            Self::Keystore(tls) => Some(tls),
            Self::Automatic(automatic) => Some(automatic.tls()),
        }
    }

    fn renew(&self) -> Result<(), ProtectionError> {
        if let Self::Automatic(automatic) = self
            && automatic.renew_if_due()?
        {
            info!("a new certificate is in use");
        }
        self.tls().map_or(Ok(()), |tls| Ok(tls.renew_sessions()?))
    }
}

/// The addresses that a certificate of this node's is for: the one that members know, and those it listens on.
fn own_names(config: &Config) -> Vec<MemberAddress> {
    let listeners = config.listeners.iter().map(|listener| listener.address);
    let named = listeners.filter(|address| !address.ip().is_unspecified()).map(MemberAddress::from);
    std::iter::once(config.node.address.clone()).chain(named).collect()
}

fn tls_files(tls: &config::Tls) -> Option<TlsFiles> {
    Some(TlsFiles {
        keystore: tls.keystore.clone()?,
        keystore_password: tls.keystore_password.clone(),
        key_password: tls.key_password.clone(),
        key_alias: tls.key_alias.clone(),
        truststore: tls.truststore.clone(),
        truststore_password: tls.truststore_password.clone(),
    })
}

fn secret_sources(auth: &config::Auth) -> Option<SecretSources> {
    Some(SecretSources { signing: auth.shared_secret.clone()?, accepted: auth.accept_secrets.clone() })
}

fn secrets(config: &Config) -> Result<Option<SharedSecrets>, MaterialError> {
    secret_sources(&config.auth).map(|sources| sources.load()).transpose()
}

fn policy(
    config: &Config,
    members: HashSet<IpAddr>,
    verifier: Option<&Arc<TokenVerifier>>,
) -> Result<Policy, ProtectionError> {
    let config::Access { allow_all, allow, trusted_proxies, forwarded_header } = &config.access;
    let addresses = match allow.is_empty() || *allow_all {
        true => AddressList::All,
        false => AddressList::Ranges(allow.clone()),
    };
    let proxies: Vec<_> = trusted_proxies.iter().map(ToString::to_string).collect();
    let proxies = match forwarded_header {
        Some(header) => TrustedProxies::new(&proxies, *header)?,
        None => TrustedProxies::none(),
    };
    let shows_certificates = config.tls.client_auth != config::ClientAuth::None;
    let proof = match verifier {
        Some(verifier) => MemberProof::Secret(Arc::clone(verifier)),
        None if config.members_speak_tls() && shows_certificates => MemberProof::Certificate,
        None => MemberProof::Address,
    };
    let access = Access { addresses, members, proxies, methods: methods(&config.auth.tokens)? };
    Ok(Policy { access, members: config.cluster.members.clone(), proof })
}

fn methods(tokens: &[config::ClientToken]) -> Result<Vec<Box<dyn AuthenticationMethod>>, BearerError> {
    if tokens.is_empty() {
        return Ok(Vec::new());
    }
    let tokens = tokens.iter().map(|token| {
        let scope = match token.scope {
            config::Scope::ReadOnly => Scope::ReadOnly,
            config::Scope::ReadWrite => Scope::ReadWrite,
        };
        Ok((token.name.clone(), token.sha256.parse()?, scope))
    });
    Ok(vec![Box::new(BearerTokens::new(tokens.collect::<Result<_, BearerError>>()?)?)])
}

/// What a reload changes the inside of.
struct Parts<'a> {
    speech: &'a Speech,
    verifier: Option<&'a Arc<TokenVerifier>>,
    guard: &'a Arc<Guard>,
    identity: &'a Arc<Identity>,
    addresses: &'a Arc<Mutex<HashSet<IpAddr>>>,
}

/// What a reload replaces. Each source reads the configuration again for its own part of it.
fn sources(config: &Config, reload: Option<Reload>, parts: Parts<'_>, clock: &Clock) -> Vec<Source> {
    let Parts { speech, verifier, guard, identity, addresses } = parts;
    let same = config.clone();
    let reload =
        reload.unwrap_or_else(|| Reload { files: Vec::new(), read: Arc::new(move || Ok(same.clone())) });
    let mut sources = Vec::new();
    if let (Speech::Keystore(tls), Some(files)) = (speech, tls_files(&config.tls)) {
        let (tls, clock) = (Arc::clone(tls), clock.clone());
        sources.push(source("tls", &reload, files.files(), move |config| {
            let files = tls_files(&config.tls).ok_or(ProtectionError::OtherKind("tls.keystore"))?;
            tls.replace(files.load(clock.wall())?)?;
            Ok(files.files())
        }));
    }
    if let (Some(verifier), Some(secrets)) = (verifier, secret_sources(&config.auth)) {
        let (verifier, identity, speech) = (Arc::clone(verifier), Arc::clone(identity), speech.clone());
        sources.push(source("secrets", &reload, secrets.files(), move |config| {
            let sources =
                secret_sources(&config.auth).ok_or(ProtectionError::OtherKind("auth.shared_secret"))?;
            let secrets = sources.load()?;
            if let Speech::Automatic(automatic) = &speech {
                automatic.replace_secrets(secrets.clone())?;
            }
            verifier.replace_secrets(&secrets);
            identity.set_secrets(Some(secrets));
            Ok(sources.files())
        }));
    }
    let (guard, verifier, addresses) = (Arc::clone(guard), verifier.cloned(), Arc::clone(addresses));
    sources.push(source("access", &reload, Vec::new(), move |config| {
        guard.replace(policy(config, addresses.lock().clone(), verifier.as_ref())?);
        Ok(Vec::new())
    }));
    sources
}

/// A source that is made of the configuration's own files and of those that it names; `apply` answers the latter.
fn source(
    name: &'static str,
    reload: &Reload,
    named: Vec<PathBuf>,
    apply: impl Fn(&Config) -> Result<Vec<PathBuf>, ProtectionError> + Send + Sync + 'static,
) -> Source {
    let Reload { files, read } = reload.clone();
    let all = [files.clone(), named].concat();
    let apply = move || {
        let named = apply(&read()?).map_err(|error| error.to_string())?;
        Ok([files.clone(), named].concat())
    };
    Source { name, files: all, apply: Box::new(apply) }
}

/// The addresses that the ring's members come from. A name that cannot be looked up now brings none, and is looked up
/// again.
async fn look_up(members: &[MemberAddress]) -> HashSet<IpAddr> {
    let mut addresses = HashSet::new();
    for member in members {
        if let Some(ip) = member.ip() {
            addresses.insert(ip.to_canonical());
            continue;
        }
        let host = (member.host(), member.port());
        match tokio::time::timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host(host)).await {
            Ok(Ok(found)) => addresses.extend(found.map(|address| address.ip().to_canonical())),
            Ok(Err(error)) => warn!(%member, %error, "the member's name cannot be looked up"),
            Err(_) => warn!(%member, "the member's name cannot be looked up in time"),
        }
    }
    // Who connects to a loopback address comes from the first of them, whichever it calls its own.
    if addresses.iter().any(IpAddr::is_loopback) {
        addresses.extend([IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    }
    addresses
}
