//! Gemini CLI: `~/.gemini/tmp/<project>/chats/session-<time>-<id>.jsonl`.
//!
//! The file is a log of states. A message is written again, whole and under the same id, when more of it is known.
//! Versions up to 0.38 rewrote one document. As every item is known by its message's id, it doesn't matter how often it
//! comes. Changes of the session (`$set`) hold what is left of the conversation for the model: copies without models
//! and with other times, and texts of the harness. Where a call was refused, such copies are messages of their own
//! before the change. They make no events, and neither does a rewind (`$rewindTo`): what was said stays said.

use super::{Agent, Companions, Dialect, Origin, other};
use crate::capture::hook::{EVENTS, Hooks, MEMBERS, Member, Moment, Transcript};
use crate::capture::item::{Call, Item, Kinds, Mcp, Said, join};
use crate::capture::json::{Content, Extent, FromJson, Json, LateText, Time, members};
use crate::capture::ledger::{Facts, Sink};
use crate::wire::slots::Text;
use bumpalo::Bump;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

pub(super) const AGENT: Agent = Agent {
    name: "gemini",
    dialect: Gemini::boxed,
    identify,
    hooks: &HOOKS,
    companions: Some(&SUBAGENTS),
    writes_documents: true,
    context: &[],
    fork_header: None,
};

/// `<session id>/<id>.jsonl` beside `session-<time>-<start of the session's id>.jsonl`.
const SUBAGENTS: Companions = Companions {
    folder: |main, session_id| main.with_file_name(session_id),
    groups: None,
    id: |file_name| file_name.strip_suffix(".jsonl"),
    file_name: |id| format!("{id}.jsonl"),
    started_by: |_| None,
};

const HOOKS: Hooks = Hooks {
    members: &[
        &[("timestamp", Member::Time), ("prompt_response", Member::Reply)],
        MEMBERS,
    ],
    events: &[
        &[
            ("BeforeAgent", Moment::Prompt),
            ("BeforeTool", Moment::BeforeCall),
            ("AfterTool", Moment::AfterCall),
            ("AfterAgent", Moment::Reply),
        ],
        EVENTS,
    ],
    unnamed: &[],
    transcript: Transcript::NamedLate,
    subagent: |_, _| None,
    session_is_named_by_file: false,
    names_tool_in_input: false,
    after_means_success: false,
    finds_skills: false,
    numbers_calls: false,
    kind: |tool| KINDS.of(tool),
    typed: |prompt| (!prompt.trim().is_empty() && !is_of_harness(prompt)).then(|| prompt.to_owned()),
    is_error,
    call_content: other::call_content,
    stop_content: other::answer_content,
};

const KINDS: Kinds = Kinds {
    // `mcp_<server>_<tool>`; earlier `<server>__<tool>`.
    mcp: Mcp::Any(&[Mcp::Prefix(&["mcp_"]), Mcp::Infix("__")]),
    writes: &["write_file", "replace"],
    skills: &["activate_skill"],
};

/// Before the first of the parts that hold the files which a prompt names.
const REFERENCED_FILES: &str = "--- Content from referenced files ---";

/// What the harness puts into a session as a user's message begins with one of these.
const OF_HARNESS: [&str; 2] = [CONTEXT, "<loaded_context>"];

/// Begins the conversation, and so each copy of it.
const CONTEXT: &str = "<session_context>";

/// The messages of a copy of the conversation are written at once, some milliseconds after each other.
const LONGEST_COPYING_MS: i64 = 200;

