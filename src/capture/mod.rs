//! From what an agent leaves on disk or sends to a hook to prompt events.

pub mod calls;
pub mod event;
pub mod hook;
pub mod identity;
pub mod line;
mod open;
pub mod prompt;
pub mod reader;
pub mod skill;
mod state;
pub mod store;
pub mod transcript;

pub use event::{Captured, PromptEvent};
pub use hook::capture_hook;
pub use reader::{TranscriptReader, parse_transcript};
pub use transcript::Session;
