//! Reads the members of records that a dialect declares, and skips all others.

use crate::wire::json::{Cursor, JsonError};
use crate::wire::slots::Text;
use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

/// A cursor over one record. A value of an unexpected type counts as absent.
pub(super) struct Reader<'a> {
    pub cursor: Cursor<'a>,
    pub arena: &'a Bump,
}

/// A value that a record can hold.
pub(super) trait FromJson<'a>: Default {
    /// Consumes the next value, whatever its type is.
    fn read(reader: &mut Reader<'a>) -> Result<Self, JsonError>;

    /// Reads a text that holds one value. Fails where it isn't JSON.
    fn of(json: &'a [u8], arena: &'a Bump) -> Result<Self, JsonError> {
        let mut reader = Reader::new(json, arena)?;
        let value = Self::read(&mut reader)?;
        reader.cursor.end()?;
        Ok(value)
    }
}

/// Declares structs of the members that a dialect reads. A member is one line: its name, its type, its key. Of
/// duplicate keys the last one wins.
macro_rules! members {
    ($($(#[$doc:meta])* $vis:vis struct $name:ident<'a> {
        $($(#[$member_doc:meta])* $member:ident: $type:ty = $($key:literal)|+,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        $vis struct $name<'a> {
            $($(#[$member_doc])* pub $member: $type,)*
            lifetime: std::marker::PhantomData<&'a ()>,
        }

        impl<'a> $crate::capture::json::FromJson<'a> for $name<'a> {
            fn read(
                reader: &mut $crate::capture::json::Reader<'a>,
            ) -> Result<Self, $crate::wire::json::JsonError> {
                let mut read = $name::default();
                reader.members_of_object(|reader, key| {
                    match std::str::from_utf8(key).unwrap_or_default() {
                        $($($key)|+ => read.$member = $crate::capture::json::FromJson::read(reader)?,)*
                        _ => drop(reader.cursor.skip_value()?),
                    }
                    Ok(())
                })?;
                Ok(read)
            }
        }
    )*};
}
pub(super) use members;

impl<'a> Reader<'a> {
    pub fn new(json: &'a [u8], arena: &'a Bump) -> Result<Reader<'a>, JsonError> {
        let cursor = Cursor::new(json, arena)?;
        Ok(Reader { cursor, arena })
    }

    /// Passes each member's key to `member`, which must consume its value.
    pub fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, &[u8]) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        let mut more = self.cursor.open_object()?;
        while more {
            let key = self.cursor.key()?;
            member(self, key.bytes())?;
            more = self.cursor.next_member()?;
        }
        Ok(())
    }

    /// Like `members`, but skips a value that isn't an object.
    pub fn members_of_object(
        &mut self,
        member: impl FnMut(&mut Self, &[u8]) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        if self.cursor.peek() == Some(b'{') {
            self.members(member)
        } else {
            self.cursor.skip_value().map(drop)
        }
    }

    pub fn string(&mut self) -> Result<Option<Text<'a>>, JsonError> {
        if self.cursor.peek() == Some(b'"') {
            return self.cursor.string().map(Some);
        }
        self.cursor.skip_value()?;
        Ok(None)
    }

    /// Whether `true` comes next.
    pub fn bool(&mut self) -> Result<bool, JsonError> {
        Ok(self.cursor.skip_value()? == b"true")
    }

    pub fn number(&mut self) -> Result<Option<f64>, JsonError> {
        let raw = self.cursor.skip_value()?;
        // A string's text begins with a quote, so nothing but a number parses as one.
        Ok(std::str::from_utf8(raw).ok().and_then(|text| text.parse().ok()))
    }
}

impl<'a> FromJson<'a> for Option<Text<'a>> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JsonError> {
        reader.string()
    }
}

impl FromJson<'_> for bool {
    fn read(reader: &mut Reader<'_>) -> Result<Self, JsonError> {
        reader.bool()
    }
}

impl FromJson<'_> for Option<bool> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, JsonError> {
        Ok(match reader.cursor.skip_value()? {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        })
    }
}

impl FromJson<'_> for Option<f64> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, JsonError> {
        reader.number()
    }
}

/// A value's JSON, unchanged and not parsed yet. `null` counts as absent.
impl<'a> FromJson<'a> for Option<&'a [u8]> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JsonError> {
        reader.cursor.peek();
        Ok(Some(reader.cursor.skip_value()?).filter(|json| *json != b"null"))
    }
}

/// The elements of an array. Anything else has none.
impl<'a, T: FromJson<'a>> FromJson<'a> for &'a [T] {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JsonError> {
        let mut elements = BumpVec::new_in(reader.arena);
        if reader.cursor.peek() != Some(b'[') {
            reader.cursor.skip_value()?;
            return Ok(&[]);
        }
        let mut more = reader.cursor.open_array()?;
        while more {
            elements.push(T::read(reader)?);
            more = reader.cursor.next_element()?;
        }
        Ok(elements.into_bump_slice())
    }
}

/// A moment, in unix milliseconds. Its JSON is ISO 8601 text with a zone, or a number of milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Time(pub Option<i64>);

impl FromJson<'_> for Time {
    fn read(reader: &mut Reader<'_>) -> Result<Self, JsonError> {
        if reader.cursor.peek() == Some(b'"') {
            let time = reader.cursor.string()?.to_str().parse::<jiff::Timestamp>();
            return Ok(Time(time.ok().map(jiff::Timestamp::as_millisecond)));
        }
        Ok(Time(
            reader.number()?.and_then(whole).and_then(|ms| i64::try_from(ms).ok()),
        ))
    }
}

/// The nearest whole number of milliseconds. `None` for a number that is no duration.
pub(super) fn whole(ms: f64) -> Option<u64> {
    const LARGEST: f64 = crate::wire::table::MAX_SAFE_INTEGER as f64;
    (0.0..=LARGEST).contains(&ms).then(|| ms.round() as u64)
}

/// A message's content: a plain string, or parts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Content<'a, T> {
    pub text: Option<Text<'a>>,
    pub parts: &'a [T],
}

impl<'a, T: FromJson<'a>> FromJson<'a> for Content<'a, T> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JsonError> {
        if reader.cursor.peek() == Some(b'"') {
            let text = reader.string()?;
            return Ok(Content { text, parts: &[] });
        }
        let parts = FromJson::read(reader)?;
        Ok(Content { text: None, parts })
    }
}

impl<T> Content<'_, T> {
    pub fn is_empty(&self) -> bool {
        self.text.is_none() && self.parts.is_empty()
    }
}
