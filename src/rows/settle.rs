//! Reads all records of one session again and writes what only all of them say: the model that an earlier record names, or
//! that an event doesn't count because another record holds it, too.

use super::format::{RowBinary, RowFormat};
use super::writer::{
    DerivedRow, Derives, LAYOUTS, RAW_JSON, RowOptions, Scratch, SessionIds, SharedColumns, TableRows, push_derived,
    record_key_of, write_shared,
};
use crate::capture::Json;
use crate::capture::PromptEvent;
use crate::capture::derive::{Derived, Deriver, WholeSession};
use crate::wire::event::{Consumer, Event};
use crate::wire::slots::Slot;
use crate::wire::table::Record;
use crate::wire::{PromptEventValues, SessionEventValues};
use std::collections::{HashMap, HashSet};

/// How to settle a session.
#[derive(Clone, Debug, Default)]
pub struct SettleOptions {
    /// The records' session, in released clients' terms.
    pub session_id: String,
    /// The length of all records' JSON. Of several readings that of the most bytes counts, because it knew more.
    pub bytes: u64,
    /// Whether to write all events, because it isn't known that they are stored.
    pub all: bool,
    /// The events that an earlier reading has settled: this one must judge them again.
    pub settled: Vec<SettledEvent>,
}

/// An event that an earlier reading has settled.
#[derive(Clone, Debug)]
pub struct SettledEvent {
    /// Its id.
    pub event_id: String,
    /// The time that it is filed under, in unix milliseconds.
    pub event_ms: u64,
    /// When its record arrived, in unix milliseconds.
    pub received_at_ms: u64,
}

/// The records of one session, in the order of their time.
pub struct SessionSettler {
    bytes: u64,
    all: bool,
    session_id: String,
    /// The events that an earlier reading has settled.
    settled: HashSet<String>,
    /// Nearly always one. The records of one session can name several agents only by mistake.
    readings: Vec<Reading>,
    table: TableRows<()>,
    shared: SharedColumns<SessionIds>,
    scratch: Scratch,
    /// The events that count.
    counted: HashSet<String>,
    /// Those that count only if the whole session says so, too.
    candidates: HashMap<String, Filed>,
}

/// Where an event is filed.
#[derive(Clone, Copy, Debug)]
struct Filed {
    timestamp: u32,
    at_ms: Option<u64>,
    received_at_ms: u64,
}

struct Reading {
    derives: Derives,
    alone: Deriver,
    whole: WholeSession,
    /// Where the last record is filed.
    last: Filed,
}

impl SessionSettler {
    /// Makes a settler before the session's first record.
    pub fn new(options: SettleOptions) -> SessionSettler {
        let settled = options.settled.iter().map(|event| {
            let filed = Filed {
                timestamp: u32::try_from(event.event_ms / 1000).unwrap_or(u32::MAX),
                at_ms: Some(event.event_ms),
                received_at_ms: event.received_at_ms,
            };
            (event.event_id.clone(), filed)
        });
        SessionSettler {
            candidates: settled.collect(),
            settled: options.settled.into_iter().map(|event| event.event_id).collect(),
            bytes: options.bytes,
            all: options.all,
            session_id: options.session_id,
            readings: Vec::new(),
            table: TableRows::default(),
            shared: SharedColumns::default(),
            scratch: Scratch::default(),
            counted: HashSet::new(),
        }
    }

    /// Returns a consumer for the next records, which came in one upload with these options.
    pub fn reading<'s>(&'s mut self, upload: RowOptions<'s>) -> Records<'s> {
        self.clear();
        Records { settler: self, upload }
    }

    /// The rows that were written since the last call of `reading` or `finish`, and their number.
    pub fn rows(&self) -> (&[u8], usize) {
        (&self.table.rows, self.table.row_count)
    }

    /// Writes the rows of what is known once all records are read.
    pub fn finish(&mut self, org_id: &str) {
        self.clear();
        let options = |filed: Filed| RowOptions {
            org_id,
            received_at_ms: filed.received_at_ms,
            author: None,
            installation: None,
            clock_skew_ms: 0,
            format: RowFormat::RowBinaryWithNames,
            prompt_events_only: false,
        };
        let mut readings = std::mem::take(&mut self.readings);
        for Reading {
            derives, whole, last, ..
        } in &mut readings
        {
            for derived in whole.finish() {
                self.write(&[], derived, last.timestamp, derives, &options(*last), None);
            }
        }
        let candidates = std::mem::take(&mut self.candidates);
        let rejected = candidates.into_iter().filter(|(id, _)| !self.counted.contains(id));
        let mut rejected: Vec<_> = rejected.collect();
        rejected.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (event_id, filed) in rejected {
            let derived = Derived {
                event: PromptEvent {
                    values: PromptEventValues {
                        event_id: Some(Some(event_id.clone())),
                        ..PromptEventValues::default()
                    },
                    ..PromptEvent::default()
                },
                ..Derived::default()
            };
            let settled = format!("{:015}-", self.bytes);
            let prompt_id = event_id.rsplit_once(':').map_or("", |(prompt_id, _)| prompt_id);
            let row = DerivedRow {
                derived: &derived,
                prompt_id,
                session_id: &self.session_id,
                timestamp: filed.timestamp,
                at_ms: filed.at_ms,
                settled: Some(&settled),
            };
            push_derived::<RowBinary>(&mut self.table, &row, &options(filed), None);
        }
    }

