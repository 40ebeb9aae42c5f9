//! GitHub Copilot: the event logs of its CLI, `~/.copilot/session-state/<session>/events.jsonl`, the same logs of
//! Copilot Chat in VS Code, and the hooks of both.

use super::{Agent, Dialect, Origin, claude, other};
use crate::capture::hook::{EVENTS, Hook, HookSetting, Hooks, MEMBERS, Member, Moment, Transcript};
use crate::capture::item::{Call, Item, Kinds, Mcp, Said};
use crate::capture::json::{Extent, FromJson, Json, LateText, Time, members, whole};
use crate::capture::ledger::{DurationSource, Facts, Reported, Sink};
use crate::identity::cut_name;
use crate::wire::slots::Text;
use bumpalo::Bump;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::path::PathBuf;

pub(super) const CLI: Agent = Agent {
    name: "github-copilot-cli",
    dialect: Copilot::boxed,
    identify: |line| identify(line).and_then(|(origin, is_of_editor)| (!is_of_editor).then_some(origin)),
    hooks: &HOOKS,
    companions: None,
    writes_documents: false,
    context: &[("type", "session.start"), ("type", "session.model_change")],
    fork_header: None,
};

pub(super) const VS_CODE: Agent = Agent {
    name: "github-copilot",
    identify: |line| identify(line).and_then(|(origin, is_of_editor)| is_of_editor.then_some(origin)),
    ..CLI
};

const KINDS: Kinds = Kinds {
    mcp: Mcp::Prefix(&["mcp__"]),
    writes: &[
        "create",
        "edit",
        "write",
        "str_replace",
        "str_replace_editor",
        "insert",
        "apply_patch",
        "create_file",
        "insert_edit_into_file",
        "replace_string_in_file",
        "multi_replace_string_in_file",
        "edit_notebook_file",
        // In hooks with Claude's names.
        "Write",
        "Edit",
        "MultiEdit",
    ],
    skills: &["skill", "Skill"],
};

const HOOKS: Hooks = Hooks {
    members: &[
        &[
            ("hookName", Member::Name),
            ("hookEventName", Member::Name),
            ("timestamp", Member::Time),
            ("toolName", Member::Tool),
            ("toolArgs", Member::Input),
            ("toolCallId", Member::CallId),
            ("toolCalls", Member::Calls),
            ("toolResult", Member::Result),
            ("tool_result", Member::Result),
            ("error", Member::Error),
            ("transcriptPath", Member::Transcript),
            ("agentId", Member::Agent),
            ("parentAgentId", Member::Parent),
            ("parent_agent_id", Member::Parent),
        ],
        MEMBERS,
    ],
    events: &[
        &[
            ("userPromptSubmitted", Moment::Prompt),
            ("preToolUse", Moment::BeforeCall),
            ("postToolUse", Moment::AfterCall),
            ("postToolUseFailure", Moment::CallFailed),
            ("agentStop", Moment::Reply),
            ("sessionEnd", Moment::End),
        ],
        EVENTS,
    ],
    // Payloads with keys in camelCase have no name.
    unnamed: &[
        ("errorContext", None),
        ("agentName", None),
        ("initialPrompt", None),
        ("source", None),
        ("toolResult", Some(Moment::AfterCall)),
        ("error", Some(Moment::CallFailed)),
        ("toolCalls", Some(Moment::BeforeCall)),
        ("toolName", Some(Moment::BeforeCall)),
        ("prompt", Some(Moment::Prompt)),
        ("stopReason", Some(Moment::Reply)),
        ("reason", Some(Moment::End)),
    ],
    transcript: Transcript::Found(log_of),
    subagent: |_, _| None,
    session_is_named_by_file: false,
    names_tool_in_input: false,
    after_means_success: false,
    finds_skills: false,
    numbers_calls: false,
    kind: |tool| KINDS.of(tool),
    typed: claude::typed,
    is_error: |result| Some(HookResult::of(result, &Bump::new()).ok()?.is_error()),
    call_content: other::call_content,
    stop_content: other::stop_content,
};

/// The most skills whose file isn't known yet. The file follows its call within some lines.
const SKILLS_KEPT: usize = 32;

/// A log as far as it has been read.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Copilot {
    /// Older versions name the model only where it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Skills that calls have invoked: the call's id, and the skill's name.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    skills: VecDeque<(String, String)>,
}

