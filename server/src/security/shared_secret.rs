//! The ring's shared secret: strong or refused, one that signs and a few that are also accepted, and the keys that
//! are derived from each.
//!
//! Every use has a key of its own (HKDF-SHA256 with a label), so that what is signed for one purpose is worth nothing
//! for another. `proto-docs/automatic-tls.md` and `proto-docs/member-tokens.md` specify the derivation.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::secret::Secret;

/// Mixed into every derivation; part of the protocol.
const SALT: &[u8] = b"ringhold shared secret v1";
/// The length of every derived key, in bytes.
pub const KEY_BYTES: usize = 32;
/// The most secrets that are accepted besides the one that signs.
pub const MAX_ACCEPTED: usize = 4;
const MIN_BYTES: usize = 32;
const MIN_BITS: f64 = 96.0;
const GENERATED_BYTES: usize = 64;

/// The system gave no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

/// Why a text is not a shared secret. It does not hold the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// Too short.
    #[error(
        "the shared secret has {0} bytes, fewer than {MIN_BYTES}: it could be guessed from one recorded connection; \
         make one with: ringhold secret generate"
    )]
    TooShort(usize),
    /// Long, but of few or repeated or running characters.
    #[error(
        "the shared secret repeats itself: it could be guessed from one recorded connection; make one with: \
         ringhold secret generate"
    )]
    Repetitive,
    /// More than [`MAX_ACCEPTED`].
    #[error("{0} further secrets are accepted; a rotation needs one, {MAX_ACCEPTED} are the limit")]
    TooMany(usize),
}

/// 64 random bytes in base64: a secret that nobody guesses.
///
/// # Errors
/// [`NoRandomness`].
pub fn generate_secret() -> Result<Secret, NoRandomness> {
    let mut bytes = Zeroizing::new([0; GENERATED_BYTES]);
    rand::fill(bytes.as_mut_slice()).map_err(|_| NoRandomness)?;
    Ok(Secret::from(STANDARD.encode(bytes.as_slice())))
}

/// `N` random bytes.
///
/// # Errors
/// [`NoRandomness`].
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// The secret that signs, and those that are accepted besides while it is rotated.
#[derive(Clone, Debug)]
pub struct SharedSecrets {
    // The first one signs.
    roots: Vec<Root>,
}

/// What every key is derived from.
#[derive(Clone)]
pub struct Root(Prk);

impl SharedSecrets {
    /// Accepts strong secrets only.
    ///
    /// # Errors
    /// [`WeakSecret`] when one is short or repetitive, or there are too many.
    pub fn new(signing: &Secret, accepted: &[Secret]) -> Result<Self, WeakSecret> {
        if accepted.len() > MAX_ACCEPTED {
            return Err(WeakSecret::TooMany(accepted.len()));
        }
        let all = std::iter::once(signing).chain(accepted);
        let roots = all.map(Root::new).collect::<Result<_, _>>()?;
        Ok(Self { roots })
    }

    /// The one that signs.
    #[must_use]
    pub fn signing(&self) -> &Root {
        // There is always one.
        &self.roots[0]
    }

    /// All that are accepted, the one that signs first.
    #[must_use]
    pub fn accepted(&self) -> &[Root] {
        &self.roots
    }
}

impl Root {
    fn new(secret: &Secret) -> Result<Self, WeakSecret> {
        check_strength(secret.expose().as_bytes())?;
        Ok(Self(Salt::new(HKDF_SHA256, SALT).extract(secret.expose().as_bytes())))
    }

    /// The key for the use that `label` names.
    #[must_use]
    pub fn key(&self, label: &[&[u8]]) -> Zeroizing<[u8; KEY_BYTES]> {
        expand(&self.0, label)
    }

    /// The same as a MAC key.
    #[must_use]
    pub fn mac_key(&self, label: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.key(&[label.as_bytes()]).as_slice())
    }
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// HKDF-Expand to one key.
pub(super) fn expand(prk: &Prk, label: &[&[u8]]) -> Zeroizing<[u8; KEY_BYTES]> {
    struct Length;
    impl KeyType for Length {
        fn len(&self) -> usize {
            KEY_BYTES
        }
    }
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    let filled = prk.expand(label, Length).and_then(|material| material.fill(key.as_mut_slice()));
    // HKDF refuses only more than 255 hashes of output; this is one.
    debug_assert!(filled.is_ok());
    key
}

