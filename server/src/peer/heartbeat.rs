//! A heartbeat as bytes: the payload of `PROBE` and of `PROBE_ANSWER`.
//!
//! Pure functions; what the fields mean is in [`ringhold_ring::Heartbeat`].

use ringhold_ring::{Heartbeat, Incarnation, MemberState, RingId, Standing};

use super::frame::{Fields, Violation};

/// The longest heartbeat, in bytes.
pub const MAX_BYTES: usize = 45;

const HAS_TARGET: u8 = 1;
const PREPARED: u8 = 2;
const KNOWS: u8 = 4;
const HANDED: u8 = 8;
const ACTS: u8 = 16;
const UNSETTLED: u8 = 32;

/// Appends it.
pub fn encode(to: &mut Vec<u8>, heartbeat: &Heartbeat) {
    let Heartbeat {
        incarnation,
        number,
        state,
        acts,
        ring,
        target,
        prepared,
        knows,
        sees,
        damages,
        online,
        unsettled,
        handed,
    } = heartbeat;
    let flag = |is_set, flag| if is_set { flag } else { 0 };
    let flags = flag(target.is_some(), HAS_TARGET)
        | flag(*prepared, PREPARED)
        | flag(knows.is_some(), KNOWS)
        | flag(*handed, HANDED)
        | flag(*acts, ACTS)
        | flag(*unsettled, UNSETTLED);
    to.extend_from_slice(&[state_code(*state), standing_code(*sees), flags]);
    to.extend_from_slice(&incarnation.as_u64().to_be_bytes());
    to.extend_from_slice(&number.to_be_bytes());
    to.extend_from_slice(&ring.as_u64().to_be_bytes());
    to.extend_from_slice(&damages.to_be_bytes());
    to.extend_from_slice(&online.to_be_bytes());
    if let Some(target) = target {
        to.extend_from_slice(&target.as_u64().to_be_bytes());
    }
    if let Some(knows) = knows {
        to.extend_from_slice(&knows.as_u64().to_be_bytes());
    }
}

/// The inverse of [`encode`].
///
/// # Errors
/// [`Violation`] for anything that [`encode`] does not write.
pub fn decode(payload: &[u8]) -> Result<Heartbeat, Violation> {
    let mut fields = Fields::new(payload, "heartbeat");
    let [state, sees, flags] = fields.array()?;
    if flags & !(HAS_TARGET | PREPARED | KNOWS | HANDED | ACTS | UNSETTLED) != 0 {
        return Err(Violation::Malformed("heartbeat flags"));
    }
    let state = MemberState::ALL.into_iter().find(|known| state_code(*known) == state);
    let sees = [Standing::Unmet, Standing::Online, Standing::Offline]
        .into_iter()
        .find(|known| standing_code(*known) == sees);
    let heartbeat = Heartbeat {
        state: state.ok_or(Violation::Malformed("member state"))?,
        sees: sees.ok_or(Violation::Malformed("standing"))?,
        incarnation: Incarnation::new(fields.u64()?),
        number: fields.u32()?,
        ring: RingId::from_u64(fields.u64()?),
        damages: fields.u32()?,
        online: fields.u16()?,
        target: if flags & HAS_TARGET == 0 { None } else { Some(RingId::from_u64(fields.u64()?)) },
        prepared: flags & PREPARED != 0,
        knows: if flags & KNOWS == 0 { None } else { Some(Incarnation::new(fields.u64()?)) },
        handed: flags & HANDED != 0,
        acts: flags & ACTS != 0,
        unsettled: flags & UNSETTLED != 0,
    };
    fields.end().map(|()| heartbeat)
}

const fn state_code(state: MemberState) -> u8 {
    match state {
        MemberState::Starting => 1,
        MemberState::Syncing => 2,
        MemberState::Ready => 3,
        MemberState::Draining => 4,
    }
}

const fn standing_code(standing: Standing) -> u8 {
    match standing {
        Standing::Unmet => 1,
        Standing::Online => 2,
        Standing::Offline => 3,
    }
}
