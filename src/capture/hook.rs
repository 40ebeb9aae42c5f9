//! Turns one hook's payload, of any agent, into events.

use super::agents::{ALL, find, hooks_of, whole};
use super::event::{Captured, PromptEvent};
use super::ledger::{DurationSource, Facts, Reported};
use super::reader::TranscriptReader;
use super::session::{Identity, Session, set};
use super::skill::skill_name;
use super::snapshot::StateError;
use super::source::open::FileError;
use super::source::without_mark;
use super::store::{Locked, Store};
use crate::identity::cut_name;
use crate::wire::EventAttributes;
use crate::wire::json::{Cursor, JsonError};
use bumpalo::Bump;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The keys under which agents put their session's id, in the order in which they are tried.
pub const SESSION_KEYS: [&str; 6] = [
    "session_id",
    "conversation_id",
    "trajectory_id",
    "chat_session_id",
    "chat_session_path",
    "chatSessionPath",
];

/// The deployed client uses this for anything that a payload doesn't name. Ids depend on it.
const UNKNOWN: &str = "unknown";

/// How one agent's hooks differ from another's.
#[derive(Debug)]
pub(super) struct Hooks {
    /// Whether a payload without an id means the session that its transcript's file is named after.
    pub session_is_named_by_file: bool,
    /// Whether `tool_input.toolName` names the tool.
    pub names_tool_in_input: bool,
    /// Whether the hook after a call means that it succeeded.
    pub after_means_success: bool,
    /// Whether skills have files where `resolve_skill_file` looks.
    pub finds_skills: bool,
    /// A call's kind, by its tool.
    pub kind: fn(&str) -> &'static str,
    /// The human's words in a prompt, if a human wrote it.
    pub typed: fn(&str) -> Option<String>,
    /// The content for the id and hash of a call.
    pub call_content: fn(&Hook) -> String,
    /// The content for the id and hash of the assistant's last message.
    pub stop_content: fn(&Hook) -> String,
}

/// An error in a hook's payload or in its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookError {
    /// The payload isn't JSON. Lines and columns count from 1; columns are characters.
    Json {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What was found or expected there.
        problem: &'static str,
    },
    /// The payload is JSON but not an object.
    NotAnObject,
    /// The payload has none of `SESSION_KEYS`.
    NoSession,
    /// The state can't be resumed. Start again without it.
    State(StateError),
}

impl fmt::Display for HookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HookError::Json { line, column, problem } => {
                write!(
                    f,
                    "the hook's payload is not JSON: {problem} at line {line} column {column}"
                )
            }
            HookError::NotAnObject => f.write_str("expected a JSON object"),
            HookError::NoSession => {
                write!(f, "expected the session's id under one of {}", SESSION_KEYS.join(", "))
            }
            HookError::State(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for HookError {}

impl From<StateError> for HookError {
    fn from(error: StateError) -> HookError {
        HookError::State(error)
    }
}

/// The caller's options for a hook.
#[derive(Clone, Debug, Default)]
pub struct HookSetting {
    /// The user's home directory, for personal skills.
    pub home: Option<PathBuf>,
    /// Whether secrets in `input_text` are masked.
    pub redact: bool,
    /// The agent's own folder, if it isn't in the home directory.
    pub config: Option<PathBuf>,
    /// Attributes of the events, besides those of the session.
    pub attributes: EventAttributes,
    /// When the hook was received, in unix milliseconds. Payloads have no time.
    pub received_at_ms: i64,
}

/// The members of a hook's payload that events come from.
#[derive(Debug, Default)]
pub struct Hook {
    agent: String,
    session_ids: [Option<String>; SESSION_KEYS.len()],
    name: Option<String>,
    transcript_path: Option<String>,
    cwd: Option<String>,
    model: Option<String>,
    tool_name: Option<String>,
    tool_input: ToolInput,
    tool_use_id: Option<String>,
    prompt: Option<String>,
    last_assistant_message: Option<String>,
    duration_ms: Option<u64>,
    agent_id: Option<String>,
    /// The call continues in the background, so the duration is only that of its launch.
    is_launched: bool,
}

#[derive(Debug, Default)]
struct ToolInput {
    json: Option<Vec<u8>>,
    tool_name: Option<String>,
}

/// When a hook about a call fires.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ToolHook {
    Before,
    /// After the call, successful or not.
    After,
    /// After a failed call.
    Failed,
}

