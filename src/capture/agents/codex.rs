//! OpenAI Codex: its rollouts, `~/.codex/sessions/YYYY/MM/DD/rollout-<time>-<id>.jsonl`, and its hooks. Of an old session
//! it is `….jsonl.zst`, until somebody goes on with it.
//!
//! A rollout holds most things twice, as items of the conversation (`response_item`) and as reports for the interface
//! (`event_msg`). Of each pair one counts: reports of human texts, because the harness's texts have none; items of all
//! that the model writes; both of a call's outcome. Since version 0.169 all reports are `item_completed`.

mod outcome;

use super::{Agent, Dialect, ForkHeader, Origin, other};
use crate::capture::hook::{EVENTS, Hooks, MEMBERS, Member, Moment, Transcript};
use crate::capture::item::{Call, Item, Kinds, Mcp, Said};
use crate::capture::json::{FromJson, Json, members, unix_ms, whole};
use crate::capture::ledger::{DurationSource, Facts, Reported, Sink};
use crate::identity::{cut_name, input_hash};
use crate::wire::slots::Text;
use bumpalo::Bump;
use outcome::outcome_of;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::Path;

pub(super) const AGENT: Agent = Agent {
    name: "codex",
    dialect: Codex::boxed,
    identify,
    hooks: &HOOKS,
    companions: None,
    writes_documents: false,
    context: &[("type", "session_meta"), ("type", "turn_context")],
    fork_header: Some(ForkHeader {
        header: ("type", "session_meta"),
        own: &["payload", "forked_from_id"],
    }),
};

const KINDS: Kinds = Kinds {
    mcp: Mcp::Prefix(&["mcp__"]),
    writes: &["apply_patch"],
    skills: &[],
};

const HOOKS: Hooks = Hooks {
    members: &[&[("agent_transcript_path", Member::AgentTranscript)], MEMBERS],
    events: &[EVENTS, &[("SubagentStop", Moment::SubagentReply)]],
    unnamed: &[],
    transcript: Transcript::NamedLate,
    subagent: subagent_of,
    session_is_named_by_file: false,
    names_tool_in_input: false,
    after_means_success: false,
    finds_skills: false,
    numbers_calls: false,
    kind: |tool| KINDS.of(tool),
    typed: |prompt| is_human(prompt).then(|| words(prompt).to_owned()),
    is_error: outcome::is_error_of_response,
    call_content: other::call_content,
    stop_content: other::stop_content,
};

/// Users' texts that begin like this come from the harness.
const NOT_HUMAN_STARTS: [&str; 11] = [
    "<environment_context>",
    "# AGENTS.md instructions for ",
    "<user_instructions>",
    "<subagent_notification>",
    "<turn_aborted>",
    "<recommended_plugins>",
    SKILL,
    "<user_action>",
    "<goal_context>",
    "<codex_internal_context",
    "<user_shell_command>",
];

/// Begins the text with which the harness loads a skill that a human has named.
const SKILL: &str = "<skill>";

/// The app puts what it knows about the editor before a human's words, and this heading between the two.
const REQUEST: &str = "## My request for Codex:";

/// Begins what was piped into `codex exec` beside a prompt.
const PIPED: &str = "\n\n<stdin>\n";

/// Calls that a script of the model makes have such ids. The conversation doesn't hold them, only the reports.
const NESTED: &str = "exec-";

/// A fork's copy of the earlier history is written at once, within some milliseconds.
const LONGEST_COPYING_MS: i64 = 1000;

/// The most skills that count in one turn. People name few.
const SKILLS_KEPT: usize = 64;

/// A rollout as far as it has been read.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Codex {
    /// The first line's id. Later lines like it come from resuming, or from the session that was forked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Another agent has written the users' texts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_subagent: bool,
    /// While its lines may be copies of another session's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    copy: Option<Copying>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// The hash of the human's last text, unless something has followed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    human: Option<String>,
    /// The skills that the turn has loaded: each is loaded twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    skills: Vec<String>,
}

/// The part of a file that another session's history may fill.
#[derive(Debug, Serialize, Deserialize)]
struct Copying {
    /// When the file began.
    since: Option<i64>,
    /// Whether only its time shows that a turn without an age is the file's own.
    needs_time: bool,
}

