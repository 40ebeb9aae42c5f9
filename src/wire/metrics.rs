//! The definition of every field, one per line: `position name: type, "doc";`.
//!
//! Rust records, decoding, encoding, builders, JavaScript objects, TypeScript types, ClickHouse columns and the tables
//! in the docs are all made from these lines. Run `npm run generate` after a change.

use super::table::{RawJson, metrics, record, vocabulary};

vocabulary! {
    /// What a prompt event is.
    PromptEventKind {
        "HumanMessage", "AiMessage", "ThinkingMessage", "ToolCall", "FileWrite", "SkillInvocation", "McpCall", "SessionEnd",
    }
    /// Why a session ended.
    SessionEndReason { "user_quit", "idle_timeout", "signal" }
    /// The outcome of one attempt to install hooks.
    InstallHooksStatus { "not_found", "installed", "already_installed", "failed" }
    /// Who made the change that a checkpoint records.
    CheckpointKind { "human", "ai_agent", "ai_tab", "known_human" }
    /// How the change of a checkpoint was made, or how it was attributed afterwards.
    CheckpointEditKind {
        "file_edit", "bash", "attribution_recovery_session_event", "attribution_recovery_commit_metadata",
        "attribution_recovery_edge",
    }
    /// How a checkpoint was recovered at commit time.
    CheckpointType {
        "recovered_bash", "recovered_session_event_mtime", "recovered_commit_metadata", "recovered_edge_extension",
    }
    /// The git operation that rewrote commits.
    RewriteOperationKind {
        "rebase", "squash_merge", "cherry_pick", "cherry_pick_no_commit", "amend", "revert", "update_ref",
        "non_fast_forward",
    }
}

/// Kinds of messages. Their event ids are derived from at most 256 bytes of their content.
pub const MESSAGE_KINDS: &[&str] = PromptEventKind.subset(&["HumanMessage", "AiMessage", "ThinkingMessage"]);

/// Kinds of tool use. The docs of fields call them "tool-like".
pub const TOOL_LIKE_KINDS: &[&str] = PromptEventKind.subset(&["ToolCall", "FileWrite", "SkillInvocation", "McpCall"]);

/// Kinds of what a human does and of what the agent does for them. A session without them is idle, even while the
/// agent writes messages.
pub const USER_FACING_KINDS: &[&str] = &{
    let mut kinds = ["HumanMessage"; 1 + TOOL_LIKE_KINDS.len()];
    let mut n = 0;
    while n < TOOL_LIKE_KINDS.len() {
        kinds[n + 1] = TOOL_LIKE_KINDS[n];
        n += 1;
    }
    kinds
};