impl Hook {
    /// Reads the payload `input` of a hook of `agent`.
    pub fn parse(agent: &str, input: &[u8]) -> Result<Hook, HookError> {
        let located = |error: JsonError| {
            let (line, column) = error.line_and_column(input);
            HookError::Json {
                line,
                column,
                problem: error.problem,
            }
        };
        let arena = Bump::new();
        let input = without_mark(input);
        let mut cursor = Cursor::new(input, &arena).map_err(located)?;
        if cursor.peek() != Some(b'{') {
            cursor.skip_value().and_then(|_| cursor.end()).map_err(located)?;
            return Err(HookError::NotAnObject);
        }
        let mut hook = Hook {
            agent: agent.to_owned(),
            ..Hook::default()
        };
        hook.members(&mut cursor).and_then(|()| cursor.end()).map_err(located)?;
        if hook.session_id().is_none() {
            return Err(HookError::NoSession);
        }
        Ok(hook)
    }

    fn members(&mut self, cursor: &mut Cursor<'_>) -> Result<(), JsonError> {
        let mut more = cursor.open_object()?;
        while more {
            let key = cursor.key()?;
            match key.bytes() {
                b"hook_event_name" => self.name = text(cursor)?,
                b"transcript_path" => self.transcript_path = text(cursor)?,
                b"cwd" => self.cwd = text(cursor)?,
                b"model" => self.model = text(cursor)?,
                b"tool_name" => self.tool_name = text(cursor)?,
                b"tool_input" => self.tool_input = tool_input(cursor)?,
                b"tool_use_id" => self.tool_use_id = text(cursor)?,
                b"prompt" => self.prompt = text(cursor)?,
                b"last_assistant_message" => self.last_assistant_message = text(cursor)?,
                b"agent_id" => self.agent_id = text(cursor)?,
                b"tool_response" => self.is_launched = is_launched(cursor)?,
                b"duration_ms" => {
                    let raw = String::from_utf8_lossy(cursor.skip_value()?);
                    self.duration_ms = raw.parse().ok().and_then(whole);
                }
                other => match SESSION_KEYS.iter().position(|key| key.as_bytes() == other) {
                    Some(place) => self.session_ids[place] = text(cursor)?,
                    None => drop(cursor.skip_value()?),
                },
            }
            more = cursor.next_member()?;
        }
        Ok(())
    }

    /// The agent's own id of the session. If Claude's payload doesn't have it, it is the transcript's name.
    pub fn session_id(&self) -> Option<&str> {
        let told = self
            .session_ids
            .iter()
            .flatten()
            .map(String::as_str)
            .find(|id| !id.is_empty());
        told.or_else(|| {
            let is_named_by_file = self.hooks().session_is_named_by_file;
            let path = self.transcript_path.as_deref().filter(|_| is_named_by_file)?;
            Path::new(path).file_stem()?.to_str()
        })
    }

    /// Locks the stored state of the hook's session.
    pub fn lock(&self, store: &Store) -> Result<Locked, FileError> {
        store.lock(&self.agent, self.session_id().unwrap_or(UNKNOWN))
    }

