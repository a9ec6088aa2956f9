//! Short texts from requests and settings: access ranges, keys in paths, member addresses, shared secrets.
//!
//! Rule: what is accepted means the same when it is written again.

use std::net::IpAddr;

use ringhold_ring::{Key, MemberAddress};
use ringhold_server::security::access::{AddressList, AddressRange};
use ringhold_server::security::shared_secret::SharedSecrets;

use super::{Target, kind, texts};

pub const RANGES: Target = Target {
    name: "ranges",
    words: &["/8", "/32", "/128", "::ffff:", "10.0.0.0", "fd00::", "0", ",", "/-1", "%eth0"],
    max_bytes: 256,
    samples: || texts(&["10.0.0.0/8,::1,192.0.2.1", "fd00::/8,0.0.0.0/0,::/0", "::ffff:10.0.0.0/104"]),
    run: run_ranges,
};
pub const KEY: Target = Target {
    name: "key",
    words: &["%2F", "%25", "%00", "%C3%A9", "/", "..", ".", "%", "+", "?"],
    max_bytes: 4096,
    samples: || texts(&["a", "a/b/c", "%2E%2E", "caf%C3%A9", "../cluster", "a%20b", "é"]),
    run: run_key,
};
pub const MEMBER: Target = Target {
    name: "member",
    words: &[":9999", "[", "]", "::", "%", "a.b", "-", ":0", ":65536"],
    max_bytes: 512,
    samples: || texts(&["127.0.0.1:9999", "[fd00::1]:9999", "node-1.ring.example:80"]),
    run: run_member,
};
pub const SECRET: Target = Target {
    name: "secret",
    words: &["a", "0123456789", "\u{0}", "é"],
    max_bytes: 4096,
    samples: || {
        texts(&["Wq3xT9sLmB7vKzR2pY8dNc4fHj6gQe1u", "changeme", "7f0c2b1e-94d3-4a68-b5f7-0e8d61c3a92f"])
    },
    run: run_secret,
};

fn run_ranges(input: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(input) else { return "no text".into() };
    let entries: Vec<_> = text.split(',').collect();
    let list = AddressList::parse(&entries);
    for range in entries.iter().filter_map(|entry| entry.trim().parse::<AddressRange>().ok()) {
        for (four, six) in [("10.0.0.1", "::ffff:10.0.0.1"), ("192.0.2.1", "::ffff:192.0.2.1")] {
            let contains = |address: &str| address.parse::<IpAddr>().map(|address| range.contains(address));
            assert_eq!(contains(four), contains(six), "{range:?} tells {four} from {six}");
        }
    }
    let everyone = |list: &AddressList| {
        ["192.0.2.1", "2001:db8::1"].map(|text| text.parse().map(|ip| list.contains(ip)))
    };
    format!("{} {:?}", kind(&list), list.as_ref().map(everyone).unwrap_or([Ok(false), Ok(false)]))
}

fn run_key(input: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(input) else { return "no text".into() };
    match Key::from_path(text) {
        Err(error) => kind(&error),
        Ok(key) => {
            assert!((1..=Key::MAX_BYTES).contains(&key.as_bytes().len()));
            let path = key.to_path().into_owned();
            assert_eq!(Key::from_path(&path).as_ref(), Ok(&key), "{path} is another key");
            assert_eq!(Key::from_bytes(key.as_bytes()).as_ref(), Ok(&key));
            assert!(path == "." || path.split('/').all(|segment| segment != ".."), "{path} leads elsewhere");
            format!("key {}", key.as_bytes().len().min(3))
        }
    }
}

fn run_member(input: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(input) else { return "no text".into() };
    match text.parse::<MemberAddress>() {
        Err(error) => kind(&error),
        Ok(member) => {
            assert_eq!(member.to_string().parse::<MemberAddress>().as_ref(), Ok(&member), "{member}");
            format!("member {}", member.ip().is_some())
        }
    }
}

fn run_secret(input: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(input) else { return "no text".into() };
    let result = SharedSecrets::new(&text.into(), &[]);
    let said = match &result {
        Ok(secrets) => format!("{secrets:?}"),
        Err(error) => format!("{error} {error:?}"),
    };
    assert!(text.len() < 16 || !said.contains(text), "{said} shows the secret");
    kind(&result)
}
