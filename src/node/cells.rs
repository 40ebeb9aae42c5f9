//! Writes events as cells, the form in which they cross to JavaScript. `lib/decode.js` builds objects from them.
//!
//! Each crossing costs 50 to 500 ns, however small its content, so values cross together. Numbers are words of one
//! typed array; strings are arguments of a few calls. A repeated string is made once per batch, and a short one that
//! occurs in many batches once for all of them (see `lasting`). Each string has memory of its own, so keeping one
//! doesn't keep the batch.
//!
//! | region | words |
//! |---|---|
//! | header | see `HEADER_*` in `protocol` |
//! | lists | per list: count, then the items |
//! | attributes | per distinct attribute object: a record |
//! | events | per event: see `EVENT_*`, then a record |
//! | shapes | per set of fields that is new to this decoder: see `SHAPE_*` |
//! | lasting | per string that lasts from now on, then per string of an earlier batch: see `LASTING_*` |
//! | errors | per refused event: see `ERROR_*` |
//!
//! A record begins with the number of its shape. The set fields that aren't null follow in the order of the table. A
//! boolean or a string's number takes one word, an integer one or two (low, high), a list one (its place). If the shape
//! has the flag `SHAPE_HAS_UNKNOWN`, the count of unknown fields follows, with two strings for each.

use super::error::{Code, Failure, failure, node_failure};
use super::lasting::Lasting;
use super::latin1;
use crate::protocol::*;
use crate::wire::EventAttributes;
use crate::wire::error::EventError;
use crate::wire::event::{Consumer, Event, Fields};
use crate::wire::slots::{Slot, Text, TextKind};
use crate::wire::table::{Record, Table};
use bumpalo::Bump;
use napi::bindgen_prelude::{Function, JsValuesTupleIntoVec};
use napi::{Env, JsString, JsValue, sys};
use std::collections::HashMap;

/// How many strings cross in one call. More arguments could overflow the stack of a small thread.
const STRINGS_A_CALL: usize = 2048;

/// The JavaScript function that receives strings in the order of their numbers.
pub type Collect<'env> = Function<'env, Strings, ()>;

/// Strings as the arguments of one call.
pub struct Strings(Vec<sys::napi_value>);

impl JsValuesTupleIntoVec for Strings {
    fn into_vec(self, _: sys::napi_env) -> napi::Result<Vec<sys::napi_value>> {
        Ok(self.0)
    }
}

/// The regions while they grow, and what else grows. They are kept between calls, because fresh memory would cost more in page faults than
/// the parsing.
#[derive(Default)]
pub struct Buffers {
    lists: Vec<u32>,
    attributes: Vec<u32>,
    events: Vec<u32>,
    shapes: Vec<u32>,
    learned: Vec<u32>,
    recalled: Vec<u32>,
    errors: Vec<u32>,
    /// For each distinct attribute object of the batch, the number of its record.
    attribute_records: Vec<u32>,
}

impl Buffers {
    fn clear(&mut self) {
        self.clear_events();
        for region in [&mut self.shapes, &mut self.learned, &mut self.recalled] {
            region.clear();
        }
    }

    /// Keeps what has been numbered: new shapes and strings.
    fn clear_events(&mut self) {
        for region in [
            &mut self.lists,
            &mut self.attributes,
            &mut self.events,
            &mut self.errors,
            &mut self.attribute_records,
        ] {
            region.clear();
        }
    }
}

/// Receives events and writes them as cells.
pub struct CellWriter<'env, 'a> {
    env: &'env Env,
    collect: &'env Collect<'env>,
    strings: Vec<sys::napi_value>,
    string_count: u32,
    /// As many places as a power of two.
    interned: &'a mut [Interned<'a>],
    known: &'env mut Known,
    /// What JavaScript receives in the place of a string that it has.
    placeholder: sys::napi_value,
    counts: Counts,
    buffers: Buffers,
    /// Buffers for converting text that isn't ASCII.
    latin1: Vec<u8>,
    utf16: Vec<u16>,
    /// The first error of Node, if any. Everything written after it is discarded.
    failure: Option<Failure>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    attributes: u32,
    events: u32,
    errors: u32,
}