    fn hooks(&self) -> &'static Hooks {
        hooks_of(&self.agent)
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(UNKNOWN)
    }

    pub(super) fn tool_name(&self) -> &str {
        self.named_tool().unwrap_or(UNKNOWN)
    }

    pub(super) fn tool_use_id(&self) -> Option<&str> {
        self.tool_use_id.as_deref()
    }

    /// The JSON of the tool's input.
    pub(super) fn tool_input(&self) -> Option<&[u8]> {
        self.tool_input.json.as_deref()
    }

    fn named_tool(&self) -> Option<&str> {
        let is_in_input = self.hooks().names_tool_in_input;
        let nested = self.tool_input.tool_name.as_ref().filter(|_| is_in_input);
        nested.or(self.tool_name.as_ref()).map(String::as_str)
    }

    fn tool_hook(&self) -> Option<ToolHook> {
        match self.name() {
            "PreToolUse" => Some(ToolHook::Before),
            "PostToolUse" | "AfterTool" => Some(ToolHook::After),
            "PostToolUseFailure" => Some(ToolHook::Failed),
            _ => None,
        }
    }

    /// The hook's facts about its call.
    fn facts(&self) -> Facts {
        let error = match self.tool_hook() {
            Some(ToolHook::Failed) => Some(true),
            Some(ToolHook::After) if self.hooks().after_means_success => Some(false),
            _ => None,
        };
        let source = DurationSource::Hook;
        let is_of_call = self.tool_hook() != Some(ToolHook::Before) && !self.is_launched;
        let duration_ms = self.duration_ms.filter(|_| is_of_call);
        Facts {
            error,
            reported: duration_ms.map(|ms| Reported { source, ms }),
            ..Facts::default()
        }
    }

    /// Returns the hook's events, and the state for the next hook of the session.
    pub fn capture(&self, setting: HookSetting, state: Option<&str>) -> Result<(Captured, String), HookError> {
        let session = Session {
            home: setting.home,
            redact: setting.redact,
            config: setting.config,
            cwd_of_hook: self.cwd.as_ref().map(PathBuf::from),
            ..Session::new(&self.agent, self.session_id().unwrap_or(UNKNOWN), setting.attributes)
        };
        let agent = find(&self.agent).filter(|_| self.transcript_path.is_some());
        let path = Path::new(self.transcript_path.as_deref().unwrap_or_default());
        // Without readable files the reader never reads, so any dialect will do.
        let dialect = agent.unwrap_or(&ALL[0]);
        let mut reader = match state {
            Some(state) => TranscriptReader::resume(dialect, path, session, state)?,
            None => TranscriptReader::new(dialect, path, session),
        };
        let received_at = setting.received_at_ms;
        match agent {
            Some(_) => self.read(&mut reader, received_at),
            None => self.take_event(&mut reader, received_at, true),
        }
        if self.name() == "SessionEnd" {
            reader.finish();
            reader.ledger().end("user_quit", received_at);
        }
        let captured = reader.ledger().take();
        Ok((captured, reader.state()))
    }

    /// Reads the new part of the session's files, and adds the facts that only this hook knows.
    fn read(&self, reader: &mut TranscriptReader, received_at: i64) {
        let is_over = matches!(self.tool_hook(), Some(ToolHook::After | ToolHook::Failed));
        let told = self.tool_use_id.as_deref().filter(|_| is_over);
        if let Some(id) = told {
            // Before reading, so that the facts aren't lost if the file can't be read. A later hook then adds them.
            reader.ledger().remember(id, self.facts());
        }
        match reader.read_all() {
            Ok(()) => {}
            // Hooks fire before the file exists. The first hook after that reads it from its start.
            Err(failure) if failure.error.kind() == io::ErrorKind::NotFound => return,
            // A file that can't be read now may be readable at the next hook. Until then this hook's event stands in.
            Err(_) => return self.take_event(reader, received_at, false),
        }
        reader.ledger().catch_up();
        if told.is_some_and(|id| reader.ledger().has_missed(id)) {
            // If that fails, the next hook begins with the first line.
            drop(reader.read_again());
        }
        if self.name() == "Stop"
            && self.agent_id.is_none()
            && let Some(answer) = &self.last_assistant_message
        {
            reader.answer(answer, received_at);
        }
    }

    /// Emits the hook's own event, if it has one. If no file will ever show a call, all hooks of the call share one
    /// event.
    fn take_event(&self, reader: &mut TranscriptReader, received_at: i64, is_alone: bool) {
        let Some((kind, content)) = self.identity() else {
            return;
        };
        let id = self
            .tool_use_id
            .as_deref()
            .filter(|id| !id.is_empty() && self.tool_hook().is_some() && is_alone);
        if let Some(id) = id
            && reader.ledger().has_met(id)
        {
            reader.ledger().learn(id, self.facts());
            return;
        }
        let event = self.event(kind, &content, reader, received_at);
        match id {
            Some(id) => {
                reader.ledger().remember(id, self.facts());
                reader.ledger().call(id, event);
            }
            None => reader.ledger().emit(event),
        }
    }

    fn event(&self, kind: &str, content: &str, reader: &mut TranscriptReader, received_at: i64) -> PromptEvent {
        let next_index = reader.next_index();
        let ledger = reader.ledger();
        let session = ledger.session();
        // The number that the deployed client would use. It emits every numbered item of a transcript.
        let index = next_index + ledger.made_by_hooks() as u64;
        let identity = Identity::numbered(kind, content, index);
        let mut event = session.event(&identity, Some(received_at), received_at);
        let values = &mut event.values;
        values.parent_id = Some(ledger.last_emitted().map(str::to_owned));
        values.parent_id_estimated = Some(Some(true));
        if kind != "HumanMessage" {
            values.model = self.model.as_deref().and_then(|model| set(cut_name(model)));
        }
        if self.tool_hook().is_some() {
            let facts = self.facts();
            values.tool_call_name = set(cut_name(self.tool_name()));
            values.error = facts.error.map(Some);
            values.reported_duration_ms = facts.reported.map(|reported| Some(reported.ms));
        } else {
            let said = match kind {
                "HumanMessage" => self.prompt.as_deref().and_then(self.hooks().typed),
                _ => self.last_assistant_message.clone(),
            };
            values.input_text = said.and_then(|said| session.input_text(&said));
        }
        if kind == "SkillInvocation"
            && self.hooks().finds_skills
            && let Some(skill) = self.tool_input.json.as_deref().and_then(skill_name)
            && let Some(file) = session.skill_file(&skill, &[])
        {
            file.describe(values);
        }
        event
    }

    /// Kind and content of the hook's own event. Hooks about the session itself have none.
    fn identity(&self) -> Option<(&'static str, String)> {
        let hooks = self.hooks();
        match (self.name(), self.tool_hook()) {
            ("UserPromptSubmit", _) => {
                let prompt = self.prompt.as_ref()?;
                (hooks.typed)(prompt).map(|_| ("HumanMessage", prompt.clone()))
            }
            ("Stop", _) => Some(("AiMessage", (hooks.stop_content)(self))),
            // Without an id, nothing connects a failure with its call, and the hook before the call already made its
            // event.
            (_, Some(ToolHook::Failed)) if self.tool_use_id.is_none() => None,
            (_, Some(_)) => Some(((hooks.kind)(self.tool_name()), (hooks.call_content)(self))),
            _ => None,
        }
    }
}

