//! Placement and lookup allocate nothing: shown with an allocator that counts what this thread asks for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;

use ringhold_ring::{
    Digest, Health, HealthPolicy, Key, MemberIndex, Placement, Ring, Timestamp, Version, VersionClock, View,
    WriterId,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

#[expect(
    unsafe_code,
    reason = "a global allocator cannot be written without; each call goes to the system's"
)]
// SAFETY: every method hands its arguments to `System` unchanged; the counter allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps `GlobalAlloc`'s contract, which is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above; `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(black_box(Box::new(7)))), 1);
}

#[test]
fn from_a_path_to_the_members_of_its_key_nothing_is_allocated() {
    for placement in [Placement::Modulo, Placement::Rendezvous] {
        for members in [1, 3, 200, 1024] {
            let addresses = (1..=members).map(|port| format!("10.0.0.1:{port}").parse().unwrap());
            let ring = Arc::new(Ring::new(addresses, placement, members.min(2)).unwrap());
            let indexes: Vec<MemberIndex> = ring.members().map(|(index, _)| index).collect();
            let now = Timestamp::default();
            let mut health = Health::new(members, indexes[0], HealthPolicy::default(), now);
            for member in indexes.iter().step_by(2) {
                let _ = health.failed(*member, now);
            }
            let view = View::new(ring, indexes[0], &health);
            let count = allocations(|| {
                for path in ["a", "sessions/7", "user@example.org"] {
                    let digest = Key::from_path(path).unwrap().digest();
                    black_box(view.lookup(digest));
                    black_box(view.homes(digest).count());
                    black_box(view.substitute(digest, None));
                    black_box(view.is_home(digest, indexes[0]));
                    black_box(view.receivers(digest));
                    black_box(view.ring().preference_list(digest).last());
                }
            });
            assert_eq!(count, 0, "{placement} of {members}");
        }
    }
}

#[test]
fn a_version_and_its_entity_tag_allocate_nothing() {
    let clock = VersionClock::new(WriterId::of(&"10.0.0.1:9999".parse().unwrap()));
    let count = allocations(|| {
        let tag = clock.next(Timestamp::from_millis(1)).to_entity_tag();
        black_box(Version::from_entity_tag(&tag).unwrap());
        black_box(Digest::of(b"key").to_uuid());
    });
    assert_eq!(count, 0);
}
