//! Who may ask at all: by address, through proxies, with bearer tokens. Cases 84 and 85 of the facts page are here.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use ringhold_integration_tests::{
    Curled, Ring, Workshop, assert_keeps_secrets, curl, loopback_address, reload, rounds, wait_until_logged,
};

const REPOSE: &str = "/powerapi/dist-datastore/objects/3ae04e3f-164e-ab96-04d2-51aa51104daa";
/// Where the harness and, by the kernel's choice, members call from.
const HOME: &str = "127.0.0.1";
const STRANGER: &str = "127.201.7.7";
const PROXY: &str = "127.202.8.8";

/// One request from a loopback address.
fn from(shop: &Workshop, source: &str, options: &str, url: &str) -> Curled {
    curl(shop, &format!("--interface {source} {options}"), url)
}

#[tokio::test]
async fn who_is_not_on_the_list_gets_nothing_for_any_path_and_method() {
    let shop = Workshop::new();
    shop.secret_file("ours");
    let text =
        format!("[access]\nallow = [\"{HOME}\"]\n\n[auth]\nshared_secret_file = \"{}\"", shop.name("ours"));
    let ring = Ring::builder(3).configure(text).start().await;
    rounds(&ring, "listed").await;
    let key = ring.key_of(0, "object");
    ring[0].object("PUT", &key).body("a value").send().await.assert_status(201);
    let object = format!("/objects/{key}");
    for member in ring.members() {
        for method in ["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            for path in [
                "/",
                &object,
                "/cluster",
                "/readyz",
                "/metrics",
                "/nowhere",
                "/objects/%zz",
                "/_ringhold/peer",
            ] {
                let url = format!("http://{}{path}", member.address());
                let refused = from(&shop, STRANGER, &format!("-X {method} --data-binary x"), &url);
                assert_eq!(refused.status, 403, "{method} {path}: {refused:?}");
                assert!(!refused.body.contains("a value"), "{refused:?}");
            }
            // Repose's own dialect answers as Repose does (case 84): 401 and not a byte more.
            for path in
                [REPOSE, "/powerapi/dist-datastore/objects/", "/powerapi/dist-datastore/objects/short"]
            {
                let url = format!("http://{}{path}", member.address());
                let refused = from(&shop, STRANGER, &format!("-X {method} --data-binary x"), &url);
                assert_eq!((refused.status, refused.body.as_str()), (401, ""), "{method} {path}");
            }
        }
        let url = format!("http://{}{object}", member.address());
        from(&shop, STRANGER, "--head", &url).assert_status(403);
        from(&shop, HOME, "", &url).assert_status(200);
        wait_until_logged(member, &[STRANGER, "access list"]).await;
        assert_eq!(
            member.log().matches("access list").count(),
            1,
            "once a minute for each peer: {}",
            member.log()
        );
    }
    assert_eq!(ring[0].object("GET", &key).send().await.text(), "a value");
}

#[tokio::test]
async fn cases_84_and_85_the_dialect_works_from_where_it_may_and_host_keys_are_ignored() {
    let shop = Workshop::new();
    let text = format!("[access]\nallow = [\"{HOME}\"]");
    let ring = Ring::builder(1).configure(text).start().await;
    let url = format!("http://{}{REPOSE}", ring[0].address());
    let body = shop.write("body", "a value");
    for (source, host_key, put, get, delete) in [
        (HOME, "", 202, 200, 204),
        (HOME, "-H X-PP-Host-Key:", 202, 200, 204),
        (HOME, "-H X-PP-Host-Key:temp", 202, 200, 204),
        (STRANGER, "", 401, 401, 401),
        (STRANGER, "-H X-PP-Host-Key:temp", 401, 401, 401),
    ] {
        from(&shop, source, &format!("{host_key} -T {}", body.display()), &url).assert_status(put);
        from(&shop, source, host_key, &url).assert_status(get);
        from(&shop, source, &format!("{host_key} -X DELETE"), &url).assert_status(delete);
    }
}

#[tokio::test]
async fn a_header_tells_where_a_request_comes_from_only_when_a_trusted_proxy_wrote_it() {
    let shop = Workshop::new();
    for (name, prefix, other) in
        [("x-forwarded-for", "", "Forwarded: for="), ("forwarded", "for=", "X-Forwarded-For: ")]
    {
        let text = format!(
            "[access]\nallow = [\"{HOME}\", \"192.0.2.0/24\"]\ntrusted_proxies = [\"{PROXY}\"]\nforwarded_header = \"{name}\""
        );
        let ring = Ring::builder(1).configure(text).start().await;
        let url = format!("http://{}/cluster", ring[0].address());
        let ask = |source: &str, header: &str| {
            let file = shop.write("header", header);
            from(&shop, source, &format!("-H @{}", file.display()), &url).status
        };
        let ours = |value: &str| format!("{name}: {value}");
        for (source, header, status) in [
            (STRANGER, ours(&format!("{prefix}{HOME}")), 403),
            (STRANGER, ours(&format!("{prefix}192.0.2.5")), 403),
            (PROXY, ours(&format!("{prefix}192.0.2.5")), 200),
            (PROXY, ours(&format!("{prefix}203.0.113.9, {prefix}192.0.2.5")), 200),
            (PROXY, ours(&format!("{prefix}192.0.2.5, {prefix}203.0.113.9")), 403),
            (PROXY, ours(&format!("{prefix}unknown")), 403),
            (PROXY, ours(&format!("{prefix}192.0.2.5;x=\", {prefix}203.0.113.9")), 403),
            (PROXY, format!("{other}192.0.2.5"), 403),
            (HOME, ours(&format!("{prefix}203.0.113.9")), 200),
        ] {
            assert_eq!(ask(source, &header), status, "{source} {header}");
        }
    }
}

