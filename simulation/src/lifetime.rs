//! How long what is sent still lives: on its way it carries what is left of its life, as on the real streams, and no time
//! of day, which means another moment to each clock.

use std::time::Duration;

use ringhold_ring::Timestamp;
use ringhold_server::object::{Outcome, Record};
use ringhold_server::peer::network::{Ask, Executed, Told};

use crate::message::{Payload, Reply};

/// What may carry an object or a tombstone.
pub trait Carrier: Sized {
    /// When what it carries is over.
    fn end(&mut self) -> Option<&mut Timestamp>;

    /// It as it is sent at `now`, by the sender's clock.
    #[must_use]
    fn packed(mut self, now: Timestamp) -> Self {
        if let Some(end) = self.end() {
            *end = Timestamp::from_millis(end.as_millis().saturating_sub(now.as_millis()));
        }
        self
    }

    /// It as it is taken at `now`, by the receiver's.
    #[must_use]
    fn unpacked(mut self, now: Timestamp) -> Self {
        if let Some(end) = self.end() {
            *end = now + Duration::from_millis(end.as_millis());
        }
        self
    }
}

impl Carrier for Payload {
    fn end(&mut self) -> Option<&mut Timestamp> {
        match self {
            Self::Ask(Ask::Copy(copy)) => copy.record.end(),
            Self::Ask(_) | Self::Execute { .. } => None,
        }
    }
}

impl Carrier for Reply {
    fn end(&mut self) -> Option<&mut Timestamp> {
        match self {
            Self::Told(Told::Record(Some(record), _)) => record.end(),
            Self::Executed(Executed::Done(Ok(
                Outcome::Found(object) | Outcome::NotModified(object) | Outcome::Patched { object, .. },
            ))) => object.expires_at.as_mut(),
            Self::Told(_) | Self::Executed(_) => None,
        }
    }
}

impl Carrier for Record {
    fn end(&mut self) -> Option<&mut Timestamp> {
        match self {
            Self::Object(object) => object.expires_at.as_mut(),
            Self::Tombstone { expires_at, .. } => Some(expires_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use ringhold_ring::Version;

    use super::*;

    #[test]
    fn what_lives_for_a_second_at_its_sender_lives_for_a_second_at_its_receiver() {
        let (sender, receiver) = (Timestamp::from_millis(1_000_000), Timestamp::from_millis(880_000));
        let ending = |expires_at| Record::Tombstone { version: Version::from_bytes([1; 12]), expires_at };
        let second = Duration::from_secs(1);
        assert_eq!(ending(sender + second).packed(sender).unpacked(receiver), ending(receiver + second));
        let over = Timestamp::from_millis(999_999);
        assert_eq!(ending(over).packed(sender).unpacked(receiver), ending(receiver));
    }
}
