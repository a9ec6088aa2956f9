//! Member tokens: how a plain HTTP request between members proves who sent it and that it is new.
//!
//! A token is signed with a key derived from the shared secret and is bound to method, path, body, sender, receiver
//! and time; it is accepted once. `proto-docs/member-tokens.md` specifies it, with test vectors that the tests check.
//!
//! Invariant: nothing is remembered of a request whose signature does not hold, so a stranger cannot fill the memory.

mod replay;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use ringhold_ring::{MemberAddress, Timestamp};

use super::shared_secret::{NoRandomness, SharedSecrets, random};
use replay::Replays;

/// The header that carries a token.
pub const HEADER: &str = "x-ringhold-member-token";
/// The longest token, in bytes.
pub const MAX_TOKEN_BYTES: usize = 512;
/// How far the clocks of two members may be apart, unless configured.
pub const DEFAULT_SKEW: Duration = Duration::from_secs(30);

const LABEL: &str = "member token";
const VERSION: &str = "v1";
const NONCE_BYTES: usize = 16;

/// The SHA-256 of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDigest([u8; 32]);

impl BodyDigest {
    /// The digest of a body that is there as a whole.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, body).as_ref());
        Self(bytes)
    }
}

/// What a token is bound to, beside its sender, its time and the body.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// Path and query as they are sent.
    pub path: &'a str,
}

/// Why a request is not a member's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token at all.
    #[error("its member token is malformed")]
    Malformed,
    /// A version that is not spoken here.
    #[error("its member token is of another version than {VERSION}; upgrade the older node")]
    OtherVersion,
    /// No accepted secret signed it, or it was signed for another request.
    #[error(
        "its member token is not signed for this request: another shared secret, another receiver, or a request that \
         was changed on its way"
    )]
    BadSignature,
    /// The clocks are too far apart, or the token is old.
    #[error("its member token is {} s {direction} our clock, more than {} s: compare both clocks", apart.as_secs(), limit.as_secs())]
    ClockSkew {
        /// How far.
        apart: Duration,
        /// `behind` or `ahead of`.
        direction: &'static str,
        /// How far it may be.
        limit: Duration,
    },
    /// From before this node started: what it saw then is forgotten.
    #[error("its member token is from before this node started")]
    BeforeStart,
    /// Seen already.
    #[error("its member token was used before: a replay")]
    Replayed,
    /// The sender is no member.
    #[error("its member token is from {0}, which is no member of this ring")]
    NotAMember(String),
    /// The body is not the one that was signed.
    #[error("its body is not the one that its member token was signed for")]
    OtherBody,
    /// Too many requests in one window to remember.
    #[error("too many member tokens in {} s to remember them all", .0.as_secs())]
    Overloaded(Duration),
}

/// Signs the requests of one node.
#[derive(Debug)]
pub struct TokenSigner {
    key: ArcSwap<hmac::Key>,
    sender: MemberAddress,
}

impl TokenSigner {
    /// Signs as `sender`, with the secret that signs.
    #[must_use]
    pub fn new(secrets: &SharedSecrets, sender: MemberAddress) -> Self {
        Self { key: ArcSwap::from_pointee(secrets.signing().mac_key(LABEL)), sender }
    }

    /// Signs with other secrets from now on.
    pub fn replace_secrets(&self, secrets: &SharedSecrets) {
        self.key.store(Arc::new(secrets.signing().mac_key(LABEL)));
    }

    /// A token for one request to `receiver`, for [`HEADER`].
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn sign(
        &self,
        request: Request<'_>,
        body: BodyDigest,
        receiver: &MemberAddress,
        now: Timestamp,
    ) -> Result<String, NoRandomness> {
        Ok(self.sign_with(request, body, receiver, now, random()?))
    }

    fn sign_with(
        &self,
        request: Request<'_>,
        body: BodyDigest,
        receiver: &MemberAddress,
        now: Timestamp,
        nonce: [u8; NONCE_BYTES],
    ) -> String {
        let claims = Claims { sender: &self.sender.to_string(), time: now, nonce, body };
        let mac = claims.mac(&self.key.load(), request, receiver);
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (nonce, body, mac) = (encode(&nonce), encode(&body.0), encode(mac.as_ref()));
        format!("{VERSION},{},{},{nonce},{body},{mac}", self.sender, now.as_millis())
    }
}

/// A request that a member signed; the body is still to be compared.
#[derive(Debug)]
#[must_use = "compare the body before acting on it"]
pub struct SignedHead {
    sender: MemberAddress,
    body: BodyDigest,
}

impl SignedHead {
    /// The member, once the body has come in whole and is the one that was signed.
    ///
    /// # Errors
    /// [`TokenError::OtherBody`].
    pub fn accept_body(self, body: BodyDigest) -> Result<MemberAddress, TokenError> {
        if self.body == body { Ok(self.sender) } else { Err(TokenError::OtherBody) }
    }

