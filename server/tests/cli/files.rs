//! Files and pipes of any size, and files that are never half written.

use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Node, Step, TAG, answer, found, problem, replaced};
use crate::{against, names, ringhold, run, run_with_input};

const BIG: usize = 5_000_000;

fn pattern() -> Vec<u8> {
    (0..BIG).map(|index| (index % 251) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_sent_with_its_length() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("big");
    std::fs::write(&file, pattern()).unwrap();
    let (run, node) = against([Step::Answer(replaced())], &["put", "k", file.to_str().unwrap()]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(node.request().header("content-length"), Some("5000000"));
    assert!(node.request().body == pattern());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_pipe_is_sent_in_chunks() {
    let node = Node::start([Step::Answer(replaced())]).await;
    let address = node.address.to_string();
    let run = run_with_input(ringhold(&["put", "k", "-", "--node", &address]), pattern()).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(node.request().header("transfer-encoding"), Some("chunked"));
    assert!(node.request().body == pattern());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_is_sent_again_when_a_node_fails() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("small");
    std::fs::write(&file, "small").unwrap();
    let first = Node::start([Step::Cut(vec![])]).await;
    let second = Node::start([Step::Answer(replaced())]).await;
    let nodes = [&first, &second].map(|node| node.address.to_string());
    let run =
        run(ringhold(&["put", "k", file.to_str().unwrap(), "--node", &nodes[0], "--node", &nodes[1]])).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!((first.requests().len(), second.request().body.as_slice()), (1, b"small".as_slice()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_is_named_and_nobody_is_asked() {
    for path in ["/nonexistent/file", "/"] {
        let (run, node) = against([], &["put", "k", path]).await;
        assert_eq!(run.code, 1);
        assert!(run.stderr.contains(&format!("cannot read {path}: ")), "{}", run.stderr);
        assert!(node.requests().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_any_size_goes_to_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("value");
    let (run, _node) =
        against([Step::Answer(found(pattern()))], &["get", "k", "-o", file.to_str().unwrap()]).await;
    assert_eq!((run.code, run.stdout.len()), (0, 0), "{run:?}");
    assert!(std::fs::read(&file).unwrap() == pattern());
    assert_eq!(names(directory.path()), ["value"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_get_leaves_the_file_as_it_was_and_nothing_beside_it() {
    let whole = found(pattern());
    let failures = [
        (Step::Cut(whole[..whole.len() / 2].to_vec()), 5),
        (Step::Answer(problem(404, "object-not-found")), 3),
        (Step::Answer(answer(200, &[], "not a node")), 1),
    ];
    for (step, code) in failures {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("value");
        std::fs::write(&file, "as it was").unwrap();
        let (run, _node) = against([step], &["get", "k", "-o", file.to_str().unwrap()]).await;
        assert_eq!(run.code, code, "{run:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "as it was");
        assert_eq!(names(directory.path()), ["value"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_file_keeps_its_permissions_and_its_links() {
    let directory = tempfile::tempdir().unwrap();
    let (file, link) = (directory.path().join("file"), directory.path().join("link"));
    std::fs::write(&file, "old").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&file, &link).unwrap();
    let (run, _node) =
        against([Step::Answer(found("new"))], &["get", "k", "-o", link.to_str().unwrap()]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(link.is_symlink());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_written_to_and_not_replaced() {
    let (run, _node) = against([Step::Answer(found("v"))], &["get", "k", "-o", "/dev/null"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    let unwritable = [Step::Answer(answer(200, &[("etag", TAG)], "v"))];
    let (run, _node) = against(unwritable, &["get", "k", "-o", "/nonexistent/file"]).await;
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("cannot write /nonexistent/file: "), "{}", run.stderr);
}

/// Waits until `holds`, and fails the test when it does not within a generous time.
async fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_get_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("value");
    let whole = found(pattern());
    let node = Node::start([Step::Hang(whole[..whole.len() / 2].to_vec())]).await;
    let mut command =
        ringhold(&["get", "k", "--node", &node.address.to_string(), "-o", file.to_str().unwrap()]);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let has_begun = || {
        let unfinished = names(directory.path()).into_iter().next();
        unfinished.is_some_and(|name| {
            std::fs::metadata(directory.path().join(name)).is_ok_and(|file| file.len() > 0)
        })
    };
    wait_until("something is written", has_begun).await;
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(130));
    assert_eq!(names(directory.path()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_ends_a_put_whose_pipe_stays_open() {
    let node = Node::start([Step::Early(problem(413, "too-large"))]).await;
    let mut command = ringhold(&["put", "k", "--node", &node.address.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // The program may have ended before it has read all of this.
        let _ = stdin.write_all(&vec![b'x'; 2 << 20]);
        // The pipe is open until the program has ended.
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        output
    });
    let output = tokio::time::timeout(Duration::from_secs(20), output).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("too-large"));
}
