//! Which sessions of a client are alive, and the end of those whose human has gone. It knows neither Node nor the agents.

mod liveness;
mod snapshot;
mod tracker;

pub use liveness::{EndReason, Status};
pub use snapshot::StateError;
pub use tracker::SessionTracker;
