//! A Claude Code transcript, flattened line by line: which items take a number, and which of them are emitted.

use super::calls::{Calls, DurationSource, Facts, Reported};
use super::event::{Captured, PromptEvent};
use super::line::{Block, Content, Line, LineKind, Progress, ToolUseResult};
use super::prompt;
use super::skill::{SkillFile, resolve_skill_file, skill_name};
use crate::identity::{
    LONGEST_INPUT_TEXT_BYTES, cut_name, event_id, input_hash, kind_for_tool, prompt_id, truncate_input_text,
};
use crate::redact::redact_start;
use crate::wire::json::is_one_value;
use crate::wire::table::MAX_SAFE_INTEGER;
use crate::wire::{EventAttributes, PromptEventValues};
use bumpalo::Bump;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Model that the harness puts where no model has spoken.
const NO_MODEL: &str = "<synthetic>";

/// No system takes a longer path, and the state holds it.
const LONGEST_CWD_BYTES: usize = 4096;

/// A longer line is skipped. Real ones have up to 1.5 MB; one without an end must not fill the memory.
pub(super) const LONGEST_LINE_BYTES: usize = 32 << 20;

/// More than this is given back after a line: one huge line must not cost its memory for ever.
const MOST_KEPT_BYTES: usize = 1 << 20;

/// The session whose events are captured, and what the agent's own files don't say of it.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Its identity.
    pub prompt_id: String,
    /// Of all its events: those given, and the session's own identity.
    pub attributes: EventAttributes,
    /// Where project skills are looked for, instead of where the transcript says that it worked.
    pub cwd: Option<PathBuf>,
    /// Where they are looked for at last, if the transcript leads to none.
    pub cwd_of_hook: Option<PathBuf>,
    /// Where personal skills are looked for.
    pub home: Option<PathBuf>,
    /// Whether secrets in `input_text` are masked. Ids and hashes are of the text as it is.
    pub redact: bool,
}

impl Session {
    /// The session `session_id` of an agent, with the caller's `attributes` besides its own.
    pub fn new(tool: &str, session_id: &str, attributes: EventAttributes) -> Session {
        let prompt_id = prompt_id(tool, session_id);
        let attributes = EventAttributes {
            tool: Some(Some(tool.to_owned())),
            prompt_id: Some(Some(prompt_id.clone())),
            external_prompt_id: Some(Some(session_id.to_owned())),
            ..attributes
        };
        Session {
            prompt_id,
            attributes,
            ..Session::default()
        }
    }

    /// An event with what all events have. The index is its place among all items, emitted or not.
    pub(super) fn event(&self, kind: &str, content: &str, index: u64, time: Option<i64>, recorded: i64) -> PromptEvent {
        PromptEvent {
            timestamp: u32::try_from(recorded.div_euclid(1000).max(0)).unwrap_or(u32::MAX),
            values: PromptEventValues {
                kind: set(kind),
                event_id: Some(Some(event_id(&self.prompt_id, kind, content, index))),
                start_ts: time
                    .and_then(|time| u64::try_from(time).ok())
                    .filter(|time| *time <= MAX_SAFE_INTEGER)
                    .map(Some),
                input_hash: Some(Some(input_hash(content))),
                ..PromptEventValues::default()
            },
        }
    }

    /// What an event shows of a message: its start, with secrets masked if that is asked for.
    pub(super) fn input_text(&self, text: &str) -> Option<Option<String>> {
        if self.redact {
            set(truncate_input_text(&redact_start(text, LONGEST_INPUT_TEXT_BYTES)))
        } else {
            set(truncate_input_text(text))
        }
    }

    /// The skill's file, looked for in what the caller says is the project, else where the agent worked, the likeliest
    /// folder first.
    pub(super) fn skill_file(&self, name: &str, worked_in: &[Option<&str>]) -> Option<SkillFile> {
        let worked_in = worked_in.iter().flatten().map(Path::new);
        let mut projects: Vec<&Path> = match &self.cwd {
            Some(cwd) => vec![cwd],
            None => worked_in.chain(self.cwd_of_hook.as_deref()).collect(),
        };
        projects.dedup();
        let mut projects = projects.into_iter();
        let likeliest = resolve_skill_file(name, projects.next(), self.home.as_deref());
        likeliest.or_else(|| projects.find_map(|project| resolve_skill_file(name, Some(project), None)))
    }
}

