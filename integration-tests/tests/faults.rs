//! Members that die, hang and come back under continuous reads and writes: no client of a living member notices.
//!
//! Whatever one member held, another holds: no read misses anything, none fails, and none waits for long.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use ringhold_integration_tests::{Accepts, Caller, Load, Request, Ring, wait_until};
use tokio::sync::Mutex;

/// The tests of this file measure time, so each has the machine to itself.
static ALONE: Mutex<()> = Mutex::const_new(());

/// The longest that a request to a living member may take.
const BOUND: Duration = Ring::PEER_TIMEOUT.saturating_add(Duration::from_millis(200));
const KEYS_OF_EACH: usize = 20;
const VICTIM: usize = 0;
const LIVING: [usize; 2] = [1, 2];

/// When a member that works again is back at the latest: `rest`, then a probe after each of `rest`, `rest / 2`
/// and `rest / 3`; and some time for the machine.
fn time_to_return() -> Duration {
    Ring::REST + Ring::REST + Ring::REST / 2 + Ring::REST / 3 + Duration::from_millis(700)
}

/// Clients that never stop reading and writing through the living members: every key is there, and stays.
fn load(ring: &Ring, keys: &Arc<Vec<String>>) -> Load {
    (0..4).fold(Load::new(), |load, number| {
        let living = Caller::new(ring, [LIVING[number % 2]], Accepts::Everything);
        let keys = Arc::clone(keys);
        load.client(move |turn| {
            let (living, keys, turn) = (living.clone(), Arc::clone(&keys), number + turn);
            async move { one_request(&living, &keys[turn * 11 % keys.len()], turn).await }
        })
    })
}

/// One request, two of seven a write; what was wrong with it.
async fn one_request(living: &Caller, key: &str, turn: usize) -> Result<(), String> {
    let (method, right) = if turn % 7 < 2 { ("PUT", 204) } else { ("GET", 200) };
    let build = |request: Request| if method == "PUT" { request.body("a newer value") } else { request };
    let start = Instant::now();
    let answer = living.call(0, method, key, build).await?;
    let took = start.elapsed();
    if answer.status == right && took <= BOUND {
        return Ok(());
    }
    Err(format!("{method} {key} took {took:?}: {answer:?}"))
}

/// A ring of three, and keys of every member, all stored.
async fn ring_with_objects() -> (Ring, Arc<Vec<String>>) {
    let ring = Ring::start(3).await;
    let mut keys = Vec::new();
    for owner in 0..3 {
        for number in 0..KEYS_OF_EACH {
            let key = ring.key_of(owner, &format!("fault-{number}"));
            ring[owner].object("PUT", &key).body("a value").send().await.assert_status(201);
            keys.push(key);
        }
    }
    (ring, Arc::new(keys))
}

