//! Hooks of agents whose session files aren't read.

use super::claude;
use crate::capture::hook::{EVENTS, Hook, Hooks, MEMBERS, Moment, ToolCall, Transcript, compact};
use crate::identity::kind_for_tool;

pub(super) const HOOKS: Hooks = Hooks {
    members: &[MEMBERS],
    events: &[EVENTS, MORE_EVENTS],
    unnamed: &[],
    transcript: Transcript::Unread,
    subagent: |_, _| None,
    session_is_named_by_file: false,
    names_tool_in_input: true,
    after_means_success: false,
    finds_skills: false,
    numbers_calls: false,
    kind: kind_of,
    typed: claude::typed,
    is_error: |_| None,
    call_content,
    stop_content,
};

/// Another hook that the deployed client knows of any agent.
pub(super) const MORE_EVENTS: &[(&str, Moment)] = &[("AfterTool", Moment::AfterCall)];

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

pub(super) fn kind_of(tool: &str) -> &'static str {
    match tool.to_lowercase() {
        tool if FILE_WRITERS.contains(&tool.as_str()) => "FileWrite",
        tool if tool == "skill" || tool == "slashcommand" => "SkillInvocation",
        tool => kind_for_tool(&tool),
    }
}

/// A call with an id has one event, whichever of its hooks come.
pub(super) fn call_content(hook: &Hook, call: &ToolCall) -> String {
    match call.id() {
        Some(id) => format!("{}:{id}", call.name()),
        None => content_of(hook, call),
    }
}

/// The content for the id of the assistant's last message, as in the deployed client.
pub(super) fn stop_content(hook: &Hook) -> String {
    content_of(hook, hook.call())
}

/// The assistant's last message itself, if the hook has it. So its hash is that of the message in the session's file.
pub(super) fn answer_content(hook: &Hook) -> String {
    match hook.said() {
        "" => stop_content(hook),
        said => said.to_owned(),
    }
}

/// `<hook>:<tool>:<input>`, as in the deployed client.
fn content_of(hook: &Hook, call: &ToolCall) -> String {
    let input = call.input().map_or("null".to_owned(), compact);
    format!("{}:{}:{input}", hook.name(), call.name())
}
