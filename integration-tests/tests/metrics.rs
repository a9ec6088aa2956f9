//! `/metrics` of real rings: what is documented is there, and what happens is counted.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::Duration;

use ringhold_integration_tests::{
    Metrics, Ring, Workshop, assert_keeps_secrets, curl, rounds, wait_until, wait_until_logged,
};

const PATIENCE: Duration = Duration::from_secs(30);
const DOCUMENT: &str = include_str!("../../docs/metrics.md");
const STRANGER: &str = "127.201.7.9";

/// The first column of the table of metrics.
fn documented() -> BTreeSet<String> {
    // A bar that is text is escaped.
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    let rows = DOCUMENT.lines().filter(|line| columns(line) == 5);
    rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect()
}

/// A ring with all that has metrics: TLS by one secret, which is in a file.
async fn secured(shop: &Workshop) -> Ring {
    shop.secret_file("ours");
    let text = format!("[auth]\nshared_secret_file = \"{}\"\n\n[tls]\nauto = true", shop.name("ours"));
    Ring::builder(3).with_doors().configure(text).start().await
}

/// What Prometheus' own checker has to say against a page.
fn complaints(shop: &Workshop, page: &Metrics) -> String {
    shop.write("page", &page.text);
    let said = shop.try_run(&["bash", "-c", "promtool check metrics < page"]);
    assert!(matches!(said.code, Some(0 | 3)), "promtool cannot read the page: {said:?}\n{}", page.text);
    said.all().trim().to_owned()
}

#[tokio::test]
async fn every_metric_is_documented_and_what_is_documented_is_there() {
    let shop = Workshop::new();
    let ring = secured(&shop).await;
    rounds(&ring, "counted").await;
    for member in ring.members() {
        let page = Metrics::of(member).await;
        assert_eq!(page.families(), documented());
        assert_eq!(complaints(&shop, &page), "", "Prometheus' checker complains");
    }
    assert_keeps_secrets(&ring, &shop).await;
}

#[tokio::test]
async fn operations_count_where_they_are_asked_and_where_they_are_carried_out() {
    // Without copies: what is counted is what is asked.
    let mut ring = Ring::builder(3).set("cluster.replicas", 1).start().await;
    let before = Metrics::of(&ring[0]).await;
    let (own, other) = (ring.key_of(0, "own"), ring.key_of(1, "other"));
    for key in [&own, &other] {
        ring[0].object("PUT", key).body("a value").send().await.assert_status(201);
        ring[0].object("GET", key).send().await.assert_status(200);
    }
    ring[0].object("GET", &ring.key_of(0, "missing")).send().await.assert_status(404);
    let (asked, owner) = (Metrics::of(&ring[0]).await, Metrics::of(&ring[1]).await);
    for (line, more) in [
        ("ringhold_operations_total{route=\"local\"}", 3.0),
        ("ringhold_operations_total{route=\"forwarded\"}", 2.0),
        ("ringhold_forwards_total{result=\"answered\"}", 2.0),
        ("ringhold_forward_duration_seconds_count", 2.0),
        ("ringhold_store_reads_total{result=\"hit\"}", 1.0),
        ("ringhold_store_reads_total{result=\"miss\"}", 1.0),
        ("ringhold_http_requests_total{method=\"PUT\",status=\"2xx\"}", 2.0),
        ("ringhold_http_requests_total{method=\"GET\",status=\"4xx\"}", 1.0),
        ("ringhold_store_objects", 1.0),
    ] {
        assert_eq!(asked.get(line) - before.get(line), more, "{line}");
    }
    assert_eq!(owner.get("ringhold_member_operations_total"), 2.0);
    assert_eq!(owner.get("ringhold_store_objects"), 1.0);

    let killed = ring[1].address();
    ring.kill(1);
    ring[0].object("PUT", &other).body("another value").send().await.assert_status(201);
    ring.wait_until_seen(killed, "damaged", PATIENCE).await;
    let page = Metrics::of(&ring[0]).await;
    assert_eq!(page.get(&format!("ringhold_member_online{{member=\"{killed}\"}}")), 0.0);
    assert!(page.get(&format!("ringhold_member_damaged_total{{member=\"{killed}\"}}")) >= 1.0);
    assert_eq!(page.get("ringhold_members{health=\"online\"}"), 2.0);
    assert!(page.get("ringhold_operations_total{route=\"stand-in\"}") >= 1.0);
}