members! {
    /// The session's header, or a whole document.
    struct Session<'a> {
        id: Option<Text<'a>> = "sessionId",
        project: Option<&'a [u8]> = "projectHash",
        kind: Option<Text<'a>> = "kind",
        messages: &'a [Message<'a>] = "messages",
    }

    struct Message<'a> {
        id: Option<Text<'a>> = "id",
        ty: Option<Text<'a>> = "type",
        time: Time = "timestamp",
        content: Parts<'a> = "content",
        /// The prompt as the human typed it, if `content` holds more.
        display: Parts<'a> = "displayContent",
        thoughts: &'a [Thought<'a>] = "thoughts",
        model: Option<Text<'a>> = "model",
        calls: &'a [ToolCall<'a>] = "toolCalls",
    }

    struct Thought<'a> {
        subject: Option<Text<'a>> = "subject",
        description: Option<Text<'a>> = "description",
        time: Time = "timestamp",
    }

    /// Written when its whole batch is done, so it has its result.
    struct ToolCall<'a> {
        id: Option<Text<'a>> = "id",
        name: Option<Text<'a>> = "name",
        status: Option<Text<'a>> = "status",
        /// When it was written.
        time: Time = "timestamp",
        result: &'a [Part<'a>] = "result",
        /// The subagent that it has started.
        agent_id: Option<Text<'a>> = "agentId",
    }

    /// A part of a message, in the form of Gemini's API.
    pub(super) struct Part<'a> {
        text: Option<Text<'a>> = "text",
        is_thought: bool = "thought",
        call: FunctionCall<'a> = "functionCall",
        response: FunctionResponse<'a> = "functionResponse",
    }

    pub(super) struct FunctionCall<'a> {
        id: Option<Text<'a>> = "id",
        name: Option<Text<'a>> = "name",
    }

    pub(super) struct FunctionResponse<'a> {
        id: Option<Text<'a>> = "id",
        name: Option<Text<'a>> = "name",
        response: Response<'a> = "response",
    }

    /// `tool_response` of a hook.
    struct HookResponse<'a> {
        /// Text or parts.
        content: Option<Text<'a>> = "llmContent",
        error: Option<&'a [u8]> = "error",
    }

    pub(super) struct Response<'a> {
        output: Option<LateText<'a>> = "output",
        error: Option<&'a [u8]> = "error",
    }
}

pub(super) type Parts<'a> = Content<'a, Part<'a>>;

impl<'a> Parts<'a> {
    fn thoughts(&self) -> Cow<'a, str> {
        join(self.parts.iter().filter(|part| part.is_thought).filter_map(Part::text))
    }

    /// The texts that aren't thoughts.
    fn texts(&self) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
        let shown = self.parts.iter().filter(|part| !part.is_thought);
        self.text
            .map(Text::to_str)
            .into_iter()
            .chain(shown.filter_map(Part::text))
    }

    /// What a human typed: the texts that aren't `is_added`, before the files that the harness has read for it.
    pub(super) fn typed(&self, is_added: impl Fn(&str) -> bool) -> Cow<'a, str> {
        let is_typed = |text: &Cow<'_, str>| !text.trim_start().starts_with(REFERENCED_FILES);
        let texts = self.texts().take_while(is_typed);
        join(texts.filter(|text| !is_added(text)))
    }
}

impl<'a> Part<'a> {
    pub(super) fn text(&self) -> Option<Cow<'a, str>> {
        self.text.map(Text::to_str)
    }
}

fn is_of_harness(text: &str) -> bool {
    OF_HARNESS.iter().any(|start| text.trim_start().starts_with(start))
}

impl FunctionResponse<'_> {
    /// Whether the response is that of a failed call: an error, or a command's exit code other than 0.
    pub(super) fn is_error(&self) -> bool {
        let is_shell = self.name.is_some_and(|name| name.bytes() == SHELL.as_bytes());
        let output = self.response.output.filter(|_| is_shell);
        let code = output.and_then(|output| output.by_end(exit_code)).flatten();
        self.response.error.is_some() || code.is_some_and(|code| code != 0)
    }
}

const SHELL: &str = "run_shell_command";

