//! What every test of a secured ring does: ask every member for every key, reload, and look for secrets.

use std::time::Duration;

use crate::member::Member;
use crate::ring::Ring;
use crate::wait::wait_until;
use crate::workshop::{Workshop, written_beside};

/// How long a reload, a refusal in a log or the like may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A short round of the object API: every insider asked for keys of every insider, through its door.
///
/// # Panics
/// When any answer is not as it should be.
pub async fn rounds(ring: &Ring, name: &str) {
    let insiders: Vec<_> = ring.insiders().map(Member::address).collect();
    let is_in = |member: &Member| insiders.contains(&member.address());
    let ways = ring.ways(name);
    for way in ways.iter().filter(|way| is_in(way.asked) && is_in(way.owner)) {
        let value = format!("a value of {}", way.key);
        way.request("PUT").body(value.clone()).send().await.assert_status(201);
        let found = way.request("GET").send().await;
        found.assert_status(200);
        assert_eq!(found.text(), value);
        assert_eq!(found.header("x-ringhold-member"), Some(&*way.owner.known_as().to_string()), "{found:?}");
        way.request("DELETE").send().await.assert_status(204);
        way.request("GET").send().await.assert_status(404);
    }
}

/// That the insiders work without the outcasts, and neither side counts the other as online once it has tried to reach it.
///
/// # Panics
/// When they do not.
pub async fn assert_outcasts_are_out(ring: &Ring) {
    let is_in = |member: &Member| ring.insiders().any(|insider| insider.address() == member.address());
    let outcasts: Vec<_> = ring.members().iter().filter(|member| !is_in(member)).collect();
    assert!(!outcasts.is_empty(), "there is nobody to keep out");
    let pairs =
        || ring.insiders().flat_map(|insider| outcasts.iter().map(move |outcast| (insider, *outcast)));
    let sights = || pairs().flat_map(|(insider, outcast)| [(insider, outcast), (outcast, insider)]);
    for (asked, about) in sights() {
        let what = format!("{} not to see {} online", asked.address(), about.address());
        wait_until(PATIENCE, &what, async || asked.sees(about.address()).await.as_deref() != Some("online"))
            .await;
    }
    for round in ["first", "second", "third"] {
        rounds(ring, &format!("without-outcasts-{round}")).await;
        for (asked, about) in sights() {
            let seen = asked.sees(about.address()).await;
            assert_ne!(seen.as_deref(), Some("online"), "{} sees {}", asked.address(), about.address());
        }
    }
}

/// Has a member load its files again, and waits until it has loaded `source`.
///
/// # Panics
/// When it does not.
pub async fn reload(member: &Member, source: &str) {
    let reloads = async || {
        let report = member.request("GET", "/cluster").send().await.json();
        let sources = report["security"]["sources"].as_array().cloned().unwrap_or_default();
        let found = sources.iter().find(|found| found["name"] == source);
        let found = found.unwrap_or_else(|| panic!("no source {source} in {report}"));
        assert!(found["error"].is_null(), "{} does not load {source}: {found}", member.address());
        found["reloads"].as_u64().expect("a number")
    };
    let before = reloads().await;
    member.hang_up();
    let what = format!("{} to load {source} again", member.address());
    wait_until(PATIENCE, &what, async || reloads().await > before).await;
}

/// Waits until a member's log holds all of `words` in one line.
pub async fn wait_until_logged(member: &Member, words: &[&str]) {
    let what = format!("a line with {words:?} in the log of {}", member.address());
    let holds = |line: &str| words.iter().all(|word| line.contains(word));
    wait_until(PATIENCE, &what, async || member.log().lines().any(holds)).await;
}

/// That no secret of the workshop stands in anything that a member shows: logs and output, reports, its command line.
///
/// # Panics
/// When one does.
pub async fn assert_keeps_secrets(ring: &Ring, shop: &Workshop) {
    for member in ring.members() {
        let mut shown = vec![("output and log", written_beside(&member.configuration()))];
        if member.is_running() {
            shown.push(("command line", member.command_line()));
            for path in ["/cluster", "/metrics", "/readyz", "/openapi.json"] {
                if let Ok(answer) = member.request("GET", path).try_send().await {
                    assert_ne!(answer.status, 404, "there is no {path} to look at");
                    shown.push((path, String::from_utf8_lossy(&answer.body).into_owned()));
                }
            }
        }
        for (place, text) in shown {
            for secret in shop.secrets() {
                assert!(
                    !text.contains(&secret),
                    "{} shows a secret in its {place}:\n{text}",
                    member.address()
                );
            }
        }
    }
}
