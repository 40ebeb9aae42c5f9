//! Kimi Code: `~/.kimi-code/sessions/<folder of the project>/<session id>/agents/main/wire.jsonl`. A subagent writes into
//! `agents/<its id>/wire.jsonl`.

use super::{Agent, Companions, Dialect, Origin, claude, other};
use crate::capture::hook::{EVENTS, Hook, HookSetting, Hooks, MEMBERS, Member, Transcript};
use crate::capture::item::{Call, Item, Kinds, Mcp, Said, join};
use crate::capture::json::{FromJson, Json, Time, members, whole};
use crate::capture::ledger::{DurationSource, Facts, Reported, Sink};
use crate::identity::cut_name;
use crate::wire::slots::Text;
use bumpalo::Bump;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;

pub(super) const AGENT: Agent = Agent {
    name: "kimi",
    dialect: Kimi::boxed,
    identify,
    hooks: &HOOKS,
    companions: Some(&SUBAGENTS),
    writes_documents: false,
    context: &[("type", "llm.request"), ("type", "config.update")],
    fork_header: None,
};

const HOOKS: Hooks = Hooks {
    members: &[
        &[("tool_call_id", Member::CallId), ("prompt", Member::PromptBlocks)],
        MEMBERS,
    ],
    events: &[EVENTS],
    unnamed: &[],
    transcript: Transcript::Found(file_of),
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
    writes: &["Write", "Edit", "MultiEdit", "WriteFile", "StrReplaceFile"],
    skills: &["Skill"],
};

const SUBAGENTS: Companions = Companions {
    folder: |main, _| main.with_file_name(".."),
    groups: None,
    id: |name| Some(name).filter(|name| name.starts_with("agent-")),
    file_name: |id| format!("{id}/wire.jsonl"),
    // The session's own file says it.
    started_by: |_| None,
};

members! {
    struct Line<'a> {
        ty: Option<Text<'a>> = "type",
        /// On the first line.
        protocol: Option<&'a [u8]> = "protocol_version",
        time: Time = "time",
        /// On a prompt.
        input: &'a [Block<'a>] = "input",
        origin: Author<'a> = "origin",
        prompt_id: Option<Text<'a>> = "promptId",
        message_id: Option<Text<'a>> = "messageId",
        /// On a request to a model, or a change of its settings.
        model: Option<Text<'a>> = "model",
        model_alias: Option<Text<'a>> = "modelAlias",
        /// On a step of the agent.
        event: Event<'a> = "event",
        /// On the start of a subagent.
        subagent_id: Option<Text<'a>> = "subagentId",
        parent_call_id: Option<Text<'a>> = "parentToolCallId",
        /// On the start and the end of something that runs in the background.
        task: Task<'a> = "info",
    }

    struct Task<'a> {
        call_id: Option<Text<'a>> = "parentToolCallId",
        is_detached: bool = "detached",
        started_at: Option<f64> = "startedAt",
        ended_at: Option<f64> = "endedAt",
    }

    struct Block<'a> {
        ty: Option<Text<'a>> = "type",
        text: Option<Text<'a>> = "text",
        think: Option<Text<'a>> = "think",
    }

    /// Who wrote a prompt.
    struct Author<'a> {
        kind: Option<Text<'a>> = "kind",
        activation_id: Option<Text<'a>> = "activationId",
        trigger: Option<Text<'a>> = "trigger",
        skill_name: Option<Text<'a>> = "skillName",
        skill_args: Option<Text<'a>> = "skillArgs",
        skill_path: Option<Text<'a>> = "skillPath",
    }

    struct Event<'a> {
        ty: Option<Text<'a>> = "type",
        uuid: Option<Text<'a>> = "uuid",
        part: Block<'a> = "part",
        call_id: Option<Text<'a>> = "toolCallId",
        name: Option<Text<'a>> = "name",
        args: Args<'a> = "args",
        result: CallResult<'a> = "result",
    }

    struct Args<'a> {
        skill: Option<Text<'a>> = "skill",
    }

    struct CallResult<'a> {
        is_error: bool = "isError",
        duration_ms: Option<f64> = "durationMs",
    }
}