    fn clear(&mut self) {
        self.table.clear(&LAYOUTS.prompt_events, RowFormat::RowBinaryWithNames);
        self.shared.clear();
        self.scratch.arena.reset();
    }

    fn record(&mut self, event: &Event<'_, '_>, upload: &RowOptions<'_>) {
        let Some(Slot::Json(json)) = event.values.slots.get(RAW_JSON) else {
            return;
        };
        let SessionSettler {
            shared,
            scratch,
            readings,
            ..
        } = self;
        let (_, ids) = shared.of(event.attributes_index, |bytes| {
            let ids = SessionIds::of(&event.attributes.slots);
            if let Some(derives) = &ids.derives {
                let attributes = derives.attributes(event.attributes);
                write_shared::<RowBinary>(bytes, &LAYOUTS.prompt_events, &attributes, upload, scratch);
            }
            ids
        });
        let Some(derives) = ids.derives.clone() else {
            return;
        };
        let key = record_key_of(event, scratch);
        let known = |reading: &Reading| {
            reading.derives.agent.name == derives.agent.name && reading.derives.session() == derives.session()
        };
        let last = Filed {
            timestamp: event.timestamp,
            at_ms: None,
            received_at_ms: upload.received_at_ms,
        };
        let place = readings.iter().position(known).unwrap_or_else(|| {
            readings.push(Reading {
                alone: Deriver::new(derives.agent),
                whole: WholeSession::new(derives.agent, derives.session()),
                derives: derives.clone(),
                last,
            });
            readings.len() - 1
        });
        let reading = &mut readings[place];
        reading.last = last;
        let json = Json::read_by(event.cursor, json.bytes());
        let alone = reading.alone.derive(derives.session(), &key, event.timestamp, json);
        let alone = alone.to_vec();
        let whole = reading.whole.read(&key, event.timestamp, json);
        for derived in alone.iter().filter(|derived| derived.event.values.kind.is_some()) {
            if let Some(Some(id)) = &derived.event.values.event_id {
                let at_ms = derived.event.values.start_ts.flatten();
                self.candidates.entry(id.clone()).or_insert(Filed { at_ms, ..last });
            }
        }
        for derived in whole {
            self.write(
                &alone,
                derived,
                event.timestamp,
                &derives,
                upload,
                Some(event.attributes_index),
            );
        }
    }

    /// Writes what the whole session says of an event, unless the record alone says the same. `alone` is what the record
    /// says alone.
    fn write(
        &mut self,
        alone: &[Derived],
        mut derived: Derived,
        timestamp: u32,
        derives: &Derives,
        upload: &RowOptions<'_>,
        attributes_index: Option<usize>,
    ) {
        let id = derived.event.values.event_id.clone().flatten().unwrap_or_default();
        let is_event = derived.event.values.kind.is_some();
        let same = |other: &&Derived| other.event.values.event_id.as_ref() == Some(&Some(id.clone()));
        let stored = alone
            .iter()
            .filter(same)
            .find(|other| other.event.values.kind.is_some() == is_event);
        let mut settled = None;
        if is_event {
            self.counted.insert(id.clone());
            let model = derived.event.values.model.clone().flatten();
            let own = stored.and_then(|stored| stored.event.values.model.clone().flatten());
            let must_judge = self.settled.contains(&id);
            if stored.is_none() || model != own || must_judge {
                let model = model.filter(|model| own.as_ref() != Some(model));
                settled = Some(format!("{:015}+{}", self.bytes, model.unwrap_or_default()));
                derived.event.values.model = own.map(Some);
            }
        }
        let is_stored =
            !self.all && settled.is_none() && stored.is_some_and(|stored| same_but_parent(stored, &derived));
        if is_stored {
            return;
        }
        let row = DerivedRow {
            derived: &derived,
            prompt_id: &derives.prompt_id,
            session_id: &self.session_id,
            timestamp,
            at_ms: None,
            settled: settled.as_deref(),
        };
        let shared = attributes_index.map(|index| self.shared.get(index));
        push_derived::<RowBinary>(&mut self.table, &row, upload, shared);
    }
}

fn same_but_parent(one: &Derived, other: &Derived) -> bool {
    let essence = |derived: &Derived| {
        let mut derived = derived.clone();
        derived.event.values.parent_id = None;
        derived.event.values.parent_id_estimated = None;
        derived
    };
    essence(one) == essence(other)
}

/// Receives records of one upload.
pub struct Records<'s> {
    settler: &'s mut SessionSettler,
    upload: RowOptions<'s>,
}

impl<'a> Consumer<'a> for Records<'_> {
    fn event(&mut self, event: Event<'_, 'a>) {
        let is_record = |metric: &crate::wire::table::Metric| metric.table.name == SessionEventValues::TABLE.name;
        if event.metric.is_some_and(is_record) {
            self.settler.record(&event, &self.upload);
        }
    }

    /// Never called: the batches come from `encodeMetricsBatch`, which writes each key once.
    fn restart(&mut self) {}
}
