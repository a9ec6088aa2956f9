//! Members that do not know the stream, and servers that are no members.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request as HttpRequest, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use ringhold_ring::{Ttl, Version};

use super::proof::some_secrets;
use super::tls::{automatic, peers_with};
use super::*;
use crate::object::{OperationId, PatchEffect, Tags};
use crate::patch::PatchKind;
use crate::security::tls::Tls;
use crate::security::token::{self, BodyDigest, DEFAULT_SKEW, TokenVerifier};

type Answer = Response<Full<Bytes>>;
type Seen = Arc<Mutex<Vec<(Method, String, HeaderMap, Bytes)>>>;

/// A server that answers every request but the upgrade with what `answer` makes of it.
async fn server(answer: impl Fn(&Method, &str) -> Answer + Send + Sync + 'static) -> (MemberAddress, Seen) {
    server_over(None, answer).await
}

async fn server_over(
    tls: Option<Arc<Tls>>,
    answer: impl Fn(&Method, &str) -> Answer + Send + Sync + 'static,
) -> (MemberAddress, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let member = MemberAddress::from(listener.local_addr().unwrap());
    let (answer, seen) = (Arc::new(answer), Seen::default());
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (answer, seen) = (Arc::clone(&answer), Arc::clone(&log));
            let service = service_fn(move |request: HttpRequest<Incoming>| {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await?.to_bytes();
                    let reply = answer(&parts.method, parts.uri.path());
                    seen.lock().push((parts.method, parts.uri.path().into(), parts.headers, body));
                    Ok::<_, hyper::Error>(reply)
                }
            });
            let stream: Box<dyn MemberStream> = match &tls {
                None => Box::new(stream),
                Some(tls) => Box::new(tls.acceptor().accept(stream).await.unwrap()),
            };
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    (member, seen)
}

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}

fn problem(status: u16, code: &str, detail: &str) -> Answer {
    let body = serde_json::json!({ "code": code, "detail": detail }).to_string();
    answer(status, &[("content-type", "application/problem+json")], &body)
}

const TAG: &str = "\"010203040506070809101112\"";

fn version() -> Version {
    Version::from_entity_tag(TAG.as_bytes()).unwrap()
}

const OURS: (&str, &str) = ("x-ringhold-member", "127.0.0.1:2");

#[tokio::test]
async fn a_member_without_the_stream_is_asked_in_plain_http() {
    let (member, seen) = server(|method, path| match (method.as_str(), path) {
        ("GET", "/internal/peer") => problem(404, "not-found", "no such path"),
        ("GET", "/objects/there") => {
            answer(200, &[OURS, ("etag", TAG), ("content-type", "text/plain"), ("x-ttl", "30")], "value")
        }
        ("GET", _) => problem(404, "not-found", "no such object"),
        ("PUT", _) => answer(201, &[OURS, ("etag", TAG)], ""),
        ("PATCH", "/objects/refused") => problem(409, "patch-conflict", "it is not a number"),
        ("PATCH", _) => answer(200, &[OURS, ("etag", TAG)], "patched"),
        _ => answer(204, &[OURS], ""),
    })
    .await;
    let peers = peers();
    let ask = async |name: &str, operation: &Operation| {
        peers.forward(&member, &key(name), operation, PATIENCE).await.unwrap()
    };
    let Ok(Outcome::Found(object)) = ask("there", &get()).await else { panic!() };
    let now = Timestamp::from_millis(1_000_000);
    let expected = Object {
        value: Bytes::from_static(b"value"),
        content_type: ContentType::Text,
        version: version(),
        expires_at: Some(now + Duration::from_secs(30)),
    };
    assert_eq!(object, expected);
    assert_eq!(ask("not there", &get()).await, Ok(Outcome::Missing));
    let ttl = Some(Ttl::from_seconds(9).unwrap());
    let if_match = Some(Tags::Of(vec![version()]));
    let conditions = Conditions { if_match, if_none_match: Some(Tags::Any), ..Conditions::default() };
    let stored = Operation::Put { value: "new".into(), content_type: ContentType::Json, ttl, conditions };
    assert_eq!(ask("a/b c", &stored).await, Ok(Outcome::Created(version())));
    let removed = Operation::Delete { conditions: Conditions::default() };
    assert_eq!(ask("k", &removed).await, Ok(Outcome::Deleted));
    let patch = Operation::Patch {
        kind: PatchKind::Append,
        document: "x".into(),
        content_type: ContentType::Text,
        ttl: None,
        conditions: Conditions::default(),
    };
    assert!(matches!(ask("k", &patch).await, Ok(Outcome::Patched { effect: PatchEffect::Changed, .. })));
    assert_eq!(ask("refused", &patch).await, Err(Refusal::PatchConflict("it is not a number".into())));

    let seen = seen.lock();
    let upgrades = seen.iter().filter(|(_, path, ..)| path == "/internal/peer").count();
    assert_eq!(upgrades, 1, "that it does not know the stream is remembered");
    let (_, _, headers, body) = seen.iter().find(|(_, path, ..)| path == "/objects/a/b%20c").unwrap();
    assert_eq!(body, "new");
    let expected = [
        ("x-pp-datastore-behavior", "DISALLOW_FORWARDING"),
        ("content-type", "application/json"),
        ("x-ttl", "9"),
        ("if-match", TAG),
        ("if-none-match", "*"),
    ];
    for (name, value) in expected {
        assert_eq!(headers.get(name).unwrap(), value, "{name}");
    }
}

