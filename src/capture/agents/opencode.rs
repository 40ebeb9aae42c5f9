//! OpenCode, whose sessions are rows of a database: `~/.local/share/opencode/opencode.db`. This file knows no database.
//!
//! A record is a message with its parts, `{"message": row, "parts": [row, …]}`, a single row (`{"table": "part", …}`),
//! or a session as `opencode export` prints it, `{"info": …, "messages": [{"info": …, "parts": […]}, …]}`. Rows are
//! updated in place: a record comes again when more of it is known.

use super::{Agent, Dialect, Origin, other};
use crate::capture::hook::{EVENTS, Hooks, MEMBERS, Transcript};
use crate::capture::item::{Call, Item, Kinds, Mcp, Said, join};
use crate::capture::json::{FromJson, Json, Reader, Time, members};
use crate::capture::ledger::{DurationSource, Facts, Reported, Sink};
use crate::capture::skill::{SkillFile, in_folder};
use crate::identity::cut_name;
use crate::wire::json::JsonError;
use crate::wire::slots::Text;
use bumpalo::Bump;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(super) const AGENT: Agent = Agent {
    name: "opencode",
    dialect: OpenCode::boxed,
    identify,
    hooks: &HOOKS,
    companions: None,
    writes_documents: true,
    context: &[("table", "session"), ("table", "message")],
    fork_header: None,
};

const HOOKS: Hooks = Hooks {
    members: &[MEMBERS],
    events: &[EVENTS],
    unnamed: &[],
    transcript: Transcript::Unread,
    subagent: |_, _| None,
    session_is_named_by_file: false,
    names_tool_in_input: false,
    after_means_success: false,
    finds_skills: false,
    numbers_calls: false,
    kind: |tool| KINDS.of(tool),
    typed: |prompt| (!prompt.trim().is_empty()).then(|| prompt.to_owned()),
    is_error,
    call_content: other::call_content,
    stop_content: other::answer_content,
};

const KINDS: Kinds = Kinds {
    // `<server>_<tool>`. Nothing marks them, and tools of plugins look alike.
    mcp: Mcp::UnlessBuiltIn(&["apply_patch", "plan_enter", "plan_exit"]),
    writes: &["edit", "write", "multiedit", "patch", "apply_patch"],
    skills: &["skill"],
};

/// Ids of sessions begin with this.
const SESSION: &str = "ses_";

/// A call of a tool that doesn't exist, or with arguments that don't fit.
const INVALID: &str = "invalid";

/// Longer ids aren't kept. Real ones have 30 bytes.
const LONGEST_ID_BYTES: usize = 256;

/// How many messages are kept whose parts can come in later records.
const MESSAGES_KEPT: usize = 1 << 14;

members! {
    /// Of a single row: where it stands.
    struct Row<'a> {
        table: Option<Text<'a>> = "table",
    }

    struct Record<'a> {
        table: Option<Text<'a>> = "table",
        row_id: Option<Text<'a>> = "id",
        row_session: Option<Text<'a>> = "session_id",
        session: Session<'a> = "session",
        message: Message<'a> = "message",
        part: Part<'a> = "part",
        parts: &'a [Part<'a>] = "parts",
        /// In an export: the session.
        info: Session<'a> = "info",
        messages: &'a [Exported<'a>] = "messages",
        /// In an event, as plugins receive it.
        properties: Properties<'a> = "properties",
        /// What a plugin's hook has received, and what it may change.
        input: HookInput<'a> = "i" | "input",
        output: HookOutput<'a> = "o" | "output",
    }

    struct Properties<'a> {
        session_id: Option<Text<'a>> = "sessionID",
        /// A session or a message.
        info: Option<Json<'a>> = "info",
        part: Part<'a> = "part",
    }

    struct HookInput<'a> {
        session_id: Option<Text<'a>> = "sessionID",
    }

    struct HookOutput<'a> {
        message: Message<'a> = "message",
        parts: &'a [Part<'a>] = "parts",
    }

    /// A message in an export.
    struct Exported<'a> {
        message: Message<'a> = "info",
        parts: &'a [Part<'a>] = "parts",
    }

    struct Session<'a> {
        id: Option<Text<'a>> = "id",
        /// Of a subagent's session: the one that has started it.
        parent_id: Option<Text<'a>> = "parent_id" | "parentID",
    }

    struct UserModel<'a> {
        id: Option<Text<'a>> = "modelID",
    }

    struct MessageTime<'a> {
        created: Time = "created",
        completed: Time = "completed",
    }

    struct Span<'a> {
        start: Time = "start",
        end: Time = "end",
    }

    struct State<'a> {
        status: Option<Text<'a>> = "status",
        time: Span<'a> = "time",
        metadata: Metadata<'a> = "metadata",
    }

    struct Metadata<'a> {
        exit: Exit = "exit",
        /// Of a skill: its folder.
        dir: Option<Text<'a>> = "dir",
    }
}

