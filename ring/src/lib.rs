//! The pure core of Ringhold: no sockets, no clock, no threads, no files.
//!
//! Everything here is a value or a function of values; time comes in as a [`Timestamp`].
//!
//! - [`Key`], [`Digest`]: what is stored under, and where that puts it.
//! - [`MemberAddress`], [`Ring`]: who the members are, and their order.
//! - [`Placement`]: the rule that turns a digest into a preference list.
//! - [`Health`]: which members are online, as a state machine fed with `now`.
//! - [`View`]: members and health at one moment; answers "who owns this key, and who else keeps it?".
//! - [`Heartbeat`]: what members tell each other; [`Tenure`]: whether this one may act as owner; [`Changeover`]: from
//!   one ring to the next.
//! - [`Version`], [`VersionClock`]: which of two writes is the later one.
//!
//! ```
//! use std::sync::Arc;
//! use ringhold_ring::{Health, HealthPolicy, Key, Placement, Ring, Role, Timestamp, View};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let members = ["10.0.0.1:9999".parse()?, "10.0.0.2:9999".parse()?, "10.0.0.3:9999".parse()?];
//! let ring = Arc::new(Ring::new(members.clone(), Placement::Modulo, 2)?);
//! let me = ring.index_of(&members[2]).ok_or("not a member")?;
//!
//! let now = Timestamp::from_millis(1_790_000_000_000);
//! let mut health = Health::new(ring.len(), me, HealthPolicy::default(), now);
//! let digest = Key::from_path("object-key")?.digest();
//! let owner = View::new(Arc::clone(&ring), me, &health).lookup(digest);
//! assert_eq!(ring.address(owner.member), &members[0]);
//!
//! // A request to it failed: the other home member of the key owns it until the first is back.
//! let _ = health.failed(owner.member, now);
//! let next = View::new(Arc::clone(&ring), me, &health).lookup(digest);
//! assert_eq!((ring.address(next.member), next.role), (&members[1], Role::Owner));
//! # Ok(())
//! # }
//! ```

mod changeover;
mod digest;
mod health;
mod heartbeat;
mod key;
mod member;
mod placement;
mod ring;
mod set;
mod tenure;
mod time;
mod version;
mod view;

pub use changeover::{Changeover, Step};
pub use digest::Digest;
pub use health::{Health, HealthPolicy, MemberHealth, Probe, Readiness, Transition};
pub use heartbeat::{Heartbeat, Incarnation, MemberState, Standing, Term};
pub use key::{Key, KeyError};
pub use member::{MemberAddress, MemberAddressError};
pub use placement::{Placement, PlacementError, PreferenceList};
pub use ring::{MAX_MEMBERS, MemberIndex, Ring, RingError, RingId};
pub use tenure::{Mandate, Tenure};
pub use time::{Timestamp, Ttl, TtlError};
pub use version::{ClockSkew, EntityTagError, Version, VersionClock, WriterId};
pub use view::{FewMembers, Lookup, Role, View};
