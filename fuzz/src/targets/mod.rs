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
    stream::ASK,
    stream::LIST,
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

/// The kind of a value: what its `Debug` output begins with, without texts in quotes and words that hold a digit. They
/// come from the input, and would make every answer a new one.
fn kind(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}").replace("\\\\", "").replace("\\\"", "");
    let outside_quotes = text.split('"').step_by(2);
    let words =
        outside_quotes.flat_map(|text| text.split_inclusive(|end: char| !end.is_ascii_alphanumeric()));
    let named = words.filter(|word| !word.contains(|letter: char| letter.is_ascii_digit()));
    named.flat_map(str::chars).take(40).collect()
}

/// The kind of an error whose texts are its reasons: what its `Debug` output begins with, numbers aside.
fn reason(error: &impl std::fmt::Debug) -> String {
    format!("{error:?}").chars().filter(|letter| !letter.is_ascii_digit()).take(40).collect()
}

/// Samples that are text.
fn texts(samples: &[&str]) -> Vec<Vec<u8>> {
    samples.iter().map(|sample| sample.as_bytes().to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_holds_nothing_of_the_input() {
        let kinds = [(Some("a text"), 0x12), (Some("another \"text\""), 7)].map(|value| kind(&value));
        assert_eq!(kinds[0], "(Some(), ");
        assert!(kinds[1].starts_with("(Some("), "{kinds:?}");
        assert_ne!(kind(&Some(1)), kind(&None::<u8>));
    }
}