/// Waits until the victim is back for everyone and executes requests for its keys, within the documented time.
async fn assert_returns(ring: &Ring) {
    let victim = ring[VICTIM].address();
    ring.wait_until_seen(victim, "online", time_to_return()).await;
    wait_until(time_to_return(), "the victim to act", async || ring[VICTIM].acts().await).await;
    let key = ring.key_of(VICTIM, "returned");
    for member in LIVING {
        let answer = ring[member].object("PUT", &key).body("value").send().await;
        assert_eq!(answer.header("x-ringhold-member"), Some(victim.to_string().as_str()), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_that_an_owner_is_killed_and_comes_back() {
    let _alone = ALONE.lock().await;
    let (mut ring, keys) = ring_with_objects().await;
    let load = load(&ring, &keys);
    load.continue_for(200).await;

    ring.kill(VICTIM);
    load.continue_for(200).await;
    ring.wait_until_out(&[VICTIM]).await;
    load.continue_for(200).await;

    // The load goes on while the victim starts.
    ring.spawn(VICTIM);
    ring.wait_until_ready(VICTIM).await;
    assert_returns(&ring).await;
    load.continue_for(200).await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_that_an_owner_hangs_and_goes_on() {
    let _alone = ALONE.lock().await;
    let (ring, keys) = ring_with_objects().await;
    let load = load(&ring, &keys);
    load.continue_for(200).await;

    ring.pause(VICTIM);
    load.continue_for(200).await;
    ring.wait_until_out(&[VICTIM]).await;
    load.continue_for(200).await;

    ring.resume(VICTIM);
    assert_returns(&ring).await;
    load.continue_for(200).await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_that_nobody_uses_finds_the_fault_and_heals() {
    let _alone = ALONE.lock().await;
    let mut ring = Ring::start(3).await;
    for _ in 0..2 {
        ring.pause(VICTIM);
        ring.wait_until_out(&[VICTIM]).await;
        ring.resume(VICTIM);
        assert_returns(&ring).await;
    }
    ring.kill(VICTIM);
    ring.wait_until_out(&[VICTIM]).await;
    ring.restart(VICTIM).await;
    assert_returns(&ring).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_member_serves_every_key() {
    let _alone = ALONE.lock().await;
    let mut ring = Ring::builder(3).set("cluster.replicas", "1").start().await;
    ring.kill(0);
    ring.kill(1);
    let last = ring[2].address().to_string();
    for owner in 0..3 {
        for number in 0..KEYS_OF_EACH {
            let key = ring.key_of(owner, &format!("last-{number}"));
            let put = ring[2].object("PUT", &key).body("value").send().await;
            put.assert_status(201);
            assert_eq!(put.header("x-ringhold-member"), Some(last.as_str()));
            assert_eq!(put.header("x-ringhold-route"), Some(if owner == 2 { "local" } else { "stand-in" }));
            assert_eq!(ring[2].object("GET", &key).send().await.text(), "value");
        }
    }
}

/// Adds 1 to a counter through one member.
fn count(ring: &Ring, member: usize, key: &str) -> Request {
    let request = ring[member].object("PATCH", key);
    request.header("Content-Type", "application/vnd.ringhold.counter+json").body(r#"{"add":1}"#)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patch_whose_owner_hangs_is_carried_out_once_by_who_has_the_copy() {
    let _alone = ALONE.lock().await;
    let ring = Ring::start(3).await;
    let key = ring.key_of(VICTIM, "patched");
    count(&ring, 1, &key).send().await.assert_status(201);
    ring.pause(VICTIM);
    let start = Instant::now();
    let answer = count(&ring, 1, &key).send().await;
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    answer.assert_status(200);
    assert_eq!(answer.text(), "2");
    // The owner has been sent it too, and reads it when it goes on.
    ring.resume(VICTIM);
    ring.wait_until_settled().await;
    for member in 0..3 {
        assert_eq!(ring[member].object("GET", &key).send().await.text(), "2");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_copies_a_patch_whose_owner_dies_is_answered_or_known_to_be_unknown() {
    let _alone = ALONE.lock().await;
    let mut ring = Ring::builder(3).set("cluster.replicas", 1).start().await;
    let key = ring.key_of(VICTIM, "patched");
    count(&ring, 1, &key).send().await.assert_status(201);
    ring.pause(VICTIM);
    let start = Instant::now();
    let answer = count(&ring, 1, &key).send().await;
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    // It had been sent, so nobody else may run it.
    answer.assert_problem(503, "outcome-unknown");
    ring.wait_until_out(&[VICTIM]).await;
    count(&ring, 1, &key).send().await.assert_status(201);
    ring.kill(VICTIM);
    for member in LIVING {
        assert!(count(&ring, member, &key).send().await.status < 500);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_does_wrong_damages_nobody() {
    let _alone = ALONE.lock().await;
    let ring = Ring::start(3).await;
    for way in ring.ways("mistakes") {
        way.request("PUT").header("X-TTL", 0).body("value").send().await.assert_status(400);
        way.request("PUT").body(vec![0; (2 << 20) + 1]).send().await.assert_status(413);
        way.request("PUT").header("If-Match", "*").body("value").send().await.assert_status(412);
        way.request("PATCH")
            .header("Content-Type", "application/json-patch+json")
            .body("{")
            .send()
            .await
            .assert_status(400);
        way.request("GET").send().await.assert_status(404);
        for member in ring.members() {
            assert_eq!(member.sees(way.owner.address()).await.as_deref(), Some("online"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_stands_in_late_is_not_blamed_for_the_time_that_the_owner_took() {
    let _alone = ALONE.lock().await;
    let ring = Ring::start(3).await;
    let next_is = |key: &str, member: usize| {
        let digest = ringhold_ring::Key::new(key).expect("a key").digest();
        let known = ring.members().iter().map(|member| member.address().into());
        let members = ringhold_ring::Ring::new(known, ringhold_ring::Placement::Modulo, 1).expect("a ring");
        members.preference_list(digest).nth(1).expect("a second").as_usize() == member
    };
    let key = (0..)
        .map(|number| ring.key_of(VICTIM, &format!("late-{number}")))
        .find(|key| next_is(key, LIVING[1]))
        .expect("half of them");
    // The owner hangs; the next hangs for a moment, much less than a member is given, just when it is asked.
    ring.pause(VICTIM);
    let request = tokio::spawn(ring[LIVING[0]].object("GET", &key).send());
    tokio::time::sleep(Ring::PEER_TIMEOUT - Duration::from_millis(100)).await;
    ring.pause(LIVING[1]);
    let answer = request.await.expect("it is answered");
    if answer.status >= 500 {
        // Both who keep it hang, and who is asked has nothing.
        answer.assert_problem(503, "unavailable");
    }
    ring.resume(LIVING[1]);
    let seen = ring[LIVING[0]].sees(ring[LIVING[1]].address()).await;
    assert_eq!(seen.as_deref(), Some("online"));
}
