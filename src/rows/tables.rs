//! The tables that store rows. The columns for fields and attributes come from `wire::metrics`. Each other column is a
//! variant of [`Own`].

use crate::wire::table::{Field, Record, Table};
use crate::wire::{EventAttributes, PromptEventValues, SessionEventValues};

/// A table that takes rows.
#[derive(Debug)]
pub struct RowTable {
    /// The name in ClickHouse.
    pub name: &'static str,
    /// A description for the head of its definition.
    pub doc: &'static str,
    /// How several deliveries of one event become one row.
    pub merging: Merging,
    /// The columns that identify a row. Rows are stored in this order.
    pub sort_key: &'static [&'static str],
    /// The columns that choose the shard in a cluster. Rows that may merge must be on the same shard.
    pub sharded_by: &'static [&'static str],
    /// The row's own columns, which come first.
    pub(super) own: &'static [Own],
    /// The metric whose fields are columns.
    pub(super) values: Option<&'static Table>,
    /// Whether the attribute of this name is a column.
    pub(super) has_attribute: fn(&str) -> bool,
    /// Columns after the attributes. Like these, they are equal for all events that share an attributes object, so they
    /// are written once and copied.
    pub(super) shared: &'static [Own],
}

/// How several deliveries of one event become one row. Both ways give the same result for any order and repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merging {
    /// Each column keeps its greatest value, or its least.
    ByColumn,
    /// The delivery with the highest rank is kept as a whole.
    ByRank,
}

/// Every delivery of a prompt event.
pub static PROMPT_EVENT_DELIVERIES: RowTable = RowTable {
    name: "prompt_event_deliveries",
    doc: "Every delivery of a prompt event. The same upload comes again hours later, and the same event comes again when more\n\
          is known about it. Each column keeps the greatest value that any delivery had, or the least for times other than\n\
          heard_at. NULL stands for \"not set\" and for \"explicitly nothing\" and never wins. max and min don't depend on order\n\
          or repetition, so the result is the same whether rows are merged early, late or never. Read it through the view\n\
          prompt_events. docs/storage.md compares other engines.",
    merging: Merging::ByColumn,
    sort_key: &["org_id", "toDate(event_ts)", "prompt_id", "event_id"],
    sharded_by: &["org_id", "prompt_id"],
    own: &[
        Own::OrgId,
        Own::PromptId,
        Own::EventId,
        Own::EventTs,
        Own::EmittedAt,
        Own::ReceivedAt,
        Own::HeardAt,
        Own::Derived,
        Own::DerivedFrom,
        Own::Verdict,
        Own::Result,
        Own::RankedDuration,
        Own::Settled,
    ],
    values: Some(PromptEventValues::TABLE),
    // An event of id 5 that has a session_id is a session event.
    has_attribute: |name| name != "session_id",
    shared: &[Own::NamedAuthor, Own::Installation],
};

/// The records of agents' transcripts, as released clients send them.
pub static SESSION_RECORDS: RowTable = RowTable {
    name: "session_records",
    doc: "Records of agents' own transcripts, as released clients send them. The same record comes again as it was, or longer\n\
          because its message has grown. One delivery wins as a whole, the one of the highest rank: the longest JSON wins, so a\n\
          poorer delivery never replaces a richer one. Among equally long ones, one whose event names an author wins, then the\n\
          greater hash of the content, then the one that arrived first. Read it with FINAL.",
    merging: Merging::ByRank,
    sort_key: &["org_id", "session_id", "record_key"],
    sharded_by: &["org_id", "session_id"],
    own: &[
        Own::OrgId,
        Own::SessionId,
        Own::RecordKey,
        Own::PromptId,
        Own::EventTs,
        Own::EmittedAt,
        Own::ReceivedAt,
        Own::HeardAt,
        Own::DeriverVersion,
    ],
    values: Some(SessionEventValues::TABLE),
    has_attribute: |_| true,
    shared: &[Own::NamedAuthor, Own::Installation],
};

