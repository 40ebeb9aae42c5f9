//! Receives events and writes them as rows.

use super::custom_attributes;
use super::format::{Encoding, FieldColumns, JsonEachRow, OwnColumn, RowBinary, RowFormat};
use super::tables::{AUTHOR, METRIC_EVENTS, Own, PROMPT_EVENT_DELIVERIES, RowTable, SESSION_RECORDS, attribute_column};
use crate::capture::Json;
use crate::capture::agents::{self, Agent};
use crate::capture::derive::{DERIVER_VERSION, Derived, Deriver, SessionOfRecords, Verdict};
use crate::identity;
use crate::wire::encode::write_fields;
use crate::wire::event::{Consumer, Event, Fields};
use crate::wire::slots::{Slot, Slots, Text, TextKind};
use crate::wire::table::{MAX_FIELDS, Record};
use crate::wire::{EventAttributes, PromptEventValues, SessionEventValues};
use bumpalo::Bump;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

/// The latest time of arrival: the end of the last day but one of the year 2299. `event_ts` may be a day later, and
/// ClickHouse's `DateTime64(3)` ends with that year.
pub const LATEST_RECEIVED_AT_MS: u64 = 10_413_705_599_999;

/// 2001-01-01. A smaller number must be seconds instead of milliseconds.
pub const EARLIEST_RECEIVED_AT_MS: u64 = 978_307_200_000;

/// Options for the rows of one upload.
#[derive(Clone, Copy, Debug)]
pub struct RowOptions<'o> {
    /// The org that owns the events. It comes from authentication, never from the body.
    pub org_id: &'o str,
    /// When the upload arrived, in unix milliseconds. At most `LATEST_RECEIVED_AT_MS`.
    pub received_at_ms: u64,
    /// The uploader, for events that name no author.
    pub author: Option<&'o str>,
    /// The installation that the upload came from.
    pub installation: Option<&'o str>,
    /// How far behind the installation's clock is, in milliseconds; negative if it is ahead.
    pub clock_skew_ms: i64,
    /// The format of the rows.
    pub format: RowFormat,
    /// Whether to skip events other than prompt events.
    pub prompt_events_only: bool,
}

/// Writes each event of one upload as a row of its table.
pub struct RowWriter<'o> {
    options: RowOptions<'o>,
    buffers: RowBuffers,
    skipped: usize,
    newest: Option<u32>,
}

/// Memory that is kept between calls. Fresh memory would cost more in page faults than writing the rows.
#[derive(Default)]
pub struct RowBuffers {
    prompt_events: TableRows<()>,
    session_records: TableRows<SessionIds>,
    metric_events: TableRows<AttributesDigest>,
    /// The columns that events derived from session records share. They name another session than the records where these
    /// are a subagent's.
    derived: SharedColumns<()>,
    /// One for each agent that had records.
    derivers: Vec<Deriver>,
    scratch: Scratch,
}

/// Memory for intermediate results.
#[derive(Default)]
pub(super) struct Scratch {
    json: Vec<u8>,
    pub(super) arena: Bump,
}

/// The rows of one table. `I` is the part of a row's identity that follows from its attributes.
pub(super) struct TableRows<I> {
    pub(super) rows: Vec<u8>,
    pub(super) row_count: usize,
    shared: SharedColumns<I>,
}

/// The columns that follow from attributes and options. They are written once per distinct attributes object and copied
/// into the rows of all events that share it.
pub(super) struct SharedColumns<I> {
    bytes: Vec<u8>,
    objects: Vec<Option<(Range<usize>, I)>>,
}

/// A session's id in both kinds of clients, and what is derived from its records.
pub(super) struct SessionIds {
    prompt_id: String,
    pub(super) session_id: String,
    pub(super) derives: Option<Derives>,
}

/// Which events are derived from a session's records.
#[derive(Clone)]
pub(super) struct Derives {
    pub(super) agent: &'static Agent,
    /// Their session: the one that started this one, if the agent's subagents belong to that.
    pub(super) prompt_id: String,
    /// Whether another session has started that of the records.
    is_subagent: bool,
    /// The agent's own id of it, if it is another session.
    external_prompt_id: Option<String>,
}

