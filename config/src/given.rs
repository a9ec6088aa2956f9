//! A value as a layer gave it: typed when a file did, text when the environment or the command line did.
//!
//! It answers what it could be taken for; what it should be, only its setting's kind knows.

use std::fmt;
use std::path::Path;

use figment::value::Value;

use crate::trust::MASK;

/// The longest part of a value that a message repeats, in characters.
const MAX_SHOWN: usize = 80;

/// A value as some layer gave it. The environment and the command line have only text.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) value: &'a Value,
    pub(crate) is_text: bool,
    /// Where relative paths count from; none: from where the process runs.
    pub(crate) folder: Option<&'a Path>,
}

impl<'a> Given<'a> {
    /// The text that it is.
    pub(crate) fn text(self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// What a message may say of a value that should have been a secret.
    pub(crate) fn hidden(self) -> String {
        match self.value {
            Value::Empty(..) | Value::Dict(..) | Value::Array(..) => self.to_string(),
            Value::String(..) | Value::Char(..) | Value::Bool(..) | Value::Num(..) => MASK.into(),
        }
    }

    /// The whole number that it is.
    pub(crate) fn integer(self) -> Option<i128> {
        match self.value {
            Value::String(_, text) if self.is_text => text.parse().ok(),
            Value::Num(_, number) => {
                number.to_i128().or_else(|| number.to_u128().and_then(|big| i128::try_from(big).ok()))
            }
            _ => None,
        }
    }

    /// The truth value that it is.
    pub(crate) fn switch(self) -> Option<bool> {
        match self.value {
            Value::String(_, text) if self.is_text => text.parse().ok(),
            Value::Bool(_, switch) => Some(*switch),
            _ => None,
        }
    }

    /// The elements of a list. As text they stand between commas; brackets and quotes may be there.
    pub(crate) fn list(self) -> Option<Vec<Value>> {
        match self.value {
            Value::Array(_, elements) => Some(elements.clone()),
            Value::String(_, text) if self.is_text => {
                let text = text.trim();
                let inner =
                    text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text).trim();
                let inner = inner.strip_suffix(',').unwrap_or(inner);
                let elements = inner.split(',').filter(|_| !inner.is_empty());
                Some(elements.map(|element| unquoted(element.trim()).into()).collect())
            }
            _ => None,
        }
    }
}

fn unquoted(text: &str) -> &str {
    let quoted = |quote| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    quoted('"').or_else(|| quoted('\'')).unwrap_or(text)
}

impl fmt::Display for Given<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Value::String(_, text) if text.chars().count() > MAX_SHOWN => {
                let shown: String = text.chars().take(MAX_SHOWN).collect();
                write!(f, "{shown:?}...")
            }
            Value::String(_, text) => write!(f, "{text:?}"),
            Value::Char(_, character) => write!(f, "{character:?}"),
            Value::Bool(_, switch) => write!(f, "{switch}"),
            Value::Num(_, number) => match (number.to_i128(), number.to_u128(), number.to_f64()) {
                (Some(number), _, _) => write!(f, "{number}"),
                (_, Some(number), _) => write!(f, "{number}"),
                (_, _, Some(number)) => write!(f, "{number:?}"),
                _ => write!(f, "a number"),
            },
            Value::Empty(..) => write!(f, "empty"),
            Value::Dict(..) => write!(f, "a table"),
            Value::Array(..) => write!(f, "a list"),
        }
    }
}
