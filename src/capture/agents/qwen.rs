//! Qwen Code: `~/.qwen/projects/<cwd>/chats/<session id>.jsonl`, lines like those of Claude Code whose messages have the
//! parts of Gemini's API. A subagent writes into `../subagents/<session id>/agent-<id>.jsonl`.

use super::gemini::{Part, Parts};
use super::{Agent, Companions, Dialect, Origin, claude, other};
use crate::capture::hook::{EVENTS, Hooks, MEMBERS, Member, Transcript};
use crate::capture::item::{Call, Item, Kinds, Mcp, Said};
use crate::capture::json::{FromJson, Json, Time, members, whole};
use crate::capture::ledger::{DurationSource, Facts, Reported, Sink};
use crate::wire::slots::Text;
use bumpalo::Bump;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

pub(super) const AGENT: Agent = Agent {
    name: "qwen",
    dialect: Qwen::boxed,
    identify,
    hooks: &HOOKS,
    companions: Some(&SUBAGENTS),
    writes_documents: false,
    context: &[],
    fork_header: None,
};

const HOOKS: Hooks = Hooks {
    members: &[
        // `tool_use_id` is another one in each hook.
        &[
            ("tool_call_id", Member::CallId),
            ("tool_use_id", Member::Ignored),
            ("timestamp", Member::Time),
        ],
        MEMBERS,
    ],
    events: &[EVENTS],
    unnamed: &[],
    transcript: Transcript::NamedLate,
    subagent: |_, _| None,
    session_is_named_by_file: false,
    names_tool_in_input: false,
    after_means_success: true,
    finds_skills: false,
    numbers_calls: false,
    kind: |tool| KINDS.of(tool),
    typed: |prompt| claude::typed(prompt).filter(|typed| !typed.trim().is_empty()),
    is_error: |_| None,
    call_content: other::call_content,
    stop_content: other::answer_content,
};

const KINDS: Kinds = Kinds {
    mcp: Mcp::Prefix(&["mcp__"]),
    writes: &["write_file", "edit", "replace"],
    skills: &["skill"],
};

/// Tools that start a subagent.
const STARTERS: [&str; 2] = ["agent", "task"];

/// The harness adds texts that begin with one of these to a prompt.
const ADDITIONS: [&str; 2] = ["<qwen:", "<system-reminder>"];

const SUBAGENTS: Companions = Companions {
    folder: |main, session_id| main.with_file_name("..").join("subagents").join(session_id),
    groups: None,
    id: |file_name| file_name.strip_prefix("agent-")?.strip_suffix(".jsonl"),
    file_name: |id| format!("agent-{id}.jsonl"),
    // Its lines say it.
    started_by: |_| None,
};

members! {
    struct Line<'a> {
        uuid: Option<Text<'a>> = "uuid",
        session_id: Option<Text<'a>> = "sessionId",
        ty: Option<Text<'a>> = "type",
        subtype: Option<Text<'a>> = "subtype",
        /// Who wrote the line. Absent in a subagent's file, and in those of earlier versions.
        provenance: Option<Text<'a>> = "provenance",
        time: Time = "timestamp",
        model: Option<Text<'a>> = "model",
        branch: Option<Text<'a>> = "gitBranch",
        agent_id: Option<Text<'a>> = "agentId",
        agent_name: Option<Text<'a>> = "agentName",
        is_sidechain: bool = "isSidechain",
        /// On a line that a fork has copied from another session.
        forked_from: Option<&'a [u8]> = "forkedFrom",
        message: Message<'a> = "message",
        system: SystemPayload<'a> = "systemPayload",
        result: CallResult<'a> = "toolCallResult",
    }

    struct Message<'a> {
        parts: Parts<'a> = "parts",
    }

    struct SystemPayload<'a> {
        /// The prompt as the human typed it.
        display: Option<Text<'a>> = "displayText",
        event: UiEvent<'a> = "uiEvent",
    }

    struct UiEvent<'a> {
        name: Option<Text<'a>> = "event.name",
        call_id: Option<Text<'a>> = "call_id",
        duration_ms: Option<f64> = "duration_ms",
    }

    struct CallResult<'a> {
        call_id: Option<Text<'a>> = "callId",
        status: Option<Text<'a>> = "status",
        duration_ms: Option<f64> = "durationMs",
        display: ResultDisplay<'a> = "resultDisplay",
        error_type: Option<Text<'a>> = "errorType",
    }

    struct ResultDisplay<'a> {
        exit_code: Option<f64> = "exitCode",
    }
}

/// Nothing needs to be remembered: each line says everything about itself.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Qwen {}

impl Dialect for Qwen {
    fn record(&mut self, json: Json<'_>, arena: &Bump, to: &mut Sink<'_>) -> bool {
        let Ok(line) = Line::of(json, arena) else {
            return false;
        };
        to.branch(line.branch);
        if let Some((agent_id, call_id)) = line.starter() {
            to.started(&agent_id, &call_id);
        }
        items(&line, &mut |item| {
            let started = match &item {
                Item::Call(call) if STARTERS.contains(&&*call.name) => Some(call.id.clone()),
                _ => None,
            };
            to.take(item);
            started.iter().for_each(|id| to.starter(id));
        });
        true
    }
}

