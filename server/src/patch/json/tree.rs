//! A JSON value that is text until someone opens it.
//!
//! Opening turns one container into its parts, which are again text. So a small patch of a large value costs little
//! more than reading it once, and what stays text is written back as it was.

use std::borrow::Cow;
use std::collections::HashMap;

use super::pointer::element;
use super::text::{children, depth, member};
use super::{TooMuchWork, Work};

/// A value: checked text without blanks, or an opened container.
#[derive(Clone, Debug)]
pub(in super::super) enum Json<'a> {
    Text(&'a str),
    Array(Vec<Json<'a>>),
    Object(Box<Members<'a>>),
}

/// The types of RFC 8259.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    /// Its name in a sentence.
    pub(in super::super) const fn noun(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a JSON boolean",
            Self::Number => "a JSON number",
            Self::String => "a JSON string",
            Self::Array => "a JSON array",
            Self::Object => "a JSON object",
        }
    }
}

impl<'a> Json<'a> {
    /// A value from text that is checked and has no blanks.
    pub(in super::super) const fn new(text: &'a str) -> Self {
        Self::Text(text)
    }

    pub(in super::super) fn kind(&self) -> Kind {
        match self {
            Self::Array(_) => Kind::Array,
            Self::Object(_) => Kind::Object,
            Self::Text(text) => match text.as_bytes().first() {
                Some(b'n') => Kind::Null,
                Some(b't' | b'f') => Kind::Boolean,
                Some(b'"') => Kind::String,
                Some(b'[') => Kind::Array,
                Some(b'{') => Kind::Object,
                _ => Kind::Number,
            },
        }
    }

    /// Opens a container that is still text; does nothing to anything else.
    pub(in super::super) fn open(&mut self, work: &mut Work) -> Result<(), TooMuchWork> {
        let Self::Text(text) = *self else { return Ok(()) };
        match self.kind() {
            Kind::Array => {
                work.charge(text.len())?;
                *self = Self::Array(children(text).map(Json::Text).collect());
            }
            Kind::Object => {
                work.charge(text.len())?;
                let mut members = Members::default();
                for (name, value) in children(text).map(member) {
                    members.insert(name, Json::Text(value));
                }
                *self = Self::Object(Box::new(members));
            }
            _ => {}
        }
        Ok(())
    }

    /// The value that `tokens` lead to, everything on the way opened; none: there is none.
    pub(in super::super) fn find(
        &mut self,
        tokens: &[String],
        work: &mut Work,
    ) -> Result<Option<&mut Self>, TooMuchWork> {
        let mut here = self;
        for token in tokens {
            here.open(work)?;
            let next = match here {
                Self::Text(_) => None,
                Self::Array(items) => element(token).and_then(|index| items.get_mut(index)),
                Self::Object(members) => members.get_mut(token),
            };
            match next {
                Some(next) => here = next,
                None => return Ok(None),
            }
        }
        Ok(Some(here))
    }

    /// The bytes that [`write`](Self::write) writes.
    pub(in super::super) fn len(&self) -> usize {
        let list = |count: usize, bytes: usize| 2 + count.saturating_sub(1) + bytes;
        match self {
            Self::Text(text) => text.len(),
            Self::Array(items) => list(items.len(), items.iter().map(Self::len).sum()),
            Self::Object(members) => list(
                members.len(),
                members
                    .entries
                    .iter()
                    .map(|(name, entry)| name_text(name).len() + 1 + entry.value.len())
                    .sum(),
            ),
        }
    }

    /// How many levels it nests: 0 for a scalar.
    pub(in super::super) fn depth(&self) -> usize {
        match self {
            Self::Text(text) => depth(text),
            Self::Array(items) => 1 + items.iter().map(Self::depth).max().unwrap_or_default(),
            Self::Object(members) => {
                1 + members.entries.values().map(|entry| entry.value.depth()).max().unwrap_or_default()
            }
        }
    }

