//! One event between its producer and its consumer. Bytes, Rust records and JavaScript objects all become this view,
//! and rows, JSON, cells and Rust records are all made from it.

use super::metrics::METRICS;
use super::slots::{Slots, Text};
use super::table::Metric;

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
}

impl Fields<'_> {
    /// Unsets all of them.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.unknown.clear();
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

/// The metric of this id.
#[inline]
pub fn metric_by_id(id: u16) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.id == id)
}

/// Takes events one after the other.
pub trait Consumer<'a> {
    /// Takes the event that comes next.
    fn event(&mut self, event: Event<'_, 'a>);
    /// Forgets all events taken so far: the batch had its events twice, and the last ones count.
    fn restart(&mut self);
}