/// A message. Its row has the members beside its ids in `data`, as JSON or as text that holds JSON.
#[derive(Clone, Copy, Debug, Default)]
struct Message<'a> {
    id: Option<Text<'a>>,
    session_id: Option<Text<'a>>,
    role: Option<Text<'a>>,
    time: MessageTime<'a>,
    model: Option<Text<'a>>,
    /// It is a compaction's summary.
    is_summary: bool,
}

/// A part of a message, in the same two forms.
#[derive(Clone, Copy, Debug, Default)]
struct Part<'a> {
    id: Option<Text<'a>>,
    session_id: Option<Text<'a>>,
    message_id: Option<Text<'a>>,
    ty: Option<Text<'a>>,
    text: Option<Text<'a>>,
    is_synthetic: bool,
    is_ignored: bool,
    time: Span<'a>,
    tool: Option<Text<'a>>,
    call_id: Option<Text<'a>>,
    state: State<'a>,
}

impl<'a> FromJson<'a> for Message<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JsonError> {
        let mut message = Message::default();
        row(reader, &mut |reader, key| {
            match key {
                b"id" => message.id = reader.string()?.or(message.id),
                b"session_id" | b"sessionID" => message.session_id = reader.string()?.or(message.session_id),
                b"role" => message.role = reader.string()?,
                b"time" => message.time = FromJson::read(reader)?,
                b"modelID" => message.model = reader.string()?.or(message.model),
                b"model" => message.model = message.model.or(UserModel::read(reader)?.id),
                b"summary" => message.is_summary = reader.bool()?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(message)
    }
}

impl<'a> FromJson<'a> for Part<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JsonError> {
        let mut part = Part::default();
        row(reader, &mut |reader, key| {
            match key {
                b"id" => part.id = reader.string()?.or(part.id),
                b"session_id" | b"sessionID" => part.session_id = reader.string()?.or(part.session_id),
                b"message_id" | b"messageID" => part.message_id = reader.string()?.or(part.message_id),
                b"type" => part.ty = reader.string()?,
                b"text" => part.text = reader.string()?,
                b"synthetic" => part.is_synthetic = reader.bool()?,
                b"ignored" => part.is_ignored = reader.bool()?,
                b"time" => part.time = FromJson::read(reader)?,
                b"tool" => part.tool = reader.string()?,
                b"callID" => part.call_id = reader.string()?,
                b"state" => part.state = FromJson::read(reader)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(part)
    }
}

/// A command's exit code: `null` for one that was killed, as after a timeout.
#[derive(Clone, Copy, Debug, Default)]
struct Exit {
    is_error: Option<bool>,
}

impl FromJson<'_> for Exit {
    fn read(reader: &mut Reader<'_>) -> Result<Self, JsonError> {
        let is_null = reader.cursor.peek() == Some(b'n');
        let code = reader.number()?;
        let is_error = code.map(|code| code != 0.0).or(is_null.then_some(true));
        Ok(Exit { is_error })
    }
}

type Member<'a, 'm> = dyn FnMut(&mut Reader<'a>, &[u8]) -> Result<(), JsonError> + 'm;

/// Passes the members of a row to `member`, and those in its `data`.
fn row<'a>(reader: &mut Reader<'a>, member: &mut Member<'a, '_>) -> Result<(), JsonError> {
    reader.members_of_object(|reader, key| match key {
        b"data" if reader.cursor.peek() == Some(b'"') => {
            let text = reader.cursor.string()?;
            // A row whose text is damaged has only its ids.
            let _ = Reader::new(text.bytes(), reader.arena).and_then(|mut data| data.members_of_object(&mut *member));
            Ok(())
        }
        b"data" => reader.members_of_object(&mut *member),
        _ => member(reader, key),
    })
}

/// A session as far as it has been read.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct OpenCode {
    /// Whether it is a subagent's, whose prompts another agent wrote.
    is_subagent: bool,
    /// Messages whose parts come in records of their own, by their ids.
    messages: BTreeMap<String, Known>,
}

/// What a part needs to know about its message.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    role: Option<String>,
    created: Option<i64>,
    completed: Option<i64>,
    model: Option<String>,
    is_summary: bool,
}

impl Dialect for OpenCode {
    fn record(&mut self, json: Json<'_>, arena: &Bump, to: &mut Sink<'_>) -> bool {
        let Ok(row) = Row::of(json, arena) else {
            return false;
        };
        match row.table.map(Text::bytes) {
            Some(b"session") => self.session(&FromJson::of(json, arena).unwrap_or_default(), to),
            Some(b"message") => self.remember(&FromJson::of(json, arena).unwrap_or_default(), to),
            Some(b"part") => self.part(&FromJson::of(json, arena).unwrap_or_default(), to),
            _ => {
                let record: Record<'_> = FromJson::of(json, arena).unwrap_or_default();
                self.session(&record.session, to);
                self.session(&record.info, to);
                self.message(&record.message, record.parts, to);
                self.part(&record.part, to);
                for Exported { message, parts, .. } in record.messages {
                    self.message(message, parts, to);
                }
                self.message(&record.output.message, record.output.parts, to);
                if let Some(info) = record.properties.info {
                    self.remember(&FromJson::of(info, arena).unwrap_or_default(), to);
                    self.session(&FromJson::of(info, arena).unwrap_or_default(), to);
                }
                self.part(&record.properties.part, to);
            }
        }
        true
    }

