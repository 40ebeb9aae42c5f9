//! The agents whose sessions can be captured. Each is one file, and one row of `ALL`.

mod claude;
mod codex;
mod copilot;
mod cursor;
mod droid;
mod gemini;
mod kimi;
mod opencode;
mod other;
mod pi;
mod qwen;

use super::hook::Hooks;
use super::json::Json;
use super::ledger::Sink;
use super::source::{LONGEST_LINE_BYTES, unpacked_head, without_mark};
use crate::wire::json::is_one_value;
use crate::wire::slots::Text;
use bumpalo::Bump;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use std::fmt::Debug;
use std::path::{Path, PathBuf};

/// An agent whose session files can be read.
#[derive(Debug)]
pub struct Agent {
    /// Attribute `tool` of its events, and part of their identity.
    pub name: &'static str,
    dialect: fn() -> Box<dyn AnyDialect>,
    /// Returns whether a record is this agent's, and the session that it names.
    identify: fn(&[u8]) -> Option<Origin>,
    hooks: &'static Hooks,
    companions: Option<&'static Companions>,
    /// Whether a file `.json` is one document, which is written anew for every change.
    writes_documents: bool,
    /// Members of records that others of the same time depend on: a session's origin, a turn's model. They come first.
    pub context: &'static [(&'static str, &'static str)],
    /// Tells a fork's own header from those that it has copied.
    pub fork_header: Option<ForkHeader>,
}

/// The mark of a fork's own header. Of headers of one time it comes first, because it says what the others are copies of.
#[derive(Debug)]
pub struct ForkHeader {
    /// The member that marks a record as a header, and its value.
    pub header: (&'static str, &'static str),
    /// The path to a member that a fork's own header has and the others lack.
    pub own: &'static [&'static str],
}

/// Files that belong to a session besides its main one: those of its subagents.
#[derive(Debug)]
pub(super) struct Companions {
    /// Returns their folder for a main file's path and the session's id.
    pub folder: fn(&Path, &str) -> PathBuf,
    /// The folder in it that has a folder with such files for each group of subagents, if there is one.
    pub groups: Option<&'static str>,
    /// Returns a subagent's id for a file name.
    pub id: for<'a> fn(&'a str) -> Option<&'a str>,
    /// Returns a file name for a subagent's id.
    pub file_name: fn(&str) -> String,
    /// Returns the id of the call that started the subagent with this file, if a file beside it says so.
    pub started_by: fn(&Path) -> Option<String>,
}

/// Every agent whose session files can be read.
pub const ALL: &[Agent] = &[
    claude::AGENT,
    codex::AGENT,
    copilot::CLI,
    copilot::VS_CODE,
    gemini::AGENT,
    qwen::AGENT,
    opencode::AGENT,
    kimi::AGENT,
    droid::AGENT,
    pi::AGENT,
];

/// The agent of this name, if its session files can be read.
pub fn find(name: &str) -> Option<&'static Agent> {
    ALL.iter().find(|agent| agent.name == name)
}

/// Where a record comes from, as the record itself says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The agent's own id of the session.
    pub session_id: Option<String>,
}

impl Origin {
    fn of(session_id: Option<Text<'_>>) -> Origin {
        let session_id = session_id.map(|id| id.to_str().into_owned());
        Origin {
            session_id: session_id.filter(|id| !id.is_empty()),
        }
    }
}

/// Returns whose transcript begins with `head`, and its session. The first record that an agent knows as its own
/// decides. A last line that is cut off is no record. The head may be that of a file that is compressed with Zstandard.
pub fn identify(head: &[u8]) -> Option<(&'static Agent, Origin)> {
    match unpacked_head(head, LONGEST_LINE_BYTES as u64) {
        Some(unpacked) => identify_unpacked(&unpacked),
        None => identify_unpacked(head),
    }
}

fn identify_unpacked(head: &[u8]) -> Option<(&'static Agent, Origin)> {
    // Claude's records have the fewest marks of their own.
    let (claude, others) = ALL.split_first()?;
    let head = without_mark(head);
    let find = |record: &[u8]| {
        let agents = others.iter().chain([claude]);
        agents
            .filter_map(|agent| Some((agent, (agent.identify)(record)?)))
            .next()
    };
    let document = head.trim_ascii();
    if is_one_value(document) {
        return find(document);
    }
    let mut lines = head.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.find_map(find)
}

