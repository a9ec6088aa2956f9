use super::*;

#[test]
fn a_ttl_is_1_to_2147483647_seconds() {
    assert_eq!(Ttl::from_seconds(1).unwrap().as_duration(), Duration::from_secs(1));
    assert_eq!(Ttl::from_seconds(2_147_483_647).unwrap().as_seconds(), 2_147_483_647);
    for seconds in [0, 2_147_483_648, u64::from(u32::MAX), u64::from(u32::MAX) + 2, u64::MAX] {
        assert_eq!(Ttl::from_seconds(seconds), Err(TtlError), "{seconds}");
    }
}

#[test]
fn a_ttl_is_read_as_java_reads_an_int() {
    for (text, seconds) in [("5", 5), ("+5", 5), ("007", 7), ("2147483647", i32::MAX as u32)] {
        assert_eq!(text.parse::<Ttl>().unwrap().as_seconds(), seconds, "{text}");
    }
    assert_eq!(format!("{}1", "0".repeat(60)).parse::<Ttl>().unwrap().as_seconds(), 1);
}

#[test]
fn what_is_no_ttl_is_refused() {
    let refused = [
        "",
        "0",
        "+0",
        "000",
        "-1",
        "-0",
        "+",
        "++5",
        "+-5",
        "5.0",
        "0x10",
        "1e3",
        "1_000",
        " 5",
        "5 ",
        "5s",
        "nan",
        "٥",
        "2147483648",
        "4294967297",
        "18446744073709551617",
        "99999999999999999999999999999999999999999",
    ];
    for text in refused {
        assert_eq!(text.parse::<Ttl>(), Err(TtlError), "{text:?}");
    }
    assert_eq!(TtlError.to_string(), "a TTL is a whole number of seconds from 1 to 2147483647");
}

#[test]
fn moments_do_not_wrap_around() {
    let last = Timestamp::from_millis(u64::MAX);
    assert_eq!(last + Duration::from_millis(1), last);
    assert_eq!(Timestamp::default() + Duration::MAX, last);
    assert_eq!(Timestamp::default().since(last), Duration::ZERO);
}

#[test]
fn the_time_between_two_moments_leads_from_one_to_the_other() {
    let earlier = Timestamp::from_millis(1_700_000_000_123);
    let later = earlier + Ttl::from_seconds(60).unwrap().as_duration();
    assert_eq!(later.as_millis(), 1_700_000_060_123);
    assert_eq!(later.since(earlier), Duration::from_secs(60));
    assert!(earlier < later);
}