members! {
    struct Line<'a> {
        timestamp: Option<Text<'a>> = "timestamp",
        ty: Option<Text<'a>> = "type",
        /// Not parsed before the type is known.
        payload: Option<Json<'a>> = "payload",
        /// Newer versions number their lines, and copy them only into the files of subagents.
        ordinal: Option<&'a [u8]> = "ordinal",
        metadata: Metadata<'a> = "metadata",
    }

    struct Metadata<'a> {
        /// The model has summarized the conversation, which nobody has asked it.
        is_summary: bool = "compaction_output",
    }

    /// The first line, and how a session is resumed.
    struct Meta<'a> {
        /// The session that a subagent belongs to has this too.
        session_id: Option<Text<'a>> = "session_id",
        id: Option<Text<'a>> = "id",
        forked_from: Option<Text<'a>> = "forked_from_id",
        thread_source: Option<Text<'a>> = "thread_source",
        source: Source<'a> = "source",
        git: Git<'a> = "git",
    }

    struct Git<'a> {
        branch: Option<Text<'a>> = "branch",
    }

    /// Who has begun a session, unless it is a text.
    struct Source<'a> {
        subagent: Option<&'a [u8]> = "subagent",
        internal: Option<&'a [u8]> = "internal",
    }

    struct Turn<'a> {
        id: Option<Text<'a>> = "turn_id",
        model: Option<Text<'a>> = "model",
    }

    /// A part of the conversation.
    struct Entry<'a> {
        ty: Option<Text<'a>> = "type",
        id: Option<Text<'a>> = "id",
        call_id: Option<Text<'a>> = "call_id",
        role: Option<Text<'a>> = "role",
        content: &'a [Part<'a>] = "content",
        summary: &'a [Part<'a>] = "summary",
        name: Option<Text<'a>> = "name",
        namespace: Option<Text<'a>> = "namespace",
        status: Option<Text<'a>> = "status",
        action: Option<&'a [u8]> = "action",
        output: Option<Json<'a>> = "output",
    }

    struct Part<'a> {
        text: Option<Text<'a>> = "text",
    }

    /// A report for the interface.
    struct Report<'a> {
        ty: Option<Text<'a>> = "type",
        turn_id: Option<Text<'a>> = "turn_id",
        /// Of a human.
        message: Option<Text<'a>> = "message",
        call_id: Option<Text<'a>> = "call_id",
        success: Option<bool> = "success",
        status: Option<Text<'a>> = "status",
        invocation: Invocation<'a> = "invocation",
        duration: Duration<'a> = "duration",
        result: McpResult<'a> = "result",
        item: Completed<'a> = "item",
        started_at: Option<f64> = "started_at_ms",
        completed_at: Option<f64> = "completed_at_ms",
    }

    struct Invocation<'a> {
        server: Option<Text<'a>> = "server",
        tool: Option<Text<'a>> = "tool",
    }

    struct Duration<'a> {
        secs: Option<f64> = "secs",
        nanos: Option<f64> = "nanos",
    }

    struct McpResult<'a> {
        ok: McpAnswer<'a> = "Ok",
        err: Option<&'a [u8]> = "Err",
    }

    struct McpAnswer<'a> {
        is_error: bool = "isError",
    }

    /// Something that has ended.
    struct Completed<'a> {
        ty: Option<Text<'a>> = "type",
        id: Option<Text<'a>> = "id",
        content: &'a [Part<'a>] = "content",
        status: Option<Text<'a>> = "status",
        exit_code: Option<f64> = "exit_code",
        source: Option<Text<'a>> = "source",
        success: Option<bool> = "success",
        server: Option<Text<'a>> = "server",
        namespace: Option<Text<'a>> = "namespace",
        tool: Option<Text<'a>> = "tool",
        result: McpAnswer<'a> = "result",
        error: Option<&'a [u8]> = "error",
        duration: Duration<'a> = "duration",
    }
}

