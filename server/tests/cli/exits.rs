//! Every exit code, and its message on stderr.

use crate::support::{Step, answer, found, nobody, problem};
use crate::{against, ringhold, run};

/// The exit code of a command that gets this answer; stdout must stay empty.
async fn code(step: Step, arguments: &[&str]) -> i32 {
    let (run, _node) = against([step], arguments).await;
    assert!(run.stdout.is_empty() && run.stderr.starts_with("ringhold: "), "{run:?}");
    run.code
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_fail_has_its_code() {
    let refused = |status, code| Step::Answer(problem(status, code));
    assert_eq!(code(refused(507, "store-full"), &["put", "k"]).await, 1);
    assert_eq!(code(refused(413, "too-large"), &["put", "k"]).await, 1);
    assert_eq!(
        code(refused(409, "patch-conflict"), &["patch", "k", "--kind", "counter", "--add", "1"]).await,
        1
    );
    assert_eq!(code(refused(404, "object-not-found"), &["get", "k"]).await, 3);
    assert_eq!(code(refused(412, "precondition-failed"), &["put", "k", "--if-absent"]).await, 4);
    assert_eq!(code(refused(503, "not-ready"), &["get", "k"]).await, 5);
    for nothing_done in ["unavailable", "no-majority"] {
        assert_eq!(code(refused(503, nothing_done), &["put", "k", "--if-absent"]).await, 5, "{nothing_done}");
    }
    assert_eq!(code(refused(503, "too-few-copies"), &["put", "k"]).await, 6);
    assert_eq!(code(Step::Cut(vec![]), &["get", "k"]).await, 5);
    assert_eq!(code(Step::Cut(vec![]), &["patch", "k", "--kind", "counter", "--add", "1"]).await, 6);
    assert_eq!(
        code(refused(503, "outcome-unknown"), &["delete", "k", "--if-match", "0123456789abcdef01234567"])
            .await,
        6
    );
    assert_eq!(code(Step::Answer(answer(200, &[], "not a node")), &["get", "k"]).await, 1);
    assert_eq!(code(Step::Hang(vec![]), &["get", "k", "--timeout", "200ms"]).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_not_there_is_named() {
    let address = nobody().await.to_string();
    let run = run(ringhold(&["get", "k", "--node", &address])).await;
    assert_eq!(run.code, 5);
    assert!(run.stderr.contains(&address) && run.stderr.contains("refused"), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_command_line_asks_nobody() {
    for arguments in [
        ["get", ""].as_slice(),
        &["get", "."],
        &["gett", "k"],
        &["put", "k", "--ttl", "soon"],
        &["patch", "k", "--kind", "merge", "--add", "1"],
        &["patch", "k", "--kind", "counter", "--add", "one"],
        &[],
    ] {
        let (run, node) = against([], arguments).await;
        assert_eq!((run.code, run.stdout.len()), (2, 0), "{arguments:?}: {run:?}");
        assert!(node.requests().is_empty(), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_had_enough_is_no_failure() {
    let (mut command, node) = {
        let node = crate::support::Node::start([Step::Answer(found(vec![b'x'; 8 << 20]))]).await;
        (ringhold(&["get", "k", "--node", &node.address.to_string()]), node)
    };
    let output = tokio::task::spawn_blocking(move || {
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        child.wait_with_output().unwrap()
    })
    .await
    .unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
    assert_eq!(node.requests().len(), 1);
}