members! {
    struct Line<'a> {
        ty: Option<Text<'a>> = "type",
        /// Not parsed before the type is known.
        data: Option<Json<'a>> = "data",
        id: Option<Text<'a>> = "id",
        time: Time = "timestamp",
        /// In a subagent.
        agent_id: Option<Text<'a>> = "agentId",
    }

    /// The first line's data.
    struct Session<'a> {
        id: Option<Text<'a>> = "sessionId",
        editor_version: Option<Text<'a>> = "vscodeVersion",
    }

    struct Model<'a> {
        selected: Option<Text<'a>> = "selectedModel",
        new: Option<Text<'a>> = "newModel",
        context: Context<'a> = "context",
    }

    struct Context<'a> {
        branch: Option<Text<'a>> = "branch",
    }

    struct Prompt<'a> {
        content: Option<Text<'a>> = "content",
        source: Option<Text<'a>> = "source",
        is_continuation: bool = "isAutopilotContinuation",
        /// In a subagent of older versions.
        parent: Option<Text<'a>> = "parentToolCallId",
    }

    struct Message<'a> {
        model: Option<Text<'a>> = "model",
        content: Option<Text<'a>> = "content",
        thought: Option<Text<'a>> = "reasoningText",
    }

    struct Start<'a> {
        id: Option<Text<'a>> = "toolCallId",
        name: Option<Text<'a>> = "toolName",
        model: Option<Text<'a>> = "model",
        server: Option<Text<'a>> = "mcpServerName",
        tool: Option<Text<'a>> = "mcpToolName",
        arguments: Arguments<'a> = "arguments",
    }

    struct Arguments<'a> {
        skill: Option<Text<'a>> = "skill",
        name: Option<Text<'a>> = "name",
    }

    struct Completion<'a> {
        id: Option<Text<'a>> = "toolCallId",
        success: Option<bool> = "success",
        shell: Shell<'a> = "shellExecution",
        telemetry: Telemetry<'a> = "toolTelemetry",
        result: TextResult<'a> = "result",
        error: Failure<'a> = "error",
    }

    struct Failure<'a> {
        code: Option<Text<'a>> = "code",
    }

    struct Shell<'a> {
        exit_code: Option<f64> = "exitCode",
    }

    struct Telemetry<'a> {
        metrics: Metrics<'a> = "metrics",
    }

    struct Metrics<'a> {
        exit_code: Option<f64> = "exit_code",
    }

    struct TextResult<'a> {
        content: Option<LateText<'a>> = "content",
    }

    struct Invoked<'a> {
        name: Option<Text<'a>> = "name",
        path: Option<Text<'a>> = "path",
        trigger: Option<Text<'a>> = "trigger",
    }

    /// The answer to a question for permission.
    struct Permission<'a> {
        id: Option<Text<'a>> = "toolCallId",
        result: Decision<'a> = "result",
    }

    struct Decision<'a> {
        kind: Option<Text<'a>> = "kind",
        feedback: Option<Text<'a>> = "feedback",
    }

    struct SubagentEnd<'a> {
        id: Option<Text<'a>> = "toolCallId",
        duration_ms: Option<f64> = "durationMs",
    }

    /// A call's result in a hook's payload.
    struct HookResult<'a> {
        kind: Option<Text<'a>> = "resultType" | "result_type",
        text: Option<LateText<'a>> = "textResultForLlm" | "text_result_for_llm",
    }
}

impl Dialect for Copilot {
    fn record(&mut self, json: Json<'_>, arena: &Bump, to: &mut Sink<'_>) -> bool {
        let Ok(line) = Line::of(json, arena) else {
            return false;
        };
        let Some(data) = line.data else {
            return true;
        };
        to.at(line.time.0);
        match line.ty.map(Text::bytes).unwrap_or_default() {
            b"session.start" | b"session.resume" | b"session.model_change" if line.agent_id.is_none() => {
                let Model {
                    selected, new, context, ..
                } = read(data, arena);
                to.branch(context.branch);
                if let Some(model) = new.or(selected) {
                    self.model = Some(cut_name(&model.to_str()).to_owned());
                }
            }
            b"user.message" => prompt(&line, &read(data, arena), to),
            b"assistant.message" => self.message(&line, &read(data, arena), to),
            b"tool.execution_start" => self.start(&line, &read(data, arena), to),
            b"tool.execution_complete" => completion(&line, &read(data, arena), to),
            b"skill.invoked" => self.invoked(&line, &read(data, arena), to),
            b"permission.completed" => permission(&line, &read(data, arena), to),
            b"subagent.completed" | b"subagent.failed" => subagent_end(&read(data, arena), to),
            _ => {}
        }
        true
    }

