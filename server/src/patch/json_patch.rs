//! JSON patch (RFC 6902): a list of operations that is carried out whole or not at all.
//!
//! The document is parsed completely before the first operation runs. At no point may the value nest deeper than
//! [`MAX_DEPTH`] or be larger than an object may be, so copies of copies end early.

use std::borrow::Cow;

use bytes::Bytes;

use super::json::{
    Json, Kind, MAX_DEPTH, Pointer, Work, children, decode, document, element, equal, excerpt, member,
    name_text, stored,
};
use super::{PatchError, Patched};
use crate::object::{ContentType, Object};

/// The most operations of one patch.
pub(super) const MAX_OPERATIONS: usize = 10_000;

struct Operation<'a> {
    path: Pointer,
    action: Action<'a>,
}

enum Action<'a> {
    Add(&'a str),
    Remove,
    Replace(&'a str),
    Move(Pointer),
    Copy(Pointer),
    Test(&'a str),
}

pub(super) fn apply(
    current: Option<&Object>,
    patch: &Bytes,
    max_bytes: usize,
) -> Result<Patched, PatchError> {
    let patch = document(patch)?;
    let operations = parse(&patch)?;
    let text = current.map(stored).transpose()?;
    let bytes = text.as_ref().map_or(0, |text| text.len());
    let mut target = Target {
        root: text.as_deref().map(Json::new),
        bytes,
        max_bytes,
        work: Work::for_input(bytes.saturating_add(patch.len())),
    };
    for (index, operation) in operations.iter().enumerate() {
        target.run(operation).map_err(|error| match error {
            PatchError::Conflict(why) => {
                let (name, path) = (operation.action.name(), &operation.path);
                PatchError::Conflict(format!("operation {index}, {name} at {path}: {why}"))
            }
            other => other,
        })?;
    }
    let root = target.root.ok_or_else(nothing_stored)?;
    let mut out = String::with_capacity(target.bytes);
    root.write(&mut out);
    let content_type = current.map_or(ContentType::Json, |object| object.content_type.clone());
    Ok(Patched { value: out.into(), content_type })
}

impl Action<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Add(_) => "add",
            Self::Remove => "remove",
            Self::Replace(_) => "replace",
            Self::Move(_) => "move",
            Self::Copy(_) => "copy",
            Self::Test(_) => "test",
        }
    }
}

/// The operations of a patch without blanks.
fn parse(patch: &str) -> Result<Vec<Operation<'_>>, PatchError> {
    if Json::new(patch).kind() != Kind::Array {
        let kind = Json::new(patch).kind().noun();
        return Err(PatchError::Malformed(format!(
            "a JSON patch is an array of operations, and this is {kind}"
        )));
    }
    if children(patch).take(MAX_OPERATIONS + 1).count() > MAX_OPERATIONS {
        return Err(PatchError::Malformed(format!("a JSON patch has at most {MAX_OPERATIONS} operations")));
    }
    let in_place = |(index, text)| {
        parse_operation(text).map_err(|why| PatchError::Malformed(format!("operation {index}: {why}")))
    };
    children(patch).enumerate().map(in_place).collect()
}

fn parse_operation(text: &str) -> Result<Operation<'_>, String> {
    if Json::new(text).kind() != Kind::Object {
        return Err(format!("an operation is an object, and this is {}", Json::new(text).kind().noun()));
    }
    let mut fields = Fields::default();
    for (name, value) in children(text).map(member) {
        let field = match name.as_ref() {
            "op" => &mut fields.op,
            "path" => &mut fields.path,
            "from" => &mut fields.from,
            "value" => &mut fields.value,
            _ => continue,
        };
        if field.replace(value).is_some() {
            return Err(format!("\"{name}\" is there twice"));
        }
    }
    let path = pointer("path", fields.path)?;
    let value = || fields.value.ok_or_else(|| "\"value\" is missing".to_owned());
    let from = || pointer("from", fields.from);
    let action = match string("op", fields.op)?.as_ref() {
        "add" => Action::Add(value()?),
        "remove" => Action::Remove,
        "replace" => Action::Replace(value()?),
        "move" => Action::Move(from()?),
        "copy" => Action::Copy(from()?),
        "test" => Action::Test(value()?),
        other => {
            let other = excerpt(other);
            return Err(format!(
                "there is no operation {other}; it is add, remove, replace, move, copy or test"
            ));
        }
    };
    match &action {
        Action::Move(from) if from.contains(&path) => {
            Err(format!("{from} cannot be moved to {path}, which is inside of it"))
        }
        _ => Ok(Operation { path, action }),
    }
}

/// The members that operations have; any other is to be ignored (RFC 6902 section 4).
#[derive(Default)]
struct Fields<'a> {
    op: Option<&'a str>,
    path: Option<&'a str>,
    from: Option<&'a str>,
    value: Option<&'a str>,
}

fn string<'a>(name: &str, field: Option<&'a str>) -> Result<Cow<'a, str>, String> {
    let text = field.ok_or_else(|| format!("\"{name}\" is missing"))?;
    let string = (Json::new(text).kind() == Kind::String).then(|| decode(text)).flatten();
    string.ok_or_else(|| format!("\"{name}\" is {}, and must be a string", Json::new(text).kind().noun()))
}

fn pointer(name: &str, field: Option<&str>) -> Result<Pointer, String> {
    Pointer::parse(&string(name, field)?).map_err(|why| format!("\"{name}\": {why}"))
}

/// The value that is worked on.
struct Target<'a> {
    root: Option<Json<'a>>,
    /// What it takes to write the value, or a little more: names may be written shorter than they came.
    bytes: usize,
    max_bytes: usize,
    work: Work,
}

