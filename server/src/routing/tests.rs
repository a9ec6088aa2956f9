//! Which reads of other members are answered at once.

use std::sync::Arc;

use ringhold_config::Config;
use ringhold_ring::{Incarnation, Key, MemberAddress, RingId};

use super::*;
use crate::clock::Clock;
use crate::core::{Core, Nobody};
use crate::object::ContentType;

#[tokio::test]
async fn a_read_is_answered_at_once_unless_anything_about_it_is_unusual() {
    let me: MemberAddress = "10.0.0.1:1".parse().unwrap();
    let config = Config::alone("10.0.0.1:1".parse().unwrap());
    let core = Core::new(&config, Incarnation::new(1), Arc::new(Nobody), Clock::system(), 1).unwrap();
    tokio::select! {
        () = core.run() => unreachable!("it runs for ever"),
        () = core.ready() => {}
    }
    let (objects, key) = (core.objects(), Key::new("key").unwrap());
    let (get, put) = (
        Operation::Get { conditions: Conditions::default() },
        Operation::Put {
            value: "value".into(),
            content_type: ContentType::Text,
            ttl: None,
            conditions: Conditions::default(),
        },
    );
    objects.execute(&key, put.clone(), Forwarding::Allowed).await.result.unwrap();
    let usual = Passage {
        hops: 1,
        to: Some(Incarnation::new(1)),
        ring: core.membership().view().ring().id(),
        instead_of: None,
        after_failure: false,
        any_copy: false,
        id: None,
    };
    let found = objects.read_at_once(&me, &key, &get, &usual);
    assert!(matches!(found, Some(Executed::Done(Ok(Outcome::Found(object)))) if object.value == "value"));
    let stranger = "10.0.0.9:1".parse().unwrap();
    assert_eq!(objects.read_at_once(&stranger, &key, &get, &usual), None);
    assert_eq!(objects.read_at_once(&me, &key, &put, &usual), None);
    for unusual in [
        Passage { to: Some(Incarnation::new(2)), ..usual },
        Passage { ring: RingId::from_u64(7), ..usual },
        Passage { instead_of: Some(core.membership().term()), ..usual },
        Passage { after_failure: true, ..usual },
    ] {
        assert_eq!(objects.read_at_once(&me, &key, &get, &unusual), None, "{unusual:?}");
    }
}
