//! Writes values in each of the formats.

use super::columns::Column;
use crate::wire::encode::{write_text, write_uint};
use crate::wire::slots::{Slot, Slots, Text, TextKind};
use crate::wire::table::{Field, FieldType, Form, MAX_FIELDS};
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::TimeZone;

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
    fn begin_row(out: &mut Vec<u8>);
    /// Writes everything that precedes a value of column `name`.
    fn column(out: &mut Vec<u8>, name: &str);
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

/// The columns of one table's fields.
pub(super) struct FieldColumns {
    columns: Vec<FieldColumn>,
    /// The place in `columns` for each of the table's fields, if it is a column.
    places: Vec<Option<usize>>,
    /// The RowBinary byte of each column whose field isn't set. It is one byte for every type.
    unset: Vec<u8>,
}

struct FieldColumn {
    name: &'static str,
    ty: FieldType,
    /// The field's index in its table.
    index: usize,
}

impl FieldColumns {
    /// Takes fields with their indexes in their table, and a function that names their columns.
    pub fn new(fields: impl Iterator<Item = (usize, &'static Field)>, named: fn(&'static str) -> &'static str) -> Self {
        let columns: Vec<_> = fields
            .map(|(index, field)| FieldColumn {
                name: named(field.name),
                ty: field.ty,
                index,
            })
            .collect();
        let mut places = vec![None; MAX_FIELDS];
        for (place, column) in columns.iter().enumerate() {
            places[column.index] = Some(place);
        }
        let unset = columns
            .iter()
            .map(|column| match column.ty.form() {
                Form::List(_) => 0,
                _ => NULL,
            })
            .collect();
        FieldColumns { columns, places, unset }
    }
}

const NULL: u8 = 1;
const NOT_NULL: u8 = 0;

pub(super) struct RowBinary;

impl Encoding for RowBinary {
    fn begin_row(_: &mut Vec<u8>) {}
    #[inline]
    fn column(_: &mut Vec<u8>, _: &str) {}
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
        // Most fields aren't set. So go from one set field to the next and copy all nulls in between at once.
        let mut next = 0;
        for (index, slot) in slots.iter() {
            let Some(place) = columns.places[index] else { continue };
            if *slot == Slot::Null {
                continue;
            }
            // Byte by byte: mostly there are none to five, and a call of memcpy costs more.
            for &byte in &columns.unset[next..place] {
                out.push(byte);
            }
            next = place + 1;
            match *slot {
                Slot::Null => {}
                Slot::Bool(value) => out.extend_from_slice(&[NOT_NULL, u8::from(value)]),
                Slot::Text(text) | Slot::Json(text) => {
                    out.push(NOT_NULL);
                    Self::text(out, text);
                }
                Slot::Uint(value) => {
                    out.push(NOT_NULL);
                    uint(out, columns.columns[place].ty, value);
                }
                Slot::Uints(values) => {
                    length(out, values.len());
                    values
                        .iter()
                        .for_each(|&value| uint(out, columns.columns[place].ty, value));
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
    fn begin_row(out: &mut Vec<u8>) {
        out.push(b'{');
    }

    fn column(out: &mut Vec<u8>, name: &str) {
        if out.last() != Some(&b'{') {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
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
        date(out, u64::from(seconds) * 1000, 0);
    }

    fn millis(out: &mut Vec<u8>, millis: u64) {
        date(out, millis, 3);
    }

    fn nullable<T>(out: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
        match value {
            Some(value) => write(out, value),
            None => out.extend_from_slice(b"null"),
        }
    }

    fn fields(out: &mut Vec<u8>, columns: &FieldColumns, slots: &Slots<'_>) {
        for &FieldColumn { name, ty, index } in &columns.columns {
            Self::column(out, name);
            match (slots.get(index), ty.form()) {
                (Some(Slot::Uints(values)), _) => list(out, values, |out, &value| write_uint(out, value)),
                (Some(Slot::Texts(texts)), _) => list(out, texts, |out, &text| Self::text(out, text)),
                (_, Form::List(_)) => out.extend_from_slice(b"[]"),
                (None | Some(Slot::Null), _) => out.extend_from_slice(b"null"),
                (Some(&Slot::Bool(value)), _) => Self::bool(out, value),
                (Some(&Slot::Uint(value)), _) => write_uint(out, value),
                (Some(&(Slot::Text(text) | Slot::Json(text))), _) => Self::text(out, text),
            }
        }
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

/// Writes date and time in UTC, in quotes.
fn date(out: &mut Vec<u8>, millis: u64, decimals: u8) {
    static PRINTERS: [DateTimePrinter; 2] = [
        DateTimePrinter::new().separator(b' ').precision(Some(0)),
        DateTimePrinter::new().separator(b' ').precision(Some(3)),
    ];
    let printer = &PRINTERS[usize::from(decimals != 0)];
    // `writer` clamps all times to the year 2299, and `Timestamp` can hold years up to 9999.
    let time = Timestamp::from_millisecond(millis as i64).unwrap_or(Timestamp::MAX);
    out.push(b'"');
    // Writing to memory can't fail.
    let _ = printer.print_datetime(&TimeZone::UTC.to_datetime(time), &mut *out);
    out.push(b'"');
}
