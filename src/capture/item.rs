//! What one record says, without any memory of other records.
//!
//! A dialect reads a record into items, adds what it remembers (such as the model), and passes them to its `Sink`. Their
//! keys are the agent's own, so an item is the same one wherever and whenever its record is read.

use super::ledger::Facts;
use std::borrow::Cow;

/// One thing that a record says.
#[derive(Clone, Debug)]
pub(super) enum Item<'a> {
    Said(Said<'a>),
    Call(Call<'a>),
    /// More about the call with this id.
    Outcome(Cow<'a, str>, Facts),
}

/// A text: `HumanMessage`, `AiMessage` or `ThinkingMessage`. A blank one says nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Said<'a> {
    pub kind: &'static str,
    /// The agent's own key of the text: its record's id, and the block's place if the record can hold several.
    pub key: Cow<'a, str>,
    /// The text as it stands in the record. Its hash is taken from this.
    pub text: Cow<'a, str>,
    /// The human's own words, if `text` holds more than these.
    pub words: Option<Cow<'a, str>>,
    /// Unix milliseconds.
    pub time: Option<i64>,
    pub model: Option<Cow<'a, str>>,
    pub error: Option<bool>,
    pub reported_ms: Option<u64>,
    /// The agent's own id of the record.
    pub source: Option<Cow<'a, str>>,
}

/// A call of a tool.
#[derive(Clone, Debug, Default)]
pub(super) struct Call<'a> {
    pub kind: &'static str,
    pub name: Cow<'a, str>,
    /// Empty if nothing refers to the call. Then it needs a `key`.
    pub id: Cow<'a, str>,
    /// Stands in for the id where there is none.
    pub key: Option<Cow<'a, str>>,
    /// Unix milliseconds.
    pub time: Option<i64>,
    pub model: Option<Cow<'a, str>>,
    /// Known together with the call, as for one that is recorded when it has ended.
    pub facts: Facts,
    /// The agent's own id of the record.
    pub source: Option<Cow<'a, str>>,
}

/// How an agent's names of tools map to kinds.
#[derive(Debug)]
pub(super) struct Kinds {
    pub mcp: Mcp,
    /// Tools that write files.
    pub writes: &'static [&'static str],
    /// Tools that invoke a skill.
    pub skills: &'static [&'static str],
}

/// How an agent names the tools of MCP servers.
#[derive(Debug)]
pub(super) enum Mcp {
    /// They begin with one of these.
    Prefix(&'static [&'static str]),
    /// They contain this.
    Infix(&'static str),
    /// In one of these ways.
    Any(&'static [Mcp]),
    /// All tools with an underscore, except those of the agent itself.
    UnlessBuiltIn(&'static [&'static str]),
}

impl Kinds {
    /// The kind of a call of `tool`.
    pub fn of(&self, tool: &str) -> &'static str {
        match tool {
            _ if self.writes.contains(&tool) => "FileWrite",
            _ if self.skills.contains(&tool) => "SkillInvocation",
            _ if self.mcp.names(tool) => "McpCall",
            _ => "ToolCall",
        }
    }
}

impl Mcp {
    fn names(&self, tool: &str) -> bool {
        match self {
            Mcp::Prefix(prefixes) => prefixes.iter().any(|prefix| tool.starts_with(prefix)),
            Mcp::Infix(infix) => tool.contains(infix),
            Mcp::UnlessBuiltIn(built_in) => tool.contains('_') && !built_in.contains(&tool),
            Mcp::Any(ways) => ways.iter().any(|way| way.names(tool)),
        }
    }
}

/// Joins a message's texts by line feeds.
pub(super) fn join<'a>(mut texts: impl Iterator<Item = Cow<'a, str>>) -> Cow<'a, str> {
    let first = texts.next().unwrap_or_default();
    texts.fold(first, |joined, text| joined + "\n" + text)
}
