//! How a value is written in each of the formats.

use crate::wire::encode::{write_text, write_uint};
use crate::wire::slots::{Slot, Slots, Text, TextKind};
use crate::wire::table::{Field, FieldType, Form, MAX_FIELDS};
use std::fmt::{self, Display, Formatter};
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
    /// The columns of a row's own times.
    fn times(out: &mut Vec<u8>, times: &Times);
    /// The columns of fields; one that isn't set is null.
    fn fields(out: &mut Vec<u8>, columns: &FieldColumns, slots: &Slots<'_>);
}

/// A row's own times.
pub(super) struct Times {
    /// Unix milliseconds, as `DateTime64(3)`.
    pub event_ts: u64,
    /// Unix seconds, as `DateTime`.
    pub emitted_at: u32,
    /// Unix milliseconds, as `DateTime64(3)`.
    pub received_at: u64,
    /// `received_at`, if the session was alive then.
    pub heard_at: Option<u64>,
}

/// The columns of one table's fields.
pub(super) struct FieldColumns {
    columns: Vec<FieldColumn>,
    /// For each of the table's fields, its place in `columns`, if it has one.
    places: Vec<Option<usize>>,
    /// What each column is in RowBinary if its field isn't set: a byte, whatever its type.
    unset: Vec<u8>,
}

struct FieldColumn {
    name: &'static str,
    ty: FieldType,
    /// The field's index in its table.
    index: usize,
}

impl FieldColumns {
    /// Of these fields, each with its index in its table, and of how they are named as columns.
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
    fn times(out: &mut Vec<u8>, times: &Times) {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&times.event_ts.to_le_bytes());
        bytes[8..12].copy_from_slice(&times.emitted_at.to_le_bytes());
        bytes[12..].copy_from_slice(&times.received_at.to_le_bytes());
        out.extend_from_slice(&bytes);
        match times.heard_at {
            Some(millis) => {
                out.push(NOT_NULL);
                out.extend_from_slice(&millis.to_le_bytes());
            }
            None => out.push(NULL),
        }
    }

    #[inline]
    fn fields(out: &mut Vec<u8>, columns: &FieldColumns, slots: &Slots<'_>) {
        // From set field to set field, with one copy for all the nulls in between: most fields aren't set.
        let mut next = 0;
        for (index, slot) in slots.iter() {
            let Some(place) = columns.places[index] else { continue };
            if *slot == Slot::Null {
                continue;
            }
            out.extend_from_slice(&columns.unset[next..place]);
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

    fn times(out: &mut Vec<u8>, times: &Times) {
        // As dates: ClickHouse guesses the unit of a number by its count of digits.
        let millis = |out: &mut Vec<u8>, name, millis: u64| {
            Self::column(out, name);
            let _ = write!(out, "\"{}.{:03}\"", Utc(millis / 1000), millis % 1000);
        };
        millis(out, "event_ts", times.event_ts);
        Self::column(out, "emitted_at");
        let _ = write!(out, "\"{}\"", Utc(u64::from(times.emitted_at)));
        millis(out, "received_at", times.received_at);
        match times.heard_at {
            Some(heard_at) => millis(out, "heard_at", heard_at),
            None => {
                Self::column(out, "heard_at");
                out.extend_from_slice(b"null");
            }
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
                (Some(&Slot::Bool(value)), _) => out.extend_from_slice(if value { b"true" } else { b"false" }),
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

/// Unix seconds, shown as date and time in UTC.
struct Utc(u64);

impl Display for Utc {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // After Howard Hinnant's `civil_from_days`: years begin in March, so that the leap day is the last.
        const DAY: u64 = 86_400;
        let days = self.0 / DAY + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let second = self.0 % DAY;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}
