//! The files of a session's subagents, found beside its main one.

use super::File;
use crate::capture::agents::{self, Agent};
use crate::capture::ledger::{Chain, Ledger};
use crate::capture::snapshot::SavedFile;
use crate::capture::source::open::FileError;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Real sessions have up to a few hundred subagents. Only a hostile folder has more files.
const MOST: usize = 4096;

/// Stands in for the id of a session that can't be part of a path. No session has it.
const NO_SESSION: &str = "-";

/// The default number of events per read.
const EVENTS_A_READ: usize = 1000;

/// A folder that was changed so recently may change again without a new time.
const CLOCK_STEP: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Companions {
    agent: &'static Agent,
    layout: &'static agents::Companions,
    folder: PathBuf,
    /// When the folder was last changed, if its files have been listed since.
    listed: Option<SystemTime>,
    files: BTreeMap<String, Companion>,
}

#[derive(Debug)]
struct Companion {
    file: File,
    /// The call that has started the subagent, as a file beside its own says.
    started_by: Option<String>,
}

impl Companions {
    /// The companions of the main file at `path`, if the agent has any.
    pub fn of(agent: &'static Agent, path: &Path, session_id: &str) -> Option<Companions> {
        let layout = agent.companions()?;
        // A hook's payload names the session, and nothing in it may lead out of the agent's folder.
        let session_id = if is_plain(session_id) { session_id } else { NO_SESSION };
        Some(Companions {
            agent,
            layout,
            folder: (layout.folder)(path, session_id),
            listed: None,
            files: BTreeMap::new(),
        })
    }

    pub fn save(&self) -> Vec<(Cow<'_, str>, SavedFile<'_>)> {
        let saved = self.files.iter();
        saved
            .map(|(id, companion)| (Cow::Borrowed(id.as_str()), companion.file.save()))
            .collect()
    }

    /// Restores the result of `save`. Returns `None` for anything else.
    pub fn load(&mut self, saved: Vec<(Cow<'_, str>, SavedFile<'_>)>) -> Option<()> {
        if saved.len() > MOST {
            return None;
        }
        for (id, file) in saved {
            if !is_plain(&id) {
                return None;
            }
            self.add(&id);
            self.files.get_mut(&*id)?.file.load(file)?;
        }
        Some(())
    }

    fn add(&mut self, id: &str) {
        if self.files.len() < MOST && !self.files.contains_key(id) {
            let path = self.folder.join((self.layout.file_name)(id));
            let companion = Companion {
                file: File::new(self.agent, &path, Chain::of_subagent(id)),
                started_by: None,
            };
            self.files.insert(id.to_owned(), companion);
        }
    }

    /// The main file is read again from its start, and these with it.
    pub fn start_over(&mut self) {
        self.files.clear();
        self.listed = None;
    }

    /// Reads new lines until `most` events wait. A deleted file has no more events.
    pub fn advance(&mut self, most: Option<usize>, ledger: &mut Ledger) -> Result<(), FileError> {
        self.list();
        let most = most.unwrap_or(EVENTS_A_READ);
        let mut failure = None;
        // Subagents whose call is known come first, because the call can be in another subagent's file.
        let mut others = Vec::new();
        for (id, companion) in &mut self.files {
            if ledger.waiting() >= most {
                return Ok(());
            }
            if companion.find_starter(id, ledger) {
                failure = failure.or(companion.advance(most, self.layout, ledger).err());
            } else {
                others.push((id, companion));
            }
        }
        for (id, companion) in others {
            if ledger.waiting() >= most {
                return Ok(());
            }
            companion.find_starter(id, ledger);
            failure = failure.or(companion.advance(most, self.layout, ledger).err());
        }
        for (id, companion) in &mut self.files {
            companion.find_starter(id, ledger);
        }
        match failure.filter(|failure| failure.error.kind() != io::ErrorKind::NotFound) {
            Some(failure) if ledger.waiting() == 0 => Err(failure),
            _ => Ok(()),
        }
    }

    /// Looks for new files.
    fn list(&mut self) {
        let changed = fs::metadata(&self.folder).and_then(|folder| folder.modified()).ok();
        if changed.is_none() || changed == self.listed {
            return;
        }
        let names = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names: Vec<String> = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        let ids = names.iter().filter_map(|name| (self.layout.id)(name));
        for id in ids.filter(|id| is_plain(id)) {
            self.add(id);
        }
        for companion in self.files.values_mut() {
            if companion.started_by.is_none() && companion.file.meaning.chain.is_orphan() {
                companion.started_by = (self.layout.started_by)(companion.file.source.path());
            }
        }
        let is_old = |time: &SystemTime| time.elapsed().is_ok_and(|age| age > CLOCK_STEP);
        self.listed = changed.filter(is_old);
    }
}

/// Whether an id can be part of a path.
fn is_plain(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    id.bytes().all(is_plain) && !id.trim_matches('.').is_empty()
}

impl Companion {
    /// Looks for the call that started the subagent, and returns whether it is known.
    fn find_starter(&mut self, id: &str, ledger: &mut Ledger) -> bool {
        let chain = &mut self.file.meaning.chain;
        if !chain.is_orphan() {
            return true;
        }
        let Some(parent) = ledger.starter_of(id, self.started_by.as_deref()).map(str::to_owned) else {
            return false;
        };
        chain.begin_after(&parent);
        ledger.adopt(id, &parent);
        true
    }

    fn advance(&mut self, most: usize, layout: &agents::Companions, ledger: &mut Ledger) -> Result<(), FileError> {
        let before = self.file.source.offset();
        self.file.advance(Some(most), ledger)?;
        if self.started_by.is_none() && self.file.source.offset() > before {
            self.started_by = (layout.started_by)(self.file.source.path());
        }
        Ok(())
    }
}
