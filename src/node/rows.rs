//! Rows for `lib/rows.js`.

use super::codec::{MOST_KEPT_BYTES, emptied};
use super::error::{Failure, guarded, node_failure};
use crate::protocol::*;
use crate::rows::{
    PROMPT_EVENT_DELIVERIES, ROW_TABLES, RowBuffers, RowFormat, RowOptions, RowWriter, SettleOptions, SettledEvent,
    header_length,
};
use crate::wire::decode::{Limits, decode_batch};
use crate::wire::error::EventError;
use bumpalo::Bump;
use napi::Env;
use napi::bindgen_prelude::{BufferSlice, Float64ArraySlice};
use napi_derive::napi;

/// Encodes the rows of uploads. Keeps memory for the next upload.
#[napi]
#[derive(Default)]
pub struct RowEncoder {
    arena: Bump,
    buffers: RowBuffers,
    /// The errors of the last upload, until `takeErrors`.
    errors: Vec<EventError>,
}

const _: () = assert!(ROWS_COUNTS as usize + ROW_TABLES.len() == ROWS_HEADER_LENGTHS as usize);
const _: () = assert!(ROWS_HEADER_LENGTHS as usize + ROW_TABLES.len() == ROWS_NUMBERS as usize);

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

    /// Encodes the rows of `body`'s events. Returns the rows of each table that has some, in the order of the tables;
    /// with `ROWS_PROMPT_EVENTS_ONLY` exactly those of the first table, even without rows. All other numbers pass in and
    /// back in `numbers`, because an object would cost more than the rows of a small upload.
    ///
    /// Each table's rows have memory of their own, without spare bytes, because a `Buffer` that is cloned or posted to
    /// another thread takes all of its memory along.
    #[napi]
    pub fn encode<'env>(
        &mut self,
        env: &'env Env,
        body: &[u8],
        mut numbers: Float64ArraySlice<'_>,
        org_id: String,
        author: Option<String>,
        installation: Option<String>,
    ) -> Result<Vec<BufferSlice<'env>>, Failure> {
        guarded(|| {
            // SAFETY: `lib/rows.js` keeps this array to itself, and no JavaScript runs during the call.
            let numbers: &mut [f64] = unsafe { numbers.as_mut() };
            let number = |place: u32| numbers[place as usize];
            // The casts saturate: a limit beyond the machine's memory is no limit.
            let limits = Limits {
                max_events: number(ROWS_MAX_EVENTS) as usize,
                max_bytes: number(ROWS_MAX_BYTES) as usize,
            };
            let format = if number(ROWS_JSON) == 0.0 {
                RowFormat::RowBinaryWithNames
            } else {
                RowFormat::JsonEachRow
            };
            let prompt_events_only = number(ROWS_PROMPT_EVENTS_ONLY) != 0.0;
            let options = RowOptions {
                org_id: &org_id,
                received_at_ms: number(ROWS_RECEIVED_AT_MS) as u64,
                author: author.as_deref(),
                installation: installation.as_deref(),
                clock_skew_ms: number(ROWS_CLOCK_SKEW_MS) as i64,
                format,
                prompt_events_only,
            };
            let arena = std::mem::take(&mut self.arena);
            let mut writer = RowWriter::new(options, std::mem::take(&mut self.buffers));
            self.errors = decode_batch(body, &limits, &arena, &mut writer)?;
            self.arena = emptied(arena);
            numbers[ROWS_SKIPPED as usize] = writer.skipped() as f64;
            numbers[ROWS_NEWEST_MS as usize] = writer.newest().map_or(-1.0, |seconds| f64::from(seconds) * 1000.0);
            numbers[ROWS_ERRORS as usize] = self.errors.len() as f64;
            let buffers = writer.into_buffers();
            let mut encoded = Vec::new();
            for (place, (table, rows, row_count)) in buffers.tables().into_iter().enumerate() {
                numbers[ROWS_COUNTS as usize + place] = row_count as f64;
                numbers[ROWS_HEADER_LENGTHS as usize + place] = header_length(table, format) as f64;
                let is_returned = if prompt_events_only { place == 0 } else { row_count > 0 };
                if is_returned {
                    encoded.push(BufferSlice::copy_from(env, rows).map_err(node_failure)?);
                }
            }
            if buffers.capacity() <= MOST_KEPT_BYTES {
                self.buffers = buffers;
            }
            Ok(encoded)
        })
    }

    /// Returns the errors of the last upload, and forgets them.
    #[napi]
    pub fn take_errors(&mut self) -> Result<Vec<RefusedEvent>, Failure> {
        guarded(|| {
            let errors = std::mem::take(&mut self.errors).into_iter();
            Ok(errors
                .map(|error| RefusedEvent {
                    index: error.index as u32,
                    error: error.error,
                    code: error.code.as_str(),
                })
                .collect())
        })
    }
}

