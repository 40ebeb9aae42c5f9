//! Events as `lib/encode.js` packs them: words of one array, and one string that holds all their texts.
//!
//! | what | words |
//! |---|---|
//! | event | timestamp, metric id, record of values, record of attributes, count of unknown fields, those |
//! | record | count of fields, those |
//! | field | index in its table × 8 + one of the states below, then what the state says |
//! | unknown field | section, length of its position, length of its JSON |
//!
//! Lengths are of texts, in UTF-16 units, which follow each other in the string in the order of the words.

use super::error::{Code, Failure, argument_failure, failure};
use crate::wire::EventAttributes;
use crate::wire::error::excerpt;
use crate::wire::event::{Event, Fields, Unknown, metric_by_id};
use crate::wire::json::is_one_value;
use crate::wire::slots::{Slot, Text, TextKind, wtf8_surrogate};
use crate::wire::table::{Record, Table};
use bumpalo::{Bump, collections::Vec as BumpVec};

const NULL: u32 = 0;
const FALSE: u32 = 1;
const TRUE: u32 = 2;
/// Two words, low and high.
const UINT: u32 = 3;
/// A length.
const TEXT: u32 = 4;
/// A count, then as many times two words.
const UINTS: u32 = 5;
/// A count, then as many lengths.
const TEXTS: u32 = 6;

const SECTION_VALUES: u32 = 0;

pub struct Reader<'r, 'a> {
    words: std::slice::Iter<'r, u32>,
    text: &'r [u16],
    arena: &'a Bump,
    values: Fields<'a>,
    attributes: Fields<'a>,
}

impl<'r, 'a> Reader<'r, 'a> {
    pub fn new(words: &'r [u32], text: &'r [u16], arena: &'a Bump) -> Self {
        Reader {
            words: words.iter(),
            text,
            arena,
            values: Fields::default(),
            attributes: Fields::default(),
        }
    }

    /// The event that comes next; `None` at the end.
    pub fn event(&mut self, index: usize) -> Result<Option<Event<'_, 'a>>, Failure> {
        let Some(&timestamp) = self.words.next() else {
            return Ok(None);
        };
        let metric_id = u16::try_from(self.word()?).map_err(|_| malformed())?;
        let metric = metric_by_id(metric_id);
        let mut values = std::mem::take(&mut self.values);
        let mut attributes = std::mem::take(&mut self.attributes);
        self.record(metric.map(|metric| metric.table), &mut values)?;
        self.record(Some(EventAttributes::TABLE), &mut attributes)?;
        for place in 0..self.word()? {
            let section = if self.word()? == SECTION_VALUES {
                &mut values
            } else {
                &mut attributes
            };
            let position = self.text()?;
            let json = self.text()?.bytes();
            if !is_one_value(json) {
                let path = format!("events[{index}].unknown[{place}].json");
                let problem = format!("expected exactly one JSON value, found {}", excerpt(json));
                return Err(argument_failure(&path, problem));
            }
            section.unknown.push(Unknown { position, json });
        }
        self.values = values;
        self.attributes = attributes;
        Ok(Some(Event {
            index,
            timestamp,
            metric_id,
            metric,
            values: &self.values,
            attributes: &self.attributes,
            attributes_index: index,
        }))
    }

    fn record(&mut self, table: Option<&Table>, fields: &mut Fields<'a>) -> Result<(), Failure> {
        fields.clear();
        for _ in 0..self.word()? {
            let head = self.word()?;
            let index = (head >> 3) as usize;
            if table.is_none_or(|table| index >= table.fields.len()) {
                return Err(malformed());
            }
            let slot = match head & 7 {
                NULL => Slot::Null,
                FALSE => Slot::Bool(false),
                TRUE => Slot::Bool(true),
                UINT => Slot::Uint(self.uint()?),
                TEXT => Slot::Text(self.text()?),
                UINTS => Slot::Uints(self.list(Self::uint)?),
                TEXTS => Slot::Texts(self.list(Self::text)?),
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

    fn text(&mut self) -> Result<Text<'a>, Failure> {
        let length = self.word()?;
        let (units, rest) = self.text.split_at_checked(length as usize).ok_or_else(malformed)?;
        self.text = rest;
        Ok(text_from_utf16(units, self.arena))
    }
}

#[cold]
fn malformed() -> Failure {
    failure(
        Code::INTERNAL,
        "a bug in git-ai-metrics: malformed packed events".to_owned(),
    )
}

fn text_from_utf16<'a>(units: &[u16], arena: &'a Bump) -> Text<'a> {
    if units.iter().fold(0, |all, unit| all | unit) < 0x80 {
        return Text::new(
            arena.alloc_slice_fill_iter(units.iter().map(|&unit| unit as u8)),
            TextKind::Ascii,
        );
    }
    let mut bytes = BumpVec::with_capacity_in(units.len() * 3, arena);
    let mut kind = TextKind::Utf8;
    for decoded in char::decode_utf16(units.iter().copied()) {
        match decoded {
            Ok(character) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => {
                bytes.extend_from_slice(&wtf8_surrogate(lone.unpaired_surrogate()));
                kind = TextKind::Wtf8;
            }
        }
    }
    Text::new(bytes.into_bump_slice(), kind)
}
