//! Writes values in each of the formats.

use super::columns::Column;
use super::tables::Own;
use crate::wire::encode::{write_text, write_uint};
use crate::wire::slots::{Slot, Slots, Text, TextKind};
use crate::wire::table::{Field, FieldType, Form, MAX_FIELDS};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::ops::Range;

/// The formats of rows. Both load into equal rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFormat {
    /// The names of the columns once, then binary rows. ClickHouse reads this format fastest.
    RowBinaryWithNames,
    /// One JSON object per line.
    JsonEachRow,
}

impl RowFormat {
    /// The bytes before the first row. ClickHouse uses them to map columns by name.
    pub(super) fn header(self, columns: &[Column]) -> Vec<u8> {
        let mut out = Vec::new();
        if self == RowFormat::RowBinaryWithNames {
            // In two bytes where one would do, so that the first one is no ASCII. After a statement without a newline
            // at its end, ClickHouse would skip white space and take letters for part of the format's name.
            let count = columns.len();
            out.extend([count as u8 | 0x80, (count >> 7) as u8]);
            for column in columns {
                RowBinary::text(&mut out, Text::from(column.name));
            }
        }
        out
    }
}

/// Writes the parts of a row. Call it for the columns in the order of the table.
pub(super) trait Encoding {
    /// Writes everything that precedes the value of a row's own column.
    fn head(out: &mut Vec<u8>, column: &OwnColumn);
    fn end_row(out: &mut Vec<u8>);
    fn text(out: &mut Vec<u8>, text: Text<'_>);
    fn bool(out: &mut Vec<u8>, value: bool);
    fn u8(out: &mut Vec<u8>, value: u8);
    fn u16(out: &mut Vec<u8>, value: u16);
    fn u32(out: &mut Vec<u8>, value: u32);
    fn u64(out: &mut Vec<u8>, value: u64);
    /// Writes unix seconds as a `DateTime`.
    fn seconds(out: &mut Vec<u8>, seconds: u32);
    /// Writes unix milliseconds as a `DateTime64(3)`.
    fn millis(out: &mut Vec<u8>, millis: u64);
    /// Writes a value that may be null.
    fn nullable<T>(out: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T));
    /// Writes the columns of fields. A field that isn't set is null.
    fn fields(out: &mut Vec<u8>, columns: &FieldColumns, slots: &Slots<'_>);
}

/// A row's own column. Its name is written for JSON once and copied into each row.
pub(super) struct OwnColumn {
    pub own: Own,
    head: String,
}

impl OwnColumn {
    /// Makes columns of rows that begin with them.
    pub fn at_start(columns: &[Own]) -> Vec<OwnColumn> {
        let mut columns = Self::after_others(columns);
        if let Some(first) = columns.first_mut() {
            first.head.replace_range(..1, "{");
        }
        columns
    }

    /// Makes columns that follow others in their row.
    pub fn after_others(columns: &[Own]) -> Vec<OwnColumn> {
        let head = |own: Own| format!(",\"{}\":", own.name());
        columns.iter().map(|&own| OwnColumn { own, head: head(own) }).collect()
    }
}

/// The columns of one table's fields. They follow others in their row.
///
/// Most fields of an event aren't set. So each format's text of a row without any field is kept, and a row is written
/// from one set field to the next, with one copy for all that lies in between.
pub(super) struct FieldColumns {
    columns: Vec<FieldColumn>,
    /// The place in `columns` for each of the table's fields, if it is a column.
    places: Vec<Option<usize>>,
    /// The RowBinary byte of each column whose field isn't set. It is one byte for every type.
    unset: Vec<u8>,
    /// The JSON of each column, with name, whose field isn't set.
    unset_json: Vec<u8>,
}

struct FieldColumn {
    ty: FieldType,
    /// Where its value is in `unset_json`.
    json: Range<usize>,
}

impl FieldColumns {
    /// Takes fields with their indexes in their table, and a function that names their columns.
    pub fn new(fields: impl Iterator<Item = (usize, &'static Field)>, named: fn(&'static str) -> &'static str) -> Self {
        let mut made = FieldColumns {
            columns: Vec::new(),
            places: vec![None; MAX_FIELDS],
            unset: Vec::new(),
            unset_json: Vec::new(),
        };
        for (index, &Field { name, ty, .. }) in fields {
            let (byte, json) = match ty.form() {
                Form::List(_) => (0, "[]"),
                _ => (NULL, "null"),
            };
            made.places[index] = Some(made.columns.len());
            made.unset.push(byte);
            made.unset_json.extend(format!(",\"{}\":{json}", named(name)).bytes());
            let end = made.unset_json.len();
            made.columns.push(FieldColumn {
                ty,
                json: end - json.len()..end,
            });
        }
        made
    }

