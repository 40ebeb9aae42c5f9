//! Turns one hook's payload, of any agent, into events.

mod threads;

use super::agents::{self, ALL, hooks_of};
use super::event::{Captured, PromptEvent};
use super::json::{FromJson, Reader, Time, members, whole};
use super::ledger::{DurationSource, Facts, Reported};
use super::reader::TranscriptReader;
use super::session::{Identity, Session, set};
use super::skill::skill_name;
use super::snapshot::StateError;
use super::source::open::FileError;
use super::source::without_mark;
use super::store::{Locked, Store};
use crate::identity::{cut_name, input_hash};
use crate::wire::EventAttributes;
use crate::wire::json::{JsonError, is_one_value};
use crate::wire::slots::Text;
use bumpalo::Bump;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use threads::Threads;

/// The keys under which agents put their session's id, in the order in which they are tried.
pub const SESSION_KEYS: [&str; 7] = [
    "session_id",
    "sessionId",
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
    /// The members of payloads, by their keys. The first list that has a key decides.
    pub members: &'static [&'static [(&'static str, Member)]],
    /// When hooks fire, by their names. The first list that has a name decides. Other hooks make no event.
    pub events: &'static [&'static [(&'static str, Moment)]],
    /// When the hook of a payload without a name fires: the first member that is there decides.
    pub unnamed: &'static [(&'static str, Option<Moment>)],
    /// Where the session's file is.
    pub transcript: Transcript,
    /// The name of the subagent that a file belongs to, if it isn't the file of the session itself. Readers don't find
    /// such files by themselves.
    pub subagent: fn(&Path, &str) -> Option<String>,
    /// Whether a payload without an id means the session that its transcript's file is named after.
    pub session_is_named_by_file: bool,
    /// Whether `tool_input.toolName` names the tool.
    pub names_tool_in_input: bool,
    /// Whether the hook after a call means that it succeeded.
    pub after_means_success: bool,
    /// Whether skills have files where `resolve_skill_file` looks.
    pub finds_skills: bool,
    /// Whether the number of a call with an id is part of its identity, as in the deployed client.
    pub numbers_calls: bool,
    /// A call's kind, by its tool.
    pub kind: fn(&str) -> &'static str,
    /// The human's words in a prompt, if a human wrote it.
    pub typed: fn(&str) -> Option<String>,
    /// Whether the result of a call, as JSON, is an error, if that can be seen.
    pub is_error: fn(&[u8]) -> Option<bool>,
    /// The content for the id and hash of a call.
    pub call_content: fn(&Hook, &ToolCall) -> String,
    /// The content for the id and hash of the assistant's last message.
    pub stop_content: fn(&Hook) -> String,
}

/// Where the file of a hook's session is.
#[derive(Debug)]
pub(super) enum Transcript {
    /// Not read: each hook makes its own event.
    Unread,
    /// Named by the payload. Before it exists, hooks make no event, because the file will show everything.
    AwaitedAt,
    /// Named by the payload. Until it exists, hooks make their own events. The file repeats them, and those that it
    /// repeats are passed over.
    NamedLate,
    /// Found for a payload. `None` if the session has no file. A session whose hooks have made events of their own stays
    /// with these, because nothing connects its calls with those of the file.
    Found(fn(&Hook, &HookSetting) -> Option<PathBuf>),
}

/// What a member of a payload holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    /// The hook's name.
    Name,
    Transcript,
    /// The file of the subagent that the hook is about.
    AgentTranscript,
    Cwd,
    Model,
    /// When the hook fired.
    Time,
    /// The subagent that fired the hook.
    Agent,
    /// The session or agent that has started the subagent.
    Parent,
    Prompt,
    /// The same as blocks with texts.
    PromptBlocks,
    /// A text of the assistant.
    Reply,
    Tool,
    Input,
    CallId,
    /// Several calls: `[{id, name, args}]`.
    Calls,
    Result,
    /// The result's error, unless it is `null`.
    Error,
    /// In milliseconds.
    Duration,
    Ignored,
}

/// When a hook fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// A prompt was sent.
    Prompt,
    BeforeCall,
    /// After a call, successful or not.
    AfterCall,
    /// After a failed call.
    CallFailed,
    /// The assistant has answered.
    Reply,
    /// A subagent has answered the agent that has started it.
    SubagentReply,
    /// The assistant has thought.
    Thought,
    /// The session has ended.
    End,
}