/// A hash of attributes, equal for equal attributes.
type AttributesDigest = [u8; 32];

impl RowBuffers {
    /// Returns each table with the bytes of its rows, including the format's header, and the number of rows.
    pub fn tables(&self) -> [(&'static RowTable, &[u8], usize); 3] {
        [
            (
                &PROMPT_EVENT_DELIVERIES,
                &self.prompt_events.rows,
                self.prompt_events.row_count,
            ),
            (
                &SESSION_RECORDS,
                &self.session_records.rows,
                self.session_records.row_count,
            ),
            (&METRIC_EVENTS, &self.metric_events.rows, self.metric_events.row_count),
        ]
    }

    /// Returns how much memory the buffers occupy.
    pub fn capacity(&self) -> usize {
        self.prompt_events.capacity()
            + self.session_records.capacity()
            + self.metric_events.capacity()
            + self.derived.capacity()
            + self.scratch.json.capacity()
            + self.scratch.arena.allocated_bytes()
    }

    fn clear(&mut self, format: RowFormat) {
        self.prompt_events.clear(&LAYOUTS.prompt_events, format);
        self.session_records.clear(&LAYOUTS.session_records, format);
        self.metric_events.clear(&LAYOUTS.metric_events, format);
        self.derived.clear();
        self.scratch.arena.reset();
    }
}

impl<I> TableRows<I> {
    pub(super) fn clear(&mut self, layout: &Layout, format: RowFormat) {
        self.rows.clear();
        self.rows.extend_from_slice(layout.header(format));
        self.row_count = 0;
        self.shared.clear();
    }

    fn capacity(&self) -> usize {
        self.rows.capacity() + self.shared.capacity()
    }
}

impl<I> Default for TableRows<I> {
    fn default() -> Self {
        TableRows {
            rows: Vec::new(),
            row_count: 0,
            shared: SharedColumns::default(),
        }
    }
}

impl<I> Default for SharedColumns<I> {
    fn default() -> Self {
        SharedColumns {
            bytes: Vec::new(),
            objects: Vec::new(),
        }
    }
}

/// A table's columns in the order of the rows, with the indexes of their fields.
pub(super) struct Layout {
    table: &'static RowTable,
    own: Vec<OwnColumn>,
    values: FieldColumns,
    attributes: FieldColumns,
    shared: Vec<OwnColumn>,
    names: Vec<u8>,
}

impl Layout {
    fn new(table: &'static RowTable) -> Layout {
        Layout {
            table,
            own: OwnColumn::at_start(table.own),
            values: FieldColumns::new(table.value_fields(), |name| name),
            attributes: FieldColumns::new(table.attribute_fields(), attribute_column),
            shared: OwnColumn::after_others(table.shared),
            names: RowFormat::RowBinaryWithNames.header(&table.columns()),
        }
    }

    fn header(&self, format: RowFormat) -> &[u8] {
        match format {
            RowFormat::RowBinaryWithNames => &self.names,
            RowFormat::JsonEachRow => &[],
        }
    }
}

pub(super) struct Layouts {
    pub(super) prompt_events: Layout,
    session_records: Layout,
    metric_events: Layout,
}

pub(super) static LAYOUTS: LazyLock<Layouts> = LazyLock::new(|| Layouts {
    prompt_events: Layout::new(&PROMPT_EVENT_DELIVERIES),
    session_records: Layout::new(&SESSION_RECORDS),
    metric_events: Layout::new(&METRIC_EVENTS),
});

/// Returns how many bytes precede a table's first row.
pub fn header_length(table: &RowTable, format: RowFormat) -> usize {
    let layouts = [&LAYOUTS.prompt_events, &LAYOUTS.session_records, &LAYOUTS.metric_events];
    let layout = layouts.into_iter().find(|layout| layout.table.name == table.name);
    layout.map_or(0, |layout| layout.header(format).len())
}

/// The values of a row's own columns. Each table uses some of them.
struct OwnValues<'v> {
    org_id: Text<'v>,
    prompt_id: Text<'v>,
    session_id: Text<'v>,
    /// `event_id`, `record_key` or `event_key`.
    key: Text<'v>,
    metric_id: u16,
    metric: Text<'v>,
    event_ts: u64,
    emitted_at: u32,
    received_at: u64,
    heard_at: Option<u64>,
    clock_skew_ms: i64,
    values_json: Text<'v>,
    attributes_json: Text<'v>,
    named_author: Option<Text<'v>>,
    installation: Option<Text<'v>>,
    deriver_version: u32,
    derived: bool,
    derived_from: Option<Text<'v>>,
    verdict: Option<Verdict>,
    result: Option<(u64, Verdict)>,
    ranked_duration: Option<u64>,
    settled: Option<Text<'v>>,
}

