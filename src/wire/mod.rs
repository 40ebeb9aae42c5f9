//! The wire format: tables of fields, and the way from bytes to events and back. It knows neither Node nor ClickHouse.

pub mod decode;
pub mod encode;
pub mod error;
pub mod event;
pub mod json;
pub mod metrics;
pub mod slots;
pub mod table;

pub use metrics::{
    AgentUsageValues, CheckpointValues, CommittedValues, EventAttributes, InstallHooksValues, METRICS,
    PromptEventValues,
};

/// The only version of the format.
pub const WIRE_VERSION: u8 = 1;

/// What a client puts into one upload.
pub const MAX_EVENTS_PER_UPLOAD: u32 = 250;
