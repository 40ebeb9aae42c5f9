//! The columns' types and other properties in ClickHouse.

use super::tables::{Own, RowTable, attribute_column};
use crate::wire::table::{Field, Form};

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name in the table.
    pub name: &'static str,
    /// The ClickHouse type in rows. It is never `LowCardinality`, because RowBinary writes the plain type.
    pub ty: &'static str,
    /// The aggregate function that chooses among several deliveries. `None` for a column that identifies a row.
    pub merge: Option<&'static str>,
    /// Whether few distinct values make up nearly all rows.
    pub low_cardinality: bool,
    /// The compression codec, if it isn't the default.
    pub codec: Option<&'static str>,
    /// A comment for the column's definition.
    pub comment: Option<&'static str>,
}

impl RowTable {
    /// Returns the columns in the order of the rows.
    pub fn columns(&self) -> Vec<Column> {
        let own = |columns: &'static [Own]| columns.iter().map(|own| Column::new(own.name(), own_type(*own)));
        own(self.own)
            .chain(self.value_fields().map(|(_, field)| field_column(field, field.name)))
            .chain(
                self.attribute_fields()
                    .map(|(_, field)| field_column(field, attribute_column(field.name))),
            )
            .chain(own(self.shared))
            .map(|mut column| {
                if self.sort_key.contains(&column.name) {
                    column.merge = None;
                }
                column
            })
            .collect()
    }
}

fn own_type(own: Own) -> &'static str {
    match own {
        Own::OrgId | Own::PromptId | Own::EventId | Own::SessionId | Own::RecordKey | Own::EventKey => "String",
        Own::Metric | Own::ValuesJson | Own::AttributesJson => "String",
        Own::MetricId => "UInt16",
        Own::EmittedAt => "DateTime('UTC')",
        Own::EventTs | Own::ReceivedAt => "DateTime64(3, 'UTC')",
        Own::HeardAt => "Nullable(DateTime64(3, 'UTC'))",
        Own::NamedAuthor | Own::Installation | Own::Settled | Own::DerivedFrom => "Nullable(String)",
        Own::DeriverVersion => "UInt32",
        Own::Derived => "Bool",
        Own::Verdict => "Nullable(UInt8)",
        Own::Result | Own::RankedDuration => "Nullable(UInt64)",
    }
}

fn field_column(field: &Field, name: &'static str) -> Column {
    Column::new(
        name,
        match field.ty.form() {
            Form::Bool => "Nullable(Bool)",
            Form::Uint { .. } if field.ty.cell_words() == 1 => "Nullable(UInt32)",
            Form::Uint { .. } => "Nullable(UInt64)",
            Form::Text | Form::Json => "Nullable(String)",
            // ClickHouse has no nullable arrays; the empty one stands for both.
            Form::List(item) if item.form() == Form::Text => "Array(String)",
            Form::List(item) if item.cell_words() == 1 => "Array(UInt32)",
            Form::List(_) => "Array(UInt64)",
        },
    )
}

impl Column {
    /// Makes a column with a field's defaults, changed by the notes below.
    fn new(name: &'static str, ty: &'static str) -> Column {
        let mut column = Column {
            name,
            ty,
            merge: Some("max"),
            low_cardinality: false,
            codec: None,
            comment: None,
        };
        for (_, notes) in NOTES.iter().filter(|(noted, _)| *noted == name) {
            for note in *notes {
                match *note {
                    Note::LowCardinality => column.low_cardinality = true,
                    Note::Least => column.merge = Some("min"),
                    Note::Codec(codec) => column.codec = Some(codec),
                    Note::Comment(comment) => column.comment = Some(comment),
                }
            }
        }
        column
    }
}

/// A property in which a column differs from the defaults.
enum Note {
    /// Few distinct values make up nearly all rows.
    LowCardinality,
    /// Merging keeps the least value instead of the greatest.
    Least,
    Codec(&'static str),
    Comment(&'static str),
}

use Note::{Codec, Comment, Least, LowCardinality};

/// Notes by column name. A new field doesn't need one.
const NOTES: &[(&str, &[Note])] = &[
    (
        "org_id",
        &[LowCardinality, Comment("from authentication, never from the body")],
    ),
    (
        "event_ts",
        &[Least, Comment("when it happened, within 2020 … received_at + 1 day")],
    ),
    ("emitted_at", &[Least, Comment("the envelope's t")]),
    ("received_at", &[Least, Comment("when the upload arrived")]),
    (
        "heard_at",
        &[Comment(
            "when the upload arrived, if the event was at most 10 minutes old then",
        )],
    ),
    ("derived", &[Comment("made from a session record, not by a client")]),
    (
        "deriver_version",
        &[Comment("of the rules that derived events when it arrived; 0 for none")],
    ),
    ("derived_from", &[Comment("derived: session_id of the records")]),
    (
        "verdict",
        &[Comment(
            "derived: how the agent itself judges the call: 0 success, 1 error, 2 never ran",
        )],
    ),
    (
        "result",
        &[
            Least,
            Comment("derived: when the call's result came, in unix ms, × 4, + 0 success, 1 error, 2 never ran"),
        ],
    ),
    (
        "ranked_duration",
        &[Comment(
            "derived: reported_duration_ms in the lower 53 bits, the rank of its source above",
        )],
    ),
    (
        "settled",
        &[Comment(
            "derived: how many bytes of records were read, + or - for whether it counts, its model",
        )],
    ),
    (
        "record_key",
        &[Comment("external_event_id; without one, t and a hash of the JSON")],
    ),
    ("event_key", &[Comment("a hash of the content")]),
    ("metric", &[LowCardinality, Comment("the metric's name, or unknown")]),
    ("values_json", &[Codec("ZSTD(3)")]),
    ("attributes_json", &[Codec("ZSTD(3)")]),
    ("raw_json", &[Codec("ZSTD(3)"), Comment("the record as it was sent")]),
    ("kind", &[LowCardinality]),
    ("tool_call_name", &[LowCardinality]),
    ("model", &[LowCardinality]),
    // The earliest time is the right one, because a hook only knows when it ran.
    ("start_ts", &[Least, Comment("unix ms as it was sent")]),
    ("skill_file_path", &[LowCardinality]),
    ("skill_file_mtime", &[Comment("unix ms")]),
    ("skill_file_hash", &[LowCardinality]),
    ("end_reason", &[LowCardinality]),
    ("git_ai_version", &[LowCardinality]),
    ("repo_url", &[LowCardinality]),
    (
        "human_author",
        &[LowCardinality, Comment("attribute author, else the uploader")],
    ),
    ("named_author", &[LowCardinality, Comment("attribute author")]),
    ("branch", &[LowCardinality]),
    ("tool", &[LowCardinality, Comment("the agent")]),
    ("attr_model", &[LowCardinality, Comment("attribute model")]),
    ("external_prompt_id", &[Comment("the agent's own session id")]),
    (
        "custom_attributes",
        &[LowCardinality, Comment("a JSON object with sorted keys")],
    ),
    (
        "installation",
        &[LowCardinality, Comment("the installation that uploaded")],
    ),
];
