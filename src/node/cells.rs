//! Events as cells: the form in which they cross to JavaScript, where `lib/decode.js` builds objects of them.
//!
//! A crossing costs 50 to 500 ns whatever it carries, so nothing crosses alone: numbers go as words of one typed array,
//! strings as the arguments of a few calls. A string is made once however often the batch repeats it, and is a string
//! of its own, so that keeping one doesn't keep the batch.
//!
//! | region | words |
//! |---|---|
//! | header | where each region below begins, and how many records it holds |
//! | lists | per list: count, then the items |
//! | attributes | per distinct attribute object: a record |
//! | events | per event: timestamp, number of its attributes' record, metric id, a record |
//! | shapes | per set of fields: table number, flags, set fields (2 words), null fields (2 words) |
//! | errors | per refused event: index, code, message |
//!
//! A record is the number of its shape, then the set fields that aren't null in the order of the table: bool and u32 as
//! one word, u64 as two (low, high), a string as its number, a list as its place. If the shape has the flag `UNKNOWN`,
//! the count of unknown fields and two strings for each follow.

use super::error::{Failure, node_failure};
use crate::wire::error::{EventError, EventErrorCode};
use crate::wire::event::{Consumer, Event, Fields};
use crate::wire::slots::{Slot, Text, TextKind};
use crate::wire::table::{FieldType, Record, Table};
use crate::wire::{EventAttributes, METRICS};
use napi::bindgen_prelude::{Function, JsValuesTupleIntoVec};

use napi::{Env, JsValue, sys};

const HEADER: usize = 7;

/// Table numbers of a shape that aren't a metric's place in `METRICS`.
const UNKNOWN_METRIC: u32 = 0xFFFE;
const ATTRIBUTES: u32 = 0xFFFF;

/// A shape's flag: unknown fields follow.
const UNKNOWN: u32 = 1;

/// Strings that go over in one call. More arguments would need more stack than every thread has.
const STRINGS_A_CALL: usize = 512;

/// The function that takes strings, in the order of their numbers.
pub type Collect<'env> = Function<'env, Strings, ()>;

/// Strings as the arguments of one call.
pub struct Strings(Vec<sys::napi_value>);

impl JsValuesTupleIntoVec for Strings {
    fn into_vec(self, _: sys::napi_env) -> napi::Result<Vec<sys::napi_value>> {
        Ok(self.0)
    }
}

/// The growing regions, kept from call to call: fresh memory of that size costs more in page faults than parsing does.
#[derive(Default)]
pub struct Buffers {
    lists: Vec<u32>,
    attributes: Vec<u32>,
    events: Vec<u32>,
    shapes: Vec<u32>,
    errors: Vec<u32>,
}

impl Buffers {
    fn clear(&mut self) {
        for region in [&mut self.lists, &mut self.attributes, &mut self.events, &mut self.shapes, &mut self.errors] {
            region.clear();
        }
    }
}

/// Writes cells as events come.
pub struct CellWriter<'env, 'a> {
    env: &'env Env,
    collect: &'env Collect<'env>,
    strings: Vec<sys::napi_value>,
    string_count: u32,
    interned: [Interned<'a>; INTERNED],
    shapes: [Shape; SHAPES],
    /// For each distinct attribute object of the batch, the number of its record.
    attribute_records: Vec<u32>,
    counts: Counts,
    buffers: Buffers,
    /// The first refusal of Node's, if any; what is written after it is void.
    failure: Option<Failure>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    attributes: u32,
    events: u32,
    shapes: u32,
    errors: u32,
}

/// A string that has crossed already. A table of a fixed size where a newcomer takes the place of the old: a miss
/// costs a string, never correctness, and a hostile batch can't make it grow or slow.
#[derive(Clone, Copy)]
struct Interned<'a> {
    bytes: &'a [u8],
    number: u32,
}

/// Stands for a number where there is none.
const UNUSED: u32 = u32::MAX;

const INTERNED: usize = 512;

/// Longer strings seldom repeat.
const LONGEST_INTERNED: usize = 64;

/// A set of fields with their states; the same kind of table.
#[derive(Clone, Copy, Default, PartialEq)]
struct Shape {
    table: u32,
    flags: u32,
    present: u64,
    null: u64,
    number: u32,
}

const SHAPES: usize = 64;

