//! The wire format: tables of fields, decoding and encoding. It knows neither Node nor ClickHouse.

pub mod decode;
pub mod encode;
pub mod error;
pub mod event;
pub mod json;
mod marks;
pub mod metrics;
mod plain;
pub mod slots;
pub mod table;

pub use metrics::*;

/// The only version of the format.
pub const WIRE_VERSION: u8 = 1;

/// The most events that a client puts into one upload.
pub const MAX_EVENTS_PER_UPLOAD: u32 = 250;

/// The most events per upload that decoding accepts by default. Clients since 1.4 send up to this many.
pub const DEFAULT_MAX_EVENTS: usize = 1000;

/// The most bytes per upload that decoding accepts by default. A real upload of 1,000 session records had 21.4 MB.
pub const DEFAULT_MAX_BYTES: usize = 64 << 20;

/// The most unknown fields of one event, counting values and attributes. A duplicate key counts once.
pub const MAX_UNKNOWN_FIELDS: usize = 1024;
