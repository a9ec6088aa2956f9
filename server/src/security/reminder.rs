//! What a node tells its log of its own certificate's end: beforehand once a day, afterwards once an hour.
//!
//! A certificate that has ended keeps no connection from going on; it keeps new ones from being made, one after the
//! other, which is why it must be seen coming.

use std::time::Duration;

use parking_lot::Mutex;
use ringhold_ring::Timestamp;

use super::certificate::{Fingerprint, date};
use super::identity::Identity;

/// How long before its end a certificate is worth a warning.
pub const WARN_BEFORE: Duration = Duration::from_secs(30 * 24 * 3600);

const BEFOREHAND: Duration = Duration::from_secs(24 * 3600);
const AFTERWARDS: Duration = Duration::from_secs(3600);

/// What was told last.
#[derive(Debug, Default)]
pub struct Reminder(Mutex<Option<Told>>);

#[derive(Clone, Copy, Debug)]
struct Told {
    certificate: Fingerprint,
    is_over: bool,
    at: Timestamp,
}

impl Reminder {
    /// Looks at the node's certificate; call it every minute or so. Some: tell the log.
    #[must_use]
    pub fn look(&self, identity: &Identity, now: Timestamp) -> Option<String> {
        let (end, certificate) = (identity.expires_at(), identity.leaf().fingerprint());
        let is_over = end < now;
        if end.since(now) >= WARN_BEFORE {
            return None;
        }
        let every = if is_over { AFTERWARDS } else { BEFOREHAND };
        let mut told = self.0.lock();
        let is_told = told.is_some_and(|told| {
            told.certificate == certificate && told.is_over == is_over && now.since(told.at) < every
        });
        if is_told {
            return None;
        }
        *told = Some(Told { certificate, is_over, at: now });
        let subject = identity.leaf().subject();
        Some(if is_over {
            format!(
                "the certificate of {subject} expired on {}: members and clients refuse new connections; replace the \
                 keystore, no restart is needed",
                date(end)
            )
        } else {
            format!("the certificate of {subject} expires on {}: replace the keystore before", date(end))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{DAY, Wanted, now};
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_told_once_a_day_before_and_once_an_hour_after() {
        let identity = Wanted { to: now() + DAY * 40, ..Wanted::default() }.self_signed();
        let (end, reminder) = (identity.expires_at(), Reminder::default());
        let from_end = |before: Duration| super::super::testing::before(end, before);
        let mut told = Vec::new();
        let minutes = (-40 * 24 * 60..24 * 60_i64).map(|minute| match u64::try_from(minute) {
            Ok(after) => end + Duration::from_secs(after * 60 + 1),
            Err(_) => from_end(Duration::from_secs(minute.unsigned_abs() * 60)),
        });
        for at in minutes {
            told.extend(reminder.look(&identity, at));
        }
        let (before, after): (Vec<_>, Vec<_>) = told.iter().partition(|line| line.contains("expires on"));
        assert_eq!((before.len(), after.len()), (30, 24), "{told:?}");
        assert!(after.iter().all(|line| line.contains("CN=node expired on")), "{after:?}");
    }

    #[test]
    fn a_new_certificate_is_told_of_at_once_if_it_is_to_end_soon_too() {
        let soon = || Wanted { to: now() + DAY * 3, ..Wanted::default() }.self_signed();
        let reminder = Reminder::default();
        let (one, other, good) = (soon(), soon(), Wanted { to: now() + DAY * 300, ..Wanted::default() });
        assert!(reminder.look(&one, now()).is_some());
        assert!(reminder.look(&one, now()).is_none());
        assert!(reminder.look(&good.self_signed(), now()).is_none());
        assert!(reminder.look(&other, now()).is_some());
    }
}
