//! Merge patch (RFC 7396): members of the document replace the stored value's, null removes them.

use bytes::Bytes;

use super::json::{Json, Kind, Members, TooMuchWork, Work, document, stored};
use super::{PatchError, Patched};
use crate::object::{ContentType, Object};

pub(super) fn apply(current: Option<&Object>, patch: &Bytes) -> Result<Patched, PatchError> {
    let patch = document(patch)?;
    let target = current.map(stored).transpose()?;
    let target_bytes = target.as_ref().map_or(0, |text| text.len());
    let mut work = Work::for_input(patch.len().saturating_add(target_bytes));
    let target = target.as_deref().map(Json::new);
    let mut out = String::with_capacity(patch.len() + target_bytes);
    merge(target, Json::new(&patch), &mut work)?.write(&mut out);
    let content_type = current.map_or(ContentType::Json, |object| object.content_type.clone());
    Ok(Patched { value: out.into(), content_type })
}

/// RFC 7396 section 2, its names and order. It nests no deeper than the deeper of the two.
fn merge<'a>(target: Option<Json<'a>>, patch: Json<'a>, work: &mut Work) -> Result<Json<'a>, TooMuchWork> {
    let changes = match members(patch, work)? {
        Ok(changes) => changes,
        Err(patch) => return Ok(patch),
    };
    let mut merged = match target {
        Some(target) => members(target, work)?.unwrap_or_default(),
        None => Members::default(),
    };
    for (name, change) in changes.into_order() {
        if change.kind() == Kind::Null {
            merged.remove(&name);
        } else if let Some(there) = merged.get_mut(&name) {
            let before = std::mem::replace(there, Json::new("null"));
            *there = merge(Some(before), change, work)?;
        } else {
            merged.insert(name, merge(None, change, work)?);
        }
    }
    Ok(Json::Object(Box::new(merged)))
}

/// The members of an object; anything else comes back as it is.
fn members<'a>(mut value: Json<'a>, work: &mut Work) -> Result<Result<Members<'a>, Json<'a>>, TooMuchWork> {
    if value.kind() == Kind::Object {
        value.open(work)?;
    }
    Ok(match value {
        Json::Object(members) => Ok(*members),
        other => Err(other),
    })
}
