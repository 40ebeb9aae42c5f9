//! Normalises custom attributes.

use crate::wire::encode::write_text;
use crate::wire::json::{Cursor, JsonError};
use crate::wire::slots::Text;
use bumpalo::Bump;

/// A value of the object.
enum Value<'a> {
    Text(Text<'a>),
    /// Not a string. No client sends that, so it is kept unchanged.
    Other(&'a [u8]),
}

/// Returns the JSON object without white space and with sorted keys, so that equal maps have equal texts. Returns
/// `None` if `text` isn't a JSON object.
pub(super) fn sorted(text: Text<'_>, arena: &Bump) -> Option<Vec<u8>> {
    let mut members = members(text.bytes(), arena).ok()??;
    // A stable sort keeps the last of duplicate keys last, which is the one that counts.
    members.sort_by_key(|(key, _)| key.bytes());
    let mut out = Vec::with_capacity(text.bytes().len());
    out.push(b'{');
    for (place, (key, value)) in members.iter().enumerate() {
        if members
            .get(place + 1)
            .is_some_and(|(next, _)| next.bytes() == key.bytes())
        {
            continue;
        }
        if out.len() > 1 {
            out.push(b',');
        }
        write_text(&mut out, *key);
        out.push(b':');
        match value {
            Value::Text(value) => write_text(&mut out, *value),
            Value::Other(json) => out.extend_from_slice(json),
        }
    }
    out.push(b'}');
    Some(out)
}

type Members<'a> = Vec<(Text<'a>, Value<'a>)>;

fn members<'a>(json: &'a [u8], arena: &'a Bump) -> Result<Option<Members<'a>>, JsonError> {
    let mut cursor = Cursor::new(json, arena)?;
    if cursor.peek() != Some(b'{') {
        return Ok(None);
    }
    let mut members = Vec::new();
    let mut more = cursor.open_object()?;
    while more {
        let key = cursor.key()?;
        let value = match cursor.peek() {
            Some(b'"') => Value::Text(cursor.string()?),
            _ => Value::Other(cursor.skip_value()?),
        };
        members.push((key, value));
        more = cursor.next_member()?;
    }
    cursor.end()?;
    Ok(Some(members))
}
