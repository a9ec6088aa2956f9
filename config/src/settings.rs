//! The one table of every setting: its key, what it may be, where it goes, and what it is for.
//!
//! Reading, printing, error messages and the documentation are derived from it; a setting that is not here
//! does not exist.

use std::time::Duration;

use crate::given::Given;
use crate::kind::{
    Count, Filter, Kind, LOG_FORMAT, Lifetime, Member, Members, Name, PLACEMENT, Size, Socket, Span, Switch,
};
use crate::trust::{
    Alias, CLIENT_AUTH, FORWARDED_HEADER, FilePath, InFile, InFiles, Inline, InlineList, Ranges, Tokens,
};
use crate::{Config, Listener};

/// One setting of an `S`.
pub(crate) struct Setting<S: 'static> {
    /// `section.key`
    pub(crate) key: &'static str,
    /// Where its value goes, and how.
    pub(crate) slot: &'static dyn Slot<S>,
    /// Its default in words, where it follows from something else.
    pub(crate) default: Option<&'static str>,
    /// Whether messages and what is printed must not show its value.
    pub(crate) is_secret: bool,
    /// One line of documentation.
    pub(crate) doc: &'static str,
}

impl<S> Setting<S> {
    const fn new(key: &'static str, slot: &'static dyn Slot<S>, doc: &'static str) -> Self {
        Self { key, slot, default: None, is_secret: false, doc }
    }

    const fn default(self, words: &'static str) -> Self {
        Self { default: Some(words), ..self }
    }

    const fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }
}

/// A place in an `S` for a value of some kind.
pub(crate) trait Slot<S>: Sync {
    /// Reads a value into its place, or says what would be right.
    fn read(&self, into: &mut S, given: Given<'_>) -> Result<(), String>;
    /// The value there, in TOML; none when there is none.
    fn write(&self, from: &mut S) -> Option<String>;
    /// What values there are.
    fn describe(&self) -> String;
}

struct At<S, T, K>(K, fn(&mut S) -> &mut T);

impl<S, T, K: Kind<T>> Slot<S> for At<S, T, K> {
    fn read(&self, into: &mut S, given: Given<'_>) -> Result<(), String> {
        *self.1(into) = self.0.read(given)?;
        Ok(())
    }

    fn write(&self, from: &mut S) -> Option<String> {
        Some(self.0.write(self.1(from)))
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}

/// A place that may stay empty.
struct Maybe<S, T, K>(K, fn(&mut S) -> &mut Option<T>);

impl<S, T, K: Kind<T>> Slot<S> for Maybe<S, T, K> {
    fn read(&self, into: &mut S, given: Given<'_>) -> Result<(), String> {
        *self.1(into) = Some(self.0.read(given)?);
        Ok(())
    }

