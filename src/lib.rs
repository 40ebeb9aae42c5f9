//! Metric events of AI coding agents: decoding, building and encoding what git-ai clients upload.

pub mod capture;
#[cfg(feature = "node")]
mod node;
pub mod rows;
pub mod wire;
