//! One hook's payload, of any agent, to events.

use super::calls::{DurationSource, Facts, Reported};
use super::event::{Captured, PromptEvent};
use super::line::whole;
use super::open::FileError;
use super::prompt;
use super::reader::TranscriptReader;
use super::skill::skill_name;
use super::state::StateError;
use super::store::{Locked, Store};
use super::transcript::{Session, set};
use crate::identity::{cut_name, kind_for_tool};
use crate::wire::EventAttributes;
use crate::wire::json::{Cursor, JsonError};
use bumpalo::Bump;
use std::fmt;
use std::path::{Path, PathBuf};

/// The agent whose transcripts are read, and whose skills have files.
pub const CLAUDE: &str = "claude";

/// Where agents put their session's id, in the order in which they are tried.
pub const SESSION_KEYS: [&str; 6] = [
    "session_id",
    "conversation_id",
    "trajectory_id",
    "chat_session_id",
    "chat_session_path",
    "chatSessionPath",
];

/// What agents other than Claude call a tool that writes files, in lower case.
const FILE_WRITERS: [&str; 9] = [
    "edit",
    "write",
    "patch",
    "multiedit",
    "multi_edit",
    "create",
    "applypatch",
    "write_file",
    "replace",
];

/// What is missing in a payload is called this, as the client in the field calls it: ids depend on it.
const UNKNOWN: &str = "unknown";

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
            let path = self.transcript_path.as_deref().filter(|_| self.is_claude())?;
            Path::new(path).file_stem()?.to_str()
        })
    }

    /// Locks the state that is kept for the hook's session.
    pub fn lock(&self, store: &Store) -> Result<Locked, FileError> {
        store.lock(&self.agent, self.session_id().unwrap_or(UNKNOWN))
    }

    fn is_claude(&self) -> bool {
        self.agent == CLAUDE
    }

    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(UNKNOWN)
    }

    fn tool_name(&self) -> &str {
        self.named_tool().unwrap_or(UNKNOWN)
    }

    fn named_tool(&self) -> Option<&str> {
        let nested = self.tool_input.tool_name.as_ref().filter(|_| !self.is_claude());
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
            // Claude has a hook of its own for failures, so that this one means success.
            Some(ToolHook::After) if self.is_claude() => Some(false),
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
        let mut reader = match state {
            Some(state) => TranscriptReader::resume(path, session, state)?,
            None => TranscriptReader::new(path, session),
        };
        let told = self.tool_use_id.as_deref().filter(|_| {
            let is_over = matches!(self.tool_hook(), Some(ToolHook::After | ToolHook::Failed));
            is_over && self.is_claude()
        });
        if let Some(id) = told {
            // Before the transcript is read: if it can't be, a later hook's reading gives it to the call.
            reader.calls().remember(id, self.facts());
        }
        // Of other agents' transcripts nothing is known, and what can't be read now may be readable at the next hook.
        if self.is_claude() && self.transcript_path.is_some() && reader.read_all().is_ok() {
            reader.calls().catch_up();
            if told.is_some_and(|id| reader.calls().has_missed(id)) {
                // Where that fails, the next hook begins with the first line.
                drop(reader.read_again());
            }
        } else {
            let event = self.event(&reader, setting.received_at_ms);
            reader.calls().emit(event);
        }
        let captured = reader.transcript.captured();
        Ok((captured, reader.state()))
    }

    /// The hook's own event, for want of a transcript.
    fn event(&self, reader: &TranscriptReader, received_at: i64) -> PromptEvent {
        let calls = &reader.transcript.calls;
        let session = &reader.transcript.session;
        let kind = self.kind();
        // How many the client in the field has emitted by now: of a transcript all that take a number.
        let index = reader.transcript.next_index + calls.made_by_hooks() as u64;
        let mut event = session.event(kind, &self.content(), index, Some(received_at), received_at);
        let values = &mut event.values;
        values.parent_id = Some(calls.last_emitted().map(str::to_owned));
        values.parent_id_estimated = Some(Some(true));
        if kind != "HumanMessage" {
            values.model = self.model.as_deref().and_then(|model| set(cut_name(model)));
        }
        match kind {
            "HumanMessage" => {
                let said = prompt::without_reminders(self.prompt.as_deref().unwrap_or_default());
                values.input_text = session.input_text(&prompt::typed(&said).text);
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
            && self.is_claude()
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
            (_, Some(ToolHook::Before | ToolHook::After)) if self.is_claude() => kind_for_tool(self.tool_name()),
            (_, Some(ToolHook::Before | ToolHook::After)) => match self.tool_name().to_lowercase() {
                tool if FILE_WRITERS.contains(&tool.as_str()) => "FileWrite",
                tool if tool == "skill" || tool == "slashcommand" => "SkillInvocation",
                tool => kind_for_tool(&tool),
            },
            _ => "ToolCall",
        }
    }

    /// What the event's id and hash are made of, as the client in the field makes them.
    fn content(&self) -> String {
        let name = self.name();
        let is_call = matches!(self.tool_hook(), Some(ToolHook::Before | ToolHook::After));
        if name == "UserPromptSubmit" {
            return self.prompt.clone().unwrap_or_default();
        }
        if is_call && self.is_claude() {
            return format!(
                "{}:{}",
                self.tool_name(),
                self.tool_use_id.as_deref().unwrap_or_default()
            );
        }
        if (is_call || name == "Stop") && !self.is_claude() {
            let input = self.tool_input.json.as_deref().map_or("null".to_owned(), compact);
            return format!("{name}:{}:{input}", self.tool_name());
        }
        format!("hook:{name}")
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

/// A JSON value as the client in the field writes it: without white space, keys in the order of their bytes, numbers in
/// their shortest form. What that client refuses, half a surrogate pair or very deep nesting, stays as it stands.
fn compact(json: &[u8]) -> String {
    serde_json::from_slice::<serde_json::Value>(json).map_or_else(
        |_| String::from_utf8_lossy(json).into_owned(),
        |value| value.to_string(),
    )
}
