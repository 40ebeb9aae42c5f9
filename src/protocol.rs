//! The numbers that define how events cross between Rust and JavaScript.
//!
//! `src/node/cells.rs` and `src/node/packed.rs` use them. `generated/protocol.js` holds them for `lib/decode.js` and
//! `lib/encode.js`. The loader compares their hash to check that a binary and its JavaScript belong together.

use crate::identity::content_hash;
use crate::wire::table::{Dialect, FieldType, Form, Record, Table};
use crate::wire::{EventAttributes, METRICS};
use std::fmt::Write;

macro_rules! numbers {
    ($($(#[doc = $doc:literal])+ $name:ident = $value:expr;)+) => {
        $($(#[doc = $doc])+ pub const $name: u32 = $value;)+

        /// All of them by name, for JavaScript.
        pub const NUMBERS: &[(&str, u32)] = &[$((stringify!($name), $name)),+];
    };
}

numbers! {
    /// Cells, before a call: the most events, in two words.
    REQUEST_MAX_EVENTS = 0;
    /// Cells, before a call: the most bytes, in two words.
    REQUEST_MAX_BYTES = 2;
    /// Cells, before a call: the number of the last batch that JavaScript has received, or 0.
    REQUEST_RECEIVED = 4;
    /// Returned by a call: threads share the body's memory, so it has to be copied first.
    BODY_IS_SHARED = 0xFFFF_FFFF;

    /// Cells, header: where the records of attributes begin.
    HEADER_ATTRIBUTES_AT = 0;
    /// Cells, header: how many records of attributes there are.
    HEADER_ATTRIBUTES = 1;
    /// Cells, header: how many events there are. They follow the attributes.
    HEADER_EVENTS = 2;
    /// Cells, header: where the new shapes begin.
    HEADER_SHAPES_AT = 3;
    /// Cells, header: the generation of the shapes' numbers.
    HEADER_GENERATION = 4;
    /// Cells, header: the number of the first new shape.
    HEADER_FIRST_SHAPE = 5;
    /// Cells, header: how many shapes are new.
    HEADER_SHAPES = 6;
    /// Cells, header: where the errors begin.
    HEADER_ERRORS_AT = 7;
    /// Cells, header: how many errors there are.
    HEADER_ERRORS = 8;
    /// Cells, header: the number of this batch. JavaScript passes the last one that it has received with the next batch.
    HEADER_BATCH = 9;
    /// Cells, header: where the strings begin that last between batches.
    HEADER_LASTING_AT = 10;
    /// Cells, header: how many strings of this batch last from now on.
    HEADER_LEARNED = 11;
    /// Cells, header: how many strings of this batch are those of earlier ones.
    HEADER_RECALLED = 12;
    /// Cells: words of the header.
    HEADER_WORDS = 13;

    /// Cells, lasting string: its number in this batch.
    LASTING_STRING = 0;
    /// Cells, lasting string: its place among those that last.
    LASTING_PLACE = 1;
    /// Cells: words of a lasting string.
    LASTING_WORDS = 2;
    /// How many strings last at most.
    LASTING_PLACES = 256;

    /// Cells, event: unix seconds.
    EVENT_TIMESTAMP = 0;
    /// Cells, event: the number of its attributes' record.
    EVENT_ATTRIBUTES = 1;
    /// Cells, event: the metric's id.
    EVENT_METRIC_ID = 2;
    /// Cells, event: words before the record of its values.
    EVENT_WORDS = 3;

    /// Cells, shape: its table.
    SHAPE_TABLE = 0;
    /// Cells, shape: its flags.
    SHAPE_FLAGS = 1;
    /// Cells, shape: a bit per field that is set, in two words.
    SHAPE_PRESENT = 2;
    /// Cells, shape: a bit per field that is null, in two words.
    SHAPE_NULL = 4;
    /// Cells: words of a shape.
    SHAPE_WORDS = 6;
    /// Cells, flag of a shape: unknown fields follow.
    SHAPE_HAS_UNKNOWN = 1;

    /// Cells, error: the event's index in the upload.
    ERROR_INDEX = 0;
    /// Cells, error: the string of its code.
    ERROR_CODE = 1;
    /// Cells, error: the string of its message.
    ERROR_MESSAGE = 2;
    /// Cells: words of an error.
    ERROR_WORDS = 3;

    /// Cells and packed: the table number of an unknown metric. A known metric's number is its index in `METRICS`.
    UNKNOWN_METRIC = 0xFFFE;
    /// Cells: the table number of attributes.
    ATTRIBUTES_TABLE = 0xFFFF;

    /// Packed, field: bits of its state, below its index.
    STATE_BITS = 3;
    /// Packed, state: null.
    STATE_NULL = 0;
    /// Packed, state: `false`.
    STATE_FALSE = 1;
    /// Packed, state: `true`.
    STATE_TRUE = 2;
    /// Packed, state: two words follow, low and high.
    STATE_UINT = 3;
    /// Packed, state: a length follows.
    STATE_TEXT = 4;
    /// Packed, state: a count follows, then as many times two words.
    STATE_UINTS = 5;
    /// Packed, state: a count follows, then as many lengths.
    STATE_TEXTS = 6;
    /// Packed, state: the length of a JSON text follows.
    STATE_JSON = 7;
    /// Packed, attributes: how many places hold attributes that come again. One more is for those that don't.
    KEPT_ATTRIBUTES = 4;
    /// Packed, attributes, in the place of a count: those that came last for this place, once more.
    SAME_ATTRIBUTES = 0xFFFF_FFFF;

    /// Rows, number passed in: most events.
    ROWS_MAX_EVENTS = 0;
    /// Rows, number passed in: most bytes.
    ROWS_MAX_BYTES = 1;
    /// Rows, number passed in: unix milliseconds of the upload's arrival.
    ROWS_RECEIVED_AT_MS = 2;
    /// Rows, number passed in: how far behind the installation's clock is, in milliseconds.
    ROWS_CLOCK_SKEW_MS = 3;
    /// Rows, number passed in: 1 for JSONEachRow, else 0.
    ROWS_JSON = 4;
    /// Rows, number passed in: 1 to skip everything but prompt events, else 0.
    ROWS_PROMPT_EVENTS_ONLY = 5;
    /// Rows, number passed back: how many events were skipped.
    ROWS_SKIPPED = 6;
    /// Rows, number passed back: unix milliseconds of the newest event's `t`, or -1 without events.
    ROWS_NEWEST_MS = 7;
    /// Rows, number passed back: how many events were refused.
    ROWS_ERRORS = 8;
    /// Rows, numbers passed back: how many rows each table has, in the order of `ROW_TABLES`.
    ROWS_COUNTS = 9;
    /// Rows, numbers passed back: how many bytes precede each table's first row.
    ROWS_HEADER_LENGTHS = 12;
    /// Rows: how many numbers pass in and back.
    ROWS_NUMBERS = 15;

    /// Packed, unknown field: it belongs to the values.
    SECTION_VALUES = 0;
    /// Packed, unknown field: it belongs to the attributes.
    SECTION_ATTRIBUTES = 1;
}

/// Hashes everything that a binary and its JavaScript must agree on: the numbers above, the types and the tables.
pub fn layout() -> String {
    let mut text = String::new();
    for (name, value) in NUMBERS {
        let _ = writeln!(text, "{name} {value}");
    }
    for ty in FieldType::ALL {
        let _ = match ty.form() {
            Form::Bool => writeln!(text, "{} bool", ty.name()),
            Form::Uint { largest } => writeln!(text, "{} uint {largest} {}", ty.name(), ty.cell_words()),
            Form::Text => writeln!(text, "{} text", ty.name()),
            Form::Json => writeln!(text, "{} json", ty.name()),
            Form::List(item) => writeln!(text, "{} list {}", ty.name(), item.name()),
        };
    }
    for metric in METRICS {
        let _ = write!(text, "metric {} ", metric.id);
        if let Some(Dialect { attribute, container }) = metric.dialect {
            let _ = write!(text, "if {attribute} {container} ");
        }
        write_table(&mut text, metric.table);
    }
    write_table(&mut text, EventAttributes::TABLE);
    content_hash(text.as_bytes())
}

fn write_table(text: &mut String, table: &Table) {
    let _ = writeln!(text, "{}", table.name);
    for field in table.fields {
        let _ = writeln!(text, "{} {} {}", field.position, field.name, field.ty.name());
    }
}
