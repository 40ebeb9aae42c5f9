//! Turns an agent's session files and hooks into prompt events.
//!
//! `source` reads bytes, `agents` know what a record of their agent means, `ledger` numbers events and pairs calls with
//! their results, `snapshot` carries all of it to the next process. A new agent is one file in `agents`.

pub mod agents;
pub mod derive;
mod event;
pub mod hook;
mod item;
mod json;
mod ledger;
mod reader;
pub mod reports;
mod session;
pub mod skill;
mod snapshot;
mod source;
pub mod store;

pub use event::{Captured, PromptEvent};
pub use json::Json;
pub use reader::{TranscriptReader, parse_transcript};
pub use session::Session;
pub use snapshot::StateError;
pub use source::open::{FileError, Links};
