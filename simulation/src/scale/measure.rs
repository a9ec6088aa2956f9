//! What is measured without a network: the real placement over many keys, and the real health state machine.

use std::sync::Arc;
use std::time::Duration;

use ringhold_ring::{
    Health, HealthPolicy, Key, MemberAddress, MemberIndex, Placement, Readiness, Ring, Timestamp,
};

/// How evenly keys are spread over members.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// The smallest share, as a part of the mean.
    pub least: f64,
    /// The largest.
    pub most: f64,
    /// The sum of squared differences from the mean, over the mean, over the degrees of freedom: about 1 for chance.
    pub chi_squared: f64,
}

/// A ring of so many members.
#[must_use]
pub fn ring(members: usize, placement: Placement, replicas: usize) -> Option<Arc<Ring>> {
    let address = |index: usize| -> Option<MemberAddress> {
        format!("10.{}.{}.{}:9999", 1 + index / 62_500, index / 250 % 250, 1 + index % 250).parse().ok()
    };
    let members: Vec<_> = (0..members).filter_map(address).collect();
    Ring::new(members, placement, replicas).ok().map(Arc::new)
}

/// Shows the preference list's first `depth` members of each of `keys` keys.
fn each_key(ring: &Ring, keys: u64, depth: usize, mut show: impl FnMut(&[MemberIndex])) {
    let mut homes = Vec::with_capacity(depth);
    for number in 0..keys {
        let Ok(key) = Key::new(format!("session-{number}")) else { continue };
        homes.clear();
        homes.extend(ring.preference_list(key.digest()).take(depth));
        show(&homes);
    }
}

/// How evenly `keys` keys are owned.
#[must_use]
pub fn share(ring: &Ring, keys: u64) -> Share {
    let mut owned = vec![0_u64; ring.len()];
    each_key(ring, keys, 1, |homes| {
        if let [owner, ..] = homes {
            owned[owner.as_usize()] += 1;
        }
    });
    let mean = keys as f64 / ring.len() as f64;
    let squares: f64 = owned.iter().map(|count| (*count as f64 - mean).powi(2) / mean).sum();
    Share {
        least: owned.iter().min().copied().unwrap_or_default() as f64 / mean,
        most: owned.iter().max().copied().unwrap_or_default() as f64 / mean,
        chi_squared: squares / (ring.len() - 1) as f64,
    }
}

/// Which part of `keys` keys has another owner when one of `members` is added.
#[must_use]
pub fn moved(members: usize, placement: Placement, keys: u64) -> Option<f64> {
    let (before, after) = (ring(members, placement, 1)?, ring(members + 1, placement, 1)?);
    let mut owners = Vec::with_capacity(usize::try_from(keys).ok()?);
    each_key(&before, keys, 1, |homes| owners.extend(homes.first().map(|owner| before.address(*owner))));
    let (mut at, mut moved) = (0, 0_u64);
    each_key(&after, keys, 1, |homes| {
        moved += u64::from(homes.first().map(|owner| after.address(*owner)) != owners.get(at).copied());
        at += 1;
    });
    Some(moved as f64 / keys as f64)
}

/// How many probes a member sends a second, with `down` of the others never answering.
#[must_use]
pub fn probes_a_second(ring: &Ring, down: usize) -> Option<f64> {
    const SECONDS: u64 = 120;
    let (me, _) = ring.members().next()?;
    let start = Timestamp::from_millis(1_790_000_000_000);
    let mut health = Health::new(ring.len(), me, HealthPolicy::default(), start);
    let is_down = |member: MemberIndex| member.as_usize() >= ring.len() - down;
    let (mut sent, mut now) = (0_u64, start);
    let mut first = true;
    while now.since(start) < Duration::from_secs(SECONDS) {
        for probe in health.due(now) {
            sent += 1;
            // All are met first: who was never there is asked for more often.
            let _ = if is_down(probe.member) && !first {
                health.unanswered(probe, now + Duration::from_secs(1))
            } else {
                health.answered(probe, Readiness::Ready, now + Duration::from_millis(1))
            };
        }
        first = false;
        now = health.next_due().unwrap_or(now).max(now + Duration::from_millis(1));
    }
    Some(sent as f64 / SECONDS as f64)
}

/// What a member that comes back empty must be handed: in all, and by whom the most, in records.
#[must_use]
pub fn handed(ring: &Ring, keys: u64) -> (u64, u64) {
    let (mut total, mut by) = (0, vec![0_u64; ring.len()]);
    each_key(ring, keys, ring.replicas(), |homes| {
        if homes.iter().any(|home| home.as_usize() == 0)
            && let Some(sender) = homes.iter().find(|home| home.as_usize() != 0)
        {
            total += 1;
            by[sender.as_usize()] += 1;
        }
    });
    (total, by.into_iter().max().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_member_more_moves_few_keys_with_rendezvous_and_nearly_all_with_modulo() {
        let rendezvous = moved(9, Placement::Rendezvous, 20_000).unwrap();
        let modulo = moved(9, Placement::Modulo, 20_000).unwrap();
        assert!((0.08..0.12).contains(&rendezvous), "{rendezvous}");
        assert!((0.88..0.92).contains(&modulo), "{modulo}");
    }

    #[test]
    fn keys_are_spread_as_by_chance() {
        for placement in [Placement::Modulo, Placement::Rendezvous] {
            let share = share(&ring(20, placement, 1).unwrap(), 50_000);
            assert!(share.chi_squared < 3.0, "{share:?}");
            assert!(share.least > 0.9 && share.most < 1.1, "{share:?}");
        }
    }

    #[test]
    fn a_member_probes_every_other_once_a_second_and_a_dead_one_less_often() {
        let ring = ring(11, Placement::Modulo, 2).unwrap();
        let all = probes_a_second(&ring, 0).unwrap();
        assert!((9.5..10.5).contains(&all), "{all}");
        assert!(probes_a_second(&ring, 5).unwrap() < 6.5);
    }
}
