//! From what an agent leaves on disk or sends to a hook to prompt events.

mod calls;
mod event;
pub mod hook;
mod line;
mod open;
mod prompt;
mod reader;
mod record;
pub mod skill;
mod state;
pub mod store;
mod transcript;

pub use event::{Captured, PromptEvent};
pub use open::FileError;
pub use reader::{TranscriptReader, parse_transcript};
pub use state::StateError;
pub use transcript::Session;