/// Each line names its session.
fn identify(line: &[u8]) -> Option<Origin> {
    let arena = Bump::new();
    let line = Line::of(line, &arena).ok()?;
    let is_own = line.provenance.is_some() || !line.message.parts.is_empty();
    (is_own && line.uuid.is_some()).then(|| Origin::of(line.session_id))
}

/// What a line says.
fn items<'a>(line: &Line<'a>, each: &mut dyn FnMut(Item<'a>)) {
    // The session that a fork comes from has these lines too.
    if line.forked_from.is_some() {
        return;
    }
    let Some(uuid) = line.uuid.map(Text::to_str) else {
        return;
    };
    match line.ty.map(Text::bytes) {
        Some(b"user") if line.is_of_human() => each(line.said("HumanMessage", uuid, line.typed())),
        Some(b"assistant") => {
            for (place, part) in line.message.parts.parts.iter().enumerate() {
                if let Some(text) = part.text() {
                    let kind = if part.is_thought {
                        "ThinkingMessage"
                    } else {
                        "AiMessage"
                    };
                    each(line.said(kind, format!("{uuid}:{place}").into(), text));
                }
                line.call(part).into_iter().for_each(&mut *each);
            }
        }
        Some(b"tool_result") => line.outcome().into_iter().for_each(each),
        Some(b"system") => line.telemetry().into_iter().for_each(each),
        _ => {}
    }
}

impl<'a> Line<'a> {
    fn is_of_human(&self) -> bool {
        let provenance = self.provenance.map(Text::bytes);
        self.subtype.is_none()
            && matches!(provenance, None | Some(b"real_user"))
            && !self.is_sidechain
            && self.agent_id.is_none()
    }

    fn typed(&self) -> Cow<'a, str> {
        let display = self.system.display.map(Text::to_str);
        display.unwrap_or_else(|| {
            let parts = self.message.parts;
            parts.typed(|text| ADDITIONS.iter().any(|start| text.trim_start().starts_with(start)))
        })
    }

    fn said(&self, kind: &'static str, key: Cow<'a, str>, text: Cow<'a, str>) -> Item<'a> {
        Item::Said(Said {
            kind,
            key,
            text,
            time: self.time.0,
            model: self.model.map(Text::to_str),
            source: self.uuid.map(Text::to_str),
            ..Said::default()
        })
    }

    fn call(&self, part: &Part<'a>) -> Option<Item<'a>> {
        let name = part.call.name?.to_str();
        Some(Item::Call(Call {
            kind: KINDS.of(&name),
            name,
            id: part.call.id?.to_str(),
            time: self.time.0,
            model: self.model.map(Text::to_str),
            source: self.uuid.map(Text::to_str),
            ..Call::default()
        }))
    }

    /// The result of the line's call.
    fn outcome(&self) -> Option<Item<'a>> {
        let mut responses = self.message.parts.parts.iter().map(|part| part.response);
        let response = responses.find(|response| response.id.is_some()).unwrap_or_default();
        let id = self.result.call_id.or(response.id)?.to_str();
        let has_failed = self.result.status.is_some_and(|status| status.bytes() != b"success");
        let has_exited_badly = self.result.display.exit_code.is_some_and(|code| code != 0.0);
        // A rule or a human has refused it.
        let has_run = self
            .result
            .error_type
            .is_none_or(|ty| ty.bytes() != b"execution_denied");
        let facts = Facts {
            is_result: true,
            error: has_run.then_some(has_failed || has_exited_badly || response.is_error()),
            ended_at: self.time.0,
            reported: reported(self.result.duration_ms),
            ..Facts::default()
        };
        Some(Item::Outcome(id, facts))
    }

    /// How long a call took, which the harness measures.
    fn telemetry(&self) -> Option<Item<'a>> {
        let event = self.system.event;
        let is_of_call = event.name?.bytes() == b"qwen-code.tool_call";
        let facts = Facts {
            reported: Some(reported(event.duration_ms)?),
            ..Facts::default()
        };
        // Earlier versions don't say which call.
        is_of_call.then_some(Item::Outcome(event.call_id?.to_str(), facts))
    }

    /// The call that has started the subagent of this line, with the subagent's id, which consists of its name and of
    /// the call's id.
    fn starter(&self) -> Option<(Cow<'a, str>, String)> {
        let agent_id = self.agent_id?.to_str();
        let name = self.agent_name?.to_str();
        let call_id = agent_id.strip_prefix(&*name)?.strip_prefix('-')?.to_owned();
        Some((agent_id, call_id))
    }
}

fn reported(ms: Option<f64>) -> Option<Reported> {
    let source = DurationSource::Result;
    ms.and_then(whole).map(|ms| Reported { source, ms })
}
