//! Who may ask: every request is put to the guard before its path or method mean anything.
//!
//! Whoever is refused learns no more than the status: the reason goes to the log, once per minute for each peer.
//! There is one exception to the order: paths that carry no secret or prove their callers in another way ask for no
//! bearer token; the address counts there as everywhere.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use http::uri::PathAndQuery;
use http::{HeaderName, Response, StatusCode, request};
use ringhold_ring::MemberAddress;

use super::answer::{self, Body};
use super::endpoints::PEER;
use super::origin::Origin;
use super::problem::{Code, Problem};
use super::repose;
use crate::clock::Clock;
use crate::security::access::{Access, AddressList, Refusal, TrustedProxies};
use crate::security::refusals::Refusals;
use crate::security::token::{self, BodyDigest, Request, SignedHead, TokenError, TokenVerifier};
use crate::telemetry::metrics::{Counters, labels};

/// What an orchestrator or load balancer asks, which has no place for a token, and the door of members, who prove
/// themselves otherwise.
const WITHOUT_BEARER: [&str; 3] = ["/healthz", "/readyz", PEER];

const TOKEN: HeaderName = HeaderName::from_static(token::HEADER);

/// How a member proves that it is one when it opens a stream.
#[derive(Clone, Debug)]
pub enum MemberProof {
    /// It knows the shared secret. A plain request proves it by a token; the upgrade to a member's stream needs no
    /// proof, because that stream begins with one, and carries nothing before it: asking twice would prove no more.
    Secret(Arc<TokenVerifier>),
    /// It shows a member's certificate.
    Certificate,
    /// It comes from a member's address: there is nothing else to go by on a plain ring.
    Address,
}

/// What a node asks of whoever connects. It never changes; a reload makes a new one.
#[derive(Debug)]
pub struct Policy {
    /// Addresses and bearer tokens.
    pub access: Access,
    /// The members of the ring: who signs tokens, and whose names a member's certificate bears.
    pub members: Vec<MemberAddress>,
    /// How a member proves that it is one.
    pub proof: MemberProof,
}

/// The check ahead of everything.
#[derive(Debug)]
pub struct Guard {
    policy: ArcSwap<Policy>,
    clock: Clock,
    requests: Refusals,
    handshakes: Refusals,
    refused: Counters<Refused>,
}

labels! {
    /// Why somebody was refused, as it is counted.
    pub enum Refused {
        /// Its address is not in `access.allow`.
        AccessList = "access-list",
        /// A trusted proxy says something unusable about where it comes from.
        ForwardedHeader = "forwarded-header",
        /// Its bearer token is missing, unknown, or not good for the method.
        BearerToken = "bearer-token",
        /// Its member token is not sound, or not for this request.
        MemberToken = "member-token",
        /// It asks for a member's stream and shows no member.
        NotAMember = "not-a-member",
        /// Its TLS handshake failed.
        TlsHandshake = "tls-handshake",
        /// Its stream did not prove the shared secret.
        StreamProof = "stream-proof",
        /// Its stream did not begin as a member's of this cluster does.
        StreamHandshake = "stream-handshake",
        /// Members have too many streams open already.
        MemberStreams = "member-streams",
    }
}

/// Whom a request comes from.
#[derive(Debug)]
pub(super) enum Caller {
    /// Anyone who may ask.
    Client,
    /// A member, as far as its connection or token shows.
    Member,
    /// A member, once the body has come and is the one that it signed.
    Signer(Box<SignedHead>),
}

/// Why a request goes no further: for the log.
#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Access(#[from] Refusal),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(
        "it asks for a member's stream without the certificate of a member: compare cluster.members with the names in it"
    )]
    NoMemberCertificate,
    #[error("it asks for a member's stream and comes from no member's address: compare cluster.members")]
    NoMemberAddress,
}

impl Reason {
    const fn kind(&self) -> Refused {
        match self {
            Self::Access(Refusal::Address(_)) => Refused::AccessList,
            Self::Access(Refusal::Forwarded(_)) => Refused::ForwardedHeader,
            Self::Access(Refusal::Credentials(_)) => Refused::BearerToken,
            Self::Token(_) => Refused::MemberToken,
            Self::NoMemberCertificate | Self::NoMemberAddress => Refused::NotAMember,
        }
    }
}

impl Policy {
    /// A plain ring without an access list: everyone may ask, and members are known by their addresses.
    #[must_use]
    pub fn open(members: Vec<MemberAddress>, addresses: HashSet<IpAddr>) -> Self {
        let access = Access {
            addresses: AddressList::All,
            members: addresses,
            proxies: TrustedProxies::none(),
            methods: Vec::new(),
        };
        Self { access, members, proof: MemberProof::Address }
    }

    fn admit(&self, origin: &Origin, head: &request::Parts, clock: &Clock) -> Result<Caller, Reason> {
        if let Some(signed) = self.signed(head, clock) {
            return Ok(caller(signed?, head)?);
        }
        match self.access.admit(origin.ip(), &head.headers, &head.method, origin.is_member()) {
            Err(Refusal::Credentials(_)) if WITHOUT_BEARER.contains(&head.uri.path()) => Ok(Caller::Client),
            Err(refusal) => Err(refusal.into()),
            Ok(_) if origin.is_member() => Ok(Caller::Member),
            Ok(_) => Ok(Caller::Client),
        }
    }

