use super::*;

fn said(incarnation: u64, number: u32) -> Heartbeat {
    Heartbeat {
        incarnation: Incarnation::new(incarnation),
        number,
        state: MemberState::Ready,
        acts: true,
        ring: RingId::from_u64(1),
        target: None,
        prepared: false,
        knows: None,
        sees: Standing::Online,
        damages: 0,
        online: 1,
        unsettled: false,
        handed: false,
    }
}

#[test]
fn of_two_heartbeats_of_a_process_the_one_with_the_smaller_number_was_said_before() {
    assert!(said(7, 1).is_before(&said(7, 2)));
    assert!(!said(7, 2).is_before(&said(7, 1)));
    assert!(!said(7, 2).is_before(&said(7, 2)), "the same, twice");
    assert!(said(7, u32::MAX).is_before(&said(7, 0)), "it begins anew after the last number");
    assert!(!said(7, 0).is_before(&said(7, u32::MAX)));
}

#[test]
fn an_earlier_incarnation_of_a_process_spoke_before_a_later_one_and_another_process_did_not() {
    assert!(said(7, 9).is_before(&said(8, 1)));
    assert!(!said(8, 1).is_before(&said(7, 9)));
    assert!(said(u64::MAX, 9).is_before(&said(0, 1)));
    assert!(!said(7, 9).is_before(&said(0x8d1f_5a6b_0000_0000, 1)));
    assert!(!said(0x8d1f_5a6b_0000_0000, 1).is_before(&said(7, 9)));
}
