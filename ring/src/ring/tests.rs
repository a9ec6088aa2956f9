use super::*;

fn addresses(texts: &[&str]) -> Vec<MemberAddress> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn many(count: usize) -> Vec<MemberAddress> {
    (1..=count).map(|port| format!("10.0.0.1:{port}").parse().unwrap()).collect()
}

#[test]
fn members_given_in_any_order_form_the_same_ring() {
    let one = Ring::new(addresses(&["b:1", "10.0.0.2:1", "10.0.0.1:2", "10.0.0.1:1"]), Placement::Modulo, 2);
    let two = Ring::new(addresses(&["10.0.0.1:2", "10.0.0.1:1", "10.0.0.2:1", "b:1"]), Placement::Modulo, 2);
    assert_eq!(one, two);
    let ring = one.unwrap();
    let texts: Vec<_> =
        ring.members().map(|(index, member)| (index.as_usize(), member.to_string())).collect();
    assert_eq!(
        texts,
        [(0, "10.0.0.1:1".into()), (1, "10.0.0.1:2".into()), (2, "10.0.0.2:1".into()), (3, "b:1".into())]
    );
}

#[test]
fn an_address_and_its_index_lead_to_each_other() {
    let ring = Ring::new(many(200), Placement::Modulo, 1).unwrap();
    for (index, address) in ring.members() {
        assert_eq!(ring.index_of(address), Some(index));
        assert_eq!(ring.address(index), address);
    }
    assert_eq!(ring.index_of(&"10.0.0.2:1".parse().unwrap()), None);
}

#[test]
fn a_ring_has_1_to_1024_members() {
    assert_eq!(Ring::new([], Placement::Modulo, 1), Err(RingError::NoMembers));
    assert_eq!(Ring::new(many(1), Placement::Modulo, 1).unwrap().len(), 1);
    assert_eq!(Ring::new(many(1024), Placement::Modulo, 1).unwrap().len(), MAX_MEMBERS);
    assert_eq!(Ring::new(many(1025), Placement::Modulo, 1), Err(RingError::TooManyMembers(1025)));
}

#[test]
fn a_member_is_listed_once_however_it_is_spelt() {
    let twice = Ring::new(addresses(&["10.0.0.1:1", "a:1", "[::ffff:10.0.0.1]:1"]), Placement::Modulo, 1);
    let error = twice.unwrap_err();
    assert_eq!(error, RingError::Duplicate("10.0.0.1:1".parse().unwrap()));
    assert_eq!(error.to_string(), "member 10.0.0.1:1 is listed twice; list each member once");
}

#[test]
fn a_key_has_1_home_member_to_all_of_them() {
    for replicas in [0, 4, usize::MAX] {
        let error = Ring::new(many(3), Placement::Modulo, replicas).unwrap_err();
        assert_eq!(error, RingError::BadReplicas { replicas, members: 3 });
    }
    for replicas in 1..=3 {
        assert_eq!(Ring::new(many(3), Placement::Modulo, replicas).unwrap().replicas(), replicas);
    }
    let error = RingError::BadReplicas { replicas: 4, members: 3 };
    assert_eq!(error.to_string(), "replicas is 4; with 3 members it is 1 to 3");
}

#[test]
fn the_ring_id_differs_when_members_placement_or_replicas_do() {
    let rings = [
        Ring::new(many(3), Placement::Modulo, 1),
        Ring::new(many(3), Placement::Modulo, 2),
        Ring::new(many(3), Placement::Rendezvous, 1),
        Ring::new(many(4), Placement::Modulo, 1),
        Ring::new(addresses(&["10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:4"]), Placement::Modulo, 1),
    ];
    let ids = rings.map(|ring| ring.unwrap().id());
    for (at, id) in ids.iter().enumerate() {
        assert!(!ids[..at].contains(id), "ring {at}");
    }
}

#[test]
fn the_ring_id_is_the_same_in_every_release() {
    let ring =
        Ring::new(addresses(&["10.0.0.2:9999", "10.0.0.1:9999", "[::1]:1", "a:1"]), Placement::Modulo, 2);
    let id = ring.unwrap().id();
    // The first half of the MD5 of "10.0.0.1:9999,10.0.0.2:9999,[::1]:1,a:1|modulo|2".
    assert_eq!(id.to_string(), "c920a4f6bb1516a2");
    assert_eq!(RingId::from_u64(id.as_u64()), id);
}
