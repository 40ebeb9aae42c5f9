//! One event between its producer and its consumer. Bytes, Rust records and JavaScript objects all become this view,
//! and rows, JSON, cells and Rust records are all made from it.

use super::slots::{Slot, Slots, Text};
use super::table::{Dialect, Metric, Record, parsed_position};
use super::{EventAttributes, MAX_UNKNOWN_FIELDS, METRICS};

/// A field on the wire that this version can't name, or whose value isn't of the field's type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unknown<'a> {
    /// The key as it stood, escapes resolved.
    pub position: Text<'a>,
    /// The value's text as it stood.
    pub json: &'a [u8],
}

/// The fields of one JSON object: those that the table names, and the rest.
#[derive(Clone, Debug, Default)]
pub struct Fields<'a> {
    /// Those that the table names.
    pub slots: Slots<'a>,
    /// The rest, in the order of the wire.
    pub unknown: Vec<Unknown<'a>>,
    /// Whether the rest are so many that they have not been kept.
    pub too_many: bool,
}

impl Fields<'_> {
    /// Unsets all of them.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.unknown.clear();
        self.too_many = false;
    }

    /// Whether an event with these values and attributes holds more unknown fields than it may.
    #[inline]
    pub fn are_too_many(values: &Fields<'_>, attributes: &Fields<'_>) -> bool {
        values.too_many || attributes.too_many || values.unknown.len() + attributes.unknown.len() > MAX_UNKNOWN_FIELDS
    }
}

/// An event, borrowed for as long as its consumer looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'r, 'a> {
    /// From 0, in the order of the batch, refused events counted.
    pub index: usize,
    /// Unix seconds.
    pub timestamp: u32,
    /// The metric's id on the wire.
    pub metric_id: u16,
    /// `None`: an id that this version can't name, all of whose values are unknown fields.
    pub metric: Option<&'static Metric>,
    /// What the metric measured.
    pub values: &'r Fields<'a>,
    /// What all metrics share.
    pub attributes: &'r Fields<'a>,
    /// Which of the batch's distinct attribute objects this event has, from 0: most events share a few, so a consumer
    /// can convert each once.
    pub attributes_index: usize,
}

/// The metrics of this id: none, one, or the dialects that share it, the one without a mark last.
#[inline]
pub fn metrics_of(id: u16) -> &'static [Metric] {
    match METRICS_BY_ID.get(usize::from(id)) {
        Some(&(start, end)) => &METRICS[usize::from(start)..usize::from(end)],
        None => &[],
    }
}

/// Where the metrics of each id begin and end in `METRICS`: every event looks its own up, twice.
static METRICS_BY_ID: [(u8, u8); METRIC_IDS] = {
    let mut places = [(0, 0); METRIC_IDS];
    let mut i = 0;
    while i < METRICS.len() {
        let place = &mut places[METRICS[i].id as usize];
        if place.1 == 0 {
            place.0 = i as u8;
        }
        i += 1;
        place.1 = i as u8;
    }
    places
};

/// One more than the greatest id that a metric of a table may have.
const METRIC_IDS: usize = 64;

/// The metric of an event with this id, these values (read as whichever of the id's metrics) and these attributes.
#[inline]
pub fn metric_of(id: u16, values: &Fields<'_>, attributes: &Fields<'_>) -> Option<&'static Metric> {
    metrics_of(id).iter().find(|metric| {
        metric
            .dialect
            .is_none_or(|dialect| has_attribute(attributes, dialect) || has_container(metric, values, dialect))
    })
}

/// Whether the attribute that marks the dialect is set, be it as an unknown field that would read as set.
#[inline]
pub fn has_attribute(attributes: &Fields<'_>, dialect: Dialect) -> bool {
    let position = EventAttributes::TABLE.fields[dialect.attribute].position;
    attributes.slots.get(dialect.attribute).is_some()
        || attributes
            .unknown
            .iter()
            .any(|field| is_at(field, position) && matches!(field.json, [b'"' | b'n', ..]))
}

/// Whether the value that marks the dialect is an object or an array. Another dialect has it among its unknown fields.
#[inline]
fn has_container(metric: &Metric, values: &Fields<'_>, dialect: Dialect) -> bool {
    let position = metric.table.fields[dialect.container].position;
    let is_container = |json: &[u8]| matches!(json, [b'{' | b'[', ..]);
    matches!(values.slots.get(dialect.container), Some(Slot::Json(json)) if is_container(json.bytes()))
        || values
            .unknown
            .iter()
            .any(|field| is_at(field, position) && is_container(field.json))
}

fn is_at(field: &Unknown<'_>, position: usize) -> bool {
    parsed_position(field.position.bytes()) == Some(position)
}

/// Takes events one after the other.
pub trait Consumer<'a> {
    /// Takes the event that comes next.
    fn event(&mut self, event: Event<'_, 'a>);
    /// Forgets all events taken so far: the batch had its events twice, and the last ones count.
    fn restart(&mut self);
}
