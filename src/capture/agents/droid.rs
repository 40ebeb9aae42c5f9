//! Factory Droid: `~/.factory/sessions/<cwd>/<session id>.jsonl`, with the blocks of Anthropic's API. The model stands in
//! another file.

use super::{Agent, Dialect, Origin, claude, other};
use crate::capture::hook::{EVENTS, Hooks, MEMBERS, Member, Transcript};
use crate::capture::item::{Call, Item, Kinds, Mcp, Said, join};
use crate::capture::json::{Content, FromJson, Json, Time, members};
use crate::capture::ledger::{Facts, Sink};
use crate::wire::slots::Text;
use bumpalo::Bump;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

pub(super) const AGENT: Agent = Agent {
    name: "droid",
    dialect: Droid::boxed,
    identify,
    hooks: &HOOKS,
    companions: None,
    writes_documents: false,
    context: &[],
    fork_header: None,
};

const HOOKS: Hooks = Hooks {
    members: &[&[("hookEventName", Member::Name)], MEMBERS],
    events: &[EVENTS],
    unnamed: &[],
    transcript: Transcript::NamedLate,
    subagent: |_, _| None,
    session_is_named_by_file: false,
    names_tool_in_input: false,
    after_means_success: false,
    finds_skills: false,
    numbers_calls: false,
    kind: |tool| KINDS.of(tool),
    typed: |prompt| claude::typed(prompt).filter(|typed| !typed.trim().is_empty()),
    is_error: |_| None,
    call_content: other::call_content,
    stop_content: other::answer_content,
};

const KINDS: Kinds = Kinds {
    // `<server>___<tool>`
    mcp: Mcp::Infix("___"),
    writes: &["ApplyPatch", "Edit", "MultiEdit", "Write", "Create"],
    skills: &["Skill"],
};

/// The harness adds texts that begin with one of these to a prompt.
const ADDITIONS: [&str; 2] = ["<system-reminder>", "Contents of "];

members! {
    struct Line<'a> {
        ty: Option<Text<'a>> = "type",
        id: Option<Text<'a>> = "id",
        time: Time = "timestamp",
        /// `user_only` on a notice.
        visibility: Option<Text<'a>> = "visibility",
        message: Message<'a> = "message",
    }

    struct Message<'a> {
        role: Option<Text<'a>> = "role",
        content: Content<'a, Block<'a>> = "content",
    }

    struct Block<'a> {
        ty: Option<Text<'a>> = "type",
        text: Option<Text<'a>> = "text",
        thinking: Option<Text<'a>> = "thinking",
        id: Option<Text<'a>> = "id",
        name: Option<Text<'a>> = "name",
        call_id: Option<Text<'a>> = "tool_use_id",
        is_error: bool = "is_error",
    }
}

/// Nothing needs to be remembered: each line says everything about itself.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Droid {}

impl Dialect for Droid {
    fn record(&mut self, json: Json<'_>, arena: &Bump, to: &mut Sink<'_>) -> bool {
        let Ok(line) = Line::of(json, arena) else {
            return false;
        };
        items(&line, &mut |item| to.take(item));
        true
    }
}

/// The first line names the session.
fn identify(line: &[u8]) -> Option<Origin> {
    let arena = Bump::new();
    let line = Line::of(line, &arena).ok()?;
    (line.ty?.bytes() == b"session_start").then(|| Origin::of(line.id))
}

/// What a line says.
fn items<'a>(line: &Line<'a>, each: &mut dyn FnMut(Item<'a>)) {
    let is_message = line.ty.is_some_and(|ty| ty.bytes() == b"message");
    let Some(id) = line.id.filter(|_| is_message).map(Text::to_str) else {
        return;
    };
    let content = line.message.content;
    match line.message.role.map(Text::bytes) {
        Some(b"user") => {
            if line
                .visibility
                .is_none_or(|visibility| visibility.bytes() != b"user_only")
            {
                each(line.said("HumanMessage", id, line.typed()));
            }
            content
                .parts
                .iter()
                .filter_map(|block| line.outcome(block))
                .for_each(each);
        }
        Some(b"assistant") => {
            if let Some(text) = content.text {
                each(line.said("AiMessage", id.clone(), text.to_str()));
            }
            for (place, block) in content.parts.iter().enumerate() {
                let key = || format!("{id}:{place}").into();
                let text = |text: Option<Text<'a>>| text.map(Text::to_str).unwrap_or_default();
                match block.ty.map(Text::bytes) {
                    Some(b"thinking") => each(line.said("ThinkingMessage", key(), text(block.thinking))),
                    Some(b"text") => each(line.said("AiMessage", key(), text(block.text))),
                    Some(b"tool_use") => line.call(block).into_iter().for_each(&mut *each),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

impl<'a> Line<'a> {
    /// The human's words in a user's message.
    fn typed(&self) -> Cow<'a, str> {
        let content = self.message.content;
        let blocks = content.parts.iter().filter_map(|block| block.text);
        let texts = content.text.into_iter().chain(blocks).map(Text::to_str);
        let is_added = |text: &Cow<'_, str>| ADDITIONS.iter().any(|start| text.trim_start().starts_with(start));
        join(texts.filter(|text| !is_added(text)))
    }

    fn said(&self, kind: &'static str, key: Cow<'a, str>, text: Cow<'a, str>) -> Item<'a> {
        Item::Said(Said {
            kind,
            key,
            text,
            time: self.time.0,
            source: self.id.map(Text::to_str),
            ..Said::default()
        })
    }

    fn call(&self, block: &Block<'a>) -> Option<Item<'a>> {
        let name = block.name?.to_str();
        Some(Item::Call(Call {
            kind: KINDS.of(&name),
            name,
            id: block.id?.to_str(),
            time: self.time.0,
            source: self.id.map(Text::to_str),
            ..Call::default()
        }))
    }

    fn outcome(&self, block: &Block<'a>) -> Option<Item<'a>> {
        let facts = Facts {
            is_result: true,
            error: Some(block.is_error),
            ended_at: self.time.0,
            ..Facts::default()
        };
        Some(Item::Outcome(block.call_id?.to_str(), facts))
    }
}