impl<'a> Target<'a> {
    fn run(&mut self, operation: &Operation<'a>) -> Result<(), PatchError> {
        let path = &operation.path;
        match &operation.action {
            Action::Add(value) => self.add(path, Json::new(value)),
            Action::Remove => self.remove(path).map(drop),
            Action::Replace(value) => self.replace(path, Json::new(value)),
            Action::Move(from) => {
                self.find(from)?;
                if from == path {
                    return Ok(());
                }
                let value = self.remove(from)?;
                self.add(path, value)
            }
            Action::Copy(from) => {
                let source = self.find(from)?;
                let bytes = source.len();
                let value = source.clone();
                self.work.charge(bytes)?;
                self.add(path, value)
            }
            Action::Test(expected) => self.test(path, &Json::new(expected)),
        }
    }

    fn find(&mut self, at: &Pointer) -> Result<&mut Json<'a>, PatchError> {
        let missing = || PatchError::Conflict(format!("there is nothing at {at}"));
        let root = self.root.as_mut().ok_or_else(nothing_stored)?;
        root.find(at.tokens(), &mut self.work)?.ok_or_else(missing)
    }

    /// The container that a path ends in, opened.
    fn container(&mut self, tokens: &[String]) -> Result<(&mut Json<'a>, &mut Work), PatchError> {
        let missing = || PatchError::Conflict("there is no object or array that could hold it".to_owned());
        let root = self.root.as_mut().ok_or_else(nothing_stored)?;
        let container = root.find(tokens, &mut self.work)?.ok_or_else(missing)?;
        container.open(&mut self.work)?;
        Ok((container, &mut self.work))
    }

    fn add(&mut self, path: &Pointer, value: Json<'a>) -> Result<(), PatchError> {
        self.check_depth(path, &value)?;
        let added = value.len();
        let Some((parent, last)) = path.split_last() else {
            let removed = self.root.replace(value).map_or(0, |old| old.len());
            self.bytes = removed;
            return self.resize(removed, added);
        };
        let (container, work) = self.container(parent)?;
        let (removed, added) = match container {
            Json::Array(items) => {
                let end = items.len();
                let index = if last == "-" { Some(end) } else { element(last) };
                let index = index.filter(|index| *index <= end).ok_or_else(|| no_element(last, end))?;
                work.charge(end - index)?;
                items.insert(index, value);
                (0, added + ",".len())
            }
            Json::Object(members) => match members.insert(last.to_owned().into(), value) {
                Some(old) => (old.len(), added),
                None => (0, added + name_text(last).len() + ":,".len()),
            },
            Json::Text(_) => return Err(no_container(container)),
        };
        self.resize(removed, added)
    }

    fn remove(&mut self, path: &Pointer) -> Result<Json<'a>, PatchError> {
        let Some((parent, last)) = path.split_last() else {
            self.find(path)?;
            return Err(PatchError::Conflict(
                "the whole value cannot be removed by a patch; DELETE the object".to_owned(),
            ));
        };
        let missing = || PatchError::Conflict(format!("there is nothing at {path}"));
        let (container, work) = self.container(parent)?;
        let (removed, around) = match container {
            Json::Array(items) => {
                let index = element(last).filter(|index| *index < items.len());
                let index = index.ok_or_else(|| no_element(last, items.len()))?;
                work.charge(items.len() - index)?;
                (items.remove(index), 0)
            }
            Json::Object(members) => {
                (members.remove(last).ok_or_else(missing)?, name_text(last).len() + ":".len())
            }
            Json::Text(_) => return Err(no_container(container)),
        };
        self.resize(removed.len() + around, 0)?;
        Ok(removed)
    }

    fn replace(&mut self, path: &Pointer, value: Json<'a>) -> Result<(), PatchError> {
        self.check_depth(path, &value)?;
        let added = value.len();
        let removed = std::mem::replace(self.find(path)?, value).len();
        self.resize(removed, added)
    }

    fn test(&mut self, path: &Pointer, expected: &Json<'a>) -> Result<(), PatchError> {
        let missing = || PatchError::Conflict(format!("there is nothing at {path}"));
        let root = self.root.as_mut().ok_or_else(nothing_stored)?;
        let found = root.find(path.tokens(), &mut self.work)?.ok_or_else(missing)?;
        if equal(found, expected, &mut self.work)? {
            Ok(())
        } else {
            Err(PatchError::Conflict(format!(
                "the test fails: {} is there, and not equal",
                found.kind().noun()
            )))
        }
    }

    fn check_depth(&mut self, path: &Pointer, value: &Json<'a>) -> Result<(), PatchError> {
        self.work.charge(value.len())?;
        if path.tokens().len() + value.depth() > MAX_DEPTH {
            return Err(PatchError::Conflict(format!("the value would nest deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    fn resize(&mut self, removed: usize, added: usize) -> Result<(), PatchError> {
        self.bytes = self.bytes.saturating_sub(removed).saturating_add(added);
        if added > removed && self.bytes > self.max_bytes {
            self.bytes = self.root.as_ref().map_or(0, Json::len);
            self.work.charge(self.bytes)?;
            if self.bytes > self.max_bytes {
                return Err(PatchError::TooLarge { limit: self.max_bytes });
            }
        }
        Ok(())
    }
}

fn nothing_stored() -> PatchError {
    PatchError::Conflict(r#"nothing is stored yet, and only an "add" at "" creates a value"#.to_owned())
}

fn no_element(token: &str, elements: usize) -> PatchError {
    PatchError::Conflict(format!(
        "{} names no place in the array there, which has {elements} elements",
        excerpt(token)
    ))
}

fn no_container(value: &Json<'_>) -> PatchError {
    PatchError::Conflict(format!("{} is where an object or an array should be", value.kind().noun()))
}
