//! Rows for `lib/rows.js`.

use super::codec::{MOST_KEPT_BYTES, emptied};
use super::error::{Failure, guarded};
use crate::rows::{RowBuffers, RowFormat, RowOptions, RowWriter};
use crate::wire::decode::{Limits, decode_batch};
use bumpalo::Bump;
use napi::bindgen_prelude::Uint8ArraySlice;
use napi_derive::napi;

/// Encodes the rows of uploads, and keeps what the next upload can use again.
#[napi]
#[derive(Default)]
pub struct RowEncoder {
    arena: Bump,
    buffers: RowBuffers,
}

/// What became of one upload.
#[napi(object, object_from_js = false)]
pub struct EncodedRows {
    /// How many bytes its rows take; with limits raised by the caller that may be more than a u32.
    pub length: f64,
    pub row_count: u32,
    pub skipped: u32,
    pub errors: Vec<RefusedEvent>,
}

/// An event that was refused.
#[napi(object, object_from_js = false)]
pub struct RefusedEvent {
    pub index: u32,
    pub error: String,
    pub code: &'static str,
}

#[napi]
impl RowEncoder {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Encodes the rows of `body`'s prompt events and copies them to `slab`, from `place` on. If they don't fit there,
    /// they wait for `copyRows`.
    #[napi]
    #[allow(
        clippy::too_many_arguments,
        reason = "an object of options costs more to read than the call"
    )]
    pub fn encode(
        &mut self,
        body: &[u8],
        max_events: f64,
        max_bytes: f64,
        org_id: String,
        received_at_ms: f64,
        json: bool,
        mut slab: Uint8ArraySlice<'_>,
        place: u32,
    ) -> Result<EncodedRows, Failure> {
        guarded(|| {
            // Saturates: a limit beyond what a machine can hold is no limit.
            let limits = Limits {
                max_events: max_events as usize,
                max_bytes: max_bytes as usize,
            };
            let format = if json {
                RowFormat::JsonEachRow
            } else {
                RowFormat::RowBinary
            };
            let options = RowOptions {
                org_id: &org_id,
                received_at_ms: received_at_ms as u64,
                format,
            };
            let arena = std::mem::take(&mut self.arena);
            let mut writer = RowWriter::new(options, std::mem::take(&mut self.buffers));
            let errors = decode_batch(body, &limits, &arena, &mut writer)?;
            self.arena = emptied(arena);
            let refused = errors.into_iter().map(|error| RefusedEvent {
                index: error.index as u32,
                error: error.error,
                code: error.code.as_str(),
            });
            let encoded = EncodedRows {
                length: writer.rows().len() as f64,
                row_count: writer.row_count() as u32,
                skipped: writer.skipped() as u32,
                errors: refused.collect(),
            };
            self.buffers = writer.into_buffers();
            // SAFETY: `lib/rows.js` gives out only what lies before `place`, and no JavaScript runs during the call.
            let room = unsafe { slab.as_mut() }.get_mut(place as usize..).unwrap_or_default();
            if let Some(room) = room.get_mut(..self.buffers.rows().len()) {
                room.copy_from_slice(self.buffers.rows());
                self.give_back();
            }
            Ok(encoded)
        })
    }

    /// Copies the rows that did not fit to `target`, which has just been made for them.
    #[napi]
    pub fn copy_rows(&mut self, mut target: Uint8ArraySlice<'_>) -> Result<(), Failure> {
        guarded(|| {
            let rows = self.buffers.rows();
            // SAFETY: `lib/rows.js` has given no part of it out yet, and no JavaScript runs during the call.
            let target = unsafe { target.as_mut() };
            target[..rows.len()].copy_from_slice(rows);
            self.give_back();
            Ok(())
        })
    }
}

impl RowEncoder {
    /// Keeps the buffers for the next upload, unless they have grown too large.
    fn give_back(&mut self) {
        if self.buffers.capacity() > MOST_KEPT_BYTES {
            self.buffers = RowBuffers::default();
        }
    }
}