    fn is_sound(&self) -> bool {
        self.skills.len() <= SKILLS_KEPT
    }
}

/// Returns the session that a log's line names, and whether an editor wrote the log.
fn identify(line: &[u8]) -> Option<(Origin, bool)> {
    let arena = Bump::new();
    let Line { ty, data, .. } = Line::of(line, &arena).ok()?;
    match ty.map(Text::bytes)? {
        b"session.start" => {
            let session: Session<'_> = read(data?, &arena);
            Some((Origin::of(session.id), session.editor_version.is_some()))
        }
        b"user.message" | b"assistant.message" | b"tool.execution_start" => data.map(|_| (Origin::default(), false)),
        _ => None,
    }
}

impl Copilot {
    fn model<'a>(&'a self, line: &Line<'_>, said: Option<Text<'a>>) -> Option<Cow<'a, str>> {
        // A subagent can have another model than its session.
        let of_session = self.model.as_deref().filter(|_| line.agent_id.is_none());
        said.map(Text::to_str).or(of_session.map(Cow::Borrowed))
    }

    fn message(&mut self, line: &Line<'_>, message: &Message<'_>, to: &mut Sink<'_>) {
        let texts = [("ThinkingMessage", message.thought), ("AiMessage", message.content)];
        for (kind, text) in texts {
            to.take(Item::Said(Said {
                kind,
                key: key(line, text),
                text: text_of(text),
                time: line.time.0,
                model: self.model(line, message.model),
                source: line.id.map(Text::to_str),
                ..Said::default()
            }));
        }
    }

    fn start(&mut self, line: &Line<'_>, start: &Start<'_>, to: &mut Sink<'_>) {
        let id = text_of(start.id);
        let name = match (start.server, start.tool) {
            (Some(server), tool) => {
                let tool = tool.or(start.name);
                Cow::Owned(format!("mcp__{}__{}", server.to_str(), text_of(tool)))
            }
            (None, _) => start.name.map_or("unknown".into(), Text::to_str),
        };
        let kind = KINDS.of(&name);
        if kind == "SkillInvocation"
            && let Some(skill) = start.arguments.skill.or(start.arguments.name)
        {
            if self.skills.len() == SKILLS_KEPT {
                self.skills.pop_front();
            }
            let skill = cut_name(&skill.to_str()).to_owned();
            self.skills.push_back((cut_name(&id).to_owned(), skill));
        }
        to.take(Item::Call(Call {
            kind,
            name,
            key: id.is_empty().then(|| key(line, start.name)),
            id,
            time: line.time.0,
            model: self.model(line, start.model),
            source: line.id.map(Text::to_str),
            ..Call::default()
        }));
    }

    /// A skill has been loaded, by a call that it follows or by the human.
    fn invoked(&mut self, line: &Line<'_>, invoked: &Invoked<'_>, to: &mut Sink<'_>) {
        let name = text_of(invoked.name);
        let skill = invoked.path.and_then(|path| to.session().skill_file_at(&path.to_str()));
        let facts = Facts {
            skill,
            ..Facts::default()
        };
        let call = self.skills.iter().position(|(_, skill)| *skill == cut_name(&name));
        if let Some((id, _)) = call.and_then(|place| self.skills.remove(place)) {
            to.take(Item::Outcome(Cow::Owned(id), facts));
        } else if invoked.trigger.map(Text::bytes) == Some(b"user-invoked") {
            to.take(Item::Call(Call {
                kind: "SkillInvocation",
                name: "skill".into(),
                key: Some(key(line, invoked.name)),
                time: line.time.0,
                facts,
                source: line.id.map(Text::to_str),
                ..Call::default()
            }));
        }
    }
}

/// A text for the model, which isn't always a human's.
fn prompt(line: &Line<'_>, prompt: &Prompt<'_>, to: &mut Sink<'_>) {
    let text = text_of(prompt.content);
    let source = prompt.source.map(Text::bytes).unwrap_or_default();
    let is_of_harness = source.starts_with(b"skill-") || source.starts_with(b"agent-");
    let is_skill = text.trim_start().starts_with("<skill-context");
    let is_of_agent = line.agent_id.is_some() || prompt.parent.is_some();
    if is_of_harness || is_of_agent || is_skill || prompt.is_continuation {
        return;
    }
    to.take(Item::Said(Said {
        kind: "HumanMessage",
        key: key(line, prompt.content),
        text,
        time: line.time.0,
        source: line.id.map(Text::to_str),
        ..Said::default()
    }));
}

