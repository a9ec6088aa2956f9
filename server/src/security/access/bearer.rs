//! Bearer tokens for clients (RFC 6750): read-only or read-write, known here only by their SHA-256.
//!
//! A plain digest is enough because tokens are made by `ringhold secret generate`: nobody guesses 512 random bits.

use std::sync::Arc;

use aws_lc_rs::{constant_time, digest};
use http::{HeaderMap, Method, header};

use super::method::{CredentialError, Grant};

/// The most tokens of a node.
pub const MAX_TOKENS: usize = 256;
const DIGEST_BYTES: usize = 32;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `GET`, `HEAD` and `OPTIONS`.
    ReadOnly,
    /// Everything.
    ReadWrite,
}

/// The SHA-256 of a token.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenDigest([u8; DIGEST_BYTES]);

/// Why bearer tokens cannot be configured so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BearerError {
    /// Not a digest.
    #[error(
        "a bearer token is configured by its SHA-256, 64 hexadecimal digits (printf %s TOKEN | sha256sum)"
    )]
    BadDigest,
    /// More than [`MAX_TOKENS`].
    #[error("{0} bearer tokens are more than {MAX_TOKENS}")]
    TooMany(usize),
    /// Two of one name.
    #[error("two bearer tokens are named \"{0}\"; give each a name of its own")]
    Duplicate(Arc<str>),
}

/// Every token of a node.
#[derive(Debug)]
pub struct BearerTokens(Vec<(TokenDigest, Grant)>);

impl Scope {
    /// Whether it is good for a method.
    #[must_use]
    pub fn allows(self, method: &Method) -> bool {
        match self {
            Self::ReadWrite => true,
            Self::ReadOnly => [Method::GET, Method::HEAD, Method::OPTIONS].contains(method),
        }
    }
}

impl TokenDigest {
    /// The digest of a token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        let mut bytes = [0; DIGEST_BYTES];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }
}

impl std::str::FromStr for TokenDigest {
    type Err = BearerError;

    fn from_str(text: &str) -> Result<Self, BearerError> {
        let digits = text.as_bytes();
        let mut bytes = [0; DIGEST_BYTES];
        if digits.len() != DIGEST_BYTES * 2 {
            return Err(BearerError::BadDigest);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let value = |digit: u8| char::from(digit).to_digit(16);
            let number = pair.iter().try_fold(0, |number, digit| Some(number << 4 | value(*digit)?));
            *byte = number.ok_or(BearerError::BadDigest)? as u8;
        }
        Ok(Self(bytes))
    }
}

impl std::fmt::Display for TokenDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl BearerTokens {
    /// The tokens with these names, digests and scopes.
    ///
    /// # Errors
    /// [`BearerError::TooMany`] and [`BearerError::Duplicate`].
    pub fn new(tokens: Vec<(String, TokenDigest, Scope)>) -> Result<Self, BearerError> {
        if tokens.len() > MAX_TOKENS {
            return Err(BearerError::TooMany(tokens.len()));
        }
        let mut known: Vec<(TokenDigest, Grant)> = Vec::with_capacity(tokens.len());
        for (name, digest, scope) in tokens {
            let name: Arc<str> = name.into();
            if known.iter().any(|(_, grant)| grant.name == name) {
                return Err(BearerError::Duplicate(name));
            }
            known.push((digest, Grant { name, scope }));
        }
        Ok(Self(known))
    }
}

impl super::method::Method for BearerTokens {
    fn challenge(&self) -> &'static str {
        "Bearer"
    }

    fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Grant>, CredentialError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(CredentialError::Malformed);
        }
        let value = value.to_str().map_err(|_| CredentialError::Malformed)?;
        let Some(token) = bearer(value) else {
            return Ok(None);
        };
        let shown = TokenDigest::of(token);
        // All are compared, each in constant time: the time tells nothing of which one it was.
        let is_it = |known: &TokenDigest| constant_time::verify_slices_are_equal(&known.0, &shown.0).is_ok();
        let matching = self.0.iter().filter(|(known, _)| is_it(known)).map(|(_, grant)| grant);
        let found = matching.fold(None, |first: Option<&Grant>, grant| first.or(Some(grant)));
        found.cloned().map(Some).ok_or(CredentialError::Unknown("Bearer"))
    }
}

/// The token of an `Authorization` value; the scheme's case does not matter (RFC 9110 section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
