//! The session whose events are captured, and what every one of its events has.

use super::event::PromptEvent;
use super::skill::{Places, SkillFile, remote_skill_file_at, resolve_skill_file, skill_file_at};
use super::source::open::Links;
use crate::identity::{LONGEST_INPUT_TEXT_BYTES, event_id, prompt_id, truncate_input_text};
use crate::redact::redact_start;
use crate::wire::EventAttributes;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A session, with facts that the agent's own files don't contain.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Its identity.
    pub prompt_id: String,
    /// The attributes of all its events: those the caller gave, and the session's own identity.
    pub attributes: EventAttributes,
    /// The project's folder. It replaces the folders that the transcript names.
    pub cwd: Option<PathBuf>,
    /// The folder that a hook names, used if the transcript leads to none.
    pub cwd_of_hook: Option<PathBuf>,
    /// The user's home directory, for personal skills.
    pub home: Option<PathBuf>,
    /// Whether secrets in `input_text` are masked. Ids and hashes use the original text.
    pub redact: bool,
    /// The agent's own folder, if it isn't in the home directory.
    pub config: Option<PathBuf>,
    /// Whether it is a subagent's. Then another agent wrote its prompts.
    pub is_subagent: bool,
    /// Whether the session ran on another machine. Then no file is read, whatever its records name.
    pub is_remote: bool,
    /// Whether its files may be links.
    pub links: Links,
}

impl Session {
    /// The session `session_id` of the agent `tool`, with the caller's `attributes` besides its own.
    pub fn new(tool: &str, session_id: &str, attributes: EventAttributes) -> Session {
        let prompt_id = prompt_id(tool, session_id);
        let attributes = EventAttributes {
            tool: Some(Some(tool.to_owned())),
            prompt_id: Some(Some(prompt_id.clone())),
            external_prompt_id: Some(Some(session_id.to_owned())),
            ..attributes
        };
        Session {
            prompt_id,
            attributes,
            ..Session::default()
        }
    }

    /// An event with the fields that all events have. `time` and `recorded` are in unix milliseconds.
    pub(super) fn event(&self, identity: &Identity<'_>, time: Option<i64>, recorded: i64) -> PromptEvent {
        let Identity { kind, key, number, .. } = *identity;
        let event_id = event_id(&self.prompt_id, kind, key, number.unwrap_or(0));
        PromptEvent::new(event_id, identity, time, recorded)
    }

    /// The agent's own id of the session.
    pub(super) fn id(&self) -> &str {
        let id = self.attributes.external_prompt_id.as_ref();
        id.and_then(Option::as_deref).unwrap_or_default()
    }

    /// Field `input_text` for a message that reads `text`: its start, with secrets masked if that is asked for. Every
    /// `input_text` is made here.
    pub(super) fn input_text(&self, text: &str) -> Option<Option<String>> {
        if self.redact {
            set(truncate_input_text(&redact_start(text, LONGEST_INPUT_TEXT_BYTES)))
        } else {
            set(truncate_input_text(text))
        }
    }

    /// The skill's file at a path that the agent itself has named.
    pub(super) fn skill_file_at(&self, path: &str) -> Option<SkillFile> {
        if self.is_remote {
            remote_skill_file_at(path)
        } else {
            skill_file_at(Path::new(path))
        }
    }

    /// The file of a skill. Searches the caller's project, or else the folders where the agent worked, likeliest first.
    pub(super) fn skill_file(&self, name: &str, worked_in: &[Option<&str>]) -> Option<SkillFile> {
        if self.is_remote {
            return None;
        }
        let worked_in = worked_in.iter().flatten().map(Path::new);
        let mut projects: Vec<&Path> = match &self.cwd {
            Some(cwd) => vec![cwd],
            None => worked_in.chain(self.cwd_of_hook.as_deref()).collect(),
        };
        projects.dedup();
        let home = self.home.as_deref();
        let config = self.config.as_deref();
        let mut projects = projects.into_iter();
        let likeliest = Places::new(projects.next(), home, config);
        resolve_skill_file(name, &likeliest).or_else(|| {
            let mut others = projects.map(|project| Places::of_project(project, home));
            others.find_map(|places| resolve_skill_file(name, &places))
        })
    }
}

/// What an event's id and hash are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity<'a> {
    pub kind: &'a str,
    /// The content that the id holds.
    pub key: &'a str,
    /// The content that is hashed, if any.
    pub text: Option<&'a str>,
    /// The item's number. An event that the deployed client doesn't make has a key of its own instead, and index 0.
    pub number: Option<u64>,
}

impl<'a> Identity<'a> {
    /// An item that takes a number.
    pub fn numbered(kind: &'a str, content: &'a str, index: u64) -> Identity<'a> {
        Identity {
            kind,
            key: content,
            text: Some(content),
            number: Some(index),
        }
    }

    /// An item that the deployed client doesn't make.
    pub fn own(kind: &'a str, key: &'a str, text: &'a str) -> Identity<'a> {
        Identity {
            kind,
            key,
            text: Some(text),
            number: None,
        }
    }
}

/// A field set to this text.
pub(super) fn set(text: &str) -> Option<Option<String>> {
    Some(Some(text.to_owned()))
}

/// This moment, in unix milliseconds.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
