//! Moments and lifetimes. Nothing here reads a clock.

use std::num::NonZeroU32;
use std::time::Duration;

/// A moment: whole milliseconds since the Unix epoch, on a clock that never runs backwards within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to here; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// A time to live: 1 to 2147483647 seconds (the range of Repose's `X-TTL`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(NonZeroU32);

/// Why a text or number is not a time to live.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a TTL is a whole number of seconds from 1 to {}", Ttl::MAX_SECONDS)]
pub struct TtlError;

impl Ttl {
    /// The longest time to live, in seconds: about 68 years.
    pub const MAX_SECONDS: u32 = i32::MAX as u32;

    /// A time to live of `seconds`.
    ///
    /// # Errors
    /// [`TtlError`] when it is zero or more than [`Ttl::MAX_SECONDS`].
    pub fn from_seconds(seconds: u64) -> Result<Self, TtlError> {
        u32::try_from(seconds)
            .ok()
            .filter(|seconds| *seconds <= Self::MAX_SECONDS)
            .and_then(NonZeroU32::new)
            .map(Self)
            .ok_or(TtlError)
    }

    /// Whole seconds.
    #[must_use]
    pub const fn as_seconds(self) -> u32 {
        self.0.get()
    }

    /// The same as a duration.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        Duration::from_secs(self.0.get() as u64)
    }
}

impl std::str::FromStr for Ttl {
    type Err = TtlError;

    /// Decimal seconds, with leading zeros or one `+` as Java's `Integer.parseInt` allows.
    fn from_str(text: &str) -> Result<Self, TtlError> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(TtlError);
        }
        Self::from_seconds(digits.parse().map_err(|_| TtlError)?)
    }
}

#[cfg(test)]
mod tests;
