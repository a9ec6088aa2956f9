//! Set: strings added and removed; the stored value lists them sorted and says how many there are.
//!
//! A stored list that someone else wrote may be in any order and repeat itself; what is written back never is. Its
//! size is bounded by the size of an object alone.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::json::{describe, excerpt, given, read, read_stored, write};
use super::{PatchError, Patched};
use crate::object::Object;

/// The longest member, in bytes of UTF-8.
pub(super) const MAX_MEMBER_BYTES: usize = 1024;

const SHAPE: &str = r#"a set patch is {"add": ["member"], "remove": ["member"]}, at least one of the two, members of 1 to 1024 bytes"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    #[serde(borrow, default, deserialize_with = "given")]
    add: Option<Vec<Text<'a>>>,
    #[serde(borrow, default, deserialize_with = "given")]
    remove: Option<Vec<Text<'a>>>,
}

/// What is stored; `size` and anything beside is not read.
#[derive(Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    members: Vec<Text<'a>>,
}

#[derive(Serialize)]
struct Members<'a> {
    members: &'a BTreeSet<Text<'a>>,
    size: usize,
}

/// A string that borrows from the document when nothing in it is escaped.
#[derive(Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Text<'_> {
    fn fits(&self) -> bool {
        (1..=MAX_MEMBER_BYTES).contains(&self.0.len())
    }
}

pub(super) fn apply(current: Option<&Object>, document: &Bytes) -> Result<Patched, PatchError> {
    let (add, remove) = parse(document)?;
    let mut members = current.map_or_else(|| Ok(BTreeSet::new()), stored)?;
    members.retain(|member| !remove.contains(member));
    members.extend(add);
    write(&Members { members: &members, size: members.len() })
}

type Change<'a> = (BTreeSet<Text<'a>>, BTreeSet<Text<'a>>);

fn parse(document: &Bytes) -> Result<Change<'_>, PatchError> {
    let malformed = |why: String| Err(PatchError::Malformed(format!("{why}; {SHAPE}")));
    let (add, remove) = match read(document, SHAPE)? {
        Document { add: None, remove: None } => return malformed("it neither adds nor removes".to_owned()),
        Document { add, remove } => (add.unwrap_or_default(), remove.unwrap_or_default()),
    };
    if let Some(member) = add.iter().chain(&remove).find(|member| !member.fits()) {
        return malformed(format!("a member has {} bytes", member.0.len()));
    }
    let (add, remove): Change<'_> = (add.into_iter().collect(), remove.into_iter().collect());
    if let Some(member) = add.intersection(&remove).next() {
        return malformed(format!("{} is both added and removed", excerpt(&member.0)));
    }
    Ok((add, remove))
}

fn stored(object: &Object) -> Result<BTreeSet<Text<'_>>, PatchError> {
    match read_stored::<Stored<'_>>(object) {
        Some(stored) if stored.members.iter().all(Text::fits) => Ok(stored.members.into_iter().collect()),
        _ => Err(PatchError::Conflict(format!(
            r#"a set is stored as {{"members": ["member"], "size": 1}} with members of 1 to 1024 bytes, and this is {}"#,
            describe(object)
        ))),
    }
}
