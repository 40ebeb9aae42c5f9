//! From an upload's bytes to events, in one pass.

use super::error::{BatchError, EventError, EventErrorCode, excerpt};
use super::event::{Consumer, Event, Fields, Unknown, metric_of, metrics_of};
use super::json::{Cursor, JsonError, Number};
use super::slots::{Slot, Text};
use super::table::{FieldType, Form, MAX_FIELDS, Metric, Record, Table};
use super::{DEFAULT_MAX_BYTES, DEFAULT_MAX_EVENTS, EventAttributes, MAX_UNKNOWN_FIELDS, WIRE_VERSION};
use bumpalo::{Bump, collections::Vec as BumpVec};
use std::collections::HashMap;

/// What a body may have at the most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most events; one more is an error of the whole batch.
    pub max_events: usize,
    /// Most bytes.
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

/// Decodes `body`, gives each event that is one to `consumer` in the body's order, and returns what was wrong with the
/// others. After an error of the whole batch, whatever `consumer` has taken is void.
///
/// Texts that had escapes are resolved into `arena`, everything else is borrowed from `body`.
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
        cursor: Cursor::new(body, arena).map_err(located)?,
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

/// What a batch's object held. Its faults are told only once the whole body has proven to be JSON.
#[derive(Default)]
struct Envelope<'a> {
    /// The text of a body that isn't an object.
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
    /// The values of the event at hand.
    values: Fields<'a>,
    /// Its attributes, unless they are among the recent ones.
    new_attributes: Fields<'a>,
    recent: RecentAttributes<'a>,
    errors: Vec<EventError>,
}

/// What an event's object held so far.
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
    /// The metric id that it has been read for and the metric whose table it has been read by, if it has been read at
    /// all: `None` where the id comes after the values.
    read_as: Option<(u16, Option<&'static Metric>)>,
}

/// An object under `a`.
#[derive(Clone, Copy)]
enum Attributes<'a> {
    /// One of the recent ones, by place.
    Recent(usize),
    /// What has been read into `new_attributes`.
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
                // Too many: the rest is only counted, for the message.
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
        let mut more = self.cursor.open_object()?;
        while more {
            self.member(&mut members)?;
            more = self.cursor.next_member()?;
        }
        self.finish(index, members, consumer)
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
                // Clients write `e` before `v`. Otherwise the values are read once the metric is known.
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
            let Number { raw, uint } = self.cursor.number()?;
            return Ok(Scalar { raw, uint });
        }
        Ok(Scalar {
            raw: self.cursor.skip_value()?,
            uint: None,
        })
    }

    /// Reads values as those of the metric that they are likely to belong to, which it gives back. Where metrics share an
    /// id, only attributes can settle which it is, and clients write them after the values.
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

    /// Reads the values of an event whose other members are known, and gives back its metric. At worst they are read
    /// three times, of which twice here.
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

    /// Checks an event's members and hands it on, or notes the first thing that is wrong with it.
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
            // Only now, so that attributes of refused events and overridden keys aren't remembered.
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

impl Scalar<'_> {
    fn to_u32(self) -> Option<u32> {
        self.uint.and_then(|uint| u32::try_from(uint).ok())
    }

    fn to_u16(self) -> Option<u16> {
        self.uint.and_then(|uint| u16::try_from(uint).ok())
    }

    /// Whether its text is that of an integer, of whatever size and sign. `-0` is a float: no integer has that text.
    fn is_integer(self) -> bool {
        let digits = self.raw.strip_prefix(b"-").unwrap_or(self.raw);
        digits.iter().all(u8::is_ascii_digit) && self.raw != b"-0"
    }
}

/// The attribute objects met last. A batch holds events of a few sessions, in turns, and all events of a session have the
/// same one. What more there are at once is read again, which costs time only.
#[derive(Default)]
struct RecentAttributes<'a> {
    objects: [AttributesObject<'a>; RECENT],
    /// Places in `objects`, those met last first.
    order: [usize; RECENT],
    /// How many different ones events have had so far.
    count: usize,
}

#[derive(Default)]
struct AttributesObject<'a> {
    /// Empty in a place that nothing has been put to yet: no object has that text.
    raw: &'a [u8],
    fields: Fields<'a>,
    /// What number it has among those that events have had.
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

    /// Steps over the object that comes next if it is, byte by byte, one of those met last, and gives back its place. An
    /// object's text ends where the object ends, so a match of its text is a match of the whole object.
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

    /// Puts an object in the place of the one met longest ago, which is left in `fields` for its memory.
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

/// Reads the object that comes next. A value of the type that `table` gives to its position goes to its slot, all else is
/// kept as unknown.
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
            Some((index, field)) => match read_slot(cursor, arena, field.ty)? {
                Ok(slot) => {
                    fields.slots.set(index, slot);
                    None
                }
                Err(raw) => {
                    fields.slots.unset(index);
                    Some(raw)
                }
            },
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

/// The text of a key that was taken for its position.
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
    /// Where each key came last, once there are so many that the limit on distinct ones may be exceeded.
    last: HashMap<&'a [u8], usize>,
    /// How many of the unknown fields are in `last`.
    counted: usize,
}

impl<'a> Distinct<'a> {
    /// So many keys are too many, however the event turns out: another metric's table could name some of them, and values
    /// of the right type could still override others.
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

    /// Drops every unknown field whose key came again.
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
        // A slot that is set was set after the last bad value at its position, since a bad value unsets it.
        let named = |position: Text<'_>| table.and_then(|table| table.field_named(position.bytes()));
        unknown.retain(|field| named(field.position).is_none_or(|index| slots.get(index).is_none()));
    }
}

/// Reads the value that comes next as one of type `ty`, or gives back its text if it is of another type.
#[inline]
fn read_slot<'a>(
    cursor: &mut Cursor<'a>,
    arena: &'a Bump,
    ty: FieldType,
) -> Result<Result<Slot<'a>, &'a [u8]>, JsonError> {
    let slot = match (cursor.peek(), ty.form()) {
        (Some(b'"'), Form::Text) => Slot::Text(cursor.string()?),
        (Some(b'0'..=b'9'), Form::Uint { largest }) => {
            let number = cursor.number()?;
            match number.uint {
                Some(uint) if uint <= largest => Slot::Uint(uint),
                _ => return Ok(Err(number.raw)),
            }
        }
        (Some(b't' | b'f'), Form::Bool) => Slot::Bool(cursor.bool()?),
        (Some(b'n'), _) => {
            cursor.null()?;
            Slot::Null
        }
        (Some(b'['), Form::List(item)) => return read_list(cursor, arena, item),
        (_, Form::Json) => Slot::Json(cursor.raw_value()?),
        _ => return Ok(Err(cursor.skip_value()?)),
    };
    Ok(Ok(slot))
}

/// The same for a list of items of type `item`. One element of another type makes the whole list one of another type.
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

/// The text of the value that begins at `start`, as one of another type.
fn whole_value<'a>(cursor: &mut Cursor<'a>, start: usize) -> Result<Result<Slot<'a>, &'a [u8]>, JsonError> {
    cursor.rewind(start);
    Ok(Err(cursor.skip_value()?))
}
