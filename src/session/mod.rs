//! Tracks which sessions of a client are alive, and ends those without activity. It knows neither Node nor the agents.

mod liveness;
mod snapshot;
mod tracker;

pub use liveness::{EndReason, Status};
pub use snapshot::StateError;
pub use tracker::SessionTracker;