metrics! {
    /// Recorded when a commit is made. The lists run parallel to `tool_model_pairs`.
    /// Clients since 1.4.0 no longer send positions 4, 7, 8 and 9.
    1 committed CommittedValues {
        0 human_additions: u32, "Lines in the commit that a human added.";
        1 git_diff_deleted_lines: u32, "Lines that the commit deletes, as git's diff counts them.";
        2 git_diff_added_lines: u32, "Lines that the commit adds, as git's diff counts them.";
        3 tool_model_pairs: Vec<String>, "Tool and model of each entry of the lists below; index 0 is `all`, the aggregate.";
        4 mixed_additions: Vec<u32>, "Lines that an AI added and a human then edited, per pair.";
        5 ai_additions: Vec<u32>, "Lines in the commit that an AI added, per pair.";
        6 ai_accepted: Vec<u32>, "Lines of an AI that were accepted unchanged, per pair.";
        7 total_ai_additions: Vec<u32>, "Lines that an AI added on the way to the commit, kept or not, per pair.";
        8 total_ai_deletions: Vec<u32>, "Lines that an AI deleted on the way to the commit, per pair.";
        9 time_waiting_for_ai: Vec<u64>, "Time the human waited for the AI, per pair.";
        10 first_checkpoint_ts: u64, "Time of the commit's first checkpoint; null if there was none.";
        11 commit_subject: String, "First line of the commit's message.";
        12 commit_body: String, "The rest of the commit's message; null if it is empty.";
        13 authorship_note: String, "git-ai's authorship note of the commit, as git notes hold it. Since 1.4.7.";
        14 hunks: String, "JSON text: an array of hunks with who wrote them; null if not computed. Since 1.4.7.";
        15 author_ts: u64, "The commit's author date, in unix seconds; null if not known. Since 1.6.9.";
        16 commit_ts: u64, "The commit's committer date, in unix seconds; null if not known. Since 1.6.9.";
        17 patch_id: String, "The commit's `git patch-id --stable`; null if there is none. Since 1.6.9.";
    }

    /// Recorded on every AI checkpoint. It has no values, only attributes.
    2 agent_usage AgentUsageValues {}

    /// Recorded once for each tool that the hook installer tried.
    3 install_hooks InstallHooksValues {
        0 tool_id: String, "The tool whose hooks were to be installed.";
        1 status: String, of InstallHooksStatus, "The outcome.";
        2 message: String, "The installer's message, if it had one.";
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
        7 external_tool_use_id: String, "The agent's own id of the call that made the change. Since 1.4.0.";
        8 edit_kind: String, of CheckpointEditKind, "How the change was made. Since 1.4.6.";
        9 checkpoint_type: String, of CheckpointType, "How the checkpoint was recovered at commit time. Set only on recovered checkpoints. Since 1.6.0.";
        10 attribution_recovery_metadata: String, "JSON text about the recovery; its `solver` names the method. Since 1.6.0.";
    }

    /// One record of an agent's own transcript, which released clients send under id 5.
    /// An event of id 5 is a session event if attribute `session_id` is set or position 0 is an object or an array.
    5 session_event SessionEventValues if session_id is set or raw_json is a container {
        0 raw_json: RawJson, "The record as JSON text, exactly as sent. Clients mask what looks like a secret.";
        1 external_event_id: String, "The agent's own id of the record, such as Claude's `uuid`. Absent for agents that have none.";
        2 external_parent_event_id: String, "The agent's own id of the record before it, such as Claude's `parentUuid`.";
        3 external_tool_use_id: String, "The agent's own id of the first tool use or tool result in the record.";
    }

    /// Recorded once for each message, tool call, file write, skill invocation, MCP call or session end.
    /// "Tool-like" below are the kinds `ToolCall`, `FileWrite`, `SkillInvocation` and `McpCall`.
    /// It never has attribute `session_id`, which marks a `session_event`.
    5 prompt_event PromptEventValues {
        0 kind: String, of PromptEventKind, "What the event is.";
        1 event_id: String, "Identity of the event: `<prompt_id>:<12 hex>`. It stays the same when the event is sent again with more fields.";
        2 parent_id: String, "The event before it; null for the first of its chain.";
        3 parent_id_estimated: bool, "Whether the parent was guessed because no transcript could be read.";
        4 tool_call_name: String, "Name of the tool, skill tool or MCP tool. Set on tool-like kinds.";
        5 model: String, "The model's id. Set on everything the assistant did.";
        6 error: bool, "Whether the call failed. Set on tool-like kinds, once known.";
        7 start_ts: u64, "When it began, in unix milliseconds. Set if the source has a time.";
        8 reported_duration_ms: u64, "Duration in milliseconds as the agent reports it. Set on tool-like kinds, once known.";
        9 observed_duration_ms: u64, "Milliseconds between call and result on the wall clock. Set on tool-like kinds, once known.";
        10 input_hash: String, "16 hex of the whole input's SHA-256. Set on all kinds except `SessionEnd`.";
        11 input_text: String, "The message's text, at most 1,024 bytes of UTF-8. Set on `HumanMessage` and `AiMessage`.";
        12 skill_file_path: String, "Absolute path of the skill's file. Set on `SkillInvocation`, if found.";
        13 skill_file_mtime: u64, "The skill file's mtime, in unix milliseconds. Set on `SkillInvocation`, if found.";
        14 skill_file_hash: String, "16 hex of the SHA-256 of the skill file's bytes. Set on `SkillInvocation`, if found.";
        15 end_reason: String, of SessionEndReason, "Why the session ended. Set on `SessionEnd`.";
    }

    /// One span of the traces that VS Code Copilot itself records.
    6 otel_trace OtelTraceValues {
        0 raw_json: RawJson, "The span as JSON text, exactly as sent: `{span, attributes, events}`.";
        1 external_event_id: String, "The span's id. Absent for agents other than Claude, Copilot and OpenCode.";
        2 external_parent_event_id: String, "The id of the span's parent. Absent if the span's id is.";
        3 external_tool_use_id: String, "The id of the tool call that the span covers.";
    }

    /// One of the new commits after a rebase, an amend, a cherry-pick or another rewrite.
    /// Positions 0 to 14 are those of `committed`, for the new commit.
    7 rewrite_committed RewriteCommittedValues {
        0 human_additions: u32, "Lines in the commit that a human added.";
        1 git_diff_deleted_lines: u32, "Lines that the commit deletes, as git's diff counts them.";
        2 git_diff_added_lines: u32, "Lines that the commit adds, as git's diff counts them.";
        3 tool_model_pairs: Vec<String>, "Tool and model of each entry of the lists below; index 0 is `all`, the aggregate.";
        5 ai_additions: Vec<u32>, "Lines in the commit that an AI added, per pair.";
        6 ai_accepted: Vec<u32>, "Lines of an AI that were accepted unchanged, per pair.";
        11 commit_subject: String, "First line of the commit's message.";
        12 commit_body: String, "The rest of the commit's message; null if it is empty.";
        13 authorship_note: String, "git-ai's authorship note of the commit, as git notes hold it.";
        14 hunks: String, "JSON text: an array of hunks with who wrote them; null if not computed.";
        15 operation_kind: String, of RewriteOperationKind, "The git operation that rewrote the commits.";
        16 original_commit_shas: Vec<String>, "The commits that this one replaces.";
    }

    /// Counts of data that the client's daemon has lost since its last report.
    8 daemon_ingest_anomaly DaemonIngestAnomalyValues {
        0 trace_payloads_dropped_queue_full: u64, "Trace payloads dropped because the queue was full.";
        1 trace_connections_dropped: u64, "Trace connections dropped.";
        2 telemetry_metric_batches_dropped: u64, "Batches of metrics dropped.";
        3 checkpoints_dropped: u64, "Checkpoints dropped.";
    }
}