    /// None: it shows no token, or there is no secret here to check it with, as in a ring that is being given one.
    fn signed(&self, head: &request::Parts, clock: &Clock) -> Option<Result<SignedHead, TokenError>> {
        let MemberProof::Secret(verifier) = &self.proof else { return None };
        let mut values = head.headers.get_all(TOKEN).iter();
        let token = values.next()?.to_str();
        let (Ok(token), None) = (token, values.next()) else {
            return Some(Err(TokenError::Malformed));
        };
        let path = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
        let request = Request { method: head.method.as_str(), path };
        Some(verifier.check(token, request, |sender| self.members.contains(sender), clock.wall()))
    }

    fn admit_member(&self, origin: &Origin, caller: &Caller) -> Result<(), Reason> {
        match &self.proof {
            _ if matches!(caller, Caller::Member) => Ok(()),
            MemberProof::Secret(_) => Ok(()),
            MemberProof::Certificate => Err(Reason::NoMemberCertificate),
            MemberProof::Address if self.access.is_member_address(origin.ip()) => Ok(()),
            MemberProof::Address => Err(Reason::NoMemberAddress),
        }
    }
}

/// Where no body is read, the one that was signed must be the empty one.
fn caller(signed: SignedHead, head: &request::Parts) -> Result<Caller, TokenError> {
    if [http::Method::PUT, http::Method::PATCH].contains(&head.method) {
        return Ok(Caller::Signer(Box::new(signed)));
    }
    signed.accept_body(BodyDigest::of(b"")).map(|_| Caller::Member)
}

impl Guard {
    /// A guard that keeps to `policy`, by the time of `clock`.
    #[must_use]
    pub fn new(policy: Policy, clock: Clock) -> Self {
        let (requests, handshakes, refused) = Default::default();
        Self { policy: ArcSwap::from_pointee(policy), clock, requests, handshakes, refused }
    }

    /// Keeps to another policy from now on, on open connections too.
    pub fn replace(&self, policy: Policy) {
        self.policy.store(Arc::new(policy));
    }

    /// The policy of this moment.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    /// Who was refused how often, by reason; a member's stream that is refused counts here too.
    #[must_use]
    pub const fn refusals(&self) -> &Counters<Refused> {
        &self.refused
    }

    /// Whether a request may go on that shows no member's token; if not, [`Guard::admit`] says why. A token is good for
    /// one look only, so this does not look at any.
    pub(super) fn admits_without_token(&self, origin: &Origin, head: &request::Parts) -> bool {
        let policy = self.policy.load();
        !head.headers.contains_key(TOKEN)
            && policy.access.admit(origin.ip(), &head.headers, &head.method, origin.is_member()).is_ok()
    }

    /// Whether any request that comes from there may go on that shows no member's token, whatever else it says.
    pub(super) fn admits_unseen(&self, origin: &Origin) -> bool {
        self.policy.load().access.admits_unseen(origin.ip(), origin.is_member())
    }

    /// Whether a request may go on; if not, the answer.
    pub(super) fn admit(
        &self,
        origin: &Origin,
        head: &request::Parts,
    ) -> Result<Caller, Box<Response<Body>>> {
        let admitted = self.policy.load().admit(origin, head, &self.clock);
        admitted.map_err(|reason| Box::new(self.refuse(origin, head, &reason)))
    }

    /// Whether it may open a member's stream.
    pub(super) fn admit_member(
        &self,
        origin: &Origin,
        caller: &Caller,
        head: &request::Parts,
    ) -> Result<(), Box<Response<Body>>> {
        let admitted = self.policy.load().admit_member(origin, caller);
        admitted.map_err(|reason| Box::new(self.refuse(origin, head, &reason)))
    }

    /// The answer to a signer whose body is not the one that it signed.
    pub(super) fn refuse_body(&self, origin: &Origin, head: &request::Parts) -> Response<Body> {
        self.refuse(origin, head, &TokenError::OtherBody.into())
    }

    fn refuse(&self, origin: &Origin, head: &request::Parts, reason: &Reason) -> Response<Body> {
        self.refused.of(reason.kind()).raise();
        // Behind a proxy, one client's faults must not silence the log about another's.
        let peer = if let Reason::Access(Refusal::Address(client)) = reason { *client } else { origin.ip() };
        if let Some(unlogged) = self.requests.note(peer, self.clock.now()) {
            tracing::warn!(%peer, unlogged, "a request is refused: {reason}");
        }
        if head.uri.path().starts_with(repose::PREFIX) {
            return answer::bare(StatusCode::UNAUTHORIZED);
        }
        Problem::from(reason).into_response()
    }

    /// Tells the log why a connection did not come to its first request.
    pub(super) fn note_handshake(&self, origin: &Origin, why: &str) {
        self.refused.of(Refused::TlsHandshake).raise();
        let peer = origin.ip();
        if let Some(unlogged) = self.handshakes.note(peer, self.clock.now()) {
            tracing::warn!(%peer, unlogged, "a TLS connection is refused: {why}");
        }
    }
}

impl From<&Reason> for Problem {
    fn from(reason: &Reason) -> Self {
        let challenge = |scheme| {
            Self::from(Code::Unauthenticated).with(WWW_AUTHENTICATE, HeaderValue::from_static(scheme))
        };
        match reason {
            Reason::Token(_) => challenge("Ringhold-Member"),
            Reason::Access(refusal) if refusal.status() == StatusCode::UNAUTHORIZED => {
                challenge("Bearer realm=\"ringhold\"")
            }
            Reason::Access(_) => Code::Forbidden.into(),
            Reason::NoMemberCertificate | Reason::NoMemberAddress => Code::MembersOnly.into(),
        }
    }
}
