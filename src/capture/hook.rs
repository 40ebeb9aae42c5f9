//! One hook's payload, of any agent, to events.

use super::agents::{ALL, find, hooks_of, whole};
use super::event::{Captured, PromptEvent};
use super::ledger::{DurationSource, Facts, Reported};
use super::reader::TranscriptReader;
use super::session::{Session, set};
use super::skill::skill_name;
use super::snapshot::StateError;
use super::source::open::FileError;
use super::store::{Locked, Store};
use crate::identity::cut_name;
use crate::wire::EventAttributes;
use crate::wire::json::{Cursor, JsonError};
use bumpalo::Bump;
use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where agents put their session's id, in the order in which they are tried.
pub const SESSION_KEYS: [&str; 6] = [
    "session_id",
    "conversation_id",
    "trajectory_id",
    "chat_session_id",
    "chat_session_path",
    "chatSessionPath",
];

/// The client in the field uses this for anything that a payload doesn't name. Ids depend on it.
const UNKNOWN: &str = "unknown";

/// How one agent's hooks differ from another's.
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
    /// The human's words in a prompt.
    pub typed: for<'a> fn(&'a str) -> Cow<'a, str>,
    /// The content for the id and hash of a call, and of the assistant's last message.
    pub call_content: fn(&Hook) -> String,
    pub stop_content: fn(&Hook) -> String,
}

/// What is wrong with a hook's payload, or with the state that came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookError {
    /// Not JSON. The place is counted in lines and characters from 1.
    Json {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// JSON, but of another type.
    NotAnObject,
    /// None of `SESSION_KEYS` is there.
    NoSession,
    /// The state isn't one to go on from: begin anew without it.
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

/// What a caller adds to a hook's payload.
#[derive(Clone, Debug, Default)]
pub struct HookSetting {
    /// Where personal skills are looked for.
    pub home: Option<PathBuf>,
    /// Whether secrets in `input_text` are masked.
    pub redact: bool,
    /// Attributes of the events, besides those of the session.
    pub attributes: EventAttributes,
    /// When the hook was received, in unix milliseconds: its payload has no time.
    pub received_at_ms: i64,
}

/// The payload of a hook, as far as events come from it.
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
}

#[derive(Debug, Default)]
struct ToolInput {
    json: Option<Vec<u8>>,
    tool_name: Option<String>,
}

/// What a hook says of a tool's call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ToolHook {
    Before,
    /// After the call, whatever became of it.
    After,
    /// After a call that failed.
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

    /// The agent's own id of the session. Claude's, if it isn't told, is its transcript's name.
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

    /// Locks the state that is kept for the hook's session.
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

    /// What the hook tells of the call that it is about.
    fn facts(&self) -> Facts {
        let error = match self.tool_hook() {
            Some(ToolHook::Failed) => Some(true),
            Some(ToolHook::After) if self.hooks().after_means_success => Some(false),
            _ => None,
        };
        let source = DurationSource::Hook;
        let duration_ms = self.duration_ms.filter(|_| self.tool_hook() != Some(ToolHook::Before));
        Facts {
            error,
            reported: duration_ms.map(|ms| Reported { source, ms }),
            ..Facts::default()
        }
    }

    /// The events that this hook brings to light, and the state for the next hook of the session.
    pub fn capture(&self, setting: HookSetting, state: Option<&str>) -> Result<(Captured, String), HookError> {
        let session = Session {
            home: setting.home,
            redact: setting.redact,
            cwd_of_hook: self.cwd.as_ref().map(PathBuf::from),
            ..Session::new(&self.agent, self.session_id().unwrap_or(UNKNOWN), setting.attributes)
        };
        let path = Path::new(self.transcript_path.as_deref().unwrap_or_default());
        let agent = find(&self.agent);
        // Other agents' files can't be read: for them, any dialect will do.
        let dialect = agent.unwrap_or(&ALL[0]);
        let mut reader = match state {
            Some(state) => TranscriptReader::resume(dialect, path, session, state)?,
            None => TranscriptReader::new(dialect, path, session),
        };
        let told = self.tool_use_id.as_deref().filter(|_| {
            let is_over = matches!(self.tool_hook(), Some(ToolHook::After | ToolHook::Failed));
            is_over && agent.is_some()
        });
        if let Some(id) = told {
            // Before the file is read: if it can't be, the reading of a later hook gives the facts to the call.
            reader.ledger().remember(id, self.facts());
        }
        // A file that can't be read now may be readable at the next hook.
        if agent.is_some() && self.transcript_path.is_some() && reader.read_all().is_ok() {
            reader.ledger().catch_up();
            if told.is_some_and(|id| reader.ledger().has_missed(id)) {
                // Where that fails, the next hook begins with the first line.
                drop(reader.read_again());
            }
        } else {
            let event = self.event(&mut reader, setting.received_at_ms);
            reader.ledger().emit(event);
        }
        let captured = reader.ledger().take();
        Ok((captured, reader.state()))
    }

    /// The hook's own event, for want of a transcript.
    fn event(&self, reader: &mut TranscriptReader, received_at: i64) -> PromptEvent {
        let next_index = reader.next_index();
        let ledger = reader.ledger();
        let session = ledger.session();
        let kind = self.kind();
        // As many as the client in the field has emitted by now: it emits every item of a transcript that takes a number.
        let index = next_index + ledger.made_by_hooks() as u64;
        let mut event = session.event(kind, &self.content(), index, Some(received_at), received_at);
        let values = &mut event.values;
        values.parent_id = Some(ledger.last_emitted().map(str::to_owned));
        values.parent_id_estimated = Some(Some(true));
        if kind != "HumanMessage" {
            values.model = self.model.as_deref().and_then(|model| set(cut_name(model)));
        }
        match kind {
            "HumanMessage" => {
                let typed = (self.hooks().typed)(self.prompt.as_deref().unwrap_or_default());
                values.input_text = session.input_text(&typed);
            }
            "AiMessage" => {
                let said = self.last_assistant_message.as_deref();
                values.input_text = said.and_then(|said| session.input_text(said));
            }
            _ if self.tool_hook().is_some() || self.named_tool().is_some() => {
                values.tool_call_name = set(cut_name(self.tool_name()));
            }
            _ => {}
        }
        if self.tool_hook().is_some() {
            let facts = self.facts();
            values.error = facts.error.map(Some);
            values.reported_duration_ms = facts.reported.map(|reported| Some(reported.ms));
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

    fn kind(&self) -> &'static str {
        match (self.name(), self.tool_hook()) {
            ("UserPromptSubmit", _) => "HumanMessage",
            ("Stop", _) => "AiMessage",
            (_, Some(ToolHook::Before | ToolHook::After)) => (self.hooks().kind)(self.tool_name()),
            _ => "ToolCall",
        }
    }

    /// The content for the event's id and hash, as the client in the field makes it.
    fn content(&self) -> String {
        match (self.name(), self.tool_hook()) {
            ("UserPromptSubmit", _) => self.prompt.clone().unwrap_or_default(),
            ("Stop", _) => (self.hooks().stop_content)(self),
            (_, Some(ToolHook::Before | ToolHook::After)) => (self.hooks().call_content)(self),
            (name, _) => format!("hook:{name}"),
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