impl<'env, 'a> CellWriter<'env, 'a> {
    pub fn new(env: &'env Env, collect: &'env Collect<'env>, mut buffers: Buffers) -> Self {
        buffers.clear();
        CellWriter {
            env,
            collect,
            strings: Vec::with_capacity(STRINGS_A_CALL),
            string_count: 0,
            interned: [Interned { bytes: &[], number: UNUSED }; INTERNED],
            shapes: [Shape { number: UNUSED, ..Shape::default() }; SHAPES],
            attribute_records: Vec::new(),
            counts: Counts::default(),
            buffers,
            failure: None,
        }
    }

    /// Sends the last strings over and gives back the finished regions.
    pub fn finish(mut self, errors: &[EventError]) -> Result<Cells, Failure> {
        for error in errors {
            let code = EventErrorCode::ALL.iter().position(|&code| code == error.code).unwrap_or_default();
            let message = self.new_string(Text::from(error.error.as_str()));
            self.buffers.errors.extend([error.index as u32, code as u32, message]);
            self.counts.errors += 1;
        }
        self.send_strings();
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(Cells { counts: self.counts, buffers: self.buffers }),
        }
    }

    fn send_strings(&mut self) {
        if self.strings.is_empty() {
            return;
        }
        let strings = std::mem::replace(&mut self.strings, Vec::with_capacity(STRINGS_A_CALL));
        if let Err(error) = self.collect.call(Strings(strings)) {
            self.failure.get_or_insert(node_failure(error));
        }
    }

    /// The number of a string, which crosses if it hasn't yet.
    #[inline]
    fn string(&mut self, text: Text<'a>) -> u32 {
        let bytes = text.bytes();
        if bytes.len() > LONGEST_INTERNED {
            return self.new_string(text);
        }
        let place = hash(bytes) % INTERNED;
        let Interned { bytes: known, number } = self.interned[place];
        if number != UNUSED && known == bytes {
            return number;
        }
        let number = self.new_string(text);
        self.interned[place] = Interned { bytes, number };
        number
    }

    fn new_string(&mut self, text: Text<'_>) -> u32 {
        let string = match text.kind() {
            TextKind::Ascii => self.env.create_string_latin1(text.bytes()),
            TextKind::Utf8 => self.env.create_string(text.to_str()),
            TextKind::Wtf8 => self.env.create_string_utf16(text.to_utf16()),
        };
        match string {
            Ok(string) => self.strings.push(string.raw()),
            Err(error) => drop(self.failure.get_or_insert(node_failure(error))),
        }
        if self.strings.len() == STRINGS_A_CALL {
            self.send_strings();
        }
        self.string_count += 1;
        self.string_count - 1
    }

    #[inline]
    fn shape(&mut self, mut wanted: Shape) -> u32 {
        let mixed = (wanted.present ^ wanted.null.rotate_left(32) ^ u64::from(wanted.table << 1 | wanted.flags))
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let place = (mixed >> 58) as usize % SHAPES;
        wanted.number = self.shapes[place].number;
        if wanted.number != UNUSED && self.shapes[place] == wanted {
            return wanted.number;
        }
        wanted.number = self.counts.shapes;
        self.counts.shapes += 1;
        self.shapes[place] = wanted;
        let low_high = |mask: u64| [mask as u32, (mask >> 32) as u32];
        self.buffers.shapes.extend([wanted.table, wanted.flags]);
        self.buffers.shapes.extend(low_high(wanted.present));
        self.buffers.shapes.extend(low_high(wanted.null));
        wanted.number
    }

    /// Appends a record to `out`, which is the region it belongs to.
    #[inline]
    fn record(&mut self, out: &mut Vec<u32>, table_number: u32, table: Option<&Table>, fields: &Fields<'a>) {
        let shape_at = out.len();
        out.push(0);
        let mut null = 0;
        for (index, slot) in fields.slots.iter() {
            match *slot {
                Slot::Null => null |= 1 << index,
                Slot::Bool(value) => out.push(u32::from(value)),
                Slot::Text(text) => out.push(self.string(text)),
                Slot::Uint(value) => match table.map(|table| table.fields[index].ty) {
                    Some(FieldType::U32) => out.push(value as u32),
                    _ => out.extend(words(value)),
                },
                Slot::Uints(values) => {
                    out.push(self.list(values.len()));
                    match table.map(|table| table.fields[index].ty) {
                        Some(FieldType::U32List) => self.buffers.lists.extend(values.iter().map(|&value| value as u32)),
                        _ => self.buffers.lists.extend(values.iter().flat_map(|&value| words(value))),
                    }
                }
                Slot::Texts(texts) => {
                    out.push(self.list(texts.len()));
                    for &text in texts {
                        let number = self.string(text);
                        self.buffers.lists.push(number);
                    }
                }
            }
        }
        let mut flags = 0;
        if !fields.unknown.is_empty() {
            flags = UNKNOWN;
            out.push(fields.unknown.len() as u32);
            for unknown in &fields.unknown {
                let json_kind = if unknown.json.is_ascii() { TextKind::Ascii } else { TextKind::Utf8 };
                out.push(self.string(unknown.position));
                out.push(self.string(Text::new(unknown.json, json_kind)));
            }
        }
        out[shape_at] =
            self.shape(Shape { table: table_number, flags, present: fields.slots.present(), null, number: UNUSED });
    }

    /// Begins a list; its place is given back.
    fn list(&mut self, count: usize) -> u32 {
        let place = HEADER + self.buffers.lists.len();
        self.buffers.lists.push(count as u32);
        place as u32
    }

    fn attributes_record(&mut self, index: usize, fields: &Fields<'a>) -> u32 {
        if let Some(&number) = self.attribute_records.get(index)
            && number != UNUSED
        {
            return number;
        }
        let mut out = std::mem::take(&mut self.buffers.attributes);
        self.record(&mut out, ATTRIBUTES, Some(EventAttributes::TABLE), fields);
        self.buffers.attributes = out;
        let number = self.counts.attributes;
        self.counts.attributes += 1;
        // Attributes of refused events never get here, so numbers may be left out.
        self.attribute_records.resize(self.attribute_records.len().max(index + 1), UNUSED);
        self.attribute_records[index] = number;
        number
    }
}