/// A field set to this text.
pub(super) fn set(text: &str) -> Option<Option<String>> {
    Some(Some(text.to_owned()))
}

/// Unix milliseconds of this moment.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A transcript as far as it has been read.
#[derive(Debug, Default)]
pub struct Transcript {
    pub session: Session,
    pub calls: Calls,
    /// The number that the next item takes.
    pub(super) next_index: u64,
    /// The event before the next one.
    pub(super) last_event: Option<String>,
    /// The last time that a line told.
    pub(super) time: Option<i64>,
    /// Where the agent worked last.
    pub(super) cwd: Option<String>,
    /// Where it worked first, which is where its project begins.
    pub(super) first_cwd: Option<String>,
    arena: Bump,
}

impl Transcript {
    pub fn new(session: Session) -> Transcript {
        Transcript {
            session,
            ..Transcript::default()
        }
    }

    /// Begins anew with the first line. What was emitted is not emitted again, unless it knows more.
    pub fn restart(&mut self) {
        self.calls.restart();
        self.next_index = 0;
        self.last_event = None;
        self.time = None;
        self.cwd = None;
        self.first_cwd = None;
    }

    /// The events emitted since this was last called.
    pub fn captured(&mut self) -> Captured {
        Captured {
            events: self.calls.take(),
            attributes: self.session.attributes.clone(),
        }
    }

    /// Takes one line, without its newline. `false` if it isn't a JSON object, or longer than any, and nothing comes of it.
    pub fn line(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > LONGEST_LINE_BYTES {
            return false;
        }
        let mut arena = std::mem::take(&mut self.arena);
        let is_object = match Line::parse(bytes, &arena) {
            Ok(line) => {
                self.take(&line, bytes);
                true
            }
            Err(_) => false,
        };
        arena.reset();
        if arena.allocated_bytes() <= MOST_KEPT_BYTES {
            self.arena = arena;
        }
        is_object
    }

    /// Takes the rest of a file if it is a line whose newline isn't there yet. An object that is closed is whole, whatever
    /// is written after it.
    pub(super) fn whole_line(&mut self, rest: &[u8]) -> bool {
        let rest = rest.trim_ascii();
        rest.ends_with(b"}") && is_one_value(rest) && self.line(rest)
    }

    fn take(&mut self, line: &Line<'_>, bytes: &[u8]) {
        match line.kind {
            LineKind::User => {
                self.meet(line);
                self.results(line);
                self.user(line, bytes);
            }
            LineKind::Assistant => {
                self.meet(line);
                self.assistant(line, bytes);
            }
            LineKind::Progress => self.progress(line),
            LineKind::Other => {}
        }
    }

    fn meet(&mut self, line: &Line<'_>) {
        self.time = line.time.or(self.time);
        if let Some(cwd) = line.cwd
            && cwd.bytes().len() <= LONGEST_CWD_BYTES
            && self.cwd.as_deref().map(str::as_bytes) != Some(cwd.bytes())
        {
            self.cwd = Some(cwd.to_str().into_owned());
            self.first_cwd.get_or_insert_with(|| cwd.to_str().into_owned());
        }
    }

    fn user(&mut self, line: &Line<'_>, bytes: &[u8]) {
        let text = text_of(&line.message.content);
        if text.trim().is_empty() || !is_read_in_the_field(bytes) {
            return;
        }
        let time = line.time;
        let index = self.number();
        let said = prompt::without_reminders(&text);
        if line.not_human.any() || !prompt::is_human(&said) {
            return;
        }
        let typed = prompt::typed(&said);
        let mut event = self.event("HumanMessage", &text, index, time);
        event.values.input_text = self.session.input_text(&typed.text);
        self.emit(event);
        if let Some(command) = typed.command
            && let Some(file) = self.skill_file(command)
        {
            let mut event = self.event("SkillInvocation", &format!("/{command}"), index, time);
            event.values.tool_call_name = set("SlashCommand");
            file.describe(&mut event.values);
            self.emit(event);
        }
    }