impl<'v> OwnValues<'v> {
    #[inline]
    fn new(options: &RowOptions<'v>) -> Self {
        let none = Text::new(b"", TextKind::Ascii);
        OwnValues {
            org_id: Text::from(options.org_id),
            prompt_id: none,
            session_id: none,
            key: none,
            metric_id: 0,
            metric: none,
            event_ts: 0,
            emitted_at: 0,
            received_at: options.received_at_ms,
            heard_at: None,
            clock_skew_ms: options.clock_skew_ms,
            values_json: none,
            attributes_json: none,
            named_author: None,
            installation: options.installation.map(Text::from),
            deriver_version: 0,
            derived: false,
            derived_from: None,
            verdict: None,
            result: None,
            ranked_duration: None,
            settled: None,
        }
    }

    /// Sets the times of an event. `start_ts` is the event's own time, if it has one.
    // In place: a copy of all columns would cost as much as writing them.
    #[inline]
    fn set_times(&mut self, timestamp: u32, start_ts: Option<u64>) {
        let emitted = u64::from(timestamp) * 1000;
        let newest = emitted.max(
            start_ts
                .filter(|&millis| millis <= self.received_at + LONGEST_AHEAD_MS)
                .unwrap_or(0),
        );
        self.emitted_at = timestamp;
        self.event_ts = filed_under(start_ts, emitted, self.received_at);
        self.heard_at =
            is_fresh(self.received_at as i64 - newest as i64, self.clock_skew_ms).then_some(self.received_at);
    }

    #[inline]
    fn write<E: Encoding>(&self, out: &mut Vec<u8>, columns: &[OwnColumn]) {
        for column in columns {
            E::head(out, column);
            match column.own {
                Own::OrgId => E::text(out, self.org_id),
                Own::PromptId => E::text(out, self.prompt_id),
                Own::SessionId => E::text(out, self.session_id),
                Own::EventId | Own::RecordKey | Own::EventKey => E::text(out, self.key),
                Own::MetricId => E::u16(out, self.metric_id),
                Own::Metric => E::text(out, self.metric),
                Own::EventTs => E::millis(out, self.event_ts),
                Own::EmittedAt => E::seconds(out, self.emitted_at),
                Own::ReceivedAt => E::millis(out, self.received_at),
                Own::HeardAt => E::nullable(out, self.heard_at, E::millis),
                Own::ValuesJson => E::text(out, self.values_json),
                Own::AttributesJson => E::text(out, self.attributes_json),
                Own::NamedAuthor => E::nullable(out, self.named_author, E::text),
                Own::Installation => E::nullable(out, self.installation, E::text),
                Own::Derived => E::bool(out, self.derived),
                Own::DeriverVersion => E::u32(out, self.deriver_version),
                Own::DerivedFrom => E::nullable(out, self.derived_from, E::text),
                Own::Verdict => E::nullable(out, self.verdict, |out, verdict| E::u8(out, verdict as u8)),
                Own::Result => {
                    let result = self.result.map(|(time, verdict)| time << 2 | verdict as u64);
                    E::nullable(out, result, E::u64);
                }
                Own::RankedDuration => E::nullable(out, self.ranked_duration, E::u64),
                Own::Settled => E::nullable(out, self.settled, E::text),
            }
        }
    }
}

