//! Each target over a fixed number of inputs, and proof that the driver sees what breaks.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use ringhold_fuzz::drive::{self, Bound};
use ringhold_fuzz::targets::{TARGETS, Target};
use rustix::time::{ClockId, clock_gettime};

const SEED: u64 = 0x5eed;

fn run(name: &str, inputs: u64) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let samples = drive::samples(target).unwrap();
    let report = drive::run(target, samples, SEED, Bound::Inputs(inputs), |_| {});
    let report =
        report.unwrap_or_else(|finding| panic!("{finding}\ninput: {}", finding.input.escape_ascii()));
    assert!(report.answers >= 2, "every input got the same answer: the mutator does not reach the target");
}

macro_rules! short_runs {
    ($($test:ident: $target:literal, $inputs:literal;)*) => {
        $(#[test] fn $test() { run($target, $inputs); })*

        #[test]
        fn every_target_has_a_short_run() {
            let named = [$($target),*];
            let targets: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(targets, named);
        }
    };
}

short_runs! {
    frames_of_a_stream_never_break_it: "frames", 20_000;
    a_hello_never_breaks_a_handshake: "hello", 20_000;
    requests_of_members_decode_or_are_refused: "request", 20_000;
    replies_of_members_decode_or_are_refused: "reply", 20_000;
    asks_of_members_decode_or_are_refused: "ask", 20_000;
    lists_of_members_decode_or_are_refused: "list", 20_000;
    probes_decode_or_are_refused: "probe", 20_000;
    no_forged_frame_is_opened: "sealed", 2_000;
    jks_stores_open_or_are_refused: "jks", 2_000;
    pkcs12_stores_open_or_are_refused: "pkcs12", 1_000;
    pem_files_open_or_are_refused: "pem", 2_000;
    no_forged_member_token_is_accepted: "token", 2_000;
    no_forged_bearer_token_is_accepted: "bearer", 5_000;
    no_client_hides_behind_a_proxy: "forwarded", 20_000;
    access_ranges_mean_what_they_say: "ranges", 10_000;
    keys_in_paths_are_one_key_each: "key", 20_000;
    member_addresses_are_one_member_each: "member", 20_000;
    shared_secrets_are_never_shown: "secret", 5_000;
    configuration_files_load_or_say_why: "config", 500;
    settings_of_the_command_line_load_or_say_why: "overrides", 2_000;
    patches_apply_or_are_refused: "patch", 10_000;
    plain_requests_are_read_as_hyper_reads_them: "plain", 10_000;
}

const FRAGILE: Target = Target {
    name: "fragile",
    words: &["needle"],
    max_bytes: 64,
    samples: || vec![b"hay".to_vec()],
    run: |input| {
        assert!(!input.windows(6).any(|bytes| bytes == b"needle"), "the needle");
        String::from("hay")
    },
};

#[test]
fn a_target_that_breaks_is_found_with_its_input_and_the_input_breaks_it_again() {
    let finding =
        drive::run(&FRAGILE, vec![b"hay".to_vec()], SEED, Bound::Inputs(10_000), |_| {}).unwrap_err();
    assert_eq!((finding.target, &*finding.what), ("fragile", "the needle"));
    let again = drive::try_one(&FRAGILE, &finding.input).unwrap_err();
    assert_eq!(again.what, "the needle");
}

#[test]
fn an_input_that_takes_too_long_is_found() {
    let slow = Target {
        name: "slow",
        run: |_| {
            let before = processor_time();
            while processor_time() - before <= drive::SLOW + Duration::from_millis(10) {}
            String::new()
        },
        ..FRAGILE
    };
    let finding = drive::try_one(&slow, b"").unwrap_err();
    assert!(finding.what.contains("processor time"), "{finding}");
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}
