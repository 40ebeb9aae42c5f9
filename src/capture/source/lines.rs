//! A file of lines, read as it grows.

use super::open::{FileError, Links, at, open_regular};
use super::packed::{HEAD_BYTES, Unpacked, is_packed, other_name};
use crate::identity::content_hash;
use crate::wire::json::is_one_value;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A longer line is skipped. Real ones have up to 1.5 MB. A line without an end must not fill the memory.
pub(in crate::capture) const LONGEST_LINE_BYTES: usize = 32 << 20;

/// The size of the buffer, which is kept for the next read.
const CHUNK: usize = 128 << 10;

/// How many events one read returns by default.
const EVENTS_A_READ: usize = 1000;

/// If more bytes than this are left, a read returns fewer events.
const LONG_REST: u64 = 4 << 20;

/// Fewer events at once keep the memory of a process that reads a long file small. V8 gives young objects more room
/// whenever many of them outlive a collection, and never takes it back: a process that reads 1 GB takes 72 MB with
/// 1,000 events a read, and 63 MB with 100.
const EVENTS_A_READ_OF_A_LONG_REST: usize = 100;

/// How many bytes at a file's head, and before the offset, show whether it is still the same file.
const FINGERPRINTED: u64 = HEAD_BYTES as u64;

/// A compressed file is at least so many times as long as it looks.
const PACKED_TIMES: u64 = 8;

/// A file changed so recently may change again without a new time: clocks of file systems tick in steps of up to 10 ms.
const CLOCK_STEP: Duration = Duration::from_millis(20);

/// Receives the lines.
pub(in crate::capture) trait Take {
    /// Takes one line, without its newline. Returns false if it isn't a record.
    fn line(&mut self, bytes: &[u8]) -> bool;
    /// Returns how many events wait to be returned.
    fn waiting(&self) -> usize;
    /// The file was replaced or changed, so it is read again from its start.
    fn restart(&mut self);
}

/// Removes the byte order mark that some systems put before a file or payload.
pub(in crate::capture) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}

/// Takes the rest of a file if it is a complete line without its newline. A closed object is complete, whatever
/// follows.
fn take_whole_line(rest: &[u8], take: &mut impl Take) -> bool {
    let rest = rest.trim_ascii();
    rest.ends_with(b"}") && is_one_value(rest) && take.line(rest)
}

/// Distinguishes one file from another at the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
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

/// Elsewhere only the contents show it.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<Identity> {
    None
}

/// A piece of a file that has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fingerprint {
    from: u64,
    length: u64,
    hash: String,
}

impl Fingerprint {
    fn of(file: &File, from: u64, length: u64) -> io::Result<Fingerprint> {
        let bytes = read_at(file, from, length)?;
        Ok(Fingerprint {
            length,
            ..Fingerprint::of_bytes(from, &bytes)
        })
    }

    fn of_bytes(from: u64, bytes: &[u8]) -> Fingerprint {
        Fingerprint {
            from,
            length: bytes.len() as u64,
            hash: content_hash(bytes),
        }
    }

    fn still_holds(&self, file: &File) -> io::Result<bool> {
        // A larger one was made up, and isn't read.
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::capture) struct Position {
    /// After the last full line, or within a line that is too long to be held.
    offset: u64,
    is_in_long_line: bool,
    /// Unknown if the file is compressed: its contents decide, because it becomes another one by that.
    identity: Option<Identity>,
    head: Option<Fingerprint>,
    before: Option<Fingerprint>,
}

impl Position {
    /// Whether a reader can have this position: it never remembers a piece beyond its offset.
    pub fn is_sound(&self) -> bool {
        let pieces = [&self.head, &self.before];
        pieces.into_iter().flatten().all(|piece| piece.from <= self.offset)
    }