/// Whether an event of this age was fresh when it arrived, so a sign that its session is alive: one that is older is a
/// retry. It is fresh by the installation's clock, or by the true one: a clock that was far ahead is known by its old skew
/// for a while after it has been put right.
#[inline]
fn is_fresh(age_ms: i64, clock_skew_ms: i64) -> bool {
    const FRESH_MS: i64 = 600_000;
    /// What a clock may be ahead and still be taken for the true one.
    const NEARLY_MS: i64 = 60_000;
    age_ms - clock_skew_ms <= FRESH_MS || (-NEARLY_MS..=FRESH_MS).contains(&age_ms)
}

/// 2020-01-01, before the first client existed. An earlier `start_ts` isn't credible.
pub const EARLIEST_EVENT_MS: u64 = 1_577_836_800_000;

/// How far ahead of its arrival an event may be.
pub const LONGEST_AHEAD_MS: u64 = 86_400_000;

/// The time that a row is filed under: the event's own if it is credible, else the envelope's, within bounds. So an event
/// a century away doesn't open a partition of its own or outlive all others, and a `start_ts` of 0 beside a credible `t`
/// doesn't stretch a session over decades. The column `start_ts` keeps the event's own value.
#[inline]
fn filed_under(start_ts: Option<u64>, emitted_ms: u64, received_at_ms: u64) -> u64 {
    let latest = received_at_ms + LONGEST_AHEAD_MS;
    start_ts
        .filter(|&millis| EARLIEST_EVENT_MS <= millis && millis <= latest)
        .unwrap_or_else(|| emitted_ms.min(latest).max(EARLIEST_EVENT_MS))
}

/// Places of fields in their tables.
const EVENT_ID: usize = PromptEventValues::TABLE.index_of("event_id");
const START_TS: usize = PromptEventValues::TABLE.index_of("start_ts");
const RECORD_ID: usize = SessionEventValues::TABLE.index_of("external_event_id");
pub(super) const RAW_JSON: usize = SessionEventValues::TABLE.index_of("raw_json");
const NAMED_AUTHOR: usize = EventAttributes::TABLE.index_of(AUTHOR);
const TOOL: usize = EventAttributes::TABLE.index_of("tool");
const PROMPT_ID: usize = EventAttributes::TABLE.index_of("prompt_id");
const EXTERNAL_PROMPT_ID: usize = EventAttributes::TABLE.index_of("external_prompt_id");
const SESSION_ID: usize = EventAttributes::TABLE.index_of("session_id");
const PARENT_SESSION_ID: usize = EventAttributes::TABLE.index_of("parent_session_id");
const EXTERNAL_PARENT_SESSION_ID: usize = EventAttributes::TABLE.index_of("external_parent_session_id");
const TRACE_ID: usize = EventAttributes::TABLE.index_of("trace_id");
const CUSTOM_ATTRIBUTES: usize = EventAttributes::TABLE.index_of("custom_attributes");

impl<'o> RowWriter<'o> {
    /// Makes a writer for `decode_batch`. Pass the `buffers` of an earlier upload to reuse their memory.
    pub fn new(options: RowOptions<'o>, mut buffers: RowBuffers) -> Self {
        buffers.clear(options.format);
        RowWriter {
            options,
            buffers,
            skipped: 0,
            newest: None,
        }
    }

    /// Returns how many events were skipped because only prompt events were requested.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// The `t` of the newest event, in unix seconds.
    pub fn newest(&self) -> Option<u32> {
        self.newest
    }

    /// Returns the rows. Pass the buffers to the next writer to reuse their memory.
    pub fn into_buffers(self) -> RowBuffers {
        self.buffers
    }

    #[inline]
    fn row<E: Encoding>(&mut self, event: Event<'_, '_>) {
        match event.metric.map(|metric| metric.table.name) {
            Some(name) if name == PromptEventValues::TABLE.name => self.prompt_event::<E>(event),
            _ if self.options.prompt_events_only => self.skipped += 1,
            Some(name) if name == SessionEventValues::TABLE.name => self.session_record::<E>(event),
            _ => self.metric_event::<E>(event),
        }
    }