#[tokio::test]
async fn a_plain_member_is_told_the_name_of_an_operation() {
    let (member, seen) = server(|_, path| match path {
        "/internal/peer" => problem(404, "not-found", "no such path"),
        _ => answer(204, &[OURS], ""),
    })
    .await;
    let peers = peers();
    let removed = Operation::Delete { conditions: Conditions::default() };
    for id in [Some(OperationId::of(b"order-17")), Some(OperationId::from_u128(9)), None] {
        let passage = Passage { id, ..FORWARDED };
        let executed = peers.execute(&member, &key("k"), &removed, &passage, PATIENCE).await;
        assert_eq!(executed, Ok(Executed::Done(Ok(Outcome::Deleted))));
    }
    let seen = seen.lock();
    let deleted = seen.iter().filter(|(method, ..)| method == Method::DELETE);
    let names: Vec<_> = deleted.map(|(_, _, headers, _)| headers.get("idempotency-key")).collect();
    let digest = ringhold_ring::Digest::of(b"order-17").to_string();
    let names: Vec<_> = names.iter().map(|name| name.map(|name| name.to_str().unwrap())).collect();
    assert_eq!(names, [Some(digest.as_str()), Some("00000000000000000000000000000009"), None]);
}

#[tokio::test]
async fn plain_http_answers_become_refusals() {
    let (member, _) = server(|_, path| match path {
        "/objects/412" => problem(412, "precondition-failed", ""),
        "/objects/413" => problem(413, "too-large", ""),
        "/objects/507" => problem(507, "store-full", ""),
        "/objects/unknown" => problem(503, "outcome-unknown", "it broke off"),
        _ => problem(503, "draining", "soon gone"),
    })
    .await;
    let peers = peers();
    let ask = async |name: &str| peers.forward(&member, &key(name), &put("x"), PATIENCE).await;
    assert_eq!(ask("412").await, Ok(Err(Refusal::PreconditionFailed)));
    assert_eq!(ask("413").await, Ok(Err(Refusal::TooLarge { limit: 4 << 20 })));
    assert_eq!(ask("507").await, Ok(Err(Refusal::StoreFull)));
    assert_eq!(ask("unknown").await, Ok(Err(Refusal::OutcomeUnknown("it broke off".into()))));
    assert!(matches!(ask("other").await, Err(PeerError::Lost(text)) if text.contains("503")));
}

#[tokio::test]
async fn a_server_that_is_no_member_is_told_apart() {
    for status in [200, 201, 204, 404, 500] {
        let (member, _) =
            server(move |_, _| answer(status, &[("content-type", "text/html")], "<h1>Hi</h1>")).await;
        let error = peers().forward(&member, &key("k"), &get(), PATIENCE).await.unwrap_err();
        let PeerError::NotSent(text) = error else { panic!("{status}: {error}") };
        assert!(text.contains("not a member of this ring"), "{status}: {text}");
    }
}

