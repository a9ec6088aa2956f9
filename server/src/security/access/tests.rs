//! Who comes in, by address, through proxies, and by token.

use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn list(entries: &[&str]) -> AddressList {
    AddressList::parse(entries).unwrap()
}

fn access(entries: &[&str]) -> Access {
    let members = HashSet::from([ip("10.9.9.9")]);
    Access { addresses: list(entries), members, proxies: TrustedProxies::none(), methods: Vec::new() }
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn admit(access: &Access, peer: &str, lines: &[(&'static str, &str)]) -> Result<IpAddr, Refusal> {
    access.admit(ip(peer), &headers(lines), &Method::GET, false).map(|admitted| admitted.client)
}

#[test]
fn addresses_and_ranges_let_in_who_lies_in_them() {
    let access = access(&["127.0.0.1", "10.0.0.0/8", "fd00::/8", "192.168.1.7/32"]);
    for inside in ["127.0.0.1", "10.0.0.0", "10.255.255.255", "fd12::1", "192.168.1.7", "::ffff:10.1.2.3"] {
        assert!(admit(&access, inside, &[]).is_ok(), "{inside}");
    }
    for outside in ["127.0.0.2", "11.0.0.0", "9.255.255.255", "fe80::1", "192.168.1.8", "::ffff:11.0.0.1"] {
        let refusal = admit(&access, outside, &[]).unwrap_err();
        assert_eq!(refusal.status(), StatusCode::FORBIDDEN, "{outside}");
    }
    assert!(
        admit(&access, "::ffff:11.0.0.1", &[]).unwrap_err().to_string().starts_with("11.0.0.1 is not on")
    );
}

#[test]
fn ranges_written_as_mapped_ipv6_mean_the_ipv4_ones() {
    for entry in ["::ffff:10.0.0.0/104", "::ffff:10.1.2.3"] {
        assert!(list(&[entry]).contains(ip("10.1.2.3")), "{entry}");
    }
    assert!(!list(&["::/0"]).contains(ip("10.0.0.1")), "all of IPv6 is not all of IPv4");
}

#[test]
fn members_are_always_in_and_an_empty_list_means_nobody_else() {
    let access = access(&[]);
    assert!(admit(&access, "10.9.9.9", &[]).is_ok());
    assert!(admit(&access, "::ffff:10.9.9.9", &[]).is_ok());
    assert!(admit(&access, "127.0.0.1", &[]).is_err());
    assert!(access.is_member_address(ip("::ffff:10.9.9.9")) && !access.is_member_address(ip("10.9.9.8")));
    let proved = access.admit(ip("127.0.0.1"), &HeaderMap::new(), &Method::PUT, true);
    assert!(proved.is_ok(), "a member that proved itself needs no address");
}

#[test]
fn allow_all_lets_everyone_in() {
    let access = Access { addresses: AddressList::All, ..access(&[]) };
    assert!(admit(&access, "203.0.113.7", &[]).is_ok());
}

#[test]
fn wrong_entries_are_named_with_what_would_be_right() {
    for (entry, expected) in [
        ("localhost", "\"localhost\" is neither an address nor a range"),
        ("10.0.0.0/33", "neither an address nor a range"),
        ("10.0.0.1/8", "the range is 10.0.0.0/8"),
        ("", "neither"),
    ] {
        let error = AddressList::parse(&[entry]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(AddressList::parse(&vec!["::1"; MAX_RANGES + 1]), Err(AddressError::TooMany(MAX_RANGES + 1)));
}

fn behind_proxies(header: ForwardedHeader) -> Access {
    let proxies = TrustedProxies::new(&["10.0.0.0/24"], header).unwrap();
    Access { proxies, ..access(&["192.0.2.0/24", "2001:db8::/32"]) }
}

#[test]
fn a_header_from_elsewhere_changes_nothing() {
    let access = behind_proxies(ForwardedHeader::XForwardedFor);
    let forged = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
    assert_eq!(admit(&access, "203.0.113.7", &forged), Err(Refusal::Address(ip("203.0.113.7"))));
    assert_eq!(admit(&access, "192.0.2.9", &[("x-forwarded-for", "10.9.9.9")]), Ok(ip("192.0.2.9")));
}

#[test]
fn the_rightmost_untrusted_address_is_the_client() {
    let access = behind_proxies(ForwardedHeader::XForwardedFor);
    for (value, expected) in [
        ("192.0.2.1", "192.0.2.1"),
        ("10.9.9.9, 192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, 10.0.0.2, 10.0.0.3", "192.0.2.1"),
        ("rubbish, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:192.0.2.1 ,", "192.0.2.1"),
    ] {
        assert_eq!(admit(&access, "10.0.0.1", &[("x-forwarded-for", value)]), Ok(ip(expected)), "{value}");
    }
    let two_lines = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "203.0.113.7, 10.0.0.2")];
    assert_eq!(admit(&access, "10.0.0.1", &two_lines), Err(Refusal::Address(ip("203.0.113.7"))));
    let outsider = [("x-forwarded-for", "192.0.2.1, 203.0.113.7")];
    assert_eq!(admit(&access, "10.0.0.1", &outsider), Err(Refusal::Address(ip("203.0.113.7"))));
}

#[test]
fn a_request_of_the_proxy_itself_is_the_proxys() {
    let access = behind_proxies(ForwardedHeader::XForwardedFor);
    assert_eq!(admit(&access, "10.0.0.1", &[]), Err(Refusal::Address(ip("10.0.0.1"))));
    let only_proxies = [("x-forwarded-for", "10.0.0.3, 10.0.0.2")];
    assert_eq!(admit(&access, "10.0.0.1", &only_proxies), Err(Refusal::Address(ip("10.0.0.3"))));
}

#[test]
fn an_unusable_entry_from_a_proxy_is_refused_rather_than_guessed() {
    let access = behind_proxies(ForwardedHeader::XForwardedFor);
    for value in ["unknown", "192.0.2.1, _hidden", "192.0.2.1 10.0.0.2", &"10.0.0.2,".repeat(33)] {
        let refusal = admit(&access, "10.0.0.1", &[("x-forwarded-for", value)]).unwrap_err();
        assert!(matches!(refusal, Refusal::Forwarded(_)), "{value}: {refusal:?}");
        assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
    }
}

#[test]
fn the_standard_header_is_read_when_it_is_the_configured_one_and_the_other_is_not() {
    let access = behind_proxies(ForwardedHeader::Forwarded);
    for (value, expected) in [
        ("for=192.0.2.1", "192.0.2.1"),
        ("For=\"[2001:db8::1]:4711\";proto=https;by=10.0.0.1", "2001:db8::1"),
        ("for=203.0.113.7, proto=http; for=192.0.2.1, for=10.0.0.2", "192.0.2.1"),
        ("for=192.0.2.1;host=\"a,b\"", "192.0.2.1"),
    ] {
        let lines = [("forwarded", value), ("x-forwarded-for", "203.0.113.7")];
        assert_eq!(admit(&access, "10.0.0.1", &lines), Ok(ip(expected)), "{value}");
    }
    let refused = admit(&access, "10.0.0.1", &[("forwarded", "proto=https")]).unwrap_err();
    assert!(matches!(refused, Refusal::Forwarded(_)));
}

#[test]
fn a_quote_that_a_client_leaves_open_does_not_swallow_what_the_proxy_wrote() {
    let access = behind_proxies(ForwardedHeader::Forwarded);
    for proxy_wrote in ["for=203.0.113.7", "for=\"203.0.113.7:80\";by=\"10.0.0.1\""] {
        let value = format!("for=192.0.2.1;x=\", {proxy_wrote}");
        let refusal = admit(&access, "10.0.0.1", &[("forwarded", &value)]).unwrap_err();
        assert!(matches!(refusal, Refusal::Forwarded(_)), "{value}: {refusal:?}");
    }
}

fn with_tokens() -> Access {
    let tokens = vec![
        ("dashboard".to_owned(), TokenDigest::of("look-only"), Scope::ReadOnly),
        ("app".to_owned(), TokenDigest::of("all-of-it"), Scope::ReadWrite),
    ];
    Access {
        addresses: AddressList::All,
        methods: vec![Box::new(BearerTokens::new(tokens).unwrap())],
        ..access(&[])
    }
}

fn ask(method: Method, authorization: Option<&str>) -> Result<Option<String>, (u16, CredentialError)> {
    let lines: Vec<_> = authorization.map(|value| ("authorization", value)).into_iter().collect();
    match with_tokens().admit(ip("192.0.2.1"), &headers(&lines), &method, false) {
        Ok(admitted) => Ok(admitted.grant.map(|grant| grant.name.to_string())),
        Err(refusal) => {
            let status = refusal.status().as_u16();
            match refusal {
                Refusal::Credentials(error) => Err((status, error)),
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn a_token_opens_what_its_scope_allows() {
    for (method, token) in
        [(Method::GET, "look-only"), (Method::HEAD, "look-only"), (Method::OPTIONS, "look-only")]
    {
        assert_eq!(ask(method, Some(&format!("Bearer {token}"))), Ok(Some("dashboard".into())));
    }
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
        assert_eq!(ask(method, Some("bearer all-of-it")), Ok(Some("app".into())));
    }
    for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::POST] {
        let refused = ask(method, Some("Bearer look-only")).unwrap_err();
        assert_eq!(refused, (403, CredentialError::ReadOnly("dashboard".into())));
    }
}

#[test]
fn no_token_and_a_wrong_one_are_401() {
    for missing in [None, Some(""), Some("Bearer"), Some("Bearer  "), Some("Basic YTpi"), Some("all-of-it")] {
        assert_eq!(
            ask(Method::GET, missing),
            Err((401, CredentialError::Missing(vec!["Bearer"]))),
            "{missing:?}"
        );
    }
    let long = format!("Bearer {}", "x".repeat(5000));
    for wrong in ["Bearer all-of-i", "Bearer all-of-it2", "Bearer ALL-OF-IT", &long] {
        assert_eq!(ask(Method::GET, Some(wrong)), Err((401, CredentialError::Unknown("Bearer"))));
    }
    let twice = headers(&[("authorization", "Bearer all-of-it"), ("authorization", "Bearer all-of-it")]);
    let refusal = with_tokens().admit(ip("192.0.2.1"), &twice, &Method::GET, false).unwrap_err();
    assert_eq!((refusal.status().as_u16(), refusal), (401, CredentialError::Malformed.into()));
}

/// A second method, as one for Kerberos would be.
#[derive(Debug)]
struct Negotiate;

impl AuthenticationMethod for Negotiate {
    fn challenge(&self) -> &'static str {
        "Negotiate"
    }

    fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Grant>, CredentialError> {
        let value = headers.get("authorization").map(|value| value.to_str().unwrap_or_default());
        let ticket = value.and_then(|value| value.strip_prefix("Negotiate "));
        Ok(ticket.map(|name| Grant { name: name.into(), scope: Scope::ReadWrite }))
    }
}

#[test]
fn methods_are_asked_in_turn_and_a_wrong_credential_ends_it() {
    let mut access = with_tokens();
    access.methods.push(Box::new(Negotiate));
    let ask = |value: &str| {
        let lines = headers(&[("authorization", value)]);
        access
            .admit(ip("192.0.2.1"), &lines, &Method::PUT, false)
            .map(|admitted| admitted.grant.unwrap().name)
    };
    assert_eq!(ask("Negotiate anna").as_deref(), Ok("anna"));
    assert_eq!(ask("Bearer all-of-it").as_deref(), Ok("app"));
    assert_eq!(ask("Bearer wrong"), Err(CredentialError::Unknown("Bearer").into()));
    let missing = ask("Basic YTpi").unwrap_err();
    assert_eq!(missing.to_string(), "it shows no credentials; accepted are: Bearer, Negotiate");
}

#[test]
fn members_need_no_bearer_token_when_they_have_proved_themselves() {
    assert!(with_tokens().admit(ip("192.0.2.1"), &HeaderMap::new(), &Method::PUT, true).is_ok());
}

#[test]
fn digests_are_read_from_hex_and_shown_to_nobody() {
    let digest = TokenDigest::of("all-of-it");
    assert_eq!(digest.to_string().parse(), Ok(digest.clone()));
    assert_eq!(digest.to_string().to_uppercase().parse(), Ok(digest));
    for wrong in ["", "zz", &"g".repeat(64), &"0".repeat(63), &"é".repeat(32)] {
        assert_eq!(wrong.parse::<TokenDigest>(), Err(BearerError::BadDigest));
    }
    let shown = format!("{:?}", with_tokens());
    assert!(!shown.contains(&TokenDigest::of("all-of-it").to_string()) && shown.contains("***"), "{shown}");
}

#[test]
fn two_tokens_of_one_name_are_refused() {
    let token = || ("app".to_owned(), TokenDigest::of("x"), Scope::ReadOnly);
    assert_eq!(BearerTokens::new(vec![token(), token()]).unwrap_err(), BearerError::Duplicate("app".into()));
}

proptest! {
    #[test]
    fn arbitrary_headers_never_panic_and_never_admit_a_stranger(value in "[ -~]{0,120}") {
        for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
            let access = behind_proxies(header);
            let lines = headers(&[(header_name(header), &value), ("authorization", &value)]);
            // From an untrusted peer the header is as good as absent.
            let refused = access.admit(ip("203.0.113.7"), &lines, &Method::GET, false);
            prop_assert_eq!(refused, Err(Refusal::Address(ip("203.0.113.7"))));
            let _ = access.admit(ip("10.0.0.1"), &lines, &Method::GET, false);
            let _ = with_tokens().admit(ip("10.0.0.1"), &lines, &Method::GET, false);
        }
    }

    #[test]
    fn arbitrary_entries_never_panic(entry in "[0-9a-f:./ ]{0,50}") {
        let _ = AddressList::parse(&[entry]);
    }
}

fn header_name(header: ForwardedHeader) -> &'static str {
    match header {
        ForwardedHeader::XForwardedFor => "x-forwarded-for",
        ForwardedHeader::Forwarded => "forwarded",
    }
}