    #[inline]
    fn prompt_event<E: Encoding>(&mut self, event: Event<'_, '_>) {
        let RowBuffers {
            prompt_events: table,
            scratch,
            ..
        } = &mut self.buffers;
        let layout = &LAYOUTS.prompt_events;
        let values = &event.values.slots;
        let attributes = &event.attributes.slots;
        let (shared, ()) = table.shared.of(event.attributes_index, |bytes| {
            write_shared::<E>(bytes, layout, event.attributes, &self.options, scratch);
        });

        let stand_in;
        let event_id = match named(values, EVENT_ID) {
            Some(text) => text,
            None => {
                stand_in = stand_in_event_id(&event, scratch);
                Text::from(stand_in.as_str())
            }
        };
        let start_ts = match values.get(START_TS) {
            Some(&Slot::Uint(millis)) => Some(millis),
            _ => None,
        };
        let mut own = OwnValues {
            prompt_id: named(attributes, PROMPT_ID).unwrap_or_else(|| session_of(event_id)),
            key: event_id,
            ..OwnValues::new(&self.options)
        };
        own.set_times(event.timestamp, start_ts);
        push_row::<E>(&mut table.rows, layout, &own, values, shared);
        table.row_count += 1;
    }

    fn session_record<E: Encoding>(&mut self, event: Event<'_, '_>) {
        let RowBuffers {
            session_records: table,
            prompt_events,
            derived,
            derivers,
            scratch,
            ..
        } = &mut self.buffers;
        let layout = &LAYOUTS.session_records;
        let values = &event.values.slots;
        let (shared, ids) = table.shared.of(event.attributes_index, |bytes| {
            write_shared::<E>(bytes, layout, event.attributes, &self.options, scratch);
            SessionIds::of(&event.attributes.slots)
        });

        let record_key = record_key_of(&event, scratch);
        let mut own = OwnValues {
            prompt_id: Text::from(ids.prompt_id.as_str()),
            session_id: Text::from(ids.session_id.as_str()),
            key: Text::from(record_key.as_ref()),
            deriver_version: if ids.derives.is_some() { DERIVER_VERSION } else { 0 },
            ..OwnValues::new(&self.options)
        };
        own.set_times(event.timestamp, None);
        push_row::<E>(&mut table.rows, layout, &own, values, shared);
        table.row_count += 1;

        if let (Some(derives), Some(Slot::Json(json))) = (&ids.derives, values.get(RAW_JSON)) {
            let (shared, ()) = derived.of(event.attributes_index, |bytes| {
                let attributes = derives.attributes(event.attributes);
                write_shared::<E>(bytes, &LAYOUTS.prompt_events, &attributes, &self.options, scratch);
            });
            let deriver = deriver_of(derivers, derives.agent);
            let json = Json::read_by(event.cursor, json.bytes());
            for derived in deriver.derive(derives.session(), &record_key, event.timestamp, json) {
                let row = DerivedRow {
                    derived,
                    prompt_id: &derives.prompt_id,
                    session_id: &ids.session_id,
                    timestamp: event.timestamp,
                    at_ms: None,
                    settled: None,
                };
                push_derived::<E>(prompt_events, &row, &self.options, Some(shared));
            }
        }
    }

    fn metric_event<E: Encoding>(&mut self, event: Event<'_, '_>) {
        let RowBuffers {
            metric_events: table,
            scratch,
            ..
        } = &mut self.buffers;
        let layout = &LAYOUTS.metric_events;
        let (shared, digest) = table.shared.of(event.attributes_index, |bytes| {
            write_shared::<E>(bytes, layout, event.attributes, &self.options, scratch);
            let attributes = scratch.attributes_json(event.attributes, |slots| slots.unset(TRACE_ID));
            Sha256::digest(attributes).into()
        });

        let table_of_metric = event.metric.map(|metric| metric.table);
        let json = &mut scratch.json;
        json.clear();
        write_fields(json, table_of_metric, event.values);
        let mut hash = Sha256::new_with_prefix(event.timestamp.to_le_bytes());
        hash.update(event.metric_id.to_le_bytes());
        hash.update(*digest);
        hash.update(&*json);
        let event_key = identity::hex(&hash.finalize()[..8]);
        let mut own = OwnValues {
            key: Text::from(event_key.as_str()),
            metric_id: event.metric_id,
            metric: Text::from(table_of_metric.map_or("unknown", |table| table.name)),
            values_json: Text::new(json, TextKind::Utf8),
            ..OwnValues::new(&self.options)
        };
        own.set_times(event.timestamp, None);
        push_row::<E>(&mut table.rows, layout, &own, &Slots::new(), shared);
        table.row_count += 1;
    }
}