/// Refuses what people type by hand. It cannot tell a strong secret, only some weak ones.
fn check_strength(secret: &[u8]) -> Result<(), WeakSecret> {
    if secret.len() < MIN_BYTES {
        return Err(WeakSecret::TooShort(secret.len()));
    }
    let is_repetitive = bits(secret) < MIN_BITS || repeats(secret) || runs(secret);
    if is_repetitive { Err(WeakSecret::Repetitive) } else { Ok(()) }
}

/// Length times the entropy of the frequencies of its bytes.
fn bits(secret: &[u8]) -> f64 {
    let length = secret.len() as f64;
    let mut counts = [0_u32; 256];
    secret.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let used = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count));
    used.map(|count| -count * (count / length).log2()).sum()
}

/// Whether a quarter of its three-byte groups occur twice: `passwordpassword...`.
fn repeats(secret: &[u8]) -> bool {
    let groups: Vec<_> = secret.windows(3).collect();
    let distinct: std::collections::HashSet<_> = groups.iter().collect();
    distinct.len() * 4 < groups.len() * 3
}

/// Whether a quarter of it goes on as it went: `abcdef...`, `aaaa...`.
fn runs(secret: &[u8]) -> bool {
    let steady = secret.windows(3).filter(|group| match group {
        [a, b, c] => b.wrapping_sub(*a) == c.wrapping_sub(*b),
        _ => false,
    });
    steady.count() * 4 > secret.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), WeakSecret> {
        SharedSecrets::new(&Secret::from(text), &[]).map(|_| ())
    }

    #[test]
    fn a_generated_secret_has_512_bits_and_is_accepted() {
        let (one, other) = (generate_secret().unwrap(), generate_secret().unwrap());
        assert_eq!(STANDARD.decode(one.expose()).unwrap().len(), 64);
        assert_ne!(one.expose(), other.expose());
        assert_eq!(check(one.expose()), Ok(()));
    }

    #[test]
    fn what_other_tools_generate_is_accepted() {
        for text in [
            "c1f9d8b04e7a63528fbd0917ace64b30",         // openssl rand -hex 16
            "3Jq7mZ0xVb9KpT2sWn8LdYc5RfHg4EuA",         // 32 letters and digits
            "7f0c2b1e-94d3-4a68-b5f7-0e8d61c3a92f",     // a UUID
            "zO1hG0mUq3v5J2n8bXwC6rTtYpLsK4eD9aFiVgQ=", // openssl rand -base64 30
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn weak_secrets_are_refused_with_the_command_that_makes_a_good_one() {
        for text in [
            "changeme",
            "passwordpasswordpasswordpasswordpassword",
            "0123456789abcdef0123456789abcdef0123456789abcdef",
            "abcdefghijklmnopqrstuvwxyz0123456789",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "abababababababababababababababababababababababab",
        ] {
            let refusal = check(text).unwrap_err().to_string();
            assert!(refusal.contains("ringhold secret generate"), "{refusal}");
            assert!(!refusal.contains(text), "the refusal shows the secret: {refusal}");
        }
    }

    #[test]
    fn no_debug_output_shows_a_secret_or_a_derived_key() {
        let secret = generate_secret().unwrap();
        let secrets = SharedSecrets::new(&secret, &[]).unwrap();
        assert_eq!(format!("{secrets:?}"), "SharedSecrets { roots: [***] }");
    }

    #[test]
    fn each_label_and_each_secret_has_its_own_key() {
        let secrets = SharedSecrets::new(&generate_secret().unwrap(), &[generate_secret().unwrap()]).unwrap();
        let keys = [
            secrets.accepted()[0].key(&[b"one"]),
            secrets.accepted()[0].key(&[b"two"]),
            secrets.accepted()[1].key(&[b"one"]),
        ];
        assert!(keys[0] != keys[1] && keys[0] != keys[2]);
        assert_eq!(keys[0], secrets.signing().key(&[b"o", b"ne"]), "a label may come in parts");
    }

    #[test]
    fn more_secrets_than_a_rotation_needs_are_refused() {
        let secret = generate_secret().unwrap();
        let many = vec![secret.clone(); MAX_ACCEPTED + 1];
        assert_eq!(SharedSecrets::new(&secret, &many).unwrap_err(), WeakSecret::TooMany(5));
    }
}
