//! Reads the bytes of a session file: line by line as the file grows, or as one document whenever it has changed.

mod document;
mod lines;
pub(super) mod open;

pub(super) use document::Document;
pub(super) use lines::{LONGEST_LINE_BYTES, Lines, Position, Take, without_mark};
