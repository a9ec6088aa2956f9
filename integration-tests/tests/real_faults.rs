//! A ring of five processes in network namespaces is put through every fault once, and keeps what is promised.
//!
//! The whole of it is `cargo xtask faults`; this is a short round. Where namespaces are not allowed it says so and is skipped, but
//! not where `RINGHOLD_CI` is set, as `cargo xtask test` does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;
use std::sync::{Mutex, PoisonError};

use ringhold_integration_tests::binary;
use ringhold_integration_tests::faults::enclosure;

/// They are judged by how long things take, so each has the machine to itself.
static ALONE: Mutex<()> = Mutex::new(());

/// Puts rings through faults; `arguments` say which.
fn assert_keeps_its_promises(arguments: &[&str]) {
    if let Some(obstacle) = enclosure::obstacle() {
        assert!(
            std::env::var_os("RINGHOLD_CI").is_none(),
            "faults cannot be tried, and here they must be: {obstacle}"
        );
        eprintln!("SKIPPED: {obstacle}");
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let harness = Command::new(env!("CARGO_BIN_EXE_ringhold-faults"))
        .args(["--seconds", "1"])
        .args(arguments)
        .env("RINGHOLD_BIN", binary())
        .output()
        .expect("it was built beside this test");
    let said = [&*harness.stdout, &*harness.stderr].map(String::from_utf8_lossy).join("\n");
    assert!(harness.status.success(), "{said}");
}

#[test]
fn two_copies_outlive_every_fault_that_takes_one_member() {
    assert_keeps_its_promises(&["--replicas", "2"]);
}

#[test]
fn three_copies_outlive_the_crash_of_two_members_and_a_pause() {
    assert_keeps_its_promises(&["--replicas", "3", "--only", "crash,pause"]);
}
