//! JSON pointers (RFC 6901): parsing them, and what a token means in an array.

use super::{MAX_DEPTH, excerpt};

/// A place in a JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Pointer {
    text: String,
    tokens: Vec<String>,
}

impl Pointer {
    /// A pointer from its string form; the error says what would be right.
    pub(in super::super) fn parse(text: &str) -> Result<Self, String> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(format!("the pointer {} does not begin with \"/\"", excerpt(text)));
        }
        let tokens: Option<Vec<_>> = text.split('/').skip(1).take(MAX_DEPTH + 1).map(unescape).collect();
        match tokens {
            None => Err(format!("in the pointer {} a \"~\" is not \"~0\" or \"~1\"", excerpt(text))),
            Some(tokens) if tokens.len() > MAX_DEPTH => {
                Err(format!("the pointer {} has more than {MAX_DEPTH} tokens", excerpt(text)))
            }
            Some(tokens) => Ok(Self { text: text.to_owned(), tokens }),
        }
    }

    pub(in super::super) fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// The container's tokens and the last one; none for the whole document.
    pub(in super::super) fn split_last(&self) -> Option<(&[String], &str)> {
        self.tokens.split_last().map(|(last, parent)| (parent, last.as_str()))
    }

    /// Whether `other` lies inside of the place that this points to.
    pub(in super::super) fn contains(&self, other: &Self) -> bool {
        self.tokens.len() < other.tokens.len() && other.tokens.starts_with(&self.tokens)
    }
}

impl std::fmt::Display for Pointer {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(&excerpt(&self.text))
    }
}

/// The element of an array that a token names: digits without leading zeros.
pub(in super::super) fn element(token: &str) -> Option<usize> {
    let digits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (token.len() == 1 || !token.starts_with('0'))).then(|| token.parse().ok()).flatten()
}

fn unescape(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (escaped, rest) = match part.as_bytes().first()? {
            b'0' => ('~', part.get(1..)?),
            b'1' => ('/', part.get(1..)?),
            _ => return None,
        };
        out.push(escaped);
        out.push_str(rest);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_of_the_rfc_have_their_tokens() {
        for (text, tokens) in [
            ("", &[][..]),
            ("/foo/0", &["foo", "0"]),
            ("/", &[""]),
            ("/a~1b", &["a/b"]),
            ("/m~0n", &["m~n"]),
            ("/~01", &["~1"]),
            ("/c%d/ /k\"l", &["c%d", " ", "k\"l"]),
        ] {
            assert_eq!(Pointer::parse(text).unwrap().tokens(), tokens, "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_pointers() {
        for text in ["a", "#/a", "/~", "/~2", "/a~", &"/a".repeat(129)] {
            assert!(Pointer::parse(text).is_err(), "{text}");
        }
        assert!(Pointer::parse(&"/a".repeat(128)).is_ok());
    }

    #[test]
    fn elements_are_plain_decimal_numbers() {
        assert_eq!(element("0"), Some(0));
        assert_eq!(element("10"), Some(10));
        for token in ["", "00", "01", "+1", "-1", "-", "1e0", " 1", "1 ", "99999999999999999999"] {
            assert_eq!(element(token), None, "{token}");
        }
    }
}
