//! A transcript's file, read as it grows.

use super::calls::Calls;
use super::event::Captured;
use super::open::{FileError, at, open_regular};
use super::state::{self, StateError};
use super::transcript::{LONGEST_LINE_BYTES, Session, Transcript};
use crate::identity::content_hash;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How much is asked of the system at once, and kept for the next read.
const CHUNK: usize = 128 << 10;

/// How many events one read gives, unless it is told how many.
const EVENTS_A_READ: usize = 1000;

/// Where more than this is left to read, a read gives fewer events.
const LONG_REST: u64 = 4 << 20;

/// Then a process that reads to the end needn't hold many at once. V8 gives young objects more room whenever many of them
/// have outlived a collection, and what it has given it keeps: with 1,000 a read, a process that reads 1 GB takes 72 MB,
/// with so many 63.
const EVENTS_A_READ_OF_A_LONG_REST: usize = 100;

/// How much of a file's head, and of what stands before the offset, tells whether it is still the same.
const FINGERPRINTED: u64 = 512;

/// A file that was changed so short a time ago may be changed again without its time telling: clocks of file systems
/// tick in steps of up to 10 ms.
const CLOCK_STEP: Duration = Duration::from_millis(20);

/// The events of a whole transcript. A last line without a newline counts.
pub fn parse_transcript(jsonl: &[u8], session: Session) -> Captured {
    let mut transcript = Transcript::new(session);
    let mut start = 0;
    for newline in memchr::memchr_iter(b'\n', jsonl) {
        transcript.line(&jsonl[start..newline]);
        start = newline + 1;
    }
    transcript.line(&jsonl[start..]);
    transcript.captured()
}

/// What tells one file from another at the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    Some(Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
    })
}

/// Elsewhere only a file's contents tell.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<Identity> {
    None
}

/// A piece of a file that has been read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Fingerprint {
    from: u64,
    length: u64,
    hash: String,
}

impl Fingerprint {
    fn of(file: &File, from: u64, length: u64) -> io::Result<Fingerprint> {
        let bytes = read_at(file, from, length)?;
        Ok(Fingerprint {
            from,
            length,
            hash: content_hash(&bytes),
        })
    }

    fn still_holds(&self, file: &File) -> io::Result<bool> {
        // Whoever made up a larger one, it is not read.
        Ok(self.length <= FINGERPRINTED && *self == Fingerprint::of(file, self.from, self.length)?)
    }
}

fn read_at(mut file: &File, from: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length as usize);
    file.seek(SeekFrom::Start(from))?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// How far a file has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Position {
    /// After the last full line, or within a line that is too long to be held.
    pub offset: u64,
    is_in_long_line: bool,
    identity: Option<Identity>,
    head: Option<Fingerprint>,
    before: Option<Fingerprint>,
}

impl Position {
    /// Whether the file can be asked for what it says: a place beyond what was read may be none.
    pub(super) fn is_sound(&self) -> bool {
        let pieces = [&self.head, &self.before];
        pieces.into_iter().flatten().all(|piece| piece.from <= self.offset)
    }