/// A string that has already crossed. The table doesn't grow: a new string replaces the old one at its place. A miss only
/// costs a second copy of a string, and a hostile batch can't slow the table down.
#[derive(Clone, Copy)]
struct Interned<'a> {
    bytes: &'a [u8],
    number: u32,
    /// A part of the hash. Comparing it first saves most looks at bytes that are far away.
    tag: u32,
}

/// The number of an unused place.
const UNUSED: u32 = u32::MAX;

/// How many places the table has at most. Small batches have small tables, which are quicker to clear.
const MOST_INTERNED: usize = 512;
const LEAST_INTERNED: usize = 32;

/// Bytes of a body for each place. Clients' batches need a place for each 80 to 200 bytes.
const BYTES_A_PLACE: usize = 64;

/// Longer strings rarely repeat, so they aren't interned.
const LONGEST_INTERNED: usize = 64;

/// A set of fields and whether each is null. Events of one kind set the same fields, so few shapes occur in practice.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Shape {
    table: u32,
    flags: u32,
    present: u64,
    null: u64,
}

/// What JavaScript knows from earlier batches.
#[derive(Default)]
pub struct Known {
    shapes: ShapeRegistry,
    lasting: Lasting,
    /// The number of the last batch.
    batch: u32,
}

impl Known {
    /// Prepares for a batch. `received` is the number of the last one that JavaScript has received, or 0. If the one before
    /// this failed and brought something new, everything is forgotten.
    pub fn begin(&mut self, received: u32) -> &mut Self {
        if received != self.batch && (self.shapes.has_new() || self.lasting.has_new()) {
            self.shapes.forget();
            self.lasting.forget();
        }
        self.batch = self.batch.wrapping_add(1);
        self.shapes.begin();
        self.lasting.begin();
        self
    }
}

/// The shapes that JavaScript knows, by number. Each shape crosses once, not once per batch.
///
/// Senders choose which sets of fields occur. So the registry is emptied when it has grown large.
#[derive(Default)]
struct ShapeRegistry {
    numbers: HashMap<Shape, u32>,
    /// The last shape at each place, which saves most look-ups in the map.
    recent: [Option<(Shape, u32)>; RECENT_SHAPES],
    /// How often the registry has been emptied.
    generation: u32,
    /// How many shapes JavaScript knew before the current batch.
    known: u32,
}

const RECENT_SHAPES: usize = 32;
const MOST_SHAPES: usize = 512;

impl ShapeRegistry {
    fn begin(&mut self) {
        if self.numbers.len() > MOST_SHAPES {
            self.forget();
        }
        self.known = self.numbers.len() as u32;
    }

    /// Whether the current batch has new shapes.
    fn has_new(&self) -> bool {
        self.numbers.len() != self.known as usize
    }

    fn forget(&mut self) {
        *self = ShapeRegistry {
            generation: self.generation.wrapping_add(1),
            ..Default::default()
        };
    }

    /// Returns the shape's number, and whether it is new.
    #[inline]
    fn number(&mut self, shape: Shape) -> (u32, bool) {
        // Multiplying by a large odd number mixes all bits into the upper ones.
        let mixed = (shape.present ^ shape.null.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let place = ((mixed >> 48) as usize ^ shape.table as usize ^ shape.flags as usize) % RECENT_SHAPES;
        if let Some((known, number)) = self.recent[place]
            && known == shape
        {
            return (number, false);
        }
        let next = self.numbers.len() as u32;
        let number = *self.numbers.entry(shape).or_insert(next);
        self.recent[place] = Some((shape, number));
        (number, number == next)
    }
}

impl<'env, 'a> CellWriter<'env, 'a> {
    /// `bytes` is about how many bytes of text will come.
    pub fn new(
        env: &'env Env,
        collect: &'env Collect<'env>,
        known: &'env mut Known,
        placeholder: sys::napi_value,
        mut buffers: Buffers,
        arena: &'a Bump,
        bytes: usize,
    ) -> Self {
        buffers.clear();
        let places = (bytes / BYTES_A_PLACE)
            .clamp(LEAST_INTERNED, MOST_INTERNED)
            .next_power_of_two();
        let unused = Interned {
            bytes: &[],
            number: UNUSED,
            tag: 0,
        };
        CellWriter {
            env,
            collect,
            strings: Vec::with_capacity(places),
            string_count: 0,
            interned: arena.alloc_slice_fill_copy(places, unused),
            known,
            placeholder,
            counts: Counts::default(),
            buffers,
            latin1: Vec::new(),
            utf16: Vec::new(),
            failure: None,
        }
    }

