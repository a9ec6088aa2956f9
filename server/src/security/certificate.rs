//! A certificate that has been looked at: its names, its dates, whom it is for.
//!
//! It says what stands in the certificate and whether its dates hold; whether anyone trusts it is decided in `tls`.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use ringhold_ring::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// How X.509 writes its version 3.
const X509_VERSION_3: u32 = 2;

/// An X.509 certificate. Cloning copies its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: CertificateDer<'static>,
    subject: String,
    issuer: String,
    subject_bytes: Vec<u8>,
    issuer_bytes: Vec<u8>,
    public_key: Vec<u8>,
    is_authority: bool,
    version: u32,
    names: Vec<String>,
    not_before: Timestamp,
    not_after: Timestamp,
    fingerprint: Fingerprint,
}

/// The SHA-256 of a certificate's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate's bytes.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest::digest(&digest::SHA256, der).as_ref());
        Self(fingerprint)
    }
}

/// Why bytes are not a certificate that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not X.509, or not to the end.
    #[error("a certificate in it is damaged: {0}")]
    Damaged(String),
    /// Older than version 3.
    #[error(
        "the certificate of {subject} is X.509 version {version}; TLS needs version 3 (openssl x509 -req makes it \
         with -extfile)"
    )]
    OldVersion {
        /// Whose.
        subject: String,
        /// Which version.
        version: u32,
    },
    /// Its last day has passed.
    #[error("the certificate of {subject} expired on {not_after}; it is {now} now: replace it")]
    Expired {
        /// Whose.
        subject: String,
        /// When.
        not_after: String,
        /// The time that it was compared with.
        now: String,
    },
    /// Its first day has not come.
    #[error(
        "the certificate of {subject} is not valid before {not_before}; it is {now} here: check both clocks"
    )]
    NotYetValid {
        /// Whose.
        subject: String,
        /// From when on.
        not_before: String,
        /// The time that it was compared with.
        now: String,
    },
}

impl Certificate {
    /// Looks at a certificate.
    ///
    /// # Errors
    /// [`CertificateError::Damaged`].
    pub fn parse(der: CertificateDer<'_>) -> Result<Self, CertificateError> {
        let (rest, parsed) = X509Certificate::from_der(&der).map_err(|error| damaged(&error))?;
        if !rest.is_empty() {
            return Err(CertificateError::Damaged(format!("{} bytes follow it", rest.len())));
        }
        let subject = name(parsed.subject());
        if parsed.version.0 == X509_VERSION_3 {
            // The TLS library reads certificates with its own, stricter parser: what it refuses is no use to us.
            rustls::server::ParsedCertificate::try_from(&der).map_err(|error| damaged(&error))?;
        }
        let mut names = Vec::new();
        if let Ok(Some(alternatives)) = parsed.subject_alternative_name() {
            names.extend(alternatives.value.general_names.iter().filter_map(alternative_name));
        }
        Ok(Self {
            subject,
            issuer: name(parsed.issuer()),
            subject_bytes: parsed.subject().as_raw().to_vec(),
            issuer_bytes: parsed.issuer().as_raw().to_vec(),
            public_key: parsed.public_key().raw.to_vec(),
            is_authority: parsed.is_ca(),
            version: parsed.version.0.saturating_add(1),
            names,
            not_before: moment(parsed.validity().not_before.timestamp()),
            not_after: moment(parsed.validity().not_after.timestamp()),
            fingerprint: Fingerprint::of(&der),
            der: der.into_owned(),
        })
    }

    /// The bytes.
    #[must_use]
    pub const fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// Whom it is for, as text.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Who signed it, as text.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The DNS names and IP addresses it is for (subject alternative names), as text.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The first moment at which it is valid.
    #[must_use]
    pub const fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last moment at which it is valid.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The SHA-256 of its bytes.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The subject public key info, DER.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The issuer's name, DER.
    #[must_use]
    pub fn issuer_bytes(&self) -> &[u8] {
        &self.issuer_bytes
    }

    /// Whether `other` bears the name of this one's issuer. It says nothing of the signature.
    #[must_use]
    pub fn names_as_issuer(&self, other: &Self) -> bool {
        self.issuer_bytes == other.subject_bytes
    }

    /// Whether it may sign others: it says so (basic constraints), or is a root from before certificates could.
    #[must_use]
    pub fn is_authority(&self) -> bool {
        self.is_authority || (self.version == 1 && self.is_self_issued())
    }

    /// Whether it names itself as its issuer.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.issuer_bytes == self.subject_bytes
    }

    /// Whether `other` has the same subject and the same issuer, byte for byte.
    #[must_use]
    pub fn has_names_of(&self, other: &Self) -> bool {
        self.subject_bytes == other.subject_bytes && self.issuer_bytes == other.issuer_bytes
    }

    /// That it can be shown in a handshake: old authorities may be of version 1, nodes not.
    ///
    /// # Errors
    /// [`CertificateError::OldVersion`].
    pub fn check_version(&self) -> Result<(), CertificateError> {
        if self.version == X509_VERSION_3 + 1 {
            return Ok(());
        }
        Err(CertificateError::OldVersion { subject: self.subject.clone(), version: self.version })
    }

    /// The common name of its subject, else the whole subject.
    #[must_use]
    pub fn short_name(&self) -> &str {
        let parts = self.subject.split(", ");
        parts.filter_map(|part| part.strip_prefix("CN=")).next().unwrap_or(&self.subject)
    }

    /// That it is valid at `now`.
    ///
    /// # Errors
    /// [`CertificateError::Expired`] or [`CertificateError::NotYetValid`].
    pub fn check_dates(&self, now: Timestamp) -> Result<(), CertificateError> {
        let subject = || self.subject.clone();
        if now < self.not_before {
            let not_before = date(self.not_before);
            return Err(CertificateError::NotYetValid { subject: subject(), not_before, now: date(now) });
        }
        // A certificate is valid through its last second (RFC 5280 section 4.1.2.5).
        if now >= self.not_after + Duration::from_secs(1) {
            let not_after = date(self.not_after);
            return Err(CertificateError::Expired { subject: subject(), not_after, now: date(now) });
        }
        Ok(())
    }
}

fn damaged(error: &dyn std::fmt::Display) -> CertificateError {
    CertificateError::Damaged(error.to_string())
}

fn name(name: &x509_parser::x509::X509Name<'_>) -> String {
    let text = name.to_string();
    if text.is_empty() { "(no subject)".into() } else { text }
}

fn alternative_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let ip = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok()?;
            Some(ip.to_string())
        }
        _ => None,
    }
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000))
}

/// A moment as people write it: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn date(moment: Timestamp) -> String {
    const LAST_PRINTABLE: u64 = 253_402_300_799_000;
    let millis = moment.as_millis().min(LAST_PRINTABLE);
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.subject)
            .field("issuer", &self.issuer)
            .field("names", &self.names)
            .field("not_after", &date(self.not_after))
            .field("fingerprint", &self.fingerprint)
            .finish()
    }
}