    /// Yields the columns whose fields have a value, each with its place.
    #[inline]
    fn set<'s, 'a>(&'s self, slots: &'s Slots<'a>) -> impl Iterator<Item = (usize, &'s FieldColumn, Slot<'a>)> {
        slots.iter().filter_map(|(index, &slot)| {
            let place = self.places[index].filter(|_| slot != Slot::Null)?;
            Some((place, &self.columns[place], slot))
        })
    }
}

const NULL: u8 = 1;
const NOT_NULL: u8 = 0;

pub(super) struct RowBinary;

impl Encoding for RowBinary {
    #[inline]
    fn head(_: &mut Vec<u8>, _: &OwnColumn) {}
    fn end_row(_: &mut Vec<u8>) {}

    #[inline]
    fn text(out: &mut Vec<u8>, text: Text<'_>) {
        let replaced;
        let bytes = match text.kind() {
            TextKind::Ascii | TextKind::Utf8 => text.bytes(),
            TextKind::Wtf8 => {
                replaced = text.to_str();
                replaced.as_bytes()
            }
        };
        length(out, bytes.len());
        out.extend_from_slice(bytes);
    }

    #[inline]
    fn bool(out: &mut Vec<u8>, value: bool) {
        out.push(u8::from(value));
    }

    #[inline]
    fn u8(out: &mut Vec<u8>, value: u8) {
        out.push(value);
    }

    #[inline]
    fn u16(out: &mut Vec<u8>, value: u16) {
        out.extend_from_slice(&value.to_le_bytes());
    }

    #[inline]
    fn u32(out: &mut Vec<u8>, value: u32) {
        out.extend_from_slice(&value.to_le_bytes());
    }

    #[inline]
    fn u64(out: &mut Vec<u8>, value: u64) {
        out.extend_from_slice(&value.to_le_bytes());
    }

    #[inline]
    fn seconds(out: &mut Vec<u8>, seconds: u32) {
        out.extend_from_slice(&seconds.to_le_bytes());
    }

    #[inline]
    fn millis(out: &mut Vec<u8>, millis: u64) {
        out.extend_from_slice(&millis.to_le_bytes());
    }

    #[inline]
    fn nullable<T>(out: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
        match value {
            Some(value) => {
                out.push(NOT_NULL);
                write(out, value);
            }
            None => out.push(NULL),
        }
    }

    #[inline]
    fn fields(out: &mut Vec<u8>, columns: &FieldColumns, slots: &Slots<'_>) {
        let mut next = 0;
        for (place, column, slot) in columns.set(slots) {
            // Byte by byte: mostly there are none to five, and a call of memcpy costs more.
            for &byte in &columns.unset[next..place] {
                out.push(byte);
            }
            next = place + 1;
            match slot {
                Slot::Null => {}
                Slot::Bool(value) => out.extend_from_slice(&[NOT_NULL, u8::from(value)]),
                Slot::Text(text) | Slot::Json(text) => {
                    out.push(NOT_NULL);
                    Self::text(out, text);
                }
                Slot::Uint(value) => {
                    out.push(NOT_NULL);
                    uint(out, column.ty, value);
                }
                Slot::Uints(values) => {
                    length(out, values.len());
                    values.iter().for_each(|&value| uint(out, column.ty, value));
                }
                Slot::Texts(texts) => {
                    length(out, texts.len());
                    texts.iter().for_each(|&text| Self::text(out, text));
                }
            }
        }
        out.extend_from_slice(&columns.unset[next..]);
    }
}

/// Writes a length as LEB128.
#[inline]
fn length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

#[inline]
fn uint(out: &mut Vec<u8>, ty: FieldType, value: u64) {
    match ty.cell_words() {
        1 => out.extend_from_slice(&(value as u32).to_le_bytes()),
        _ => out.extend_from_slice(&value.to_le_bytes()),
    }
}

pub(super) struct JsonEachRow;

impl Encoding for JsonEachRow {
    #[inline]
    fn head(out: &mut Vec<u8>, column: &OwnColumn) {
        out.extend_from_slice(column.head.as_bytes());
    }

