//! Decodes an upload's bytes into events, in one pass.

use super::error::{BatchError, EventError, EventErrorCode, excerpt};
use super::event::{Consumer, Event, Fields, Unknown, metric_of, metrics_of};
use super::json::{Cursor, JsonError, Number};
use super::slots::{Slot, Slots, Text};
use super::table::{FieldType, Form, MAX_FIELDS, Metric, Record, Table};
use super::{DEFAULT_MAX_BYTES, DEFAULT_MAX_EVENTS, EventAttributes, MAX_UNKNOWN_FIELDS, WIRE_VERSION};
use bumpalo::{Bump, collections::Vec as BumpVec};
use std::collections::HashMap;

/// Limits for one body.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most events. A body with more is refused as a whole.
    pub max_events: usize,
    /// The most bytes.
    pub max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_events: DEFAULT_MAX_EVENTS,
            max_bytes: DEFAULT_MAX_BYTES,
        }
    }
}

/// Decodes `body`. Passes each valid event to `consumer` in the body's order and returns errors for the others. If this
/// fails, discard the events that `consumer` has received.
///
/// Texts with escapes are unescaped into `arena`. Everything else is borrowed from `body`.
pub fn decode_batch<'a>(
    body: &'a [u8],
    limits: &Limits,
    arena: &'a Bump,
    consumer: &mut impl Consumer<'a>,
) -> Result<Vec<EventError>, BatchError> {
    if body.len() > limits.max_bytes {
        return Err(BatchError::TooLarge {
            bytes: body.len(),
            max: limits.max_bytes,
        });
    }
    let located = |error: JsonError| {
        let (line, column) = error.line_and_column(body);
        BatchError::Json {
            line,
            column,
            problem: error.problem,
        }
    };
    let mut decoder = Decoder {
        cursor: {
            let mut cursor = Cursor::new(body, arena).map_err(located)?;
            cursor.note_long_strings();
            cursor
        },
        arena,
        max_events: limits.max_events,
        values: Fields::default(),
        new_attributes: Fields::default(),
        recent: RecentAttributes::new(),
        errors: Vec::new(),
    };
    let envelope = decoder.batch(consumer).map_err(located)?;
    envelope.check(limits.max_events)?;
    Ok(decoder.errors)
}

/// The members of a batch's object. They are checked only after the whole body has proved to be JSON, so that invalid
/// JSON is always reported as such.
#[derive(Default)]
struct Envelope<'a> {
    /// The body's text if it isn't an object.
    not_an_object: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    events: Option<EventList<'a>>,
}

enum EventList<'a> {
    Counted(usize),
    NotAnArray(&'a [u8]),
}

impl Envelope<'_> {
    fn check(&self, max_events: usize) -> Result<(), BatchError> {
        if let Some(raw) = self.not_an_object {
            return Err(BatchError::Shape(format!("found {}", excerpt(raw))));
        }
        match self.version {
            None => return Err(BatchError::Shape("\"v\" is missing".to_owned())),
            Some([b'-' | b'0'..=b'9', ..]) => {}
            Some(raw) => return Err(BatchError::Shape(format!("found \"v\": {}", excerpt(raw)))),
        }
        if let Some(raw) = self.version.filter(|raw| *raw != WIRE_VERSION.to_string().as_bytes()) {
            return Err(BatchError::Version(excerpt(raw)));
        }
        match self.events {
            None => Err(BatchError::Shape("\"events\" is missing".to_owned())),
            Some(EventList::NotAnArray(raw)) => Err(BatchError::Shape(format!("found \"events\": {}", excerpt(raw)))),
            Some(EventList::Counted(count)) if count > max_events => {
                Err(BatchError::TooManyEvents { count, max: max_events })
            }
            Some(EventList::Counted(_)) => Ok(()),
        }
    }
}

struct Decoder<'a> {
    cursor: Cursor<'a>,
    arena: &'a Bump,
    max_events: usize,
    /// The values of the current event.
    values: Fields<'a>,
    /// The attributes of the current event, unless they are among the recent ones.
    new_attributes: Fields<'a>,
    recent: RecentAttributes<'a>,
    errors: Vec<EventError>,
}

