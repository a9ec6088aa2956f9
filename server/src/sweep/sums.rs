//! What two members compare before they offer each other anything: a sum for each part of the key space over the
//! versions of all records that both are to keep. Parts with equal sums hold the same, but for a chance of 1 in 2^64.

use bytes::Bytes;
use ringhold_ring::{Digest, Key, MemberIndex, Version, View};

use super::SCAN;
use crate::peer::network::MAX_SUM_BITS;
use crate::store::{Cursor, Store};

/// About how many records a part should hold.
const RECORDS_A_PART: u64 = 16;

/// Into how many parts, as a power of two, it is worth to divide so many records.
pub(super) fn bits_for(records: u64) -> u8 {
    let parts = records / RECORDS_A_PART;
    (u64::BITS - parts.leading_zeros()).min(u32::from(MAX_SUM_BITS)) as u8
}

/// Which of 2^`bits` parts a key belongs to.
pub(super) fn part(digest: Digest, bits: u8) -> usize {
    let [a, b, ..] = *digest.as_bytes();
    usize::from(u16::from_be_bytes([a, b])) >> (16 - u32::from(bits.min(MAX_SUM_BITS)))
}

/// The sums over the records that both self and `other` keep, eight bytes each, big-endian.
pub async fn sums(store: &Store, view: &View, other: MemberIndex, bits: u8) -> Bytes {
    let bits = bits.min(MAX_SUM_BITS);
    let mut sums = vec![0_u64; 1 << bits];
    let mut cursor = Some(Cursor::default());
    while let Some(from) = cursor {
        let found;
        (found, cursor) = some_records(store, from);
        for (key, version) in found {
            let digest = key.digest();
            if view.is_home(digest, view.me()) && view.is_home(digest, other) {
                let sum = &mut sums[part(digest, bits)];
                *sum = sum.wrapping_add(fingerprint(digest, version));
            }
        }
        tokio::task::yield_now().await;
    }
    sums.iter().flat_map(|sum| sum.to_be_bytes()).collect::<Vec<_>>().into()
}

/// Some of the records from `cursor` on, and where to go on. They are copied out, so that nothing else waits for what is
/// done with them.
pub(super) fn some_records(store: &Store, cursor: Cursor) -> (Vec<(Key<'static>, Version)>, Option<Cursor>) {
    let mut found = Vec::new();
    let next = store.scan(cursor, SCAN, |key, version| found.push((key.clone().into_owned(), version)));
    (found, next)
}

/// Every bit of key and version changes every bit of it with even chance.
fn fingerprint(digest: Digest, version: Version) -> u64 {
    let word = |bytes: &[u8]| bytes.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    let version = version.to_bytes();
    let words = [
        word(&digest.as_bytes()[..8]),
        word(&digest.as_bytes()[8..]),
        word(&version[..8]),
        word(&version[8..]),
    ];
    words.into_iter().fold(0, |sum, word| mix(sum ^ word))
}

/// The output function of SplitMix64 (Steele, Lea and Flood, 2014).
const fn mix(word: u64) -> u64 {
    let mut mixed = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
