//! Java's own keystore format, versions 1 and 2: big-endian fields, then a SHA-1 over password and content.
//!
//! The format protects badly (a plain SHA-1 of the password); it is read because it is what many have. The structure
//! is walked before the password is looked at, so that a damaged file is not called a wrong password.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::{
    Certificate, Format, KeyEntry, Keystore, KeystoreError, LockedKey, MAX_CHAIN, MAX_ENTRIES, OpenKey,
    Passwords, TrustedEntry,
};

const DIGEST_BYTES: usize = 20;
/// Mixed into every store's digest; part of the format.
const WHITENER: &[u8] = b"Mighty Aphrodite";
/// 1.3.6.1.4.1.42.2.17.1.1, the only key protection of the format.
const KEY_PROTECTOR: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a, 0x02, 0x11, 0x01, 0x01];
const PRIVATE_KEY: u32 = 1;
const TRUSTED_CERTIFICATE: u32 = 2;

pub fn read(bytes: &[u8], passwords: &Passwords) -> Result<Keystore, KeystoreError> {
    let content = bytes.len().checked_sub(DIGEST_BYTES).and_then(|end| bytes.split_at_checked(end));
    let (content, digest) = content.ok_or_else(|| damaged("it ends within its header"))?;
    let mut reader = Reader { rest: content };
    reader.take(4)?;
    let version = match reader.number()? {
        version @ 1..=2 => version,
        other => return Err(damaged(&format!("version {other} does not exist"))),
    };
    let count = reader.number()? as usize;
    if count > MAX_ENTRIES {
        return Err(KeystoreError::TooMany { what: "entries", limit: MAX_ENTRIES });
    }
    let mut store = Keystore { format: Format::Jks, keys: Vec::new(), trusted: Vec::new() };
    for _ in 0..count {
        reader.entry(version, &mut store)?;
    }
    if !reader.rest.is_empty() {
        return Err(damaged("bytes follow its last entry"));
    }
    let Some(password) = &passwords.store else {
        return Err(KeystoreError::NoStorePassword);
    };
    let expected = sha1(&[&utf16(password.expose()), WHITENER, content]);
    if aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_ref(), digest).is_err() {
        return Err(KeystoreError::WrongStorePassword);
    }
    Ok(store)
}

/// Opens a key: the key stream is SHA-1 over password and the block before, the check SHA-1 over password and key.
pub fn unlock(locked: &[u8], password: &str) -> Option<OpenKey> {
    let (salt, rest) = locked.split_at_checked(DIGEST_BYTES)?;
    let (sealed, check) = rest.split_at_checked(rest.len().checked_sub(DIGEST_BYTES)?)?;
    let password = utf16(password);
    let mut key = Zeroizing::new(sealed.to_vec());
    let mut stream = Zeroizing::new(salt.to_vec());
    for block in key.chunks_mut(DIGEST_BYTES) {
        *stream = sha1(&[&password, &stream]).as_ref().to_vec();
        block.iter_mut().zip(stream.iter()).for_each(|(byte, mask)| *byte ^= mask);
    }
    aws_lc_rs::constant_time::verify_slices_are_equal(sha1(&[&password, &key]).as_ref(), check).ok()?;
    Some(Zeroizing::new(PrivatePkcs8KeyDer::from(key.to_vec()).into()))
}

/// The password as Java hashes it: each UTF-16 unit, high byte first.
fn utf16(password: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(password.encode_utf16().flat_map(u16::to_be_bytes).collect())
}

fn sha1(parts: &[&[u8]]) -> digest::Digest {
    let mut context = digest::Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| context.update(part));
    context.finish()
}

