//! Strings that last between batches: versions, models, tools, kinds. JavaScript keeps them, and a batch names them by
//! their places instead of making them anew.
//!
//! What lasts are short copies in a table of a fixed size, so nothing else that a batch held stays in memory. Senders
//! choose the strings: those that don't repeat never get into the table, and those that no longer do give way.

use super::cells::same;
use crate::protocol::LASTING_PLACES;

/// Longer strings don't last. That is enough for the names of models, tools and branches, and for most repositories.
const LONGEST: usize = 48;

/// How many strings are remembered as seen.
const SEEN: usize = 1024;

/// How many batches a string lasts without being used if another one wants its place.
const BATCHES: u32 = 64;

pub struct Lasting {
    places: Vec<Place>,
    /// A part of the hash of the string at each place. Most look-ups find nothing, and these stay in the processor's cache.
    tags: [u16; LASTING_PLACES as usize],
    /// A part of the hash of the last string seen at each place. A string lasts once it has been seen twice.
    seen: Vec<u16>,
    batch: u32,
    /// Whether the current batch has filled a place.
    has_new: bool,
}

#[derive(Clone, Copy)]
struct Place {
    bytes: [u8; LONGEST],
    /// `NOTHING` if the place is free.
    length: u8,
    /// The last batch that used it.
    used: u32,
}

const NOTHING: u8 = u8::MAX;

impl Default for Lasting {
    fn default() -> Self {
        let free = Place {
            bytes: [0; LONGEST],
            length: NOTHING,
            used: 0,
        };
        Lasting {
            places: vec![free; LASTING_PLACES as usize],
            tags: [0; LASTING_PLACES as usize],
            seen: vec![0; SEEN],
            batch: 0,
            has_new: false,
        }
    }
}

impl Lasting {
    /// Prepares for a batch.
    pub fn begin(&mut self) {
        self.batch = self.batch.wrapping_add(1);
        self.has_new = false;
    }

    /// Whether the current batch has brought strings that last.
    pub fn has_new(&self) -> bool {
        self.has_new
    }

    /// Frees all places.
    pub fn forget(&mut self) {
        for place in &mut self.places {
            place.length = NOTHING;
        }
    }

    /// Returns the place of a string.
    #[inline]
    pub fn find(&mut self, text: &[u8], hash: u64) -> Option<usize> {
        let at = place_of(hash);
        if self.tags[at] != tag_of(hash) {
            return None;
        }
        let place = &mut self.places[at];
        let known = place.bytes.get(..usize::from(place.length))?;
        if !same(known, text) {
            return None;
        }
        place.used = self.batch;
        Some(at)
    }

    /// Takes note of a string that has no place. Returns its place if it gets one now. A place that this batch has used is
    /// never given away.
    #[inline]
    pub fn learn(&mut self, text: &[u8], hash: u64) -> Option<usize> {
        if text.len() > LONGEST {
            return None;
        }
        // The upper bits are mixed best. Each use takes other ones.
        let seen = &mut self.seen[(hash >> 54) as usize % SEEN];
        let tag = tag_of(hash);
        if *seen != tag {
            *seen = tag;
            return None;
        }
        let at = place_of(hash);
        let place = &mut self.places[at];
        if place.length != NOTHING && self.batch.wrapping_sub(place.used) <= BATCHES {
            return None;
        }
        place.bytes[..text.len()].copy_from_slice(text);
        place.length = text.len() as u8;
        place.used = self.batch;
        self.tags[at] = tag;
        self.has_new = true;
        Some(at)
    }
}

fn tag_of(hash: u64) -> u16 {
    (hash >> 30) as u16
}

fn place_of(hash: u64) -> usize {
    (hash >> 46) as usize % LASTING_PLACES as usize
}