/// The members of an event's object so far. A duplicate key overwrites the earlier one.
#[derive(Default)]
struct Members<'a> {
    timestamp: Option<Scalar<'a>>,
    metric_id: Option<Scalar<'a>>,
    values: Option<Result<Values, &'a [u8]>>,
    attributes: Option<Result<Attributes<'a>, &'a [u8]>>,
}

/// The value of `t` or `e`.
#[derive(Clone, Copy)]
struct Scalar<'a> {
    raw: &'a [u8],
    uint: Option<u64>,
}

/// An object under `v`.
#[derive(Clone, Copy)]
struct Values {
    start: usize,
    /// The metric id for which the values were read, and the metric whose table was used. `None` if they haven't been
    /// read, because the id comes after them.
    read_as: Option<(u16, Option<&'static Metric>)>,
}

/// An object under `a`.
#[derive(Clone, Copy)]
enum Attributes<'a> {
    /// The place of one of the recent objects.
    Recent(usize),
    /// The object that was read into `new_attributes`.
    New { raw: &'a [u8] },
}

impl<'a> Decoder<'a> {
    fn batch(&mut self, consumer: &mut impl Consumer<'a>) -> Result<Envelope<'a>, JsonError> {
        let mut envelope = Envelope::default();
        if self.cursor.peek() != Some(b'{') {
            envelope.not_an_object = Some(self.cursor.skip_value()?);
        } else {
            let mut more = self.cursor.open_object()?;
            while more {
                match self.cursor.key()?.bytes() {
                    b"v" => envelope.version = Some(self.cursor.skip_value()?),
                    b"events" => {
                        // As in `JSON.parse`, the last of duplicate keys counts.
                        if envelope.events.is_some() {
                            self.errors.clear();
                            self.recent = RecentAttributes::new();
                            consumer.restart();
                        }
                        envelope.events = Some(if self.cursor.peek() == Some(b'[') {
                            EventList::Counted(self.events(consumer)?)
                        } else {
                            EventList::NotAnArray(self.cursor.skip_value()?)
                        });
                    }
                    _ => drop(self.cursor.skip_value()?),
                }
                more = self.cursor.next_member()?;
            }
        }
        self.cursor.end()?;
        Ok(envelope)
    }

    fn events(&mut self, consumer: &mut impl Consumer<'a>) -> Result<usize, JsonError> {
        let mut count = 0;
        let mut more = self.cursor.open_array()?;
        while more {
            if count < self.max_events {
                self.event(count, consumer)?;
            } else {
                // Only count the rest, for the error's message.
                self.cursor.skip_value()?;
            }
            count += 1;
            more = self.cursor.next_element()?;
        }
        Ok(count)
    }

    fn event(&mut self, index: usize, consumer: &mut impl Consumer<'a>) -> Result<(), JsonError> {
        if self.cursor.peek() != Some(b'{') {
            let raw = self.cursor.skip_value()?;
            self.refuse(index, "", EventErrorCode::WrongType, "an object", Some(raw));
            return Ok(());
        }
        let mut members = Members::default();
        let mut more = self.plain_head(&mut members) || self.cursor.open_object()?;
        while more {
            self.member(&mut members)?;
            more = self.cursor.next_member()?;
        }
        self.finish(index, members, consumer)
    }

    /// Fast path: reads time and metric id in the form that clients write, `{"t":1775587555,"e":5,`. Returns `false` and
    /// consumes nothing if the event begins in any other way.
    #[inline]
    fn plain_head(&mut self, members: &mut Members<'a>) -> bool {
        let start = self.cursor.position();
        let read = (|| {
            let timestamp = self.cursor.plain_uint_after(b"{\"t\":")?;
            let metric_id = self.cursor.plain_uint_after(b",\"e\":")?;
            self.cursor.eat(b",").then_some((timestamp, metric_id))
        })();
        match read {
            Some((timestamp, metric_id)) => {
                members.timestamp = Some(Scalar::from(timestamp));
                members.metric_id = Some(Scalar::from(metric_id));
                true
            }
            None => {
                self.cursor.rewind(start);
                false
            }
        }
    }

    #[inline]
    fn member(&mut self, members: &mut Members<'a>) -> Result<(), JsonError> {
        self.cursor.peek();
        let letter = match self.cursor.plain_letter() {
            Some(letter) => letter,
            None => match *self.cursor.key()?.bytes() {
                [letter] => letter,
                _ => 0,
            },
        };
        match letter {
            b't' => members.timestamp = Some(self.scalar()?),
            b'e' => members.metric_id = Some(self.scalar()?),
            b'v' => {
                // Clients write `e` before `v`. If `e` comes later, `settle_values` reads the values.
                let metric_id = members.metric_id.and_then(|scalar| scalar.to_u16());
                members.values = Some(if self.cursor.peek() == Some(b'{') {
                    let start = self.cursor.position();
                    let read_as = match metric_id {
                        Some(id) => Some((id, self.read_likely_values(id)?)),
                        None => {
                            self.cursor.skip_value()?;
                            None
                        }
                    };
                    Ok(Values { start, read_as })
                } else {
                    Err(self.cursor.skip_value()?)
                });
            }
            b'a' => {
                members.attributes = Some(if self.cursor.peek() == Some(b'{') {
                    Ok(self.read_attributes()?)
                } else {
                    Err(self.cursor.skip_value()?)
                });
            }
            _ => drop(self.cursor.skip_value()?),
        }
        Ok(())
    }

    #[inline]
    fn scalar(&mut self) -> Result<Scalar<'a>, JsonError> {
        if let Some(b'0'..=b'9') = self.cursor.peek() {
            return Ok(self.cursor.number()?.into());
        }
        Ok(Scalar {
            raw: self.cursor.skip_value()?,
            uint: None,
        })
    }