impl Dialect for Codex {
    fn record(&mut self, json: Json<'_>, arena: &Bump, to: &mut Sink<'_>) -> bool {
        let Ok(line) = Line::of(json, arena) else {
            return false;
        };
        let Some(payload) = line.payload else {
            return true;
        };
        let at = At::of(line.timestamp);
        to.at(at.time);
        match bytes(line.ty) {
            b"session_meta" => {
                let meta = Meta::of(payload, arena).unwrap_or_default();
                to.branch(meta.git.branch);
                self.begin(&meta, &line, at.time);
            }
            b"turn_context" => {
                let turn = Turn::of(payload, arena).unwrap_or_default();
                self.turn(turn.id, at.time);
                if let Some(model) = turn.model.filter(|_| !self.is_copying()) {
                    self.model = Some(cut_name(&model.to_str()).to_owned());
                }
            }
            b"response_item" if !self.is_copying() && !line.metadata.is_summary => {
                self.entry(&Entry::of(payload, arena).unwrap_or_default(), &at, arena, to);
            }
            b"event_msg" => self.report(&Report::of(payload, arena).unwrap_or_default(), &at, to),
            _ => {}
        }
        true
    }

    fn is_sound(&self) -> bool {
        self.skills.len() <= SKILLS_KEPT
    }
}

/// A rollout's first line names its session.
fn identify(line: &[u8]) -> Option<Origin> {
    let arena = Bump::new();
    let Line { ty, payload, .. } = Line::of(line, &arena).ok()?;
    match bytes(ty) {
        b"session_meta" => {
            let meta = Meta::of(payload?, &arena).ok()?;
            Some(Origin::of(meta.session_id.or(meta.id)))
        }
        b"turn_context" | b"response_item" | b"event_msg" => payload.map(|_| Origin::default()),
        _ => None,
    }
}

/// The id of the subagent that a rollout belongs to. A session's own rollout is named after the session.
fn subagent_of(rollout: &Path, session_id: &str) -> Option<String> {
    let name = rollout.file_name()?.to_str()?;
    let name = name.strip_suffix(".zst").unwrap_or(name).strip_suffix(".jsonl")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_rollout = name.starts_with("rollout-") && name.bytes().all(is_plain) && cut_name(name) == name;
    (is_rollout && !name.ends_with(session_id)).then(|| name.to_owned())
}

/// When a line was written.
struct At<'a> {
    text: Cow<'a, str>,
    time: Option<i64>,
}