    /// Sends the last strings and returns the finished regions.
    pub fn finish(mut self, errors: &[EventError]) -> Result<Cells, Failure> {
        for error in errors {
            let code = self.string(Text::from(error.code.as_str()));
            let message = self.new_string(Text::from(error.error.as_str()));
            let mut described = [0; ERROR_WORDS as usize];
            put(&mut described, ERROR_INDEX, &[error.index as u32]);
            put(&mut described, ERROR_CODE, &[code]);
            put(&mut described, ERROR_MESSAGE, &[message]);
            self.buffers.errors.extend(described);
            self.counts.errors += 1;
        }
        self.send_strings();
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(Cells {
                counts: self.counts,
                batch: self.known.batch,
                shape_generation: self.known.shapes.generation,
                first_new_shape: self.known.shapes.known,
                buffers: self.buffers,
            }),
        }
    }

    fn send_strings(&mut self) {
        if self.strings.is_empty() {
            return;
        }
        let strings = std::mem::take(&mut self.strings);
        if let Err(error) = self.collect.call(Strings(strings)) {
            self.failure.get_or_insert(node_failure(error));
        }
    }

    /// Returns the number of a string. Sends the string unless it is interned.
    #[inline]
    fn string(&mut self, text: Text<'a>) -> u32 {
        let bytes = text.bytes();
        if bytes.len() > LONGEST_INTERNED {
            return self.new_string(text);
        }
        let hash = hash(bytes);
        let place = (hash >> 48) as usize & (self.interned.len() - 1);
        let tag = (hash >> 16) as u32;
        let known = self.interned[place];
        if known.tag == tag && known.number != UNUSED && same(known.bytes, bytes) {
            return known.number;
        }
        let number = match text.kind() {
            TextKind::Ascii => self.lasting_string(text, hash),
            TextKind::Utf8 | TextKind::Wtf8 => self.new_string(text),
        };
        self.interned[place] = Interned { bytes, number, tag };
        number
    }

    /// Returns the number of a string that may have occurred in earlier batches, or may occur in later ones.
    #[inline]
    fn lasting_string(&mut self, text: Text<'_>, hash: u64) -> u32 {
        let lasting = &mut self.known.lasting;
        if let Some(place) = lasting.find(text.bytes(), hash) {
            self.buffers.recalled.extend([self.string_count, place as u32]);
            return self.push_string(self.placeholder);
        }
        if let Some(place) = lasting.learn(text.bytes(), hash) {
            self.buffers.learned.extend([self.string_count, place as u32]);
        }
        self.new_string(text)
    }

    fn new_string(&mut self, text: Text<'_>) -> u32 {
        let string = match text.kind() {
            TextKind::Ascii => self.env.create_string_latin1(text.bytes()),
            TextKind::Utf8 => self.utf8_string(text.bytes()),
            TextKind::Wtf8 => self.env.create_string_utf16(text.to_utf16()),
        };
        let value = match string {
            Ok(string) => string.raw(),
            Err(_) => {
                self.failure.get_or_insert_with(|| too_long(text));
                self.placeholder
            }
        };
        self.push_string(value)
    }

    #[inline]
    fn push_string(&mut self, value: sys::napi_value) -> u32 {
        self.strings.push(value);
        if self.strings.len() == STRINGS_A_CALL {
            self.send_strings();
        }
        self.string_count += 1;
        self.string_count - 1
    }