/// The configuration of two tokens, of which only digests stand there.
fn tokens(shop: &Workshop, reads: &str, writes: &str) -> String {
    let digest = |token: &str| {
        shop.write("token", token);
        shop.run("sha256sum token").out.split(' ').next().unwrap().to_owned()
    };
    format!(
        "[auth]\nshared_secret_file = \"{}\"\ntokens = [\n  {{ name = \"dashboard\", sha256 = \"{}\", scope = \"read-only\" \
         }},\n  {{ name = \"app\", sha256 = \"{}\", scope = \"read-write\" }},\n]",
        shop.name("ours"),
        digest(reads),
        digest(writes)
    )
}

#[tokio::test]
async fn bearer_tokens_open_what_their_scope_says_and_members_need_none() {
    let shop = Workshop::new();
    shop.secret_file("ours");
    let (reads, writes) = (shop.secret(), shop.secret());
    let builder = Ring::builder(3).configure(tokens(&shop, &reads, &writes));
    let ring = builder.header("authorization", &format!("Bearer {writes}")).start().await;
    // Forwarded between members, who show no token.
    rounds(&ring, "with-a-token").await;
    let key = ring.key_of(1, "object");
    ring[0].object("PUT", &key).body("a value").send().await.assert_status(201);
    let url = format!("http://{}/objects/{key}", ring[0].address());
    let body = shop.write("body", "another value");
    let wrong = "0".repeat(64);
    for (token, get, put, delete) in [
        (None, 401, 401, 401),
        (Some(wrong.as_str()), 401, 401, 401),
        (Some(&reads), 200, 403, 403),
        (Some(&writes), 200, 204, 204),
    ] {
        let header = token.map(|token| format!("Authorization: bearer {token}")).unwrap_or_default();
        let shown = shop.write("header", header);
        let ask = |options: &str| curl(&shop, &format!("-H @{} {options}", shown.display()), &url).status;
        assert_eq!(ask(""), get, "{token:?}");
        assert_eq!(ask(&format!("-T {}", body.display())), put, "{token:?}");
        assert_eq!(ask("-X DELETE"), delete, "{token:?}");
    }
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/cluster", 401), ("/nowhere", 401)] {
        curl(&shop, "", &format!("http://{}{path}", ring[0].address())).assert_status(status);
    }
    let challenge = curl(&shop, "-i", &url);
    assert!(challenge.body.to_ascii_lowercase().contains("www-authenticate: bearer"), "{challenge:?}");
    assert_keeps_secrets(&ring, &shop).await;
}

#[tokio::test]
async fn a_new_access_list_counts_from_the_next_request_on_and_a_bad_one_not_at_all() {
    let shop = Workshop::new();
    let list = |entry: &str| format!("[access]\nallow = [\"{HOME}\", \"{entry}\"]");
    let ring = Ring::builder(1).at(loopback_address()).configure(list("192.0.2.1")).start().await;
    let url = format!("http://{}/readyz", ring[0].address());
    let ask = || from(&shop, STRANGER, "", &url).status;
    let rewrite = |old: &str, new: &str| {
        let text = std::fs::read_to_string(ring[0].configuration()).unwrap();
        let changed = text.replace(&list(old), &list(new));
        assert_ne!(changed, text, "there is something to change");
        let new = ring[0].configuration().with_extension("new");
        std::fs::write(&new, changed).unwrap();
        std::fs::rename(&new, ring[0].configuration()).unwrap();
    };
    assert_eq!(ask(), 403);
    rewrite("192.0.2.1", "127.201.0.0/16");
    reload(&ring[0], "access").await;
    assert_eq!(ask(), 200);
    rewrite("127.201.0.0/16", "127.201.0.0/99");
    ring[0].hang_up();
    wait_until_logged(&ring[0], &["not reloaded", "127.201.0.0/99"]).await;
    assert_eq!(ask(), 200, "the old list stays");
    rewrite("127.201.0.0/99", "192.0.2.1");
    ring[0].hang_up();
    ringhold_integration_tests::wait_until(
        std::time::Duration::from_secs(20),
        "the list to be in use",
        async || ask() == 403,
    )
    .await;
}
