//! Captured prompt events, and the attributes that they share.

use super::session::{Identity, set};
use crate::identity::input_hash;
use crate::wire::event::{Consumer, Event, Fields};
use crate::wire::table::{MAX_SAFE_INTEGER, Metric, Record};
use crate::wire::{EventAttributes, METRICS, PromptEventValues};
use bumpalo::Bump;

/// One prompt event. Its attributes are those of its session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PromptEvent {
    /// Unix seconds.
    pub timestamp: u32,
    /// The event's values.
    pub values: PromptEventValues,
    /// The agent's own id of the record that the event comes from. A copy of the record in another session has the
    /// same.
    pub source: Option<String>,
}

impl PromptEvent {
    /// An event with the fields that all events have. `time` and `recorded` are in unix milliseconds.
    pub(super) fn new(event_id: String, identity: &Identity<'_>, time: Option<i64>, recorded: i64) -> PromptEvent {
        PromptEvent {
            timestamp: u32::try_from(recorded.div_euclid(1000).max(0)).unwrap_or(u32::MAX),
            values: PromptEventValues {
                kind: set(identity.kind),
                event_id: Some(Some(event_id)),
                start_ts: time
                    .and_then(|time| u64::try_from(time).ok())
                    .filter(|time| *time <= MAX_SAFE_INTEGER)
                    .map(Some),
                input_hash: identity.text.map(|text| Some(input_hash(text))),
                ..PromptEventValues::default()
            },
            source: None,
        }
    }
}

/// Events of one session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Captured {
    /// The attributes of all events.
    pub attributes: EventAttributes,
    /// The events in the order in which they were emitted.
    pub events: Vec<PromptEvent>,
}

impl Captured {
    /// Passes each event to `consumer`.
    pub fn send<'a>(&'a self, arena: &'a Bump, consumer: &mut impl Consumer<'a>) {
        let metric = prompt_event();
        let mut attributes = Fields::default();
        attributes.slots = self.attributes.slots(arena);
        let mut values = Fields::default();
        for (index, event) in self.events.iter().enumerate() {
            values.slots = event.values.slots(arena);
            consumer.event(Event {
                index,
                timestamp: event.timestamp,
                metric_id: metric.id,
                metric: Some(metric),
                values: &values,
                attributes: &attributes,
                attributes_index: 0,
                cursor: None,
            });
        }
    }
}

/// The metric whose values are `PromptEventValues`.
fn prompt_event() -> &'static Metric {
    METRICS
        .iter()
        .find(|metric| metric.table.name == PromptEventValues::TABLE.name)
        .expect("the table of prompt events is one of the metrics'")
}
