//! The bodies of `ringhold keystore create | list | check` and `ringhold secret generate`: what `keytool` would do
//! for this job. They answer text and leave printing to the program.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use ringhold_ring::{MemberAddress, Timestamp};
use rustls::pki_types::PrivatePkcs8KeyDer;

use super::certificate::{Certificate, CertificateError, date};
use super::identity::Identity;
use super::keystore::{
    Format, Keystore, KeystoreError, KeystoreFileError, Passwords, WriteError, to_pem, to_pkcs12,
};
use super::material::{MaterialError, TlsFiles};
use super::reminder::WARN_BEFORE;
use super::secret::Secret;
use super::shared_secret::{NoRandomness, generate_secret, random};
use super::tls::server_name;

/// How long a keystore's certificate lives, unless asked otherwise.
pub const DEFAULT_DAYS: u32 = 825;
/// The longest, about a hundred years.
pub const MAX_DAYS: u32 = 36_525;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// A clock that is a little behind accepts a new certificate.
const BACKDATE: Duration = Duration::from_secs(3600);
const CREATED_ALIAS: &str = "ringhold";

/// What a new keystore is for.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// One file for every node: a self-signed certificate, `CN=*`, that is trusted as it is.
    Shared,
    /// A private authority: signs the certificates of nodes, serves none itself.
    Authority,
    /// One node: signed by an authority's keystore, for these names.
    Node {
        /// DNS names (also `*.example.org`) and IP addresses.
        names: Vec<String>,
        /// The authority's keystore.
        authority: PathBuf,
        /// What opens it.
        passwords: Passwords,
    },
}