    /// Reads values with the table of the most likely metric and returns that metric. If metrics share the id, only the
    /// attributes can decide, and clients write them after the values.
    #[inline]
    fn read_likely_values(&mut self, id: u16) -> Result<Option<&'static Metric>, JsonError> {
        let metric = metrics_of(id).iter().find(|metric| {
            metric.dialect.is_none_or(|dialect| {
                let position = metric.table.fields[dialect.container].position;
                self.cursor.starts_with_container_at(position)
            })
        });
        self.read_values(metric)?;
        Ok(metric)
    }

    fn read_values(&mut self, metric: Option<&'static Metric>) -> Result<(), JsonError> {
        self.values.clear();
        let table = metric.map(|metric| metric.table);
        read_fields(&mut self.cursor, self.arena, table, &mut self.values)
    }

    /// Makes sure that the values were read with the right table, and returns the metric. At this point all other
    /// members are known. At worst the values are read three times, twice of them here.
    fn settle_values(
        &mut self,
        values: Values,
        id: u16,
        attributes: Attributes<'a>,
    ) -> Result<Option<&'static Metric>, JsonError> {
        let here = self.cursor.position();
        let read_as = match values.read_as {
            Some((read_for, metric)) if read_for == id => metric,
            _ => {
                self.cursor.rewind(values.start);
                self.read_likely_values(id)?
            }
        };
        let metric = metric_of(id, &self.values, self.attribute_fields(attributes));
        if metric.map(|metric| metric.number) != read_as.map(|metric| metric.number) {
            self.cursor.rewind(values.start);
            self.read_values(metric)?;
        }
        self.cursor.rewind(here);
        Ok(metric)
    }

    fn attribute_fields(&self, attributes: Attributes<'a>) -> &Fields<'a> {
        match attributes {
            Attributes::Recent(place) => &self.recent.objects[place].fields,
            Attributes::New { .. } => &self.new_attributes,
        }
    }

    fn read_attributes(&mut self) -> Result<Attributes<'a>, JsonError> {
        if let Some(place) = self.recent.find(&mut self.cursor) {
            return Ok(Attributes::Recent(place));
        }
        let start = self.cursor.position();
        self.new_attributes.clear();
        let table = Some(EventAttributes::TABLE);
        read_fields(&mut self.cursor, self.arena, table, &mut self.new_attributes)?;
        Ok(Attributes::New {
            raw: self.cursor.since(start),
        })
    }

    /// Checks an event's members. Passes the event to the consumer, or records its first error.
    fn finish(
        &mut self,
        index: usize,
        members: Members<'a>,
        consumer: &mut impl Consumer<'a>,
    ) -> Result<(), JsonError> {
        use EventErrorCode::{MissingKey, OutOfRange, TooManyFields, WrongType};
        const T: (&str, &str) = (".t", "a u32 of unix seconds");
        const E: (&str, &str) = (".e", "a u16 metric id");
        const V: (&str, &str) = (".v", "an object of values");
        const A: (&str, &str) = (".a", "an object of attributes");

        let wrong = |scalar: Scalar<'a>| {
            (
                if scalar.is_integer() { OutOfRange } else { WrongType },
                Some(scalar.raw),
            )
        };
        let timestamp = members.timestamp.ok_or((MissingKey, None));
        let timestamp = timestamp
            .and_then(|t| t.to_u32().ok_or_else(|| wrong(t)))
            .map_err(|fault| (T, fault));
        let metric_id = members.metric_id.ok_or((MissingKey, None));
        let metric_id = metric_id
            .and_then(|e| e.to_u16().ok_or_else(|| wrong(e)))
            .map_err(|fault| (E, fault));
        let values = match members.values {
            None => Err((V, (MissingKey, None))),
            Some(values) => values.map_err(|raw| (V, (WrongType, Some(raw)))),
        };
        let attributes = match members.attributes {
            None => Err((A, (MissingKey, None))),
            Some(attributes) => attributes.map_err(|raw| (A, (WrongType, Some(raw)))),
        };

        let checked = (|| Ok((timestamp?, metric_id?, values?, attributes?)))();
        let (timestamp, metric_id, values, attributes) = match checked {
            Ok(members) => members,
            Err(((place, expected), (code, found))) => {
                self.refuse(index, place, code, expected, found);
                return Ok(());
            }
        };
        let metric = self.settle_values(values, metric_id, attributes)?;
        if Fields::are_too_many(&self.values, self.attribute_fields(attributes)) {
            let expected = format!("at most {MAX_UNKNOWN_FIELDS} unknown fields");
            self.refuse(index, "", TooManyFields, &expected, Some(b"more"));
            return Ok(());
        }
        let place = match attributes {
            Attributes::Recent(place) => place,
            // Remembered only here, after the checks: attributes of refused events and of overridden keys must not be.
            Attributes::New { raw } => self.recent.add(raw, &mut self.new_attributes),
        };
        let attributes = &self.recent.objects[place];
        consumer.event(Event {
            index,
            timestamp,
            metric_id,
            metric,
            values: &self.values,
            attributes: &attributes.fields,
            attributes_index: attributes.index,
            cursor: Some(&self.cursor),
        });
        Ok(())
    }

    #[cold]
    fn refuse(&mut self, index: usize, place: &str, code: EventErrorCode, expected: &str, found: Option<&[u8]>) {
        let found = found.map_or("nothing".to_owned(), excerpt);
        let error = format!("events[{index}]{place}: expected {expected}, found {found}");
        self.errors.push(EventError { index, code, error });
    }
}

