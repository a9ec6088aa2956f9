//! What a failed handshake means, in words that say which side to look at and what for.

use std::time::Duration;

use ringhold_ring::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription as Alert, CertificateError as Refusal, Error};

use super::super::certificate::date;

/// The reason of a failed handshake for a log line.
#[must_use]
pub fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(refusal) => refused(refusal),
        Error::AlertReceived(alert) => alerted(*alert),
        Error::NoCertificatesPresented => {
            "the other side showed no certificate, and tls.client_auth demands one".into()
        }
        Error::InvalidMessage(_) => "the other side does not speak TLS (plain HTTP on a TLS port?)".into(),
        Error::PeerIncompatible(why) => {
            format!("no common TLS version, cipher suite or signature; 1.2 and 1.3 are spoken here ({why:?})")
        }
        other => other.to_string(),
    }
}

/// The same for what an acceptor or connector answers.
#[must_use]
pub fn explain_io(error: &std::io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => explain(error),
        None if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the other side closed the connection during the handshake; its log says why".into()
        }
        None => error.to_string(),
    }
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::UnknownIssuer => {
            "the certificate of the other side is trusted neither by itself nor by its issuer: \
             another keystore, a truststore that lacks it, or another shared secret"
                .into()
        }
        Refusal::BadSignature => {
            "the certificate of the other side bears the name of a trusted issuer and not its \
             signature: an impostor, or an authority whose key was replaced"
                .into()
        }
        Refusal::ExpiredContext { time, not_after } => format!(
            "the certificate of the other side expired on {}; it is {} here",
            moment(*not_after),
            moment(*time)
        ),
        Refusal::NotValidYetContext { time, not_before } => format!(
            "the certificate of the other side is not valid before {}; it is {} here: compare both clocks",
            moment(*not_before),
            moment(*time)
        ),
        Refusal::NotValidForNameContext { expected, presented } => format!(
            "the certificate of the other side is for {}, not for {}: use the name it was made for, or put this \
             address into it",
            names(presented),
            expected.to_str()
        ),
        Refusal::InvalidPurposeContext { .. } | Refusal::InvalidPurpose => {
            "the certificate of the other side is not made for this: members need serverAuth and clientAuth"
                .into()
        }
        other => format!("the certificate of the other side is refused: {other}"),
    }
}

/// The library writes `DnsName("x")` and `IpAddress(x)`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        inner.unwrap_or(name).trim_matches('"').to_owned()
    };
    match presented {
        [] => "no name".into(),
        names => names.iter().map(bare).collect::<Vec<_>>().join(", "),
    }
}

fn alerted(alert: Alert) -> String {
    let why = match alert {
        Alert::UnknownCA | Alert::BadCertificate | Alert::CertificateUnknown | Alert::DecryptError => {
            "it does not trust our certificate: another keystore, a truststore that lacks it, or another shared \
             secret; its log says more"
        }
        Alert::CertificateExpired => "it says that our certificate is expired, or not valid yet by its clock",
        Alert::CertificateRequired => "it demands a certificate and was shown none",
        Alert::ProtocolVersion => "it speaks no TLS version that is spoken here (1.2 and 1.3)",
        Alert::HandshakeFailure => "it found no common cipher suite or accepts no certificate of this kind",
        Alert::AccessDenied => "it denies access",
        other => return format!("the other side refused: {other:?}"),
    };
    format!("the other side refused: {why}")
}

fn moment(time: UnixTime) -> String {
    date(Timestamp::default() + Duration::from_secs(time.as_secs()))
}