/// The events of one hook's payload: `Hook::parse` and `Hook::capture` in one.
pub fn capture_hook(
    agent: &str,
    input: &[u8],
    setting: HookSetting,
    state: Option<&str>,
) -> Result<(Captured, String), HookError> {
    Hook::parse(agent, input)?.capture(setting, state)
}

fn text(cursor: &mut Cursor<'_>) -> Result<Option<String>, JsonError> {
    if cursor.peek() == Some(b'"') {
        return Ok(Some(cursor.string()?.to_str().into_owned()));
    }
    cursor.skip_value()?;
    Ok(None)
}

/// Whether a tool's response says that the call continues in the background.
fn is_launched(cursor: &mut Cursor<'_>) -> Result<bool, JsonError> {
    let mut is_launched = false;
    if cursor.peek() != Some(b'{') {
        cursor.skip_value()?;
        return Ok(false);
    }
    let mut more = cursor.open_object()?;
    while more {
        let key = cursor.key()?;
        match key.bytes() {
            b"isAsync" => is_launched |= cursor.skip_value()? == b"true",
            b"status" => is_launched |= text(cursor)?.as_deref() == Some("async_launched"),
            _ => drop(cursor.skip_value()?),
        }
        more = cursor.next_member()?;
    }
    Ok(is_launched)
}

fn tool_input(cursor: &mut Cursor<'_>) -> Result<ToolInput, JsonError> {
    let is_object = cursor.peek() == Some(b'{');
    let start = cursor.position();
    let mut tool_name = None;
    if is_object {
        let mut more = cursor.open_object()?;
        while more {
            let key = cursor.key()?;
            if key.bytes() == b"toolName" {
                tool_name = text(cursor)?;
            } else {
                cursor.skip_value()?;
            }
            more = cursor.next_member()?;
        }
    } else {
        cursor.skip_value()?;
    }
    Ok(ToolInput {
        json: Some(cursor.since(start).to_vec()),
        tool_name,
    })
}
