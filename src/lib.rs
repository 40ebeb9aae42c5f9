//! Metric events of AI coding agents: decoding, building and encoding what git-ai clients upload.

pub mod capture;
pub mod identity;
pub mod lock;
#[cfg(feature = "node")]
// Tests don't register the exports with napi, so they look unused.
#[cfg_attr(test, allow(dead_code))]
mod node;
/// How events cross to JavaScript and back.
pub mod protocol;
pub mod redact;
pub mod rows;
pub mod session;
pub mod wire;
