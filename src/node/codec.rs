//! Decoding and encoding for `lib/decode.js` and `lib/encode.js`.

use super::cells::{Buffers, CellWriter, Cells, Collect};
use super::error::{Failure, guarded};
use crate::wire::decode::{Limits, decode_batch};
use bumpalo::Bump;
use napi::Env;
use napi::bindgen_prelude::Uint32ArraySlice;
use napi_derive::napi;
use std::cell::RefCell;

thread_local! {
    /// What a decode leaves for the next one on this thread, and for `copy_cells`.
    static KEPT: RefCell<Kept> = RefCell::default();
}

#[derive(Default)]
struct Kept {
    arena: Bump,
    buffers: Buffers,
    /// The cells of the last decode, if they didn't fit.
    cells: Option<Cells>,
}

/// More than this is given back to the system after a call: one huge batch must not cost its memory for ever.
const MOST_KEPT_BYTES: usize = 4 << 20;

/// Decodes `body` into `cells` and gives the strings they name to `collect`. Returns how many words the cells take; if
/// that is more than `cells` has, they wait for `copyCells`.
#[napi]
pub fn decode_batch_to_cells(
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
        let Kept { mut arena, buffers, .. } = KEPT.take();
        // Saturates: a limit beyond what a machine can hold is no limit.
        let limits = Limits { max_events: max_events as usize, max_bytes: max_bytes as usize };
        let finished = {
            let mut writer = CellWriter::new(env, &collect, buffers);
            let errors = decode_batch(body, &limits, &arena, &mut writer)?;
            writer.finish(&errors)?
        };
        arena.reset();
        let length = finished.len();
        let mut kept = Kept::default();
        if arena.allocated_bytes() <= MOST_KEPT_BYTES {
            kept.arena = arena;
        }
        if length > cells.len() {
            kept.cells = Some(finished);
        } else {
            finished.copy_to(cells);
            if length * size_of::<u32>() <= MOST_KEPT_BYTES {
                kept.buffers = finished.into_buffers();
            }
        }
        KEPT.set(kept);
        Ok(length as u32)
    })
}

/// Copies the cells that did not fit into the array given to the last decode on this thread.
#[napi]
pub fn copy_cells(mut cells: Uint32ArraySlice<'_>) -> Result<(), Failure> {
    guarded(|| {
        if let Some(finished) = KEPT.with_borrow_mut(|kept| kept.cells.take()) {
            // SAFETY: as above.
            finished.copy_to(unsafe { cells.as_mut() });
        }
        Ok(())
    })
}