    fn write(&self, from: &mut S) -> Option<String> {
        self.1(from).as_ref().map(|value| self.0.write(value))
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}

/// The least and the most that `store.max_bytes` may be.
pub(crate) const STORE_BYTES: (u64, u64) = (1 << 20, 1 << 50);
const MAX_OBJECT_BYTES: u64 = 1 << 30;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// Every setting outside listeners; those of one section stand together.
pub(crate) const SETTINGS: &[Setting<Config>] = &[
    Setting::new(
        "node.address",
        &At(Member, |c: &mut Config| &mut c.node.address),
        "The address under which the other members know this node; one of `cluster.members`.",
    ),
    Setting::new(
        "cluster.name",
        &At(Name, |c: &mut Config| &mut c.cluster.name),
        "Keeps rings apart: members that say another name are refused.",
    ),
    Setting::new(
        "cluster.members",
        &At(Members, |c: &mut Config| &mut c.cluster.members),
        "Every member of the ring, this node among them. The same on every node, in any order.",
    )
    .default("this node alone"),
    Setting::new(
        "cluster.placement",
        &At(PLACEMENT, |c: &mut Config| &mut c.cluster.placement),
        "How keys are placed on members. The same on every node.",
    ),
    Setting::new(
        "cluster.replicas",
        &At(Count(1..=16), |c: &mut Config| &mut c.cluster.replicas),
        "How many members keep each object; not more than there are. The same on every node.",
    )
    .default("2 in a ring of several members, else 1"),
    Setting::new(
        "cluster.min_copies",
        &At(Count(1..=16), |c: &mut Config| &mut c.cluster.min_copies),
        "How many members must hold a write before it is acknowledged; not more than `cluster.replicas`.",
    ),
    Setting::new(
        "cluster.majority_guard",
        &At(Switch, |c: &mut Config| &mut c.cluster.majority_guard),
        "A node that reaches no majority of the members, itself included, refuses requests for objects with 503 `no-majority`.",
    ),
    Setting::new(
        "cluster.probe_interval",
        &At(Span(ms(10)..=HOUR), |c: &mut Config| &mut c.cluster.probe_interval),
        "Between two probes of a member that is online.",
    ),
    Setting::new(
        "cluster.peer_timeout",
        &At(Span(ms(10)..=MINUTE), |c: &mut Config| &mut c.cluster.peer_timeout),
        "How long a forwarded request or a probe may take; a copy may take half of it. A member that answers no probe and no copy in its time counts as damaged; one that leaves a request waiting is probed first.",
    ),
    Setting::new(
        "cluster.rest",
        &At(Span(ms(10)..=HOUR), |c: &mut Config| &mut c.cluster.rest),
        "How long a damaged member rests before it is probed; after pass n it rests this long divided by n.",
    ),
    Setting::new(
        "cluster.validation_passes",
        &At(Count(1..=100), |c: &mut Config| &mut c.cluster.validation_passes),
        "How many probes in a row a damaged member must pass before it gets requests again.",
    ),
    Setting::new(
        "cluster.sync_timeout",
        &At(Span(ms(100)..=HOUR), |c: &mut Config| &mut c.cluster.sync_timeout),
        "How long a member that starts or returns waits to be handed what it missed, and then once more for requests.",
    ),
    Setting::new(
        "cluster.handoff_rate",
        &At(Size(64 << 10..=1 << 40), |c: &mut Config| &mut c.cluster.handoff_rate),
        "The most bytes a second that this node hands to other members, all of them together.",
    ),
    Setting::new(
        "cluster.tombstone_ttl",
        &At(Span(ms(1000)..=WEEK), |c: &mut Config| &mut c.cluster.tombstone_ttl),
        "How long the memory of a deleted object is kept. A member that was away longer may bring it back.",
    ),
    Setting::new(
        "cluster.sweep_interval",
        &At(Span(ms(100)..=DAY), |c: &mut Config| &mut c.cluster.sweep_interval),
        "How often two members that are online compare what both of them keep.",
    ),
    Setting::new(
        "store.max_bytes",
        &At(Size(STORE_BYTES.0..=STORE_BYTES.1), |c: &mut Config| &mut c.store.max_bytes),
        "The most bytes the store may hold: keys, values and overhead.",
    )
    .default("a quarter of the machine's memory, or of its control group's limit"),
    Setting::new(
        "store.max_object_bytes",
        &At(Size(1..=MAX_OBJECT_BYTES), |c: &mut Config| &mut c.store.max_object_bytes),
        "The largest value; not more than `store.max_bytes` and `limits.max_body_bytes_in_flight`.",
    ),
    Setting::new(
        "store.default_ttl",
        &At(Lifetime, |c: &mut Config| &mut c.store.default_ttl),
        "The time to live of objects stored without `X-TTL`; `\"none\"`: they never expire.",
    ),
    Setting::new(
        "tls.keystore",
        &Maybe(FilePath, |c: &mut Config| &mut c.tls.keystore),
        "This node's key and certificates: JKS, PKCS#12 or PEM.",
    ),
    Setting::new(
        "tls.keystore_password",
        &Inline(|c: &mut Config| &mut c.tls.keystore_password),
        "What opens the keystore.",
    )
    .secret(),
    Setting::new(
        "tls.keystore_password_file",
        &InFile(|c: &mut Config| &mut c.tls.keystore_password),
        "The same, in a file.",
    ),
    Setting::new(
        "tls.key_password",
        &Inline(|c: &mut Config| &mut c.tls.key_password),
        "What opens the private key in it, when that is another password.",
    )
    .secret(),
    Setting::new(
        "tls.key_password_file",
        &InFile(|c: &mut Config| &mut c.tls.key_password),
        "The same, in a file.",
    ),
    Setting::new(
        "tls.key_alias",
        &Maybe(Alias, |c: &mut Config| &mut c.tls.key_alias),
        "Which private key, when the keystore holds several.",
    ),
    Setting::new(
        "tls.truststore",
        &Maybe(FilePath, |c: &mut Config| &mut c.tls.truststore),
        "Whom to trust, in the same formats.",
    )
    .default("the keystore"),
    Setting::new(
        "tls.truststore_password",
        &Inline(|c: &mut Config| &mut c.tls.truststore_password),
        "What opens the truststore.",
    )
    .default("the keystore's")
    .secret(),
    Setting::new(
        "tls.truststore_password_file",
        &InFile(|c: &mut Config| &mut c.tls.truststore_password),
        "The same, in a file.",
    ),
    Setting::new(
        "tls.client_auth",
        &At(CLIENT_AUTH, |c: &mut Config| &mut c.tls.client_auth),
        "Whether those who connect must show a certificate that is trusted. With `\"optional\"` they may come without.",
    ),
    Setting::new(
        "tls.auto",
        &At(Switch, |c: &mut Config| &mut c.tls.auto),
        "TLS without any file: the node makes its certificates from `auth.shared_secret`.",
    ),
    Setting::new(
        "tls.verify_names",
        &At(Switch, |c: &mut Config| &mut c.tls.verify_names),
        "Compare a member's address with the names in its certificate, unless that certificate is this node's own.",
    ),
    Setting::new(
        "auth.shared_secret",
        &Inline(|c: &mut Config| &mut c.auth.shared_secret),
        "What members prove to each other that they hold. `ringhold secret generate` makes one. The same on every node.",
    )
    .secret(),
    Setting::new(
        "auth.shared_secret_file",
        &InFile(|c: &mut Config| &mut c.auth.shared_secret),
        "The same, in a file.",
    ),
    Setting::new(
        "auth.accept_secrets",
        &InlineList(|c: &mut Config| &mut c.auth.accept_secrets),
        "Secrets that are accepted besides, while the shared one is rotated.",
    )
    .secret(),
    Setting::new(
        "auth.accept_secrets_files",
        &InFiles(|c: &mut Config| &mut c.auth.accept_secrets),
        "The same, each in a file; both lists together hold at most 4.",
    ),
    Setting::new(
        "auth.clock_skew",
        &At(Span(ms(1000)..=Duration::from_secs(600)), |c: &mut Config| &mut c.auth.clock_skew),
        "How far the clocks of two members may be apart.",
    ),
    Setting::new(
        "auth.tokens",
        &At(Tokens, |c: &mut Config| &mut c.auth.tokens),
        "The bearer tokens that clients show, each by its SHA-256. Without any, clients need none.",
    )
    .secret(),
    Setting::new(
        "access.allow_all",
        &At(Switch, |c: &mut Config| &mut c.access.allow_all),
        "Everyone who can reach a listener may use it.",
    ),
    Setting::new(
        "access.allow",
        &At(Ranges, |c: &mut Config| &mut c.access.allow),
        "Who may use the node, beside its members. Empty: nobody is refused for an address.",
    ),
    Setting::new(
        "access.trusted_proxies",
        &At(Ranges, |c: &mut Config| &mut c.access.trusted_proxies),
        "The proxies that are believed about where a request comes from.",
    ),
    Setting::new(
        "access.forwarded_header",
        &At(FORWARDED_HEADER, |c: &mut Config| &mut c.access.forwarded_header),
        "The header in which those proxies say it; the other one is never read.",
    ),
    Setting::new(
        "limits.max_connections",
        &At(Count(1..=1_000_000), |c: &mut Config| &mut c.limits.max_connections),
        "Client connections at once. One more is answered 503 `overloaded` and closed; members and health checks still get in.",
    ),
    Setting::new(
        "limits.max_header_bytes",
        &At(Size(8 << 10..=1 << 20), |c: &mut Config| &mut c.limits.max_header_bytes),
        "The largest request head.",
    ),
    Setting::new(
        "limits.max_body_bytes_in_flight",
        &At(Size(1 << 20..=1 << 40), |c: &mut Config| &mut c.limits.max_body_bytes_in_flight),
        "Request body bytes in memory at once, over all connections; further bodies wait.",
    ),
    Setting::new(
        "limits.max_http2_streams",
        &At(Count(1..=10_000), |c: &mut Config| &mut c.limits.max_http2_streams),
        "Concurrent HTTP/2 streams on one connection.",
    ),
    Setting::new(
        "limits.header_timeout",
        &At(Span(ms(100)..=HOUR), |c: &mut Config| &mut c.limits.header_timeout),
        "How long a client may take to send a request head.",
    ),
    Setting::new(
        "limits.body_timeout",
        &At(Span(ms(100)..=HOUR), |c: &mut Config| &mut c.limits.body_timeout),
        "How long a client may go without sending any byte of a body it has announced.",
    ),
    Setting::new(
        "limits.drain",
        &At(Span(Duration::ZERO..=HOUR), |c: &mut Config| &mut c.limits.drain),
        "At shutdown: how long the node still accepts requests after `/readyz` has turned 503.",
    ),
    Setting::new(
        "limits.shutdown_timeout",
        &At(Span(Duration::ZERO..=HOUR), |c: &mut Config| &mut c.limits.shutdown_timeout),
        "At shutdown: how long requests in flight may take to finish.",
    ),
    Setting::new(
        "log.filter",
        &At(Filter, |c: &mut Config| &mut c.log.filter),
        "What is logged: a level, or levels by target as in `warn,ringhold_server=debug`.",
    ),
    Setting::new(
        "log.format",
        &At(LOG_FORMAT, |c: &mut Config| &mut c.log.format),
        "One line of text, or one JSON object, an event.",
    ),
];

/// The key of the table of listeners.
pub(crate) const LISTENER: &str = "listener";
/// The most listeners a node may have.
pub(crate) const MAX_LISTENERS: usize = 16;

/// The settings of one `[[listener]]`.
pub(crate) const LISTENER_SETTINGS: &[Setting<Listener>] = &[
    Setting::new("listener.address", &At(Socket, |l: &mut Listener| &mut l.address), "The address to bind.")
        .default("one listener on `node.address`, when that is an IP address"),
    Setting::new(
        "listener.tls",
        &At(Switch, |l: &mut Listener| &mut l.tls),
        "Whether it speaks TLS, and nothing else.",
    )
    .default("see above"),
];

/// Every key there is.
pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
    let settings = SETTINGS.iter().map(|setting| setting.key);
    settings.chain(LISTENER_SETTINGS.iter().map(|setting| setting.key))
}

/// The sections, each once, in the order of the table.
pub(crate) fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> =
        keys().filter_map(|key| key.split_once('.')).map(|(section, _)| section).collect();
    sections.dedup();
    sections
}
