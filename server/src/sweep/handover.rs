//! Handing one member what it should keep: offers in batches, and what is wanted as copies, a few at a time.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use ringhold_ring::{Key, MemberAddress, MemberIndex, Version, View};
use tokio::time::Instant;

use super::Sweep;
use super::progress::{Handover, Running};
use super::sums::{bits_for, part, some_records, sums};
use crate::object::Record;
use crate::owner::Held;
use crate::peer::PeerError;
use crate::peer::network::{Ask, Copied, CopyOf, Copying, MAX_OFFERS, Told};
use crate::store::Cursor;

/// Copies under way to one member at once.
const AT_ONCE: usize = 16;

/// With fewer records than this, offering all of them is less than comparing.
const WORTH_COMPARING: u64 = 256;

/// What a copy takes besides its key and value.
const COPY_OVERHEAD_BYTES: usize = 64;

/// Bytes a second, over all members.
#[derive(Debug)]
pub(super) struct Rate {
    bytes_per_second: u64,
    free_at: Mutex<Option<Instant>>,
}

impl Rate {
    pub(super) fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), free_at: Mutex::default() }
    }

    /// Waits until `bytes` may be sent.
    async fn take(&self, bytes: usize) {
        let wait_until = {
            let mut free_at = self.free_at.lock();
            let now = Instant::now();
            let start = free_at.unwrap_or(now).max(now);
            *free_at = Some(start + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64));
            start
        };
        if wait_until > Instant::now() {
            tokio::time::sleep_until(wait_until).await;
        }
    }
}

impl Sweep {
    /// Sends `member` every record that it should keep, lacks or has older.
    pub(super) async fn hand_over(&self, member: &MemberAddress) -> Result<Handover, PeerError> {
        let view = std::sync::Arc::clone(&self.membership.view());
        let gone = || PeerError::NotSent("it is no longer a member".to_owned());
        let index = view.ring().index_of(member).ok_or_else(gone)?;
        let running = self.progress.begin(member, self.objects.owner().store().usage(), self.clock.now());
        let differing = self.differing_parts(member, index, &view).await?;
        let mut batch = Vec::with_capacity(MAX_OFFERS);
        let mut cursor = Some(Cursor::default());
        while let Some(from) = cursor {
            let found;
            (found, cursor) = some_records(self.objects.owner().store(), from);
            running.looked_at(found.len());
            for (key, version) in found {
                let digest = key.digest();
                let both_keep = view.is_home(digest, view.me()) && view.is_home(digest, index);
                let is_same = both_keep && differing.as_ref().is_some_and(|parts| !parts.has(digest));
                let takes_it = || {
                    view.keepers(digest).contains(&index)
                        || view.gives_way(digest, index)
                        || view.is_next(digest, index)
                };
                if !is_same && takes_it() {
                    batch.push((key, version));
                }
                if batch.len() == MAX_OFFERS {
                    self.offer(member, std::mem::take(&mut batch), &view, &running).await?;
                }
            }
            tokio::task::yield_now().await;
        }
        self.offer(member, batch, &view, &running).await?;
        Ok(running.state())
    }

    /// The parts of the key space in which the two hold different records; nothing when that was not worth asking.
    async fn differing_parts(
        &self,
        member: &MemberAddress,
        index: MemberIndex,
        view: &View,
    ) -> Result<Option<Parts>, PeerError> {
        let store = self.objects.owner().store();
        let usage = store.usage();
        let records = usage.objects + usage.tombstones;
        if records < WORTH_COMPARING {
            return Ok(None);
        }
        let bits = bits_for(records);
        let ours = sums(store, view, index, bits).await;
        let patience = self.settings.peer_timeout.max(Duration::from_secs(60));
        match self.network.ask(member, &Ask::Sums { bits }, patience).await? {
            Told::Sums(theirs) if theirs.len() == ours.len() => {
                let (ours, theirs) = (ours.chunks(8), theirs.chunks(8));
                let differ = ours.zip(theirs).map(|(ours, theirs)| ours != theirs).collect();
                Ok(Some(Parts { bits, differ }))
            }
            _ => Ok(None),
        }
    }

    /// Offers `records`, and sends those that are wanted.
    async fn offer(
        &self,
        member: &MemberAddress,
        records: Vec<(Key<'static>, Version)>,
        view: &View,
        running: &Running<'_>,
    ) -> Result<(), PeerError> {
        if records.is_empty() {
            return Ok(());
        }
        let wanted = self.wanted(member, &records).await?;
        let wanted = records.into_iter().zip(wanted).filter_map(|((key, _), wanted)| wanted.then_some(key));
        let note = |(bytes, copied): (usize, Result<Copied, PeerError>)| {
            if copied? == Copied::Kept {
                running.sent(bytes);
            }
            Ok(())
        };
        let mut sending = FuturesUnordered::new();
        for key in wanted {
            if sending.len() == AT_ONCE {
                sending.next().await.map_or(Ok(()), note)?;
            }
            let Some(held) = self.objects.owner().held(&key) else { continue };
            let bytes = copy_bytes(&key, &held.record);
            self.rate.take(bytes).await;
            sending.push(async move { (bytes, self.send(member, key, held, view).await) });
        }
        while let Some(sent) = sending.next().await {
            note(sent)?;
        }
        Ok(())
    }

    /// Which of these records `member` lacks or has older.
    pub(super) async fn wanted(
        &self,
        member: &MemberAddress,
        records: &[(Key<'static>, Version)],
    ) -> Result<Vec<bool>, PeerError> {
        let offer = Ask::Offer(records.to_vec());
        match self.network.ask(member, &offer, self.settings.peer_timeout).await? {
            Told::Wanted(wanted) if wanted.len() == records.len() => Ok(wanted),
            _ => Err(PeerError::NotSent("it did not say what it wants".to_owned())),
        }
    }

    /// Sends one record. That there is no room for it is no failure: members are not equally full.
    pub(super) async fn send(
        &self,
        member: &MemberAddress,
        key: Key<'static>,
        held: Held,
        view: &View,
    ) -> Result<Copied, PeerError> {
        let Held { record, ids } = held;
        let bytes = copy_bytes(&key, &record);
        let copy = CopyOf { key, record, copying: Copying::Handoff, ring: view.ring().id(), ids };
        match self.network.ask(member, &Ask::Copy(copy), self.settings.peer_timeout).await? {
            Told::Copied(copied) => {
                if copied == Copied::Kept {
                    self.progress.kept(bytes);
                }
                Ok(copied)
            }
            _ => Err(PeerError::NotSent("it did not say whether it keeps the copy".to_owned())),
        }
    }
}

struct Parts {
    bits: u8,
    differ: Vec<bool>,
}

impl Parts {
    fn has(&self, digest: ringhold_ring::Digest) -> bool {
        self.differ.get(part(digest, self.bits)).copied().unwrap_or(true)
    }
}

fn copy_bytes(key: &Key<'_>, record: &Record) -> usize {
    let value_bytes = match record {
        Record::Object(object) => object.value.len(),
        Record::Tombstone { .. } => 0,
    };
    key.as_bytes().len() + value_bytes + COPY_OVERHEAD_BYTES
}