impl<'a> From<Number<'a>> for Scalar<'a> {
    fn from(Number { raw, uint }: Number<'a>) -> Self {
        Scalar { raw, uint }
    }
}

impl Scalar<'_> {
    fn to_u32(self) -> Option<u32> {
        self.uint.and_then(|uint| u32::try_from(uint).ok())
    }

    fn to_u16(self) -> Option<u16> {
        self.uint.and_then(|uint| u16::try_from(uint).ok())
    }

    /// Whether the text is an integer of any size and sign. `-0` isn't: it is a float, since no integer is written so.
    fn is_integer(self) -> bool {
        let digits = self.raw.strip_prefix(b"-").unwrap_or(self.raw);
        digits.iter().all(u8::is_ascii_digit) && self.raw != b"-0"
    }
}

/// The attribute objects used last. A batch interleaves events of a few sessions, and all events of a session have the
/// same attributes. If there are more sessions than places, objects are read again, which only costs time.
#[derive(Default)]
struct RecentAttributes<'a> {
    objects: [AttributesObject<'a>; RECENT],
    /// Places in `objects`, most recently used first.
    order: [usize; RECENT],
    /// How many objects have been added so far.
    count: usize,
}

#[derive(Default)]
struct AttributesObject<'a> {
    /// The object's text. Empty if the place is unused, since no object has an empty text.
    raw: &'a [u8],
    fields: Fields<'a>,
    /// How many objects were added before this one.
    index: usize,
}