    /// Whether `file` is still the one that was read, at most grown.
    fn is_in(&self, file: &File, metadata: &Metadata) -> io::Result<bool> {
        let is_other = self.identity.is_some() && identity(metadata) != self.identity;
        if metadata.len() < self.offset || (self.offset > 0 && is_other) {
            return Ok(false);
        }
        for fingerprint in [&self.head, &self.before].into_iter().flatten() {
            if !fingerprint.still_holds(file)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether `unpacked`, which is read up to the offset, is the file that was read before it was compressed.
    fn is_in_unpacked(&self, unpacked: &mut impl Read) -> io::Result<bool> {
        let pieces: Vec<&Fingerprint> = [&self.head, &self.before].into_iter().flatten().collect();
        let ends_before = |piece: &&Fingerprint| match piece.from.checked_add(piece.length) {
            Some(end) => piece.length <= FINGERPRINTED && end <= self.offset,
            None => false,
        };
        if !pieces.iter().all(ends_before) {
            return Ok(false);
        }
        let mut found = vec![Vec::new(); pieces.len()];
        let mut chunk = vec![0; CHUNK];
        let mut at = 0;
        while at < self.offset {
            let most = (self.offset - at).min(CHUNK as u64) as usize;
            let length = unpacked.read(&mut chunk[..most])?;
            if length == 0 {
                return Ok(false);
            }
            let end = at + length as u64;
            for (piece, found) in pieces.iter().zip(&mut found) {
                let from = piece.from.clamp(at, end) - at;
                let to = (piece.from + piece.length).clamp(at, end) - at;
                found.extend_from_slice(&chunk[from as usize..to as usize]);
            }
            at = end;
        }
        let are_equal = |(piece, found): (&&Fingerprint, &Vec<u8>)| **piece == Fingerprint::of_bytes(piece.from, found);
        Ok(pieces.iter().zip(&found).all(are_equal))
    }

    /// Records that a compressed file has been read up to `end`. `head` is its start.
    fn advance_unpacked(&mut self, head: &[u8], end: &End) {
        let length = end.offset.min(FINGERPRINTED);
        if self.head.as_ref().is_none_or(|head| head.length < length) {
            self.head = Some(Fingerprint::of_bytes(0, &head[..length as usize]));
        }
        self.before = Some(Fingerprint::of_bytes(end.offset - end.passed.len() as u64, &end.passed));
        self.identity = None;
        self.offset = end.offset;
        self.is_in_long_line = end.is_in_long_line;
    }

    /// Records that `file` has been read up to `end`. A piece that can't be read again isn't compared later.
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

/// The file as it looks from outside, without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    length: u64,
    modified: SystemTime,
    changed: SystemTime,
    identity: Option<Identity>,
}

impl Look {
    /// `None` where the file's time can't show a later change.
    pub fn at(metadata: &Metadata) -> Option<Look> {
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

/// A file of lines that grows. Each `advance` reads the lines appended since the last one. If the file isn't there, the
/// one that it has become by compressing it is read, or the other way round; the position holds in both.
///
/// If the file can't be read any further, the lines before that point are taken, and the next call fails. After a
/// failure the position is unchanged, and the next call tries again.
#[derive(Debug)]
pub(in crate::capture) struct Lines {
    path: PathBuf,
    links: Links,
    position: Position,
    /// The half line after the offset, and while reading what follows it.
    buffer: Vec<u8>,
    /// The file as it looked when all of it had been taken.
    all_taken: Option<Look>,
    /// Whether the last `advance` came to the file's end.
    is_at_end: bool,
    /// The compressed file as far as it has been read: to come so far again costs as much as to read it.
    unpacking: Option<Box<Unpacking>>,
}

/// A compressed file that isn't read to its end.
#[derive(Debug)]
struct Unpacking {
    look: Option<Look>,
    unpacked: Unpacked<BufReader<File>>,
}

/// A file, or what it has become by compressing it.
struct Opened<'a> {
    path: Cow<'a, Path>,
    file: File,
    metadata: Metadata,
}

/// Asks for the metadata of a file, or of what it has become.
fn stat(path: &Path) -> io::Result<Metadata> {
    fs::metadata(path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => fs::metadata(other_name(path)).map_err(|_| error),
        _ => Err(error),
    })
}

/// Opens a file, or what it has become.
fn open(path: &Path, links: Links) -> Result<Opened<'_>, FileError> {
    let as_opened = |path, (file, metadata)| Opened { path, file, metadata };
    match open_regular(path, links) {
        Ok(opened) => Ok(as_opened(Cow::Borrowed(path), opened)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let other = other_name(path);
            match open_regular(&other, links) {
                Ok(opened) => Ok(as_opened(Cow::Owned(other), opened)),
                Err(other) if other.kind() == io::ErrorKind::NotFound => Err(at(path, "open")(error)),
                Err(error) => Err(at(&other, "open")(error)),
            }
        }
        Err(error) => Err(at(path, "open")(error)),
    }
}

impl Lines {
    /// At `position` in the file at `path`, which needn't exist yet.
    pub fn new(path: &Path, links: Links, position: Position) -> Lines {
        Lines {
            path: path.to_owned(),
            links,
            position,
            buffer: Vec::new(),
            all_taken: None,
            is_at_end: false,
            unpacking: None,
        }
    }

