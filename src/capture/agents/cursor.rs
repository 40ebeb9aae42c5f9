//! Cursor's hooks. Its files have no times, models, ids or results, so they aren't read.

use super::other;
use crate::capture::hook::{EVENTS, Hooks, MEMBERS, Member, Moment};
use crate::capture::json::{FromJson, members};
use crate::wire::slots::Text;
use bumpalo::Bump;

pub(super) const NAME: &str = "cursor";

pub(super) const HOOKS: Hooks = Hooks {
    members: &[
        &[
            ("text", Member::Reply),
            ("tool_output", Member::Result),
            ("duration", Member::Duration),
        ],
        MEMBERS,
    ],
    // The hooks of single tools, such as `afterFileEdit`, repeat these.
    events: &[
        &[
            ("beforeSubmitPrompt", Moment::Prompt),
            ("preToolUse", Moment::BeforeCall),
            ("postToolUse", Moment::AfterCall),
            ("postToolUseFailure", Moment::CallFailed),
            ("afterAgentThought", Moment::Thought),
            ("afterAgentResponse", Moment::Reply),
            ("sessionEnd", Moment::End),
        ],
        EVENTS,
        other::MORE_EVENTS,
    ],
    kind: kind_of,
    is_error,
    stop_content: other::answer_content,
    ..other::HOOKS
};

fn kind_of(tool: &str) -> &'static str {
    match tool {
        "StrReplace" | "EditNotebook" => "FileWrite",
        _ if tool.starts_with("MCP:") => "McpCall",
        _ => other::kind_of(tool),
    }
}

members! {
    struct Output<'a> {
        exit_code: Option<f64> = "exitCode",
    }
}

/// Whether a call's output, which is JSON in a string, is that of a command that has failed. A hook of its own reports
/// other failures.
fn is_error(output: &[u8]) -> Option<bool> {
    let arena = Bump::new();
    let json = <Option<Text<'_>>>::of(output, &arena).ok()??;
    let output = Output::of(json.bytes(), &arena).unwrap_or_default();
    Some(output.exit_code.is_some_and(|code| code != 0.0))
}