    /// Whether `file` is still the one that was read, at most grown.
    fn is_in(&self, file: &File, metadata: &Metadata) -> io::Result<bool> {
        if metadata.len() < self.offset || (self.offset > 0 && identity(metadata) != self.identity) {
            return Ok(false);
        }
        for fingerprint in [&self.head, &self.before].into_iter().flatten() {
            if !fingerprint.still_holds(file)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Notes that `file` has been read up to `end`. What can't be read once more isn't compared later.
    fn advance(&mut self, file: &File, metadata: &Metadata, end: &End) {
        let offset = end.offset;
        let length = offset.min(FINGERPRINTED);
        if self.head.as_ref().is_none_or(|head| head.length < length) {
            self.head = Fingerprint::of(file, 0, length).ok();
        }
        self.before = Fingerprint::of(file, offset - length, length).ok();
        self.identity = identity(metadata);
        self.offset = offset;
        self.is_in_long_line = end.is_in_long_line;
    }
}

/// The file as a look at it, without opening it, has shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    length: u64,
    modified: SystemTime,
    changed: SystemTime,
    identity: Option<Identity>,
}

impl Look {
    /// `None` where the file's time can't tell whether it will have changed.
    fn at(metadata: &Metadata) -> Option<Look> {
        let modified = metadata.modified().ok()?;
        let changed = changed(metadata).unwrap_or(modified);
        let age = SystemTime::now().duration_since(changed).ok()?;
        (age > CLOCK_STEP).then(|| Look {
            length: metadata.len(),
            modified,
            changed,
            identity: identity(metadata),
        })
    }
}

/// When the file was last written or given another time of writing, which a program can set back.
#[cfg(unix)]
fn changed(metadata: &Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    let since = Duration::new(
        metadata.ctime().try_into().ok()?,
        metadata.ctime_nsec().try_into().ok()?,
    );
    SystemTime::UNIX_EPOCH.checked_add(since)
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> Option<SystemTime> {
    None
}

/// A transcript that grows: each read takes what was appended since.
///
/// Where the file can't be read any further, what stands before is given, and the next read has the error; after one it
/// stands where it stood, and tries again.
#[derive(Debug)]
pub struct TranscriptReader {
    path: PathBuf,
    pub(super) transcript: Transcript,
    pub(super) position: Position,
    /// The half line after the offset, and while reading what follows it.
    buffer: Vec<u8>,
    /// The file as it was when all of it had been taken.
    all_taken: Option<Look>,
}

impl TranscriptReader {
    /// A reader at the start of the file, which needn't be there yet.
    pub fn new(path: &Path, session: Session) -> TranscriptReader {
        TranscriptReader {
            path: path.to_owned(),
            transcript: Transcript::new(session),
            position: Position::default(),
            buffer: Vec::new(),
            all_taken: None,
        }
    }

    /// A reader that goes on where the one that gave out `state` stood.
    pub fn resume(path: &Path, session: Session, state: &str) -> Result<TranscriptReader, StateError> {
        let mut reader = TranscriptReader::new(path, session);
        state::restore(&mut reader, state)?;
        Ok(reader)
    }

    /// What `resume` needs to go on from here. It grows with the calls that have no result yet, and by 10 bytes with each
    /// event, twice that for a call.
    pub fn state(&self) -> String {
        state::save(self)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes of the file have been taken.
    pub fn offset(&self) -> u64 {
        self.position.offset
    }

    pub(super) fn calls(&mut self) -> &mut Calls {
        &mut self.transcript.calls
    }

    /// New events, and earlier ones again whose call has become known better since. Reading stops after the line that gave
    /// the last of `most`, or of as many as suit what is left of the file, and the next read goes on there; all has been
    /// read once there are none.
    pub fn read(&mut self, most: Option<usize>) -> Result<Captured, FileError> {
        self.advance(most)?;
        Ok(self.transcript.captured())
    }

    /// The same without an end but the file's; the events wait to be taken.
    pub(super) fn read_all(&mut self) -> Result<(), FileError> {
        self.advance(Some(usize::MAX))
    }

    /// Passes over the whole file once more. What was emitted is not emitted again, unless it knows more.
    pub(super) fn read_again(&mut self) -> Result<(), FileError> {
        self.start_over();
        self.read_all()
    }

    fn advance(&mut self, most: Option<usize>) -> Result<(), FileError> {
        if self.all_taken.is_some() {
            let metadata = fs::metadata(&self.path).map_err(at(&self.path, "stat"))?;
            if self.all_taken == Look::at(&metadata) {
                return Ok(());
            }
        }
        self.all_taken = None;
        let (file, metadata) = open_regular(&self.path).map_err(at(&self.path, "open"))?;
        self.advance_in(&file, &metadata, most).map_err(at(&self.path, "read"))
    }

    fn advance_in(&mut self, mut file: &File, metadata: &Metadata, most: Option<usize>) -> io::Result<()> {
        if !self.position.is_in(file, metadata)? {
            self.start_over();
        }
        if !self.buffer_is_in(file)? {
            self.buffer.clear();
        }
        file.seek(SeekFrom::Start(self.position.offset + self.buffer.len() as u64))?;
        let is_long = metadata.len() - self.position.offset > LONG_REST;
        let most = most.unwrap_or(if is_long {
            EVENTS_A_READ_OF_A_LONG_REST
        } else {
            EVENTS_A_READ
        });
        let end = self.take_lines(file, most);
        if end.offset > self.position.offset {
            self.position.advance(file, metadata, &end);
        }
        if end.is_at_end {
            self.all_taken = Look::at(metadata);
        } else {
            // What was read beyond the line is read again next time, from where the state stands.
            self.buffer.clear();
        }
        if self.buffer.capacity() > CHUNK + self.buffer.len() {
            self.buffer.shrink_to(CHUNK);
        }
        match end.failure {
            Some(failure) if self.calls().waiting() == 0 => Err(failure),
            _ => Ok(()),
        }
    }

    fn start_over(&mut self) {
        self.transcript.restart();
        self.position = Position::default();
        self.buffer.clear();
        self.all_taken = None;
    }

    /// Whether the half line still stands after the offset, from its start to its end.
    fn buffer_is_in(&self, file: &File) -> io::Result<bool> {
        let length = self.buffer.len().min(FINGERPRINTED as usize);
        let behind = self.buffer.len() - length;
        let holds = |from: usize| -> io::Result<bool> {
            let stands = read_at(file, self.position.offset + from as u64, length as u64)?;
            Ok(self.buffer[from..from + length] == stands)
        };
        Ok(holds(0)? && holds(behind)?)
    }

    /// Takes the lines that come out of `source`, which goes on where the half line ends, until `most` events wait.
    fn take_lines(&mut self, mut source: impl Read, most: usize) -> End {
        let mut end = End {
            offset: self.position.offset,
            is_in_long_line: self.position.is_in_long_line,
            is_at_end: false,
            failure: None,
        };
        loop {
            let searched = self.buffer.len();
            let filled = fill(&mut source, &mut self.buffer);
            end.is_at_end = matches!(filled, Ok(true));
            let mut start = 0;
            for newline in memchr::memchr_iter(b'\n', &self.buffer[searched..]) {
                let line_end = searched + newline;
                if !std::mem::take(&mut end.is_in_long_line) {
                    self.transcript.line(&self.buffer[start..line_end]);
                }
                start = line_end + 1;
                if self.transcript.calls.waiting() >= most {
                    end.is_at_end = false;
                    end.offset += start as u64;
                    return end;
                }
            }
            end.is_in_long_line |= self.buffer.len() - start > LONGEST_LINE_BYTES;
            if end.is_in_long_line || (end.is_at_end && self.transcript.whole_line(&self.buffer[start..])) {
                start = self.buffer.len();
            }
            end.offset += start as u64;
            self.buffer.drain(..start);
            end.failure = filled.err();
            if end.is_at_end || end.failure.is_some() {
                return end;
            }
        }
    }
}

/// Where a read has stopped.
struct End {
    /// After the last line that was taken, or within one that is too long.
    offset: u64,
    is_in_long_line: bool,
    /// Whether the file ends there, but for half a line.
    is_at_end: bool,
    failure: Option<io::Error>,
}

/// Appends the next chunk to `buffer`, or what of it can be read; `true` at the end of the file.
fn fill(source: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let before = buffer.len();
    // Grows by half of a long line, which is read in few steps and yet takes little more than its length.
    let more = CHUNK.max(before / 2);
    buffer.reserve_exact(more);
    source.take(more as u64).read_to_end(buffer)?;
    Ok(buffer.len() - before < more)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that gives up.
    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }

    #[test]
    fn what_stands_before_a_place_that_can_not_be_read_is_taken() {
        let line = |text: &str| format!(r#"{{"type":"user","message":{{"content":"{text}"}}}}"#) + "\n";
        let lines = line("one") + &line(&"long ".repeat(CHUNK));
        let half = &line("half")[..20];
        let mut reader = TranscriptReader::new(Path::new("transcript.jsonl"), Session::default());
        let end = reader.take_lines((lines.clone() + half).as_bytes().chain(Broken), usize::MAX);
        assert_eq!(end.offset, lines.len() as u64);
        assert!(!end.is_at_end && end.failure.is_some());
        assert_eq!(reader.calls().take().len(), 2);
    }
}
