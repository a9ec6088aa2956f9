//! What a ring with copies promises, with members that are killed, paused, stopped and started again: nothing that was
//! acknowledged is missing, nothing deleted comes back, nothing runs twice.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use ringhold_integration_tests::{Accepts, Answer, Caller, Counters, Load, Request, Ring, wait_until};
use tokio::sync::Mutex;

/// Members that are taken out because the machine is busy are another test's, so each has the machine to itself.
static ALONE: Mutex<()> = Mutex::const_new(());

const PATIENCE: Duration = Duration::from_secs(20);
const KEYS_OF_EACH: usize = 20;
const COUNTER: &str = "application/vnd.ringhold.counter+json";

fn count(request: Request, name: &str) -> Request {
    request.header("content-type", COUNTER).header("idempotency-key", name).body(r#"{"add":1}"#)
}

/// Stores a value of its own under some keys of each of the `owners`, through a member that does not own them.
async fn fill(ring: &Ring, name: &str, owners: impl IntoIterator<Item = usize>) -> Vec<(String, Answer)> {
    let mut stored = Vec::new();
    for owner in owners {
        for number in 0..KEYS_OF_EACH {
            let key = ring.key_of(owner, &format!("{name}-{number}"));
            let asked = &ring[(owner + 1) % ring.members().len()];
            let answer = asked.object("PUT", &key).body(format!("the value of {key}")).send().await;
            answer.assert_status(201);
            stored.push((key, answer));
        }
    }
    stored
}

/// That these members answer with what was stored, and in the very version that was acknowledged.
async fn assert_there(ring: &Ring, members: &[usize], stored: &[(String, Answer)]) {
    for (key, put) in stored {
        for member in members {
            let found = ring[*member].object("GET", key).send().await;
            found.assert_status(200);
            assert_eq!(found.text(), format!("the value of {key}"));
            assert_eq!(found.etag(), put.etag(), "{key}");
        }
    }
}

async fn assert_missing(ring: &Ring, keys: &[String]) {
    for key in keys {
        for member in ring.members() {
            member.object("GET", key).send().await.assert_status(404);
            let own = member.object("GET", key).header("x-pp-datastore-behavior", "DISALLOW_FORWARDING");
            assert_eq!(own.send().await.status, 404, "{key} has come back at {}", member.address());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_write_survives_that_its_owner_is_killed() {
    let _alone = ALONE.lock().await;
    let mut ring = Ring::start(3).await;
    let stored = fill(&ring, "kept", 0..3).await;
    ring.kill(0);
    // At once: who is asked first has still to find out.
    assert_there(&ring, &[1, 2], &stored).await;
    ring.wait_until_out(&[0]).await;
    assert_there(&ring, &[1, 2], &stored).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_three_copies_an_acknowledged_write_survives_that_two_members_are_killed_at_once() {
    let _alone = ALONE.lock().await;
    let mut ring = Ring::builder(4).set("cluster.replicas", 3).start().await;
    let stored = fill(&ring, "kept", 0..4).await;
    ring.kill(0);
    ring.kill(1);
    ring.wait_until_out(&[0, 1]).await;
    assert_there(&ring, &[2, 3], &stored).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_has_everything_again_makes_up_for_the_next_that_is_killed() {
    let _alone = ALONE.lock().await;
    // Others trust a member again only after it has rested.
    let mut ring = Ring::builder(3).set("cluster.rest", "5s").start().await;
    let stored = fill(&ring, "kept", 0..3).await;
    ring.kill(1);
    ring.wait_until_out(&[1]).await;
    ring.spawn(1);
    for other in [0, 2] {
        wait_until(PATIENCE, "it to have everything", async || {
            let said = ring[other].says_of(ring[1].address()).await;
            said.is_some_and(|said| said["handed"] == true && said["state"] == "ready")
        })
        .await;
    }
    ring.kill(2);
    assert_there(&ring, &[0, 1], &stored).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_copies_what_a_member_left_behind_is_found_whoever_comes_and_goes_meanwhile() {
    let _alone = ALONE.lock().await;
    let mut ring = Ring::builder(3).set("cluster.replicas", 1).start().await;
    let stored = fill(&ring, "left", [1]).await;
    ring.kill(0);
    ring.wait_until_out(&[0]).await;
    assert!(ring.stop(1).await.success());
    assert_there(&ring, &[2], &stored).await;
    // Half of these keys are now for the one that comes back to keep.
    ring.restart(0).await;
    wait_until(PATIENCE, "it to be trusted", async || {
        ring[2].sees(ring[0].address()).await.as_deref() == Some("online")
    })
    .await;
    assert_there(&ring, &[0, 2], &stored).await;
    ring.restart(1).await;
    ring.wait_until_settled().await;
    assert_there(&ring, &[0, 1, 2], &stored).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patches_run_exactly_once_while_members_are_killed_and_come_back_empty() {
    let _alone = ALONE.lock().await;
    let mut ring = Ring::start(3).await;
    let stored = fill(&ring, "kept", 0..3).await;
    // Through every member, the killed one too, before and as soon as it listens again.
    let caller = Caller::new(&ring, 0..3, Accepts::Service);
    let load = Counters::new("counted", caller, KEYS_OF_EACH).join(Load::new());
    load.continue_for(100).await;
    for victim in 0..3 {
        ring.kill(victim);
        load.continue_for(100).await;
        ring.spawn(victim);
        load.continue_for(20).await;
        ring.wait_until_ready(victim).await;
        // One member may fail at a time: the next one only when everybody holds again what it should.
        ring.wait_until_settled().await;
        load.continue_for(50).await;
    }
    assert_there(&ring, &[0, 1, 2], &stored).await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_returns_empty_never_says_that_there_is_nothing() {
    let _alone = ALONE.lock().await;
    let mut ring = Ring::start(3).await;
    let stored = Arc::new(fill(&ring, "kept", 0..3).await);
    let victim = Caller::new(&ring, [0], Accepts::Everything);
    ring.kill(0);
    ring.wait_until_out(&[0]).await;
    ring.spawn(0);
    // Whatever it answers, from the first moment: refused connections are tried again.
    let load = (0..4).fold(Load::new(), |load, client| {
        let (victim, stored) = (victim.clone(), Arc::clone(&stored));
        load.client(move |turn| {
            let (victim, stored) = (victim.clone(), Arc::clone(&stored));
            async move {
                let (key, put) = &stored[(turn * 4 + client) % stored.len()];
                let found = victim.call(0, "GET", key, |request| request).await?;
                let right = found.status == 200 && found.etag() == put.etag();
                if right { Ok(()) } else { Err(format!("{key}: {found:?}")) }
            }
        })
    });
    load.continue_for(100).await;
    ring.wait_until_ready(0).await;
    ring.wait_until_settled().await;
    load.continue_for(200).await;
    load.end().await;
    // It holds by itself what it should: the others may go.
    ring.kill(1);
    ring.kill(2);
    let own: Vec<_> = stored.iter().filter(|(key, _)| ring.homes_of(key, 2).contains(&0)).cloned().collect();
    assert!(own.len() > KEYS_OF_EACH, "{}", own.len());
    assert_there(&ring, &[0], &own).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_while_a_member_was_away_stays_deleted_when_it_returns() {
    let _alone = ALONE.lock().await;
    let mut ring = Ring::start(3).await;
    let stored = fill(&ring, "deleted", 0..3).await;
    let keys: Vec<_> = stored.into_iter().map(|(key, _)| key).collect();
    // It keeps its memory, and with it objects that it is not told to delete.
    ring.pause(0);
    ring.wait_until_out(&[0]).await;
    for (number, key) in keys.iter().enumerate() {
        ring[1 + number % 2].object("DELETE", key).send().await.assert_status(204);
    }
    ring.resume(0);
    ring.wait_until_settled().await;
    assert_missing(&ring, &keys).await;
    // Nor do those come back that were deleted before a member lost its memory.
    ring.kill(1);
    ring.restart(1).await;
    ring.wait_until_settled().await;
    assert_missing(&ring, &keys).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_expired_while_a_member_was_away_does_not_come_back_in_an_older_version() {
    let _alone = ALONE.lock().await;
    let ring = Ring::start(3).await;
    let stored = fill(&ring, "expired", 0..3).await;
    let keys: Vec<_> = stored.into_iter().map(|(key, _)| key).collect();
    ring.pause(0);
    ring.wait_until_out(&[0]).await;
    for key in &keys {
        ring[1].object("PUT", key).header("x-ttl", 1).body("soon over").send().await.assert_status(204);
    }
    wait_until(PATIENCE, "the objects to expire", async || {
        for key in &keys {
            if ring[2].object("GET", key).send().await.status != 404 {
                return false;
            }
        }
        true
    })
    .await;
    ring.resume(0);
    ring.wait_until_settled().await;
    assert_missing(&ring, &keys).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_kept_while_a_member_was_away_does_not_outlive_what_it_became_since() {
    let _alone = ALONE.lock().await;
    let mut ring = Ring::builder(3).set("cluster.replicas", 1).start().await;
    let stored = fill(&ring, "strays", [0]).await;
    let keys: Vec<_> = stored.into_iter().map(|(key, _)| key).collect();
    assert!(ring.stop(0).await.success());
    ring.restart(0).await;
    // The others may hold what they kept for it still.
    for (number, key) in keys.iter().enumerate() {
        if number % 2 == 0 {
            ring[0].object("DELETE", key).send().await.assert_status(204);
        } else {
            ring[0].object("PUT", key).header("x-ttl", 1).body("soon over").send().await.assert_status(204);
        }
    }
    for member in [1, 2] {
        wait_until(PATIENCE, "what belongs elsewhere to be gone", async || {
            ring[member].report().await.is_some_and(|report| report["store"]["objects"] == 0)
        })
        .await;
    }
    wait_until(PATIENCE, "the objects to expire", async || {
        ring[0].report().await.is_some_and(|report| report["store"]["objects"] == 0)
    })
    .await;
    assert_missing(&ring, &keys).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patch_that_is_repeated_under_its_name_runs_once_whoever_is_asked() {
    let _alone = ALONE.lock().await;
    let mut ring = Ring::start(3).await;
    for way in ring.ways("repeated") {
        for (run, value) in [("first", "1"), ("second", "2"), ("second", "2"), ("first", "2")] {
            let name = format!("{}-{run}", way.key);
            let answer = count(way.request("PATCH"), &name).send().await;
            assert!(matches!(answer.status, 200 | 201), "{answer:?}");
            assert_eq!(answer.text(), value, "{name}");
        }
        for member in ring.members() {
            let answer = count(member.object("PATCH", &way.key), &format!("{}-second", way.key)).send().await;
            assert_eq!(answer.text(), "2", "through {}", member.address());
        }
    }
    // Whoever takes the owner's place knows what has run.
    let keys: Vec<_> = (0..KEYS_OF_EACH).map(|number| ring.key_of(0, &format!("owned-{number}"))).collect();
    for key in &keys {
        count(ring[1].object("PATCH", key), key).send().await.assert_status(201);
    }
    ring.kill(0);
    for key in &keys {
        let answer = count(ring[2].object("PATCH", key), key).send().await;
        assert_eq!((answer.status, answer.text()), (200, "1"), "{key}");
    }
    // So does the owner when it is back without memory.
    ring.restart(0).await;
    ring.wait_until_settled().await;
    for key in &keys {
        let answer = count(ring[0].object("PATCH", key), key).send().await;
        assert_eq!((answer.status, answer.text()), (200, "1"), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_too_few_members_would_hold_is_refused_until_they_are_back() {
    let _alone = ALONE.lock().await;
    let mut ring = Ring::builder(2).set("cluster.replicas", 2).set("cluster.min_copies", 2).start().await;
    let stored = fill(&ring, "before", 0..2).await;
    ring.kill(1);
    for (number, (key, _)) in stored.iter().enumerate() {
        let refused = ring[0].object("PUT", key).body("a newer value").send().await;
        refused.assert_problem(503, "too-few-copies");
        let new = ring.key_of(number % 2, &format!("new-{number}"));
        ring[0].object("PUT", &new).body("a value").send().await.assert_problem(503, "too-few-copies");
        ring[0].object("GET", &new).send().await.assert_status(404);
    }
    // Reads need nobody else.
    assert_there(&ring, &[0], &stored).await;
    ring.restart(1).await;
    ring.wait_until_settled().await;
    assert_there(&ring, &[0, 1], &stored).await;
    for (key, _) in &stored {
        ring[0].object("PUT", key).body("a newer value").send().await.assert_status(204);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guarded_member_that_reaches_no_majority_refuses_every_request_for_objects() {
    let _alone = ALONE.lock().await;
    let mut ring = Ring::builder(3).set("cluster.majority_guard", true).start().await;
    let key = ring.key_of(2, "guarded");
    ring[2].object("PUT", &key).body("a value").send().await.assert_status(201);
    ring.kill(0);
    ring.wait_until_out(&[0]).await;
    ring[1].object("PUT", &key).body("two are a majority").send().await.assert_status(204);

    ring.kill(1);
    ring.wait_until_out(&[0, 1]).await;
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let request = ring[2].object(method, &key).header("content-type", COUNTER).body(r#"{"add":1}"#);
        request.send().await.assert_problem(503, "no-majority");
    }
    ring[2].request("GET", "/cluster").send().await.assert_status(200);

    ring.restart(1).await;
    for member in [1, 2] {
        let answers = async || ring[member].object("GET", &key).send().await.status == 200;
        wait_until(PATIENCE, "the majority to answer", answers).await;
        assert_eq!(ring[member].object("GET", &key).send().await.text(), "two are a majority");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_may_be_stale_is_answered_by_any_member_that_keeps_the_key() {
    let _alone = ALONE.lock().await;
    let ring = Ring::start(3).await;
    let stored = fill(&ring, "stale", 0..3).await;
    for (key, put) in &stored {
        let homes = ring.homes_of(key, 2);
        for (asked, member) in ring.members().iter().enumerate() {
            let strict = member.object("GET", key).send().await;
            assert_eq!(strict.header("x-ringhold-member"), Some(&*ring[homes[0]].known_as().to_string()));
            let stale = member.object("GET", key).header("cache-control", "max-stale").send().await;
            stale.assert_status(200);
            assert_eq!(stale.etag(), put.etag());
            let by = if homes.contains(&asked) { asked } else { homes[0] };
            assert_eq!(stale.header("x-ringhold-member"), Some(&*ring[by].known_as().to_string()));
        }
    }
    // It waits for nobody, however the owner is.
    let (key, _) = stored.iter().find(|(key, _)| ring.homes_of(key, 2) == [0, 1]).expect("one of twenty");
    ring.pause(0);
    let start = Instant::now();
    let stale = ring[1].object("GET", key).header("cache-control", "max-stale=60").send().await;
    stale.assert_status(200);
    assert!(start.elapsed() < Ring::PEER_TIMEOUT / 2, "{:?}", start.elapsed());
}

/// Stops every member and starts it again, one after the other, while clients that leave only members that refuse
/// connections ask all of them.
async fn restarts_one_by_one(replicas: usize) {
    let mut ring = Ring::builder(3).set("cluster.replicas", replicas).start().await;
    let stored = fill(&ring, "kept", 0..3).await;
    let caller = Caller::new(&ring, 0..3, Accepts::Everything);
    let load = Counters::new("counted", caller, KEYS_OF_EACH).join(Load::new());
    load.continue_for(100).await;
    for member in 0..3 {
        let status = ring.stop(member).await;
        assert!(status.success(), "{status}");
        load.continue_for(50).await;
        let others: Vec<_> = (0..3).filter(|other| *other != member).collect();
        assert_there(&ring, &others, &stored).await;
        // As an operator does: the next one once `/readyz` says so.
        ring.restart(member).await;
    }
    ring.wait_until_settled().await;
    load.continue_for(100).await;
    assert_there(&ring, &[0, 1, 2], &stored).await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_restart_one_by_one_fail_no_request_and_lose_nothing() {
    let _alone = ALONE.lock().await;
    restarts_one_by_one(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_copies_members_that_restart_one_by_one_fail_no_request_and_lose_nothing_either() {
    let _alone = ALONE.lock().await;
    restarts_one_by_one(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_stopped_answers_nothing_that_is_older_than_what_others_acknowledged() {
    let _alone = ALONE.lock().await;
    let ring = Ring::start(3).await;
    for round in 0..3 {
        let stored = fill(&ring, &format!("paused-{round}"), [0]).await;
        ring.pause(0);
        ring.wait_until_out(&[0]).await;
        for (key, _) in &stored {
            ring[1].object("PUT", key).body("a newer value").send().await.assert_status(204);
        }
        // Asked while it is stopped, answered when it goes on: after what the others have acknowledged.
        let mut asked = Vec::new();
        for (key, put) in &stored {
            let (mut read, mut write) = (ring[0].connect().await, ring[0].connect().await);
            let host = ring[0].door();
            read.send(format!("GET /objects/{key} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
            let condition = format!("If-Match: {}\r\nContent-Length: 8", put.etag());
            write
                .send(format!("PUT /objects/{key} HTTP/1.1\r\nHost: {host}\r\n{condition}\r\n\r\ntoo late"))
                .await;
            asked.push((key, read, write));
        }
        ring.resume(0);
        for (key, mut read, mut write) in asked {
            let read = read.answer().await.expect("an answer");
            assert_eq!((read.status, &*read.text()), (200, "a newer value"), "{key}");
            let write = write.answer().await.expect("an answer");
            assert_eq!(write.status, 412, "{key}: {write:?}");
        }
        ring.wait_until_settled().await;
    }
}
