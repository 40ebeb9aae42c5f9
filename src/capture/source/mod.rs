//! Reads the bytes of a session file: line by line as the file grows, or as one document whenever it has changed. A file
//! of lines may be compressed.

mod document;
mod lines;
pub(super) mod open;
mod packed;

pub(super) use document::Document;
pub(super) use lines::{LONGEST_LINE_BYTES, Lines, Position, Take, without_mark};
pub(super) use packed::unpacked_head;
