//! Having other members keep a record: to all of its receivers at once, and once more to who takes the place of those
//! that do not answer.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join_all};
use ringhold_ring::{Key, MemberAddress, Version, View};
use smallvec::SmallVec;

use super::change::Change;
use super::counts::CopyCounts;
use crate::membership::Membership;
use crate::object::{OperationId, Record};
use crate::peer::network::{Ask, Copied, CopyOf, Copying, Network, Told};

/// Those that are asked at the same time: nearly always one or two, which need no memory of their own.
type Receivers = SmallVec<[MemberAddress; 2]>;

/// The sending side of a write.
#[derive(Debug)]
pub(super) struct Copies {
    network: Arc<dyn Network>,
    membership: Arc<Membership>,
    peer_timeout: Duration,
    counts: CopyCounts,
}

/// Where a record got to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) placed: Placed,
    /// Whether another member keeps it, or did not say that it does not.
    pub(super) may_be_kept: bool,
}

/// What became of a record on its way to its receivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// So many members hold it, once this one does.
    Held(usize),
    /// This member acts as owner of the key itself.
    NotOwner(MemberAddress),
    /// This member has a newer record.
    Newer(MemberAddress),
    /// A receiver did not answer, and is not taken out for it: this member was stopped, and must ask whether it still acts.
    Unheard,
}

impl Placement {
    /// Nobody else is to keep it.
    pub(super) const HERE: Self = Self { placed: Placed::Held(1), may_be_kept: false };
}

impl Copies {
    pub(super) fn new(
        network: Arc<dyn Network>,
        membership: Arc<Membership>,
        peer_timeout: Duration,
    ) -> Self {
        Self { network, membership, peer_timeout, counts: CopyCounts::default() }
    }

    pub(super) const fn counts(&self) -> &CopyCounts {
        &self.counts
    }

    /// Has everybody keep `change` who should.
    pub(super) async fn place(
        &self,
        key: &Key<'_>,
        change: &Change,
        ids: impl FnOnce() -> Vec<(OperationId, Version)>,
        view: &View,
    ) -> Placement {
        let digest = key.digest();
        let addresses = |view: &View| -> Receivers {
            let receivers = view.receivers(digest).into_iter();
            receivers.map(|member| view.ring().address(member).clone()).collect()
        };
        let mut receivers = addresses(view);
        if receivers.is_empty() {
            return Placement::HERE;
        }
        let (mut held, mut may_be_kept) = (1, false);
        let copy = Ask::Copy(CopyOf {
            key: key.clone().into_owned(),
            record: change.record.clone(),
            copying: Copying::Write(self.membership.term()),
            ring: view.ring().id(),
            ids: ids(),
        });
        // While rings change, somebody else may act as owner already. It is asked before anybody keeps what it would refuse:
        // then nobody has what may come to light, and the operation goes there as if it had not been begun here.
        let other_owner = view.next(digest).map(|member| view.ring().address(member));
        let mut later = Receivers::new();
        if receivers.iter().any(|member| Some(member) == other_owner) {
            (receivers, later) = receivers.into_iter().partition(|member| Some(member) == other_owner);
        }
        // Whoever forwarded the operation waits for `cluster.peer_timeout`; all rounds must fit in.
        let (half, quarter) = (self.peer_timeout / 2, self.peer_timeout / 4);
        let rounds = [quarter, half, quarter].into_iter().skip(usize::from(later.is_empty()));
        let mut asked = Receivers::new();
        for timeout in rounds {
            let Some((first, rest)) = receivers.split_first() else { break };
            let send = |member| self.send(member, &copy, timeout);
            let (first, rest) = join(send(first), join_all(rest.iter().map(send))).await;
            let (mut silent, mut refused) = (Receivers::new(), None);
            for (member, copied) in receivers.iter().zip(std::iter::once(first).chain(rest)) {
                match (copied, &refused) {
                    (Some(Copied::Kept), _) => held += 1,
                    (None, _) => silent.push(member.clone()),
                    // Who acts as owner is heeded before who has something newer.
                    (Some(Copied::NotOwner), None | Some(Placed::Newer(_))) => {
                        refused = Some(Placed::NotOwner(member.clone()));
                    }
                    (Some(Copied::Newer(_)), None) => refused = Some(Placed::Newer(member.clone())),
                    (Some(_), _) => {}
                }
            }
            may_be_kept |= held > 1 || !silent.is_empty();
            if let Some(placed) = refused {
                return Placement { placed, may_be_kept };
            }
            if silent.is_empty() && later.is_empty() {
                break;
            }
            asked.append(&mut receivers);
            if !silent.is_empty() {
                let again = addresses(&self.membership.view());
                if silent.iter().any(|member| again.contains(member)) {
                    return Placement { placed: Placed::Unheard, may_be_kept };
                }
                let is_new = |member: &MemberAddress| !asked.contains(member) && !later.contains(member);
                let new: Receivers = again.into_iter().filter(is_new).collect();
                later.extend(new);
            }
            receivers = std::mem::take(&mut later);
        }
        Placement { placed: Placed::Held(held), may_be_kept }
    }

    /// The record that `member` has under `key`, and the latest operations that it knows of there.
    pub(super) async fn fetch(
        &self,
        key: &Key<'_>,
        member: &MemberAddress,
    ) -> Option<(Record, Vec<(OperationId, Version)>)> {
        let ask = Ask::Record(key.clone().into_owned());
        match self.network.ask(member, &ask, self.peer_timeout / 4).await {
            Ok(Told::Record(record, ids)) => Some((record?, ids)),
            _ => None,
        }
    }

    async fn send(&self, member: &MemberAddress, copy: &Ask, timeout: Duration) -> Option<Copied> {
        let stops = self.membership.stops();
        let copied = match self.network.ask(member, copy, timeout).await {
            Ok(Told::Copied(copied)) => Some(copied),
            Ok(_) => Some(Copied::Full),
            Err(error) => {
                self.membership.damage(member, &error.to_string(), stops);
                None
            }
        };
        self.counts.note(copied);
        copied
    }
}