/// The file of a hook's session, whose folder stands in that of its project.
fn file_of(hook: &Hook, setting: &HookSetting) -> Option<PathBuf> {
    // The id comes from a payload, and becomes part of a path.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let id = hook.session_id().filter(|id| id.bytes().all(is_plain))?;
    let folders = setting.folders(".kimi-code");
    let projects = folders
        .flat_map(|folder| fs::read_dir(folder.join("sessions")))
        .flatten();
    let folders = projects.flatten().map(|project| project.path().join(id));
    let mut files = folders.map(|folder| folder.join("agents").join("main").join("wire.jsonl"));
    files.find(|file| file.is_file())
}

/// Tools that start a subagent.
const STARTERS: [&str; 3] = ["Agent", "AgentSwarm", "Task"];

/// How many calls of skills are kept until their skill is loaded. That follows at once.
const LOADING_KEPT: usize = 16;

/// A session as far as it has been read.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Kimi {
    /// The model of the last request.
    model: Option<String>,
    /// Names and calls of skills that aren't loaded yet.
    loading: Vec<(String, String)>,
}

impl Dialect for Kimi {
    fn record(&mut self, json: Json<'_>, arena: &Bump, to: &mut Sink<'_>) -> bool {
        let Ok(line) = Line::of(json, arena) else {
            return false;
        };
        if let Some(model) = line.requested_model() {
            self.model = Some(cut_name(&model).to_owned());
        }
        if let (Some(agent_id), Some(call_id)) = (line.subagent_id, line.parent_call_id) {
            to.started(&agent_id.to_str(), &call_id.to_str());
        }
        items(&line, &mut |item| self.item(item, &line.origin, to));
        self.load(&line, to);
        true
    }

    fn is_sound(&self) -> bool {
        self.loading.len() <= LOADING_KEPT
    }
}

impl Kimi {
    fn item<'a>(&'a self, mut item: Item<'a>, origin: &Author<'_>, to: &mut Sink<'_>) {
        let model = self.model.as_deref().map(Cow::Borrowed);
        match &mut item {
            Item::Said(said) if said.kind != "HumanMessage" => said.model = model,
            // Typed by a human.
            Item::Call(call) if call.id.is_empty() => call.facts = origin.skill(to),
            Item::Call(call) => call.model = model,
            _ => {}
        }
        let started = match &item {
            Item::Call(call) if STARTERS.contains(&&*call.name) => Some(call.id.to_string()),
            _ => None,
        };
        to.take(item);
        started.iter().for_each(|id| to.starter(id));
    }

    /// A skill that a call has asked for is loaded later, by its name.
    fn load(&mut self, line: &Line<'_>, to: &mut Sink<'_>) {
        let event = &line.event;
        if let (Some(b"tool.call"), Some(skill), Some(call_id)) =
            (event.ty.map(Text::bytes), event.args.skill, event.call_id)
        {
            self.loading.truncate(LOADING_KEPT - 1);
            self.loading
                .insert(0, (cut_name(&skill.to_str()).to_owned(), call_id.to_str().into_owned()));
        }
        let origin = &line.origin;
        if let Some(name) = origin.skill_name.filter(|_| origin.activates(b"model-tool"))
            && let Some(place) = self
                .loading
                .iter()
                .rposition(|(loading, _)| *loading == cut_name(&name.to_str()))
        {
            let (_, call_id) = self.loading.remove(place);
            let facts = origin.skill(to);
            to.learn(&call_id, facts);
        }
    }
}

/// No line names the session, only the file's folder does.
fn identify(line: &[u8]) -> Option<Origin> {
    let arena = Bump::new();
    let line = Line::of(line, &arena).ok()?;
    let is_first = line.ty?.bytes() == b"metadata" && line.protocol.is_some();
    is_first.then(Origin::default)
}

/// What a line says.
fn items<'a>(line: &Line<'a>, each: &mut dyn FnMut(Item<'a>)) {
    match line.ty.map(Text::bytes) {
        Some(b"turn.prompt" | b"turn.steer") => line.prompt(each),
        Some(b"context.append_loop_event") => line.event.item(line.time.0).into_iter().for_each(each),
        Some(b"task.started" | b"task.terminated") => line.task.item().into_iter().for_each(each),
        // The rest repeats these, or is about the program.
        _ => {}
    }
}

