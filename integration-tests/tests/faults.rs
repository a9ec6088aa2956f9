//! Members that die, hang and come back under continuous reads and writes: no client of a living member notices.
//!
//! Copies have not been built: what a dead member held is gone, and a read of it may say so. It may not fail,
//! and it may not wait.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ringhold_integration_tests::{Ring, wait_until};
use tokio::sync::{Mutex, RwLock};
use tokio::task::JoinHandle;

/// The tests of this file measure time, so each has the machine to itself.
static ALONE: Mutex<()> = Mutex::const_new(());

/// The longest that a request to a living member may take.
const BOUND: Duration = Ring::PEER_TIMEOUT.saturating_add(Duration::from_millis(200));
const KEYS_OF_EACH: usize = 20;
const VICTIM: usize = 0;
const LIVING: [usize; 2] = [1, 2];
const DEADLINE: Duration = Duration::from_secs(20);

/// When a member that works again is back at the latest: `rest`, then a probe after each of `rest`, `rest / 2`
/// and `rest / 3`; and some time for the machine.
fn time_to_return() -> Duration {
    Ring::REST + Ring::REST + Ring::REST / 2 + Ring::REST / 3 + Duration::from_millis(700)
}

/// Clients that never stop reading and writing through the living members.
struct Load {
    ends: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(ring: &Arc<RwLock<Ring>>, keys: &Arc<Vec<String>>) -> Self {
        let (ends, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let client = |(number, member): (usize, usize)| {
            let (ring, keys, ends, done) = (ring.clone(), keys.clone(), ends.clone(), done.clone());
            tokio::spawn(async move {
                let mut complaints = Vec::new();
                for turn in number.. {
                    if ends.load(Ordering::Relaxed) {
                        break;
                    }
                    let key = &keys[turn * 11 % keys.len()];
                    complaints.extend(one_request(&ring, member, key, turn).await);
                    done.fetch_add(1, Ordering::Relaxed);
                }
                complaints
            })
        };
        let members = [LIVING[0], LIVING[1], LIVING[0], LIVING[1]];
        let clients = members.into_iter().enumerate().map(client).collect();
        Self { ends, done, clients }
    }

    /// Waits until that many requests more have been answered.
    async fn continue_for(&self, requests: u64) {
        let until = self.done.load(Ordering::Relaxed) + requests;
        wait_until(DEADLINE, "requests to be answered", async || self.done.load(Ordering::Relaxed) >= until)
            .await;
    }

    /// Ends it.
    ///
    /// # Panics
    /// When anything was wrong with any answer.
    async fn end(self) {
        self.ends.store(true, Ordering::Relaxed);
        let mut complaints = Vec::new();
        for client in self.clients {
            complaints.extend(client.await.expect("a client never panics"));
        }
        let requests = self.done.load(Ordering::Relaxed);
        let shown = complaints.iter().take(10).map(String::as_str).collect::<Vec<_>>().join("\n");
        assert!(complaints.is_empty(), "{} of {requests} requests went wrong:\n{shown}", complaints.len());
    }
}

/// One request, two of seven a write; what was wrong with it.
async fn one_request(ring: &RwLock<Ring>, member: usize, key: &str, turn: usize) -> Option<String> {
    let (method, allowed) = if turn % 7 < 2 { ("PUT", &[201, 204]) } else { ("GET", &[200, 404]) };
    let request = ring.read().await[member].object(method, key);
    let request = if method == "PUT" { request.body("a newer value") } else { request };
    let start = Instant::now();
    let answer = request.try_send().await;
    let took = start.elapsed();
    match answer {
        Err(error) => Some(format!("{method} {key} through {member}: {error:?}")),
        Ok(answer) if !allowed.contains(&answer.status) => {
            Some(format!("{method} {key} through {member}: {answer:?}"))
        }
        Ok(_) if took > BOUND => Some(format!("{method} {key} through {member} took {took:?}")),
        Ok(_) => None,
    }
}

/// A ring of three, and keys of every member, all stored.
async fn ring_with_objects() -> (Arc<RwLock<Ring>>, Arc<Vec<String>>) {
    let ring = Ring::start(3).await;
    let mut keys = Vec::new();
    for owner in 0..3 {
        for number in 0..KEYS_OF_EACH {
            let key = ring.key_of(owner, &format!("fault-{number}"));
            ring[owner].object("PUT", &key).body("a value").send().await.assert_status(201);
            keys.push(key);
        }
    }
    (Arc::new(RwLock::new(ring)), Arc::new(keys))
}

/// Waits until both living members have taken the victim out.
async fn wait_until_out(ring: &RwLock<Ring>) {
    let ring = ring.read().await;
    let victim = ring[VICTIM].address();
    for member in LIVING {
        let out = async || ring[member].sees(victim).await.is_some_and(|health| health != "online");
        wait_until(DEADLINE, "the victim to be taken out", out).await;
    }
}

/// Waits until the victim is back for everyone and executes requests for its keys, within the documented time.
async fn assert_returns(ring: &RwLock<Ring>) {
    let ring = ring.read().await;
    let victim = ring[VICTIM].address();
    ring.wait_until_seen(victim, "online", time_to_return()).await;
    let key = ring.key_of(VICTIM, "returned");
    for member in LIVING {
        let answer = ring[member].object("PUT", &key).body("value").send().await;
        assert_eq!(answer.header("x-ringhold-member"), Some(victim.to_string().as_str()), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_that_an_owner_is_killed_and_comes_back() {
    let _alone = ALONE.lock().await;
    let (ring, keys) = ring_with_objects().await;
    let load = Load::start(&ring, &keys);
    load.continue_for(200).await;

    ring.write().await.kill(VICTIM);
    load.continue_for(200).await;
    wait_until_out(&ring).await;
    load.continue_for(200).await;

    // The load goes on while the victim starts.
    ring.write().await.spawn(VICTIM);
    ring.read().await.wait_until_ready(VICTIM).await;
    assert_returns(&ring).await;
    load.continue_for(200).await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_that_an_owner_hangs_and_goes_on() {
    let _alone = ALONE.lock().await;
    let (ring, keys) = ring_with_objects().await;
    let load = Load::start(&ring, &keys);
    load.continue_for(200).await;

    ring.read().await.pause(VICTIM);
    load.continue_for(200).await;
    wait_until_out(&ring).await;
    load.continue_for(200).await;

    ring.read().await.resume(VICTIM);
    assert_returns(&ring).await;
    load.continue_for(200).await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_that_nobody_uses_finds_the_fault_and_heals() {
    let _alone = ALONE.lock().await;
    let ring = RwLock::new(Ring::start(3).await);
    for _ in 0..2 {
        ring.read().await.pause(VICTIM);
        wait_until_out(&ring).await;
        ring.read().await.resume(VICTIM);
        assert_returns(&ring).await;
    }
    ring.write().await.kill(VICTIM);
    wait_until_out(&ring).await;
    ring.write().await.restart(VICTIM).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patch_whose_owner_dies_is_answered_or_known_to_be_unknown() {
    let _alone = ALONE.lock().await;
    let mut ring = Ring::start(3).await;
    let key = ring.key_of(VICTIM, "patched");
    let patch = |ring: &Ring, member: usize| {
        let request = ring[member].object("PATCH", &key);
        request.header("Content-Type", "application/vnd.ringhold.counter+json").body(r#"{"add":1}"#)
    };
    patch(&ring, 1).send().await.assert_status(201);
    ring.pause(VICTIM);
    let start = Instant::now();
    let answer = patch(&ring, 1).send().await;
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    // It had been sent, so nobody else may run it.
    answer.assert_problem(503, "outcome-unknown");
    patch(&ring, 1).send().await.assert_status(201);
    ring.kill(VICTIM);
    for member in LIVING {
        assert!(patch(&ring, member).send().await.status < 500);
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
    assert!(request.await.expect("it is answered").status < 500);
    ring.resume(LIVING[1]);
    let seen = ring[LIVING[0]].sees(ring[LIVING[1]].address()).await;
    assert_eq!(seen.as_deref(), Some("online"));
}
