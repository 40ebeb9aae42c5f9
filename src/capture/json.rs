//! Reads the members of records that a dialect declares, and skips all others.

use crate::wire::json::{Cursor, JsonError, Skipped};
use crate::wire::slots::Text;
use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

/// The JSON of a record, or of a part of one.
#[derive(Clone, Copy, Debug)]
pub enum Json<'a> {
    /// A cursor has read it before, so it needn't be checked again.
    Skipped(Skipped<'a>),
    /// It may be anything.
    Unread(&'a [u8]),
}

impl<'a> Json<'a> {
    /// A record that `cursor` has read as one value.
    pub fn read_by(cursor: Option<&'a Cursor<'a>>, bytes: &'a [u8]) -> Json<'a> {
        let skipped = cursor.and_then(|cursor| cursor.skipped(bytes));
        skipped.map_or(Json::Unread(bytes), Json::Skipped)
    }

    /// Whether a string of it may have a `\u` escape.
    pub(super) fn may_have_unicode(self) -> bool {
        match self {
            Json::Skipped(skipped) => skipped.may_have_unicode(),
            Json::Unread(_) => true,
        }
    }

    pub(super) fn bytes(self) -> &'a [u8] {
        match self {
            Json::Skipped(skipped) => skipped.bytes(),
            Json::Unread(bytes) => bytes,
        }
    }
}

impl<'a> From<&'a [u8]> for Json<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Json::Unread(bytes)
    }
}

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
    fn of(json: impl Into<Json<'a>>, arena: &'a Bump) -> Result<Self, JsonError> {
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
                    match key {
                        $(_ if $(key == $key.as_bytes())||+ => {
                            read.$member = $crate::capture::json::FromJson::read(reader)?;
                        })*
                        _ => reader.skip()?,
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
    pub fn new(json: impl Into<Json<'a>>, arena: &'a Bump) -> Result<Reader<'a>, JsonError> {
        let cursor = match json.into() {
            Json::Skipped(skipped) => skipped.cursor(arena),
            Json::Unread(bytes) => Cursor::new(bytes, arena)?,
        };
        Ok(Reader { cursor, arena })
    }

    /// Passes each member's key to `member`, which must consume its value.
    pub fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, &[u8]) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        let mut more = self.cursor.open_object()?;
        while more {
            let key = self.cursor.key_bytes()?;
            member(self, key)?;
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
        if !matches!(self.cursor.peek(), Some(b'-' | b'0'..=b'9')) {
            self.skip()?;
            return Ok(None);
        }
        let number = self.cursor.number()?;
        Ok(match number.uint {
            Some(uint) => Some(uint as f64),
            None => std::str::from_utf8(number.raw).ok().and_then(|text| text.parse().ok()),
        })
    }

    /// Skips a value. Most of those that no dialect needs are short strings.
    #[inline]
    pub fn skip(&mut self) -> Result<(), JsonError> {
        if self.cursor.skip_short_string() {
            return Ok(());
        }
        self.cursor.skip_value().map(drop)
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

/// A value's JSON, unchanged. `null` counts as absent.
impl<'a> FromJson<'a> for Option<&'a [u8]> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JsonError> {
        reader.cursor.peek();
        Ok(Some(reader.cursor.skip_value()?).filter(|json| *json != b"null"))
    }
}

/// The same, to be read later.
impl<'a> FromJson<'a> for Option<Json<'a>> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JsonError> {
        let json = Json::Skipped(reader.cursor.skip()?);
        Ok(Some(json).filter(|json| json.bytes() != b"null"))
    }
}

/// A text that isn't unescaped before it is needed. Results are long, and mostly their start or their end says it all.
#[derive(Clone, Copy, Debug)]
pub(super) struct LateText<'a> {
    json: Skipped<'a>,
    arena: &'a Bump,
}

/// Whether a part of a text is all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Part,
    Whole,
}

impl<'a> LateText<'a> {
    /// How much of a text's JSON is looked at first.
    const ENOUGH: usize = 256;