/// Returns how the hooks of the agent `name` work. Any agent can have hooks.
pub(super) fn hooks_of(name: &str) -> &'static Hooks {
    match find(name) {
        Some(agent) => agent.hooks,
        None if name == cursor::NAME => &cursor::HOOKS,
        None => &other::HOOKS,
    }
}

impl Agent {
    pub(super) fn dialect(&self) -> Box<dyn AnyDialect> {
        (self.dialect)()
    }

    /// Whether the events of a subagent belong to the session that started it.
    pub fn joins_subagents(&self) -> bool {
        self.companions.is_some()
    }

    /// Returns the session of a record, if it is this agent's and names its session.
    pub(super) fn session_of(&self, record: &[u8]) -> Option<String> {
        (self.identify)(record)?.session_id
    }

    pub(super) fn writes_documents(&self) -> bool {
        self.writes_documents
    }

    pub(super) fn companions(&self) -> Option<&'static Companions> {
        self.companions
    }
}

/// Interprets one agent's records. The value is its memory between records, and a state stores the value's serde form.
pub(super) trait Dialect: Debug + Default + Serialize + DeserializeOwned + 'static {
    /// Takes one record: a line, a message of a document, a row. Returns false if it isn't one.
    fn record(&mut self, json: Json<'_>, arena: &Bump, to: &mut Sink<'_>) -> bool;

    /// No more records will come.
    fn finish(&mut self, _: &mut Sink<'_>) {}

    /// The record that was taken is all there is for now: others may come in any order. Emits whatever it says that
    /// doesn't depend on them.
    fn finish_record(&mut self, _: &mut Sink<'_>) {}

    /// Takes the answer that ends a turn, as a hook reports it. It may not be in the file yet.
    fn answer(&mut self, text: &str, model: Option<&str>, received_at: i64, to: &mut Sink<'_>) {
        to.answer(text, model, received_at);
    }

    /// Whether reading a file can lead to this memory. It may come from a damaged state.
    fn is_sound(&self) -> bool {
        true
    }

    fn boxed() -> Box<dyn AnyDialect> {
        Box::new(Self::default())
    }
}

/// A `Dialect` behind a pointer.
pub(super) trait AnyDialect: Debug {
    fn record(&mut self, json: Json<'_>, arena: &Bump, to: &mut Sink<'_>) -> bool;
    fn finish(&mut self, to: &mut Sink<'_>);
    fn finish_record(&mut self, to: &mut Sink<'_>);
    fn answer(&mut self, text: &str, model: Option<&str>, received_at: i64, to: &mut Sink<'_>);
    /// Forgets everything: the file is read again from its start.
    fn restart(&mut self);
    fn save(&self) -> Box<RawValue>;
    /// Restores the result of `save`. Returns `None` for anything else.
    fn load(&mut self, saved: &RawValue) -> Option<()>;
}

impl<T: Dialect> AnyDialect for T {
    fn record(&mut self, json: Json<'_>, arena: &Bump, to: &mut Sink<'_>) -> bool {
        Dialect::record(self, json, arena, to)
    }

    fn finish(&mut self, to: &mut Sink<'_>) {
        Dialect::finish(self, to);
    }

    fn finish_record(&mut self, to: &mut Sink<'_>) {
        Dialect::finish_record(self, to);
    }

    fn answer(&mut self, text: &str, model: Option<&str>, received_at: i64, to: &mut Sink<'_>) {
        Dialect::answer(self, text, model, received_at, to);
    }

    fn restart(&mut self) {
        *self = T::default();
    }

    fn save(&self) -> Box<RawValue> {
        to_raw_value(self).expect("a dialect's memory is JSON")
    }

    fn load(&mut self, saved: &RawValue) -> Option<()> {
        *self = serde_json::from_str(saved.get()).ok()?;
        Dialect::is_sound(self).then_some(())
    }
}
