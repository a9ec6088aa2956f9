//! Records that this member holds without being one of their home members: of keys that it stood in for, or that a
//! changed member list has given to others. They are dropped once every home member has them and acts for itself.

use std::sync::Arc;

use ringhold_ring::{FewMembers, Key, MemberIndex, Version, View};
use tracing::{debug, info};

use super::Sweep;
use super::sums::some_records;
use crate::peer::PeerError;
use crate::peer::network::{Copied, MAX_OFFERS};
use crate::store::Cursor;

/// Records of the same home members.
type Group = (FewMembers, Vec<(Key<'static>, Version)>);

impl Sweep {
    /// Brings records home that belong elsewhere, if there may be any and somebody takes them.
    pub(super) async fn bring_strays_home(&self) {
        let owner = self.objects.owner();
        let view = Arc::clone(&self.membership.view());
        // Whatever comes from now on is for the next time.
        let Some(count) = self.membership.strays().filter(|_| !view.is_leaving()) else { return };
        let mut dropped = 0;
        let mut all_dropped = true;
        let mut groups: Vec<Group> = Vec::new();
        let mut cursor = Some(Cursor::default());
        while let Some(from) = cursor {
            let found;
            (found, cursor) = some_records(owner.store(), from);
            for (key, version) in found {
                let digest = key.digest();
                if view.is_home(digest, view.me()) {
                    continue;
                }
                let homes = view.keepers(digest);
                if !homes.iter().all(|home| self.membership.acts(view.ring().address(*home))) {
                    all_dropped = false;
                    continue;
                }
                match groups.iter_mut().find(|(known, _)| *known == homes) {
                    Some((_, records)) => records.push((key, version)),
                    None => groups.push((homes, vec![(key, version)])),
                }
            }
            let is_last = cursor.is_none();
            for (homes, records) in
                groups.extract_if(.., |(_, records)| is_last || records.len() >= MAX_OFFERS / 2)
            {
                for records in records.chunks(MAX_OFFERS) {
                    match self.bring_home(&homes, records, &view).await {
                        Ok(count) => {
                            dropped += count;
                            all_dropped &= count == records.len();
                        }
                        Err(error) => {
                            debug!(%error, "bringing records home broke off");
                            all_dropped = false;
                        }
                    }
                }
            }
            tokio::task::yield_now().await;
        }
        self.progress.dropped_strays(dropped);
        if dropped > 0 {
            info!(records = dropped, "brought home and dropped here");
        }
        if all_dropped {
            self.membership.no_strays_of(count);
        }
    }

    /// Sees that every one of `homes` has these records, and drops those here that are the same, and strays, still.
    async fn bring_home(
        &self,
        homes: &[MemberIndex],
        records: &[(Key<'static>, Version)],
        view: &View,
    ) -> Result<usize, PeerError> {
        let owner = self.objects.owner();
        let mut is_home = vec![true; records.len()];
        for home in homes {
            let member = view.ring().address(*home);
            let wanted = self.wanted(member, records).await?;
            for ((is_home, (key, _)), wanted) in is_home.iter_mut().zip(records).zip(wanted) {
                if !wanted {
                    continue;
                }
                let Some(held) = owner.held(key) else { continue };
                let copied = self.send(member, key.clone(), held, view).await?;
                *is_home &= matches!(copied, Copied::Kept | Copied::Newer(_));
            }
        }
        let mut dropped = 0;
        // By now the rings may be others, and this member a home member.
        let view = Arc::clone(&self.membership.view());
        let is_stray = |key: &Key<'_>| !view.is_home(key.digest(), view.me());
        for ((key, version), _) in records.iter().zip(is_home).filter(|(_, is_home)| *is_home) {
            dropped += usize::from(is_stray(key) && owner.store().remove_if(key, *version));
        }
        Ok(dropped)
    }
}
