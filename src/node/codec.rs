//! Decodes for `lib/decode.js` and encodes for `lib/encode.js`.

use super::capture::CapturedEvents;
use super::cells::{Buffers, CellWriter, Cells, Collect, Known};
use super::error::{Code, Failure, failure, guarded, node_failure};
use super::packed::{Reader, Texts, text_from_utf16};
use crate::protocol::{BODY_IS_SHARED, REQUEST_MAX_BYTES, REQUEST_MAX_EVENTS, REQUEST_RECEIVED};
use crate::wire::decode::{Limits, decode_batch};
use crate::wire::encode::BatchWriter;
use crate::wire::error::EventError;
use crate::wire::json::{Cursor, is_one_value};
use bumpalo::Bump;
use napi::bindgen_prelude::{
    BufferSlice, FromNapiValue, Function, FunctionCallContext, Null, ToNapiValue, Uint32ArraySlice, Unknown,
};
use napi::{Env, JsString, JsValue, Status, sys};
use napi_derive::napi;
use std::cell::{RefCell, RefMut};
use std::ptr;
use std::rc::Rc;

/// Decodes batches into cells. Keeps memory, and what JavaScript knows, for the next batch.
#[napi]
#[derive(Default)]
pub struct BatchDecoder {
    state: Rc<RefCell<DecoderState>>,
}

#[derive(Default)]
struct DecoderState {
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

    /// Makes the function that decodes `body` into `cells` and passes the strings to `collect`. It returns 0 if the cells
    /// fit, and `BODY_IS_SHARED` if it has done nothing because threads share the body's memory. Otherwise it returns the
    /// number of words they need, and you fetch them with `copyCells`. Before the call, `cells` holds the words `REQUEST_*`.
    ///
    /// This isn't a method, because for each call of a method napi-rs unwraps `this`, checks its class and keeps a record of
    /// the borrow. That takes a fifth of the time of a batch of one event.
    #[napi(
        ts_return_type = "(body: Uint8Array, cells: Uint32Array, collect: (...strings: string[]) => void) => number"
    )]
    pub fn decode_function<'env>(&self, env: &'env Env) -> Result<Function<'env, Unknown<'env>, u32>, Failure> {
        let state = Rc::clone(&self.state);
        let decode = move |context: FunctionCallContext<'_>| {
            let Body(Some(body)) = context.get(0)? else {
                return Ok(BODY_IS_SHARED);
            };
            let (cells, collect) = (context.get(1)?, context.get(2)?);
            let env = &*context.env;
            guarded(|| {
                let mut state = DecoderState::of(&state)?;
                let arena = std::mem::take(&mut state.arena);
                let length = state.send(env, cells, &collect, (&arena, body.len()), |request, writer| {
                    Ok(decode_batch(body, &limits(request), &arena, writer)?)
                })?;
                state.arena = emptied(arena);
                Ok(length)
            })
            .or_else(|failure| {
                env.throw_error(&failure.reason, Some(failure.status.as_ref()))?;
                Err(napi::Error::from_status(Status::PendingException))
            })
        };
        env.create_function_from_closure("decode", decode).map_err(node_failure)
    }

    /// Sends captured events the same way. Empties `captured`, so that its events don't stay in memory until JavaScript
    /// collects the object.
    #[napi]
    pub fn captured(
        &self,
        env: &Env,
        captured: &mut CapturedEvents,
        cells: Uint32ArraySlice<'_>,
        #[napi(ts_arg_type = "(...strings: string[]) => void")] collect: Collect<'_>,
    ) -> Result<u32, Failure> {
        guarded(|| {
            let captured = std::mem::take(&mut captured.captured);
            let mut state = DecoderState::of(&self.state)?;
            let arena = std::mem::take(&mut state.arena);
            let length = state.send(env, cells, &collect, (&arena, usize::MAX), |_, writer| {
                captured.send(&arena, writer);
                Ok(Vec::new())
            })?;
            state.arena = emptied(arena);
            Ok(length)
        })
    }

    /// Copies the cells that didn't fit during the last call of `decode` or `captured`.
    #[napi]
    pub fn copy_cells(&self, mut cells: Uint32ArraySlice<'_>) -> Result<(), Failure> {
        guarded(|| {
            if let Some(finished) = DecoderState::of(&self.state)?.waiting.take() {
                // SAFETY: as in `send`.
                finished.copy_to(unsafe { cells.as_mut() });
            }
            Ok(())
        })
    }
}

impl DecoderState {
    /// Fails if a call is using it. `lib/decode.js` gives each call a decoder of its own.
    fn of(state: &RefCell<DecoderState>) -> Result<RefMut<'_, DecoderState>, Failure> {
        let busy = |_| {
            failure(
                Code::INTERNAL,
                "a bug in git-ai-metrics: the decoder is in use".to_owned(),
            )
        };
        state.try_borrow_mut().map_err(busy)
    }

    /// `bytes` is about how many bytes of text `write` will write.
    fn send<'a>(
        &mut self,
        env: &Env,
        mut cells: Uint32ArraySlice<'_>,
        collect: &Collect<'_>,
        (arena, bytes): (&'a Bump, usize),
        write: impl FnOnce(&[u32], &mut CellWriter<'_, 'a>) -> Result<Vec<EventError>, Failure>,
    ) -> Result<u32, Failure> {
        // SAFETY: `lib/decode.js` keeps this array to itself. The only JavaScript that runs during the call is
        // `collect`, which doesn't touch it, and `of` refuses to enter this decoder a second time.
        let cells = unsafe { cells.as_mut() };
        let received = cells[REQUEST_RECEIVED as usize];
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
        let errors = write(cells, &mut writer)?;
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
}

/// The bytes of a `Uint8Array`, or `None` if threads share its memory: one that writes to it during decoding would undo
/// every check. JavaScript can find out only through the array's `buffer`, which costs several times as much.
struct Body<'env>(Option<&'env [u8]>);

impl FromNapiValue for Body<'_> {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        let (mut length, mut data, mut buffer, mut is_unshared) = (0, ptr::null_mut(), ptr::null_mut(), false);
        // SAFETY: `env` and `value` are those of the current call. Node writes only to the places that aren't null, and it
        // refuses a value that isn't a typed array.
        napi::check_status!(unsafe {
            sys::napi_get_typedarray_info(
                env,
                value,
                ptr::null_mut(),
                &mut length,
                &mut data,
                &mut buffer,
                ptr::null_mut(),
            )
        })?;
        // SAFETY: as above. Node has set `buffer`. A `SharedArrayBuffer` isn't an `ArrayBuffer`.
        napi::check_status!(unsafe { sys::napi_is_arraybuffer(env, buffer, &mut is_unshared) })?;
        Ok(Body(is_unshared.then(|| match length {
            0 => &[][..],
            // SAFETY: the array holds `length` elements, each of at least a byte. It stays alive during the call, and only
            // this thread can write to it, which runs no JavaScript but `collect` before the call ends.
            _ => unsafe { std::slice::from_raw_parts(data.cast(), length) },
        })))
    }
}

/// Returns the limits that a request's words hold.
fn limits(request: &[u32]) -> Limits {
    let number = |low: u32| {
        let low = low as usize;
        usize::try_from(u64::from(request[low]) | u64::from(request[low + 1]) << 32).unwrap_or(usize::MAX)
    };
    Limits {
        max_events: number(REQUEST_MAX_EVENTS),
        max_bytes: number(REQUEST_MAX_BYTES),
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
