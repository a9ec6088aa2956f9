//! What comes in on a member's stream: done at once where nothing is unusual about it, else on its way like a client's.
//!
//! Invariant: whatever a member asks is done under the same authority as what a client asks; it is only known better how
//! it came here.

#[cfg(test)]
mod tests;

use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::time::Duration;

use ringhold_ring::{Key, Mandate, MemberAddress};
use tokio::time::Instant;

use super::{Journey, Objects, Parts};
use crate::object::Operation;
use crate::owner::{Authority, Held};
use crate::peer::network::{Ask, Executed, Handler, Passage, Told};
use crate::sweep;

impl Handler for Objects {
    fn execute_at_once(
        &self,
        from: &MemberAddress,
        key: &Key<'_>,
        operation: &Operation,
        passage: &Passage,
    ) -> Option<Executed> {
        let parts = &*self.0;
        let view = parts.membership.view();
        // Whoever finds anything unusual decides what it means.
        let is_usual = passage.ring == view.ring().id()
            && passage.to.is_none_or(|to| view.incarnation(view.me()) == Some(to))
            && passage.instead_of.is_none()
            && !passage.after_failure
            && view.is_addressable_at(from)
            && self.refuses(&view).is_none();
        if !is_usual {
            return None;
        }
        let result = match operation {
            Operation::Get { conditions } => {
                self.acts_as_owner(&view, key.digest()).then(|| parts.owner.get(key, conditions))
            }
            _ => parts.owner.write_at_once(key, operation, passage.id, &Authority::Owner),
        };
        let result = result?;
        parts.counts.for_member();
        Some(Executed::Done(result))
    }

    async fn execute(
        &self,
        from: &MemberAddress,
        key: Key<'static>,
        operation: Operation,
        passage: Passage,
        time_left: Duration,
    ) -> Executed {
        let parts = &*self.0;
        parts.counts.for_member();
        parts.membership.saw_ring(from, passage.ring);
        // It may have lain here while this node was stopped, and its sender gone elsewhere with it.
        let deadline = Instant::now() + time_left;
        let is_heard = parts.membership.hear_out(from).await;
        let Ok(mandate) = tokio::time::timeout_at(deadline, parts.membership.resolved()).await else {
            return Executed::NotOwner { may_have_run: false };
        };
        if !is_heard && mandate == Mandate::Passive {
            // It takes itself for alone, and is not.
            return Executed::NotOwner { may_have_run: false };
        }
        if passage.to.is_some_and(|to| to != parts.membership.incarnation()) {
            return Executed::NotOwner { may_have_run: false };
        }
        if let Some(refusal) = self.refuses(&parts.membership.view()) {
            return Executed::Done(Err(refusal));
        }
        let mut journey = Journey {
            key: &key,
            operation: &operation,
            passage,
            from: Some(from),
            deadline,
            next: None,
            may_have_run: false,
        };
        self.travel(&mut journey).await.result
    }

    fn answer_at_once(&self, from: &MemberAddress, ask: Ask) -> ControlFlow<Told, Ask> {
        let Parts { owner, membership, .. } = &*self.0;
        Break(match ask {
            Ask::Heartbeat(beat) => membership.answer(from, &beat).map_or(Told::Busy, Told::Heartbeat),
            Ask::Copy(copy) => match owner.keep_at_once(from, copy) {
                Break(copied) => Told::Copied(copied),
                Continue(copy) => return Continue(Ask::Copy(copy)),
            },
            Ask::Record(key) => match owner.held(&key) {
                Some(Held { record, ids }) => Told::Record(Some(record), ids),
                None => Told::Record(None, Vec::new()),
            },
            Ask::Offer(offers) => Told::Wanted(owner.wants(&offers)),
            Ask::Ring(id) => membership.describe(id).map_or(Told::Busy, Told::Ring),
            Ask::Sums { .. } => return Continue(ask),
        })
    }

    async fn answer(&self, from: &MemberAddress, ask: Ask) -> Told {
        let Parts { owner, membership, .. } = &*self.0;
        match self.answer_at_once(from, ask) {
            Break(told) => told,
            Continue(Ask::Copy(copy)) => Told::Copied(owner.keep(from, copy).await),
            Continue(Ask::Sums { bits }) => {
                let view = Arc::clone(&membership.view());
                match view.ring().index_of(from) {
                    Some(from) => Told::Sums(sweep::sums(owner.store(), &view, from, bits).await),
                    None => Told::Busy,
                }
            }
            Continue(_) => Told::Busy,
        }
    }
}