    fn assistant(&mut self, line: &Line<'_>, bytes: &[u8]) {
        let Content::Blocks(blocks) = line.message.content else {
            return;
        };
        if !is_read_in_the_field(bytes) {
            return;
        }
        let time = line.time;
        let model = line.message.model.map(|model| model.to_str());
        let model = model.as_deref().filter(|model| *model != NO_MODEL).map(cut_name);
        for block in blocks {
            if block.is("thinking") {
                self.said("ThinkingMessage", block.thinking.map(|text| text.to_str()), model, time);
            } else if block.is("text") {
                self.said("AiMessage", block.text.map(|text| text.to_str()), model, time);
            } else if block.is("tool_use") {
                self.tool_use(block, model, time);
            }
        }
    }

    fn said(&mut self, kind: &str, text: Option<Cow<'_, str>>, model: Option<&str>, time: Option<i64>) {
        let text = text.unwrap_or_default();
        if text.trim().is_empty() {
            return;
        }
        let index = self.number();
        let mut event = self.event(kind, &text, index, time);
        event.values.model = model.map(|model| Some(model.to_owned()));
        if kind == "AiMessage" {
            event.values.input_text = self.session.input_text(&text);
        }
        self.emit(event);
    }

    fn tool_use(&mut self, block: &Block<'_>, model: Option<&str>, time: Option<i64>) {
        let index = self.number();
        let (name, id) = (block.name.map(|name| name.to_str()), block.id.map(|id| id.to_str()));
        // As the client in the field names what has no name: ids depend on it.
        let (name, id) = (name.as_deref().unwrap_or("unknown"), id.as_deref().unwrap_or(""));
        let kind = kind_for_tool(name);
        let mut event = self.event(kind, &format!("{name}:{id}"), index, time);
        event.values.tool_call_name = set(cut_name(name));
        event.values.model = model.map(|model| Some(model.to_owned()));
        if kind == "SkillInvocation"
            && let Some(skill) = block.input.and_then(skill_name)
            && let Some(file) = self.skill_file(&skill)
        {
            file.describe(&mut event.values);
        }
        let event_id = event.values.event_id.clone().flatten();
        if self.calls.call(id, event) {
            self.last_event = event_id;
        }
    }

    fn results(&mut self, line: &Line<'_>) {
        let Content::Blocks(blocks) = line.message.content else {
            return;
        };
        let mut results = blocks.iter().filter(|block| block.is("tool_result"));
        // What the line reports beside its result can't be told apart where there are several.
        let reported = match results.clone().count() {
            1 => reported_by_result(&line.tool_use_result),
            _ => None,
        };
        for (block, id) in results.by_ref().filter_map(|block| Some((block, block.tool_use_id?))) {
            let facts = Facts {
                is_result: true,
                error: Some(block.is_error),
                ended_at: line.time,
                reported,
            };
            self.calls.learn(&id.to_str(), facts);
        }
    }

    fn progress(&mut self, line: &Line<'_>) {
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
            self.calls.learn(&id.to_str(), facts);
        }
    }

    fn skill_file(&self, name: &str) -> Option<SkillFile> {
        let worked_in = [self.cwd.as_deref(), self.first_cwd.as_deref()];
        self.session.skill_file(name, &worked_in)
    }

    fn number(&mut self) -> u64 {
        self.next_index += 1;
        self.next_index - 1
    }

    fn event(&self, kind: &str, content: &str, index: u64, time: Option<i64>) -> PromptEvent {
        let recorded = time.or(self.time).unwrap_or_else(now_ms);
        let mut event = self.session.event(kind, content, index, time, recorded);
        event.values.parent_id = Some(self.last_event.clone());
        event.values.parent_id_estimated = Some(Some(false));
        event
    }

    fn emit(&mut self, event: PromptEvent) {
        self.last_event = event.values.event_id.clone().flatten();
        self.calls.emit(event);
    }
}

/// Whether the client in the field reads this line of JSON: one with half a surrogate pair it skips, so that nothing in it
/// takes a number.
fn is_read_in_the_field(line: &[u8]) -> bool {
    let mut escapes = memchr::memmem::find_iter(line, b"\\u");
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

fn reported_by_result(result: &ToolUseResult) -> Option<Reported> {
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
            prop_assert_eq!(is_read_in_the_field(json.as_bytes()), is_read);
        }
    }
}
