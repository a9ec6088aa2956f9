//! Who all programs of the bench are over TLS: one P-256 certificate, signed by an authority that all of them trust.
//!
//! Ringhold, nginx, HAProxy and the load generator show the same one and check the other's against the same authority,
//! so that a handshake is the same work for each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};

use crate::error::{Error, doing};

/// The host name in the certificate, for those who cannot look for an address there.
pub const HOST: &str = "localhost";

/// The folder with its files, all PEM.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Identity(PathBuf);

impl Identity {
    /// Makes it.
    pub fn create(folder: &Path) -> Result<Self, Error> {
        let failed = |error: rcgen::Error| Error::Program {
            program: "the maker of certificates".into(),
            what: error.to_string(),
        };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
        // OpenSSL takes a certificate for self-signed whose subject and issuer have one name.
        params.distinguished_name.push(DnType::CommonName, "authority of the bench");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).map_err(failed)?;
        let issuer = Issuer::new(params, key);

        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new([HOST.into(), "127.0.0.1".into()]).map_err(failed)?;
        params.distinguished_name.push(DnType::CommonName, HOST);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &issuer).map_err(failed)?;

        let this = Self(folder.to_path_buf());
        let text = pem("CERTIFICATE", certificate.der());
        let private = pem("PRIVATE KEY", key.serialized_der());
        for (file, text) in [
            (this.authority(), pem("CERTIFICATE", authority.der())),
            (this.both(), format!("{text}{private}")),
            (this.certificate(), text),
            (this.key(), private),
        ] {
            std::fs::write(&file, text).map_err(doing(format!("writing {}", file.display())))?;
        }
        Ok(this)
    }

    /// Certificate and key, for settings shown as an example.
    pub fn example() -> Self {
        Self(PathBuf::new())
    }

    /// The authority's certificate.
    pub fn authority(&self) -> PathBuf {
        self.0.join("authority.pem")
    }

    /// The certificate alone.
    pub fn certificate(&self) -> PathBuf {
        self.0.join("certificate.pem")
    }

    /// Its private key alone.
    pub fn key(&self) -> PathBuf {
        self.0.join("key.pem")
    }

    /// Certificate and key in one file.
    pub fn both(&self) -> PathBuf {
        self.0.join("identity.pem")
    }

    /// What a client needs that shows this certificate and believes what the authority has signed.
    pub fn client(&self) -> Result<Arc<ClientConfig>, Error> {
        let failed = |error: rustls::Error| Error::Program {
            program: "TLS of the load generator".into(),
            what: error.to_string(),
        };
        let read = |file: PathBuf| {
            let what = format!("reading {}", file.display());
            CertificateDer::from_pem_file(&file).map_err(|error| doing(what)(std::io::Error::other(error)))
        };
        let key = PrivateKeyDer::from_pem_file(self.key())
            .map_err(|error| doing("reading a private key")(std::io::Error::other(error)))?;
        let mut roots = RootCertStore::empty();
        roots.add(read(self.authority())?).map_err(failed)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![read(self.certificate())?], key)
            .map_err(failed)?;
        Ok(Arc::new(config))
    }
}

fn pem(what: &str, bytes: &[u8]) -> String {
    const LINE: usize = 48;
    let lines = bytes.chunks(LINE).map(|line| STANDARD.encode(line) + "\n");
    format!("-----BEGIN {what}-----\n{}-----END {what}-----\n", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::ServerName;
    use rustls::server::WebPkiClientVerifier;
    use rustls::{ClientConnection, ServerConfig, ServerConnection};

    use super::*;

    #[test]
    fn both_sides_of_a_connection_believe_the_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::create(folder.path()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(identity.authority()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let chain = CertificateDer::pem_file_iter(identity.both()).unwrap().map(Result::unwrap).collect();
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(chain, PrivateKeyDer::from_pem_file(identity.both()).unwrap())
            .unwrap();
        let mut server = ServerConnection::new(Arc::new(server)).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut client = ClientConnection::new(identity.client().unwrap(), name).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut sent = Vec::new();
            client.write_tls(&mut sent).unwrap();
            server.read_tls(&mut sent.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            sent.clear();
            server.write_tls(&mut sent).unwrap();
            client.read_tls(&mut sent.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
        assert_eq!(server.peer_certificates().map(<[_]>::len), Some(1));
    }
}
