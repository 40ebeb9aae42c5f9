//! Decodes an upload's bytes into events, in one pass.

use super::error::{BatchError, EventError, EventErrorCode, excerpt};
use super::event::{Consumer, Event, Fields, Unknown, metric_of, metrics_of};
use super::json::{Cursor, JsonError, Number, WORD};
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
            cursor.note_long_values();
            cursor
        },
        arena,
        max_events: limits.max_events,
        values: Fields::default(),
        recent: RecentAttributes::new(arena),
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
    /// The object that was read into the spare place.
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
                            self.recent.clear();
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
        self.cursor.forget_long_values();
        let start = self.cursor.position();
        if self.plain_event(index, consumer)? {
            return Ok(());
        }
        self.cursor.rewind(start);
        let mut members = Members::default();
        let mut more = self.cursor.open_object()?;
        while more {
            self.member(&mut members)?;
            more = self.cursor.next_member()?;
        }
        self.finish(index, members, consumer)
    }

    /// Fast path: reads an event in the form that clients write, `{"t":1775587555,"e":5,"v":{…},"a":{…}}`. Returns `false`
    /// if it has any other form, or if it must be refused.
    #[inline]
    fn plain_event(&mut self, index: usize, consumer: &mut impl Consumer<'a>) -> Result<bool, JsonError> {
        let text = self.cursor.plain();
        let object_after = |at: usize, key: &[u8]| text.after(at, key).filter(|&at| text.input.get(at) == Some(&b'{'));
        let head = |at| {
            let (timestamp, end) = text.uint(text.after(at, b"{\"t\":")?)?;
            let (metric_id, end) = text.uint(text.after(end, b",\"e\":")?)?;
            let values_at = object_after(end, b",\"v\":")?;
            Some((
                u32::try_from(timestamp).ok()?,
                u16::try_from(metric_id).ok()?,
                values_at,
            ))
        };
        let Some((timestamp, metric_id, values_at)) = head(self.cursor.position()) else {
            return Ok(false);
        };
        self.cursor.rewind(values_at);
        let read_as = self.read_likely_values(metric_id)?;
        let Some(attributes_at) = object_after(self.cursor.position(), b",\"a\":") else {
            return Ok(false);
        };
        self.cursor.rewind(attributes_at);
        let attributes = self.read_attributes()?;
        if !self.cursor.eat(b"}") {
            return Ok(false);
        }
        let metric = metric_of(metric_id, &self.values, self.attribute_fields(attributes));
        if metric.map(|metric| metric.number) != read_as.map(|metric| metric.number)
            || Fields::are_too_many(&self.values, self.attribute_fields(attributes))
        {
            return Ok(false);
        }
        self.pass_on((index, timestamp, metric_id, metric), attributes, consumer);
        Ok(true)
    }

    #[inline]
    fn member(&mut self, members: &mut Members<'a>) -> Result<(), JsonError> {
        let letter = match *self.cursor.key()?.bytes() {
            [letter] => letter,
            _ => 0,
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
        let (text, start) = (self.cursor.plain(), self.cursor.position());
        let metric = metrics_of(id).iter().find(|metric| {
            metric.dialect.is_none_or(|dialect| {
                let first = metric.table.plain()[dialect.container];
                text.starts_with_container(start, first)
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
            Attributes::New { .. } => &self.recent.objects[self.recent.spare].fields,
        }
    }

    fn read_attributes(&mut self) -> Result<Attributes<'a>, JsonError> {
        if let Some(place) = self.recent.find(&mut self.cursor) {
            return Ok(Attributes::Recent(place));
        }
        let start = self.cursor.position();
        let table = Some(EventAttributes::TABLE);
        read_fields(&mut self.cursor, self.arena, table, self.recent.spare())?;
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
        self.pass_on((index, timestamp, metric_id, metric), attributes, consumer);
        Ok(())
    }

    /// Passes a checked event to the consumer.
    #[inline]
    fn pass_on(
        &mut self,
        (index, timestamp, metric_id, metric): (usize, u32, u16, Option<&'static Metric>),
        attributes: Attributes<'a>,
        consumer: &mut impl Consumer<'a>,
    ) {
        let place = match attributes {
            Attributes::Recent(place) => place,
            // Remembered only here, after the checks: attributes of refused events and of overridden keys must not be.
            Attributes::New { raw } => self.recent.add(raw),
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
struct RecentAttributes<'a> {
    /// At most `PLACES`.
    objects: BumpVec<'a, AttributesObject<'a>>,
    /// What to compare of each object before all of it.
    probes: [Probe; PLACES],
    /// When each object was used last, in uses.
    used: [usize; PLACES],
    uses: usize,
    /// How many objects have been added so far.
    count: usize,
    /// The place of no object. The next one is read there, because its fields are too large to be moved once it is known
    /// that they are to be kept.
    spare: usize,
}

#[derive(Default)]
struct AttributesObject<'a> {
    /// The object's text.
    raw: &'a [u8],
    fields: Fields<'a>,
    /// How many objects were added before this one.
    index: usize,
}

/// The last eight bytes of an object's text, which hold the end of an id, or all if there are fewer.
#[derive(Clone, Copy, Default)]
struct Probe {
    offset: usize,
    bytes: u64,
    /// Ones where `bytes` has bytes of the object. Zero for no object.
    mask: u64,
}

impl Probe {
    fn new(raw: &[u8]) -> Probe {
        let (offset, mask) = match raw.len().checked_sub(WORD) {
            Some(offset) => (offset, u64::MAX),
            None => (0, (1 << (8 * raw.len())) - 1),
        };
        let mut bytes = [0; WORD];
        let end = &raw[offset..];
        bytes[..end.len()].copy_from_slice(end);
        Probe {
            offset,
            bytes: u64::from_le_bytes(bytes),
            mask,
        }
    }
}

const RECENT: usize = 4;
const PLACES: usize = RECENT + 1;

impl<'a> RecentAttributes<'a> {
    fn new(arena: &'a Bump) -> Self {
        RecentAttributes {
            objects: BumpVec::with_capacity_in(PLACES, arena),
            probes: Default::default(),
            used: Default::default(),
            uses: 0,
            count: 0,
            spare: 0,
        }
    }

    /// Forgets all objects. It keeps their room: the arena takes nothing back before the batch ends.
    fn clear(&mut self) {
        self.objects.clear();
        self.probes = Default::default();
        self.used = Default::default();
        self.uses = 0;
        self.count = 0;
        self.spare = 0;
    }

    /// Returns the fields for the next object, which have none yet.
    fn spare(&mut self) -> &mut Fields<'a> {
        if self.spare == self.objects.len() {
            self.objects.push(AttributesObject::default());
        }
        let fields = &mut self.objects[self.spare].fields;
        fields.clear();
        fields
    }

    /// Consumes the next object and returns its place if the input continues with exactly the bytes of a recent one. A
    /// complete object can't be the prefix of a longer one, so this always matches the whole object.
    #[inline]
    fn find(&mut self, cursor: &mut Cursor<'a>) -> Option<usize> {
        let (text, at) = (cursor.plain(), cursor.position());
        // Which session comes next can't be predicted. So looks at the ends of all objects without a branch for each.
        let mut likely = PLACES;
        for (place, probe) in self.probes.iter().enumerate() {
            let word = text.word(at + probe.offset).unwrap_or(!probe.bytes);
            let same = probe.mask != 0 && word & probe.mask == probe.bytes;
            likely = if same { place } else { likely };
        }
        let comes_next = |object: &AttributesObject<'_>| text.input[at..].starts_with(object.raw);
        let place = match self.objects.get(likely) {
            Some(object) if comes_next(object) => likely,
            // Less than a word before the end of the input, probes find nothing.
            None if text.word(at).is_some() => return None,
            // Other objects may have the same end.
            _ => (0..self.objects.len()).find(|&place| place != self.spare && comes_next(&self.objects[place]))?,
        };
        cursor.rewind(at + self.objects[place].raw.len());
        self.use_now(place);
        Some(place)
    }

    fn use_now(&mut self, place: usize) {
        self.uses += 1;
        self.used[place] = self.uses;
    }

    /// Adds the object that has been read into the spare place, and returns that place. The least recently used object
    /// makes room for the next one if all places are taken.
    fn add(&mut self, raw: &'a [u8]) -> usize {
        let place = self.spare;
        let object = &mut self.objects[place];
        object.raw = raw;
        object.index = self.count;
        self.count += 1;
        self.use_now(place);
        self.probes[place] = Probe::new(raw);
        self.spare = match self.objects.len() {
            PLACES => (0..PLACES).min_by_key(|&place| self.used[place]).unwrap_or(0),
            free => free,
        };
        self.probes[self.spare] = Probe::default();
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
    let mut place = Place::Start;
    let mut next = 0;
    if let Some(table) = table {
        place = read_plain_fields(cursor, place, (table, &mut next), &mut fields.slots);
    }
    match place {
        Place::End => Ok(()),
        _ => read_other_fields(cursor, arena, (table, next), place, fields),
    }
}

/// Reads the rest of an object in any form. The fast path has read everything before `place`, and `next` is the first field
/// that it expects.
#[inline(never)]
fn read_other_fields<'a>(
    cursor: &mut Cursor<'a>,
    arena: &'a Bump,
    (table, mut next): (Option<&Table>, usize),
    mut place: Place,
    fields: &mut Fields<'a>,
) -> Result<(), JsonError> {
    let mut distinct = Distinct::default();
    loop {
        let more = match place {
            Place::Start => cursor.open_object()?,
            Place::Member => cursor.next_member()?,
            Place::End => false,
        };
        if !more {
            break;
        }
        let key = cursor.key()?;
        let index = table.and_then(|table| table.field_named(key.bytes()));
        let field = index.and_then(|index| table.map(|table| (index, &table.fields[index])));
        let raw = match field {
            None => Some(cursor.skip_value()?),
            Some((index, field)) => {
                next = index + 1;
                read_value(cursor, arena, field.ty, index, &mut fields.slots)?
            }
        };
        if let Some(json) = raw {
            distinct.push(Unknown { position: key, json }, fields);
        }
        place = Place::Member;
        if let Some(table) = table.filter(|table| next < table.fields.len()) {
            place = read_plain_fields(cursor, place, (table, &mut next), &mut fields.slots);
        }
    }
    if !fields.unknown.is_empty() {
        distinct.drop_overridden(table, fields);
    }
    Ok(())
}

/// A place in an object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before its brace.
    Start,
    /// After a member.
    Member,
    /// After the object.
    End,
}

/// Fast path: reads members as long as they are fields of `table` with values of the right type, ascend, and are written
/// as clients write them. Returns the place of what comes then. `next` is the first field that may come.
#[inline(never)]
fn read_plain_fields<'a>(
    cursor: &mut Cursor<'a>,
    mut place: Place,
    (table, next): (&Table, &mut usize),
    slots: &mut Slots<'a>,
) -> Place {
    let text = cursor.plain();
    let mut at = cursor.position();
    let members = table.plain();
    let mut index = *next;
    // Makes the first member look like the others.
    let brace = match place {
        Place::Start => u64::from(b'{' ^ b','),
        _ => 0,
    };
    let mut word = text.word(at).unwrap_or(0) ^ brace;
    while index < table.fields.len() {
        let member = &members[index];
        if word & member.mask != member.key {
            index += 1;
            continue;
        }
        let value_at = at + member.length;
        let end = match member.ty.form() {
            Form::Text => text.string(value_at).map(|(text, end)| {
                slots.set(index, Slot::Text(text));
                end
            }),
            Form::Uint { largest } => text
                .uint(value_at)
                .filter(|&(uint, _)| uint <= largest)
                .map(|(uint, end)| {
                    slots.set(index, Slot::Uint(uint));
                    end
                }),
            Form::Bool => text.bool(value_at).map(|(value, end)| {
                slots.set(index, Slot::Bool(value));
                end
            }),
            Form::Json | Form::List(_) => break,
        };
        let null = || {
            let end = text.after(value_at, b"null")?;
            slots.set(index, Slot::Null);
            Some(end)
        };
        let Some(end) = end.or_else(null) else { break };
        index += 1;
        at = end;
        place = Place::Member;
        word = text.word(at).unwrap_or(0);
        if word as u8 == b'}' {
            at += 1;
            place = Place::End;
            break;
        }
    }
    *next = index;
    cursor.rewind(at);
    place
}

/// Collects the unknown fields of one object. Of duplicate keys the last one wins.
#[derive(Default)]
struct Distinct<'a> {
    /// The last place of each key. Filled only once there are enough keys to exceed the limit.
    last: Option<HashMap<&'a [u8], usize>>,
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
        let last = self.last.get_or_insert_default();
        for (place, field) in fields.unknown.iter().enumerate().skip(self.counted) {
            last.insert(field.position.bytes(), place);
        }
        self.counted = fields.unknown.len();
        if last.len() > Self::CERTAINLY_TOO_MANY {
            fields.too_many = true;
            fields.unknown.clear();
        }
    }

    /// Whether no key occurs twice. `false` also if there are too many to compare each one with all others.
    #[inline]
    fn are_certainly_distinct(&self, unknown: &[Unknown<'a>]) -> bool {
        const FEW: usize = 8;
        let is_last = |(place, field): (usize, &Unknown<'a>)| {
            unknown[place + 1..]
                .iter()
                .all(|later| later.position.bytes() != field.position.bytes())
        };
        unknown.len() <= FEW && unknown.iter().enumerate().all(is_last)
    }

    /// Drops every unknown field whose key occurs again later.
    fn drop_overridden(mut self, table: Option<&Table>, fields: &mut Fields<'a>) {
        if !self.are_certainly_distinct(&fields.unknown) {
            self.count(fields);
            let mut place = 0;
            fields.unknown.retain(|field| {
                place += 1;
                self.last
                    .as_ref()
                    .is_some_and(|last| last[field.position.bytes()] == place - 1)
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
