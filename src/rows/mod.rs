//! Encodes an upload's bytes as rows for ClickHouse. The columns come from the same tables as the codec. Values are
//! copied directly from the upload into the rows.

mod columns;
mod custom_attributes;
mod format;
mod settle;
mod tables;
mod writer;

pub use columns::Column;
pub use format::RowFormat;
pub use settle::{Records, SessionSettler, SettleOptions, SettledEvent};
pub use tables::{METRIC_EVENTS, Merging, PROMPT_EVENT_DELIVERIES, ROW_TABLES, RowTable, SESSION_RECORDS};
pub use writer::{
    EARLIEST_EVENT_MS, EARLIEST_RECEIVED_AT_MS, LATEST_RECEIVED_AT_MS, LONGEST_AHEAD_MS, RowBuffers, RowOptions,
    RowWriter, header_length,
};
