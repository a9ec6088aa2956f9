//! What it costs to find a key's members: `cargo bench -p ringhold-ring`.
//!
//! The figure to keep: an owner and its role in a ring of 200 in under a microsecond, in either placement, with all
//! members online and with half of them damaged.

#![expect(clippy::expect_used, reason = "a benchmark that cannot build its ring should stop")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use divan::{Bencher, black_box, counter::BytesCount};
use ringhold_ring::{
    Digest, Health, HealthPolicy, MemberAddress, MemberIndex, Placement, Ring, Timestamp, View,
};

const MEMBERS: [usize; 4] = [3, 20, 200, 500];

fn main() {
    divan::main();
}

#[divan::bench(args = [8, 36, 100, 1024])]
fn digest(bencher: Bencher<'_, '_>, key_bytes: usize) {
    let key = vec![b'k'; key_bytes];
    bencher.counter(BytesCount::new(key_bytes)).bench(|| Digest::of(black_box(&key)));
}

mod modulo {
    use super::*;

    #[divan::bench(args = MEMBERS)]
    fn owner(bencher: Bencher<'_, '_>, members: usize) {
        each_owner(bencher, &view(Placement::Modulo, members, |_| false));
    }

    #[divan::bench(args = MEMBERS)]
    fn owner_with_half_damaged(bencher: Bencher<'_, '_>, members: usize) {
        each_owner(bencher, &view(Placement::Modulo, members, |at| at % 2 == 1));
    }

    #[divan::bench(args = MEMBERS)]
    fn owner_with_all_others_damaged(bencher: Bencher<'_, '_>, members: usize) {
        each_owner(bencher, &view(Placement::Modulo, members, |at| at != 0));
    }

    #[divan::bench(args = MEMBERS)]
    fn two_homes(bencher: Bencher<'_, '_>, members: usize) {
        each_pair_of_homes(bencher, &view(Placement::Modulo, members, |_| false));
    }
}

mod rendezvous {
    use super::*;

    #[divan::bench(args = MEMBERS)]
    fn owner(bencher: Bencher<'_, '_>, members: usize) {
        each_owner(bencher, &view(Placement::Rendezvous, members, |_| false));
    }

    #[divan::bench(args = MEMBERS)]
    fn owner_with_half_damaged(bencher: Bencher<'_, '_>, members: usize) {
        each_owner(bencher, &view(Placement::Rendezvous, members, |at| at % 2 == 1));
    }

    #[divan::bench(args = MEMBERS)]
    fn owner_with_all_others_damaged(bencher: Bencher<'_, '_>, members: usize) {
        each_owner(bencher, &view(Placement::Rendezvous, members, |at| at != 0));
    }

    #[divan::bench(args = MEMBERS)]
    fn two_homes(bencher: Bencher<'_, '_>, members: usize) {
        each_pair_of_homes(bencher, &view(Placement::Rendezvous, members, |_| false));
    }
}

fn each_owner(bencher: Bencher<'_, '_>, view: &View) {
    bencher.with_inputs(digests()).bench_values(|digest| view.lookup(black_box(digest)));
}

fn each_pair_of_homes(bencher: Bencher<'_, '_>, view: &View) {
    let last_two = |digest| view.homes(black_box(digest)).fold((None, None), |(_, b), home| (b, Some(home)));
    bencher.with_inputs(digests()).bench_values(last_two);
}

/// A new key for every lookup: one key over and over would teach the branch predictor its members.
fn digests() -> impl Fn() -> Digest + Sync {
    let number = AtomicU64::new(0);
    move || Digest::of(&number.fetch_add(1, Ordering::Relaxed).to_be_bytes())
}

fn view(placement: Placement, members: usize, is_damaged: impl Fn(usize) -> bool) -> View {
    let addresses = (0..members).map(|at| address(at).parse::<MemberAddress>().expect("an address"));
    let ring = Arc::new(Ring::new(addresses, placement, 2).expect("a ring"));
    let indexes: Vec<MemberIndex> = ring.members().map(|(index, _)| index).collect();
    let now = Timestamp::from_millis(0);
    let mut health = Health::new(members, indexes[0], HealthPolicy::default(), now);
    for member in indexes.iter().filter(|member| is_damaged(member.as_usize())) {
        let _ = health.failed(*member, now);
    }
    View::new(ring, indexes[0], &health)
}

fn address(at: usize) -> String {
    format!("10.0.{}.{}:9999", at / 250, at % 250 + 1)
}
