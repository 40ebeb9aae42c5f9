//! A file that is one JSON document, which its agent writes anew for every change.

use super::lines::{LONGEST_LINE_BYTES, Look, Take, without_mark};
use super::open::{FileError, Links, at, open_regular};
use crate::wire::json::is_one_value;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A document, which is one record. It is taken again whenever the file has changed.
#[derive(Debug)]
pub(in crate::capture) struct Document {
    path: PathBuf,
    links: Links,
    /// The file as it looked when it was taken.
    taken: Option<Look>,
    length: u64,
}

impl Document {
    /// The document at `path`, which needn't exist yet.
    pub fn new(path: &Path, links: Links) -> Document {
        Document {
            path: path.to_owned(),
            links,
            taken: None,
            length: 0,
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the document again, as if it were new.
    pub fn start_over(&mut self) {
        *self = Document::new(&self.path, self.links);
    }

    /// How many bytes the document had when it was taken.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Passes the document to `take` if it has changed. Half of one is none, and one that is too long is skipped.
    pub fn advance(&mut self, take: &mut impl Take) -> Result<(), FileError> {
        let metadata = fs::metadata(&self.path).map_err(at(&self.path, "stat"))?;
        if self.taken.is_some() && self.taken == Look::at(&metadata) {
            return Ok(());
        }
        let (file, metadata) = open_regular(&self.path, self.links).map_err(at(&self.path, "open"))?;
        self.taken = Look::at(&metadata);
        let mut bytes = Vec::new();
        let read = file.take(LONGEST_LINE_BYTES as u64 + 1).read_to_end(&mut bytes);
        read.map_err(at(&self.path, "read"))?;
        let json = without_mark(&bytes).trim_ascii();
        if bytes.len() <= LONGEST_LINE_BYTES && is_one_value(json) && take.line(json) {
            self.length = bytes.len() as u64;
        }
        Ok(())
    }
}