    /// Whether the last `advance` came to the file's end.
    pub fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Goes to a position of the file.
    pub fn go_to(&mut self, position: Position) {
        *self = Lines::new(&self.path, self.links, position);
    }

    pub fn position(&self) -> &Position {
        &self.position
    }

    /// How many bytes of the file have been taken.
    pub fn offset(&self) -> u64 {
        self.position.offset
    }

    /// Passes new lines to `take` until the file ends or `most` events wait. The default for `most` depends on how much
    /// of the file is left.
    pub fn advance(&mut self, most: Option<usize>, take: &mut impl Take) -> Result<(), FileError> {
        if self.all_taken.is_some() {
            let metadata = stat(&self.path).map_err(at(&self.path, "stat"))?;
            if self.all_taken == Look::at(&metadata) {
                return Ok(());
            }
        }
        self.all_taken = None;
        self.is_at_end = false;
        let path = std::mem::take(&mut self.path);
        let advanced = open(&path, self.links).and_then(|Opened { path, file, metadata }| {
            let advanced = if is_packed(&path) {
                self.advance_unpacked(file, &metadata, most, take)
            } else {
                self.unpacking = None;
                self.advance_in(&file, &metadata, most, take)
            };
            advanced.map_err(at(&path, "read"))
        });
        self.path = path;
        advanced
    }

    fn advance_unpacked(
        &mut self,
        file: File,
        metadata: &Metadata,
        most: Option<usize>,
        take: &mut impl Take,
    ) -> io::Result<()> {
        let look = Look::at(metadata);
        let mut unpacked = match self.unpacking.take() {
            Some(unpacking) if look.is_some() && look == unpacking.look => unpacking.unpacked,
            _ => self.unpack(file, metadata, take)?,
        };
        let most = most.unwrap_or_else(|| most_for(metadata.len().saturating_mul(PACKED_TIMES)));
        let end = self.take_lines(&mut unpacked, most, take);
        if end.offset > self.position.offset {
            self.position.advance_unpacked(unpacked.head(), &end);
        }
        self.is_at_end = end.is_at_end;
        let rest = std::mem::take(&mut self.buffer);
        if end.is_at_end {
            self.all_taken = look;
        } else if end.failure.is_none() {
            unpacked.put_back(rest);
            self.unpacking = Some(Box::new(Unpacking { look, unpacked }));
        }
        end.result(take)
    }

    /// Begins to decompress a file, and goes to the position.
    fn unpack(
        &mut self,
        file: File,
        metadata: &Metadata,
        take: &mut impl Take,
    ) -> io::Result<Unpacked<BufReader<File>>> {
        self.buffer.clear();
        let mut again = file.try_clone()?;
        let mut unpacked = Unpacked::new(BufReader::new(file), metadata.len());
        if self.position.is_in_unpacked(&mut unpacked)? {
            self.position.identity = None;
            return Ok(unpacked);
        }
        self.start_over(take);
        again.rewind()?;
        Ok(Unpacked::new(BufReader::new(again), metadata.len()))
    }

    fn advance_in(
        &mut self,
        mut file: &File,
        metadata: &Metadata,
        most: Option<usize>,
        take: &mut impl Take,
    ) -> io::Result<()> {
        if !self.position.is_in(file, metadata)? {
            self.start_over(take);
        }
        if !self.buffer_is_in(file)? {
            self.buffer.clear();
        }
        file.seek(SeekFrom::Start(self.position.offset + self.buffer.len() as u64))?;
        let most = most.unwrap_or_else(|| most_for(metadata.len() - self.position.offset));
        let end = self.take_lines(file, most, take);
        if end.offset > self.position.offset {
            self.position.advance(file, metadata, &end);
        }
        self.is_at_end = end.is_at_end;
        if end.is_at_end {
            self.all_taken = Look::at(metadata);
        } else {
            // Anything read beyond the line is read again next time, from the position that a state holds.
            self.buffer.clear();
        }
        if self.buffer.capacity() > CHUNK + self.buffer.len() {
            self.buffer.shrink_to(CHUNK);
        }
        end.result(take)
    }

