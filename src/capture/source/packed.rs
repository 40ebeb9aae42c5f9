//! Files that their agent has compressed with Zstandard. They are decompressed as they are read.

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::error::Error;
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

/// How the name of a compressed file ends.
const EXTENSION: &str = "zst";

/// Begins compressed data.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How far back data may refer, and so how much memory it takes to decompress it. RFC 8878 asks for 8 MiB at least, which
/// all levels of `zstd` up to 19 keep to. Codex needs 2 MiB.
const MOST_WINDOW_BYTES: u64 = 8 << 20;

/// Data that grows to more than so many times its length is made to take up time. Real sessions reach 5 to 50.
const MOST_TIMES: u64 = 1000;

/// As many bytes may come of any data.
const FREE_BYTES: u64 = 64 << 20;

/// How many bytes at the start are remembered.
pub(super) const HEAD_BYTES: usize = 512;

/// Whether a file with this name is compressed.
pub(super) fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == EXTENSION)
}

/// The name that a file has after it was compressed or, if that is its name, decompressed.
pub(super) fn other_name(path: &Path) -> PathBuf {
    if is_packed(path) {
        return path.with_extension("");
    }
    let mut name = path.file_name().unwrap_or(OsStr::new("")).to_owned();
    name.push(".");
    name.push(EXTENSION);
    path.with_file_name(name)
}

/// The decompressed start of a file, up to `most` bytes, if `head` is the start of a compressed one. Damaged data ends it.
pub(in crate::capture) fn unpacked_head(head: &[u8], most: u64) -> Option<Vec<u8>> {
    if !head.starts_with(&MAGIC) {
        return None;
    }
    let mut unpacked = Vec::new();
    // A failure means that more can't be had from these bytes.
    let _ = Unpacked::new(head, head.len() as u64)
        .take(most)
        .read_to_end(&mut unpacked);
    Some(unpacked)
}

/// Decompresses `source`.
pub(super) struct Unpacked<R> {
    source: R,
    decoder: FrameDecoder,
    is_in_frame: bool,
    /// Whether `source` has held a frame so far.
    has_frame: bool,
    /// The length of `source`.
    packed_bytes: u64,
    /// How many bytes have come of it.
    unpacked_bytes: u64,
    head: Vec<u8>,
    /// What was read and given back.
    rest: Vec<u8>,
}

impl<R> fmt::Debug for Unpacked<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Unpacked");
        shown
            .field("unpacked_bytes", &self.unpacked_bytes)
            .finish_non_exhaustive()
    }
}

impl<R: BufRead> Unpacked<R> {
    /// At the start of `source`, which has this length.
    pub fn new(source: R, packed_bytes: u64) -> Unpacked<R> {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MOST_WINDOW_BYTES);
        Unpacked {
            source,
            decoder,
            is_in_frame: false,
            has_frame: false,
            packed_bytes,
            unpacked_bytes: 0,
            head: Vec::new(),
            rest: Vec::new(),
        }
    }

    /// The first bytes that have come of the source.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Takes back the bytes that were read last.
    pub fn put_back(&mut self, mut bytes: Vec<u8>) {
        bytes.append(&mut self.rest);
        self.rest = bytes;
    }

    fn read_rest(&mut self, to: &mut [u8]) -> usize {
        let length = to.len().min(self.rest.len());
        to[..length].copy_from_slice(&self.rest[..length]);
        self.rest.drain(..length);
        if self.rest.is_empty() {
            self.rest = Vec::new();
        }
        length
    }

    /// Goes to the next frame. False at the end.
    fn begin_frame(&mut self) -> io::Result<bool> {
        if self.source.fill_buf()?.is_empty() {
            return if self.has_frame { Ok(false) } else { Err(cut_off()) };
        }
        match self.decoder.reset(&mut self.source) {
            Ok(()) => {
                self.is_in_frame = true;
                self.has_frame = true;
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                let length = u64::from(length);
                let skipped = io::copy(&mut (&mut self.source).take(length), &mut io::sink())?;
                self.has_frame = true;
                if skipped < length {
                    return Err(cut_off());
                }
            }
            Err(error) => return Err(failure(error)),
        }
        Ok(true)
    }

    fn end_frame(&mut self) -> io::Result<()> {
        self.is_in_frame = false;
        let expected = self.decoder.get_checksum_from_data();
        if expected.is_some() && expected != self.decoder.get_calculated_checksum() {
            return Err(invalid("damaged zstd data: its checksum is another"));
        }
        Ok(())
    }

    fn count(&mut self, bytes: &[u8]) -> io::Result<()> {
        let missing = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..missing.min(bytes.len())]);
        self.unpacked_bytes += bytes.len() as u64;
        if self.unpacked_bytes > FREE_BYTES && self.unpacked_bytes / MOST_TIMES > self.packed_bytes {
            return Err(invalid("the zstd data grows to more than 1,000 times its length"));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        if !self.rest.is_empty() {
            return Ok(self.read_rest(to));
        }
        loop {
            let length = self.decoder.read(to)?;
            if length > 0 {
                self.count(&to[..length])?;
                return Ok(length);
            }
            if self.is_in_frame && self.decoder.is_finished() {
                self.end_frame()?;
            }
            if self.is_in_frame {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.source, one).map_err(failure)?;
            } else if !self.begin_frame()? {
                return Ok(0);
            }
        }
    }
}

fn invalid(problem: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

fn cut_off() -> io::Error {
    invalid("the zstd data is cut off")
}

/// Tells an error of the system and the end of the file from damaged data.
fn failure(error: FrameDecoderError) -> io::Error {
    let mut cause: Option<&dyn Error> = Some(&error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            if let Some(code) = error.raw_os_error() {
                return io::Error::from_raw_os_error(code);
            }
            if error.kind() == io::ErrorKind::UnexpectedEof {
                return cut_off();
            }
        }
        cause = error.source();
    }
    match error {
        FrameDecoderError::WindowSizeTooBig { requested, max } => invalid(format!(
            "the zstd data has a window of {requested} bytes, expected at most {max}: compress it at level 19 or lower"
        )),
        error => invalid(format!("damaged zstd data: {error}")),
    }
}
