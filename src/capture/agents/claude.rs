//! Claude Code: which items of a transcript have a number, which of them are emitted, and how its hooks work.

mod line;
mod prompt;

use super::{Agent, Companions, Dialect, Origin};
use crate::capture::event::PromptEvent;
use crate::capture::hook::{EVENTS, Hooks, MEMBERS, Transcript};
use crate::capture::json::{FromJson, Json, members, whole};
use crate::capture::ledger::{DurationSource, Facts, Reported, Sink};
use crate::capture::session::{Identity, set};
use crate::capture::skill::{SkillFile, in_folder, is_skill_name, skill_name};
use crate::capture::source::open::{Links, open_regular};
use crate::identity::{cut_name, input_hash, kind_for_tool};
use crate::wire::slots::Text;
use crate::wire::table::MAX_SAFE_INTEGER;
use bumpalo::Bump;
use line::{Block, Content, Line, LineKind, Progress, ToolUseResult, text_of_json};
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;

pub(super) const AGENT: Agent = Agent {
    name: "claude",
    dialect: Claude::boxed,
    identify,
    hooks: &HOOKS,
    companions: Some(&SUBAGENTS),
    writes_documents: false,
    context: &[],
    fork_header: None,
};

const HOOKS: Hooks = Hooks {
    members: &[MEMBERS],
    events: &[EVENTS],
    unnamed: &[],
    transcript: Transcript::AwaitedAt,
    subagent: |_, _| None,
    session_is_named_by_file: true,
    names_tool_in_input: false,
    // It has a hook of its own for failures.
    after_means_success: true,
    finds_skills: true,
    numbers_calls: true,
    kind: kind_for_tool,
    typed,
    is_error: |_| None,
    call_content: |_, call| format!("{}:{}", call.name(), call.id().unwrap_or_default()),
    stop_content: |_| "hook:Stop".to_owned(),
};

/// `<session>/subagents/agent-<id>.jsonl` beside `<session>.jsonl`, and `workflows/<run>/agent-<id>.jsonl` below that.
const SUBAGENTS: Companions = Companions {
    folder: |main, _| main.with_extension("").join("subagents"),
    groups: Some("workflows"),
    id: |file_name| file_name.strip_prefix("agent-")?.strip_suffix(".jsonl"),
    file_name: |id| format!("agent-{id}.jsonl"),
    started_by,
};

/// The model of lines that the harness wrote itself.
const NO_MODEL: &str = "<synthetic>";

/// Longer paths are ignored. No system has them, and the state must stay small.
const LONGEST_CWD_BYTES: usize = 4096;

/// The most prompts in the queue. People queue a few.
const QUEUED_KEPT: usize = 64;

/// Longer prompts aren't queued, because the state holds the queue.
const LONGEST_QUEUED_BYTES: usize = 64 << 10;

/// How much of an answer is kept, because the state holds it. It is more than an event shows.
const LONGEST_TOLD_BYTES: usize = 4 << 10;

/// A transcript as far as it has been read.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Claude {
    /// Where the agent worked last.
    cwd: Option<String>,
    /// Where it worked first, which is where its project begins.
    first_cwd: Option<String>,
    /// Prompts that were typed while the agent worked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    queue: Vec<Queued>,
    /// Prompts that were inserted between two steps: time and hash. Only records that came one by one need them.
    #[serde(skip)]
    inserted: Vec<(Option<i64>, String)>,
    /// The typed command whose skill's folder may be named next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<Command>,
    /// Whether the last user line announced a command that runs without the model.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_command_announced: bool,
    /// The hash of the assistant's last text, unless something has followed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    /// An answer that a hook has reported and the transcript doesn't show yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<Told>,
}

/// A prompt that was typed while the agent worked. It becomes a user line, is inserted between two steps, or is taken
/// back.
#[derive(Debug, Serialize, Deserialize)]
struct Queued {
    /// The content of its id.
    key: String,
    text: String,
    time: Option<i64>,
    source: Option<String>,
    /// Whether it has left the queue: then it is a user line before the assistant goes on, or never.
    has_left: bool,
    /// Whether nothing will come of it: a message of the harness, or one whose text the queue doesn't tell. It only
    /// holds its place. `text` is a hash then, or empty.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_other: bool,
}

/// A command that a human typed.
#[derive(Debug, Serialize, Deserialize)]
struct Command {
    name: String,
    index: u64,
    time: Option<i64>,
    parent: Option<String>,
    source: Option<String>,
}

