//! Identities and trust that cannot be built.

use super::super::testing::{DAY, TestAuthority, Wanted, now};
use super::*;

#[test]
fn an_identity_expires_with_the_first_certificate_of_its_chain() {
    let authority = TestAuthority::new("authority");
    let short = authority.sign(&Wanted { to: now() + DAY * 2, ..Wanted::default() });
    assert_eq!(short.expires_at(), short.leaf().not_after());
    assert!(short.expires_at() < authority.certificate.not_after());
}

#[test]
fn a_certificate_is_valid_through_its_last_second() {
    let leaf = Wanted::default().self_signed().leaf().clone();
    let last = leaf.not_after();
    assert_eq!(leaf.check_dates(last), Ok(()));
    assert_eq!(leaf.check_dates(last + std::time::Duration::from_millis(999)), Ok(()));
    assert!(matches!(
        leaf.check_dates(last + std::time::Duration::from_secs(1)),
        Err(CertificateError::Expired { .. })
    ));
}

#[test]
fn trust_in_nobody_and_in_too_many_is_refused() {
    assert_eq!(Trust::new(&[], &[]).unwrap_err(), TrustError::Empty);
    let leaf = Wanted::default().self_signed().leaf().clone();
    let many = vec![leaf; Trust::MAX_CERTIFICATES + 1];
    assert_eq!(Trust::new(&many, &[]).unwrap_err(), TrustError::TooMany(1025));
}

#[test]
fn exact_trust_is_of_all_bytes() {
    let (one, other) = (Wanted::default().self_signed(), Wanted::default().self_signed());
    let trust = Trust::new(std::slice::from_ref(one.leaf()), &[]).unwrap();
    assert_eq!(trust.exact(one.leaf().der()), Some(one.leaf()));
    assert_eq!(trust.exact(other.leaf().der()), None);
    let mut changed = one.leaf().der().to_vec();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(trust.exact(&changed), None);
}