/// Returns the deriver for an agent's records.
fn deriver_of<'d>(derivers: &'d mut Vec<Deriver>, agent: &'static Agent) -> &'d mut Deriver {
    let place = derivers.iter().position(|deriver| deriver.agent().name == agent.name);
    let place = place.unwrap_or_else(|| {
        derivers.push(Deriver::new(agent));
        derivers.len() - 1
    });
    &mut derivers[place]
}

/// A row of an event that a session record tells of.
pub(super) struct DerivedRow<'r> {
    pub derived: &'r Derived,
    pub prompt_id: &'r str,
    /// The records' session, which may be a subagent's.
    pub session_id: &'r str,
    /// The record's time.
    pub timestamp: u32,
    /// The time that it is filed under, for a row that says nothing of its time.
    pub at_ms: Option<u64>,
    pub settled: Option<&'r str>,
}

/// Writes a row of an event that a session record tells of. Without `shared`, its attributes aren't set.
pub(super) fn push_derived<E: Encoding>(
    table: &mut TableRows<()>,
    row: &DerivedRow<'_>,
    options: &RowOptions<'_>,
    shared: Option<&[u8]>,
) {
    let Derived {
        event,
        verdict,
        result,
        ranked_duration,
    } = row.derived;
    let arena = Bump::new();
    let values = event.values.slots(&arena);
    let mut own = OwnValues {
        prompt_id: Text::from(row.prompt_id),
        key: named(&values, EVENT_ID).unwrap_or(Text::new(b"", TextKind::Ascii)),
        derived: true,
        derived_from: Some(Text::from(row.session_id)),
        verdict: *verdict,
        result: *result,
        ranked_duration: *ranked_duration,
        settled: row.settled.map(Text::from),
        ..OwnValues::new(options)
    };
    let at = event
        .values
        .start_ts
        .flatten()
        .or(result.map(|(time, _)| time))
        .or(row.at_ms);
    own.set_times(row.timestamp, at);
    let layout = &LAYOUTS.prompt_events;
    match shared {
        Some(shared) => push_row::<E>(&mut table.rows, layout, &own, &values, shared),
        None => {
            let mut shared = Vec::new();
            let scratch = &mut Scratch::default();
            write_shared::<E>(&mut shared, layout, &Fields::default(), options, scratch);
            push_row::<E>(&mut table.rows, layout, &own, &values, &shared);
        }
    }
    table.row_count += 1;
}

#[inline]
fn push_row<E: Encoding>(rows: &mut Vec<u8>, layout: &Layout, own: &OwnValues<'_>, values: &Slots<'_>, shared: &[u8]) {
    own.write::<E>(rows, &layout.own);
    E::fields(rows, &layout.values, values);
    rows.extend_from_slice(shared);
    E::end_row(rows);
}

impl<I> SharedColumns<I> {
    /// Returns the columns for the attributes object with this index, which `of` has returned before.
    pub(super) fn get(&self, index: usize) -> &[u8] {
        let object = self.objects.get(index).and_then(Option::as_ref);
        object.map_or(&[], |(range, _)| &self.bytes[range.clone()])
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.objects.clear();
    }

    fn capacity(&self) -> usize {
        self.bytes.capacity() + self.objects.capacity() * size_of::<Option<(Range<usize>, I)>>()
    }

    /// Returns the columns for the attributes object with this index. Calls `write` at the object's first event.
    #[inline]
    pub(super) fn of(&mut self, index: usize, write: impl FnOnce(&mut Vec<u8>) -> I) -> (&[u8], &I) {
        if self.objects.len() <= index {
            self.objects.resize_with(index + 1, || None);
        }
        let (range, ids) = self.objects[index].get_or_insert_with(|| {
            let start = self.bytes.len();
            let ids = write(&mut self.bytes);
            (start..self.bytes.len(), ids)
        });
        (&self.bytes[range.clone()], ids)
    }
}

