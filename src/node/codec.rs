//! Decodes for `lib/decode.js` and encodes for `lib/encode.js`.

use super::capture::CapturedEvents;
use super::cells::{Buffers, CellWriter, Cells, Collect, Known};
use super::error::{Failure, guarded, node_failure};
use super::packed::{Reader, Texts, text_from_utf16};
use crate::wire::decode::{Limits, decode_batch};
use crate::wire::encode::BatchWriter;
use crate::wire::error::EventError;
use crate::wire::json::{Cursor, is_one_value};
use bumpalo::Bump;
use napi::bindgen_prelude::{BufferSlice, Null, ToNapiValue, Uint32ArraySlice};
use napi::{Env, JsString, JsValue, sys};
use napi_derive::napi;

/// Decodes batches into cells. Keeps memory, and what JavaScript knows, for the next batch.
#[napi]
#[derive(Default)]
pub struct BatchDecoder {
    arena: Bump,
    buffers: Buffers,
    known: Known,
    /// The cells of the last batch if they didn't fit into JavaScript's array.
    waiting: Option<Cells>,
}

/// Larger buffers are freed after a call, so that one huge batch doesn't cost its memory forever.
pub(super) const MOST_KEPT_BYTES: usize = 4 << 20;

/// Empties the arena for the next call. Replaces it if it has grown too large.
pub(super) fn emptied(mut arena: Bump) -> Bump {
    arena.reset();
    if arena.allocated_bytes() <= MOST_KEPT_BYTES {
        arena
    } else {
        Bump::new()
    }
}

#[napi]
impl BatchDecoder {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes `body` into `cells` and passes the strings to `collect`. Returns 0 if the cells fit. Otherwise returns
    /// the number of words they need, and you fetch them with `copyCells`. JavaScript has received the batches up to number
    /// `received`.
    #[napi]
    #[allow(
        clippy::too_many_arguments,
        reason = "an object of options costs more to read than the call"
    )]
    pub fn decode(
        &mut self,
        env: &Env,
        body: &[u8],
        max_events: f64,
        max_bytes: f64,
        cells: Uint32ArraySlice<'_>,
        #[napi(ts_arg_type = "(...strings: string[]) => void")] collect: Collect<'_>,
        received: u32,
    ) -> Result<u32, Failure> {
        guarded(|| {
            // The casts saturate: a limit beyond the machine's memory is no limit.
            let limits = Limits {
                max_events: max_events as usize,
                max_bytes: max_bytes as usize,
            };
            let arena = std::mem::take(&mut self.arena);
            let length = self.send(env, cells, &collect, received, (&arena, body.len()), |writer| {
                Ok(decode_batch(body, &limits, &arena, writer)?)
            })?;
            self.arena = emptied(arena);
            Ok(length)
        })
    }

    /// Sends captured events the same way. Empties `captured`, so that its events don't stay in memory until JavaScript
    /// collects the object.
    #[napi]
    pub fn captured(
        &mut self,
        env: &Env,
        captured: &mut CapturedEvents,
        cells: Uint32ArraySlice<'_>,
        #[napi(ts_arg_type = "(...strings: string[]) => void")] collect: Collect<'_>,
        received: u32,
    ) -> Result<u32, Failure> {
        guarded(|| {
            let captured = std::mem::take(&mut captured.captured);
            let arena = std::mem::take(&mut self.arena);
            let length = self.send(env, cells, &collect, received, (&arena, usize::MAX), |writer| {
                captured.send(&arena, writer);
                Ok(Vec::new())
            })?;
            self.arena = emptied(arena);
            Ok(length)
        })
    }

    fn send<'a>(
        &mut self,
        env: &Env,
        mut cells: Uint32ArraySlice<'_>,
        collect: &Collect<'_>,
        received: u32,
        (arena, bytes): (&'a Bump, usize),
        write: impl FnOnce(&mut CellWriter<'_, 'a>) -> Result<Vec<EventError>, Failure>,
    ) -> Result<u32, Failure> {
        // SAFETY: `lib/decode.js` keeps this array to itself. The only JavaScript that runs during the call is
        // `collect`, which doesn't touch it, and napi refuses to enter this decoder a second time.
        let cells = unsafe { cells.as_mut() };
        let buffers = std::mem::take(&mut self.buffers);
        let placeholder = Null.into_unknown(env).map_err(node_failure)?.raw();
        let mut writer = CellWriter::new(
            env,
            collect,
            self.known.begin(received),
            placeholder,
            buffers,
            arena,
            bytes,
        );
        let errors = write(&mut writer)?;
        let finished = writer.finish(&errors)?;
        let length = finished.len();
        if length > cells.len() {
            self.waiting = Some(finished);
            return Ok(length as u32);
        }
        finished.copy_to(cells);
        if length * size_of::<u32>() <= MOST_KEPT_BYTES {
            self.buffers = finished.into_buffers();
        }
        Ok(0)
    }

    /// Copies the cells that didn't fit during the last call of `decode` or `captured`.
    #[napi]
    pub fn copy_cells(&mut self, mut cells: Uint32ArraySlice<'_>) -> Result<(), Failure> {
        guarded(|| {
            if let Some(finished) = self.waiting.take() {
                // SAFETY: as in `send`.
                finished.copy_to(unsafe { cells.as_mut() });
            }
            Ok(())
        })
    }
}