    /// Its text, without blanks.
    pub(in super::super) fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.in_order().into_iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    out.push_str(&name_text(name));
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// The members of an object: found by name, removed without moving others, written in the order of their arrival.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Members<'a> {
    entries: HashMap<Cow<'a, str>, Entry<'a>>,
    arrived: usize,
}

#[derive(Clone, Debug)]
struct Entry<'a> {
    place: usize,
    value: Json<'a>,
}

impl<'a> Members<'a> {
    pub(in super::super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(in super::super) fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.entries.get(name).map(|entry| &entry.value)
    }

    pub(in super::super) fn get_mut(&mut self, name: &str) -> Option<&mut Json<'a>> {
        self.entries.get_mut(name).map(|entry| &mut entry.value)
    }

    /// Puts a value behind the others, or in the place of the one with this name, which is returned.
    pub(in super::super) fn insert(&mut self, name: Cow<'a, str>, value: Json<'a>) -> Option<Json<'a>> {
        if let Some(there) = self.get_mut(&name) {
            return Some(std::mem::replace(there, value));
        }
        self.entries.insert(name, Entry { place: self.arrived, value });
        self.arrived += 1;
        None
    }

    pub(in super::super) fn remove(&mut self, name: &str) -> Option<Json<'a>> {
        self.entries.remove(name).map(|entry| entry.value)
    }

    pub(in super::super) fn in_order(&self) -> Vec<(&str, &Json<'a>)> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|(_, entry)| entry.place);
        entries.into_iter().map(|(name, entry)| (name.as_ref(), &entry.value)).collect()
    }

    pub(in super::super) fn into_order(self) -> Vec<(Cow<'a, str>, Json<'a>)> {
        let mut entries: Vec<_> = self.entries.into_iter().collect();
        entries.sort_unstable_by_key(|(_, entry)| entry.place);
        entries.into_iter().map(|(name, entry)| (name, entry.value)).collect()
    }
}

/// A member's name as a JSON string.
pub(in super::super) fn name_text(name: &str) -> Cow<'_, str> {
    let plain = name.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
    if plain {
        Cow::Owned(format!("\"{name}\""))
    } else {
        Cow::Owned(serde_json::Value::from(name).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(text: &str) -> Json<'_> {
        let mut value = Json::new(text);
        value.open(&mut Work::for_input(0)).unwrap();
        value
    }

    fn written(value: &Json<'_>) -> String {
        let mut out = String::new();
        value.write(&mut out);
        out
    }

    #[test]
    fn an_opened_value_is_written_as_it_was() {
        for text in ["[]", "{}", "[1.0,1e400,\"\\u0041\"]", r#"{"b":{"z":[],"a":-0},"a":"x","c\"":null}"#] {
            let value = opened(text);
            assert_eq!(written(&value), text);
            assert_eq!(value.len(), text.len());
        }
    }

    #[test]
    fn of_members_with_one_name_the_last_stays_in_the_place_of_the_first() {
        assert_eq!(written(&opened(r#"{"a":1,"b":2,"a":3}"#)), r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn removing_a_member_keeps_the_order_of_the_others() {
        let Json::Object(mut members) = opened(r#"{"a":1,"b":2,"c":3,"d":4}"#) else { panic!("an object") };
        assert_eq!(members.remove("b").map(|value| written(&value)).as_deref(), Some("2"));
        members.insert("b".into(), Json::new("5"));
        assert_eq!(written(&Json::Object(members)), r#"{"a":1,"c":3,"d":4,"b":5}"#);
    }

    #[test]
    fn length_and_depth_do_not_depend_on_what_is_open() {
        let text = r#"{"a":[[1,2],{"\n":[]}],"b":"[[[["}"#;
        let mut value = Json::new(text);
        let (length, depth) = (value.len(), value.depth());
        let tokens = ["a".to_owned(), "1".to_owned(), "\n".to_owned()];
        assert!(value.find(&tokens, &mut Work::for_input(0)).unwrap().is_some());
        assert_eq!((value.len(), value.depth()), (length, depth));
        assert_eq!((length, depth), (text.len(), 4));
    }
}