/// Keys of Claude Code's payloads, which many agents have taken over.
pub(super) const MEMBERS: &[(&str, Member)] = &[
    ("hook_event_name", Member::Name),
    ("transcript_path", Member::Transcript),
    ("cwd", Member::Cwd),
    ("model", Member::Model),
    ("tool_name", Member::Tool),
    ("tool_input", Member::Input),
    ("tool_use_id", Member::CallId),
    ("prompt", Member::Prompt),
    ("last_assistant_message", Member::Reply),
    ("agent_id", Member::Agent),
    ("tool_response", Member::Result),
    ("duration_ms", Member::Duration),
];

/// Names of Claude Code's hooks, which many agents have taken over.
pub(super) const EVENTS: &[(&str, Moment)] = &[
    ("UserPromptSubmit", Moment::Prompt),
    ("PreToolUse", Moment::BeforeCall),
    ("PostToolUse", Moment::AfterCall),
    ("PostToolUseFailure", Moment::CallFailed),
    ("Stop", Moment::Reply),
    ("SessionEnd", Moment::End),
];

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

impl HookSetting {
    /// The agent's own folder: the one that the caller has named, then `name` in the home directory.
    pub(super) fn folders(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        let in_home = self.home.as_ref().map(|home| home.join(name));
        [self.config.clone(), in_home].into_iter().flatten()
    }
}

/// The members of a hook's payload that events come from.
#[derive(Debug, Default)]
pub struct Hook {
    agent: String,
    session_ids: [Option<String>; SESSION_KEYS.len()],
    /// The payload, if it is a record of the agent's instead of a hook's payload.
    record: Option<Vec<u8>>,
    name: Option<String>,
    /// When the hook fires. `None` for one that makes no event.
    moment: Option<Moment>,
    transcript_path: Option<String>,
    agent_transcript_path: Option<String>,
    cwd: Option<String>,
    model: Option<String>,
    /// Unix milliseconds.
    time: Option<i64>,
    prompt: Option<String>,
    reply: Option<String>,
    duration_ms: Option<u64>,
    agent_id: Option<String>,
    parent_id: Option<String>,
    is_error: Option<bool>,
    /// The call continues in the background, so the duration is only that of its launch.
    is_launched: bool,
    /// One call, or several.
    calls: Vec<ToolCall>,
}

/// A call that a hook is about.
#[derive(Debug, Default)]
pub(super) struct ToolCall {
    name: Option<String>,
    /// Its input's JSON.
    input: Option<Vec<u8>>,
    /// The name of the tool that the input gives.
    name_in_input: Option<String>,
    id: Option<String>,
}

impl ToolCall {
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(UNKNOWN)
    }

    pub fn input(&self) -> Option<&[u8]> {
        self.input.as_deref()
    }

    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The same for the hooks before and after one call, where calls have no ids.
    fn signature(&self) -> String {
        input_hash(&format!(
            "{}:{}",
            self.name(),
            compact(self.input().unwrap_or_default())
        ))
    }
}

impl Hook {
    /// Reads the payload `input` of a hook of `agent`. `event` is the hook's name, for agents whose payloads don't hold
    /// it.
    pub fn parse(agent: &str, input: &[u8], event: Option<&str>) -> Result<Hook, HookError> {
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
        let mut reader = Reader::new(input, &arena).map_err(located)?;
        if reader.cursor.peek() != Some(b'{') {
            let rest = reader.cursor.skip_value().and_then(|_| reader.cursor.end());
            rest.map_err(located)?;
            return Err(HookError::NotAnObject);
        }
        let mut hook = Hook {
            agent: agent.to_owned(),
            ..Hook::default()
        };
        let read = hook.read(&mut reader, event);
        read.and_then(|()| reader.cursor.end()).map_err(located)?;
        if hook.session_id().is_none() {
            // A plugin can pass on what its agent is about to store.
            let session_id = agents::find(agent).and_then(|agent| agent.session_of(input));
            hook.session_ids[0] = Some(session_id.ok_or(HookError::NoSession)?);
            hook.record = Some(input.to_vec());
        }
        Ok(hook)
    }