/// The events of all other metrics, known or unknown.
pub static METRIC_EVENTS: RowTable = RowTable {
    name: "metric_events",
    doc: "The events of all other metrics, whether this version knows them or not. Values and attributes are kept as JSON, with\n\
          everything that was sent. event_key is a hash of the content, so a retry is the same row. Read it with FINAL.",
    merging: Merging::ByColumn,
    sort_key: &["org_id", "metric_id", "emitted_at", "event_key"],
    sharded_by: &["org_id", "event_key"],
    own: &[
        Own::OrgId,
        Own::MetricId,
        Own::EmittedAt,
        Own::EventKey,
        Own::Metric,
        Own::EventTs,
        Own::ReceivedAt,
        Own::ValuesJson,
    ],
    values: None,
    has_attribute: |name| name == AUTHOR,
    shared: &[Own::AttributesJson, Own::Installation],
};

/// All tables, in the order in which an upload's rows are returned.
pub static ROW_TABLES: [&RowTable; 3] = [&PROMPT_EVENT_DELIVERIES, &SESSION_RECORDS, &METRIC_EVENTS];

/// The attribute that is filled from the request if an event doesn't set it.
pub(super) const AUTHOR: &str = "author";

/// A column that isn't a field, or that has a value even if its field isn't set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    OrgId,
    PromptId,
    EventId,
    SessionId,
    RecordKey,
    EventKey,
    MetricId,
    Metric,
    EventTs,
    EmittedAt,
    ReceivedAt,
    HeardAt,
    ValuesJson,
    AttributesJson,
    NamedAuthor,
    Installation,
    DeriverVersion,
    Derived,
    DerivedFrom,
    Verdict,
    Result,
    RankedDuration,
    Settled,
}

impl Own {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Own::OrgId => "org_id",
            Own::PromptId => "prompt_id",
            Own::EventId => "event_id",
            Own::SessionId => "session_id",
            Own::RecordKey => "record_key",
            Own::EventKey => "event_key",
            Own::MetricId => "metric_id",
            Own::Metric => "metric",
            Own::EventTs => "event_ts",
            Own::EmittedAt => "emitted_at",
            Own::ReceivedAt => "received_at",
            Own::HeardAt => "heard_at",
            Own::ValuesJson => "values_json",
            Own::AttributesJson => "attributes_json",
            Own::NamedAuthor => "named_author",
            Own::Installation => "installation",
            Own::Derived => "derived",
            Own::DeriverVersion => "deriver_version",
            Own::DerivedFrom => "derived_from",
            Own::Verdict => "verdict",
            Own::Result => "result",
            Own::RankedDuration => "ranked_duration",
            Own::Settled => "settled",
        }
    }
}

impl RowTable {
    /// Yields the fields that are columns, each with its index in its metric's table.
    pub(super) fn value_fields(&self) -> impl Iterator<Item = (usize, &'static Field)> {
        let fields = self.values.map_or([].as_slice(), |table| table.fields);
        self.without_own(fields)
    }

    /// Yields the attributes that are columns, each with its index.
    pub(super) fn attribute_fields(&self) -> impl Iterator<Item = (usize, &'static Field)> {
        self.without_own(EventAttributes::TABLE.fields)
            .filter(|(_, field)| (self.has_attribute)(field.name))
    }

    /// Leaves out fields that already have an own column of the same name.
    fn without_own(&self, fields: &'static [Field]) -> impl Iterator<Item = (usize, &'static Field)> {
        let is_own = |field: &Field| self.own.iter().any(|own| own.name() == field.name);
        fields.iter().enumerate().filter(move |(_, field)| !is_own(field))
    }
}

/// Returns the name of an attribute's column. It is the attribute's name unless that would be ambiguous.
pub(super) fn attribute_column(name: &'static str) -> &'static str {
    match name {
        AUTHOR => "human_author",
        "model" => "attr_model",
        name => name,
    }
}
