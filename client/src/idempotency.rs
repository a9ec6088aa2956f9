//! The name of one operation, by which the ring recognises it when it comes again.
//!
//! Invariant: every patch and every conditional write carries one, so that a repeat after a lost answer does not run twice.

use http::{HeaderMap, HeaderName, HeaderValue};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Names an operation. The same name on the same key within five minutes is the same operation, and runs once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(HeaderValue);

/// Why a text is not an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an idempotency key; it is 1 to {max} visible ASCII characters", max = IdempotencyKey::MAX_BYTES)]
pub struct IdempotencyKeyError(String);

impl IdempotencyKey {
    /// The longest one, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// A name that nobody else has.
    #[must_use]
    pub fn random() -> Self {
        let name = uuid::Uuid::new_v4().to_string();
        // Hexadecimal digits and hyphens are always a header value.
        Self(HeaderValue::try_from(name).unwrap_or(HeaderValue::from_static("0")))
    }

    /// A name of the caller's own, for an operation that it may have to repeat after this client has given up.
    ///
    /// # Errors
    /// [`IdempotencyKeyError`] when it is empty, too long, or holds anything but visible ASCII.
    pub fn new(name: &str) -> Result<Self, IdempotencyKeyError> {
        let fits =
            (1..=Self::MAX_BYTES).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
        let value = HeaderValue::from_str(name).ok().filter(|_| fits);
        value.map(Self).ok_or_else(|| IdempotencyKeyError(name.chars().take(80).collect()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Visible ASCII, as it was checked.
        self.0.to_str().unwrap_or_default()
    }

    /// Says it in `headers`.
    pub(crate) fn write_to(self, headers: &mut HeaderMap) {
        headers.insert(IDEMPOTENCY_KEY, self.0);
    }
}

impl std::fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for IdempotencyKey {
    type Err = IdempotencyKeyError;

    fn from_str(name: &str) -> Result<Self, IdempotencyKeyError> {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_visible_ascii() {
        let longest = "x".repeat(IdempotencyKey::MAX_BYTES);
        for name in ["1", "!~", "order-17/attempt", &longest] {
            assert_eq!(IdempotencyKey::new(name).unwrap().as_str(), name);
        }
        for name in ["", " ", "a b", "a\n", "\u{e9}", &format!("{longest}x")] {
            assert!(
                IdempotencyKey::new(name).unwrap_err().to_string().contains("1 to 255 visible"),
                "{name:?}"
            );
        }
    }

    #[test]
    fn random_names_differ() {
        assert_ne!(IdempotencyKey::random(), IdempotencyKey::random());
    }
}
