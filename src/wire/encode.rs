//! Encodes events into an upload's bytes.

use super::event::{Event, Fields, Unknown};
use super::json::plain_prefix;
use super::slots::{Slot, Text, TextKind};
use super::table::{Record, Table};
use super::{EventAttributes, WIRE_VERSION};
use std::ops::Range;

/// Writes one upload: call `begin`, then `event` for each event, then `finish`. The output has no white space.
/// Positions ascend, and unknown fields come last.
pub struct BatchWriter {
    out: Vec<u8>,
    first: bool,
    /// Where the attributes with each index are in `out`. Most events share a few, and copying is faster than writing.
    attributes: Vec<Range<usize>>,
}

impl BatchWriter {
    /// Begins an upload. Clears `out` and writes into its memory.
    pub fn begin(mut out: Vec<u8>) -> Self {
        out.clear();
        out.extend_from_slice(b"{\"v\":");
        write_uint(&mut out, u64::from(WIRE_VERSION));
        out.extend_from_slice(b",\"events\":[");
        BatchWriter {
            out,
            first: true,
            attributes: Vec::new(),
        }
    }

    /// Appends an event.
    pub fn event(&mut self, event: Event<'_, '_>) {
        let out = &mut self.out;
        if !self.first {
            out.push(b',');
        }
        self.first = false;
        out.extend_from_slice(b"{\"t\":");
        write_uint(out, u64::from(event.timestamp));
        out.extend_from_slice(b",\"e\":");
        write_uint(out, u64::from(event.metric_id));
        out.extend_from_slice(b",\"v\":");
        write_fields(out, event.metric.map(|metric| metric.table), event.values);
        out.extend_from_slice(b",\"a\":");
        match self.attributes.get(event.attributes_index) {
            Some(written) if !written.is_empty() => out.extend_from_within(written.clone()),
            _ => {
                let start = out.len();
                write_fields(out, Some(EventAttributes::TABLE), event.attributes);
                let count = self.attributes.len().max(event.attributes_index + 1);
                self.attributes.resize(count, 0..0);
                self.attributes[event.attributes_index] = start..out.len();
            }
        }
        out.push(b'}');
    }

    /// Returns the whole upload, in the memory that was passed to `begin`.
    pub fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(b"]}");
        self.out
    }
}

/// Writes a record's fields as an object.
pub fn write_fields(out: &mut Vec<u8>, table: Option<&Table>, fields: &Fields<'_>) {
    out.push(b'{');
    let start = out.len();
    if let Some(table) = table {
        for (index, slot) in fields.slots.iter() {
            separate(out, start);
            let [tens, ones] = PAIRS[table.fields[index].position];
            match tens {
                b'0' => out.extend_from_slice(&[b'"', ones, b'"', b':']),
                _ => out.extend_from_slice(&[b'"', tens, ones, b'"', b':']),
            }
            write_slot(out, slot);
        }
    }
    for Unknown { position, json } in &fields.unknown {
        separate(out, start);
        write_text(out, *position);
        out.push(b':');
        out.extend_from_slice(json);
    }
    out.push(b'}');
}

#[inline]
fn separate(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.push(b',');
    }
}

fn write_slot(out: &mut Vec<u8>, slot: &Slot<'_>) {
    match *slot {
        Slot::Null => out.extend_from_slice(b"null"),
        Slot::Bool(true) => out.extend_from_slice(b"true"),
        Slot::Bool(false) => out.extend_from_slice(b"false"),
        Slot::Uint(value) => write_uint(out, value),
        Slot::Text(text) => write_text(out, text),
        Slot::Json(text) => out.extend_from_slice(text.bytes()),
        Slot::Uints(values) => write_list(out, values, |out, &value| write_uint(out, value)),
        Slot::Texts(texts) => write_list(out, texts, |out, &text| write_text(out, text)),
    }
}

fn write_list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    let start = out.len();
    for item in items {
        separate(out, start);
        write(out, item);
    }
    out.push(b']');
}

/// Writes an integer in decimal digits.
#[inline]
pub fn write_uint(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    // Two digits at a time, because the time goes into divisions.
    while value >= 10 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[(value % 100) as usize]);
        value /= 100;
    }
    if value > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + value as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

/// The two digits of each number below 100. Positions are below 64.
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut i = 0;
    while i < pairs.len() {
        pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    pairs
};

/// Writes a JSON string like `JSON.stringify`: escapes only what JSON requires, and lone surrogates as `\udXXX`.
#[inline]
pub fn write_text(out: &mut Vec<u8>, text: Text<'_>) {
    out.push(b'"');
    match text.kind() {
        TextKind::Ascii | TextKind::Utf8 => write_run(out, text.bytes()),
        TextKind::Wtf8 => {
            for (run, surrogate) in text.runs() {
                write_run(out, run);
                if let Some(unit) = surrogate {
                    // By hand: a text may hold nothing else, and formatting would take most of an upload's time.
                    let digit = |shift: u32| b"0123456789abcdef"[usize::from(unit >> shift & 0xF)];
                    out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
                }
            }
        }
    }
    out.push(b'"');
}

#[inline]
fn write_run(out: &mut Vec<u8>, mut rest: &[u8]) {
    loop {
        let (run, special) = rest.split_at(plain_prefix(rest));
        out.extend_from_slice(run);
        let [byte, after @ ..] = special else { return };
        write_escape(out, *byte);
        rest = after;
    }
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    let letter = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\t' => b't',
        b'\r' => b'r',
        0x08 => b'b',
        0x0C => b'f',
        _ => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xF)]]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}
