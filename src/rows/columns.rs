//! What a row's columns are: a few of the row's own, then one per prompt-event field and one per attribute.

use crate::wire::table::{Field, Form, Record};
use crate::wire::{EventAttributes, PromptEventValues};

/// A column of the table that rows go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in the table.
    pub name: &'static str,
    /// Its ClickHouse type, as far as RowBinary sees it: `LowCardinality` is written as the plain type.
    pub ty: &'static str,
    /// The aggregate function that makes one value of those of several deliveries; `None` for what identifies an event.
    pub merge: Option<&'static str>,
}

/// The columns, in the order of the rows.
pub fn columns() -> Vec<Column> {
    let mut columns = vec![
        Column {
            name: "org_id",
            ty: "String",
            merge: None,
        },
        Column {
            name: PROMPT_ID,
            ty: "String",
            merge: None,
        },
        Column {
            name: EVENT_ID,
            ty: "String",
            merge: None,
        },
        Column {
            name: "event_ts",
            ty: "DateTime64(3, 'UTC')",
            merge: Some("min"),
        },
        Column {
            name: "emitted_at",
            ty: "DateTime('UTC')",
            merge: Some("min"),
        },
        Column {
            name: "received_at",
            ty: "DateTime64(3, 'UTC')",
            merge: Some("min"),
        },
        Column {
            name: "heard_at",
            ty: "Nullable(DateTime64(3, 'UTC'))",
            merge: Some("max"),
        },
    ];
    columns.extend(value_fields().map(|(_, field)| field_column(field, field.name)));
    columns.extend(attribute_fields().map(|(_, field)| field_column(field, attribute_column(field.name))));
    columns
}

/// The fields that identify an event stand with the row's own columns, and are never null.
pub(super) const EVENT_ID: &str = "event_id";
pub(super) const PROMPT_ID: &str = "prompt_id";

/// When an event began is the earliest that anyone says: a hook knows only when it was told.
const START_TS: &str = "start_ts";

pub(super) fn value_fields() -> impl Iterator<Item = (usize, &'static Field)> {
    PromptEventValues::TABLE
        .fields
        .iter()
        .enumerate()
        .filter(|(_, field)| field.name != EVENT_ID)
}

pub(super) fn attribute_fields() -> impl Iterator<Item = (usize, &'static Field)> {
    EventAttributes::TABLE
        .fields
        .iter()
        .enumerate()
        .filter(|(_, field)| field.name != PROMPT_ID)
}

/// An attribute's column: as the attribute is named, but where that would not say whose it is.
pub(super) fn attribute_column(name: &'static str) -> &'static str {
    match name {
        "author" => "human_author",
        "model" => "attr_model",
        name => name,
    }
}

fn field_column(field: &Field, name: &'static str) -> Column {
    let ty = match field.ty.form() {
        Form::Bool => "Nullable(Bool)",
        Form::Uint { .. } if field.ty.cell_words() == 1 => "Nullable(UInt32)",
        Form::Uint { .. } => "Nullable(UInt64)",
        Form::Text | Form::Json => "Nullable(String)",
        // ClickHouse has no nullable arrays; the empty one stands for both.
        Form::List(item) if item.form() == Form::Text => "Array(String)",
        Form::List(item) if item.cell_words() == 1 => "Array(UInt32)",
        Form::List(_) => "Array(UInt64)",
    };
    Column {
        name,
        ty,
        merge: Some(if field.name == START_TS { "min" } else { "max" }),
    }
}