impl Queued {
    fn is(&self, text: &str) -> bool {
        if self.is_other {
            self.text == input_hash(text.trim())
        } else {
            self.text.trim() == text.trim()
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Told {
    hash: String,
    /// Its start.
    #[serde(default)]
    text: String,
    #[serde(default)]
    received_at: i64,
    /// Its event, once that has been emitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
}

impl Dialect for Claude {
    fn record(&mut self, json: Json<'_>, arena: &Bump, to: &mut Sink<'_>) -> bool {
        let Ok(line) = Line::parse(json, arena) else {
            return false;
        };
        match line.kind {
            LineKind::User => {
                self.meet(&line, to);
                results(&line, to, arena);
                self.user(&line, json, to);
            }
            LineKind::Assistant => {
                self.meet(&line, to);
                // A fork begins with its prompt in the queue, and then copies lines that are older.
                self.give_queued(to, |queued| queued.has_left && queued.time <= line.time);
                self.assistant(&line, json, to);
            }
            LineKind::Attachment => self.attachment(&line, to),
            LineKind::Queue => self.queue_operation(&line, to),
            LineKind::Progress => progress(&line, to),
            LineKind::System => self.local_output(&line, to),
            LineKind::Other => {}
        }
        true
    }

    fn finish(&mut self, to: &mut Sink<'_>) {
        self.give_queued(to, |_| true);
        self.give_told(to);
    }

    /// A prompt that was inserted between two steps counts. What becomes of one in the queue, another record says.
    fn finish_record(&mut self, to: &mut Sink<'_>) {
        self.give_queued(to, |queued| queued.has_left);
    }

    /// In an interactive session the line comes after the hook, and thoughts without a line yet can stand before it.
    /// So its number is known only once the line is read. If that never happens, the session's end emits the answer.
    fn answer(&mut self, text: &str, _: Option<&str>, received_at: i64, _: &mut Sink<'_>) {
        let text = text.trim();
        let hash = input_hash(text);
        if text.is_empty() || self.answer.as_ref() == Some(&hash) || self.told.is_some() {
            return;
        }
        self.told = Some(Told {
            hash,
            text: text[..text.floor_char_boundary(LONGEST_TOLD_BYTES)].to_owned(),
            received_at,
            event_id: None,
        });
    }

    fn is_sound(&self) -> bool {
        let times = self.queue.iter().map(|queued| queued.time);
        let command = self.command.as_ref();
        times
            .chain([command.and_then(|command| command.time)])
            .chain([self.told.as_ref().map(|told| told.received_at)])
            .flatten()
            .all(|time| time.unsigned_abs() <= MAX_SAFE_INTEGER)
            && command.is_none_or(|command| command.index <= MAX_SAFE_INTEGER)
            && self.queue.len() <= QUEUED_KEPT
    }
}

impl Claude {
    fn meet(&mut self, line: &Line<'_>, to: &mut Sink<'_>) {
        to.at(line.time);
        to.branch(line.branch);
        // It leads to skills' files, which only the machine has that the session ran on.
        if let Some(cwd) = line.cwd
            && !to.session().is_remote
            && cwd.bytes().len() <= LONGEST_CWD_BYTES
            && self.cwd.as_deref().map(str::as_bytes) != Some(cwd.bytes())
        {
            self.cwd = Some(cwd.to_str().into_owned());
            self.first_cwd.get_or_insert_with(|| cwd.to_str().into_owned());
        }
    }

    fn user(&mut self, line: &Line<'_>, json: Json<'_>, to: &mut Sink<'_>) {
        let text = text_of(&line.message.content);
        if text.trim().is_empty() || !is_read_in_the_field(json) {
            return;
        }
        if line.not_human.is_meta
            && let Some(folder) = prompt::skill_folder(&text)
            && let Some(file) = to.session().skill_file_at(&in_folder(folder, "SKILL.md"))
        {
            self.skill_was_loaded(line, file, to);
        }
        notified(&text, to);
        if is_of_subagent(line) {
            return;
        }
        let index = to.number();
        let announces_command = line.not_human.is_meta && prompt::announces_command(&text);
        let was_announced = std::mem::replace(&mut self.is_command_announced, announces_command);
        let said = prompt::without_additions(&text);
        if line.not_human.any() || !prompt::is_human(&said) {
            // The harness queues messages of its own, such as notifications and scheduled prompts.
            if let Some(place) = self.queue.iter().position(|queued| queued.is(&text)) {
                self.queue.remove(place);
            }
            return;
        }
        self.answer = None;
        self.told = None;
        let typed = prompt::typed(&said);
        // A shell command waits in the queue without its mark.
        let bare = typed.text.strip_prefix('!').unwrap_or(&text);
        if !self.leave_queue(&[&text, &typed.text, bare]) {
            // The queue comes before anything that is typed anew, so nothing of it becomes a user line any more.
            self.give_queued(to, |queued| line.time.is_none() || queued.time <= line.time);
        }
        let mut event = event_of(line, &Identity::numbered("HumanMessage", &text, index), to);
        event.values.input_text = to.session().input_text(&typed.text);
        to.emit(event);
        self.command = None;
        // A skill that runs in a subagent stands here as it was typed. The harness's announcement distinguishes it from a
        // text, or else its file.
        let is_skill = |name: &&str| was_announced && is_skill_name(name) || self.skill_file(name, to).is_some();
        let command = typed.command.or_else(|| prompt::plain_command(&said).filter(is_skill));
        if let Some(name) = command {
            self.typed_command(line, name, index, to);
        }
    }

    fn typed_command(&mut self, line: &Line<'_>, name: &str, index: u64, to: &mut Sink<'_>) {
        let file = self.skill_file(name, to);
        let command = Command {
            name: name.to_owned(),
            index,
            time: line.time,
            parent: to.last_event().map(str::to_owned),
            source: line.uuid.map(|uuid| uuid.to_str().into_owned()),
        };
        if file.is_some() || !prompt::is_built_in(name) {
            let mut event = command.invocation(to);
            file.into_iter().for_each(|file| file.describe(&mut event.values));
            to.emit(event);
        }
        self.command = Some(command);
    }

    /// The harness has loaded a skill from this file.
    fn skill_was_loaded(&mut self, line: &Line<'_>, file: SkillFile, to: &mut Sink<'_>) {
        if let Some(id) = line.source_tool_use_id {
            let facts = Facts {
                skill: Some(file),
                ..Facts::default()
            };
            to.learn(&id.to_str(), facts);
        } else if let Some(command) = self.command.take() {
            let mut event = command.invocation(to);
            file.clone().describe(&mut event.values);
            let facts = Facts {
                skill: Some(file),
                ..Facts::default()
            };
            to.emit_again(event, &facts);
        }
    }

    fn assistant(&mut self, line: &Line<'_>, json: Json<'_>, to: &mut Sink<'_>) {
        let Content::Blocks(blocks) = line.message.content else {
            return;
        };
        if !is_read_in_the_field(json) {
            return;
        }
        let model = line.message.model.map(|model| model.to_str());
        let model = model.as_deref().filter(|model| *model != NO_MODEL).map(cut_name);
        for (place, block) in blocks.iter().enumerate() {
            if block.is("thinking") {
                self.said(line, place, "ThinkingMessage", block.thinking, model, to);
            } else if block.is("text") {
                self.said(line, place, "AiMessage", block.text, model, to);
            } else if block.is("tool_use") {
                self.tool_use(line, place, block, model, to);
            }
        }
    }

    fn said(
        &mut self,
        line: &Line<'_>,
        place: usize,
        kind: &str,
        text: Option<Text<'_>>,
        model: Option<&str>,
        to: &mut Sink<'_>,
    ) {
        let text = text.map(Text::to_str).unwrap_or_default();
        if text.trim().is_empty() {
            return;
        }
        let key = key_in_subagent(line, place, &text);
        let identity = match &key {
            Some(key) => Identity::own(kind, key, &text),
            None => Identity::numbered(kind, &text, to.number()),
        };
        let mut event = event_of(line, &identity, to);
        let values = &mut event.values;
        values.model = model.map(|model| Some(model.to_owned()));
        if kind == "ThinkingMessage" {
            values.reported_duration_ms = line.thinking_ms.map(Some);
            to.emit(event);
            return;
        }
        values.input_text = to.session().input_text(&text);
        values.error = line.is_api_error.then_some(Some(true));
        if to.is_deriving() {
            to.emit(event);
            return;
        }
        let hash = match &event.values.input_hash {
            Some(Some(hash)) if text.trim().len() == text.len() => hash.clone(),
            _ => input_hash(text.trim()),
        };
        let told = self.told.take_if(|told| told.hash == hash);
        self.answer = Some(hash);
        let emitted = told.and_then(|told| told.event_id);
        match emitted.filter(|emitted| event.values.event_id.as_ref().and_then(Option::as_ref) != Some(emitted)) {
            // The session's end has already emitted this answer.
            Some(event_id) => to.follow(&event_id),
            None => to.emit(event),
        }
    }

    fn tool_use(&mut self, line: &Line<'_>, place: usize, block: &Block<'_>, model: Option<&str>, to: &mut Sink<'_>) {
        self.answer = None;
        let (name, id) = (block.name.map(Text::to_str), block.id.map(Text::to_str));
        // Ids depend on these. The deployed client uses them if there is no name or id.
        let (name, id) = (name.as_deref().unwrap_or("unknown"), id.as_deref().unwrap_or(""));
        let kind = kind_for_tool(name);
        let content = match key_in_subagent(line, place, id).filter(|_| id.is_empty()) {
            Some(key) => format!("{name}:{key}"),
            None => format!("{name}:{id}"),
        };
        let identity = if is_of_subagent(line) {
            Identity::own(kind, &content, &content)
        } else {
            Identity::numbered(kind, &content, to.number())
        };
        let mut event = to.event_of_call(id, &identity, line.time);
        event.source = to.source(line.uuid);
        event.values.tool_call_name = set(cut_name(name));
        event.values.model = model.map(|model| Some(model.to_owned()));
        if kind == "SkillInvocation"
            && let Some(skill) = block.input.and_then(skill_name)
            && let Some(file) = self.skill_file(&skill, to)
        {
            file.describe(&mut event.values);
        }
        let is_new = to.call(id, event);
        if is_new && matches!(name, "Agent" | "Task" | "Skill" | "Workflow") {
            to.starter(id);
        }
    }

    /// Handles a prompt that was inserted between two steps of the agent.
    fn attachment(&mut self, line: &Line<'_>, to: &mut Sink<'_>) {
        let attachment = &line.attachment;
        let text = text_of(&attachment.prompt);
        notified(&text, to);
        if !attachment.is_queued_prompt() || is_of_subagent(line) || text.trim().is_empty() {
            return;
        }
        to.at(line.time);
        let uuid = attachment.source_uuid.or(line.uuid).map(Text::to_str);
        let was_queued = self.leave_queue(&[&text]);
        if !was_queued && to.is_deriving() {
            self.inserted.push((line.time, input_hash(&text)));
        }
        self.enqueue(line, uuid.as_deref(), &text, true);
    }

    fn queue_operation(&mut self, line: &Line<'_>, to: &mut Sink<'_>) {
        let operation = line.operation.map(Text::bytes);
        let text = line.content.map(Text::to_str);
        let text = text.as_deref();
        match operation {
            Some(b"enqueue") => {
                let text = text.unwrap_or_default();
                notified(text, to);
                if self.was_inserted(line.time, text) {
                    return;
                }
                if prompt::is_built_in_call(text) || !prompt::is_human(&prompt::without_additions(text)) {
                    self.enqueue_other(line, text);
                } else {
                    self.enqueue(line, None, text, false);
                }
            }
            // Taken back into the input field.
            Some(b"popAll") => self.queue.retain(|queued| queued.has_left),
            Some(b"dequeue" | b"remove") => {
                let is_it = |queued: &&mut Queued| !queued.has_left && text.is_none_or(|text| queued.is(text));
                if let Some(queued) = self.queue.iter_mut().find(is_it) {
                    queued.has_left = true;
                }
            }
            _ => {}
        }
    }

    /// Whether an attachment with this text has come already. It stands after the operations of the queue, but with an
    /// earlier time.
    fn was_inserted(&mut self, time: Option<i64>, text: &str) -> bool {
        const LONGEST_MS: i64 = 10_000;
        self.inserted.retain(|(inserted, _)| match (inserted, time) {
            (Some(inserted), Some(time)) => time.saturating_sub(*inserted) <= LONGEST_MS,
            _ => false,
        });
        if self.inserted.is_empty() {
            return false;
        }
        let hash = input_hash(text);
        let place = self.inserted.iter().position(|(_, inserted)| *inserted == hash);
        place.map(|place| self.inserted.remove(place)).is_some()
    }

    fn enqueue(&mut self, line: &Line<'_>, uuid: Option<&str>, text: &str, has_left: bool) {
        if text.len() > LONGEST_QUEUED_BYTES {
            return self.enqueue_other(line, text);
        }
        let at = line.timestamp.map(Text::to_str);
        let Some(key) = uuid.or(at.as_deref()) else {
            return;
        };
        let key = format!("queued:{key}:{text}");
        self.push(Queued {
            key,
            text: text.to_owned(),
            time: line.time,
            source: uuid.map(str::to_owned),
            has_left,
            is_other: false,
        });
    }

    fn enqueue_other(&mut self, line: &Line<'_>, text: &str) {
        self.push(Queued {
            key: String::new(),
            text: if text.is_empty() {
                String::new()
            } else {
                input_hash(text.trim())
            },
            time: line.time,
            source: None,
            has_left: false,
            is_other: true,
        });
    }

    fn push(&mut self, queued: Queued) {
        if self.queue.len() < QUEUED_KEPT {
            self.queue.push(queued);
        }
    }

    /// Another record holds a prompt of the queue, in one of these forms. Some versions join all that wait to one text.
    /// One whose text the queue doesn't know can be any. Returns false if none of the queue is meant.
    fn leave_queue(&mut self, forms: &[&str]) -> bool {
        let before = self.queue.len();
        let is_it = |queued: &Queued| forms.iter().any(|form| queued.is(form));
        let place = self.queue.iter().position(is_it);
        match place {
            Some(place) => drop(self.queue.remove(place)),
            None => {
                let joined = forms.iter().filter(|form| form.contains('\n'));
                let finders: Vec<&str> = joined.copied().collect();
                let is_part = |queued: &Queued| finders.iter().any(|form| form.contains(queued.text.trim()));
                self.queue.retain(|queued| queued.is_other || !is_part(queued));
            }
        }
        if self.queue.len() == before
            && let Some(place) = self.queue.iter().position(|queued| queued.text.is_empty())
        {
            self.queue.remove(place);
        }
        self.queue.len() < before
    }

    /// Emits the prompts of the queue that never become user lines.
    fn give_queued(&mut self, to: &mut Sink<'_>, is_ready: impl Fn(&Queued) -> bool) {
        if self.queue.is_empty() {
            return;
        }
        let (ready, rest) = std::mem::take(&mut self.queue).into_iter().partition(is_ready);
        self.queue = rest;
        let ready: Vec<Queued> = ready;
        for queued in ready.into_iter().filter(|queued| !queued.is_other) {
            let said = prompt::without_additions(&queued.text);
            if !prompt::is_human(&said) {
                continue;
            }
            let mut event = to.event(&Identity::own("HumanMessage", &queued.key, &queued.text), queued.time);
            event.values.input_text = to.session().input_text(&prompt::typed(&said).text);
            event.source = queued.source;
            to.emit(event);
        }
    }

    /// Emits an answer that a hook has reported and the transcript has never shown.
    fn give_told(&mut self, to: &mut Sink<'_>) {
        let Some(told) = self.told.as_mut().filter(|told| told.event_id.is_none()) else {
            return;
        };
        let identity = Identity::numbered("AiMessage", &told.text, to.next_index());
        let mut event = to.event(&identity, Some(told.received_at));
        event.values.input_hash = set(&told.hash);
        event.values.parent_id_estimated = Some(Some(true));
        event.values.input_text = to.session().input_text(&told.text);
        told.event_id = event.values.event_id.clone().flatten();
        to.emit_estimate(event);
    }

    /// A command's output, which its user saw. A skill that ran in a subagent answers like this, and hooks report the
    /// answer.
    fn local_output(&mut self, line: &Line<'_>, to: &mut Sink<'_>) {
        let Some(notice) = line.content.map(Text::to_str) else {
            return;
        };
        if let Some(agent_id) = prompt::launched_subagent(&notice) {
            // The typed skill is the last event, and the subagent's id stands in for a call's.
            to.starter(&agent_id);
            to.started(&agent_id, &agent_id);
        }
        if let Some(output) = prompt::local_output(&notice) {
            let hash = input_hash(output.trim());
            self.told.take_if(|told| told.hash == hash);
            self.answer = Some(hash);
        }
    }

    fn skill_file(&self, name: &str, to: &Sink<'_>) -> Option<SkillFile> {
        let worked_in = [self.cwd.as_deref(), self.first_cwd.as_deref()];
        to.session().skill_file(name, &worked_in)
    }
}

impl Command {
    /// The event of the skill that the command invokes. Only its kind distinguishes its id from that of the human's
    /// message.
    fn invocation(&self, to: &Sink<'_>) -> PromptEvent {
        let content = format!("/{}", self.name);
        let mut event = to.event(&Identity::numbered("SkillInvocation", &content, self.index), self.time);
        event.values.tool_call_name = set("SlashCommand");
        event.values.parent_id = Some(self.parent.clone());
        event.source = self.source.clone();
        event
    }
}

fn event_of(line: &Line<'_>, identity: &Identity<'_>, to: &Sink<'_>) -> PromptEvent {
    let mut event = to.event(identity, line.time);
    event.source = to.source(line.uuid);
    event
}

/// A subagent's file has these marks on every line. Older versions wrote subagents' lines into the session's own file,
/// without the id: there they take numbers.
fn is_of_subagent(line: &Line<'_>) -> bool {
    line.not_human.is_sidechain && line.agent_id.is_some()
}

/// The content for the id of a subagent's text. `rest` stands in for a uuid.
fn key_in_subagent(line: &Line<'_>, place: usize, rest: &str) -> Option<String> {
    let agent_id = line.agent_id.filter(|_| is_of_subagent(line))?.to_str();
    let uuid = line.uuid.map_or_else(|| Cow::Owned(input_hash(rest)), Text::to_str);
    Some(format!("{agent_id}:{uuid}:{place}"))
}

/// Something that ran in the background has ended.
fn notified(text: &str, to: &mut Sink<'_>) {
    let Some(notification) = prompt::notification(text) else {
        return;
    };
    if let Some(ms) = notification.duration_ms.and_then(whole) {
        let source = DurationSource::Notification;
        let facts = Facts {
            reported: Some(Reported { source, ms }),
            ..Facts::default()
        };
        to.learn(notification.tool_use_id, facts);
    }
}

fn results(line: &Line<'_>, to: &mut Sink<'_>, arena: &Bump) {
    let Content::Blocks(blocks) = line.message.content else {
        return;
    };
    let results = blocks.iter().filter(|block| block.is("tool_result"));
    // Beside several results, the line's report could be of any of them.
    let reported = match results.clone().count() {
        1 => reported_by_result(&line.tool_use_result),
        _ => None,
    };
    for (block, id) in results.filter_map(|block| Some((block, block.tool_use_id?.to_str()))) {
        // The id of a workflow's run stands for all its subagents.
        let started = [line.tool_use_result.agent_id, line.tool_use_result.run_id];
        for started in started.into_iter().flatten() {
            to.started(&started.to_str(), &id);
        }
        let content = block.content.filter(|_| block.is_error);
        let text = content.map(|json| text_of_json(json, arena));
        let text = text.as_ref().map(text_of).unwrap_or_default();
        let never_ran = block.is_error && (line.is_denied || prompt::never_ran(&text));
        let facts = Facts {
            is_result: true,
            error: (!never_ran).then_some(block.is_error),
            ended_at: line.time,
            reported,
            is_launched: line.tool_use_result.is_launched,
            ..Facts::default()
        };
        to.learn(&id, facts);
        if never_ran && let Some(words) = prompt::words_of_rejection(&text) {
            let mut event = event_of(
                line,
                &Identity::own("HumanMessage", &format!("rejected:{id}"), words),
                to,
            );
            event.values.input_text = to.session().input_text(words);
            to.emit(event);
        }
    }
}

fn progress(line: &Line<'_>, to: &mut Sink<'_>) {
    let Progress {
        is_mcp: true,
        has_ended: true,
        elapsed_ms: Some(ms),
    } = line.progress
    else {
        return;
    };
    if let Some(id) = line.parent_tool_use_id {
        let source = DurationSource::Progress;
        let facts = Facts {
            reported: Some(Reported { source, ms }),
            ..Facts::default()
        };
        to.learn(&id.to_str(), facts);
    }
}

/// The call that has started the subagent of this file, as `agent-<id>.meta.json` beside it says.
fn started_by(path: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct Meta {
        #[serde(rename = "toolUseId")]
        tool_use_id: String,
    }
    /// Real ones have some 300 bytes.
    const LARGEST_META: u64 = 64 << 10;
    let (file, metadata) = open_regular(&path.with_extension("meta.json"), Links::Followed).ok()?;
    let mut json = Vec::new();
    file.take(LARGEST_META).read_to_end(&mut json).ok()?;
    let meta: Option<Meta> = serde_json::from_slice(&json).ok();
    meta.filter(|_| metadata.len() <= LARGEST_META)
        .map(|meta| meta.tool_use_id)
}

members! {
    /// Any line.
    struct Marks<'a> {
        ty: Option<Text<'a>> = "type",
        session_id: Option<Text<'a>> = "sessionId",
    }
}

/// All lines have a type, and most name their session. One with a message that doesn't belongs to a session without a name.
fn identify(line: &[u8]) -> Option<Origin> {
    let arena = Bump::new();
    let marks = Marks::of(line, &arena).ok()?;
    let is_message = matches!(marks.ty.map(Text::bytes), Some(b"user" | b"assistant"));
    let origin = Origin::of(marks.session_id);
    let is_line = is_message || marks.ty.is_some() && origin.session_id.is_some();
    is_line.then_some(origin)
}

/// The human's words in a prompt. `None` if no human wrote it.
pub(super) fn typed(text: &str) -> Option<String> {
    let said = prompt::without_additions(text);
    prompt::is_human(&said).then(|| prompt::typed(&said).text.into_owned())
}

/// Whether the deployed client reads this line of JSON. It skips a line with half a surrogate pair, so the items of
/// such a line have no numbers.
fn is_read_in_the_field(line: Json<'_>) -> bool {
    if !line.may_have_unicode() {
        return true;
    }
    let line = line.bytes();
    static ESCAPE: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\\u"));
    let mut escapes = ESCAPE.find_iter(line);
    let may_have_half = escapes.any(|at| matches!(line.get(at + 2), Some(b'd' | b'D')));
    !may_have_half || !has_half_pair(line)
}

/// Whether a string of this JSON holds the escape of half a surrogate pair.
fn has_half_pair(json: &[u8]) -> bool {
    let unit = |escape: &[u8]| match escape {
        [b'\\', b'u', digits @ ..] => {
            let digits = digits.get(..4).and_then(|digits| std::str::from_utf8(digits).ok());
            digits.and_then(|digits| u16::from_str_radix(digits, 16).ok())
        }
        _ => None,
    };
    let mut rest = json;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let escape = &rest[at..];
        let length = match unit(escape) {
            Some(0xD800..=0xDBFF) if matches!(unit(&escape[6..]), Some(0xDC00..=0xDFFF)) => 12,
            Some(0xD800..=0xDFFF) => return true,
            Some(_) => 6,
            None => 2,
        };
        rest = escape.get(length..).unwrap_or_default();
    }
    false
}

/// A user message's text: a string, or the text blocks of an array.
fn text_of<'a>(content: &Content<'a>) -> Cow<'a, str> {
    match *content {
        Content::None => Cow::Borrowed(""),
        Content::Text(text) => text.to_str(),
        Content::Blocks(blocks) => {
            let mut texts = blocks
                .iter()
                .filter(|block| block.is("text"))
                .filter_map(|block| block.text)
                .map(|text| text.to_str());
            let first = texts.next().unwrap_or_default();
            texts.fold(first, |joined, text| joined + "\n" + text)
        }
    }
}

fn reported_by_result(result: &ToolUseResult<'_>) -> Option<Reported> {
    let candidates = [
        (DurationSource::Result, result.duration_ms),
        (DurationSource::ResultTotal, result.total_duration_ms),
        (DurationSource::ResultSeconds, result.duration_seconds),
    ];
    let mut known = candidates
        .into_iter()
        .filter_map(|(source, ms)| Some(Reported { source, ms: ms? }));
    known.next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn half_a_surrogate_pair_is_what_serde_json_refuses(
            pieces in prop::collection::vec(
                prop::sample::select(vec!["\\ud83d", "\\uDe42", "\\u0064", "\\\\", "\\n", "\\\"", "ud83d", "x", "é"]),
                0..8,
            ),
        ) {
            let json = format!("\"{}\"", pieces.concat());
            let is_read = serde_json::from_str::<serde_json::Value>(&json).is_ok();
            prop_assert_eq!(is_read_in_the_field(json.as_bytes().into()), is_read);
        }
    }
}
