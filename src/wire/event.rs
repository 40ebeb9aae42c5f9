//! The view of one event that producers and consumers share. It is made from bytes, Rust records and JavaScript
//! objects. Rows, JSON, cells and Rust records are made from it.

use super::json::Cursor;
use super::slots::{Slot, Slots, Text};
use super::table::{Dialect, Metric, Record, parsed_position};
use super::{EventAttributes, MAX_UNKNOWN_FIELDS, METRICS};

/// A field that this version doesn't know, or whose value is of the wrong type. It is kept as raw JSON.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unknown<'a> {
    /// The key, unescaped.
    pub position: Text<'a>,
    /// The value's text, unchanged.
    pub json: &'a [u8],
}

/// The fields of one JSON object.
#[derive(Clone, Debug, Default)]
pub struct Fields<'a> {
    /// The fields that the table names.
    pub slots: Slots<'a>,
    /// The other fields, in the order of the wire.
    pub unknown: Vec<Unknown<'a>>,
    /// Whether there were too many unknown fields to keep them.
    pub too_many: bool,
}

impl Fields<'_> {
    /// Removes all fields.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.unknown.clear();
        self.too_many = false;
    }

    /// Whether an event with these values and attributes has too many unknown fields.
    #[inline]
    pub fn are_too_many(values: &Fields<'_>, attributes: &Fields<'_>) -> bool {
        values.too_many || attributes.too_many || values.unknown.len() + attributes.unknown.len() > MAX_UNKNOWN_FIELDS
    }
}

/// An event, borrowed while its consumer looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'r, 'a> {
    /// The event's index in the batch, counted from 0 and including refused events.
    pub index: usize,
    /// Unix seconds.
    pub timestamp: u32,
    /// The metric's id on the wire.
    pub metric_id: u16,
    /// The metric, or `None` if this version doesn't know the id. Then all values are unknown fields.
    pub metric: Option<&'static Metric>,
    /// The metric's own fields.
    pub values: &'r Fields<'a>,
    /// The fields that all metrics share.
    pub attributes: &'r Fields<'a>,
    /// The number of this event's attributes among the distinct attribute objects of the batch. Most events share a few
    /// objects, so a consumer can convert each one once.
    pub attributes_index: usize,
    /// Where the event was read, if it comes from JSON.
    pub cursor: Option<&'r Cursor<'a>>,
}

/// Returns the metrics with this id. There may be none, one, or several dialects; the one without a mark is last.
#[inline]
pub fn metrics_of(id: u16) -> &'static [Metric] {
    match METRICS_BY_ID.get(usize::from(id)) {
        Some(&(start, end)) => &METRICS[usize::from(start)..usize::from(end)],
        None => &[],
    }
}

/// Where the metrics of each id begin and end in `METRICS`. A table, because every event needs two look-ups.
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

/// One more than the largest id of a metric.
const METRIC_IDS: usize = 64;

/// Returns the metric of an event. `values` may have been read with the table of any metric with this id.
#[inline]
pub fn metric_of(id: u16, values: &Fields<'_>, attributes: &Fields<'_>) -> Option<&'static Metric> {
    metrics_of(id).iter().find(|metric| {
        metric
            .dialect
            .is_none_or(|dialect| has_attribute(attributes, dialect) || has_container(metric, values, dialect))
    })
}

/// Whether the attribute that marks the dialect is set. An unknown field counts if decoding would set the attribute.
#[inline]
pub fn has_attribute(attributes: &Fields<'_>, dialect: Dialect) -> bool {
    let position = EventAttributes::TABLE.fields[dialect.attribute].position;
    attributes.slots.get(dialect.attribute).is_some()
        || attributes
            .unknown
            .iter()
            .any(|field| is_at(field, position) && matches!(field.json, [b'"' | b'n', ..]))
}

/// Whether the value that marks the dialect is an object or an array. Read with another dialect's table, it is an
/// unknown field.
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

/// Receives events one by one.
pub trait Consumer<'a> {
    /// Receives the next event.
    fn event(&mut self, event: Event<'_, 'a>);
    /// Discards all events received so far. The batch has the key `events` twice, and the last one counts.
    fn restart(&mut self);
}
