//! From what an agent leaves on disk or sends to a hook to prompt events.

pub mod identity;
