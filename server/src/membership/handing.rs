//! What the sweep asks and tells: which members are to be handed what they should keep, and whether there may be records
//! here that belong elsewhere. The state is in `known`; nothing is sent from here.

use ringhold_ring::MemberAddress;

use super::Membership;

/// A member that is to be handed what it should keep, as that is when it begins: an errand that was overtaken by a change
/// of it counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// Whom.
    pub member: MemberAddress,
    number: u64,
}

/// What became of handing a member what it should keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandingOutcome {
    /// It has everything.
    Complete,
    /// It has not; it is tried again after a while.
    Failed,
}

impl Membership {
    /// A record was stored here that belongs elsewhere.
    pub fn note_stray(&self) {
        let is_news = {
            let mut known = self.known.lock();
            known.strays += 1;
            !known.has_strays
        };
        if is_news {
            self.change(self.clock.now(), |known| {
                known.has_strays = true;
                None
            });
        }
    }

    /// How often that may have happened, if there may still be any.
    #[must_use]
    pub fn strays(&self) -> Option<u64> {
        let known = self.known.lock();
        known.has_strays.then_some(known.strays)
    }

    /// There is none left, unless it has happened again since it was `count` times.
    pub fn no_strays_of(&self, count: u64) {
        self.change(self.clock.now(), |known| {
            known.has_strays = known.strays != count;
            None
        });
    }

    /// Members that are to be handed what they should keep and of whom nobody takes care yet; from now on they are
    /// among the receivers of new writes.
    #[must_use]
    pub fn begin_handing(&self) -> Vec<Errand> {
        let now = self.clock.now();
        let mut begun = Vec::new();
        if self.known.lock().to_hand(now).next().is_none() {
            return begun;
        }
        self.change(now, |known| {
            let due: Vec<_> = known.to_hand(now).collect();
            for member in due {
                let number = known.begin_handing(member);
                begun.push(Errand { member: known.rings.current().address(member).clone(), number });
            }
            None
        });
        begun
    }

    /// The member of `errand` has everything that it should keep, or could not be given it.
    pub fn end_handing(&self, errand: &Errand, outcome: HandingOutcome) {
        let now = self.clock.now();
        self.change(now, |known| {
            let member = known.index_of(&errand.member)?;
            known.end_handing(member, errand.number, outcome, now);
            None
        });
    }
}