/// Writes the columns that follow from attributes and options.
pub(super) fn write_shared<E: Encoding>(
    out: &mut Vec<u8>,
    layout: &Layout,
    attributes: &Fields<'_>,
    options: &RowOptions<'_>,
    scratch: &mut Scratch,
) {
    let author = named(&attributes.slots, NAMED_AUTHOR);
    let custom = sorted_custom_attributes(&attributes.slots, &scratch.arena);
    let mut slots = Cow::Borrowed(&attributes.slots);
    if let Some(custom) = &custom {
        let custom = Slot::Text(Text::new(custom, TextKind::Utf8));
        slots.to_mut().set(CUSTOM_ATTRIBUTES, custom);
    }
    if let (None, Some(uploader)) = (author, options.author) {
        slots.to_mut().set(NAMED_AUTHOR, Slot::Text(Text::from(uploader)));
    }
    E::fields(out, &layout.attributes, &slots);
    let attributes_json = if layout.table.shared.contains(&Own::AttributesJson) {
        scratch.attributes_json(attributes, |_| {})
    } else {
        &[]
    };
    let own = OwnValues {
        named_author: author,
        attributes_json: Text::new(attributes_json, TextKind::Utf8),
        ..OwnValues::new(options)
    };
    own.write::<E>(out, &layout.shared);
}

impl Scratch {
    /// Writes attributes as JSON, with normalised custom attributes. `change` may unset some of them.
    fn attributes_json(&mut self, attributes: &Fields<'_>, change: impl FnOnce(&mut Slots<'_>)) -> &[u8] {
        self.json.clear();
        write_attributes(&mut self.json, &self.arena, attributes, change);
        &self.json
    }
}

fn write_attributes(out: &mut Vec<u8>, arena: &Bump, attributes: &Fields<'_>, change: impl FnOnce(&mut Slots<'_>)) {
    let custom = sorted_custom_attributes(&attributes.slots, arena);
    let mut fields = attributes.clone();
    if let Some(custom) = &custom {
        fields
            .slots
            .set(CUSTOM_ATTRIBUTES, Slot::Text(Text::new(custom, TextKind::Utf8)));
    }
    change(&mut fields.slots);
    write_fields(out, Some(EventAttributes::TABLE), &fields);
}

fn sorted_custom_attributes(attributes: &Slots<'_>, arena: &Bump) -> Option<Vec<u8>> {
    custom_attributes::sorted(named(attributes, CUSTOM_ATTRIBUTES)?, arena)
}

impl<'a> Consumer<'a> for RowWriter<'_> {
    #[inline]
    fn event(&mut self, event: Event<'_, 'a>) {
        self.newest = self.newest.max(Some(event.timestamp));
        match self.options.format {
            RowFormat::RowBinaryWithNames => self.row::<RowBinary>(event),
            RowFormat::JsonEachRow => self.row::<JsonEachRow>(event),
        }
    }

    fn restart(&mut self) {
        self.buffers.clear(self.options.format);
        self.skipped = 0;
        self.newest = None;
    }
}

