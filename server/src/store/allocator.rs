//! What the allocator holds free, given back to the system.
//!
//! It says nothing about when: see [`Ledger::has_shrunk`](super::ledger::Ledger::has_shrunk).

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