    /// Takes a value. `None` if it isn't a text.
    pub fn of(json: Json<'a>, arena: &'a Bump) -> Option<LateText<'a>> {
        match json {
            Json::Skipped(json) if json.bytes().first() == Some(&b'"') => Some(LateText { json, arena }),
            _ => None,
        }
    }

    /// Returns what `answer` says of the text's start, or else of the whole text.
    pub fn by_start<T>(self, answer: impl Fn(&str, Extent) -> Option<T>) -> Option<T> {
        self.by(self.json.string_start(Self::ENOUGH, self.arena), answer)
    }

    /// The same for its end.
    pub fn by_end<T>(self, answer: impl Fn(&str, Extent) -> Option<T>) -> Option<T> {
        self.by(self.json.string_end(Self::ENOUGH, self.arena), answer)
    }

    fn by<T>(self, part: Option<Text<'a>>, answer: impl Fn(&str, Extent) -> Option<T>) -> Option<T> {
        part.and_then(|part| answer(&part.to_str(), Extent::Part)).or_else(|| {
            let whole = self.json.cursor(self.arena).string().ok()?;
            answer(&whole.to_str(), Extent::Whole)
        })
    }
}

impl<'a> FromJson<'a> for Option<LateText<'a>> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JsonError> {
        let json = Json::Skipped(reader.cursor.skip()?);
        Ok(LateText::of(json, reader.arena))
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
            return Ok(Time(unix_ms(reader.cursor.string()?.bytes())));
        }
        Ok(Time(
            reader.number()?.and_then(whole).and_then(|ms| i64::try_from(ms).ok()),
        ))
    }
}

/// Unix milliseconds of an ISO 8601 time with its zone.
pub(super) fn unix_ms(text: &[u8]) -> Option<i64> {
    if let Some(ms) = plain_unix_ms(text) {
        return Some(ms);
    }
    let time = str::from_utf8(text).ok()?.parse::<jiff::Timestamp>();
    time.ok().map(jiff::Timestamp::as_millisecond)
}

/// The same for a time as JavaScript writes it: `2026-11-26T09:00:00.000Z`. Nearly all records have one.
fn plain_unix_ms(text: &[u8]) -> Option<i64> {
    let text: &[u8; 24] = text.try_into().ok()?;
    let number = |at: usize, length: usize| {
        text[at..at + length].iter().try_fold(0u32, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
        })
    };
    let marks = [text[4], text[7], text[10], text[13], text[16], text[19], text[23]];
    if marks != *b"--T::.Z" {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second, ms) = (number(11, 2)?, number(14, 2)?, number(17, 2)?, number(20, 3)?);
    let in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 0,
    };
    // Leap seconds and everything that isn't a time are left to the full parser.
    if !(1..=in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 0000-03-01, so that a leap day ends its year.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year.checked_sub(1)?, month + 9)
    };
    let days = i64::from(year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1);
    const DAYS_TO_1970: i64 = 719_468;
    let seconds = i64::from(hour * 3600 + minute * 60 + second);
    Some(((days - DAYS_TO_1970) * 86_400 + seconds) * 1000 + i64::from(ms))
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn in_full(text: &str) -> Option<i64> {
        text.parse::<jiff::Timestamp>()
            .ok()
            .map(jiff::Timestamp::as_millisecond)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn plain_times_are_read_like_by_the_full_parser(ms in -62_000_000_000_000..253_000_000_000_000i64) {
            let text = format!("{:.3}", jiff::Timestamp::from_millisecond(ms)?);
            prop_assert_eq!(unix_ms(text.as_bytes()), Some(ms));
        }

        #[test]
        fn no_other_text_is_a_plain_time(
            year in 0..10_000u32, month in 0..14u32, day in 0..33u32, hour in 0..26u32, minute in 58..62u32, second in 58..62u32,
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.007Z");
            prop_assert_eq!(unix_ms(text.as_bytes()), in_full(&text), "{}", text);
        }
    }
}
