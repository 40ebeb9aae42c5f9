//! Pi: `~/.pi/agent/sessions/<cwd>/<time>_<session id>.jsonl`, a tree of entries of which branches only ever grow.

use super::{Agent, Dialect, Origin, other};
use crate::capture::hook::Hooks;
use crate::capture::item::{Call, Item, Kinds, Mcp, Said, join};
use crate::capture::json::{Content, FromJson, Json, Time, members};
use crate::capture::ledger::{Facts, Sink};
use crate::identity::cut_name;
use crate::wire::slots::Text;
use bumpalo::Bump;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

pub(super) const AGENT: Agent = Agent {
    name: "pi",
    dialect: Pi::boxed,
    identify,
    hooks: &HOOKS,
    companions: None,
    writes_documents: false,
    context: &[],
    fork_header: None,
};

/// It has no hooks. Payloads of extensions have Claude Code's form.
const HOOKS: Hooks = Hooks {
    kind: |tool| KINDS.of(tool),
    ..other::HOOKS
};

const KINDS: Kinds = Kinds {
    mcp: Mcp::Prefix(&["mcp__"]),
    writes: &["edit", "write"],
    skills: &["skill"],
};

members! {
    struct Line<'a> {
        ty: Option<Text<'a>> = "type",
        id: Option<Text<'a>> = "id",
        /// On the first line.
        version: Option<&'a [u8]> = "version",
        /// When it was written. A message's own time is that of its begin.
        time: Time = "timestamp",
        /// On a change of the model.
        model_id: Option<Text<'a>> = "modelId",
        message: Message<'a> = "message",
    }

    struct Message<'a> {
        role: Option<Text<'a>> = "role",
        content: Content<'a, Block<'a>> = "content",
        model: Option<Text<'a>> = "model",
        /// On a call's result.
        call_id: Option<Text<'a>> = "toolCallId",
        is_error: bool = "isError",
    }

    struct Block<'a> {
        ty: Option<Text<'a>> = "type",
        text: Option<Text<'a>> = "text",
        thinking: Option<Text<'a>> = "thinking",
        id: Option<Text<'a>> = "id",
        name: Option<Text<'a>> = "name",
    }
}

/// A session as far as it has been read.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Pi {
    /// The model that was chosen last, for messages that name none.
    model: Option<String>,
}

impl Dialect for Pi {
    fn record(&mut self, json: Json<'_>, arena: &Bump, to: &mut Sink<'_>) -> bool {
        let Ok(line) = Line::of(json, arena) else {
            return false;
        };
        if let Some(model) = line.model_id {
            self.model = Some(cut_name(&model.to_str()).to_owned());
        }
        items(&line, &mut |mut item| {
            let model = match &mut item {
                Item::Said(said) if said.kind != "HumanMessage" => Some(&mut said.model),
                Item::Call(call) => Some(&mut call.model),
                _ => None,
            };
            if let Some(model @ None) = model {
                *model = self.model.clone().map(Cow::Owned);
            }
            to.take(item);
        });
        true
    }
}

/// The first line names the session.
fn identify(line: &[u8]) -> Option<Origin> {
    let arena = Bump::new();
    let line = Line::of(line, &arena).ok()?;
    let is_first = line.ty?.bytes() == b"session" && line.version.is_some();
    is_first.then(|| Origin::of(line.id))
}

/// What a line says.
fn items<'a>(line: &Line<'a>, each: &mut dyn FnMut(Item<'a>)) {
    let Some(id) = line.id.map(Text::to_str) else {
        return;
    };
    let content = line.message.content;
    match line.message.role.map(Text::bytes) {
        Some(b"user") => {
            let blocks = content.parts.iter().filter_map(|block| block.text);
            let texts = content.text.into_iter().chain(blocks).map(Text::to_str);
            each(line.said("HumanMessage", id, join(texts)));
        }
        Some(b"assistant") => {
            for (place, block) in content.parts.iter().enumerate() {
                let key = || format!("{id}:{place}").into();
                let text = |text: Option<Text<'a>>| text.map(Text::to_str).unwrap_or_default();
                match block.ty.map(Text::bytes) {
                    Some(b"thinking") => each(line.said("ThinkingMessage", key(), text(block.thinking))),
                    Some(b"text") => each(line.said("AiMessage", key(), text(block.text))),
                    Some(b"toolCall") => line.call(block).into_iter().for_each(&mut *each),
                    _ => {}
                }
            }
        }
        Some(b"toolResult") => line.outcome().into_iter().for_each(each),
        _ => {}
    }
}

impl<'a> Line<'a> {
    fn said(&self, kind: &'static str, key: Cow<'a, str>, text: Cow<'a, str>) -> Item<'a> {
        Item::Said(Said {
            kind,
            key,
            text,
            time: self.time.0,
            model: self.message.model.map(Text::to_str),
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
            model: self.message.model.map(Text::to_str),
            source: self.id.map(Text::to_str),
            ..Call::default()
        }))
    }

    fn outcome(&self) -> Option<Item<'a>> {
        let facts = Facts {
            is_result: true,
            error: Some(self.message.is_error),
            ended_at: self.time.0,
            ..Facts::default()
        };
        Some(Item::Outcome(self.message.call_id?.to_str(), facts))
    }
}
