//! Hooks of agents whose session files aren't read.

use super::claude;
use crate::capture::hook::{Hook, Hooks};
use crate::identity::kind_for_tool;

pub(super) const HOOKS: Hooks = Hooks {
    session_is_named_by_file: false,
    names_tool_in_input: true,
    after_means_success: false,
    finds_skills: false,
    kind: kind_of,
    typed: claude::typed,
    call_content,
    stop_content: content_of,
};

/// Tools that write files, in lower case.
const FILE_WRITERS: [&str; 9] = [
    "edit",
    "write",
    "patch",
    "multiedit",
    "multi_edit",
    "create",
    "applypatch",
    "write_file",
    "replace",
];

fn kind_of(tool: &str) -> &'static str {
    match tool.to_lowercase() {
        tool if FILE_WRITERS.contains(&tool.as_str()) => "FileWrite",
        tool if tool == "skill" || tool == "slashcommand" => "SkillInvocation",
        tool => kind_for_tool(&tool),
    }
}

/// A call with an id has one event, whichever of its hooks come.
fn call_content(hook: &Hook) -> String {
    match hook.tool_use_id() {
        Some(id) => format!("{}:{id}", hook.tool_name()),
        None => content_of(hook),
    }
}

/// `<hook>:<tool>:<input>`, as in the deployed client.
fn content_of(hook: &Hook) -> String {
    let input = hook.tool_input().map_or("null".to_owned(), compact);
    format!("{}:{}:{input}", hook.name(), hook.tool_name())
}

/// Writes a JSON value like the deployed client: without white space, with keys sorted by their bytes, and numbers in
/// their shortest form. Input that the client refuses (half a surrogate pair, very deep nesting) stays unchanged.
fn compact(json: &[u8]) -> String {
    serde_json::from_slice::<serde_json::Value>(json).map_or_else(
        |_| String::from_utf8_lossy(json).into_owned(),
        |value| value.to_string(),
    )
}