/// Encodes packed events. Keeps memory for the next batch.
#[napi]
#[derive(Default)]
pub struct BatchEncoder {
    arena: Bump,
    texts: TextBuffers,
    out: Vec<u8>,
}

/// Memory for texts from JavaScript.
#[derive(Default)]
struct TextBuffers {
    ascii: Vec<u8>,
    utf16: Vec<u16>,
}

#[napi]
impl BatchEncoder {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Encodes the events that are packed in the first `length` words of `words` and in `text`.
    #[napi]
    pub fn encode<'env>(
        &mut self,
        env: &'env Env,
        words: Uint32ArraySlice<'_>,
        length: u32,
        text: JsString<'_>,
    ) -> Result<BufferSlice<'env>, Failure> {
        guarded(|| {
            let arena = std::mem::take(&mut self.arena);
            let mut buffers = std::mem::take(&mut self.texts);
            let texts = buffers.read(env, text).map_err(node_failure)?;
            let mut reader = Reader::new(&words.as_ref()[..length as usize], texts, &arena);
            let mut writer = BatchWriter::begin(std::mem::take(&mut self.out));
            let mut index = 0;
            while let Some(event) = reader.event(index)? {
                writer.event(event);
                index += 1;
            }
            let out = writer.finish();
            let buffer = BufferSlice::copy_from(env, &out).map_err(node_failure)?;
            self.arena = emptied(arena);
            if buffers.capacity() + out.capacity() <= MOST_KEPT_BYTES {
                self.texts = buffers;
                self.out = out;
            }
            Ok(buffer)
        })
    }
}

/// Whether a text is exactly one JSON value without surrounding white space.
#[napi]
pub fn is_one_json_value(env: &Env, text: JsString<'_>) -> Result<bool, Failure> {
    guarded(|| {
        let arena = Bump::new();
        let mut units = Vec::new();
        read_utf16(env, text, &mut units).map_err(node_failure)?;
        Ok(is_one_value(text_from_utf16(&units, &arena).bytes()))
    })
}

/// Whether bytes are JSON. The benchmark measures with it what a bare pass over an upload costs.
#[napi]
pub fn is_json(text: &[u8]) -> Result<bool, Failure> {
    guarded(|| {
        let arena = Bump::new();
        let read = Cursor::new(text, &arena).and_then(|mut cursor| cursor.skip_value().and_then(|_| cursor.end()));
        Ok(read.is_ok())
    })
}

impl TextBuffers {
    /// Copies a string. As bytes if it is ASCII, which is half the work for everyone who reads it.
    fn read(&mut self, env: &Env, string: JsString<'_>) -> napi::Result<Texts<'_>> {
        let length = string.utf16_len()?;
        if string.utf8_len()? != length {
            read_utf16(env, string, &mut self.utf16)?;
            return Ok(Texts::Utf16(&self.utf16));
        }
        // Node writes a NUL after the string.
        self.ascii.resize(length + 1, 0);
        let mut written = 0;
        // SAFETY: the pointer and the length are those of `ascii`, and Node writes at most that many bytes.
        let status = unsafe {
            let start = self.ascii.as_mut_ptr().cast();
            sys::napi_get_value_string_latin1(env.raw(), string.raw(), start, self.ascii.len(), &mut written)
        };
        napi::check_status!(status)?;
        self.ascii.truncate(written);
        Ok(Texts::Ascii(&self.ascii))
    }

    fn capacity(&self) -> usize {
        self.ascii.capacity() + self.utf16.capacity() * size_of::<u16>()
    }
}

/// Copies a string into `units`, whose memory is kept between calls.
fn read_utf16(env: &Env, string: JsString<'_>, units: &mut Vec<u16>) -> napi::Result<()> {
    // Node writes a NUL after the string.
    units.resize(string.utf16_len()? + 1, 0);
    let mut length = 0;
    // SAFETY: the pointer and the length are those of `units`, and Node writes at most that many units.
    let status = unsafe {
        sys::napi_get_value_string_utf16(env.raw(), string.raw(), units.as_mut_ptr(), units.len(), &mut length)
    };
    napi::check_status!(status)?;
    units.truncate(length);
    Ok(())
}
