//! The pure core of Ringhold: no sockets, no clock, no threads, no files.
//!
//! Everything here is a value or a function of values; time comes in as a [`Timestamp`].
//!
//! - [`Key`], [`Digest`]: what is stored under, and where that puts it.
//! - [`MemberAddress`], [`Ring`]: who the members are, and their order.
//! - [`Placement`]: the rule that turns a digest into a preference list.
//! - [`Health`]: which members are online, as a state machine fed with `now`.
//! - [`View`]: members and health at one moment; answers "who owns this key?".
//! - [`Version`], [`VersionClock`]: which of two writes is the later one.

mod digest;
mod health;
mod key;
mod member;
mod placement;
mod time;
mod version;
mod view;

pub use digest::Digest;
pub use health::{Health, HealthPolicy, MemberHealth, Probe, Readiness, Transition};
pub use key::{Key, KeyError};
pub use member::{MAX_MEMBERS, MemberAddress, MemberAddressError, MemberIndex, Ring, RingError, RingId};
pub use placement::{Placement, PlacementError, PreferenceList};
pub use time::{Timestamp, Ttl, TtlError};
pub use version::{ClockSkew, EntityTagError, Version, VersionClock, WriterId};
pub use view::{Lookup, Role, View};
