use proptest::prelude::*;

use super::*;

/// key, MD5, UUID form, value, value modulo 2, 3, 4 and 5: computed with Repose's own classes.
#[rustfmt::skip]
const KEYS: [(&str, &str, &str, i128, [i128; 4]); 11] = [
    ("object-key", "cd26615a30a3cdce02e3a834fed5711a", "cecda330-5a61-26cd-1a71-d5fe34a8e302", -67_591_345_965_086_898_307_000_284_642_397_556_454, [0, 0, 2, 1]),
    ("", "d41d8cd98f00b204e9800998ecf8427e", "04b2008f-d98c-1dd4-7e42-f8ec980980e9", -58_332_598_431_525_814_501_020_785_164_969_033_090, [0, 2, 2, 0]),
    ("a", "0cc175b9c0f1b6a831c399e269772661", "a8b6f1c0-b975-c10c-6126-7769e299c331", 16_955_237_001_963_240_173_058_271_559_858_726_497, [1, 1, 1, 2]),
    ("foo", "acbd18db4cc2f85cedef654fccc4a4d8", "5cf8c24c-db18-bdac-d8a4-c4cc4f65efed", -110_673_303_387_115_207_421_586_718_101_067_225_896, [0, 0, 0, 4]),
    ("bar", "37b51d194a7513e45b56f6524f2d51f2", "e413754a-191d-b537-f251-2d4f52f6565b", 74_047_935_693_191_174_550_601_131_226_829_771_250, [0, 0, 2, 0]),
    ("user1", "24c9e15e52afc47c225b757e7bee1f9d", "7cc4af52-5ee1-c924-9d1f-ee7b7e755b22", 48_900_430_532_020_830_442_050_270_794_663_993_245, [1, 1, 1, 0]),
    ("test", "098f6bcd4621d373cade4e832627b4f6", "73d32146-cd6b-8f09-f6b4-2726834edeca", 12_707_736_894_140_473_154_801_792_860_916_528_374, [0, 1, 2, 4]),
    ("hello", "5d41402abc4b2a76b9719d911017c592", "762a4bbc-2a40-415d-92c5-1710919d71b9", 123_957_004_363_873_451_094_272_536_567_338_222_994, [0, 1, 2, 4]),
    ("Grüße", "49c5f675b49037b6044b803ac9d1a6d7", "b63790b4-75f6-c549-d7a6-d1c93a804b04", 98_061_524_971_769_382_418_290_292_852_410_918_615, [1, 0, 3, 0]),
    ("1", "c4ca4238a0b923820dcc509a6f75849b", "8223b9a0-3842-cac4-9b84-756f9a50cc0d", -78_703_492_656_118_554_854_272_571_946_195_123_045, [1, 0, 3, 0]),
    ("3", "eccbc87e4b5ce2fe28308fd9f2a7baf3", "fee25c4b-7ec8-cbec-f3ba-a7f2d98f3028", -25_526_457_165_422_871_462_893_602_186_863_330_573, [1, 0, 3, 2]),
];

/// UUID form, digest, value, value modulo 2, 3, 4 and 5: what arrives when a client sends a UUID of its own.
#[rustfmt::skip]
const UUIDS: [(&str, &str, i128, [i128; 4]); 5] = [
    ("00000000-0000-0000-0000-000000000001", "00000000000000000100000000000000", 72_057_594_037_927_936, [0, 1, 0, 1]),
    ("80000000-0000-0000-0000-000000000000", "00000000000000800000000000000000", 2_361_183_241_434_822_606_848, [0, 2, 0, 3]),
    ("00000000-0000-0080-0000-000000000000", "80000000000000000000000000000000", i128::MIN, [0, 1, 0, 2]),
    ("ffffffff-ffff-ffff-ffff-ffffffffffff", "ffffffffffffffffffffffffffffffff", -1, [1, 2, 3, 4]),
    ("3ae04e3f-164e-ab96-04d2-51aa51104daa", "96ab4e163f4ee03aaa4d1051aa51d204", -140_008_700_999_830_056_134_266_856_590_292_168_188, [0, 2, 0, 2]),
];

fn remainders(digest: Digest) -> [i128; 4] {
    [2, 3, 4, 5].map(|members| digest.value().rem_euclid(members))
}

#[test]
fn a_key_has_reposes_digest_uuid_form_and_value() {
    for (key, md5, uuid, value, modulo) in KEYS {
        let digest = Digest::of(key.as_bytes());
        assert_eq!(digest.to_string(), md5, "{key}");
        assert_eq!(digest.to_uuid().to_string(), uuid, "{key}");
        assert_eq!(digest.value(), value, "{key}");
        assert_eq!(remainders(digest), modulo, "{key}");
    }
}

#[test]
fn a_uuid_that_a_client_chose_is_decoded_as_repose_decodes_it() {
    for (text, bytes, value, modulo) in UUIDS {
        let digest = Digest::from_uuid(text.parse().unwrap());
        assert_eq!(digest.to_string(), bytes, "{text}");
        assert_eq!(digest.value(), value, "{text}");
        assert_eq!(remainders(digest), modulo, "{text}");
        assert_eq!(digest.to_uuid().to_string(), text);
    }
}

#[test]
fn the_uuid_form_of_sixteen_equal_bytes_is_those_bytes() {
    let ones = Digest::from_bytes([1; 16]);
    assert_eq!(ones.to_uuid().into_bytes(), [1; 16]);
    assert_eq!(Digest::from_uuid(ones.to_uuid()), ones);
}

#[test]
fn md5_is_the_one_of_rfc_1321() {
    // Appendix A.5.
    let suite = [
        ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
        ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
        (
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "57edf4a22be3c955ac49da2e2107b67a",
        ),
    ];
    for (text, md5) in suite {
        assert_eq!(Digest::of(text.as_bytes()).to_string(), md5, "{text}");
    }
}

proptest! {
    #[test]
    fn the_uuid_form_and_the_bytes_lead_back_to_the_digest(bytes: [u8; 16]) {
        let digest = Digest::from_bytes(bytes);
        prop_assert_eq!(*digest.as_bytes(), bytes);
        prop_assert_eq!(Digest::from_uuid(digest.to_uuid()), digest);
        prop_assert_eq!(digest.to_uuid().to_string().parse::<Uuid>().map(Digest::from_uuid), Ok(digest));
        prop_assert_eq!(i128::from_str_radix(&digest.to_string(), 16).is_ok(), digest.value() >= 0);
    }
}