const RECENT: usize = 4;

impl<'a> RecentAttributes<'a> {
    fn new() -> Self {
        RecentAttributes {
            order: std::array::from_fn(|place| place),
            ..Default::default()
        }
    }

    /// Consumes the next object and returns its place if the input continues with exactly the bytes of a recent one. A
    /// complete object can't be the prefix of a longer one, so this always matches the whole object.
    #[inline]
    fn find(&mut self, cursor: &mut Cursor<'a>) -> Option<usize> {
        for turn in 0..RECENT {
            let place = self.order[turn];
            let raw = self.objects[place].raw;
            if !raw.is_empty() && cursor.eat(raw) {
                self.order[..=turn].rotate_right(1);
                return Some(place);
            }
        }
        None
    }

    /// Replaces the least recently used object. Leaves the old one in `fields`, so that its memory is reused.
    fn add(&mut self, raw: &'a [u8], fields: &mut Fields<'a>) -> usize {
        self.order.rotate_right(1);
        let place = self.order[0];
        let object = &mut self.objects[place];
        object.raw = raw;
        object.index = self.count;
        std::mem::swap(&mut object.fields, fields);
        self.count += 1;
        place
    }
}

/// Reads the next object. A value goes to its slot if its position is in `table` and it has the field's type.
/// Everything else is kept as an unknown field.
fn read_fields<'a>(
    cursor: &mut Cursor<'a>,
    arena: &'a Bump,
    table: Option<&Table>,
    fields: &mut Fields<'a>,
) -> Result<(), JsonError> {
    let mut distinct = Distinct::default();
    let mut more = cursor.open_object()?;
    while more {
        cursor.peek();
        let key_at = cursor.position();
        let (index, key) = match cursor.plain_position() {
            Some(position) => (table.and_then(|table| table.field_at(position)), None),
            None => {
                let key = cursor.key()?;
                (table.and_then(|table| table.field_named(key.bytes())), Some(key))
            }
        };
        let field = index.and_then(|index| table.map(|table| (index, &table.fields[index])));
        let raw = match field {
            None => Some(cursor.skip_value()?),
            Some((index, field)) => read_value(cursor, arena, field.ty, index, &mut fields.slots)?,
        };
        if let Some(json) = raw {
            let position = match key {
                Some(key) => key,
                None => plain_key(cursor, key_at)?,
            };
            distinct.push(Unknown { position, json }, fields);
        }
        more = cursor.next_member()?;
    }
    if !fields.unknown.is_empty() {
        distinct.drop_overridden(table, fields);
    }
    Ok(())
}

/// Reads a key again as text, after `plain_position` has consumed it.
#[cold]
fn plain_key<'a>(cursor: &mut Cursor<'a>, key_at: usize) -> Result<Text<'a>, JsonError> {
    let here = cursor.position();
    cursor.rewind(key_at);
    let key = cursor.string()?;
    cursor.rewind(here);
    Ok(key)
}

/// Collects the unknown fields of one object. Of duplicate keys the last one wins.
#[derive(Default)]
struct Distinct<'a> {
    /// The last place of each key. Filled only once there are enough keys to exceed the limit.
    last: HashMap<&'a [u8], usize>,
    /// How many of the unknown fields are in `last`.
    counted: usize,
}

impl<'a> Distinct<'a> {
    /// More distinct keys than this are too many in any case. Up to this number, some may still turn out to be known:
    /// the values may be read again with another metric's table, and later values of the right type override earlier
    /// ones.
    const CERTAINLY_TOO_MANY: usize = MAX_UNKNOWN_FIELDS + 2 * MAX_FIELDS;

    #[inline]
    fn push(&mut self, field: Unknown<'a>, fields: &mut Fields<'a>) {
        if fields.too_many {
            return;
        }
        fields.unknown.push(field);
        if fields.unknown.len() > Self::CERTAINLY_TOO_MANY {
            self.count(fields);
        }
    }

