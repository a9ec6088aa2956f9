//! The sections that keep strangers out, as types: `[tls]`, `[auth]`, `[access]`.
//!
//! Invariant: no `Debug` output of them shows a secret, or the digest of a token.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::addresses::AddressRange;
use crate::secret::SecretSource;

/// `[tls]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The file with this node's key and certificates.
    pub keystore: Option<PathBuf>,
    /// What opens it.
    pub keystore_password: Option<SecretSource>,
    /// What opens the private key, when that is another password.
    pub key_password: Option<SecretSource>,
    /// Which private key, when there are several.
    pub key_alias: Option<String>,
    /// Whom to trust; without it, whom the keystore trusts.
    pub truststore: Option<PathBuf>,
    /// What opens the truststore; without it, what opens the keystore.
    pub truststore_password: Option<SecretSource>,
    /// Whether those who connect show a certificate.
    pub client_auth: ClientAuth,
    /// Certificates without any file, made from the shared secret.
    pub auto: bool,
    /// Whether the name in a member's certificate is compared with its address.
    pub verify_names: bool,
}

impl Tls {
    /// Whether there is anything to speak TLS with.
    #[must_use]
    pub const fn is_configured(&self) -> bool {
        self.keystore.is_some() || self.auto
    }
}

impl Default for Tls {
    /// No TLS.
    fn default() -> Self {
        Self {
            keystore: None,
            keystore_password: None,
            key_password: None,
            key_alias: None,
            truststore: None,
            truststore_password: None,
            client_auth: ClientAuth::Required,
            auto: false,
            verify_names: true,
        }
    }
}

/// Whether those who connect show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// Nobody connects without one.
    #[default]
    Required,
    /// Those who have one show it; a wrong one is refused all the same.
    Optional,
    /// Nobody is asked.
    None,
}

impl ClientAuth {
    pub(crate) const ALL: [Self; 3] = [Self::Required, Self::Optional, Self::None];

    /// Its name in configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
            Self::None => "none",
        }
    }
}

/// `[auth]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// What members prove to each other that they hold.
    pub shared_secret: Option<SecretSource>,
    /// Secrets that are accepted besides, while they are rotated.
    pub accept_secrets: Vec<SecretSource>,
    /// How far the clocks of two members may be apart.
    pub clock_skew: Duration,
    /// What clients show; none: they need not show any.
    pub tokens: Vec<ClientToken>,
}

impl Default for Auth {
    /// No authentication.
    fn default() -> Self {
        Self {
            shared_secret: None,
            accept_secrets: Vec::new(),
            clock_skew: Duration::from_secs(30),
            tokens: Vec::new(),
        }
    }
}

/// One of `auth.tokens`: a bearer token that a client shows.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientToken {
    /// What logs call it.
    pub name: String,
    /// The SHA-256 of the token: 64 hexadecimal digits, small letters.
    pub sha256: String,
    /// What it is good for.
    pub scope: Scope,
}

impl fmt::Debug for ClientToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientToken({:?}, ***, {:?})", self.name, self.scope)
    }
}

/// What a client's token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Requests that change nothing.
    ReadOnly,
    /// Every request.
    ReadWrite,
}

impl Scope {
    pub(crate) const ALL: [Self; 2] = [Self::ReadOnly, Self::ReadWrite];

    /// Its name in configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::ReadWrite => "read-write",
        }
    }
}

/// `[access]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Everyone who can reach a listener may use it.
    pub allow_all: bool,
    /// Who may use it; members may always. Empty: nobody is refused for their address.
    pub allow: Vec<AddressRange>,
    /// The proxies whose word counts about where a request comes from.
    pub trusted_proxies: Vec<AddressRange>,
    /// The header that they say it in.
    pub forwarded_header: Option<ForwardedHeader>,
}

/// Which header trusted proxies write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For: client, proxy, ...`
    #[default]
    XForwardedFor,
    /// `Forwarded: for=client, for=proxy, ...` (RFC 7239)
    Forwarded,
}

impl ForwardedHeader {
    /// Its name, in configuration and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}