impl<'a> Consumer<'a> for CellWriter<'_, 'a> {
    fn event(&mut self, event: Event<'_, 'a>) {
        let attributes = self.attributes_record(event.attributes_index, event.attributes);
        let mut out = std::mem::take(&mut self.buffers.events);
        out.extend([event.timestamp, attributes, u32::from(event.metric_id)]);
        let place = METRICS.iter().position(|metric| metric.id == event.metric_id);
        let table_number = place.map_or(UNKNOWN_METRIC, |place| place as u32);
        self.record(&mut out, table_number, event.metric.map(|metric| metric.table), event.values);
        self.buffers.events = out;
        self.counts.events += 1;
    }

    fn restart(&mut self) {
        self.buffers.clear();
        self.counts = Counts::default();
        self.attribute_records.clear();
        self.shapes = [Shape { number: UNUSED, ..Shape::default() }; SHAPES];
    }
}

/// The finished regions of one batch.
pub struct Cells {
    counts: Counts,
    buffers: Buffers,
}

impl Cells {
    pub fn len(&self) -> usize {
        let Buffers { lists, attributes, events, shapes, errors } = &self.buffers;
        HEADER + lists.len() + attributes.len() + events.len() + shapes.len() + errors.len()
    }

    /// Copies header and regions into `target`, which must have room for `len` words.
    pub fn copy_to(&self, target: &mut [u32]) {
        let Buffers { lists, attributes, events, shapes, errors } = &self.buffers;
        let Counts { events: event_count, shapes: shape_count, errors: error_count, .. } = self.counts;
        let attributes_at = HEADER + lists.len();
        let events_at = attributes_at + attributes.len();
        let shapes_at = events_at + events.len();
        let errors_at = shapes_at + shapes.len();
        let header: [u32; HEADER] = [
            attributes_at as u32,
            self.counts.attributes,
            event_count,
            shapes_at as u32,
            shape_count,
            errors_at as u32,
            error_count,
        ];
        let mut at = 0;
        for region in [&header[..], lists, attributes, events, shapes, errors] {
            target[at..at + region.len()].copy_from_slice(region);
            at += region.len();
        }
    }

    pub fn into_buffers(self) -> Buffers {
        self.buffers
    }
}

fn words(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// Mixes a string's length, first and last bytes; what they miss is only a string made twice.
#[inline]
fn hash(bytes: &[u8]) -> usize {
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        let length = bytes.len().min(8);
        word[..length].copy_from_slice(&bytes[..length]);
        u64::from_le_bytes(word)
    };
    let tail = &bytes[bytes.len().saturating_sub(8)..];
    let mixed = (word(bytes) ^ word(tail).rotate_left(29) ^ bytes.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 48) as usize
}