    #[cold]
    fn count(&mut self, fields: &mut Fields<'a>) {
        for (place, field) in fields.unknown.iter().enumerate().skip(self.counted) {
            self.last.insert(field.position.bytes(), place);
        }
        self.counted = fields.unknown.len();
        if self.last.len() > Self::CERTAINLY_TOO_MANY {
            fields.too_many = true;
            fields.unknown.clear();
        }
    }

    /// Drops every unknown field whose key occurs again later.
    fn drop_overridden(mut self, table: Option<&Table>, fields: &mut Fields<'a>) {
        if fields.unknown.len() > 1 {
            self.count(fields);
            let mut place = 0;
            fields.unknown.retain(|field| {
                place += 1;
                self.last[field.position.bytes()] == place - 1
            });
        }
        let Fields { slots, unknown, .. } = fields;
        // A value of the wrong type unsets its slot. So if a slot is set, it was set after the last such value.
        let named = |position: Text<'_>| table.and_then(|table| table.field_named(position.bytes()));
        unknown.retain(|field| named(field.position).is_none_or(|index| slots.get(index).is_none()));
    }
}

/// Reads the next value as type `ty` into the slot at `index`. If it is of another type, unsets the slot and returns the
/// value's text.
///
/// Each arm writes its slot in place. A slot that is returned and then copied would be read back in other sizes than it was
/// written, which stalls the processor at every field.
#[inline]
fn read_value<'a>(
    cursor: &mut Cursor<'a>,
    arena: &'a Bump,
    ty: FieldType,
    index: usize,
    slots: &mut Slots<'a>,
) -> Result<Option<&'a [u8]>, JsonError> {
    match (cursor.peek(), ty.form()) {
        (Some(b'"'), Form::Text) => slots.set(index, Slot::Text(cursor.string()?)),
        (Some(b'0'..=b'9'), Form::Uint { largest }) => {
            let number = cursor.number()?;
            match number.uint {
                Some(uint) if uint <= largest => slots.set(index, Slot::Uint(uint)),
                _ => {
                    slots.unset(index);
                    return Ok(Some(number.raw));
                }
            }
        }
        (Some(b't' | b'f'), Form::Bool) => slots.set(index, Slot::Bool(cursor.bool()?)),
        (Some(b'n'), _) => {
            cursor.null()?;
            slots.set(index, Slot::Null);
        }
        (Some(b'['), Form::List(item)) => match read_list(cursor, arena, item)? {
            Ok(list) => slots.set(index, list),
            Err(raw) => {
                slots.unset(index);
                return Ok(Some(raw));
            }
        },
        (_, Form::Json) => slots.set(index, Slot::Json(cursor.raw_value()?)),
        _ => {
            slots.unset(index);
            return Ok(Some(cursor.skip_value()?));
        }
    }
    Ok(None)
}

/// Reads the next array as a list of `item`. If any element is of another type, the whole list counts as one: returns `Err`
/// with its text.
#[inline(never)]
fn read_list<'a>(
    cursor: &mut Cursor<'a>,
    arena: &'a Bump,
    item: FieldType,
) -> Result<Result<Slot<'a>, &'a [u8]>, JsonError> {
    let start = cursor.position();
    let mut uints = BumpVec::new_in(arena);
    let mut texts = BumpVec::new_in(arena);
    let mut more = cursor.open_array()?;
    while more {
        match (cursor.peek(), item.form()) {
            (Some(b'"'), Form::Text) => texts.push(cursor.string()?),
            (Some(b'0'..=b'9'), Form::Uint { largest }) => match cursor.number()?.uint {
                Some(uint) if uint <= largest => uints.push(uint),
                _ => return whole_value(cursor, start),
            },
            _ => return whole_value(cursor, start),
        }
        more = cursor.next_element()?;
    }
    Ok(Ok(match item.form() {
        Form::Text => Slot::Texts(texts.into_bump_slice()),
        _ => Slot::Uints(uints.into_bump_slice()),
    }))
}

/// Returns the text of the value that begins at `start`, as a value of another type.
fn whole_value<'a>(cursor: &mut Cursor<'a>, start: usize) -> Result<Result<Slot<'a>, &'a [u8]>, JsonError> {
    cursor.rewind(start);
    Ok(Err(cursor.skip_value()?))
}