/// Whether a hook's `tool_response` is that of a failed call.
fn is_error(response: &[u8]) -> Option<bool> {
    let arena = Bump::new();
    let response = HookResponse::of(response, &arena).ok()?;
    let text = response.content.map(Text::to_str).unwrap_or_default();
    // Only the shell's response begins like this.
    let is_of_shell = ["<untrusted_context>\nOutput: ", "Output: ", "Command: "]
        .iter()
        .any(|start| text.starts_with(start));
    let code = exit_code(&text, Extent::Whole).flatten().filter(|_| is_of_shell);
    let has_exited_badly = code.is_some_and(|code| code != 0);
    Some(response.error.is_some() || has_exited_badly)
}

/// The exit code that the shell tool writes behind a command's output. The output itself can hold such lines, so only
/// the tool's own last lines count. `None` if an end of the text doesn't say whether there is one.
fn exit_code(text: &str, extent: Extent) -> Option<Option<i64>> {
    const OTHERS: [&str; 4] = [
        "</untrusted_context>",
        "Signal: ",
        "Background PIDs: ",
        "Process Group PGID: ",
    ];
    let is_other = |line: &&str| OTHERS.iter().any(|start| line.starts_with(start));
    let lines = match extent {
        Extent::Whole => text,
        Extent::Part => text.split_once('\n')?.1,
    };
    let line = match lines.trim_end().rsplit('\n').find(|line| !is_other(line)) {
        None | Some("") if extent == Extent::Part => return None,
        line => line.unwrap_or_default(),
    };
    Some(
        line.strip_prefix("Exit Code: ")
            .and_then(|code| code.trim().parse().ok()),
    )
}

/// A session as far as it has been read.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Gemini {
    /// Whether it is a subagent's, whose prompts another agent wrote.
    is_subagent: bool,
    /// Whether a message of the conversation was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    has_begun: bool,
    /// The time of the message before, if it was part of a copy of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    copied_at: Option<i64>,
}

impl Dialect for Gemini {
    /// The file has all texts when the hook fires, which holds them joined.
    fn answer(&mut self, _: &str, _: Option<&str>, _: i64, _: &mut Sink<'_>) {}

    fn record(&mut self, json: Json<'_>, arena: &Bump, to: &mut Sink<'_>) -> bool {
        let Ok(message) = Message::of(json, arena) else {
            return false;
        };
        if message.ty.is_some() {
            if !self.is_copy(&message) {
                self.message(&message, to);
            }
            return true;
        }
        let Ok(session) = Session::of(json, arena) else {
            return false;
        };
        if let Some(kind) = session.kind {
            self.is_subagent = kind.bytes() == b"subagent";
        }
        for message in session.messages {
            self.message(message, to);
        }
        true
    }
}

/// The header names the session.
fn identify(record: &[u8]) -> Option<Origin> {
    let arena = Bump::new();
    let session = Session::of(record, &arena).ok()?;
    session.project.map(|_| Origin::of(session.id))
}

impl Gemini {
    /// Whether a message is part of a copy of the conversation, which has other ids.
    fn is_copy(&mut self, message: &Message<'_>) -> bool {
        let time = message.time.0;
        let begins = self.has_begun && message.is_context();
        // A message without a time is nobody's copy: each message of a copy has the time of the copying.
        let goes_on = (self.copied_at.zip(time))
            .is_some_and(|(at, time)| message.model.is_none() && time <= at.saturating_add(LONGEST_COPYING_MS));
        self.copied_at = if begins || goes_on { time } else { None };
        self.has_begun |= !message.is_context();
        self.copied_at.is_some() || message.is_answer_of_copy()
    }

