//! What other members ask for that is done at once.

use ringhold_config::Config;
use ringhold_ring::{Incarnation, RingId};

use super::*;
use crate::clock::Clock;
use crate::core::{Core, Nobody};
use crate::object::{Conditions, ContentType, Outcome};

#[tokio::test]
async fn what_a_member_asks_for_is_done_at_once_unless_anything_about_it_is_unusual() {
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
    let to = Some(Incarnation::new(1));
    let usual = Passage { to, ..Passage::through(1, core.membership().view().ring().id()) };
    let at_once =
        |from, operation, passage| Handler::execute_at_once(objects, from, &key, operation, &passage);
    let stranger = "10.0.0.9:1".parse().unwrap();
    for operation in [&get, &put] {
        assert_eq!(at_once(&stranger, operation, usual), None);
        for unusual in [
            Passage { to: Some(Incarnation::new(2)), ..usual },
            Passage { ring: RingId::from_u64(7), ..usual },
            Passage { instead_of: Some(core.membership().term()), ..usual },
            Passage { after_failure: true, ..usual },
        ] {
            assert_eq!(at_once(&me, operation, unusual), None, "{unusual:?}");
        }
    }
    assert!(matches!(at_once(&me, &get, usual), Some(Executed::Done(Ok(Outcome::Missing)))));
    assert!(matches!(at_once(&me, &put, usual), Some(Executed::Done(Ok(Outcome::Created(_))))));
    let found = at_once(&me, &get, usual);
    assert!(matches!(found, Some(Executed::Done(Ok(Outcome::Found(object)))) if object.value == "value"));
}