/// Returns the session that an event's id names, for an event without that attribute: the part before its last colon.
fn session_of(event_id: Text<'_>) -> Text<'_> {
    let bytes = event_id.bytes();
    let end = bytes.iter().rposition(|&byte| byte == b':').unwrap_or(0);
    Text::new(&bytes[..end], event_id.kind())
}

impl SessionIds {
    /// Both ids contain the same hash of the tool and the agent's own session id, so a missing one follows from the other.
    pub(super) fn of(attributes: &Slots<'_>) -> SessionIds {
        let text = |index| named(attributes, index).map(|text| text.to_str().into_owned());
        let tool = text(TOOL);
        let hashed = |session: Option<String>| Some(identity::prompt_id(tool.as_ref()?, &session?));
        let sent = text(PROMPT_ID);
        let named = text(SESSION_ID);
        let own = hashed(text(EXTERNAL_PROMPT_ID));
        let source = own.as_ref().or(sent.as_ref());
        let session_id = named.clone().or(source.map(|id| identity::session_id(id)));
        let prompt_id = own.or(named).or(sent).unwrap_or_default();
        let derives = tool.as_deref().and_then(agents::find).map(|agent| {
            let parent = hashed(text(EXTERNAL_PARENT_SESSION_ID)).or(text(PARENT_SESSION_ID));
            let is_subagent = parent.is_some();
            match parent.filter(|_| agent.joins_subagents()) {
                Some(parent) => Derives {
                    agent,
                    is_subagent,
                    prompt_id: parent,
                    external_prompt_id: text(EXTERNAL_PARENT_SESSION_ID),
                },
                None => Derives {
                    agent,
                    is_subagent,
                    prompt_id: prompt_id.clone(),
                    external_prompt_id: None,
                },
            }
        });
        SessionIds {
            session_id: session_id.unwrap_or_default(),
            prompt_id,
            // Without an id, records of all sessions would meet in one.
            derives: derives.filter(|derives| !derives.prompt_id.is_empty()),
        }
    }
}

impl Derives {
    pub(super) fn session(&self) -> SessionOfRecords<'_> {
        SessionOfRecords {
            prompt_id: &self.prompt_id,
            is_subagent: self.is_subagent,
        }
    }

    /// The attributes of the events, of those of their records.
    pub(super) fn attributes<'a>(&'a self, of_records: &Fields<'a>) -> Fields<'a> {
        let mut attributes = of_records.clone();
        if let Some(id) = &self.external_prompt_id {
            attributes
                .slots
                .set(EXTERNAL_PROMPT_ID, Slot::Text(Text::from(id.as_str())));
        }
        attributes
    }
}

/// Returns the text in a slot. An empty text is no id, since all events with it would become one row.
#[inline]
fn named<'a>(slots: &Slots<'a>, index: usize) -> Option<Text<'a>> {
    match slots.get(index) {
        Some(&Slot::Text(text)) if !text.bytes().is_empty() => Some(text),
        _ => None,
    }
}

/// Makes an id from the content of an event without one. So its retries become one row, and events with other contents
/// stay separate. It hashes the event's JSON, which doesn't change when later versions know more fields.
#[cold]
fn stand_in_event_id(event: &Event<'_, '_>, scratch: &mut Scratch) -> String {
    let Scratch { json, arena } = scratch;
    json.clear();
    json.extend(event.timestamp.to_le_bytes());
    write_fields(json, Some(PromptEventValues::TABLE), &without_nulls(event.values));
    write_attributes(json, arena, event.attributes, |slots| {
        // A row has NULL for an explicit null and for an unset field, so the id must not distinguish them either.
        unset_nulls(slots);
        slots.unset(TRACE_ID);
    });
    let hash = identity::hex(&Sha256::digest(&*json)[..6]);
    let prompt_id = named(&event.attributes.slots, PROMPT_ID).map_or("".into(), Text::to_str);
    format!("{prompt_id}:{hash}")
}

/// The key of a record in its session: the agent's own id of it, if it has one.
pub(super) fn record_key_of<'a>(event: &Event<'_, 'a>, scratch: &mut Scratch) -> Cow<'a, str> {
    match named(&event.values.slots, RECORD_ID) {
        Some(id) => id.to_str(),
        None => Cow::Owned(stand_in_record_key(event, scratch)),
    }
}

/// Makes a key for a record without an id, from its time and a hash of its JSON.
fn stand_in_record_key(event: &Event<'_, '_>, scratch: &mut Scratch) -> String {
    let json = match event.values.slots.get(RAW_JSON) {
        Some(Slot::Json(json)) => json.bytes(),
        _ => {
            scratch.json.clear();
            write_fields(
                &mut scratch.json,
                Some(SessionEventValues::TABLE),
                &without_nulls(event.values),
            );
            &scratch.json
        }
    };
    format!("{}:{}", event.timestamp, identity::content_hash(json))
}

fn without_nulls<'a>(fields: &Fields<'a>) -> Fields<'a> {
    let mut set = fields.clone();
    unset_nulls(&mut set.slots);
    set
}

fn unset_nulls(slots: &mut Slots<'_>) {
    for index in 0..MAX_FIELDS {
        if slots.get(index) == Some(&Slot::Null) {
            slots.unset(index);
        }
    }
}
