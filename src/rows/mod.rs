//! From an upload's bytes to rows for ClickHouse: columns from the same tables as the codec, no value in between.

mod columns;
mod format;
mod writer;

pub use columns::{Column, columns};
pub use format::RowFormat;
pub use writer::{LATEST_RECEIVED_AT_MS, RowBuffers, RowOptions, RowWriter};
