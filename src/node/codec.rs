//! Decoding and encoding for `lib/decode.js` and `lib/encode.js`.

use super::cells::{Buffers, CellWriter, Cells, Collect, ShapeRegistry};
use super::error::{Failure, guarded};
use crate::wire::decode::{Limits, decode_batch};
use bumpalo::Bump;
use napi::Env;
use napi::bindgen_prelude::Uint32ArraySlice;
use napi_derive::napi;

/// Decodes batches into cells, and keeps what the next batch can use again.
#[napi]
#[derive(Default)]
pub struct BatchDecoder {
    arena: Bump,
    buffers: Buffers,
    shapes: ShapeRegistry,
    /// The cells of the last batch, if they didn't fit.
    waiting: Option<Cells>,
}

/// More than this is given back to the system after a call: one huge batch must not cost its memory for ever.
const MOST_KEPT_BYTES: usize = 4 << 20;

#[napi]
impl BatchDecoder {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes `body` into `cells` and gives the strings they name to `collect`. Returns how many words the cells take;
    /// if that is more than `cells` has, they wait for `copyCells`.
    #[napi]
    pub fn decode(
        &mut self,
        env: &Env,
        body: &[u8],
        max_events: f64,
        max_bytes: f64,
        mut cells: Uint32ArraySlice<'_>,
        #[napi(ts_arg_type = "(...strings: string[]) => void")] collect: Collect<'_>,
    ) -> Result<u32, Failure> {
        guarded(|| {
            // SAFETY: `lib/decode.js` keeps this array to itself, and no JavaScript that knows it runs during the call.
            let cells = unsafe { cells.as_mut() };
            // Saturates: a limit beyond what a machine can hold is no limit.
            let limits = Limits { max_events: max_events as usize, max_bytes: max_bytes as usize };
            let mut arena = std::mem::take(&mut self.arena);
            let finished = {
                let buffers = std::mem::take(&mut self.buffers);
                let mut writer = CellWriter::new(env, &collect, &mut self.shapes, buffers);
                let errors = decode_batch(body, &limits, &arena, &mut writer)?;
                writer.finish(&errors)?
            };
            arena.reset();
            if arena.allocated_bytes() <= MOST_KEPT_BYTES {
                self.arena = arena;
            }
            let length = finished.len();
            if length > cells.len() {
                self.waiting = Some(finished);
            } else {
                finished.copy_to(cells);
                if length * size_of::<u32>() <= MOST_KEPT_BYTES {
                    self.buffers = finished.into_buffers();
                }
            }
            Ok(length as u32)
        })
    }

    /// Copies the cells that did not fit into the array given to the last call of `decode`.
    #[napi]
    pub fn copy_cells(&mut self, mut cells: Uint32ArraySlice<'_>) -> Result<(), Failure> {
        guarded(|| {
            if let Some(finished) = self.waiting.take() {
                // SAFETY: as in `decode`.
                finished.copy_to(unsafe { cells.as_mut() });
            }
            Ok(())
        })
    }
}