    /// Makes a string of text that isn't ASCII. Node can decode UTF-8 itself, but takes twice as long.
    fn utf8_string(&mut self, bytes: &[u8]) -> napi::Result<JsString<'env>> {
        if latin1::is_latin1(bytes) {
            let room = &mut self.latin1;
            room.resize(room.len().max(bytes.len()), 0);
            let length = latin1::convert(bytes, room);
            self.env.create_string_latin1(&room[..length])
        } else {
            let utf16 = &mut self.utf16;
            // The conversion requires one unit more than the text can have.
            utf16.resize(utf16.len().max(bytes.len() + 1), 0);
            let length = encoding_rs::mem::convert_utf8_to_utf16(bytes, utf16);
            self.env.create_string_utf16(&utf16[..length])
        }
    }

    #[inline]
    fn shape(&mut self, shape: Shape) -> u32 {
        let (number, new) = self.known.shapes.number(shape);
        if new {
            let Shape {
                table,
                flags,
                present,
                null,
            } = shape;
            let mut described = [0; SHAPE_WORDS as usize];
            put(&mut described, SHAPE_TABLE, &[table]);
            put(&mut described, SHAPE_FLAGS, &[flags]);
            put(&mut described, SHAPE_PRESENT, &words(present));
            put(&mut described, SHAPE_NULL, &words(null));
            self.buffers.shapes.extend(described);
        }
        number
    }

    /// Appends a record to `out`, the record's region.
    #[inline]
    fn record(&mut self, out: &mut Vec<u32>, table_number: u32, table: Option<&Table>, fields: &Fields<'a>) {
        // The shape is known only after the loop over the fields.
        let shape_at = out.len();
        out.push(0);
        let mut null = 0;
        for (index, slot) in fields.slots.iter() {
            match *slot {
                Slot::Null => null |= 1 << index,
                Slot::Bool(value) => out.push(u32::from(value)),
                Slot::Text(text) | Slot::Json(text) => out.push(self.string(text)),
                Slot::Uint(value) => match cell_words(table, index) {
                    1 => out.push(value as u32),
                    _ => out.extend(words(value)),
                },
                Slot::Uints(values) => {
                    out.push(self.list(values.len()));
                    match cell_words(table, index) {
                        1 => self.buffers.lists.extend(values.iter().map(|&value| value as u32)),
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
            flags = SHAPE_HAS_UNKNOWN;
            out.push(fields.unknown.len() as u32);
            for unknown in &fields.unknown {
                let json_kind = if unknown.json.is_ascii() {
                    TextKind::Ascii
                } else {
                    TextKind::Utf8
                };
                out.push(self.string(unknown.position));
                out.push(self.string(Text::new(unknown.json, json_kind)));
            }
        }
        out[shape_at] = self.shape(Shape {
            table: table_number,
            flags,
            present: fields.slots.present(),
            null,
        });
    }

    /// Begins a list and returns its place.
    fn list(&mut self, count: usize) -> u32 {
        let place = HEADER_WORDS as usize + self.buffers.lists.len();
        self.buffers.lists.push(count as u32);
        place as u32
    }

    fn attributes_record(&mut self, index: usize, fields: &Fields<'a>) -> u32 {
        if let Some(&number) = self.buffers.attribute_records.get(index)
            && number != UNUSED
        {
            return number;
        }
        let mut out = std::mem::take(&mut self.buffers.attributes);
        self.record(&mut out, ATTRIBUTES_TABLE, Some(EventAttributes::TABLE), fields);
        self.buffers.attributes = out;
        let number = self.counts.attributes;
        self.counts.attributes += 1;
        // Attributes of refused events never get here, so some indexes stay unused.
        let records = &mut self.buffers.attribute_records;
        records.resize(records.len().max(index + 1), UNUSED);
        records[index] = number;
        number
    }
}

impl<'a> Consumer<'a> for CellWriter<'_, 'a> {
    fn event(&mut self, event: Event<'_, 'a>) {
        let attributes = self.attributes_record(event.attributes_index, event.attributes);
        let mut out = std::mem::take(&mut self.buffers.events);
        let mut head = [0; EVENT_WORDS as usize];
        put(&mut head, EVENT_TIMESTAMP, &[event.timestamp]);
        put(&mut head, EVENT_ATTRIBUTES, &[attributes]);
        put(&mut head, EVENT_METRIC_ID, &[u32::from(event.metric_id)]);
        out.extend(head);
        let table_number = event.metric.map_or(UNKNOWN_METRIC, |metric| metric.number as u32);
        self.record(
            &mut out,
            table_number,
            event.metric.map(|metric| metric.table),
            event.values,
        );
        self.buffers.events = out;
        self.counts.events += 1;
    }

    fn restart(&mut self) {
        self.buffers.clear_events();
        self.counts = Counts::default();
    }
}

/// The finished regions of one batch.
pub struct Cells {
    counts: Counts,
    batch: u32,
    shape_generation: u32,
    first_new_shape: u32,
    buffers: Buffers,
}

impl Cells {
    /// The regions in the order in which they follow the header.
    fn regions(&self) -> [&[u32]; 7] {
        let Buffers {
            lists,
            attributes,
            events,
            shapes,
            learned,
            recalled,
            errors,
            attribute_records: _,
        } = &self.buffers;
        [lists, attributes, events, shapes, learned, recalled, errors]
    }

    pub fn len(&self) -> usize {
        HEADER_WORDS as usize + self.regions().iter().map(|region| region.len()).sum::<usize>()
    }

    /// Copies header and regions into `target`, which must have room for `len` words.
    pub fn copy_to(&self, target: &mut [u32]) {
        let mut starts = [0; 7];
        let mut at = HEADER_WORDS as usize;
        for (start, region) in starts.iter_mut().zip(self.regions()) {
            *start = at as u32;
            target[at..at + region.len()].copy_from_slice(region);
            at += region.len();
        }
        let [_, attributes_at, _, shapes_at, lasting_at, _, errors_at] = starts;
        let count = |region: &[u32], words: u32| (region.len() / words as usize) as u32;
        let Counts {
            attributes,
            events,
            errors,
        } = self.counts;
        for (place, word) in [
            (HEADER_ATTRIBUTES_AT, attributes_at),
            (HEADER_ATTRIBUTES, attributes),
            (HEADER_EVENTS, events),
            (HEADER_SHAPES_AT, shapes_at),
            (HEADER_GENERATION, self.shape_generation),
            (HEADER_FIRST_SHAPE, self.first_new_shape),
            (HEADER_SHAPES, count(&self.buffers.shapes, SHAPE_WORDS)),
            (HEADER_ERRORS_AT, errors_at),
            (HEADER_ERRORS, errors),
            (HEADER_BATCH, self.batch),
            (HEADER_LASTING_AT, lasting_at),
            (HEADER_LEARNED, count(&self.buffers.learned, LASTING_WORDS)),
            (HEADER_RECALLED, count(&self.buffers.recalled, LASTING_WORDS)),
        ] {
            put(target, place, &[word]);
        }
    }

    pub fn into_buffers(self) -> Buffers {
        self.buffers
    }
}

/// A string that is too long is the only one that Node refuses.
#[cold]
fn too_long(text: Text<'_>) -> Failure {
    let message = format!(
        "the body has a text of {} bytes, which is longer than a JavaScript string can be",
        text.bytes().len()
    );
    failure(Code::BODY_TOO_LARGE, message)
}

/// Returns how many words a value of this field takes. For a list, the words of each item.
#[inline]
fn cell_words(table: Option<&Table>, index: usize) -> usize {
    table.map_or(1, |table| table.fields[index].ty.cell_words())
}

/// Writes words at a place that `protocol` defines.
#[inline]
fn put(target: &mut [u32], place: u32, words: &[u32]) {
    target[place as usize..][..words.len()].copy_from_slice(words);
}

fn words(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// Whether two strings are equal. For strings of 8 to 32 bytes this is quicker than a call of `memcmp`.
#[inline]
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    /// Compares the first and the last `N` bytes, which are all, as the strings have `N` to `2 * N`.
    #[inline]
    fn same_ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
        a.first_chunk::<N>() == b.first_chunk() && a.last_chunk::<N>() == b.last_chunk()
    }
    a.len() == b.len()
        && match a.len() {
            8..16 => same_ends::<8>(a, b),
            16..=32 => same_ends::<16>(a, b),
            _ => a == b,
        }
}

/// Hashes a string's length, first and last eight bytes. A collision only means that a string is made twice.
#[inline]
fn hash(bytes: &[u8]) -> u64 {
    let ends = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29),
        _ => bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    };
    (ends ^ bytes.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
