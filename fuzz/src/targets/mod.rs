//! What is fuzzed: each parser that faces the network or a file, with the rules that its answers keep.
//!
//! A target answers a short text that tells kinds of answers apart; it panics when a rule does not hold.

mod configuration;
mod headers;
mod keystores;
mod patches;
mod plain;
mod stream;
mod texts;

/// A parser.
#[derive(Debug)]
pub struct Target {
    /// Its name on the command line, and of its folder in `samples/`.
    pub name: &'static str,
    /// What its language is made of.
    pub words: &'static [&'static str],
    /// The longest input.
    pub max_bytes: usize,
    /// Valid input.
    pub samples: fn() -> Vec<Vec<u8>>,
    /// Parses, checks the rules, and answers what it came to.
    pub run: fn(&[u8]) -> String,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    stream::FRAMES,
    stream::HELLO,
    stream::REQUEST,
    stream::REPLY,
    stream::PROBE,
    stream::SEALED,
    keystores::JKS,
    keystores::PKCS12,
    keystores::PEM,
    headers::MEMBER_TOKEN,
    headers::BEARER,
    headers::FORWARDED,
    texts::RANGES,
    texts::KEY,
    texts::MEMBER,
    texts::SECRET,
    configuration::FILE,
    configuration::OVERRIDES,
    patches::PATCH,
    plain::PLAIN,
];

/// The kind of a value: what its `Debug` output begins with, numbers aside.
fn kind(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.chars().filter(|character| !character.is_ascii_digit()).take(40).collect()
}

/// Samples that are text.
fn texts(samples: &[&str]) -> Vec<Vec<u8>> {
    samples.iter().map(|sample| sample.as_bytes().to_vec()).collect()
}
