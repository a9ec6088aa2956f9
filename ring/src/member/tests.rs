use proptest::prelude::*;

use super::*;

fn address(text: &str) -> MemberAddress {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn members_sort_by_ipv4_then_ipv6_then_name_then_port() {
    let sorted = [
        "1.255.255.255:9999",
        "9.255.255.255:1",
        "10.0.0.2:5",
        "10.0.0.2:100",
        "10.0.0.2:900",
        "10.0.0.3:1",
        "10.0.0.10:1",
        "127.0.0.1:1",
        "128.0.0.1:1",
        "172.16.0.1:1",
        "192.168.0.1:1",
        "192.168.0.255:1",
        "254.255.255.255:1",
        "[::1]:9999",
        "[2001:db8::1]:80",
        "[2001:db8::1]:9999",
        "[2001:db8::a]:80",
        "[2001:db8::10]:80",
        "[8000::1]:1",
        "[fe80::1]:1",
        "a:9999",
        "a.example:1",
        "b:2",
        "b:10",
        "node-10:1",
        "node-2:1",
    ];
    let members = sorted.map(address);
    assert!(members.is_sorted_by(|earlier, later| earlier < later));
    assert_eq!(members.each_ref().map(ToString::to_string), sorted);
}

#[test]
fn an_ipv4_mapped_address_is_the_ipv4_address() {
    assert_eq!(address("[::ffff:10.0.0.1]:9999"), address("10.0.0.1:9999"));
    assert_eq!(address("[::ffff:0a00:0001]:9999").to_string(), "10.0.0.1:9999");
    let socket: SocketAddr = "[::ffff:10.0.0.1]:9999".parse().unwrap();
    assert_eq!(MemberAddress::from(socket), address("10.0.0.1:9999"));
}

#[test]
fn an_address_has_one_spelling() {
    assert_eq!(address("[2001:0DB8:0:0::1]:80").to_string(), "[2001:db8::1]:80");
    assert_eq!(address("Node-1.Example:9999").to_string(), "node-1.example:9999");
    assert_eq!(address("node_1:9999"), address("NODE_1:9999"));
}

#[test]
fn an_address_gives_its_parts() {
    let v6 = address("[2001:db8::1]:80");
    assert_eq!((v6.host(), v6.port(), v6.ip()), ("2001:db8::1".into(), 80, "2001:db8::1".parse().ok()));
    let name = address("node-1:65535");
    assert_eq!((name.host(), name.port(), name.ip()), ("node-1".into(), 65535, None));
}

#[test]
fn without_a_port_it_is_no_member() {
    for text in ["", "10.0.0.1", "node", "[::1]", "[2001:db8::1]", "node]"] {
        assert_eq!(text.parse::<MemberAddress>(), Err(MemberAddressError::NoPort(text.into())), "{text}");
    }
}

#[test]
fn a_port_is_a_plain_number_from_1_to_65535() {
    for port in [
        "",
        "0",
        "00",
        "65536",
        "100000",
        "-1",
        "+1",
        "01",
        "0x1",
        "1 ",
        " 1",
        "a",
        "٣",
        "1.5",
        "99999999999999",
    ] {
        let text = format!("10.0.0.1:{port}");
        assert_eq!(text.parse::<MemberAddress>(), Err(MemberAddressError::BadPort(text.clone())), "{text}");
    }
    assert_eq!(address("a:1").port(), 1);
    assert_eq!(address("a:65535").port(), 65535);
}

#[test]
fn a_host_is_an_ip_address_or_a_host_name() {
    let long_label = format!("{}.example", "a".repeat(64));
    let long_name = [&*"a".repeat(63), &*"b".repeat(63), &*"c".repeat(63), &*"d".repeat(62)].join(".");
    assert_eq!(long_name.len(), 254);
    let refused = [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "-a",
        "a-",
        "a.-b",
        "a b",
        " a",
        "ü",
        "a/b",
        "user@a",
        "http://a",
        "*",
        "a,b",
        "::1",
        "2001:db8::1",
        "[::1",
        "::1]",
        "[]",
        "[10.0.0.1]",
        "[node]",
        "[fe80::1%eth0]",
        "[[::1]]",
        "[::1].a",
        "10.1",
        "1",
        "10.0.0.256",
        "10.0.0.1.2",
        "010.0.0.1",
        "0x7f000001",
        "0X7F.0x1",
        "10.0.0.0x1",
        "a.0x",
        &long_label,
        &long_name,
    ];
    for host in refused {
        let text = format!("{host}:9999");
        assert_eq!(text.parse::<MemberAddress>(), Err(MemberAddressError::BadHost(text.clone())), "{text}");
    }
    for host in ["a", "1a", "0xg", "1.a", "a-b.c_d.example", &"a".repeat(63), &long_name[1..]] {
        assert_eq!(address(&format!("{host}:9999")).host(), host);
    }
}

#[test]
fn an_address_of_many_machines_is_no_member() {
    for text in
        ["0.0.0.0:1", "[::]:1", "[::ffff:0.0.0.0]:1", "224.0.0.1:1", "255.255.255.255:1", "[ff02::1]:1"]
    {
        assert_eq!(
            text.parse::<MemberAddress>(),
            Err(MemberAddressError::NotOneMachine(text.into())),
            "{text}"
        );
    }
}

#[test]
fn a_sockets_address_is_the_one_that_its_text_would_be() {
    let from_socket = |text: &str| MemberAddress::from(text.parse::<SocketAddr>().unwrap());
    assert_eq!(from_socket("10.0.0.1:9999"), address("10.0.0.1:9999"));
    assert_eq!(from_socket("[2001:DB8::1]:9999"), address("[2001:db8::1]:9999"));
    assert_eq!(from_socket("[fe80::1%3]:9999"), address("[fe80::1]:9999"));
}

#[test]
fn an_error_quotes_what_was_given_and_says_what_would_be_right() {
    let message = |text: &str| text.parse::<MemberAddress>().unwrap_err().to_string();
    assert_eq!(
        message("10.0.0.1"),
        "\"10.0.0.1\" has no port; a member is host:port, for example 10.0.0.1:9999 or [::1]:9999"
    );
    assert_eq!(message("a:0"), "\"a:0\" has no usable port; a port is a number from 1 to 65535");
    assert!(message("::1:80").ends_with("an IPv6 address stands in brackets"));
    assert!(message("0.0.0.0:80").ends_with("give the address at which the others reach this member"));
}

#[test]
fn an_address_is_a_string_to_serde() {
    let strings = serde::de::value::StrDeserializer::<serde::de::value::Error>::new;
    let read = |text| <MemberAddress as serde::Deserialize>::deserialize(strings(text));
    assert_eq!(read("10.0.0.1:9999"), Ok(address("10.0.0.1:9999")));
    assert_eq!(
        read("10.0.0.1").unwrap_err().to_string(),
        "10.0.0.1".parse::<MemberAddress>().unwrap_err().to_string()
    );
}

proptest! {
    #[test]
    fn text_leads_back_to_the_address(socket: SocketAddr) {
        let member = MemberAddress::from(socket);
        prop_assert_eq!(member.ip(), Some(socket.ip().to_canonical()));
        match member.to_string().parse() {
            Ok(back) => prop_assert_eq!(member, back),
            Err(MemberAddressError::BadPort(_)) => prop_assert_eq!(socket.port(), 0),
            Err(error) => prop_assert!(matches!(error, MemberAddressError::NotOneMachine(_)), "{}", error),
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic_and_what_it_takes_has_one_spelling(text in "[\\[\\]0-9a-fx:.%_ -]{0,24}") {
        if let Ok(member) = text.parse::<MemberAddress>() {
            prop_assert_eq!(member.to_string().parse(), Ok(member.clone()));
        }
    }
}