impl<'a> At<'a> {
    fn of(timestamp: Option<Text<'a>>) -> At<'a> {
        let text = timestamp.map(Text::to_str).unwrap_or_default();
        let time = unix_ms(text.as_bytes());
        At { text, time }
    }

    /// The key of something with this id. Older versions give no ids to texts, but each has a line of its own.
    fn key(&self, id: Option<Text<'a>>, rest: &str) -> Cow<'a, str> {
        match id.filter(|id| !id.bytes().is_empty()) {
            Some(id) => id.to_str(),
            None => Cow::Owned(format!("{}:{rest}", self.text)),
        }
    }
}

impl Codex {
    fn begin(&mut self, meta: &Meta<'_>, line: &Line<'_>, time: Option<i64>) {
        if self.id.is_some() {
            return;
        }
        self.id = Some(cut_name(&text(meta.id)).to_owned());
        let is_begun_by_agent = meta.source.subagent.is_some() || meta.source.internal.is_some();
        let is_thread_of_agent = matches!(bytes(meta.thread_source), b"subagent" | b"memory_consolidation");
        self.is_subagent = is_begun_by_agent || is_thread_of_agent;
        let is_numbered = line.ordinal.is_some();
        if meta.forked_from.is_some() || (self.is_subagent && is_numbered) {
            self.copy = Some(Copying {
                since: time,
                needs_time: !is_numbered,
            });
        }
    }

    fn is_copying(&self) -> bool {
        self.copy.is_some()
    }

    /// A turn begins. The first one that is younger than the session ends the copy of another one's history.
    fn turn(&mut self, id: Option<Text<'_>>, time: Option<i64>) {
        self.human = None;
        let (Some(copy), Some(session)) = (&self.copy, self.id.as_deref()) else {
            return;
        };
        let turn = text(id);
        let is_late = || {
            let end = copy.since.map(|since| since.saturating_add(LONGEST_COPYING_MS));
            time > end
        };
        let is_own = if has_age(&turn) && has_age(session) {
            *turn >= *session
        } else {
            !copy.needs_time || is_late()
        };
        if is_own {
            self.copy = None;
        }
    }

    fn entry<'a>(&mut self, entry: &Entry<'a>, at: &At<'a>, arena: &'a Bump, to: &mut Sink<'_>) {
        match bytes(entry.ty) {
            b"message" if bytes(entry.role) == b"user" => self.load_skills(entry, at, to),
            b"message" if bytes(entry.role) == b"assistant" => {
                self.said("AiMessage", entry.id, joined(entry.content), at, to);
            }
            b"reasoning" => {
                self.said("ThinkingMessage", entry.id, joined(entry.summary), at, to);
            }
            b"function_call" | b"custom_tool_call" => {
                self.call(name_of_call(entry.namespace, entry.name), text(entry.call_id), at, to);
            }
            b"local_shell_call" => self.call("local_shell".into(), text(entry.call_id), at, to),
            b"tool_search_call" => self.call("tool_search".into(), text(entry.call_id), at, to),
            b"web_search_call" => self.call_without_result("web_search", entry, at, to),
            b"image_generation_call" => self.call_without_result("image_generation", entry, at, to),
            b"function_call_output" | b"custom_tool_call_output" | b"tool_search_output" => {
                let outcome = entry.output.map(|output| outcome_of(output, arena)).unwrap_or_default();
                let facts = Facts {
                    is_result: true,
                    error: Some(outcome.is_error),
                    ended_at: at.time,
                    reported: outcome.duration_ms.map(reported_by_text),
                    ..Facts::default()
                };
                to.take(Item::Outcome(text(entry.call_id), facts));
            }
            _ => {}
        }
    }

    fn report<'a>(&mut self, report: &Report<'a>, at: &At<'a>, to: &mut Sink<'_>) {
        match bytes(report.ty) {
            b"task_started" | b"turn_started" => {
                self.turn(report.turn_id, at.time);
                self.skills.clear();
            }
            _ if self.is_copying() => {}
            b"user_message" => {
                let said = text(report.message);
                self.human(at.key(None, &said), said, at, to);
            }
            b"patch_apply_end" => {
                let outcome = Ended {
                    name: "apply_patch".into(),
                    id: text(report.call_id),
                    error: error_by_status(report.status, report.success),
                    duration_ms: None,
                    span: None,
                };
                self.ended(outcome, at, to);
            }
            b"mcp_tool_call_end" => {
                let Invocation { server, tool, .. } = report.invocation;
                let outcome = Ended {
                    name: name_of_mcp(server, tool),
                    id: text(report.call_id),
                    error: Some(report.result.err.is_some() || report.result.ok.is_error),
                    duration_ms: report.duration.ms(),
                    span: None,
                };
                self.ended(outcome, at, to);
            }
            b"item_completed" => self.completed(report, at, to),
            _ => {}
        }
    }