fn damaged(reason: &str) -> KeystoreError {
    KeystoreError::Damaged { format: Format::Jks, reason: reason.into() }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], KeystoreError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| damaged("it is cut off"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, KeystoreError> {
        let bytes = self.take(4)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn text(&mut self) -> Result<String, KeystoreError> {
        let bytes = self.take(2)?;
        let length = bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
        Ok(modified_utf8(self.take(length)?))
    }

    fn bytes(&mut self) -> Result<&'a [u8], KeystoreError> {
        let length = self.number()? as usize;
        self.take(length)
    }

    fn certificate(&mut self, version: u32) -> Result<Certificate, KeystoreError> {
        if version == 2 {
            let kind = self.text()?;
            if kind != "X.509" {
                let reason = format!("a certificate of type \"{}\"", kind.escape_debug());
                return Err(KeystoreError::Unsupported { format: Format::Jks, reason });
            }
        }
        let der = CertificateDer::from(self.bytes()?);
        Ok(Certificate::parse(der)?)
    }

    fn entry(&mut self, version: u32, store: &mut Keystore) -> Result<(), KeystoreError> {
        let tag = self.number()?;
        let alias = self.text()?;
        self.take(8)?; // when it was made
        match tag {
            PRIVATE_KEY => {
                let key = LockedKey::Jks(sealed_key(self.bytes()?)?.to_vec());
                let length = self.number()? as usize;
                if length > MAX_CHAIN {
                    return Err(KeystoreError::TooMany { what: "certificates in a chain", limit: MAX_CHAIN });
                }
                let chain = (0..length).map(|_| self.certificate(version)).collect::<Result<_, _>>()?;
                store.keys.push(KeyEntry { alias, chain, key });
            }
            TRUSTED_CERTIFICATE => {
                store.trusted.push(TrustedEntry { alias, certificate: self.certificate(version)? });
            }
            other => return Err(damaged(&format!("an entry of kind {other} does not exist"))),
        }
        Ok(())
    }
}

/// `EncryptedPrivateKeyInfo`: a sequence of the algorithm and an octet string.
fn sealed_key(der: &[u8]) -> Result<&[u8], KeystoreError> {
    let broken = || damaged("a private key has no readable protection");
    let (whole, rest) = element(der, 0x30).ok_or_else(broken)?;
    let (algorithm, sealed) = element(whole, 0x30).ok_or_else(broken)?;
    let (oid, _) = element(algorithm, 0x06).ok_or_else(broken)?;
    if oid != KEY_PROTECTOR {
        let reason = "a private key that is protected by another algorithm than JKS has".into();
        return Err(KeystoreError::Unsupported { format: Format::Jks, reason });
    }
    match element(sealed, 0x04) {
        Some((sealed, [])) if rest.is_empty() => Ok(sealed),
        _ => Err(broken()),
    }
}

/// The content of the DER element with this tag that `bytes` begin with, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    (first == tag).then(|| rest.split_at_checked(length))?
}

/// Java's UTF-8: zero as two bytes, characters beyond the first plane as two surrogates of three bytes each.
fn modified_utf8(bytes: &[u8]) -> String {
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let (unit, after) = match (first, after) {
            (0x00..=0x7f, _) => (u16::from(first), after),
            (0xc0..=0xdf, [second, after @ ..]) => {
                (u16::from(first & 0x1f) << 6 | u16::from(second & 0x3f), after)
            }
            (0xe0..=0xef, [second, third, after @ ..]) => {
                let low = u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f);
                (u16::from(first & 0x0f) << 12 | low, after)
            }
            _ => (0xfffd, after),
        };
        units.push(unit);
        rest = after;
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_text_with_zero_and_far_characters_is_read() {
        assert_eq!(modified_utf8(b"plain"), "plain");
        assert_eq!(modified_utf8(&[0xc0, 0x80]), "\0");
        assert_eq!(modified_utf8("Grüße".as_bytes()), "Grüße");
        assert_eq!(modified_utf8(&[0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]), "\u{1f600}");
        assert_eq!(modified_utf8(&[0xff, b'a', 0xe0]), "\u{fffd}a\u{fffd}");
    }

    #[test]
    fn a_password_is_hashed_by_its_utf16_units() {
        assert_eq!(utf16("aü\u{1f600}").as_slice(), [0, 0x61, 0, 0xfc, 0xd8, 0x3d, 0xde, 0x00]);
    }

    #[test]
    fn der_lengths_of_one_to_four_bytes_are_read_and_cut_ones_are_not() {
        assert_eq!(element(&[4, 1, 7, 9], 4), Some((&[7][..], &[9][..])));
        assert_eq!(element(&[4, 0x81, 1, 7], 4), Some((&[7][..], &[][..])));
        assert_eq!(element(&[4, 0x82, 0, 1, 7], 4), Some((&[7][..], &[][..])));
        assert_eq!(element(&[4, 2, 7], 4), None);
        assert_eq!(element(&[4, 0x80, 7], 4), None);
        assert_eq!(element(&[5, 1, 7], 4), None);
    }
}
