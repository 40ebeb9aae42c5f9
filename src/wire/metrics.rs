//! The one place that says what a field is: `position name: type, "doc";`.
//!
//! Rust records, decoding, encoding, builders, JavaScript objects, TypeScript types, ClickHouse columns and the docs'
//! table of fields all come from these lines; run `npm run generate` after a change.

use super::table::{metrics, record, vocabulary};

vocabulary! {
    /// What a prompt event is.
    PromptEventKind {
        "HumanMessage", "AiMessage", "ThinkingMessage", "ToolCall", "FileWrite", "SkillInvocation", "McpCall", "SessionEnd",
    }
    /// Why a session ended.
    SessionEndReason { "user_quit", "idle_timeout", "signal" }
    /// What became of one attempt to install hooks.
    InstallHooksStatus { "not_found", "installed", "already_installed", "failed" }
    /// Who made the change that a checkpoint records.
    CheckpointKind { "human", "ai_agent", "ai_tab" }
}

metrics! {
    /// Recorded when a commit is made. The lists run parallel to `tool_model_pairs`.
    1 committed CommittedValues {
        0 human_additions: u32, "Lines in the commit that a human added.";
        1 git_diff_deleted_lines: u32, "Lines that the commit deletes, as git's diff counts them.";
        2 git_diff_added_lines: u32, "Lines that the commit adds, as git's diff counts them.";
        3 tool_model_pairs: Vec<String>, "Tool and model of each entry of the lists below; index 0 is `all`, the aggregate.";
        4 mixed_additions: Vec<u32>, "Lines that an AI added and a human then edited, per pair.";
        5 ai_additions: Vec<u32>, "Lines in the commit that an AI added, per pair.";
        6 ai_accepted: Vec<u32>, "Lines of an AI that were taken as they were, per pair.";
        7 total_ai_additions: Vec<u32>, "Lines that an AI added on the way to the commit, kept or not, per pair.";
        8 total_ai_deletions: Vec<u32>, "Lines that an AI deleted on the way to the commit, per pair.";
        9 time_waiting_for_ai: Vec<u64>, "Time the human waited for the AI, per pair.";
        10 first_checkpoint_ts: u64, "Time of the commit's first checkpoint; null if there was none.";
        11 commit_subject: String, "First line of the commit's message.";
        12 commit_body: String, "The rest of the commit's message; null if it is empty.";
    }

    /// Recorded on every AI checkpoint; it has no values, the attributes say it all.
    2 agent_usage AgentUsageValues {}

    /// Recorded once for each tool that the hook installer tried.
    3 install_hooks InstallHooksValues {
        0 tool_id: String, "The tool whose hooks were to be installed.";
        1 status: String, of InstallHooksStatus, "What became of it.";
        2 message: String, "What the installer had to say, if anything.";
    }

    /// Recorded once for each file of a checkpoint.
    4 checkpoint CheckpointValues {
        0 checkpoint_ts: u64, "Time of the checkpoint.";
        1 kind: String, of CheckpointKind, "Who made the change.";
        2 file_path: String, "The file that changed.";
        3 lines_added: u32, "Lines added.";
        4 lines_deleted: u32, "Lines deleted.";
        5 lines_added_sloc: u32, "Lines of source code added, without blanks and comments.";
        6 lines_deleted_sloc: u32, "Lines of source code deleted, without blanks and comments.";
    }

    /// Recorded once for each message, tool call, file write, skill invocation, MCP call or session end.
    /// "Tool-like" below are the kinds `ToolCall`, `FileWrite`, `SkillInvocation` and `McpCall`.
    5 prompt_event PromptEventValues {
        0 kind: String, of PromptEventKind, "What the event is.";
        1 event_id: String, "Identity of the event: `<prompt_id>:<12 hex>`. A re-emit that knows more has the same one.";
        2 parent_id: String, "The event before it; null for the first of its chain.";
        3 parent_id_estimated: bool, "Whether the parent was guessed, since no transcript could be read.";
        4 tool_call_name: String, "Name of the tool, skill tool or MCP tool. Set on tool-like kinds.";
        5 model: String, "The model's id. Set on everything the assistant did.";
        6 error: bool, "Whether the call failed. Set on tool-like kinds, once known.";
        7 start_ts: u64, "When it began, in unix milliseconds. Set where the source has a time.";
        8 reported_duration_ms: u64, "Milliseconds it took, as the agent itself reports. Set on tool-like kinds, once known.";
        9 observed_duration_ms: u64, "Milliseconds between call and result on the wall clock. Set on tool-like kinds, once known.";
        10 input_hash: String, "16 hex of the whole input's SHA-256. Set on all kinds but `SessionEnd`.";
        11 input_text: String, "The message's text, at most 1,024 bytes of UTF-8. Set on `HumanMessage` and `AiMessage`.";
        12 skill_file_path: String, "Absolute path of the skill's file. Set on `SkillInvocation`, if found.";
        13 skill_file_mtime: u64, "The skill file's mtime, in unix milliseconds. Set on `SkillInvocation`, if found.";
        14 skill_file_hash: String, "16 hex of the SHA-256 of the skill file's bytes. Set on `SkillInvocation`, if found.";
        15 end_reason: String, of SessionEndReason, "Why the session ended. Set on `SessionEnd`.";
    }
}

record! {
    /// Attributes that all metrics share.
    attributes EventAttributes {
        0 git_ai_version: String, "Version of the git-ai client. Clients always set it.";
        1 repo_url: String, "Where the repository comes from.";
        2 author: String, "The human at the keyboard, as git names them.";
        3 commit_sha: String, "The commit that the event belongs to.";
        4 base_commit_sha: String, "The commit that the work is based on.";
        5 branch: String, "The branch checked out.";
        20 tool: String, "The agent, e.g. `claude` or `cursor`.";
        21 model: String, "The model that the agent ran on.";
        22 prompt_id: String, "Identity of the session: 16 hex of the SHA-256 of `<tool>:<session id>`.";
        23 external_prompt_id: String, "The agent's own session id.";
        30 custom_attributes: String, "A JSON object of string to string, as text.";
    }
}
