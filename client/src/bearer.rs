//! A bearer token (RFC 6750) as the client sends it. It is shown by no error and no `Debug` output.

use http::HeaderValue;

/// The longest token, in bytes; nodes accept no longer one.
const MAX_BYTES: usize = 1024;

/// The value of `Authorization`.
#[derive(Clone)]
pub(crate) struct BearerToken(HeaderValue);

impl BearerToken {
    /// Nothing when `token` is none: empty, over-long, or with characters that RFC 6750 section 2.1 does not know.
    pub(crate) fn new(token: &str) -> Option<Self> {
        let is_known = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
        if !(1..=MAX_BYTES).contains(&token.len()) || !token.as_bytes().iter().all(is_known) {
            return None;
        }
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    pub(crate) fn into_header(self) -> HeaderValue {
        self.0
    }
}

impl std::fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