    /// Who signed the head.
    #[must_use]
    pub const fn sender(&self) -> &MemberAddress {
        &self.sender
    }
}

/// Checks the tokens that one node receives.
#[derive(Debug)]
pub struct TokenVerifier {
    keys: ArcSwap<Vec<hmac::Key>>,
    receiver: MemberAddress,
    skew: Duration,
    started: Timestamp,
    seen: Mutex<Replays>,
}

impl TokenVerifier {
    /// Accepts tokens for `receiver` (this node, as members address it) that are at most `skew` off its clock.
    #[must_use]
    pub fn new(secrets: &SharedSecrets, receiver: MemberAddress, skew: Duration, now: Timestamp) -> Self {
        let seen = Mutex::new(Replays::new(skew * 2));
        Self { keys: ArcSwap::from_pointee(accepted_keys(secrets)), receiver, skew, started: now, seen }
    }

    /// Accepts other secrets from now on; what it has seen stays seen.
    pub fn replace_secrets(&self, secrets: &SharedSecrets) {
        self.keys.store(Arc::new(accepted_keys(secrets)));
    }

    /// Checks everything but the body; `is_member` knows the ring. The token counts as used from here on.
    ///
    /// # Errors
    /// [`TokenError`], for the log: tell the sender only that it is refused.
    pub fn check(
        &self,
        token: &str,
        request: Request<'_>,
        is_member: impl FnOnce(&MemberAddress) -> bool,
        now: Timestamp,
    ) -> Result<SignedHead, TokenError> {
        let (claims, mac) = Claims::parse(token)?;
        let is_signed = |key: &hmac::Key| {
            let expected = claims.mac(key, request, &self.receiver);
            constant_time::verify_slices_are_equal(expected.as_ref(), &mac).is_ok()
        };
        // Every key is tried, so that the time tells nothing of which one it was.
        let signatures = self.keys.load().iter().filter(|key| is_signed(key)).count();
        if signatures == 0 {
            return Err(TokenError::BadSignature);
        }
        self.check_time(claims.time, now)?;
        let sender: MemberAddress = claims.sender.parse().map_err(|_| TokenError::Malformed)?;
        if !is_member(&sender) {
            return Err(TokenError::NotAMember(sender.to_string()));
        }
        self.seen.lock().admit(mac, now)?;
        Ok(SignedHead { sender, body: claims.body })
    }

    fn check_time(&self, time: Timestamp, now: Timestamp) -> Result<(), TokenError> {
        let (apart, direction) =
            if time < now { (now.since(time), "behind") } else { (time.since(now), "ahead of") };
        if apart > self.skew {
            return Err(TokenError::ClockSkew { apart, direction, limit: self.skew });
        }
        if time < self.started {
            return Err(TokenError::BeforeStart);
        }
        Ok(())
    }
}

fn accepted_keys(secrets: &SharedSecrets) -> Vec<hmac::Key> {
    secrets.accepted().iter().map(|root| root.mac_key(LABEL)).collect()
}

type Mac = [u8; 32];

/// What stands in a token.
struct Claims<'a> {
    sender: &'a str,
    time: Timestamp,
    nonce: [u8; NONCE_BYTES],
    body: BodyDigest,
}

impl<'a> Claims<'a> {
    fn parse(token: &'a str) -> Result<(Self, Mac), TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let mut fields = token.split(',');
        if fields.next() != Some(VERSION) {
            let is_ours = token.starts_with('v') && token.contains(',');
            return Err(if is_ours { TokenError::OtherVersion } else { TokenError::Malformed });
        }
        let mut field = || fields.next().ok_or(TokenError::Malformed);
        let (sender, time, nonce, body, mac) = (field()?, field()?, field()?, field()?, field()?);
        if fields.next().is_some() || !time.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(TokenError::Malformed);
        }
        let time = Timestamp::from_millis(time.parse().map_err(|_| TokenError::Malformed)?);
        let (nonce, body) = (decode(nonce)?, BodyDigest(decode(body)?));
        Ok((Self { sender, time, nonce, body }, decode(mac)?))
    }

    /// Every field with its length before it, so that no two requests are written alike.
    fn mac(&self, key: &hmac::Key, request: Request<'_>, receiver: &MemberAddress) -> hmac::Tag {
        let mut context = hmac::Context::with_key(key);
        let time = self.time.as_millis().to_be_bytes();
        let receiver = receiver.to_string();
        let fields: [&[u8]; 8] = [
            VERSION.as_bytes(),
            request.method.as_bytes(),
            request.path.as_bytes(),
            &self.body.0,
            self.sender.as_bytes(),
            receiver.as_bytes(),
            &time,
            &self.nonce,
        ];
        for field in fields {
            context.update(&(field.len() as u64).to_be_bytes());
            context.update(field);
        }
        context.sign()
    }
}

fn decode<const N: usize>(text: &str) -> Result<[u8; N], TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Malformed)?;
    bytes.try_into().map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests;