    fn read(&mut self, reader: &mut Reader<'_>, event: Option<&str>) -> Result<(), JsonError> {
        let hooks = self.hooks();
        let mut call = ToolCall::default();
        let mut unnamed = hooks.unnamed.len();
        reader.members(|reader, key| {
            let key = std::str::from_utf8(key).unwrap_or_default();
            if let Some(place) = SESSION_KEYS.iter().position(|name| *name == key) {
                self.session_ids[place] = text(reader)?;
                return Ok(());
            }
            let place = hooks.unnamed.iter().position(|(name, _)| *name == key);
            unnamed = unnamed.min(place.unwrap_or(unnamed));
            self.member(reader, find(hooks.members, key).unwrap_or(Member::Ignored), &mut call)
        })?;
        if self.calls.is_empty() {
            if hooks.names_tool_in_input {
                call.name = call.name_in_input.take().or(call.name);
            }
            self.calls.push(call);
        }
        self.name = self.name.take().or_else(|| event.map(str::to_owned));
        self.moment = match &self.name {
            Some(name) => find(hooks.events, name),
            None => hooks.unnamed.get(unnamed).and_then(|(_, moment)| *moment),
        };
        Ok(())
    }

    fn member(&mut self, reader: &mut Reader<'_>, member: Member, call: &mut ToolCall) -> Result<(), JsonError> {
        match member {
            Member::Name => self.name = text(reader)?,
            Member::Transcript => self.transcript_path = text(reader)?,
            Member::AgentTranscript => self.agent_transcript_path = text(reader)?,
            Member::Cwd => self.cwd = text(reader)?,
            Member::Model => self.model = text(reader)?,
            Member::Time => self.time = Time::read(reader)?.0,
            Member::Agent => self.agent_id = text(reader)?,
            Member::Parent => self.parent_id = text(reader)?,
            Member::Prompt => self.prompt = text(reader)?,
            Member::PromptBlocks => self.prompt = text_or_blocks(reader)?,
            Member::Reply => self.reply = text(reader)?,
            Member::Tool => call.name = text(reader)?,
            Member::CallId => call.id = text(reader)?,
            Member::Input => {
                let start = reader.cursor.position();
                call.name_in_input = NamedInTool::read(reader)?.name.map(|name| name.to_str().into_owned());
                call.input = Some(input_json(reader.cursor.since(start)));
            }
            Member::Calls => {
                let calls = <&[ListedCall<'_>]>::read(reader)?;
                self.calls = calls.iter().take(MOST_CALLS).map(|call| call.to_call()).collect();
            }
            Member::Result => {
                let start = reader.cursor.position();
                self.is_launched = Launch::read(reader)?.is_launched();
                let result = reader.cursor.since(start).trim_ascii_start();
                self.is_error = self
                    .is_error
                    .filter(|&is_error| is_error)
                    .or_else(|| (self.hooks().is_error)(result));
            }
            Member::Error => {
                let is_error = <Option<&[u8]>>::read(reader)?.is_some();
                self.is_error = is_error.then_some(true).or(self.is_error);
            }
            Member::Duration => self.duration_ms = reader.number()?.and_then(whole),
            Member::Ignored => drop(reader.cursor.skip_value()?),
        }
        Ok(())
    }

    /// The agent's own id of the session. If Claude's payload doesn't have it, it is the transcript's name.
    pub fn session_id(&self) -> Option<&str> {
        let said = self
            .session_ids
            .iter()
            .flatten()
            .map(String::as_str)
            .find(|id| !id.is_empty());
        // A subagent's events belong to the session that has started it.
        let parent = self.parent_id.as_deref().filter(|parent| !parent.is_empty());
        let is_subagent = said.is_some() && said == self.agent_id.as_deref();
        parent.filter(|_| is_subagent).or(said).or_else(|| {
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

    pub(super) fn transcript_path(&self) -> Option<&str> {
        self.transcript_path.as_deref()
    }

    /// What the assistant has said. Empty if that is blank.
    pub(super) fn said(&self) -> &str {
        let said = self.reply.as_deref().unwrap_or_default();
        if said.trim().is_empty() { "" } else { said }
    }

    /// The call that the hook is about, or the first of several.
    pub(super) fn call(&self) -> &ToolCall {
        &self.calls[0]
    }

    fn is_after_call(&self) -> bool {
        matches!(self.moment, Some(Moment::AfterCall | Moment::CallFailed))
    }

    fn is_about_call(&self) -> bool {
        self.is_after_call() || self.moment == Some(Moment::BeforeCall)
    }

    /// The hook's facts about its call.
    fn facts(&self) -> Facts {
        let error = match self.moment {
            Some(Moment::CallFailed) => Some(true),
            Some(Moment::AfterCall) if self.hooks().after_means_success => Some(false),
            Some(Moment::AfterCall) => self.is_error,
            _ => None,
        };
        let source = DurationSource::Hook;
        let is_of_call = self.is_after_call() && !self.is_launched;
        let duration_ms = self.duration_ms.filter(|_| is_of_call);
        Facts {
            error,
            reported: duration_ms.map(|ms| Reported { source, ms }),
            ..Facts::default()
        }
    }

    /// The same where no file will show the call's result.
    fn facts_alone(&self) -> Facts {
        Facts {
            is_result: self.is_after_call() && !self.is_launched,
            ended_at: self.time.filter(|_| self.is_after_call() && !self.is_launched),
            ..self.facts()
        }
    }

    /// Returns the hook's events, and the state for the next hook of the session.
    pub fn capture(&self, setting: HookSetting, state: Option<&str>) -> Result<(Captured, String), HookError> {
        let session_id = self.session_id().unwrap_or(UNKNOWN);
        let agent = agents::find(&self.agent);
        let path = agent.and_then(|_| match self.hooks().transcript {
            Transcript::Unread => None,
            Transcript::AwaitedAt | Transcript::NamedLate => {
                let named = self.agent_transcript_path.as_ref().or(self.transcript_path.as_ref());
                named.map(PathBuf::from)
            }
            Transcript::Found(find) => find(self, &setting),
        });
        let subagent = path
            .as_deref()
            .and_then(|path| (self.hooks().subagent)(path, session_id));
        let subagent = subagent.as_deref();
        let threads = state.map(Threads::read).transpose()?.unwrap_or_default();
        let session = Session {
            home: setting.home,
            redact: setting.redact,
            config: setting.config,
            cwd_of_hook: self.cwd.as_ref().map(PathBuf::from),
            ..Session::new(&self.agent, session_id, setting.attributes)
        };
        // Without a path the reader never reads, so any dialect will do.
        let dialect = agent.unwrap_or(&ALL[0]);
        let at = path.as_deref().unwrap_or(Path::new(""));
        let mut reader = match threads.state(subagent) {
            Some(state) => TranscriptReader::resume(dialect, at, session, state)?,
            None => TranscriptReader::new(dialect, at, session),
        };
        let received_at = setting.received_at_ms;
        let stays_with_hooks = matches!(self.hooks().transcript, Transcript::Found(_))
            && reader.offset() == 0
            && reader.ledger().made_by_hooks() > 0;
        match path.filter(|_| !stays_with_hooks) {
            _ if self.record.is_some() => reader.take_record(self.record.as_deref().unwrap_or_default()),
            Some(_) => self.read_files(&mut reader, received_at, subagent.is_some()),
            None => self.take_events(&mut reader, received_at, true),
        }
        if self.moment == Some(Moment::End) {
            reader.finish();
            let last = reader.last_event().map(str::to_owned);
            reader.ledger().end("user_quit", last, received_at);
        }
        let captured = reader.ledger().take();
        Ok((captured, threads.with(subagent, &reader.state())))
    }

    /// Reads the new part of the session's files, and adds the facts that only this hook knows.
    fn read_files(&self, reader: &mut TranscriptReader, received_at: i64, is_of_subagent: bool) {
        let told = self.call().id().filter(|_| self.is_after_call());
        if let Some(id) = told {
            // Before reading, so that the facts aren't lost if the file can't be read. A later hook then adds them.
            reader.ledger().remember(id, self.facts());
        }
        match reader.read_all() {
            Ok(()) => {}
            Err(failure) if failure.error.kind() == io::ErrorKind::NotFound => {
                // Claude's hooks fire before the file exists. The first hook after that reads it from its start.
                if matches!(self.hooks().transcript, Transcript::NamedLate) {
                    reader.ledger().release();
                    self.take_early_events(reader, received_at);
                }
                return;
            }
            // A file that can't be read now may be readable at the next hook. Until then this hook's event stands in.
            Err(_) => {
                reader.ledger().release();
                return self.take_events(reader, received_at, false);
            }
        }
        reader.ledger().drop_held();
        reader.ledger().catch_up();
        if told.is_some_and(|id| reader.ledger().has_missed(id)) {
            // If that fails, the next hook begins with the first line.
            drop(reader.read_again());
        }
        let is_answer = match self.moment {
            Some(Moment::Reply) => self.agent_id.is_none(),
            Some(Moment::SubagentReply) => is_of_subagent,
            _ => false,
        };
        if is_answer && let Some(answer) = &self.reply {
            reader.answer(answer, self.model.as_deref(), received_at);
        }
    }

    /// Emits the hook's own events before the session's file exists. Agents create it after the hook of the first prompt,
    /// so a prompt waits for the next hook: the file has an event of its own for it.
    fn take_early_events(&self, reader: &mut TranscriptReader, received_at: i64) {
        if self.moment != Some(Moment::Prompt) {
            return self.take_events(reader, received_at, true);
        }
        if let Some((kind, said, event)) = self.text_event(reader, received_at) {
            reader.ledger().hold(kind, said, event);
        }
    }

    /// Emits the hook's own events, if it has any. If no file will ever show a call, all hooks of the call share one
    /// event.
    fn take_events(&self, reader: &mut TranscriptReader, received_at: i64, is_alone: bool) {
        if self.is_about_call() {
            for call in &self.calls {
                self.take_call(call, reader, received_at, is_alone);
            }
        } else if let Some((kind, said, event)) = self.text_event(reader, received_at) {
            match self.hooks().transcript {
                Transcript::NamedLate => reader.ledger().foretell(kind, said, event),
                _ => reader.ledger().emit(event),
            }
        }
    }

    /// The event of the hook's text, and the text as a file would hold it.
    fn text_event(&self, reader: &mut TranscriptReader, received_at: i64) -> Option<(&'static str, &str, PromptEvent)> {
        let (kind, content) = self.text()?;
        let said = match kind {
            "HumanMessage" => &self.prompt,
            _ => &self.reply,
        };
        let event = self.event(kind, &content, None, reader, received_at);
        Some((kind, said.as_deref().unwrap_or_default(), event))
    }

    fn take_call(&self, call: &ToolCall, reader: &mut TranscriptReader, received_at: i64, is_alone: bool) {
        let id = call.id().filter(|id| !id.is_empty());
        if let Some(id) = id.filter(|_| is_alone)
            && reader.ledger().has_met(id)
        {
            return reader.ledger().learn(id, self.facts_alone());
        }
        let signature = call.signature();
        if id.is_none()
            && self.is_after_call()
            && let Some(begun) = reader.ledger().take_begun(&signature)
        {
            return reader.ledger().learn(&begun, self.facts_alone());
        }
        let content = (self.hooks().call_content)(self, call);
        let event = self.event(
            (self.hooks().kind)(call.name()),
            &content,
            Some(call),
            reader,
            received_at,
        );
        match (id, self.moment) {
            (Some(id), _) if is_alone => {
                // No hook has told when the call began, so its duration isn't known.
                let facts = Facts {
                    ended_at: None,
                    ..self.facts_alone()
                };
                reader.ledger().remember(id, facts);
                reader.ledger().call(id, event);
            }
            (None, Some(Moment::BeforeCall)) => reader.ledger().begin(&signature, event),
            _ => reader.ledger().emit(event),
        }
    }

    /// An event of this hook, which is about `call` or about a text.
    fn event(
        &self,
        kind: &str,
        content: &str,
        call: Option<&ToolCall>,
        reader: &mut TranscriptReader,
        received_at: i64,
    ) -> PromptEvent {
        let next_index = reader.next_index();
        let ledger = reader.ledger();
        let session = ledger.session();
        // A call with an id is the same one whenever its hooks come. Otherwise this is the number that the deployed
        // client would use, which emits every numbered item of a transcript.
        let index = match call.and_then(ToolCall::id) {
            Some(_) if !self.hooks().numbers_calls => 0,
            _ => next_index + ledger.made_by_hooks() as u64,
        };
        let identity = Identity::numbered(kind, content, index);
        let at = self.time.unwrap_or(received_at);
        let mut event = session.event(&identity, Some(at), at);
        let values = &mut event.values;
        values.parent_id = Some(ledger.last_emitted().map(str::to_owned));
        values.parent_id_estimated = Some(Some(true));
        if kind != "HumanMessage" {
            values.model = self.model.as_deref().and_then(|model| set(cut_name(model)));
        }
        let Some(call) = call else {
            let said = match kind {
                "HumanMessage" => self.prompt.as_deref().and_then(self.hooks().typed),
                "AiMessage" => self.reply.clone(),
                _ => None,
            };
            values.input_text = said.and_then(|said| session.input_text(&said));
            if kind == "ThinkingMessage" {
                values.reported_duration_ms = self.duration_ms.map(Some);
            }
            return event;
        };
        let facts = self.facts();
        values.tool_call_name = set(cut_name(call.name()));
        values.error = facts.error.map(Some);
        values.reported_duration_ms = facts.reported.map(|reported| Some(reported.ms));
        if kind == "SkillInvocation"
            && self.hooks().finds_skills
            && let Some(skill) = call.input().and_then(skill_name)
            && let Some(file) = session.skill_file(&skill, &[])
        {
            file.describe(values);
        }
        event
    }

    /// Kind and content of the hook's text. A subagent's prompt is no human's, and its answer goes to another agent.
    fn text(&self) -> Option<(&'static str, String)> {
        let hooks = self.hooks();
        match self.moment? {
            _ if self.agent_id.is_some() => None,
            Moment::Prompt => {
                let prompt = self.prompt.as_ref()?;
                (hooks.typed)(prompt).map(|_| ("HumanMessage", prompt.clone()))
            }
            Moment::Reply => Some(("AiMessage", (hooks.stop_content)(self))),
            Moment::Thought => Some(("ThinkingMessage", self.said().to_owned())),
            Moment::BeforeCall | Moment::AfterCall | Moment::CallFailed | Moment::SubagentReply | Moment::End => None,
        }
        .filter(|(_, content)| !content.is_empty())
    }
}

/// The events of one hook's payload: `Hook::parse` and `Hook::capture` in one.
pub fn capture_hook(
    agent: &str,
    input: &[u8],
    event: Option<&str>,
    setting: HookSetting,
    state: Option<&str>,
) -> Result<(Captured, String), HookError> {
    Hook::parse(agent, input, event)?.capture(setting, state)
}

/// Real payloads name a few calls at most.
const MOST_CALLS: usize = 256;

members! {
    /// An input that names its tool.
    struct NamedInTool<'a> {
        name: Option<Text<'a>> = "toolName",
    }

    /// A tool's response that may say that the call continues in the background.
    struct Launch<'a> {
        is_async: bool = "isAsync",
        status: Option<Text<'a>> = "status",
        task: Option<Text<'a>> = "backgroundTaskId",
    }

    /// One of several calls.
    struct ListedCall<'a> {
        id: Option<Text<'a>> = "id",
        name: Option<Text<'a>> = "name",
        args: Option<&'a [u8]> = "args",
    }

    /// A block of a message.
    struct Block<'a> {
        text: Option<Text<'a>> = "text",
    }
}