#[tokio::test]
async fn who_is_kept_out_counts_by_the_reason() {
    let shop = Workshop::new();
    shop.secret_file("ours");
    shop.secret_file("theirs");
    let (token, wrong) = (shop.secret(), "0".repeat(64));
    shop.write("token", &token);
    let digest = shop.run("sha256sum token").out.split(' ').next().unwrap().to_owned();
    let text = |file: &str| {
        format!(
            "[access]\nallow = [\"127.0.0.1\"]\n\n[tls]\nauto = true\n\n[auth]\nshared_secret_file = \"{}\"\ntokens = [\n  \
             {{ name = \"app\", sha256 = \"{digest}\", scope = \"read-write\" }},\n]",
            shop.name(file)
        )
    };
    let builder = Ring::builder(3).with_doors().header("authorization", &format!("Bearer {token}"));
    let builder = [(0, "ours"), (1, "ours"), (2, "theirs")]
        .into_iter()
        .fold(builder, |builder, (member, file)| builder.configure_member(member, text(file)));
    let ring = builder.outcast(2).start().await;
    let member = &ring[0];
    let counted = async |reason: &str| {
        Metrics::of(member).await.get(&format!("ringhold_refusals_total{{reason=\"{reason}\"}}"))
    };
    let url = format!("http://{}/metrics", member.door());
    for _ in 0..3 {
        curl(&shop, &format!("--interface {STRANGER}"), &url).assert_status(403);
    }
    assert_eq!(counted("access-list").await, 3.0);
    curl(&shop, "", &url).assert_status(401);
    shop.write("header", format!("Authorization: Bearer {wrong}"));
    curl(&shop, "-H @header", &url).assert_status(401);
    assert_eq!(counted("bearer-token").await, 2.0);
    let forged = member.request("GET", "/metrics").header("x-ringhold-member-token", "v1,rubbish");
    forged.send().await.assert_problem(401, "unauthenticated");
    assert_eq!(counted("member-token").await, 1.0);
    let before = counted("tls-handshake").await;
    curl(&shop, "", &format!("http://{}/metrics", member.address())).assert_status(400);
    assert!(counted("tls-handshake").await > before);
    // The member with another secret has certificates of another authority.
    wait_until(PATIENCE, "the outcast to be refused again and again", async || {
        counted("tls-handshake").await > before + 3.0
    })
    .await;
    assert_keeps_secrets(&ring, &shop).await;
}

#[tokio::test]
async fn members_without_the_secret_count_by_what_they_lack() {
    let shop = Workshop::new();
    shop.secret_file("ours");
    shop.secret_file("theirs");
    let text = |file: &str| format!("[auth]\nshared_secret_file = \"{}\"", shop.name(file));
    // Another secret signs no good token for the upgrade; without any, there is nothing to prove with.
    for (other, reason) in [(Some("theirs"), "member-token"), (None, "stream-proof")] {
        let builder = Ring::builder(2).configure_member(0, text("ours"));
        let builder =
            other.into_iter().fold(builder, |builder, file| builder.configure_member(1, text(file)));
        let ring = builder.outcast(1).start().await;
        let line = format!("ringhold_refusals_total{{reason=\"{reason}\"}}");
        wait_until(PATIENCE, &format!("{reason} to be counted"), async || {
            Metrics::of(&ring[0]).await.get(&line) >= 2.0
        })
        .await;
        assert_keeps_secrets(&ring, &shop).await;
    }
}

#[tokio::test]
async fn a_reload_counts_whether_or_not_it_succeeds() {
    let shop = Workshop::new();
    let ring = secured(&shop).await;
    let member = &ring[0];
    let before = Metrics::of(member).await;
    assert_eq!(before.get("ringhold_reload_failing{source=\"secrets\"}"), 0.0);
    let right = shop.bytes("ours");
    shop.write("ours", "weakling\n");
    member.hang_up();
    wait_until_logged(member, &["not reloaded", "ringhold secret generate"]).await;
    wait_until(PATIENCE, "the failure to be counted", async || {
        Metrics::of(member).await.get("ringhold_reloads_total{source=\"secrets\",result=\"failed\"}") >= 1.0
    })
    .await;
    let failed = Metrics::of(member).await;
    assert_eq!(failed.get("ringhold_reload_failing{source=\"secrets\"}"), 1.0);
    assert!(!failed.text.contains("weakling"), "{}", failed.text);
    let loaded_at = "ringhold_reload_last_success_timestamp_seconds{source=\"secrets\"}";
    assert_eq!(failed.get(loaded_at), before.get(loaded_at));

    shop.write("ours", right);
    member.hang_up();
    wait_until(PATIENCE, "the right file to be in use", async || {
        Metrics::of(member).await.get("ringhold_reload_failing{source=\"secrets\"}") == 0.0
    })
    .await;
    let page = Metrics::of(member).await;
    assert!(page.get("ringhold_reloads_total{source=\"secrets\",result=\"ok\"}") >= 1.0);
    assert!(page.get(loaded_at) > before.get(loaded_at));
    let ends = page.get("ringhold_certificate_not_after_timestamp_seconds{certificate=\"own\"}");
    assert!(ends > page.get(loaded_at), "the certificate is good for a while: {ends}");
    assert_keeps_secrets(&ring, &shop).await;
}