#[tokio::test]
async fn a_refused_access_is_not_tried_in_plain_http() {
    for (status, why) in [(401, "another auth.shared_secret or a clock far from ours"), (403, "its members")]
    {
        let (member, seen) = server(move |_, _| problem(status, "refused", "")).await;
        let error = peers().forward(&member, &key("k"), &put("x"), PATIENCE).await.unwrap_err();
        let PeerError::NotSent(text) = error else { panic!("{error}") };
        assert!(text.contains(&status.to_string()) && text.contains(why), "{text}");
        assert_eq!(seen.lock().len(), 1);
    }
}

#[tokio::test]
async fn a_plain_member_is_probed_by_its_readiness() {
    let ready = Arc::new(Mutex::new(200));
    let status = Arc::clone(&ready);
    let (member, _) = server(move |_, path| match path {
        "/readyz" if *status.lock() == 200 => answer(200, &[OURS], "ready\n"),
        "/readyz" => problem(*status.lock(), "not-ready", "it drains"),
        _ => problem(404, "not-found", ""),
    })
    .await;
    let peers = peers();
    assert_eq!(peers.heartbeat(&member, PATIENCE).await.unwrap().state, MemberState::Ready);
    *ready.lock() = 503;
    assert_eq!(peers.heartbeat(&member, PATIENCE).await.unwrap().state, MemberState::Starting);
    *ready.lock() = 404;
    assert!(peers.heartbeat(&member, PATIENCE).await.is_err());
}

#[tokio::test]
async fn a_plain_member_agrees_with_every_heartbeat_and_takes_nothing_that_needs_the_stream() {
    let (member, seen) = server(|_, path| match path {
        "/readyz" => answer(200, &[OURS], "ready\n"),
        _ => problem(404, "not-found", ""),
    })
    .await;
    let peers = peers();
    let (said, target) = (heartbeat(MemberState::Syncing), Some(RingId::from_u64(9)));
    let ours = Heartbeat { incarnation: Incarnation::new(3), target, ..said };
    let told = peers.ask(&member, &Ask::Heartbeat(ours), PATIENCE).await;
    let Ok(Told::Heartbeat(theirs)) = told else { panic!("{told:?}") };
    let agreed = Heartbeat {
        incarnation: theirs.incarnation,
        state: MemberState::Ready,
        acts: true,
        target,
        prepared: true,
        knows: Some(ours.incarnation),
        sees: Standing::Online,
        handed: true,
        ..said
    };
    assert_eq!(theirs, agreed);

    let before = seen.lock().len();
    let asks = [
        Ask::Ring(RingId::from_u64(7)),
        Ask::Sums { bits: 1 },
        Ask::Offer(Vec::new()),
        Ask::Record(key("k")),
        Ask::Copy(super::asks::copy("k", "x")),
    ];
    for asked in asks {
        let error = peers.ask(&member, &asked, PATIENCE).await.unwrap_err();
        let PeerError::NotSent(text) = error else { panic!("{error}") };
        assert!(text.contains("a member without the stream takes no copies"), "{text}");
    }
    let instead_of = Some(ringhold_ring::Term { incarnation: Incarnation::new(3), number: 1 });
    let in_our_place = Passage { instead_of, ..FORWARDED };
    let executed = peers.execute(&member, &key("k"), &get(), &in_our_place, PATIENCE).await;
    assert!(matches!(executed, Err(PeerError::NotSent(_))), "{executed:?}");
    assert_eq!(seen.lock().len(), before, "it was asked for none of that");
}

#[tokio::test]
async fn a_server_that_is_no_member_is_not_ready_whatever_it_answers() {
    for status in [200, 503] {
        let (member, _) = server(move |_, _| answer(status, &[], "welcome")).await;
        let error = peers().heartbeat(&member, PATIENCE).await.unwrap_err();
        assert!(error.to_string().contains("not a member of this ring"), "{status}: {error}");
    }
}

