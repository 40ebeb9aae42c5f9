//! Rows for `lib/rows.js`.

use super::codec::{MOST_KEPT_BYTES, emptied};
use super::error::{Failure, guarded, node_failure};
use crate::rows::{RowBuffers, RowFormat, RowOptions, RowWriter};
use crate::wire::decode::{Limits, decode_batch};
use bumpalo::Bump;
use napi::Env;
use napi::bindgen_prelude::BufferSlice;
use napi_derive::napi;

/// Encodes the rows of uploads, and keeps what the next upload can use again.
#[napi]
#[derive(Default)]
pub struct RowEncoder {
    arena: Bump,
    buffers: RowBuffers,
}

/// The rows of one upload.
#[napi(object, object_from_js = false)]
pub struct Rows<'env> {
    pub rows: BufferSlice<'env>,
    pub row_count: u32,
    pub skipped: u32,
    pub errors: Vec<RowError>,
}

/// An event that was refused.
#[napi(object, object_from_js = false)]
pub struct RowError {
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

    /// The rows of `body`'s prompt events.
    #[napi]
    #[allow(
        clippy::too_many_arguments,
        reason = "an object of options costs more to read than the call"
    )]
    pub fn encode<'env>(
        &mut self,
        env: &'env Env,
        body: &[u8],
        max_events: f64,
        max_bytes: f64,
        org_id: String,
        received_at_ms: f64,
        json: bool,
    ) -> Result<Rows<'env>, Failure> {
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
            let rows = Rows {
                rows: BufferSlice::copy_from(env, writer.rows()).map_err(node_failure)?,
                row_count: writer.row_count() as u32,
                skipped: writer.skipped() as u32,
                errors: errors
                    .into_iter()
                    .map(|error| RowError {
                        index: error.index as u32,
                        error: error.error,
                        code: error.code.as_str(),
                    })
                    .collect(),
            };
            let buffers = writer.into_buffers();
            if buffers.capacity() <= MOST_KEPT_BYTES {
                self.buffers = buffers;
            }
            Ok(rows)
        })
    }
}