record! {
    /// Attributes that all metrics share.
    attributes EventAttributes {
        0 git_ai_version: String, "Version of the git-ai client. Clients always set it.";
        1 repo_url: String, "URL of the repository's remote.";
        2 author: String, "The human at the keyboard, as `Name <mail>`. On recovered checkpoints `<session_id>::<trace_id>`.";
        3 commit_sha: String, "The commit that the event belongs to.";
        4 base_commit_sha: String, "The commit that the work is based on.";
        5 branch: String, "The branch checked out.";
        20 tool: String, "The agent, e.g. `claude` or `cursor`.";
        21 model: String, "The model that the agent ran on.";
        22 prompt_id: String, "Identity of the session: 16 hex of the SHA-256 of `<tool>:<session id>`. Released clients since 1.4.0 send `session_id` instead.";
        23 external_prompt_id: String, "The agent's own session id.";
        24 session_id: String, "Identity of the session in released clients: `s_` and 14 hex of the SHA-256 of `<tool>:<session id>`; empty on human checkpoints. An event of id 5 with it is a `session_event`.";
        25 trace_id: String, "Identity of one reading of a transcript: `t_` and 14 random hex. A record that is sent again has a new one.";
        26 parent_session_id: String, "The `session_id` of the session that started this one. Set on subagents' sessions.";
        27 external_parent_session_id: String, "The agent's own id of the session that started this one.";
        30 custom_attributes: String, "A JSON object of string to string, as text. Clients write its keys in any order.";
    }
}