    /// Goes back to the file's start.
    pub fn start_over(&mut self, take: &mut impl Take) {
        take.restart();
        self.position = Position::default();
        self.buffer.clear();
        self.all_taken = None;
        self.unpacking = None;
    }

    /// Whether the file still has the whole half line after the offset.
    fn buffer_is_in(&self, file: &File) -> io::Result<bool> {
        let length = self.buffer.len().min(FINGERPRINTED as usize);
        let behind = self.buffer.len() - length;
        let holds = |from: usize| -> io::Result<bool> {
            let stands = read_at(file, self.position.offset + from as u64, length as u64)?;
            Ok(self.buffer[from..from + length] == stands)
        };
        Ok(holds(0)? && holds(behind)?)
    }

    /// Takes lines from `source`, which continues where the half line ends, until `most` events wait.
    fn take_lines(&mut self, mut source: impl Read, most: usize, take: &mut impl Take) -> End {
        let mut end = End {
            offset: self.position.offset,
            is_in_long_line: self.position.is_in_long_line,
            is_at_end: false,
            passed: Vec::new(),
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
                    let line = &self.buffer[start..line_end];
                    let is_first = end.offset == 0 && start == 0;
                    take.line(if is_first { without_mark(line) } else { line });
                }
                start = line_end + 1;
                if take.waiting() >= most {
                    end.is_at_end = false;
                    end.pass(&self.buffer[..start]);
                    self.buffer.drain(..start);
                    return end;
                }
            }
            end.is_in_long_line |= self.buffer.len() - start > LONGEST_LINE_BYTES;
            let rest = &self.buffer[start..];
            let is_first = end.offset == 0 && start == 0;
            let rest = if is_first { without_mark(rest) } else { rest };
            if end.is_in_long_line || (end.is_at_end && take_whole_line(rest, take)) {
                start = self.buffer.len();
            }
            end.pass(&self.buffer[..start]);
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
    /// Some bytes before the offset.
    passed: Vec<u8>,
    failure: Option<io::Error>,
}

impl End {
    /// Goes on by these bytes, which have been taken.
    fn pass(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        if !bytes.is_empty() {
            self.passed.clear();
            self.passed
                .extend_from_slice(&bytes[bytes.len().saturating_sub(HEAD_BYTES)..]);
        }
    }

    /// The failure waits until the events before it have been returned.
    fn result(self, take: &impl Take) -> io::Result<()> {
        match self.failure {
            Some(failure) if take.waiting() == 0 => Err(failure),
            _ => Ok(()),
        }
    }
}

/// How many events one read returns by default, by the length of the file's rest.
fn most_for(rest: u64) -> usize {
    if rest > LONG_REST {
        EVENTS_A_READ_OF_A_LONG_REST
    } else {
        EVENTS_A_READ
    }
}

/// Appends the next chunk to `buffer`, or what of it can be read; `true` at the end of the file.
fn fill(source: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let before = buffer.len();
    // Grow by half of a long line. So it is read in few steps and takes little more memory than its length.
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

    /// Counts lines.
    #[derive(Default)]
    struct Taken(usize);

    impl Take for Taken {
        fn line(&mut self, _: &[u8]) -> bool {
            self.0 += 1;
            true
        }
        fn waiting(&self) -> usize {
            0
        }
        fn restart(&mut self) {}
    }

    #[test]
    fn lines_before_an_unreadable_place_are_taken() {
        let line = |text: &str| format!(r#"{{"type":"user","message":{{"content":"{text}"}}}}"#) + "\n";
        let lines = line("one") + &line(&"long ".repeat(CHUNK));
        let half = &line("half")[..20];
        let mut taken = Taken::default();
        let mut source = Lines::new(Path::new("transcript.jsonl"), Links::Followed, Position::default());
        let end = source.take_lines((lines.clone() + half).as_bytes().chain(Broken), usize::MAX, &mut taken);
        assert_eq!(end.offset, lines.len() as u64);
        assert!(!end.is_at_end && end.failure.is_some());
        assert_eq!(taken.0, 2);
    }
}