fn completion(line: &Line<'_>, completion: &Completion<'_>, to: &mut Sink<'_>) {
    let has_failed = |code: Option<f64>| code.is_some_and(|code| code != 0.0);
    let is_error = completion.success == Some(false)
        || has_failed(completion.shell.exit_code)
        || has_failed(completion.telemetry.metrics.exit_code)
        || completion
            .result
            .content
            .is_some_and(|text| text.by_end(ends_with_failure) == Some(true));
    let code = completion.error.code.map(Text::bytes).unwrap_or_default();
    let never_ran = matches!(code, b"denied" | b"rejected" | b"permission_denied");
    let facts = Facts {
        is_result: true,
        error: (!never_ran).then_some(is_error),
        ended_at: line.time.0,
        ..Facts::default()
    };
    to.take(Item::Outcome(text_of(completion.id), facts));
}

/// A refused call never runs, so its result is no failure. The human may say why.
fn permission(line: &Line<'_>, permission: &Permission<'_>, to: &mut Sink<'_>) {
    let kind = permission.result.kind.map(Text::bytes).unwrap_or_default();
    if !kind.starts_with(b"denied") {
        return;
    }
    let facts = Facts {
        is_judged: true,
        ..Facts::default()
    };
    to.take(Item::Outcome(text_of(permission.id), facts));
    to.take(Item::Said(Said {
        kind: "HumanMessage",
        key: Cow::Owned(format!("rejected:{}", text_of(permission.id))),
        text: text_of(permission.result.feedback),
        time: line.time.0,
        source: line.id.map(Text::to_str),
        ..Said::default()
    }));
}

fn subagent_end(end: &SubagentEnd<'_>, to: &mut Sink<'_>) {
    let Some(ms) = end.duration_ms.and_then(whole) else {
        return;
    };
    let source = DurationSource::Result;
    let facts = Facts {
        reported: Some(Reported { source, ms }),
        ..Facts::default()
    };
    to.take(Item::Outcome(text_of(end.id), facts));
}

impl HookResult<'_> {
    fn is_error(&self) -> bool {
        let is_other = |kind: Text<'_>| !matches!(kind.bytes(), b"success" | b"");
        self.kind.is_some_and(is_other)
            || self
                .text
                .is_some_and(|text| text.by_end(ends_with_failure) == Some(true))
    }
}

/// Whether a shell's output ends with an exit code other than 0, as the harness writes it. `None` if an end of the output
/// doesn't say.
fn ends_with_failure(text: &str, extent: Extent) -> Option<bool> {
    let text = text.trim_end();
    let mark = text.strip_suffix('>').and_then(|text| text.rsplit_once('<'));
    if extent == Extent::Part && mark.is_none() && (text.is_empty() || text.ends_with('>')) {
        return None;
    }
    let code = mark.and_then(|(_, mark)| mark.rsplit_once("exit code "));
    Some(code.is_some_and(|(_, code)| code.parse::<i64>().is_ok_and(|code| code != 0)))
}

/// The log of a hook's session. The payload seldom names it. A session's first hooks can come before its log, but not
/// before its folder.
fn log_of(hook: &Hook, setting: &HookSetting) -> Option<PathBuf> {
    let named = hook.transcript_path().map(PathBuf::from).filter(|path| path.is_file());
    named.or_else(|| {
        let id = hook.session_id().unwrap_or_default();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if id.is_empty() || !id.bytes().all(is_plain) {
            return None;
        }
        let folders = setting.folders(".copilot");
        let mut sessions = folders.map(|folder| folder.join("session-state").join(id));
        sessions
            .find(|session| session.is_dir())
            .map(|session| session.join("events.jsonl"))
    })
}

/// The key of an item: its line's id. Without one, its time and text stand in.
fn key<'a>(line: &Line<'a>, text: Option<Text<'a>>) -> Cow<'a, str> {
    match line.id.filter(|id| !id.bytes().is_empty()) {
        Some(id) => id.to_str(),
        None => Cow::Owned(format!("{}:{}", line.time.0.unwrap_or_default(), text_of(text))),
    }
}

fn read<'a, T: FromJson<'a>>(json: Json<'a>, arena: &'a Bump) -> T {
    T::of(json, arena).unwrap_or_default()
}

fn text_of<'a>(text: Option<Text<'a>>) -> Cow<'a, str> {
    text.map(Text::to_str).unwrap_or_default()
}
