//! How a value is written in each of the formats.

use crate::wire::encode::{write_text, write_uint};
use crate::wire::slots::{Slot, Text, TextKind};
use crate::wire::table::FieldType;
use std::io::Write;

/// The formats that rows come in. Both load into equal rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFormat {
    /// The fastest for ClickHouse to take; columns have no names in it, only their order.
    RowBinary,
    /// A JSON object a line.
    JsonEachRow,
}

/// Writes the parts of a row. Columns come in the order of `columns()`, each with its name.
pub(super) trait Encoding {
    fn begin_row(out: &mut Vec<u8>);
    /// What stands before a value of column `name`.
    fn column(out: &mut Vec<u8>, name: &str);
    fn end_row(out: &mut Vec<u8>);
    fn text(out: &mut Vec<u8>, text: Text<'_>);
    /// Unix seconds, as `DateTime`.
    fn seconds(out: &mut Vec<u8>, seconds: u32);
    /// Unix milliseconds, as `DateTime64(3)`.
    fn millis(out: &mut Vec<u8>, millis: u64);
    /// A value of a field's column; a field that isn't set is null.
    fn value(out: &mut Vec<u8>, ty: FieldType, slot: Option<&Slot<'_>>);
}

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
    fn seconds(out: &mut Vec<u8>, seconds: u32) {
        out.extend_from_slice(&seconds.to_le_bytes());
    }

    #[inline]
    fn millis(out: &mut Vec<u8>, millis: u64) {
        out.extend_from_slice(&millis.to_le_bytes());
    }

    #[inline]
    fn value(out: &mut Vec<u8>, ty: FieldType, slot: Option<&Slot<'_>>) {
        const NULL: u8 = 1;
        const NOT_NULL: u8 = 0;
        match (slot, ty) {
            (Some(Slot::Uints(values)), _) => {
                length(out, values.len());
                values.iter().for_each(|&value| uint(out, ty, value));
            }
            (Some(Slot::Texts(texts)), _) => {
                length(out, texts.len());
                texts.iter().for_each(|&text| Self::text(out, text));
            }
            (_, FieldType::U32List | FieldType::U64List | FieldType::StringList) => length(out, 0),
            (None | Some(Slot::Null), _) => out.push(NULL),
            (Some(&Slot::Bool(value)), _) => out.extend_from_slice(&[NOT_NULL, u8::from(value)]),
            (Some(&Slot::Uint(value)), _) => {
                out.push(NOT_NULL);
                uint(out, ty, value);
            }
            (Some(&Slot::Text(text)), _) => {
                out.push(NOT_NULL);
                Self::text(out, text);
            }
        }
    }
}

/// A length as LEB128.
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
    match ty {
        FieldType::U32 | FieldType::U32List => out.extend_from_slice(&(value as u32).to_le_bytes()),
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

    fn seconds(out: &mut Vec<u8>, seconds: u32) {
        let (year, month, day, second) = civil(u64::from(seconds));
        let _ = write!(out, "\"{year:04}-{month:02}-{day:02} {}\"", clock(second));
    }

    fn millis(out: &mut Vec<u8>, millis: u64) {
        // Written as a date: ClickHouse guesses the unit of a number by its count of digits.
        let (year, month, day, second) = civil(millis / 1000);
        let _ = write!(
            out,
            "\"{year:04}-{month:02}-{day:02} {}.{:03}\"",
            clock(second),
            millis % 1000
        );
    }

    fn value(out: &mut Vec<u8>, ty: FieldType, slot: Option<&Slot<'_>>) {
        match (slot, ty) {
            (Some(Slot::Uints(values)), _) => list(out, values, |out, &value| write_uint(out, value)),
            (Some(Slot::Texts(texts)), _) => list(out, texts, |out, &text| Self::text(out, text)),
            (_, FieldType::U32List | FieldType::U64List | FieldType::StringList) => out.extend_from_slice(b"[]"),
            (None | Some(Slot::Null), _) => out.extend_from_slice(b"null"),
            (Some(&Slot::Bool(value)), _) => out.extend_from_slice(if value { b"true" } else { b"false" }),
            (Some(&Slot::Uint(value)), _) => write_uint(out, value),
            (Some(&Slot::Text(text)), _) => Self::text(out, text),
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

/// Year, month, day and second of the day of unix seconds in UTC (after Howard Hinnant's `civil_from_days`).
fn civil(seconds: u64) -> (u64, u64, u64, u64) {
    const DAY: u64 = 86_400;
    let days = seconds / DAY + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Years begin in March here, so that the leap day is the last.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day, seconds % DAY)
}

fn clock(second: u64) -> String {
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}
