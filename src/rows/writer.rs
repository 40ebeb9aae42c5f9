//! Rows, written as events come.

use super::columns::{EVENT_ID, PROMPT_ID, attribute_column, attribute_fields, value_fields};
use super::format::{Encoding, FieldColumns, JsonEachRow, RowBinary, RowFormat, Times};
use crate::wire::encode::write_fields;
use crate::wire::event::{Consumer, Event, Fields};
use crate::wire::slots::{Slot, Slots, Text};
use crate::wire::table::{Record, Table};
use crate::wire::{EventAttributes, PromptEventValues};
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::sync::LazyLock;

/// The last millisecond that a row can have arrived in: the last but one day of the year 2299, since `event_ts` may be a day
/// ahead of it and ClickHouse's `DateTime64(3)` ends with that year.
pub const LATEST_RECEIVED_AT_MS: u64 = 10_413_705_599_999;

/// What rows hold that their upload doesn't.
#[derive(Clone, Copy, Debug)]
pub struct RowOptions<'o> {
    /// Whose events they are: from authentication, never from the body.
    pub org_id: &'o str,
    /// When the upload arrived, in unix milliseconds; at most `LATEST_RECEIVED_AT_MS`.
    pub received_at_ms: u64,
    /// What the rows are written in.
    pub format: RowFormat,
}

/// Takes the events of one upload and makes rows of its prompt events.
pub struct RowWriter<'o> {
    options: RowOptions<'o>,
    buffers: RowBuffers,
    row_count: usize,
    skipped: usize,
}

/// Kept from call to call: fresh memory of that size costs more in page faults than writing the rows does.
#[derive(Default)]
pub struct RowBuffers {
    rows: Vec<u8>,
    /// The columns of each distinct attribute object, written once however many events share it.
    attributes: Vec<u8>,
    attribute_ranges: Vec<Option<Range<usize>>>,
}

impl RowBuffers {
    /// The rows of the last upload.
    pub fn rows(&self) -> &[u8] {
        &self.rows
    }

    /// How much memory they hold on to.
    pub fn capacity(&self) -> usize {
        self.rows.capacity() + self.attributes.capacity()
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.attributes.clear();
        self.attribute_ranges.clear();
    }
}

/// What is older than that at its arrival is a retry, and no sign that its session is alive.
const FRESH_MS: u64 = 600_000;

/// The metric whose events become rows.
const PROMPT_EVENT: &Table = PromptEventValues::TABLE;

/// The table's columns with their fields' indexes, in the order of the rows.
struct Layout {
    event_id: usize,
    start_ts: usize,
    prompt_id: usize,
    values: FieldColumns,
    attributes: FieldColumns,
}

static LAYOUT: LazyLock<Layout> = LazyLock::new(|| {
    let index = |table: &Table, name| {
        table
            .fields
            .iter()
            .position(|field| field.name == name)
            .unwrap_or_else(|| panic!("no field {name}"))
    };
    Layout {
        event_id: index(PROMPT_EVENT, EVENT_ID),
        start_ts: index(PROMPT_EVENT, "start_ts"),
        prompt_id: index(EventAttributes::TABLE, PROMPT_ID),
        values: FieldColumns::new(value_fields(), |name| name),
        attributes: FieldColumns::new(attribute_fields(), attribute_column),
    }
});

impl<'o> RowWriter<'o> {
    /// A writer without rows, to be given to `decode_batch`; `buffers` are those of an upload before, or new ones.
    pub fn new(options: RowOptions<'o>, mut buffers: RowBuffers) -> Self {
        buffers.clear();
        RowWriter {
            options,
            buffers,
            row_count: 0,
            skipped: 0,
        }
    }

    /// The rows so far, one after the other.
    pub fn rows(&self) -> &[u8] {
        &self.buffers.rows
    }

    /// How many rows that is.
    pub fn row_count(&self) -> usize {
        self.row_count
    }

    /// Events that are no prompt events.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// The rows, and memory for the next upload.
    pub fn into_buffers(self) -> RowBuffers {
        self.buffers
    }

