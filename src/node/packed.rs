//! Reads events as `lib/encode.js` packs them: words in one array, and one string that holds all texts.
//!
//! | part | words |
//! |---|---|
//! | event | timestamp, table number of its metric, metric id, record of values, place of the attributes, those, count of unknown fields, those |
//! | attributes | `SAME_ATTRIBUTES` for those that came last for this place, or a record, which the place keeps |
//! | record | count of fields, those |
//! | field | its index in the table and its state (see `STATE_*` in `protocol`), then the words of the state |
//! | unknown field | section, length of its position, length of its JSON |
//!
//! Lengths are those of texts, in UTF-16 units. The texts follow each other in the string in the same order.

use super::error::{Code, Failure, argument_failure, failure};
use crate::protocol::*;
use crate::wire::error::excerpt;
use crate::wire::event::{Event, Fields, Unknown, has_attribute, metric_of};
use crate::wire::json::is_one_value;
use crate::wire::slots::{Slot, Text, TextKind, wtf8_surrogate};
use crate::wire::table::{Dialect, Field, Metric, Record, Table, camel_case};
use crate::wire::{EventAttributes, METRICS};
use bumpalo::{Bump, collections::Vec as BumpVec};

/// The texts of all events.
#[derive(Clone, Copy)]
pub enum Texts<'a> {
    /// If all of them are ASCII. Each is used where it is.
    Ascii(&'a [u8]),
    Utf16(&'a [u16]),
}

pub struct Reader<'r, 'a> {
    words: std::slice::Iter<'r, u32>,
    texts: Texts<'a>,
    arena: &'a Bump,
    values: Fields<'a>,
    /// The attributes at each place.
    attributes: Vec<Attributes<'a>>,
    attribute_objects: usize,
}

#[derive(Default)]
struct Attributes<'a> {
    fields: Fields<'a>,
    /// The number of these attributes among all that are different.
    index: usize,
}

impl<'r, 'a> Reader<'r, 'a> {
    pub fn new(words: &'r [u32], texts: Texts<'a>, arena: &'a Bump) -> Self {
        Reader {
            words: words.iter(),
            texts,
            arena,
            values: Fields::default(),
            attributes: Vec::new(),
            attribute_objects: 0,
        }
    }

    /// Reads the next event. Returns `None` at the end.
    pub fn event(&mut self, index: usize) -> Result<Option<Event<'_, 'a>>, Failure> {
        let Some(&timestamp) = self.words.next() else {
            return Ok(None);
        };
        let metric = match self.word()? {
            UNKNOWN_METRIC => None,
            number => Some(METRICS.get(number as usize).ok_or_else(malformed)?),
        };
        let metric_id = u16::try_from(self.word()?).map_err(|_| malformed())?;
        let mut values = std::mem::take(&mut self.values);
        let place = Place {
            index,
            section: "values",
        };
        let count = self.word()?;
        self.record(count, metric.map(|metric| metric.table), place, &mut values)?;
        let at = self.attributes(index)?;
        for place in 0..self.word()? {
            let in_values = self.word()? == SECTION_VALUES;
            let position = self.text()?;
            let json = self.text()?.bytes();
            if !is_one_value(json) {
                return Err(not_one_value(&format!("events[{index}].unknown[{place}].json"), json));
            }
            let section = if in_values {
                &mut values
            } else {
                &mut self.attributes[at].fields
            };
            section.unknown.push(Unknown { position, json });
        }
        self.values = values;
        let attributes = &self.attributes[at];
        if let Some(metric) = metric {
            check_dialect(metric, index, &self.values, &attributes.fields)?;
        }
        Ok(Some(Event {
            index,
            timestamp,
            metric_id,
            metric,
            values: &self.values,
            attributes: &attributes.fields,
            attributes_index: attributes.index,
            cursor: None,
        }))
    }

    /// Reads an event's attributes. Returns their place.
    fn attributes(&mut self, index: usize) -> Result<usize, Failure> {
        let at = self.word()? as usize;
        let count = self.word()?;
        if count == SAME_ATTRIBUTES {
            return if at < self.attributes.len() {
                Ok(at)
            } else {
                Err(malformed())
            };
        }
        if at > KEPT_ATTRIBUTES as usize {
            return Err(malformed());
        }
        if at >= self.attributes.len() {
            self.attributes.resize_with(at + 1, Attributes::default);
        }
        let mut fields = std::mem::take(&mut self.attributes[at].fields);
        let place = Place {
            index,
            section: "attributes",
        };
        self.record(count, Some(EventAttributes::TABLE), place, &mut fields)?;
        self.attributes[at] = Attributes {
            fields,
            index: self.attribute_objects,
        };
        self.attribute_objects += 1;
        Ok(at)
    }