/// A keystore to create.
#[derive(Clone, Debug)]
pub struct Create {
    /// The new file; an existing one is not overwritten.
    pub path: PathBuf,
    /// PKCS#12 or PEM.
    pub format: Format,
    /// The new password; PEM does without.
    pub password: Option<Secret>,
    /// What it is for.
    pub purpose: Purpose,
    /// How long it lives.
    pub days: u32,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// JKS is only read.
    #[error(
        "a JKS keystore is not written here: its protection is weak; create PKCS#12, which keytool reads too"
    )]
    JksIsOld,
    /// PKCS#12 without a password.
    #[error("a PKCS#12 keystore needs a password of at least 6 bytes (keytool refuses shorter ones)")]
    NoPassword,
    /// Too long or no time at all.
    #[error("a keystore lives 1 to {MAX_DAYS} days, not {0}")]
    Days(u32),
    /// No name for a node.
    #[error("a node's keystore needs the names and addresses that members know it by")]
    NoNames,
    /// Not a name.
    #[error("\"{0}\" is neither a DNS name nor an IP address")]
    BadName(String),
    /// What is to sign is no authority.
    #[error("{} cannot sign for nodes: its certificate is no authority's; make one for that purpose", .0.display())]
    NotAnAuthority(PathBuf),
    /// The file is there already.
    #[error("{} exists already; choose another name or move it away", .0.display())]
    Exists(PathBuf),
    /// The system refused.
    #[error("cannot write {}: {reason}", path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// A keystore that does not serve.
    #[error(transparent)]
    Keystore(#[from] KeystoreFileError),
    /// Settings that do not serve.
    #[error(transparent)]
    Material(#[from] MaterialError),
    /// A certificate could not be made.
    #[error("the certificate could not be made: {0}")]
    Signing(#[from] rcgen::Error),
    /// What was made cannot be read back.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// It could not be encoded.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// No random numbers.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// `ringhold secret generate`: one line, to be redirected into a file.
///
/// # Errors
/// [`NoRandomness`].
pub fn secret_generate() -> Result<Secret, NoRandomness> {
    generate_secret()
}

/// `ringhold keystore create`: makes key and certificate and writes a new file that only its owner can read.
///
/// # Errors
/// [`ToolError`]; then there is no file.
pub fn keystore_create(create: &Create, now: Timestamp) -> Result<String, ToolError> {
    check(create)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let (chain, trusted) = match &create.purpose {
        Purpose::Shared | Purpose::Authority => {
            let certificate = params(create, now)?.self_signed(&key)?;
            (vec![Certificate::parse(certificate.der().clone())?], Vec::new())
        }
        Purpose::Node { authority, passwords, .. } => {
            let (issuer, certificate) = open_authority(authority, passwords, now)?;
            let leaf = Certificate::parse(params(create, now)?.signed_by(&key, &issuer)?.der().clone())?;
            (vec![leaf, certificate.clone()], vec![certificate])
        }
    };
    let der = PrivatePkcs8KeyDer::from(key.serialize_der());
    match create.format {
        Format::Pkcs12 => {
            let password = create.password.as_ref().ok_or(ToolError::NoPassword)?;
            let bytes = to_pkcs12(CREATED_ALIAS, &der, &chain, &trusted, password)?;
            write_new(&create.path, &bytes)?;
        }
        Format::Pem => {
            let text = to_pem(&der, &chain, create.password.as_ref())?;
            write_new(&create.path, text.as_bytes())?;
        }
        Format::Jks => return Err(ToolError::JksIsOld),
    }
    let mut text = format!("created {} ({})\n", create.path.display(), create.format);
    chain.iter().for_each(|certificate| describe(&mut text, "  ", certificate));
    if create.format == Format::Pem && !trusted.is_empty() {
        text.push_str("a PEM file cannot say that it trusts its authority: name that as tls.truststore\n");
    }
    Ok(text)
}

fn check(create: &Create) -> Result<(), ToolError> {
    match (create.format, &create.password) {
        (Format::Jks, _) => return Err(ToolError::JksIsOld),
        (Format::Pkcs12, password)
            if password.as_ref().is_none_or(|password| password.expose().len() < 6) =>
        {
            return Err(ToolError::NoPassword);
        }
        _ => {}
    }
    if !(1..=MAX_DAYS).contains(&create.days) {
        return Err(ToolError::Days(create.days));
    }
    // Before any work; the write itself decides.
    if create.path.exists() {
        return Err(ToolError::Exists(create.path.clone()));
    }
    Ok(())
}

fn params(create: &Create, now: Timestamp) -> Result<CertificateParams, ToolError> {
    let names: &[String] = match &create.purpose {
        Purpose::Node { names, .. } if names.is_empty() => return Err(ToolError::NoNames),
        Purpose::Node { names, .. } => names,
        Purpose::Shared | Purpose::Authority => &[],
    };
    for name in names {
        let host = name.strip_prefix("*.").unwrap_or(name);
        if rustls::pki_types::ServerName::try_from(host).is_err() {
            return Err(ToolError::BadName(name.clone()));
        }
    }
    let mut params = CertificateParams::new(names)?;
    let common_name = match &create.purpose {
        Purpose::Shared => "*",
        Purpose::Authority => "Ringhold private authority",
        Purpose::Node { names, .. } => names.first().map_or("", String::as_str),
    };
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    if let Purpose::Authority = create.purpose {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    } else {
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    }
    let mut serial = random::<16>()?;
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let from = Duration::from_millis(now.as_millis()).saturating_sub(BACKDATE);
    let to = Duration::from_millis((now + DAY * create.days).as_millis());
    params.not_before = (SystemTime::UNIX_EPOCH + from).into();
    params.not_after = (SystemTime::UNIX_EPOCH + to).into();
    Ok(params)
}

fn open_authority(
    path: &Path,
    passwords: &Passwords,
    now: Timestamp,
) -> Result<(Issuer<'static, KeyPair>, Certificate), ToolError> {
    let content = |reason: KeystoreError| KeystoreFileError::Content {
        path: path.to_owned(),
        reason: Box::new(reason),
    };
    let store = Keystore::open(path, passwords)?;
    let (identity, key) = store.identity_and_key(None, passwords, now).map_err(content)?;
    let certificate = identity.leaf().clone();
    if !certificate.is_authority() {
        return Err(ToolError::NotAnAuthority(path.to_owned()));
    }
    let key = KeyPair::try_from(&*key)?;
    Ok((Issuer::from_ca_cert_der(certificate.der(), key)?, certificate))
}

/// Writes a new file that only its owner can read: the whole of it, or none.
///
/// # Errors
/// [`ToolError::Exists`] when there is one of this name, [`ToolError::Unwritable`] when the system refuses.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), ToolError> {
    let unwritable = |reason: std::io::Error| match reason.kind() {
        std::io::ErrorKind::AlreadyExists => ToolError::Exists(path.to_owned()),
        _ => ToolError::Unwritable { path: path.to_owned(), reason },
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Mode 600; under another name until it is complete.
    let mut file = tempfile::Builder::new().prefix(".ringhold-").tempfile_in(folder).map_err(unwritable)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(unwritable)?;
    file.persist_noclobber(path).map_err(|refused| unwritable(refused.error))?;
    Ok(())
}

/// `ringhold keystore list`: what a store holds.
///
/// # Errors
/// [`KeystoreFileError`].
pub fn keystore_list(path: &Path, passwords: &Passwords) -> Result<String, KeystoreFileError> {
    let store = Keystore::open(path, passwords)?;
    let counts = (store.keys().len(), store.trusted().len());
    let mut text = format!(
        "{}: {}, private keys: {}, trusted certificates: {}\n",
        path.display(),
        store.format(),
        counts.0,
        counts.1
    );
    for entry in store.keys() {
        let _ = writeln!(text, "private key \"{}\"", entry.alias.escape_debug());
        entry.chain.iter().for_each(|certificate| describe(&mut text, "  ", certificate));
    }
    for entry in store.trusted() {
        let _ = writeln!(text, "trusted \"{}\"", entry.alias.escape_debug());
        describe(&mut text, "  ", &entry.certificate);
    }
    Ok(text)
}

fn describe(text: &mut String, indent: &str, certificate: &Certificate) {
    let names = if certificate.names().is_empty() { "none".into() } else { certificate.names().join(", ") };
    let lines = [
        format!("{} signed by {}", certificate.subject(), certificate.issuer()),
        format!("  names: {names}"),
        format!("  valid: {} to {}", date(certificate.not_before()), date(certificate.not_after())),
        format!("  sha-256: {}", certificate.fingerprint()),
    ];
    for line in lines {
        let clean: String =
            line.chars().map(|character| if character.is_control() { '?' } else { character }).collect();
        let _ = writeln!(text, "{indent}{clean}");
    }
}

/// What `ringhold keystore check` found: everything loads; some of it may be worth a second look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// What a node with these settings would be and believe.
    pub text: String,
    /// What will or may go wrong.
    pub warnings: Vec<String>,
}

/// `ringhold keystore check`: loads everything as a node would at start; `node` is the member that is to
/// use it.
///
/// # Errors
/// [`MaterialError`]: with this the node would not start.
pub fn keystore_check(
    files: &TlsFiles,
    node: Option<&MemberAddress>,
    now: Timestamp,
) -> Result<CheckReport, MaterialError> {
    let material = files.load(now)?;
    let leaf = material.identity.leaf();
    let mut text = String::from("this node is\n");
    material.identity.chain().iter().for_each(|certificate| describe(&mut text, "  ", certificate));
    let _ = writeln!(text, "it believes {} certificates", material.trust.len());
    let mut warnings = Vec::new();
    let left = material.identity.expires_at().since(now);
    if left < WARN_BEFORE {
        warnings.push(format!("it expires in {} days: replace it", left.as_secs() / DAY.as_secs()));
    }
    let is_pinned = material.trust.exact(leaf.der()).is_some();
    // A keystore that is its own truststore always trusts its own certificate; others do if it is the shared one.
    let is_shared = is_pinned && (leaf.is_self_issued() || files.truststore.is_some());
    if let Some(node) = node.filter(|node| !is_shared && !is_for(&material.identity, node)) {
        warnings.push(format!(
            "the certificate is not for {}: members that check names refuse this node",
            node.host()
        ));
    }
    let mut issuers = material.trust.acceptable_issuers();
    if !is_pinned && (leaf.is_self_issued() || !issuers.any(|issuer| issuer == leaf.issuer_bytes())) {
        warnings.push(
            "the truststore holds neither this certificate nor its issuer: members with the same truststore refuse \
             this node"
                .into(),
        );
    }
    if let Some(mode) = loose_mode(&files.keystore) {
        warnings
            .push(format!("{} can be read by others (mode {mode:o}): chmod 600", files.keystore.display()));
    }
    Ok(CheckReport { text, warnings })
}

fn is_for(identity: &Identity, node: &MemberAddress) -> bool {
    let parsed = rustls::server::ParsedCertificate::try_from(identity.leaf().der());
    match (parsed, server_name(node)) {
        (Ok(parsed), Some(name)) => rustls::client::verify_server_name(&parsed, &name).is_ok(),
        _ => false,
    }
}

fn loose_mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let mode = std::fs::metadata(path).ok()?.mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(test)]
mod tests;