    #[inline]
    fn row<E: Encoding>(&mut self, event: Event<'_, '_>) {
        let layout = &*LAYOUT;
        let RowBuffers {
            rows,
            attributes,
            attribute_ranges,
        } = &mut self.buffers;
        let values = &event.values.slots;

        if attribute_ranges.len() <= event.attributes_index {
            attribute_ranges.resize(event.attributes_index + 1, None);
        }
        let range = attribute_ranges[event.attributes_index].get_or_insert_with(|| {
            let start = attributes.len();
            E::fields(attributes, &layout.attributes, &event.attributes.slots);
            start..attributes.len()
        });

        let stand_in;
        let event_id = match named(values, layout.event_id) {
            Some(text) => text,
            None => {
                stand_in = stand_in_id(layout, &event);
                Text::from(stand_in.as_str())
            }
        };
        let prompt_id = match named(&event.attributes.slots, layout.prompt_id) {
            Some(text) => text,
            None => session_of(event_id),
        };
        let emitted = u64::from(event.timestamp) * 1000;
        let began = match values.get(layout.start_ts) {
            Some(&Slot::Uint(millis)) => millis,
            _ => emitted,
        };
        let received_at = self.options.received_at_ms;

        E::begin_row(rows);
        E::column(rows, "org_id");
        E::text(rows, Text::from(self.options.org_id));
        E::column(rows, PROMPT_ID);
        E::text(rows, prompt_id);
        E::column(rows, EVENT_ID);
        E::text(rows, event_id);
        E::times(
            rows,
            &Times {
                event_ts: plausible(began, received_at),
                emitted_at: event.timestamp,
                received_at,
                heard_at: (received_at <= began.max(emitted) + FRESH_MS).then_some(received_at),
            },
        );
        E::fields(rows, &layout.values, values);
        rows.extend_from_slice(&attributes[range.clone()]);
        E::end_row(rows);
        self.row_count += 1;
    }
}

impl<'a> Consumer<'a> for RowWriter<'_> {
    #[inline]
    fn event(&mut self, event: Event<'_, 'a>) {
        if !is_prompt_event(&event) {
            self.skipped += 1;
            return;
        }
        match self.options.format {
            RowFormat::RowBinary => self.row::<RowBinary>(event),
            RowFormat::JsonEachRow => self.row::<JsonEachRow>(event),
        }
    }

    fn restart(&mut self) {
        self.buffers.clear();
        self.row_count = 0;
        self.skipped = 0;
    }
}

fn is_prompt_event(event: &Event<'_, '_>) -> bool {
    event
        .metric
        .is_some_and(|metric| metric.table.name == PROMPT_EVENT.name)
}

/// The session that an event's id names, for an upload without that attribute: what stands before its colon.
fn session_of(event_id: Text<'_>) -> Text<'_> {
    let bytes = event_id.bytes();
    let end = bytes.iter().rposition(|&byte| byte == b':').unwrap_or(0);
    Text::new(&bytes[..end], event_id.kind())
}

/// The id in a slot. An empty one names nothing: all events that have it would become one row.
#[inline]
fn named<'a>(slots: &Slots<'a>, index: usize) -> Option<Text<'a>> {
    match slots.get(index) {
        Some(&Slot::Text(text)) if !text.bytes().is_empty() => Some(text),
        _ => None,
    }
}

/// An id for an event that has none, made of what it says: so its retries at least are one row, and events that say
/// different things stay apart. It is that of their JSON, which stays the same when later versions name more fields.
#[cold]
fn stand_in_id(layout: &Layout, event: &Event<'_, '_>) -> String {
    let mut content = event.timestamp.to_le_bytes().to_vec();
    write_fields(&mut content, Some(PROMPT_EVENT), &without_nulls(event.values));
    write_fields(
        &mut content,
        Some(EventAttributes::TABLE),
        &without_nulls(event.attributes),
    );
    let hash: String = Sha256::digest(&content)[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let prompt_id = named(&event.attributes.slots, layout.prompt_id).map_or("".into(), Text::to_str);
    format!("{prompt_id}:{hash}")
}

/// A row doesn't tell an explicit null from a field that isn't set, and neither does the id made for it.
fn without_nulls<'a>(fields: &Fields<'a>) -> Fields<'a> {
    let mut set = fields.clone();
    for (index, slot) in fields.slots.iter() {
        if *slot == Slot::Null {
            set.slots.unset(index);
        }
    }
    set
}

/// The time that a row is filed under: held within bounds, so that an event a century away neither opens a partition of
/// its own nor outlives all others. What the event itself says stays in its `start_ts`.
#[inline]
fn plausible(millis: u64, received_at_ms: u64) -> u64 {
    /// 2020-01-01, before the first client.
    const EARLIEST_MS: u64 = 1_577_836_800_000;
    /// How far ahead a client's clock may be.
    const AHEAD_MS: u64 = 86_400_000;
    millis.min(received_at_ms + AHEAD_MS).max(EARLIEST_MS)
}
