//! Claude Code: which items of a transcript take a number, which of them are emitted, and what its hooks say.

mod line;
mod prompt;

use super::{Agent, Dialect};
use crate::capture::hook::Hooks;
use crate::capture::ledger::{DurationSource, Facts, Reported, Sink};
use crate::capture::session::set;
use crate::capture::skill::{SkillFile, skill_name};
use crate::identity::{cut_name, kind_for_tool};
use bumpalo::Bump;
pub(in crate::capture) use line::whole;
use line::{Block, Content, Line, LineKind, Progress, ToolUseResult};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

pub(super) const AGENT: Agent = Agent {
    name: "claude",
    dialect: Claude::boxed,
    hooks: &HOOKS,
};

const HOOKS: Hooks = Hooks {
    session_is_named_by_file: true,
    names_tool_in_input: false,
    // It has a hook of its own for failures.
    after_means_success: true,
    finds_skills: true,
    kind: kind_for_tool,
    typed,
    call_content: |hook| format!("{}:{}", hook.tool_name(), hook.tool_use_id().unwrap_or_default()),
    stop_content: |_| "hook:Stop".to_owned(),
};

/// The model of lines that the harness wrote itself.
const NO_MODEL: &str = "<synthetic>";

/// No system takes a longer path, and the state holds it.
const LONGEST_CWD_BYTES: usize = 4096;

/// A transcript as far as it has been read.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Claude {
    /// Where the agent worked last.
    cwd: Option<String>,
    /// Where it worked first, which is where its project begins.
    first_cwd: Option<String>,
}

impl Dialect for Claude {
    fn record(&mut self, json: &[u8], arena: &Bump, to: &mut Sink<'_>) -> bool {
        let Ok(line) = Line::parse(json, arena) else {
            return false;
        };
        match line.kind {
            LineKind::User => {
                self.meet(&line, to);
                results(&line, to);
                self.user(&line, json, to);
            }
            LineKind::Assistant => {
                self.meet(&line, to);
                self.assistant(&line, json, to);
            }
            LineKind::Progress => progress(&line, to),
            LineKind::Other => {}
        }
        true
    }
}

impl Claude {
    fn meet(&mut self, line: &Line<'_>, to: &mut Sink<'_>) {
        to.at(line.time);
        if let Some(cwd) = line.cwd
            && cwd.bytes().len() <= LONGEST_CWD_BYTES
            && self.cwd.as_deref().map(str::as_bytes) != Some(cwd.bytes())
        {
            self.cwd = Some(cwd.to_str().into_owned());
            self.first_cwd.get_or_insert_with(|| cwd.to_str().into_owned());
        }
    }

    fn user(&mut self, line: &Line<'_>, bytes: &[u8], to: &mut Sink<'_>) {
        let text = text_of(&line.message.content);
        if text.trim().is_empty() || !is_read_in_the_field(bytes) {
            return;
        }
        let time = line.time;
        let index = to.number();
        let said = prompt::without_reminders(&text);
        if line.not_human.any() || !prompt::is_human(&said) {
            return;
        }
        let typed = prompt::typed(&said);
        let mut event = to.event("HumanMessage", &text, index, time);
        event.values.input_text = to.session().input_text(&typed.text);
        to.emit(event);
        if let Some(command) = typed.command
            && let Some(file) = self.skill_file(command, to)
        {
            let mut event = to.event("SkillInvocation", &format!("/{command}"), index, time);
            event.values.tool_call_name = set("SlashCommand");
            file.describe(&mut event.values);
            to.emit(event);
        }
    }

    fn assistant(&mut self, line: &Line<'_>, bytes: &[u8], to: &mut Sink<'_>) {
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
                said(
                    "ThinkingMessage",
                    block.thinking.map(|text| text.to_str()),
                    model,
                    time,
                    to,
                );
            } else if block.is("text") {
                said("AiMessage", block.text.map(|text| text.to_str()), model, time, to);
            } else if block.is("tool_use") {
                self.tool_use(block, model, time, to);
            }
        }
    }

    fn tool_use(&mut self, block: &Block<'_>, model: Option<&str>, time: Option<i64>, to: &mut Sink<'_>) {
        let index = to.number();
        let (name, id) = (block.name.map(|name| name.to_str()), block.id.map(|id| id.to_str()));
        // Ids depend on these: the client in the field uses them where there is no name or id.
        let (name, id) = (name.as_deref().unwrap_or("unknown"), id.as_deref().unwrap_or(""));
        let kind = kind_for_tool(name);
        let mut event = to.event(kind, &format!("{name}:{id}"), index, time);
        event.values.tool_call_name = set(cut_name(name));
        event.values.model = model.map(|model| Some(model.to_owned()));
        if kind == "SkillInvocation"
            && let Some(skill) = block.input.and_then(skill_name)
            && let Some(file) = self.skill_file(&skill, to)
        {
            file.describe(&mut event.values);
        }
        to.call(id, event);
    }

    fn skill_file(&self, name: &str, to: &Sink<'_>) -> Option<SkillFile> {
        let worked_in = [self.cwd.as_deref(), self.first_cwd.as_deref()];
        to.session().skill_file(name, &worked_in)
    }
}

fn said(kind: &str, text: Option<Cow<'_, str>>, model: Option<&str>, time: Option<i64>, to: &mut Sink<'_>) {
    let text = text.unwrap_or_default();
    if text.trim().is_empty() {
        return;
    }
    let index = to.number();
    let mut event = to.event(kind, &text, index, time);
    event.values.model = model.map(|model| Some(model.to_owned()));
    if kind == "AiMessage" {
        event.values.input_text = to.session().input_text(&text);
    }
    to.emit(event);
}

fn results(line: &Line<'_>, to: &mut Sink<'_>) {
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
        to.learn(&id.to_str(), facts);
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

/// The human's words in a prompt.
pub(super) fn typed(text: &str) -> Cow<'_, str> {
    match prompt::without_reminders(text) {
        Cow::Borrowed(text) => prompt::typed(text).text,
        Cow::Owned(text) => Cow::Owned(prompt::typed(&text).text.into_owned()),
    }
}

/// Whether the client in the field reads this line of JSON. It skips one with half a surrogate pair, so nothing in such a
/// line takes a number.
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
