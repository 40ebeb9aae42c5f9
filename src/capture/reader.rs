//! A session's files, read as they grow: sources of records, the agent's dialect, and the session's ledger.

mod companions;

use super::agents::{Agent, AnyDialect};
use super::event::Captured;
use super::ledger::{Chain, Ledger, Sink};
use super::session::Session;
use super::snapshot::{self, Saved, SavedFile, StateError};
use super::source::open::{FileError, Links};
use super::source::{Document, LONGEST_LINE_BYTES, Lines, Position, Take, without_mark};
use crate::wire::json::is_one_value;
use bumpalo::Bump;
use companions::Companions;
use std::borrow::Cow;
use std::path::Path;

/// Larger buffers are freed after a line, so that one huge line doesn't cost its memory forever.
const MOST_KEPT_BYTES: usize = 1 << 20;

/// The events of a whole transcript. A last line without a newline counts.
pub fn parse_transcript(agent: &Agent, bytes: &[u8], session: Session) -> Captured {
    let mut ledger = Ledger::new(session);
    let mut meaning = Meaning::new(agent, Chain::default());
    let mut take = meaning.taking(&mut ledger);
    let bytes = without_mark(bytes);
    let document = bytes.trim_ascii();
    if agent.writes_documents() && is_one_value(document) {
        take.line(document);
    } else {
        take_lines(bytes, &mut take);
    }
    take.finish();
    ledger.take()
}

/// Passes each line to `take`. The last one needs no newline.
fn take_lines(bytes: &[u8], take: &mut Taking<'_>) {
    let mut start = 0;
    for newline in memchr::memchr_iter(b'\n', bytes) {
        take.line(&bytes[start..newline]);
        start = newline + 1;
    }
    take.line(&bytes[start..]);
}

/// What the records of one file mean, and the place of its events among the session's.
#[derive(Debug)]
struct Meaning {
    dialect: Box<dyn AnyDialect>,
    chain: Chain,
    arena: Bump,
}

impl Meaning {
    fn new(agent: &Agent, chain: Chain) -> Meaning {
        Meaning {
            dialect: agent.dialect(),
            chain,
            arena: Bump::new(),
        }
    }

    fn taking<'a>(&'a mut self, ledger: &'a mut Ledger) -> Taking<'a> {
        Taking {
            dialect: &mut *self.dialect,
            arena: &mut self.arena,
            sink: Sink::new(ledger, &mut self.chain),
            was_restarted: false,
        }
    }
}

/// Passes lines to a dialect.
struct Taking<'a> {
    dialect: &'a mut dyn AnyDialect,
    arena: &'a mut Bump,
    sink: Sink<'a>,
    was_restarted: bool,
}

impl Taking<'_> {
    /// No more lines will come.
    fn finish(&mut self) {
        self.dialect.finish(&mut self.sink);
    }
}

impl Take for Taking<'_> {
    fn line(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > LONGEST_LINE_BYTES {
            return false;
        }
        let is_record = self.dialect.record(bytes.into(), self.arena, &mut self.sink);
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
        self.was_restarted = true;
    }
}

/// Where the records of a file come from.
#[derive(Debug)]
enum Source {
    Lines(Lines),
    Document(Document),
}

impl Source {
    fn new(agent: &Agent, path: &Path, links: Links) -> Source {
        let is_document = path.extension().is_some_and(|extension| extension == "json");
        if is_document && agent.writes_documents() {
            Source::Document(Document::new(path, links))
        } else {
            Source::Lines(Lines::new(path, links, Position::default()))
        }
    }

    fn path(&self) -> &Path {
        match self {
            Source::Lines(lines) => lines.path(),
            Source::Document(document) => document.path(),
        }
    }

    fn offset(&self) -> u64 {
        match self {
            Source::Lines(lines) => lines.offset(),
            Source::Document(document) => document.length(),
        }
    }

    fn is_at_end(&self) -> bool {
        match self {
            Source::Lines(lines) => lines.is_at_end(),
            Source::Document(_) => true,
        }
    }
}

/// One file and its dialect.
#[derive(Debug)]
struct File {
    source: Source,
    meaning: Meaning,
}

impl File {
    fn new(agent: &Agent, path: &Path, links: Links, chain: Chain) -> File {
        File {
            source: Source::new(agent, path, links),
            meaning: Meaning::new(agent, chain),
        }
    }

    /// Reads new records until `most` events wait. Returns whether reading started again from the beginning.
    fn advance(&mut self, most: Option<usize>, ledger: &mut Ledger) -> Result<bool, FileError> {
        let mut taking = self.meaning.taking(ledger);
        match &mut self.source {
            Source::Lines(lines) => lines.advance(most, &mut taking)?,
            Source::Document(document) => document.advance(&mut taking)?,
        }
        Ok(taking.was_restarted)
    }

    fn start_over(&mut self, ledger: &mut Ledger) {
        let mut taking = self.meaning.taking(ledger);
        match &mut self.source {
            Source::Lines(lines) => lines.start_over(&mut taking),
            Source::Document(document) => {
                taking.restart();
                document.start_over();
            }
        }
    }

    fn save(&self) -> SavedFile<'_> {
        let position = match &self.source {
            Source::Lines(lines) => Cow::Borrowed(lines.position()),
            // It is taken again, and what it repeats isn't emitted again.
            Source::Document(_) => Cow::Owned(Position::default()),
        };
        SavedFile {
            position,
            chain: Cow::Borrowed(&self.meaning.chain),
            dialect: Cow::Owned(self.meaning.dialect.save()),
        }
    }

    /// Restores the result of `save`. Returns `None` for anything else.
    fn load(&mut self, saved: SavedFile<'_>) -> Option<()> {
        let SavedFile {
            position,
            chain,
            dialect,
        } = saved;
        if !position.is_sound() || !chain.is_sound() {
            return None;
        }
        self.meaning.dialect.load(&dialect)?;
        self.meaning.chain = chain.into_owned();
        if let Source::Lines(lines) = &mut self.source {
            lines.go_to(position.into_owned());
        }
        Some(())
    }
}

