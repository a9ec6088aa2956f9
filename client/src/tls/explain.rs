//! What a failed handshake means to a client, in words that say what to look at.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription as Alert, CertificateError as Refusal, Error};

/// What TLS says about a failure.
#[derive(Debug, PartialEq, Eq)]
pub struct Cut {
    /// In words.
    pub why: String,
    /// Whether the handshake failed: then the node has seen nothing of the request. A node may refuse a client's
    /// certificate after the client has sent its first request, which the node then has not read (RFC 8446, 4.4.2.4).
    pub in_handshake: bool,
}

/// What TLS says about `error`, if it is the cause.
pub fn explain(error: &(dyn StdError + 'static)) -> Option<Cut> {
    let error = causes(error).find_map(|cause| cause.downcast_ref::<Error>())?;
    let in_handshake = match error {
        Error::AlertReceived(alert) => refuses(*alert),
        other => matches!(other, Error::InvalidCertificate(_)),
    };
    Some(Cut { why: words(error), in_handshake })
}

/// The causes of `error`, itself first.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| cause(*error))
}

/// An error of input and output does not name what it wraps as its source.
fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// Whether the other side closed the connection where more should have come.
pub fn is_end(error: &(dyn StdError + 'static)) -> bool {
    ended(error) == Some(io::ErrorKind::UnexpectedEof)
}

/// Whether the connection was cut. The alert that says why can be lost in that: a system that closes a connection with
/// bytes unread resets it.
pub fn is_cut(error: &(dyn StdError + 'static)) -> bool {
    matches!(ended(error), Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe))
}

fn ended(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    let kinds = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    kinds.last()
}

fn words(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(refusal) => refused(refusal),
        Error::AlertReceived(alert) => alerted(*alert),
        Error::InvalidMessage(_) => "the node does not speak TLS here; http:// is for such a listener".into(),
        Error::PeerIncompatible(why) => {
            format!("no common TLS version, cipher suite or signature; 1.2 and 1.3 are spoken here ({why:?})")
        }
        other => format!("TLS failed: {other}"),
    }
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::UnknownIssuer => {
            "the node's certificate is not trusted: neither it nor its issuer is among what this \
            client trusts"
                .into()
        }
        Refusal::BadSignature => {
            "the node's certificate bears the name of a trusted issuer and not its signature: \
            an impostor, or an authority that was made anew"
                .into()
        }
        Refusal::Expired | Refusal::ExpiredContext { .. } => {
            "the node's certificate has expired by this machine's clock".into()
        }
        Refusal::NotValidYet | Refusal::NotValidYetContext { .. } => {
            "the node's certificate is not valid yet by this machine's clock".into()
        }
        Refusal::NotValidForName | Refusal::NotValidForNameContext { .. } => {
            "the node's certificate is for another \
            host; ask the node under a name that its certificate has"
                .into()
        }
        Refusal::InvalidPurpose | Refusal::InvalidPurposeContext { .. } => {
            "the node's certificate is not made for servers".into()
        }
        other => format!("the node's certificate is refused: {other}"),
    }
}

/// The alerts by which a node ends a handshake; an established connection ends by none of them.
fn refuses(alert: Alert) -> bool {
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::UnknownCA
            | Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::UnsupportedCertificate
            | Alert::DecryptError
            | Alert::AccessDenied
            | Alert::HandshakeFailure
            | Alert::ProtocolVersion
    )
}

fn alerted(alert: Alert) -> String {
    match alert {
        Alert::CertificateRequired => "the node demands a client certificate, and none was shown".into(),
        Alert::CertificateExpired => {
            "the node refuses this client's certificate: it has expired, or is not valid yet by the node's clock"
                .into()
        }
        Alert::UnknownCA
        | Alert::BadCertificate
        | Alert::CertificateUnknown
        | Alert::CertificateRevoked
        | Alert::UnsupportedCertificate
        | Alert::DecryptError
        | Alert::AccessDenied => {
            format!("the node refuses this client's certificate ({alert:?}); its log says why")
        }
        Alert::ProtocolVersion => "the node speaks no TLS version that is spoken here (1.2 and 1.3)".into(),
        Alert::HandshakeFailure => {
            "the node found no common cipher suite, or demands a client certificate and none was shown".into()
        }
        other => format!("the node ended TLS: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(error: Error) -> io::Error {
        io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn the_cause_is_found_below_errors_that_hide_it() {
        let cut = explain(&wrapped(Error::AlertReceived(Alert::CertificateRequired))).unwrap();
        assert!(cut.in_handshake && cut.why.contains("demands a client certificate"), "{cut:?}");
        assert_eq!(explain(&io::Error::other("something else")), None);
    }

    #[test]
    fn a_plain_listener_is_named_as_what_it_is() {
        let error = Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        assert!(explain(&wrapped(error)).unwrap().why.contains("does not speak TLS"));
    }

    #[test]
    fn an_end_and_a_cut_are_told_apart_however_they_are_wrapped() {
        let wrapped = |kind| io::Error::other(io::Error::new(kind, "words"));
        let reset = wrapped(io::ErrorKind::ConnectionReset);
        assert!(is_cut(&reset) && !is_end(&reset));
        let end = wrapped(io::ErrorKind::UnexpectedEof);
        assert!(is_end(&end) && !is_cut(&end));
    }

    #[test]
    fn an_alert_on_an_established_connection_does_not_mean_that_nothing_was_done() {
        for alert in [Alert::InternalError, Alert::BadRecordMac, Alert::UnexpectedMessage] {
            assert!(!explain(&wrapped(Error::AlertReceived(alert))).unwrap().in_handshake, "{alert:?}");
        }
    }
}