impl Launch<'_> {
    fn is_launched(&self) -> bool {
        self.is_async || self.task.is_some() || self.status.map(Text::bytes) == Some(b"async_launched")
    }
}

impl ListedCall<'_> {
    fn to_call(self) -> ToolCall {
        let text = |text: Option<Text<'_>>| text.map(|text| text.to_str().into_owned());
        ToolCall {
            name: text(self.name),
            input: self.args.map(input_json),
            id: text(self.id).filter(|id| !id.is_empty()),
            ..ToolCall::default()
        }
    }
}

/// What the first of `lists` that has `name` says about it.
fn find<T: Copy>(lists: &[&[(&'static str, T)]], name: &str) -> Option<T> {
    let mut all = lists.iter().flat_map(|list| list.iter());
    all.find(|(known, _)| *known == name).map(|(_, found)| *found)
}

fn text(reader: &mut Reader<'_>) -> Result<Option<String>, JsonError> {
    Ok(reader.string()?.map(|text| text.to_str().into_owned()))
}

/// A text, or the texts of blocks joined by line feeds.
fn text_or_blocks(reader: &mut Reader<'_>) -> Result<Option<String>, JsonError> {
    if reader.cursor.peek() != Some(b'[') {
        return text(reader);
    }
    let blocks = <&[Block<'_>]>::read(reader)?;
    let texts: Vec<_> = blocks.iter().filter_map(|block| block.text).map(Text::to_str).collect();
    Ok(Some(texts.join("\n")))
}

/// A call's input. Some agents put its JSON into a string.
fn input_json(json: &[u8]) -> Vec<u8> {
    let json = json.trim_ascii_start();
    if json.first() == Some(&b'"')
        && let Ok(text) = serde_json::from_slice::<String>(json)
        && text.trim_start().starts_with('{')
        && is_one_value(text.as_bytes())
    {
        return text.into_bytes();
    }
    json.to_vec()
}

/// Writes a JSON value like the deployed client: without white space, with keys sorted by their bytes, and numbers in
/// their shortest form. Input that the client refuses (half a surrogate pair, very deep nesting) stays unchanged.
pub(super) fn compact(json: &[u8]) -> String {
    serde_json::from_slice::<serde_json::Value>(json).map_or_else(
        |_| String::from_utf8_lossy(json).into_owned(),
        |value| value.to_string(),
    )
}