/// A session whose files grow. Each `read` returns the events of appended lines.
#[derive(Debug)]
pub struct TranscriptReader {
    main: File,
    companions: Option<Companions>,
    ledger: Ledger,
    /// How many bytes were read more than once, to give late facts to old calls.
    read_again: u64,
}

/// A file of up to this size is read again for every late fact.
const READ_AGAIN_FREELY: u64 = 1 << 20;

/// A longer one is read again as long as all of that together is no more than so many times its length. Hooks that come
/// late must not cost the square of a session's length.
const READ_AGAIN_TIMES: u64 = 4;

impl TranscriptReader {
    /// Makes a reader at the start of the file, which needn't exist yet.
    pub fn new(agent: &'static Agent, path: &Path, session: Session) -> TranscriptReader {
        TranscriptReader {
            main: File::new(agent, path, session.links, Chain::default()),
            companions: Companions::of(agent, path, session.links, session.id()),
            ledger: Ledger::new(session),
            read_again: 0,
        }
    }

    /// Makes a reader that continues from `state`.
    pub fn resume(
        agent: &'static Agent,
        path: &Path,
        session: Session,
        state: &str,
    ) -> Result<TranscriptReader, StateError> {
        let saved = snapshot::read(state, &session.prompt_id)?;
        let mut reader = TranscriptReader::new(agent, path, session);
        reader.load(saved).ok_or(StateError::Malformed)?;
        Ok(reader)
    }

    fn load(&mut self, saved: Saved<'_>) -> Option<()> {
        self.ledger.load(saved.ledger)?;
        self.main.load(saved.file)?;
        self.read_again = saved.read_again;
        match &mut self.companions {
            Some(companions) => companions.load(saved.companions),
            None => saved.companions.is_empty().then_some(()),
        }
    }

    /// Returns the state for `resume`. It grows with open calls and with subagents, and by 10 bytes per event, or 20
    /// per call.
    pub fn state(&self) -> String {
        let companions = self.companions.as_ref().map(Companions::save);
        snapshot::save(
            self.main.save(),
            companions.unwrap_or_default(),
            self.read_again,
            &self.ledger,
        )
    }

    /// Where the main file is.
    pub fn path(&self) -> &Path {
        self.main.source.path()
    }

    /// How many bytes of the main file have been read.
    pub fn offset(&self) -> u64 {
        self.main.source.offset()
    }

    pub(super) fn ledger(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// The number that the main file's next item takes.
    pub(super) fn next_index(&self) -> u64 {
        self.main.meaning.chain.next_index()
    }

    /// The main file's last event.
    pub(super) fn last_event(&self) -> Option<&str> {
        self.main.meaning.chain.last_event()
    }

    /// Returns new events, and earlier ones again if more is known about their call. Stops after the line with the last
    /// of `most` events; the default depends on the length of the rest. The next read continues there. When it returns
    /// no events, everything has been read.
    pub fn read(&mut self, most: Option<usize>) -> Result<Captured, FileError> {
        self.advance(most)?;
        Ok(self.ledger.take())
    }

    /// Takes records that the caller has read elsewhere, such as rows of a database, one a line. Returns their events as
    /// `read` does.
    pub fn take(&mut self, records: &[u8]) -> Captured {
        take_lines(records, &mut self.main.meaning.taking(&mut self.ledger));
        self.ledger.take()
    }

    /// Takes one such record. Its events wait in the ledger.
    pub(super) fn take_record(&mut self, record: &[u8]) {
        self.main.meaning.taking(&mut self.ledger).line(record);
    }

    /// Reads to the ends of all files. The events wait in the ledger.
    pub(super) fn read_all(&mut self) -> Result<(), FileError> {
        self.advance(Some(usize::MAX))
    }

    /// Reads all files once more, unless that was done too often for their length. Emitted events are emitted again
    /// only if they say more.
    pub(super) fn read_again(&mut self) -> Result<(), FileError> {
        let length = self.offset();
        if length > READ_AGAIN_FREELY && self.read_again > READ_AGAIN_TIMES * length {
            return Ok(());
        }
        self.read_again = self.read_again.saturating_add(length);
        self.main.start_over(&mut self.ledger);
        self.companions.iter_mut().for_each(Companions::start_over);
        self.read_all()
    }

    /// Adds the answer that ends a turn, as a hook reports it. It may not be in the file yet.
    pub(super) fn answer(&mut self, text: &str, model: Option<&str>, received_at: i64) {
        let Meaning { dialect, chain, .. } = &mut self.main.meaning;
        dialect.answer(text, model, received_at, &mut Sink::new(&mut self.ledger, chain));
    }

    /// No more records will come.
    pub(super) fn finish(&mut self) {
        self.main.meaning.taking(&mut self.ledger).finish();
    }

    fn advance(&mut self, most: Option<usize>) -> Result<(), FileError> {
        let was_restarted = self.main.advance(most, &mut self.ledger)?;
        let Some(companions) = &mut self.companions else {
            return Ok(());
        };
        if was_restarted {
            companions.start_over();
        }
        if self.main.source.is_at_end() {
            companions.advance(most, &mut self.ledger)?;
        }
        Ok(())
    }
}
