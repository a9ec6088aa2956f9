//! What the allocator holds free: kept while values pass through, given back to the system when the store has shrunk.
//!
//! It says nothing about when that is: see [`Ledger::has_shrunk`](super::ledger::Ledger::has_shrunk).

/// Values up to this size find the memory of those that have passed through before them.
const LARGE_BYTES: usize = 4 << 20;

/// Lets the process keep freed memory for the next values: twice [`LARGE_BYTES`] at the end of each of the allocator's
/// heaps. At its start glibc keeps 128 KiB, and has the system take back and clear again the memory of each large value. It
/// goes by the largest block so far that was mapped by itself and freed (mallopt(3), `M_MMAP_THRESHOLD`): it is shown one.
pub(crate) fn keep_freed() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE_BYTES)));
}

/// Gives back whole pages of the system in which nothing is allocated. glibc does so by itself only at the end of its
/// heap, where after some traffic there is always something. Others meanwhile wait for their allocations: half a
/// millisecond for each 10 MiB.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "nobody else can; docs/performance.md has what it brings")]
pub(super) fn give_back() {
    // SAFETY: It takes a number and no pointer. The C library documents it as safe to call from any thread at any time
    // (malloc_trim(3)): it takes the allocator's own locks, and no memory that is allocated changes or moves.
    unsafe { libc::malloc_trim(0) };
}

/// Allocators of other systems do it by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) const fn give_back() {}