    fn is_sound(&self) -> bool {
        self.messages.len() <= MESSAGES_KEPT
    }
}

/// Each row names its session.
fn identify(record: &[u8]) -> Option<Origin> {
    let arena = Bump::new();
    let record = Record::of(record, &arena).ok()?;
    let row = record.table.and(record.row_session.or(record.row_id));
    let ids = [
        record.info.id,
        record.session.id,
        record.message.session_id,
        record.part.session_id,
        record.properties.session_id,
        record.properties.part.session_id,
        record.input.session_id,
        row,
    ];
    let id = ids
        .into_iter()
        .flatten()
        .find(|id| id.bytes().starts_with(SESSION.as_bytes()))?;
    Some(Origin::of(Some(id)))
}

impl OpenCode {
    fn session(&mut self, session: &Session<'_>, to: &Sink<'_>) {
        let is_session = session.id.is_some_and(|id| id.bytes().starts_with(SESSION.as_bytes()));
        if is_session && !is_of_other(session.id, to) {
            self.is_subagent = session.parent_id.is_some();
        }
    }

    /// Takes a message with its parts. Without parts it waits for theirs.
    fn message(&mut self, message: &Message<'_>, parts: &[Part<'_>], to: &mut Sink<'_>) {
        if parts.is_empty() {
            self.remember(message, to);
        } else if !is_of_other(message.session_id, to) {
            self.take(message, parts, to);
        }
    }

    fn remember(&mut self, message: &Message<'_>, to: &Sink<'_>) {
        if is_of_other(message.session_id, to) {
            return;
        }
        let id = message.id.filter(|_| message.role.is_some()).map(Text::to_str);
        let Some(id) = id.filter(|id| id.len() <= LONGEST_ID_BYTES) else {
            return;
        };
        let own = |text: Option<Text<'_>>| text.map(|text| cut_name(&text.to_str()).to_owned());
        let known = Known {
            role: own(message.role),
            created: message.time.created.0,
            completed: message.time.completed.0,
            model: own(message.model),
            is_summary: message.is_summary,
        };
        self.messages.insert(id.into_owned(), known);
        if self.messages.len() > MESSAGES_KEPT {
            // Ids grow with time.
            self.messages.pop_first();
        }
    }

    /// Takes a part alone, whose message was in an earlier record.
    fn part(&self, part: &Part<'_>, to: &mut Sink<'_>) {
        if part.id.is_none() || is_of_other(part.session_id, to) {
            return;
        }
        let known = part.message_id.and_then(|id| self.messages.get(&*id.to_str()));
        let message = known.map_or_else(Message::default, Known::message);
        let message = Message {
            id: part.message_id,
            ..message
        };
        self.take(&message, std::slice::from_ref(part), to);
    }

    fn take(&self, message: &Message<'_>, parts: &[Part<'_>], to: &mut Sink<'_>) {
        items(message, parts, &mut |mut item, part| {
            match &mut item {
                Item::Said(said) if said.kind == "HumanMessage" && self.is_subagent => return,
                Item::Call(call) if call.facts.is_result => call.facts.skill = part.skill(to),
                _ => {}
            }
            to.take(item);
        });
    }
}

impl Known {
    fn message(&self) -> Message<'_> {
        Message {
            role: self.role.as_deref().map(Text::from),
            time: MessageTime {
                created: Time(self.created),
                completed: Time(self.completed),
                ..MessageTime::default()
            },
            model: self.model.as_deref().map(Text::from),
            is_summary: self.is_summary,
            ..Message::default()
        }
    }
}

