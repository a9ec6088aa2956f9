//! What each command asks of the node, and what it prints.

use serde_json::json;

use crate::support::{Node, Step, TAG, answer, found, nobody, problem, replaced};
use crate::{against, ringhold, run, run_with_input};

const CLUSTER: &str = r#"{"name":"shop","ring_id":"00ff","placement":"modulo","replicas":1,"member":"10.0.0.1:9999",
    "incarnation":"01","version":"0.1.0","members":[{"address":"10.0.0.1:9999","health":"online","share":1.0,"is_self":true,"passes":0,
    "handed":false}],"store":{"objects":1,"tombstones":0,"bytes":100,"max_bytes":1024,"evicted":0,"expired":0},
    "acting":"acting","handoff":[],"copies":{"sent":0,"failed":0}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn get_prints_the_value_and_nothing_else() {
    let value = [0, 159, 146, 150, b'\n'];
    let (run, node) = against([Step::Answer(found(value))], &["get", "a key"]).await;
    assert_eq!((run.code, run.stdout.as_slice(), run.stderr.as_str()), (0, value.as_slice(), ""));
    assert_eq!(node.request().path, "/objects/a%20key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_copy_and_named_writes_are_asked_for_as_such() {
    let (run, node) = against([Step::Answer(found("old"))], &["get", "k", "--max-stale"]).await;
    assert_eq!((run.text(), node.request().header("cache-control")), ("old", Some("max-stale")));
    let patched = Step::Answer(answer(200, &[("etag", TAG)], "1"));
    let named = ["patch", "k", "--kind", "counter", "--add", "1", "--idempotency-key", "order-17"];
    let (run, node) = against([patched], &named).await;
    assert_eq!((run.text(), node.request().header("idempotency-key")), ("1\n", Some("order-17")));
    let named = ["delete", "k", "--idempotency-key", "order-18"];
    let (run, node) = against([Step::Answer(answer(204, &[], ""))], &named).await;
    assert_eq!((run.code, node.request().header("idempotency-key")), (0, Some("order-18")));
}

#[tokio::test(flavor = "multi_thread")]
async fn get_asks_for_the_range_it_is_given() {
    let part = answer(206, &[("etag", TAG), ("content-range", "bytes 8-9/10")], "ij");
    let (run, node) = against([Step::Answer(part)], &["get", "k", "--range", "-2"]).await;
    assert_eq!((run.code, run.text()), (0, "ij"));
    assert_eq!(node.request().header("range"), Some("bytes=-2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn put_stores_what_comes_through_the_pipe() {
    let node =
        Node::start([Step::Answer(answer(201, &[("etag", TAG), ("x-ringhold-member", "m:1")], ""))]).await;
    let address = node.address.to_string();
    let options =
        ["--ttl", "60", "--content-type", "text/plain", "--if-absent", "--json", "--node", &address];
    let run =
        run_with_input(ringhold(&[&["put", "k"], options.as_slice()].concat()), b"piped".to_vec()).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.json(), json!({"key": "k", "created": true, "etag": TAG, "member": "m:1", "route": null}));
    let request = node.request();
    assert_eq!(request.body, b"piped");
    assert_eq!(request.header("x-ttl"), Some("60"));
    assert_eq!(request.header("content-type"), Some("text/plain"));
    assert_eq!(request.header("if-none-match"), Some("*"));
}

#[tokio::test(flavor = "multi_thread")]
async fn delete_says_nothing_and_names_its_condition() {
    let gone = Step::Answer(answer(204, &[], ""));
    let (run, node) = against([gone], &["delete", "k", "--if-match", TAG.trim_matches('"')]).await;
    assert_eq!((run.code, run.text(), run.stderr.as_str()), (0, "", ""));
    assert_eq!(node.request().header("if-match"), Some(TAG));
}

/// Patches; gives what was printed, the kind, and the document.
async fn patch(arguments: &[&str], value: &str) -> (String, String, String) {
    let patched = Step::Answer(answer(200, &[("etag", TAG), ("content-type", "application/json")], value));
    let (run, node) = against([patched], &[&["patch", "k"], arguments].concat()).await;
    assert_eq!(run.code, 0, "{run:?}");
    let request = node.request();
    let kind = request.header("content-type").unwrap().to_owned();
    (run.text().into(), kind, String::from_utf8(request.body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn patch_sends_documents_of_every_kind_and_prints_the_new_value() {
    for (kind, media_type) in [
        ("merge", "application/merge-patch+json"),
        ("json", "application/json-patch+json"),
        ("counter", "application/vnd.ringhold.counter+json"),
        ("set", "application/vnd.ringhold.set+json"),
        ("rate-limit", "application/vnd.ringhold.rate-limit+json"),
    ] {
        let (printed, sent_type, document) = patch(&["--kind", kind, "{}"], "[1]").await;
        assert_eq!((printed.as_str(), sent_type.as_str(), document.as_str()), ("[1]\n", media_type, "{}"));
    }
    let (printed, media_type, document) = patch(&["--kind", "append", " more"], "some more").await;
    assert_eq!((printed.as_str(), media_type.as_str(), document.as_str()), ("", "text/plain", " more"));
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_and_sets_need_no_document() {
    let (printed, _, document) = patch(&["--kind", "counter", "--add", "-3"], "39").await;
    assert_eq!((printed.as_str(), document.as_str()), ("39\n", r#"{"add":-3}"#));
    let (_, _, document) = patch(&["--kind", "set", "--add", "a", "--add", "b", "--remove", "c"], "{}").await;
    assert_eq!(document, r#"{"add":["a","b"],"remove":["c"]}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_comes_from_a_file_or_a_pipe_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("patch");
    std::fs::write(&file, "from a file").unwrap();
    let argument = format!("@{}", file.display());
    let (_, kind, document) = patch(&["--kind", "append", &argument], "").await;
    assert_eq!((kind.as_str(), document.as_str()), ("application/octet-stream", "from a file"));

    let node = Node::start([Step::Answer(answer(200, &[("etag", TAG)], "1"))]).await;
    let address = node.address.to_string();
    let command = ringhold(&["patch", "k", "--kind", "counter", "-", "--json", "--node", &address]);
    let run = run_with_input(command, br#"{"add": 1}"#.to_vec()).await;
    assert_eq!(node.request().body, br#"{"add": 1}"#);
    assert_eq!(run.json()["value"], 1);
    assert_eq!(run.json()["etag"], TAG);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_locate_are_shown_to_people_and_to_scripts() {
    let cluster = || Step::Answer(answer(200, &[], CLUSTER));
    let (run, _node) = against([cluster()], &["status"]).await;
    assert!(run.text().contains("10.0.0.1:9999  online  100.0 %  answers\n"), "{}", run.text());
    let (run, _node) = against([cluster()], &["status", "--json"]).await;
    assert_eq!(run.json(), serde_json::from_str::<serde_json::Value>(CLUSTER).unwrap());

    let location = r#"{"key":"k","digest":"00","uuid":"u","owner":"10.0.0.1:1","role":"owner","homes":["10.0.0.1:1"],
        "preference_list":["10.0.0.1:1"]}"#;
    let locate = || Step::Answer(answer(200, &[], location));
    let (run, node) = against([locate()], &["locate", "a/b"]).await;
    assert!(run.text().contains("served by   10.0.0.1:1 (owner)\n"), "{}", run.text());
    assert_eq!(node.request().path, "/cluster/locate/a/b");
    let (run, _node) = against([locate()], &["locate", "k", "--json"]).await;
    assert_eq!(run.json(), serde_json::from_str::<serde_json::Value>(location).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn encode_key_asks_nobody() {
    let shown = run(ringhold(&["encode-key", "object-key"])).await;
    let page = include_str!("../../../docs/cli.md");
    assert!(page.contains(&format!("```text\n{}```", shown.text())), "{}", shown.text());
    let json = run(ringhold(&["encode-key", "ü /", "--json"])).await.json();
    assert_eq!(json["path"], "/objects/%C3%BC%20/");
    assert_eq!(json["uuid"].as_str().unwrap().len(), 36);
}

#[tokio::test(flavor = "multi_thread")]
async fn config_check_prints_what_takes_effect_or_every_mistake() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ringhold.toml");
    std::fs::write(&file, "[cluster]\nname = \"from-file\"\n").unwrap();
    let file = file.to_str().unwrap();
    let mut command = ringhold(&["config", "check", file, "--set", "store.max_bytes=64MiB"]);
    command.env("RINGHOLD_NODES", "a:1");
    let shown = run(command).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.text().contains("name = \"from-file\""), "{}", shown.text());
    assert!(shown.text().contains("max_bytes = \"64MiB\""), "{}", shown.text());

    let mut command = ringhold(&["config", "check"]);
    command.env("RINGHOLD_CONFIG", file);
    assert!(run(command).await.text().contains("name = \"from-file\""));

    let wrong = run(ringhold(&["config", "check", "--set", "store.max_byte=1"])).await;
    assert_eq!((wrong.code, wrong.text()), (1, ""));
    assert!(
        wrong.stderr.contains("max_byte") && wrong.stderr.contains("store.max_bytes"),
        "{}",
        wrong.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_help_and_version_go_to_stdout() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(ringhold(&["completions", shell])).await;
        assert!(script.code == 0 && script.text().contains("encode-key"), "{shell}");
    }
    let version = run(ringhold(&["--version"])).await;
    assert_eq!((version.code, version.text()), (0, concat!("ringhold ", env!("CARGO_PKG_VERSION"), "\n")));
    let help = run(ringhold(&["--help"])).await;
    assert!(help.code == 0 && help.text().contains("6  the outcome is unknown"), "{}", help.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_variable_names_nodes_to_fall_back_on() {
    let first = nobody().await;
    let second = Node::start([Step::Answer(replaced())]).await;
    let mut command = ringhold(&["put", "k"]);
    command.env("RINGHOLD_NODES", format!("{first},http://{}", second.address));
    let run = run_with_input(command, b"v".to_vec()).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(second.request().body, b"v");
}

#[tokio::test(flavor = "multi_thread")]
async fn problems_are_told_in_the_words_of_the_node() {
    let (run, _node) =
        against([Step::Answer(problem(400, "malformed-patch"))], &["patch", "k", "--kind", "merge", "{"])
            .await;
    assert_eq!((run.code, run.text()), (1, ""));
    assert_eq!(run.stderr, "ringhold: D of malformed-patch (malformed-patch)\n");
}
