//! How far each handover is, for people and metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use ringhold_ring::{MemberAddress, Timestamp};

use crate::membership::HandingOutcome;
use crate::store::Usage;
use crate::telemetry::metrics::{Counter, Counters, Page, family, labels};

labels! {
    /// How a handover ended.
    enum Ended {
        /// The member has all that it should keep.
        Complete = "complete",
        /// It could not be given it.
        Failed = "failed",
    }
}

/// A handover at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// To whom.
    pub member: MemberAddress,
    /// When it began.
    pub began_at: Timestamp,
    /// Records sent and kept.
    pub objects_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Records still to be looked at, about.
    pub objects_left: u64,
}

/// All handovers of a node, and what they have sent together.
#[derive(Debug, Default)]
pub(super) struct Progress {
    running: Mutex<Vec<(u64, Handover)>>,
    next: AtomicU64,
    ended: Counters<Ended>,
    records: Counter,
    bytes: Counter,
    strays: Counter,
}

/// One handover; it is forgotten when this is dropped.
pub(super) struct Running<'a> {
    progress: &'a Progress,
    id: u64,
}

impl Progress {
    pub(super) fn begin(&self, member: &MemberAddress, usage: Usage, now: Timestamp) -> Running<'_> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let handover = Handover {
            member: member.clone(),
            began_at: now,
            objects_sent: 0,
            bytes_sent: 0,
            objects_left: usage.objects + usage.tombstones,
        };
        self.running.lock().push((id, handover));
        Running { progress: self, id }
    }

    pub(super) fn report(&self) -> Vec<Handover> {
        self.running.lock().iter().map(|(_, handover)| handover.clone()).collect()
    }

    pub(super) fn ended(&self, outcome: HandingOutcome) {
        let ended = match outcome {
            HandingOutcome::Complete => Ended::Complete,
            HandingOutcome::Failed => Ended::Failed,
        };
        self.ended.of(ended).raise();
    }

    /// Another member keeps a record now, whatever it was sent for.
    pub(super) fn kept(&self, bytes: usize) {
        self.records.raise();
        self.bytes.add(bytes as u64);
    }

    pub(super) fn dropped_strays(&self, records: usize) {
        self.strays.add(records as u64);
    }

    pub(super) fn collect(&self, page: &mut Page) {
        let left: u64 = self.running.lock().iter().map(|(_, handover)| handover.objects_left).sum();
        page.put_each(&family::HANDOVERS, &self.ended);
        page.put(&family::HANDED_RECORDS, &[], self.records.get());
        page.put(&family::HANDED_BYTES, &[], self.bytes.get());
        page.put(&family::LEFT_RECORDS, &[], left);
        page.put(&family::STRAYS, &[], self.strays.get());
    }
}

impl Running<'_> {
    pub(super) fn looked_at(&self, records: usize) {
        self.change(|handover| handover.objects_left = handover.objects_left.saturating_sub(records as u64));
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.change(|handover| {
            handover.objects_sent += 1;
            handover.bytes_sent += bytes as u64;
        });
    }

    /// How far it is.
    pub(super) fn state(&self) -> Handover {
        let mut state = None;
        self.change(|handover| state = Some(handover.clone()));
        state.unwrap_or_else(|| unreachable!("it is known as long as it runs"))
    }

    fn change(&self, change: impl FnOnce(&mut Handover)) {
        let mut running = self.progress.running.lock();
        if let Some((_, handover)) = running.iter_mut().find(|(id, _)| *id == self.id) {
            change(handover);
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.progress.running.lock().retain(|(id, _)| *id != self.id);
    }
}