    fn message(&self, message: &Message<'_>, to: &mut Sink<'_>) {
        let mut calls = message.calls.iter().filter(|call| call.is_one());
        items(message, &mut |item| {
            let is_of_human = matches!(&item, Item::Said(said) if said.kind == "HumanMessage");
            if is_of_human && self.is_subagent {
                return;
            }
            let call = matches!(&item, Item::Call(_)).then(|| calls.next()).flatten();
            to.take(item);
            if let Some((agent_id, call_id)) = call.and_then(|call| call.agent_id.zip(call.id)) {
                let call_id = call_id.to_str();
                to.starter(&call_id);
                to.started(&agent_id.to_str(), &call_id);
            }
        });
    }
}

/// What a message says.
fn items<'a>(message: &Message<'a>, each: &mut dyn FnMut(Item<'a>)) {
    let (Some(id), Some(ty)) = (message.id.map(Text::to_str), message.ty) else {
        return;
    };
    let said = |kind, key: Cow<'a, str>, text, time: Time| {
        Item::Said(Said {
            kind,
            key,
            text,
            time: time.0.or(message.time.0),
            model: message.model.map(Text::to_str),
            source: Some(id.clone()),
            ..Said::default()
        })
    };
    match ty.bytes() {
        b"user" => each(Item::Said(Said {
            kind: "HumanMessage",
            key: id.clone(),
            text: message.typed(),
            time: message.time.0,
            source: Some(id.clone()),
            ..Said::default()
        })),
        b"gemini" => {
            for (place, thought) in message.thoughts.iter().enumerate() {
                let key = format!("{id}:thought:{place}").into();
                each(said("ThinkingMessage", key, thought.text(), thought.time));
            }
            let hidden = message.content.thoughts();
            if !hidden.is_empty() {
                let key = format!("{id}:thought").into();
                each(said("ThinkingMessage", key, hidden, message.time));
            }
            let shown = join(message.content.texts());
            each(said("AiMessage", id.clone(), shown, message.time));
            message
                .calls
                .iter()
                .filter_map(|call| call.item(message))
                .for_each(each);
        }
        // Notices of the program.
        _ => {}
    }
}

impl<'a> Message<'a> {
    /// Whether it begins the conversation.
    fn is_context(&self) -> bool {
        let first = self.content.texts().next();
        self.ty.is_some_and(|ty| ty.bytes() == b"user")
            && first.is_some_and(|text| text.trim_start().starts_with(CONTEXT))
    }

    /// Whether it is an answer as it stands in a copy: in parts, and without its model.
    fn is_answer_of_copy(&self) -> bool {
        self.model.is_none() && !self.content.parts.is_empty() && self.ty.is_some_and(|ty| ty.bytes() == b"gemini")
    }

    /// The words of a human. Blank if the harness wrote the message.
    fn typed(&self) -> Cow<'a, str> {
        let is_shown = !self.display.is_empty();
        let content = if is_shown { self.display } else { self.content };
        content.typed(is_of_harness)
    }
}

impl<'a> Thought<'a> {
    fn text(&self) -> Cow<'a, str> {
        let lines = [self.subject, self.description].into_iter().flatten().map(Text::to_str);
        join(lines.filter(|line| !line.is_empty()))
    }
}

impl<'a> ToolCall<'a> {
    /// Whether it makes an item.
    fn is_one(&self) -> bool {
        self.name.is_some() && self.id.is_some()
    }

    fn item(&self, message: &Message<'a>) -> Option<Item<'a>> {
        let name = self.name?.to_str();
        Some(Item::Call(Call {
            kind: KINDS.of(&name),
            name,
            id: self.id?.to_str(),
            time: message.time.0,
            model: message.model.map(Text::to_str),
            // Its message was written before, without it.
            source: self.id.map(Text::to_str),
            facts: self.outcome(),
            ..Call::default()
        }))
    }

    fn outcome(&self) -> Facts {
        let error = match self.status.map(Text::bytes) {
            Some(b"success") => self.result.iter().any(|part| part.response.is_error()),
            Some(b"error" | b"cancelled") => true,
            // Not over yet.
            _ => return Facts::default(),
        };
        Facts {
            is_result: true,
            error: Some(error),
            ended_at: self.time.0,
            ..Facts::default()
        }
    }
}
