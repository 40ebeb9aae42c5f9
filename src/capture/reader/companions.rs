//! The files of a session's subagents, found beside its main one.

use super::File;
use crate::capture::agents::{self, Agent};
use crate::capture::ledger::{Chain, Ledger};
use crate::capture::snapshot::SavedFile;
use crate::capture::source::open::{FileError, Links};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
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
    links: Links,
    /// When each folder was last changed, if its entries have been listed since.
    listed: BTreeMap<PathBuf, SystemTime>,
    groups: BTreeSet<String>,
    /// By the subagent's id, which stands behind its group and a slash if it is in one.
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
    pub fn of(agent: &'static Agent, path: &Path, links: Links, session_id: &str) -> Option<Companions> {
        let layout = agent.companions()?;
        // A hook's payload names the session, and nothing in it may lead out of the agent's folder.
        let session_id = if is_plain(session_id) { session_id } else { NO_SESSION };
        Some(Companions {
            agent,
            layout,
            folder: (layout.folder)(path, session_id),
            links,
            listed: BTreeMap::new(),
            groups: BTreeSet::new(),
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
            let (group, name) = in_group(&id);
            if !is_plain(name) || !group.is_none_or(is_plain) {
                return None;
            }
            self.add(&id);
            self.files.get_mut(&*id)?.file.load(file)?;
        }
        Some(())
    }

    fn add(&mut self, id: &str) {
        if self.files.len() < MOST && !self.files.contains_key(id) {
            let path = self.path(id);
            let companion = Companion {
                file: File::new(self.agent, &path, self.links, Chain::of_subagent(id)),
                started_by: None,
            };
            self.files.insert(id.to_owned(), companion);
        }
    }

    fn path(&self, id: &str) -> PathBuf {
        let (group, name) = in_group(id);
        let groups = group.zip(self.layout.groups);
        let folder = groups.map(|(group, groups)| self.folder.join(groups).join(group));
        folder
            .as_ref()
            .unwrap_or(&self.folder)
            .join((self.layout.file_name)(name))
    }

    /// The main file is read again from its start, and these with it.
    pub fn start_over(&mut self) {
        self.files.clear();
        self.listed.clear();
        self.groups.clear();
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
        let folder = self.folder.clone();
        let is_refused = |path: &Path| self.links == Links::Refused && is_link(path);
        if is_refused(&folder) || folder.parent().is_some_and(is_refused) {
            return;
        }
        let groups = self.layout.groups.map(|groups| folder.join(groups));
        let groups = groups.filter(|groups| !is_refused(groups));
        let Some(mut has_changed) = self.list_folder(&folder, None) else {
            return;
        };
        if let Some(folder) = groups {
            let found = self.entries(&folder).flatten().into_iter().flatten();
            let found = found.filter(|entry| entry.file_type().is_ok_and(|ty| ty.is_dir()));
            let names = found.filter_map(|entry| entry.file_name().into_string().ok());
            let names: Vec<String> = names.filter(|name| is_plain(name)).collect();
            self.groups
                .extend(names.into_iter().take(MOST - self.groups.len().min(MOST)));
            for group in std::mem::take(&mut self.groups) {
                has_changed |= self.list_folder(&folder.join(&group), Some(&group)) == Some(true);
                self.groups.insert(group);
            }
        }
        if !has_changed {
            return;
        }
        for companion in self.files.values_mut() {
            if companion.started_by.is_none() && companion.file.meaning.chain.is_orphan() {
                companion.started_by = (self.layout.started_by)(companion.file.source.path());
            }
        }
    }

    /// Adds the files of a folder. Returns whether it has changed, or `None` if there is no such folder.
    fn list_folder(&mut self, folder: &Path, group: Option<&str>) -> Option<bool> {
        let Some(entries) = self.entries(folder)? else {
            return Some(false);
        };
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        for name in names {
            if let Some(id) = (self.layout.id)(&name).filter(|id| is_plain(id)) {
                match group {
                    Some(group) => self.add(&format!("{group}{IN_GROUP}{id}")),
                    None => self.add(id),
                }
            }
        }
        Some(true)
    }

    /// The entries of a folder, if there is one, and if it may have changed since they were listed.
    fn entries(&mut self, folder: &Path) -> Option<Option<impl Iterator<Item = fs::DirEntry> + use<>>> {
        let changed = fs::metadata(folder).and_then(|folder| folder.modified()).ok()?;
        if self.listed.get(folder) == Some(&changed) {
            return Some(None);
        }
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        if changed.elapsed().is_ok_and(|age| age > CLOCK_STEP) {
            self.listed.insert(folder.to_owned(), changed);
        }
        Some(Some(entries))
    }
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// Between the name of a group and a subagent's id.
const IN_GROUP: char = '/';

/// The group of a subagent, if it is in one, and its own id.
fn in_group(id: &str) -> (Option<&str>, &str) {
    match id.split_once(IN_GROUP) {
        Some((group, name)) => (Some(group), name),
        None => (None, id),
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
        let (group, name) = in_group(id);
        let starter = ledger.starter_of(group.unwrap_or(name), self.started_by.as_deref());
        let Some(parent) = starter.map(str::to_owned) else {
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
