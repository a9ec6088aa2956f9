//! Headers that decide who somebody is: member tokens, bearer tokens, and where a request comes from.
//!
//! Rules: nothing but the very token is accepted; what a client writes in front of a trusted proxy's entry changes
//! nothing; an untrusted peer is believed nothing.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use ringhold_ring::{MemberAddress, Timestamp};
use ringhold_server::security::access::{
    Access, AddressList, BearerTokens, ForwardedHeader, Scope, TokenDigest, TrustedProxies,
};
use ringhold_server::security::shared_secret::SharedSecrets;
use ringhold_server::security::token::{BodyDigest, Request, TokenSigner, TokenVerifier};

use super::{Target, kind, texts};

pub const MEMBER_TOKEN: Target = Target {
    name: "token",
    words: &["v1", "v2", ",", "=", "-", "_", "127.0.0.1:1", "18446744073709551616"],
    max_bytes: 2048,
    samples: tokens,
    run: run_token,
};
pub const BEARER: Target = Target {
    name: "bearer",
    words: &["Bearer ", "bearer", "Basic ", " ", "\t"],
    max_bytes: 2048,
    samples: || texts(&["Bearer a-token-that-reads", "bearer a-token-that-writes", "Basic dXNlcjpwYXNz"]),
    run: run_bearer,
};
pub const FORWARDED: Target = Target {
    name: "forwarded",
    words: &[
        "for=",
        "\"",
        ",",
        ";",
        "[",
        "]",
        ":",
        "10.0.0.1",
        "192.0.2.1",
        "::ffff:10.0.0.1",
        "by=",
        "\\\"",
        "\n",
    ],
    max_bytes: 1024,
    samples: || {
        texts(&[
            "192.0.2.7",
            "192.0.2.7, 10.0.0.1",
            "192.0.2.7:80,10.0.0.1\n[2001:db8::1]:443",
            "for=192.0.2.7;by=10.0.0.1, for=\"[2001:db8::1]:80\"",
            "for=unknown, for=_hidden",
            "proto=https;For=\"192.0.2.7\"\nfor=10.0.0.1",
        ])
    },
    run: run_forwarded,
};

const REQUEST: Request<'static> = Request { method: "PUT", path: "/objects/a?b=c" };

fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

fn secrets() -> Option<SharedSecrets> {
    SharedSecrets::new(&"Wq3xT9sLmB7vKzR2pY8dNc4fHj6gQe1u".into(), &[]).ok()
}

fn member(port: u16) -> MemberAddress {
    std::net::SocketAddr::from(([127, 0, 0, 1], port)).into()
}

fn tokens() -> Vec<Vec<u8>> {
    let sign = |secrets: &SharedSecrets| {
        TokenSigner::new(secrets, member(1)).sign(REQUEST, BodyDigest::of(b"body"), &member(2), now()).ok()
    };
    secrets().as_ref().and_then(sign).map(String::into_bytes).into_iter().collect()
}

/// The nonce of a sample is random, so what is accepted is not compared with it but checked to be signed: with a
/// verifier that holds another secret the same token fails.
fn run_token(input: &[u8]) -> String {
    let (Some(secrets), Ok(text)) = (secrets(), std::str::from_utf8(input)) else { return "no text".into() };
    let started = Timestamp::from_millis(0);
    let verifier = TokenVerifier::new(&secrets, member(2), Duration::from_secs(30), started);
    let result = verifier.check(text, REQUEST, |sender| *sender == member(1), now());
    if let Ok(head) = &result {
        assert_eq!(head.sender(), &member(1));
        let again = verifier.check(text, REQUEST, |_| true, now());
        assert!(again.is_err(), "a token was accepted twice");
        let other = Request { path: "/objects/b", ..REQUEST };
        let fresh = TokenVerifier::new(&secrets, member(2), Duration::from_secs(30), started);
        assert!(fresh.check(text, other, |_| true, now()).is_err(), "a token was accepted for another path");
    }
    kind(&result)
}

fn run_bearer(input: &[u8]) -> String {
    let Ok(value) = HeaderValue::from_bytes(input) else { return "no header".into() };
    let known = [("a-token-that-reads", Scope::ReadOnly), ("a-token-that-writes", Scope::ReadWrite)];
    let tokens = known.map(|(token, scope)| (token.to_owned(), TokenDigest::of(token), scope)).into();
    let Ok(tokens) = BearerTokens::new(tokens) else { return "no tokens".into() };
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
    let access = Access {
        addresses: AddressList::All,
        members: HashSet::new(),
        proxies: TrustedProxies::none(),
        methods: vec![Box::new(tokens)],
    };
    let result = access.admit(IpAddr::from([192, 0, 2, 1]), &headers, &Method::PUT, false);
    if let Ok(admitted) = &result {
        let grant = admitted.grant.as_ref();
        assert!(grant.is_some(), "a request without a token was let in");
        assert_eq!(grant.map(|grant| &*grant.name), Some("a-token-that-writes"));
        let shown = String::from_utf8_lossy(input);
        let token = shown.split_once(' ').map(|(_, token)| token.trim());
        assert_eq!(token, Some("a-token-that-writes"), "{shown}");
    }
    kind(&result)
}

fn run_forwarded(input: &[u8]) -> String {
    let x_forwarded_for =
        check_forwarded(input, ForwardedHeader::XForwardedFor, "x-forwarded-for", "192.0.2.99");
    let forwarded = check_forwarded(input, ForwardedHeader::Forwarded, "forwarded", "for=192.0.2.99");
    check_forwarded(input, ForwardedHeader::Forwarded, "forwarded", "for=\"192.0.2.99:80\";by=\"10.0.0.1\"");
    x_forwarded_for + &forwarded
}

/// `input` as what a client sends, a line each; `appended` as what the nearest proxy adds to it.
fn check_forwarded(input: &[u8], header: ForwardedHeader, name: &'static str, appended: &str) -> String {
    let proxy = IpAddr::from([10, 0, 0, 1]);
    let (client, stranger) = (IpAddr::from([192, 0, 2, 99]), IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)));
    let Ok(proxies) = TrustedProxies::new(&["10.0.0.0/8"], header) else { return "no proxies".into() };
    let lines = || input.split(|byte| *byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());
    let headers = |lines: &mut dyn Iterator<Item = HeaderValue>| -> HeaderMap {
        lines.map(|line| (HeaderName::from_static(name), line)).collect()
    };
    let sent = headers(&mut lines());
    assert_eq!(proxies.client_address(stranger, &sent), Ok(stranger), "a stranger was believed");

    // The proxy adds a line of its own, or goes on in the last one.
    let own_line = lines().chain(HeaderValue::from_str(appended).ok());
    let result = proxies.client_address(proxy, &headers(&mut own_line.into_iter()));
    assert_eq!(result, Ok(client), "what a client wrote hid the line of a trusted proxy");
    let mut all: Vec<_> = lines().collect();
    let last = all.pop().map_or_else(Vec::new, |last| [last.as_bytes(), b", "].concat());
    all.extend(HeaderValue::from_bytes(&[&last, appended.as_bytes()].concat()).ok());
    let joined = proxies.client_address(proxy, &headers(&mut all.into_iter()));
    if let Ok(found) = joined {
        assert_eq!(found, client, "what a client wrote was believed");
    }
    kind(&joined) + &kind(&proxies.client_address(proxy, &sent).map(|address| address == proxy))
}
