//! The wire format: tables of fields, and the way from bytes to events and back. It knows neither Node nor ClickHouse.

pub mod decode;
pub mod encode;
pub mod error;
pub mod event;
pub mod json;
pub mod metrics;
pub mod slots;
pub mod table;

pub use metrics::*;

/// The only version of the format.
pub const WIRE_VERSION: u8 = 1;

/// What a client puts into one upload.
pub const MAX_EVENTS_PER_UPLOAD: u32 = 250;

/// The most events of one upload that decoding takes by default: what clients since 1.4 send at most.
pub const DEFAULT_MAX_EVENTS: usize = 1000;

/// The most bytes of one upload that decoding takes by default. A real upload of 1,000 session records had 21.4 MB.
pub const DEFAULT_MAX_BYTES: usize = 64 << 20;

/// The most unknown fields of one event, values and attributes together. Of duplicate keys only the last one counts.
pub const MAX_UNKNOWN_FIELDS: usize = 1024;