impl<'a> Line<'a> {
    fn requested_model(&self) -> Option<Cow<'a, str>> {
        let is_request = self.ty?.bytes() == b"llm.request";
        let model = self.model.or(self.model_alias).filter(|_| is_request);
        model.map(Text::to_str)
    }

    /// A human's prompt. One that activates a skill holds the skill's text.
    fn prompt(&self, each: &mut dyn FnMut(Item<'a>)) {
        let Some(id) = self.prompt_id.or(self.message_id).map(Text::to_str) else {
            return;
        };
        let origin = &self.origin;
        let is_activation = origin.activates(b"user-slash");
        if !is_activation && origin.kind.map(Text::bytes) != Some(b"user") {
            return;
        }
        let texts = self.input.iter().filter_map(|block| block.text).map(Text::to_str);
        each(Item::Said(Said {
            kind: "HumanMessage",
            key: id.clone(),
            text: join(texts),
            words: is_activation.then(|| origin.command().into()),
            time: self.time.0,
            source: Some(id.clone()),
            ..Said::default()
        }));
        if is_activation {
            let key = origin.activation_id.map_or(id.clone(), Text::to_str);
            each(Item::Call(Call {
                kind: "SkillInvocation",
                name: "Skill".into(),
                key: Some(key),
                time: self.time.0,
                source: Some(id),
                ..Call::default()
            }));
        }
    }
}

impl<'a> Task<'a> {
    /// A command that takes longer than its call may goes on in the background, and the call has its result before.
    fn item(&self) -> Option<Item<'a>> {
        let call_id = self.call_id.filter(|_| self.is_detached)?.to_str();
        let moments = self.started_at.and_then(whole).zip(self.ended_at.and_then(whole));
        let ms = moments.and_then(|(start, end)| end.checked_sub(start));
        let source = DurationSource::Notification;
        let facts = Facts {
            is_launched: true,
            reported: ms.map(|ms| Reported { source, ms }),
            ..Facts::default()
        };
        Some(Item::Outcome(call_id, facts))
    }
}

impl Author<'_> {
    fn activates(&self, trigger: &[u8]) -> bool {
        self.kind.is_some_and(|kind| kind.bytes() == b"skill_activation")
            && self.trigger.is_some_and(|by| by.bytes() == trigger)
    }

    /// What the human typed to activate the skill.
    fn command(&self) -> String {
        let [name, args] = [self.skill_name, self.skill_args].map(|text| text.map(Text::to_str).unwrap_or_default());
        format!("/{name} {args}").trim_end().to_owned()
    }

    fn skill(&self, to: &Sink<'_>) -> Facts {
        let path = self.skill_path.map(Text::to_str);
        Facts {
            skill: path.and_then(|path| to.session().skill_file_at(&path)),
            ..Facts::default()
        }
    }
}

impl<'a> Event<'a> {
    fn item(&self, time: Option<i64>) -> Option<Item<'a>> {
        match self.ty?.bytes() {
            b"content.part" => {
                let key = self.uuid?.to_str();
                let (kind, text) = match self.part.ty?.bytes() {
                    b"think" => ("ThinkingMessage", self.part.think.or(self.part.text)),
                    b"text" => ("AiMessage", self.part.text),
                    _ => return None,
                };
                Some(Item::Said(Said {
                    kind,
                    source: Some(key.clone()),
                    key,
                    text: text?.to_str(),
                    time,
                    ..Said::default()
                }))
            }
            b"tool.call" => {
                let name = self.name?.to_str();
                Some(Item::Call(Call {
                    kind: KINDS.of(&name),
                    name,
                    id: self.call_id?.to_str(),
                    time,
                    source: self.uuid.map(Text::to_str),
                    ..Call::default()
                }))
            }
            b"tool.result" => {
                let source = DurationSource::Result;
                let facts = Facts {
                    is_result: true,
                    error: Some(self.result.is_error),
                    ended_at: time,
                    reported: self
                        .result
                        .duration_ms
                        .and_then(whole)
                        .map(|ms| Reported { source, ms }),
                    ..Facts::default()
                };
                Some(Item::Outcome(self.call_id?.to_str(), facts))
            }
            _ => None,
        }
    }
}