#[tokio::test]
async fn the_upgrade_is_tried_again_after_a_minute() {
    let (member, seen) = server(|_, _| problem(404, "not-found", "")).await;
    let clock = Clock::manual(Timestamp::from_millis(1));
    let us = Identity::new("test", address("127.0.0.1:1"), RingId::from_u64(7), 1, 1000, clock.clone());
    let peers = Peers::new(Arc::new(us.unwrap()), Tcp);
    let upgrades = || seen.lock().iter().filter(|(_, path, ..)| path == "/internal/peer").count();
    for (minutes, expected) in [(0, 1), (0, 1), (1, 2), (0, 2)] {
        clock.advance(Duration::from_secs(60 * minutes));
        assert_eq!(peers.forward(&member, &key("k"), &get(), PATIENCE).await, Ok(Ok(Outcome::Missing)));
        assert_eq!(upgrades(), expected);
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let (member, _) = server(|_, path| match path {
        "/internal/peer" => problem(404, "not-found", ""),
        _ => answer(200, &[OURS, ("etag", TAG)], &"x".repeat((4 << 20) + 1)),
    })
    .await;
    let error = peers().forward(&member, &key("k"), &get(), PATIENCE).await.unwrap_err();
    assert!(matches!(&error, PeerError::Lost(text) if text.contains("broke off")), "{error}");
}

#[tokio::test]
async fn with_a_secret_every_plain_request_bears_a_token_of_its_own() {
    let shared = some_secrets();
    let (member, seen) = server_over(Some(automatic(&shared)), |_, path| match path {
        "/internal/peer" => problem(404, "not-found", "no such path"),
        "/readyz" => answer(200, &[OURS], ""),
        _ => answer(201, &[OURS, ("etag", TAG)], ""),
    })
    .await;
    let peers = peers_with(&automatic(&shared), Some(&shared));
    for _ in 0..2 {
        let stored = peers.forward(&member, &key("a/b c"), &put("new"), PATIENCE).await;
        assert_eq!(stored, Ok(Ok(Outcome::Created(version()))));
    }
    peers.heartbeat(&member, PATIENCE).await.unwrap();

    let now = identity("127.0.0.1:1").clock().wall();
    let verifier = TokenVerifier::new(&shared, member, DEFAULT_SKEW, now);
    let seen = seen.lock();
    assert_eq!(seen.len(), 4, "the upgrade, two requests and a probe");
    for (method, path, headers, body) in seen.iter() {
        let token = headers.get(token::HEADER).unwrap().to_str().unwrap();
        let request = token::Request { method: method.as_str(), path };
        let head = verifier.check(token, request, |_| true, now).unwrap();
        assert_eq!(head.accept_body(BodyDigest::of(body)), Ok(address("127.0.0.1:1")), "{method} {path}");
    }
}

/// Whoever is in between can answer like this, and no answer in plain HTTP would show that it was not the member.
#[tokio::test]
async fn with_a_secret_and_without_tls_whoever_does_not_take_the_stream_is_asked_for_nothing() {
    for status in [200, 400, 404, 426, 503] {
        let (member, seen) = server(move |_, path| match path {
            "/internal/peer" => problem(status, "not-found", "no such path"),
            "/readyz" => answer(200, &[OURS], ""),
            _ => answer(201, &[OURS, ("etag", TAG)], ""),
        })
        .await;
        let us = identity("127.0.0.1:1");
        us.set_secrets(Some(some_secrets()));
        let peers = Peers::new(us, Tcp);
        let stored = peers.forward(&member, &key("k"), &put("new"), PATIENCE).await.unwrap_err();
        let probed = peers.heartbeat(&member, PATIENCE).await.unwrap_err();
        for error in [stored, probed] {
            let PeerError::NotSent(text) = error else { panic!("{error}") };
            assert!(text.contains(&format!("with status {status}")), "{text}");
            assert!(text.contains("knows auth.shared_secret") && text.contains("TLS"), "{text}");
        }
        let paths: Vec<_> = seen.lock().iter().map(|(_, path, ..)| path.clone()).collect();
        assert_eq!(
            paths, ["/internal/peer"; 2],
            "{status}: the upgrade is asked for anew, and nothing else is"
        );
    }
}