/// The rows of one table.
#[napi(object, object_from_js = false)]
pub struct EncodedTable<'env> {
    pub table: &'static str,
    pub rows: BufferSlice<'env>,
    pub row_count: u32,
    pub header_length: u32,
}

/// Reads all records of one session, for `lib/rows.js`.
#[napi]
pub struct SessionSettler {
    org_id: String,
    settler: crate::rows::SessionSettler,
}

#[napi]
impl SessionSettler {
    /// The settled events come as three lists of one length.
    #[napi(constructor)]
    #[allow(
        clippy::too_many_arguments,
        reason = "an object of options costs more to read than the call"
    )]
    pub fn new(
        org_id: String,
        session_id: String,
        bytes: f64,
        all: bool,
        event_ids: Vec<String>,
        event_ms: Vec<f64>,
        received_at_ms: Vec<f64>,
    ) -> Self {
        let times = event_ms.into_iter().zip(received_at_ms);
        let settled = event_ids
            .into_iter()
            .zip(times)
            .map(|(event_id, (event_ms, received_at_ms))| SettledEvent {
                event_id,
                event_ms: event_ms as u64,
                received_at_ms: received_at_ms as u64,
            });
        let options = SettleOptions {
            session_id,
            bytes: bytes as u64,
            all,
            settled: settled.collect(),
        };
        SessionSettler {
            org_id,
            settler: crate::rows::SessionSettler::new(options),
        }
    }

    /// Reads the next records, which one upload has brought.
    #[napi]
    pub fn read<'env>(
        &mut self,
        env: &'env Env,
        body: &[u8],
        received_at_ms: f64,
        author: Option<String>,
        installation: Option<String>,
    ) -> Result<EncodedTable<'env>, Failure> {
        guarded(|| {
            let options = RowOptions {
                org_id: &self.org_id,
                received_at_ms: received_at_ms as u64,
                author: author.as_deref(),
                installation: installation.as_deref(),
                clock_skew_ms: 0,
                format: RowFormat::RowBinaryWithNames,
                prompt_events_only: false,
            };
            let limits = Limits {
                max_events: usize::MAX,
                max_bytes: usize::MAX,
            };
            let arena = Bump::new();
            decode_batch(body, &limits, &arena, &mut self.settler.reading(options))?;
            self.rows(env)
        })
    }

    /// The rows of what is known once all records are read.
    #[napi]
    pub fn finish<'env>(&mut self, env: &'env Env) -> Result<EncodedTable<'env>, Failure> {
        guarded(|| {
            self.settler.finish(&self.org_id);
            self.rows(env)
        })
    }

    fn rows<'env>(&self, env: &'env Env) -> Result<EncodedTable<'env>, Failure> {
        let (rows, row_count) = self.settler.rows();
        Ok(EncodedTable {
            table: PROMPT_EVENT_DELIVERIES.name,
            rows: BufferSlice::copy_from(env, rows).map_err(node_failure)?,
            row_count: row_count as u32,
            header_length: header_length(&PROMPT_EVENT_DELIVERIES, RowFormat::RowBinaryWithNames) as u32,
        })
    }
}