/// Whether a row belongs to another session of the same database.
fn is_of_other(session_id: Option<Text<'_>>, to: &Sink<'_>) -> bool {
    let own = to.session().attributes.external_prompt_id.as_ref();
    let own = own.and_then(Option::as_deref).filter(|own| own.starts_with(SESSION));
    match (own, session_id) {
        (Some(own), Some(id)) => id.bytes() != own.as_bytes(),
        _ => false,
    }
}

/// What a message says in these of its parts.
fn items<'a>(message: &Message<'a>, parts: &[Part<'a>], each: &mut dyn FnMut(Item<'a>, &Part<'a>)) {
    let role = message.role.map(Text::bytes);
    if role == Some(b"user") {
        return each(message.typed(parts), &Part::default());
    }
    for part in parts {
        let item = match part.ty.map(Text::bytes) {
            Some(b"text") if role == Some(b"assistant") && !message.is_summary => part.said("AiMessage", message),
            Some(b"reasoning") => part.said("ThinkingMessage", message),
            Some(b"tool") => part.call(message),
            _ => None,
        };
        item.into_iter().for_each(|item| each(item, part));
    }
}

impl<'a> Message<'a> {
    /// A user's message. Its texts are a human's, unless the harness has added them.
    fn typed(&self, parts: &[Part<'a>]) -> Item<'a> {
        let is_text = |part: &&Part<'_>| part.ty.is_some_and(|ty| ty.bytes() == b"text");
        let texts = parts
            .iter()
            .filter(is_text)
            .filter(|part| !part.is_synthetic && !part.is_ignored);
        Item::Said(Said {
            kind: "HumanMessage",
            key: self.id.map(Text::to_str).unwrap_or_default(),
            text: join(texts.filter_map(|part| part.text).map(Text::to_str)),
            time: self.time.created.0,
            source: self.id.map(Text::to_str),
            ..Said::default()
        })
    }
}

impl<'a> Part<'a> {
    /// A text of the assistant, once it is complete.
    fn said(&self, kind: &'static str, message: &Message<'a>) -> Option<Item<'a>> {
        let is_complete = self.time.end.0.or(message.time.completed.0).is_some();
        is_complete.then_some(())?;
        let key = self.id?.to_str();
        Some(Item::Said(Said {
            kind,
            source: Some(key.clone()),
            key,
            text: self.text?.to_str(),
            time: self.time.start.0.or(message.time.created.0),
            model: message.model.map(Text::to_str),
            ..Said::default()
        }))
    }

    fn call(&self, message: &Message<'a>) -> Option<Item<'a>> {
        let status = self.state.status?.bytes();
        // It has no time yet.
        (status != b"pending").then_some(())?;
        let name = self.tool?.to_str();
        Some(Item::Call(Call {
            kind: KINDS.of(&name),
            facts: self.outcome(&name),
            name,
            id: self.call_id.or(self.id)?.to_str(),
            time: self.state.time.start.0.or(message.time.created.0),
            model: message.model.map(Text::to_str),
            source: self.id.map(Text::to_str),
            ..Call::default()
        }))
    }

    /// The file of the skill that the call has loaded.
    fn skill(&self, to: &Sink<'_>) -> Option<SkillFile> {
        let is_skill = self.tool.is_some_and(|tool| KINDS.skills.contains(&&*tool.to_str()));
        let folder = self.state.metadata.dir.filter(|_| is_skill)?.to_str();
        to.session().skill_file_at(&in_folder(&folder, "SKILL.md"))
    }

    fn outcome(&self, tool: &str) -> Facts {
        let State {
            status, time, metadata, ..
        } = self.state;
        let error = match status.map(Text::bytes) {
            Some(b"completed") => tool == INVALID || metadata.exit.is_error == Some(true),
            Some(b"error") => true,
            _ => return Facts::default(),
        };
        let source = DurationSource::Result;
        let ms = time
            .end
            .0
            .zip(time.start.0)
            .and_then(|(end, start)| u64::try_from(end - start).ok());
        Facts {
            is_result: true,
            error: Some(error),
            ended_at: time.end.0,
            reported: ms.map(|ms| Reported { source, ms }),
            ..Facts::default()
        }
    }
}

members! {
    struct HookResponse<'a> {
        metadata: Metadata<'a> = "metadata",
    }
}

/// Whether a hook's `tool_response` is that of a command that has failed. No hook fires after other failures.
fn is_error(response: &[u8]) -> Option<bool> {
    let arena = Bump::new();
    let response = HookResponse::of(response, &arena).ok()?;
    response.metadata.exit.is_error
}