    fn completed<'a>(&mut self, report: &Report<'a>, at: &At<'a>, to: &mut Sink<'_>) {
        let item = &report.item;
        let name = match bytes(item.ty) {
            b"UserMessage" => {
                let texts = item.content.iter().filter_map(|part| part.text).map(Text::to_str);
                let said = Cow::Owned(texts.collect::<String>());
                return self.human(at.key(item.id, &said), said, at, to);
            }
            b"CommandExecution" if bytes(item.source) == b"unified_exec_interaction" => "write_stdin".into(),
            b"CommandExecution" => "exec_command".into(),
            b"FileChange" => "apply_patch".into(),
            b"McpToolCall" => name_of_mcp(item.server, item.tool),
            b"CollabAgentToolCall" => text(item.tool),
            b"DynamicToolCall" => name_of_call(item.namespace, item.tool),
            b"ImageView" => "view_image".into(),
            b"WebSearch" => "web_search".into(),
            _ => return,
        };
        let has_failed = item.error.is_some() || item.result.is_error || item.exit_code.is_some_and(|code| code != 0.0);
        let by_status = error_by_status(item.status, item.success);
        // The duration of a command that keeps running in a terminal is only that of its start.
        let is_start = bytes(item.source).starts_with(b"unified_exec");
        let moment = |ms: Option<f64>| ms.and_then(whole).and_then(|ms| i64::try_from(ms).ok());
        let outcome = Ended {
            name,
            id: text(item.id),
            error: by_status.map(|is_error| is_error || has_failed),
            duration_ms: item.duration.ms().filter(|_| !is_start),
            span: moment(report.started_at).zip(moment(report.completed_at)),
        };
        self.ended(outcome, at, to);
    }

    /// A call has ended, as a report says. It is also all that is known of a nested one.
    fn ended(&mut self, ended: Ended<'_>, at: &At<'_>, to: &mut Sink<'_>) {
        let judged = Facts {
            is_judged: true,
            error: ended.error,
            reported: ended.duration_ms.map(reported),
            ..Facts::default()
        };
        if !ended.id.starts_with(NESTED) {
            return to.take(Item::Outcome(ended.id, judged));
        }
        self.human = None;
        let began = match (at.time, ended.duration_ms) {
            (Some(time), Some(duration)) => Some(time.saturating_sub_unsigned(duration)),
            (time, _) => time,
        };
        // Without a span or a duration only the end is known.
        let ended_at = ended.duration_ms.and(at.time);
        let (began, ended_at) = match ended.span {
            Some((began, ended_at)) => (Some(began), Some(ended_at)),
            None => (began, ended_at),
        };
        to.take(Item::Call(Call {
            kind: KINDS.of(&ended.name),
            name: ended.name,
            id: ended.id,
            time: began,
            model: self.model.as_deref().map(Cow::Borrowed),
            facts: Facts {
                is_result: true,
                ended_at,
                ..judged
            },
            ..Call::default()
        }));
    }

    /// A human has said something, or the agent that has begun this session.
    fn human<'a>(&mut self, key: Cow<'a, str>, said: Cow<'a, str>, at: &At<'a>, to: &mut Sink<'_>) {
        let hash = input_hash(said.trim());
        // Some versions report the same text twice.
        if self.is_subagent || !is_human(&said) || self.human.as_ref() == Some(&hash) {
            return;
        }
        self.human = Some(hash);
        let words = words(&said);
        to.take(Item::Said(Said {
            kind: "HumanMessage",
            key,
            words: (words.len() < said.len()).then(|| Cow::Owned(words.to_owned())),
            text: said,
            time: at.time,
            ..Said::default()
        }));
    }

    /// The harness has loaded skills that the human has named.
    fn load_skills(&mut self, entry: &Entry<'_>, at: &At<'_>, to: &mut Sink<'_>) {
        for part in entry.content.iter().filter_map(|part| part.text) {
            let loaded = part.to_str();
            if !loaded.starts_with(SKILL) {
                continue;
            }
            let (name, path) = (element(&loaded, "name"), element(&loaded, "path"));
            let (name, path) = (name.unwrap_or_default(), path.unwrap_or_default());
            let hash = input_hash(&format!("{name}\n{path}"));
            if name.is_empty() || self.is_subagent || self.skills.contains(&hash) || self.skills.len() == SKILLS_KEPT {
                continue;
            }
            self.skills.push(hash);
            let is_skill = path.ends_with("/SKILL.md") || path.ends_with("\\SKILL.md");
            let skill = to.session().skill_file_at(path).filter(|_| is_skill);
            to.take(Item::Call(Call {
                kind: "SkillInvocation",
                name: "skill".into(),
                key: Some(Cow::Owned(format!("{}:{name}", at.text))),
                time: at.time,
                facts: Facts {
                    skill,
                    ..Facts::default()
                },
                ..Call::default()
            }));
        }
    }

    fn said<'a>(
        &mut self,
        kind: &'static str,
        id: Option<Text<'a>>,
        said: Cow<'a, str>,
        at: &At<'a>,
        to: &mut Sink<'_>,
    ) {
        self.human = None;
        to.take(Item::Said(Said {
            kind,
            key: at.key(id, &said),
            text: said,
            time: at.time,
            model: self.model.as_deref().map(Cow::Borrowed),
            ..Said::default()
        }));
    }

    fn call(&mut self, name: Cow<'_, str>, id: Cow<'_, str>, at: &At<'_>, to: &mut Sink<'_>) {
        self.human = None;
        to.take(Item::Call(Call {
            kind: KINDS.of(&name),
            key: id.is_empty().then(|| at.text.clone()),
            name,
            id,
            time: at.time,
            model: self.model.as_deref().map(Cow::Borrowed),
            ..Call::default()
        }));
    }

    /// The service itself makes these calls, and nothing else refers to them.
    fn call_without_result(&mut self, name: &'static str, entry: &Entry<'_>, at: &At<'_>, to: &mut Sink<'_>) {
        self.human = None;
        let action = entry.action.map(String::from_utf8_lossy).unwrap_or_default();
        to.take(Item::Call(Call {
            kind: "ToolCall",
            name: name.into(),
            key: Some(at.key(entry.id, &action)),
            time: at.time,
            model: self.model.as_deref().map(Cow::Borrowed),
            facts: Facts {
                error: (bytes(entry.status) == b"completed").then_some(false),
                ..Facts::default()
            },
            ..Call::default()
        }));
    }
}

