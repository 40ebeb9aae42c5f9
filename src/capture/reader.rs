//! A session's file, read as it grows: a source of records, the agent's dialect, and the session's ledger.

use super::agents::{Agent, AnyDialect};
use super::event::Captured;
use super::ledger::{Chain, Ledger, Sink};
use super::session::Session;
use super::snapshot::{self, SavedFile, StateError};
use super::source::open::FileError;
use super::source::{LONGEST_LINE_BYTES, Lines, Position, Take};
use bumpalo::Bump;
use std::borrow::Cow;
use std::path::Path;

/// More memory than this is given back after a line: one huge line must not cost its memory for ever.
const MOST_KEPT_BYTES: usize = 1 << 20;

/// The events of a whole transcript. A last line without a newline counts.
pub fn parse_transcript(agent: &Agent, bytes: &[u8], session: Session) -> Captured {
    let mut ledger = Ledger::new(session);
    let mut meaning = Meaning::new(agent);
    let mut take = meaning.taking(&mut ledger);
    let mut start = 0;
    for newline in memchr::memchr_iter(b'\n', bytes) {
        take.line(&bytes[start..newline]);
        start = newline + 1;
    }
    take.line(&bytes[start..]);
    ledger.take()
}

/// What the records of one file mean, and the place of its events among the session's.
#[derive(Debug)]
struct Meaning {
    dialect: Box<dyn AnyDialect>,
    chain: Chain,
    arena: Bump,
}

impl Meaning {
    fn new(agent: &Agent) -> Meaning {
        Meaning {
            dialect: agent.dialect(),
            chain: Chain::default(),
            arena: Bump::new(),
        }
    }

    fn taking<'a>(&'a mut self, ledger: &'a mut Ledger) -> Taking<'a> {
        Taking {
            dialect: &mut *self.dialect,
            arena: &mut self.arena,
            sink: Sink::new(ledger, &mut self.chain),
        }
    }
}

/// Gives lines to a dialect.
struct Taking<'a> {
    dialect: &'a mut dyn AnyDialect,
    arena: &'a mut Bump,
    sink: Sink<'a>,
}

impl Take for Taking<'_> {
    fn line(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > LONGEST_LINE_BYTES {
            return false;
        }
        let is_record = self.dialect.record(bytes, self.arena, &mut self.sink);
        self.arena.reset();
        if self.arena.allocated_bytes() > MOST_KEPT_BYTES {
            *self.arena = Bump::new();
        }
        is_record
    }

    fn waiting(&self) -> usize {
        self.sink.waiting()
    }

    fn restart(&mut self) {
        self.dialect.restart();
        self.sink.restart();
    }
}

/// A session whose file grows. Each `read` gives the events of what was appended.
#[derive(Debug)]
pub struct TranscriptReader {
    lines: Lines,
    meaning: Meaning,
    ledger: Ledger,
}

impl TranscriptReader {
    /// A reader at the start of the file, which needn't exist yet.
    pub fn new(agent: &Agent, path: &Path, session: Session) -> TranscriptReader {
        TranscriptReader {
            lines: Lines::new(path, Position::default()),
            meaning: Meaning::new(agent),
            ledger: Ledger::new(session),
        }
    }

    /// A reader that continues where the one that returned `state` stood.
    pub fn resume(agent: &Agent, path: &Path, session: Session, state: &str) -> Result<TranscriptReader, StateError> {
        let saved = snapshot::read(state, &session.prompt_id)?;
        let mut reader = TranscriptReader::new(agent, path, session);
        let SavedFile {
            position,
            chain,
            dialect,
        } = saved.file;
        if !position.is_sound() || !chain.is_sound() {
            return Err(StateError::Malformed);
        }
        reader.meaning.dialect.load(&dialect).ok_or(StateError::Malformed)?;
        reader.ledger.load(saved.ledger).ok_or(StateError::Malformed)?;
        reader.meaning.chain = chain.into_owned();
        reader.lines = Lines::new(path, position.into_owned());
        Ok(reader)
    }

    /// The state that `resume` needs to continue from here. It grows with the calls that have no result yet, and by 10
    /// bytes with each event, or 20 with a call.
    pub fn state(&self) -> String {
        let file = SavedFile {
            position: Cow::Borrowed(self.lines.position()),
            chain: Cow::Borrowed(&self.meaning.chain),
            dialect: Cow::Owned(self.meaning.dialect.save()),
        };
        snapshot::save(file, &self.ledger)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        self.lines.path()
    }

    /// How many bytes of the file have been read.
    pub fn offset(&self) -> u64 {
        self.lines.offset()
    }

    pub(super) fn ledger(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// The number that the file's next item takes.
    pub(super) fn next_index(&self) -> u64 {
        self.meaning.chain.next_index()
    }

    /// New events, and earlier ones again whose call has become known better since. Reading stops after the line that gives
    /// the last of `most` events, or of as many as suit the length of the rest. The next read continues there. Everything
    /// has been read once there are none.
    pub fn read(&mut self, most: Option<usize>) -> Result<Captured, FileError> {
        self.advance(most)?;
        Ok(self.ledger.take())
    }

    /// Reads to the file's end. The events wait to be taken.
    pub(super) fn read_all(&mut self) -> Result<(), FileError> {
        self.advance(Some(usize::MAX))
    }

    /// Reads the whole file once more. Emitted events are emitted again only if they say more.
    pub(super) fn read_again(&mut self) -> Result<(), FileError> {
        self.lines.start_over(&mut self.meaning.taking(&mut self.ledger));
        self.read_all()
    }

    fn advance(&mut self, most: Option<usize>) -> Result<(), FileError> {
        self.lines.advance(most, &mut self.meaning.taking(&mut self.ledger))
    }
}
