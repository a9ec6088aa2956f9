//! Keystores: files that an operator was sent, or that were damaged on the way.
//!
//! Rules: what opens can be listed, and its identity built or refused; no error tells a password. Input is also
//! tried with its seal renewed where a format has one, else nothing broken would ever get past the password.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use ringhold_ring::Timestamp;
use ringhold_server::security::keystore::{Format, Keystore, MAX_ENTRIES, Passwords};

use super::{Target, kind, reason, texts};

const PASSWORD: &str = "corpus-password";
const WORDS: &[&str] =
    &["X.509", "one", "\u{1}", "0\u{0}", "-----BEGIN CERTIFICATE-----\n", "-----END ", "PRIVATE KEY"];

pub const JKS: Target = Target {
    name: "jks",
    words: WORDS,
    max_bytes: 16 << 10,
    samples: || vec![vec![0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 0]],
    run: run_jks,
};
pub const PKCS12: Target = Target {
    name: "pkcs12",
    words: WORDS,
    max_bytes: 16 << 10,
    samples: || vec![vec![0x30, 0x03, 0x02, 0x01, 0x03]],
    run,
};
pub const PEM: Target = Target {
    name: "pem",
    words: WORDS,
    max_bytes: 32 << 10,
    samples: || {
        texts(&[
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "Bag Attributes\n  friendlyName: a",
        ])
    },
    run,
};

fn run_jks(input: &[u8]) -> String {
    run(input) + &run(&resealed(input))
}

/// The store with the digest that its content should have.
fn resealed(input: &[u8]) -> Vec<u8> {
    let content = input.get(..input.len().saturating_sub(20)).unwrap_or_default();
    let mut context = digest::Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    PASSWORD.encode_utf16().for_each(|unit| context.update(&unit.to_be_bytes()));
    context.update(b"Mighty Aphrodite");
    context.update(content);
    [content, context.finish().as_ref()].concat()
}

fn run(input: &[u8]) -> String {
    let format = match Format::of(input) {
        Ok(format) => format,
        Err(error) => return reason(&error),
    };
    let passwords = Passwords::one(PASSWORD);
    let store = match Keystore::read(input, &passwords) {
        Ok(store) => store,
        Err(error) => {
            assert!(!error.to_string().contains(PASSWORD), "an error tells the password: {error}");
            return reason(&error);
        }
    };
    assert_eq!(store.format(), format);
    assert!(store.keys().len() + store.trusted().len() <= MAX_ENTRIES);
    let mut answer = format!("{} {}", store.keys().len().min(3), store.trusted().len().min(3));
    let now = Timestamp::from_millis(1_800_000_000_000);
    for alias in
        std::iter::once(None).chain(store.keys().iter().map(|entry| Some(entry.alias.as_str()))).take(8)
    {
        match store.identity(alias, &passwords, now) {
            Ok(_) => answer.push_str(" identity"),
            Err(error) => {
                assert!(!error.to_string().contains(PASSWORD), "an error tells the password: {error}");
                answer.push_str(&reason(&error));
            }
        }
    }
    answer + &kind(&store.trust().map(|trust| trust.len()))
}

#[cfg(test)]
mod tests {
    use super::super::super::drive::samples;
    use super::*;

    #[test]
    fn every_file_among_the_samples_is_a_store_that_opens() {
        for (target, files) in [(JKS, 3), (PKCS12, 6), (PEM, 6)] {
            let samples = samples(&target).unwrap();
            let opened =
                samples.iter().filter(|sample| Keystore::read(sample, &Passwords::one(PASSWORD)).is_ok());
            assert_eq!(opened.count(), files, "{}", target.name);
        }
    }

    #[test]
    fn a_changed_jks_store_gets_past_its_seal_once_that_is_renewed() {
        let mut sample = samples(&JKS).unwrap().pop().unwrap();
        let alias = sample.windows(3).position(|bytes| bytes == b"one").unwrap();
        sample[alias] = b'O';
        assert!(run(&sample).contains("WrongStorePassword"));
        assert!(run(&resealed(&sample)).contains("SeveralKeys"), "{}", run(&resealed(&sample)));
    }
}