/// How a call has ended, as a report says.
struct Ended<'a> {
    name: Cow<'a, str>,
    id: Cow<'a, str>,
    /// `None` for a call that a human has refused.
    error: Option<bool>,
    duration_ms: Option<u64>,
    /// When it began and ended, in unix milliseconds.
    span: Option<(i64, i64)>,
}

impl Duration<'_> {
    fn ms(&self) -> Option<u64> {
        whole(self.secs? * 1e3 + self.nanos.unwrap_or(0.0) / 1e6)
    }
}

fn reported(ms: u64) -> Reported {
    Reported {
        source: DurationSource::Result,
        ms,
    }
}

/// A result's text is less exact than the agent's own report.
fn reported_by_text(ms: u64) -> Reported {
    let source = DurationSource::ResultSeconds;
    Reported { source, ms }
}

/// Whether a call has failed. A declined one never ran, so it hasn't.
fn error_by_status(status: Option<Text<'_>>, success: Option<bool>) -> Option<bool> {
    match bytes(status) {
        b"declined" => None,
        b"failed" => Some(true),
        _ => Some(success == Some(false)),
    }
}

fn name_of_mcp<'a>(server: Option<Text<'a>>, tool: Option<Text<'a>>) -> Cow<'a, str> {
    Cow::Owned(format!("mcp__{}__{}", text(server), text(tool)))
}

/// The name of a tool. Those of MCP servers are in a namespace, where some begin with an underscore.
fn name_of_call<'a>(namespace: Option<Text<'a>>, name: Option<Text<'a>>) -> Cow<'a, str> {
    let name = name.map_or("unknown".into(), Text::to_str);
    let namespace = text(namespace);
    if namespace.starts_with("mcp__") {
        Cow::Owned(format!("{namespace}__{}", name.strip_prefix('_').unwrap_or(&name)))
    } else {
        name
    }
}

/// Whether an id tells its age: UUIDs of version 7 begin with the time.
fn has_age(id: &str) -> bool {
    id.len() == 36 && id.as_bytes()[14] == b'7'
}

fn is_human(said: &str) -> bool {
    let start = said.trim_start();
    !start.is_empty() && !NOT_HUMAN_STARTS.iter().any(|mark| start.starts_with(mark))
}

/// The human's own words.
fn words(said: &str) -> &str {
    let has_context = said.trim_start().starts_with("# ");
    let said = match said.rfind(REQUEST).filter(|_| has_context) {
        Some(at) => said[at + REQUEST.len()..].trim(),
        None => said,
    };
    match said.split_once(PIPED) {
        Some((prompt, piped)) if !prompt.trim().is_empty() && piped.trim_end().ends_with("</stdin>") => prompt,
        _ => said,
    }
}

/// The text of the first element `<name>`.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text.trim())
}

fn joined<'a>(parts: &[Part<'a>]) -> Cow<'a, str> {
    let mut texts = parts.iter().filter_map(|part| part.text).map(Text::to_str);
    let first = texts.next().unwrap_or_default();
    texts.fold(first, |joined, text| joined + "\n" + text)
}

fn text<'a>(text: Option<Text<'a>>) -> Cow<'a, str> {
    text.map(Text::to_str).unwrap_or_default()
}

fn bytes<'a>(text: Option<Text<'a>>) -> &'a [u8] {
    text.map(Text::bytes).unwrap_or_default()
}