    fn end_row(out: &mut Vec<u8>) {
        out.extend_from_slice(b"}\n");
    }

    fn text(out: &mut Vec<u8>, text: Text<'_>) {
        match text.kind() {
            TextKind::Ascii | TextKind::Utf8 => write_text(out, text),
            TextKind::Wtf8 => write_text(out, Text::from(text.to_str().as_ref())),
        }
    }

    fn bool(out: &mut Vec<u8>, value: bool) {
        out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn u8(out: &mut Vec<u8>, value: u8) {
        write_uint(out, u64::from(value));
    }

    fn u16(out: &mut Vec<u8>, value: u16) {
        write_uint(out, u64::from(value));
    }

    fn u32(out: &mut Vec<u8>, value: u32) {
        write_uint(out, u64::from(value));
    }

    fn u64(out: &mut Vec<u8>, value: u64) {
        write_uint(out, value);
    }

    // Times are dates in this format, because ClickHouse guesses the unit of a number from its digits.
    fn seconds(out: &mut Vec<u8>, seconds: u32) {
        out.extend_from_slice(&date(u64::from(seconds) * 1000)[..20]);
        out.push(b'"');
    }

    fn millis(out: &mut Vec<u8>, millis: u64) {
        out.extend_from_slice(&date(millis));
        out.push(b'"');
    }

    fn nullable<T>(out: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
        match value {
            Some(value) => write(out, value),
            None => out.extend_from_slice(b"null"),
        }
    }

    fn fields(out: &mut Vec<u8>, columns: &FieldColumns, slots: &Slots<'_>) {
        let mut next = 0;
        for (_, column, slot) in columns.set(slots) {
            out.extend_from_slice(&columns.unset_json[next..column.json.start]);
            next = column.json.end;
            match slot {
                Slot::Null => {}
                Slot::Bool(value) => Self::bool(out, value),
                Slot::Text(text) | Slot::Json(text) => Self::text(out, text),
                Slot::Uint(value) => write_uint(out, value),
                Slot::Uints(values) => list(out, values, |out, &value| write_uint(out, value)),
                Slot::Texts(texts) => list(out, texts, |out, &text| Self::text(out, text)),
            }
        }
        out.extend_from_slice(&columns.unset_json[next..]);
    }
}

fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// Returns a quote, and date and time in UTC with milliseconds.
// jiff knows the calendar. Its printer would take most of the time of a row that has three dates.
fn date(millis: u64) -> [u8; 24] {
    // `writer` clamps all times to the year 2299, and `Timestamp` can hold years up to 9999.
    let time = Timestamp::from_millisecond(millis as i64).unwrap_or(Timestamp::MAX);
    let time = TimeZone::UTC.to_datetime(time);
    let mut text = *b"\"0000-00-00 00:00:00.000";
    let mut digits = |end: usize, mut value: u16| {
        let mut at = end;
        while value > 0 {
            at -= 1;
            text[at] = b'0' + (value % 10) as u8;
            value /= 10;
        }
    };
    digits(5, time.year().unsigned_abs());
    for (end, value) in [
        (8, time.month()),
        (11, time.day()),
        (14, time.hour()),
        (17, time.minute()),
        (20, time.second()),
    ] {
        digits(end, u16::from(value.unsigned_abs()));
    }
    digits(24, time.millisecond().unsigned_abs());
    text
}