    fn record(
        &mut self,
        count: u32,
        table: Option<&Table>,
        place: Place,
        fields: &mut Fields<'a>,
    ) -> Result<(), Failure> {
        fields.clear();
        for _ in 0..count {
            let head = self.word()?;
            let index = (head >> STATE_BITS) as usize;
            let field = table.and_then(|table| table.fields.get(index)).ok_or_else(malformed)?;
            let slot = match head & ((1 << STATE_BITS) - 1) {
                STATE_NULL => Slot::Null,
                STATE_FALSE => Slot::Bool(false),
                STATE_TRUE => Slot::Bool(true),
                STATE_UINT => Slot::Uint(self.uint()?),
                STATE_TEXT => Slot::Text(self.text()?),
                STATE_UINTS => Slot::Uints(self.list(Self::uint)?),
                STATE_TEXTS => Slot::Texts(self.list(Self::text)?),
                STATE_JSON => {
                    let text = self.text()?;
                    if !is_one_value(text.bytes()) {
                        return Err(not_one_value(&place.path(field), text.bytes()));
                    }
                    Slot::Json(text)
                }
                _ => return Err(malformed()),
            };
            fields.slots.set(index, slot);
        }
        Ok(())
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, Failure>) -> Result<&'a [T], Failure> {
        let mut items = BumpVec::new_in(self.arena);
        for _ in 0..self.word()? {
            items.push(read(self)?);
        }
        Ok(items.into_bump_slice())
    }

    #[inline]
    fn word(&mut self) -> Result<u32, Failure> {
        self.words.next().copied().ok_or_else(malformed)
    }

    fn uint(&mut self) -> Result<u64, Failure> {
        Ok(u64::from(self.word()?) | u64::from(self.word()?) << 32)
    }

    #[inline]
    fn text(&mut self) -> Result<Text<'a>, Failure> {
        let length = self.word()? as usize;
        match &mut self.texts {
            Texts::Ascii(rest) => {
                let (bytes, after) = rest.split_at_checked(length).ok_or_else(malformed)?;
                *rest = after;
                Ok(Text::new(bytes, TextKind::Ascii))
            }
            Texts::Utf16(rest) => {
                let (units, after) = rest.split_at_checked(length).ok_or_else(malformed)?;
                *rest = after;
                Ok(text_from_utf16(units, self.arena))
            }
        }
    }
}

/// The place of a record in the caller's argument, for errors.
#[derive(Clone, Copy)]
struct Place {
    index: usize,
    section: &'static str,
}

impl Place {
    fn path(self, field: &Field) -> String {
        let Place { index, section } = self;
        format!("events[{index}].{section}.{}", camel_case(field.name))
    }
}

/// Refuses an event that would decode as another metric with the same id.
fn check_dialect(
    metric: &'static Metric,
    index: usize,
    values: &Fields<'_>,
    attributes: &Fields<'_>,
) -> Result<(), Failure> {
    let read_as = match metric_of(metric.id, values, attributes) {
        Some(read_as) if read_as.number != metric.number => read_as,
        _ => return Ok(()),
    };
    // At least one of the two has a dialect. Either the event has a mark of the other metric, or it lacks its own.
    let (name, other) = (metric.table.name, read_as.table.name);
    let attribute = |dialect: Dialect| &EventAttributes::TABLE.fields[dialect.attribute];
    let (path, problem) = match (metric.dialect, read_as.dialect) {
        (_, Some(dialect)) if has_attribute(attributes, dialect) => {
            let place = Place {
                index,
                section: "attributes",
            };
            let problem = format!("expected it not to be set on a {name}, found it set, which makes a {other}");
            (place.path(attribute(dialect)), problem)
        }
        (Some(dialect), _) => {
            let place = Place {
                index,
                section: "values",
            };
            let attribute = camel_case(attribute(dialect).name);
            let problem = format!(
                "expected an object or an array on a {name} without attribute {attribute}, found neither, which makes a {other}"
            );
            (place.path(&metric.table.fields[dialect.container]), problem)
        }
        (None, Some(dialect)) => {
            let position = read_as.table.fields[dialect.container].position;
            let problem = format!(
                "expected no object or array at position {position} of a {name}, found one, which makes a {other}"
            );
            (format!("events[{index}].unknown"), problem)
        }
        (None, None) => return Err(malformed()),
    };
    Err(argument_failure(&path, problem))
}

#[cold]
fn not_one_value(path: &str, json: &[u8]) -> Failure {
    argument_failure(
        path,
        format!("expected exactly one JSON value, found {}", excerpt(json)),
    )
}

#[cold]
fn malformed() -> Failure {
    failure(
        Code::INTERNAL,
        "a bug in git-ai-metrics: malformed packed events".to_owned(),
    )
}

pub fn text_from_utf16<'a>(units: &[u16], arena: &'a Bump) -> Text<'a> {
    if units.iter().fold(0, |all, unit| all | unit) < 0x80 {
        return Text::new(
            arena.alloc_slice_fill_iter(units.iter().map(|&unit| unit as u8)),
            TextKind::Ascii,
        );
    }
    if encoding_rs::mem::utf16_valid_up_to(units) == units.len() {
        let bytes = arena.alloc_slice_fill_copy(units.len() * 3, 0);
        let length = encoding_rs::mem::convert_utf16_to_utf8(units, bytes);
        return Text::new(&bytes[..length], TextKind::Utf8);
    }
    let mut bytes = BumpVec::with_capacity_in(units.len() * 3, arena);
    for decoded in char::decode_utf16(units.iter().copied()) {
        match decoded {
            Ok(character) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => bytes.extend_from_slice(&wtf8_surrogate(lone.unpaired_surrogate())),
        }
    }
    Text::new(bytes.into_bump_slice(), TextKind::Wtf8)
}
