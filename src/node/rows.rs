//! Rows for `lib/rows.js`.

use super::codec::{MOST_KEPT_BYTES, emptied};
use super::error::{Failure, guarded, node_failure};
use crate::rows::{
    PROMPT_EVENT_DELIVERIES, RowBuffers, RowFormat, RowOptions, RowWriter, SettleOptions, SettledEvent, header_length,
};
use crate::wire::decode::{Limits, decode_batch};
use bumpalo::Bump;
use napi::Env;
use napi::bindgen_prelude::BufferSlice;
use napi_derive::napi;

/// Encodes the rows of uploads. Keeps memory for the next upload.
#[napi]
#[derive(Default)]
pub struct RowEncoder {
    arena: Bump,
    buffers: RowBuffers,
}

/// The rows and errors of one upload.
#[napi(object, object_from_js = false)]
pub struct EncodedRows<'env> {
    /// The tables that have rows. With `prompt_events_only`, exactly the table of prompt events, even without rows.
    pub tables: Vec<EncodedTable<'env>>,
    pub skipped: u32,
    /// The `t` of the newest event.
    pub newest_ms: Option<f64>,
    pub errors: Vec<RefusedEvent>,
}

/// The rows of one table.
#[napi(object, object_from_js = false)]
pub struct EncodedTable<'env> {
    pub table: &'static str,
    pub rows: BufferSlice<'env>,
    pub row_count: u32,
    pub header_length: u32,
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

    /// Encodes the rows of `body`'s events. Each table's rows have memory of their own, without spare bytes, because a
    /// `Buffer` that is cloned or posted to another thread takes all of its memory along.
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
        author: Option<String>,
        installation: Option<String>,
        clock_skew_ms: f64,
        json: bool,
        prompt_events_only: bool,
    ) -> Result<EncodedRows<'env>, Failure> {
        guarded(|| {
            // The casts saturate: a limit beyond the machine's memory is no limit.
            let limits = Limits {
                max_events: max_events as usize,
                max_bytes: max_bytes as usize,
            };
            let format = if json {
                RowFormat::JsonEachRow
            } else {
                RowFormat::RowBinaryWithNames
            };
            let options = RowOptions {
                org_id: &org_id,
                received_at_ms: received_at_ms as u64,
                author: author.as_deref(),
                installation: installation.as_deref(),
                clock_skew_ms: clock_skew_ms as i64,
                format,
                prompt_events_only,
            };
            let arena = std::mem::take(&mut self.arena);
            let mut writer = RowWriter::new(options, std::mem::take(&mut self.buffers));
            let errors = decode_batch(body, &limits, &arena, &mut writer)?;
            self.arena = emptied(arena);
            let skipped = writer.skipped() as u32;
            let newest_ms = writer.newest().map(|seconds| f64::from(seconds) * 1000.0);
            let buffers = writer.into_buffers();
            let tables = buffers
                .tables()
                .into_iter()
                .take(if prompt_events_only { 1 } else { usize::MAX })
                .filter(|(_, _, row_count)| *row_count > 0 || prompt_events_only)
                .map(|(table, rows, row_count)| {
                    Ok(EncodedTable {
                        table: table.name,
                        rows: BufferSlice::copy_from(env, rows).map_err(node_failure)?,
                        row_count: row_count as u32,
                        header_length: header_length(table, format) as u32,
                    })
                })
                .collect::<Result<_, Failure>>()?;
            if buffers.capacity() <= MOST_KEPT_BYTES {
                self.buffers = buffers;
            }
            let errors = errors.into_iter().map(|error| RefusedEvent {
                index: error.index as u32,
                error: error.error,
                code: error.code.as_str(),
            });
            Ok(EncodedRows {
                tables,
                skipped,
                newest_ms,
                errors: errors.collect(),
            })
        })
    }
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
