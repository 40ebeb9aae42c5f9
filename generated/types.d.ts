// Written by `npm run generate` from src/wire/metrics.rs; change it there.

import type { SkillFile, UnknownField } from '../index.js';

/** The outcome of one attempt to install hooks. */
export type InstallHooksStatus = 'not_found' | 'installed' | 'already_installed' | 'failed';

/** Who made the change that a checkpoint records. */
export type CheckpointKind = 'human' | 'ai_agent' | 'ai_tab' | 'known_human';

/** How the change of a checkpoint was made, or how it was attributed afterwards. */
export type CheckpointEditKind =
  | 'file_edit'
  | 'bash'
  | 'attribution_recovery_session_event'
  | 'attribution_recovery_commit_metadata'
  | 'attribution_recovery_edge';

/** How a checkpoint was recovered at commit time. */
export type CheckpointType =
  | 'recovered_bash'
  | 'recovered_session_event_mtime'
  | 'recovered_commit_metadata'
  | 'recovered_edge_extension';

/** What a prompt event is. */
export type PromptEventKind =
  | 'HumanMessage'
  | 'AiMessage'
  | 'ThinkingMessage'
  | 'ToolCall'
  | 'FileWrite'
  | 'SkillInvocation'
  | 'McpCall'
  | 'SessionEnd';

/** Why a session ended. */
export type SessionEndReason = 'user_quit' | 'idle_timeout' | 'signal';

/** The git operation that rewrote commits. */
export type RewriteOperationKind =
  | 'rebase'
  | 'squash_merge'
  | 'cherry_pick'
  | 'cherry_pick_no_commit'
  | 'amend'
  | 'revert'
  | 'update_ref'
  | 'non_fast_forward';

/**
 * The `code` of a `GitAiMetricsError`.
 *
 * - `ERR_INVALID_JSON`: The text isn't JSON or isn't UTF-8. The message says where.
 * - `ERR_INVALID_BATCH`: JSON, but not `{"v":…,"events":[…]}`.
 * - `ERR_UNSUPPORTED_VERSION`: A wire version other than 1.
 * - `ERR_TOO_MANY_EVENTS`: More events than `maxEvents`. The message has both numbers.
 * - `ERR_BODY_TOO_LARGE`: More bytes than `maxBytes`. The message has both numbers.
 * - `ERR_INVALID_ARGUMENT`: An argument doesn't have the documented type. The message and `path` say which.
 * - `ERR_IO`: A file or folder can't be read or written. `path` says which one, `syscall` and `errno` say why.
 * - `ERR_BINDING_MISMATCH`: The addon's binary was not built together with the JavaScript beside it. The message names both versions.
 * - `ERR_BINDING_MISSING`: No binary could be loaded. The message says why.
 * - `ERR_INTERNAL`: A bug in this package.
 */
export type ErrorCode =
  | 'ERR_INVALID_JSON'
  | 'ERR_INVALID_BATCH'
  | 'ERR_UNSUPPORTED_VERSION'
  | 'ERR_TOO_MANY_EVENTS'
  | 'ERR_BODY_TOO_LARGE'
  | 'ERR_INVALID_ARGUMENT'
  | 'ERR_IO'
  | 'ERR_BINDING_MISMATCH'
  | 'ERR_BINDING_MISSING'
  | 'ERR_INTERNAL';

/**
 * The `code` of an error in one event. The other events of the batch are decoded.
 *
 * - `ERR_MISSING_KEY`: `t`, `e`, `v` or `a` is missing.
 * - `ERR_WRONG_TYPE`: `t`, `e`, `v` or `a` has the wrong type, or the event isn't an object.
 * - `ERR_OUT_OF_RANGE`: `t` or `e` is an integer outside of its range.
 * - `ERR_TOO_MANY_FIELDS`: The event has more than 1,024 unknown fields, counting values and attributes. A duplicate key counts once.
 */
export type EventErrorCode = 'ERR_MISSING_KEY' | 'ERR_WRONG_TYPE' | 'ERR_OUT_OF_RANGE' | 'ERR_TOO_MANY_FIELDS';

/** Attributes that all metrics share. */
export interface EventAttributes {
  /** Version of the git-ai client. Clients always set it. */
  gitAiVersion?: string | null;
  /** URL of the repository's remote. */
  repoUrl?: string | null;
  /** The human at the keyboard, as `Name <mail>`. On recovered checkpoints `<session_id>::<trace_id>`. */
  author?: string | null;
  /** The commit that the event belongs to. */
  commitSha?: string | null;
  /** The commit that the work is based on. */
  baseCommitSha?: string | null;
  /** The branch checked out. */
  branch?: string | null;
  /** The agent, e.g. `claude` or `cursor`. */
  tool?: string | null;
  /** The model that the agent ran on. */
  model?: string | null;
  /** Identity of the session: 16 hex of the SHA-256 of `<tool>:<session id>`. Released clients since 1.4.0 send `session_id` instead. */
  promptId?: string | null;
  /** The agent's own session id. */
  externalPromptId?: string | null;
  /** Identity of the session in released clients: `s_` and 14 hex of the SHA-256 of `<tool>:<session id>`; empty on human checkpoints. An event of id 5 with it is a `session_event`. */
  sessionId?: string | null;
  /** Identity of one reading of a transcript: `t_` and 14 random hex. A record that is sent again has a new one. */
  traceId?: string | null;
  /** The `session_id` of the session that started this one. Set on subagents' sessions. */
  parentSessionId?: string | null;
  /** The agent's own id of the session that started this one. */
  externalParentSessionId?: string | null;
  /** A JSON object of string to string, as text. Clients write its keys in any order. */
  customAttributes?: string | null;
}

/**
 * Builder of `EventAttributes`.
 * Pass `null` to set an explicit null. A field whose setter you don't call stays unset.
 * A setter throws `ERR_INVALID_ARGUMENT` if the value doesn't have the field's type.
 */
export class EventAttributesBuilder {
  /** Version of the git-ai client. Clients always set it. */
  gitAiVersion(value: string | null): this;
  /** URL of the repository's remote. */
  repoUrl(value: string | null): this;
  /** The human at the keyboard, as `Name <mail>`. On recovered checkpoints `<session_id>::<trace_id>`. */
  author(value: string | null): this;
  /** The commit that the event belongs to. */
  commitSha(value: string | null): this;
  /** The commit that the work is based on. */
  baseCommitSha(value: string | null): this;
  /** The branch checked out. */
  branch(value: string | null): this;
  /** The agent, e.g. `claude` or `cursor`. */
  tool(value: string | null): this;
  /** The model that the agent ran on. */
  model(value: string | null): this;
  /** Identity of the session: 16 hex of the SHA-256 of `<tool>:<session id>`. Released clients since 1.4.0 send `session_id` instead. */
  promptId(value: string | null): this;
  /** The agent's own session id. */
  externalPromptId(value: string | null): this;
  /** Identity of the session in released clients: `s_` and 14 hex of the SHA-256 of `<tool>:<session id>`; empty on human checkpoints. An event of id 5 with it is a `session_event`. */
  sessionId(value: string | null): this;
  /** Identity of one reading of a transcript: `t_` and 14 random hex. A record that is sent again has a new one. */
  traceId(value: string | null): this;
  /** The `session_id` of the session that started this one. Set on subagents' sessions. */
  parentSessionId(value: string | null): this;
  /** The agent's own id of the session that started this one. */
  externalParentSessionId(value: string | null): this;
  /** Strings by name. They are stored as a JSON object in a string. */
  customAttributes(value: Record<string, string> | null): this;
  /** Returns the attributes as a plain object. */
  build(): EventAttributes;
}

/** Values of `committed`. A field that isn't set is absent; `null` is an explicit null. */
export interface CommittedEventValues {
  /** Lines in the commit that a human added. */
  humanAdditions?: number | null;
  /** Lines that the commit deletes, as git's diff counts them. */
  gitDiffDeletedLines?: number | null;
  /** Lines that the commit adds, as git's diff counts them. */
  gitDiffAddedLines?: number | null;
  /** Tool and model of each entry of the lists below; index 0 is `all`, the aggregate. */
  toolModelPairs?: string[] | null;
  /** Lines that an AI added and a human then edited, per pair. */
  mixedAdditions?: number[] | null;
  /** Lines in the commit that an AI added, per pair. */
  aiAdditions?: number[] | null;
  /** Lines of an AI that were accepted unchanged, per pair. */
  aiAccepted?: number[] | null;
  /** Lines that an AI added on the way to the commit, kept or not, per pair. */
  totalAiAdditions?: number[] | null;
  /** Lines that an AI deleted on the way to the commit, per pair. */
  totalAiDeletions?: number[] | null;
  /** Time the human waited for the AI, per pair. */
  timeWaitingForAi?: number[] | null;
  /** Time of the commit's first checkpoint; null if there was none. */
  firstCheckpointTs?: number | null;
  /** First line of the commit's message. */
  commitSubject?: string | null;
  /** The rest of the commit's message; null if it is empty. */
  commitBody?: string | null;
  /** git-ai's authorship note of the commit, as git notes hold it. Since 1.4.7. */
  authorshipNote?: string | null;
  /** JSON text: an array of hunks with who wrote them; null if not computed. Since 1.4.7. */
  hunks?: string | null;
  /** The commit's author date, in unix seconds; null if not known. Since 1.6.9. */
  authorTs?: number | null;
  /** The commit's committer date, in unix seconds; null if not known. Since 1.6.9. */
  commitTs?: number | null;
  /** The commit's `git patch-id --stable`; null if there is none. Since 1.6.9. */
  patchId?: string | null;
}

/**
 * Recorded when a commit is made. The lists run parallel to `tool_model_pairs`.
 * Clients since 1.4.0 no longer send positions 4, 7, 8 and 9.
 * Metric 1.
 */
export interface CommittedEvent {
  metric: 'committed';
  /** When it was recorded, in unix seconds. */
  timestamp: number;
  values: CommittedEventValues;
  attributes: EventAttributes;
  /** Fields that this version doesn't know. Absent if there are none. */
  unknown?: UnknownField[];
}

/**
 * Builder of `CommittedEvent`.
 * Pass `null` to set an explicit null. A field whose setter you don't call stays unset.
 * A setter throws `ERR_INVALID_ARGUMENT` if the value doesn't have the field's type.
 */
export class CommittedBuilder {
  /** Lines in the commit that a human added. */
  humanAdditions(value: number | null): this;
  /** Lines that the commit deletes, as git's diff counts them. */
  gitDiffDeletedLines(value: number | null): this;
  /** Lines that the commit adds, as git's diff counts them. */
  gitDiffAddedLines(value: number | null): this;
  /** Tool and model of each entry of the lists below; index 0 is `all`, the aggregate. */
  toolModelPairs(value: readonly string[] | null): this;
  /** Lines that an AI added and a human then edited, per pair. */
  mixedAdditions(value: readonly number[] | null): this;
  /** Lines in the commit that an AI added, per pair. */
  aiAdditions(value: readonly number[] | null): this;
  /** Lines of an AI that were accepted unchanged, per pair. */
  aiAccepted(value: readonly number[] | null): this;
  /** Lines that an AI added on the way to the commit, kept or not, per pair. */
  totalAiAdditions(value: readonly number[] | null): this;
  /** Lines that an AI deleted on the way to the commit, per pair. */
  totalAiDeletions(value: readonly number[] | null): this;
  /** Time the human waited for the AI, per pair. */
  timeWaitingForAi(value: readonly number[] | null): this;
  /** Time of the commit's first checkpoint; null if there was none. */
  firstCheckpointTs(value: number | null): this;
  /** First line of the commit's message. */
  commitSubject(value: string | null): this;
  /** The rest of the commit's message; null if it is empty. */
  commitBody(value: string | null): this;
  /** git-ai's authorship note of the commit, as git notes hold it. Since 1.4.7. */
  authorshipNote(value: string | null): this;
  /** JSON text: an array of hunks with who wrote them; null if not computed. Since 1.4.7. */
  hunks(value: string | null): this;
  /** The commit's author date, in unix seconds; null if not known. Since 1.6.9. */
  authorTs(value: number | null): this;
  /** The commit's committer date, in unix seconds; null if not known. Since 1.6.9. */
  commitTs(value: number | null): this;
  /** The commit's `git patch-id --stable`; null if there is none. Since 1.6.9. */
  patchId(value: string | null): this;
  /**
   * Returns the event as a plain object.
   * @param timestamp unix seconds; default now
   * @throws `ERR_INVALID_ARGUMENT`
   */
  build(attributes: EventAttributes, timestamp?: number): CommittedEvent;
}

/** Values of `agent_usage`. A field that isn't set is absent; `null` is an explicit null. */
export type AgentUsageEventValues = Record<string, never>;

/**
 * Recorded on every AI checkpoint. It has no values, only attributes.
 * Metric 2.
 */
export interface AgentUsageEvent {
  metric: 'agent_usage';
  /** When it was recorded, in unix seconds. */
  timestamp: number;
  values: AgentUsageEventValues;
  attributes: EventAttributes;
  /** Fields that this version doesn't know. Absent if there are none. */
  unknown?: UnknownField[];
}

/** Builder of `AgentUsageEvent`. */
export class AgentUsageBuilder {
  /**
   * Returns the event as a plain object.
   * @param timestamp unix seconds; default now
   * @throws `ERR_INVALID_ARGUMENT`
   */
  build(attributes: EventAttributes, timestamp?: number): AgentUsageEvent;
}

/** Values of `install_hooks`. A field that isn't set is absent; `null` is an explicit null. */
export interface InstallHooksEventValues {
  /** The tool whose hooks were to be installed. */
  toolId?: string | null;
  /** The outcome. */
  status?: InstallHooksStatus | (string & {}) | null;
  /** The installer's message, if it had one. */
  message?: string | null;
}

/**
 * Recorded once for each tool that the hook installer tried.
 * Metric 3.
 */
export interface InstallHooksEvent {
  metric: 'install_hooks';
  /** When it was recorded, in unix seconds. */
  timestamp: number;
  values: InstallHooksEventValues;
  attributes: EventAttributes;
  /** Fields that this version doesn't know. Absent if there are none. */
  unknown?: UnknownField[];
}

/**
 * Builder of `InstallHooksEvent`.
 * Pass `null` to set an explicit null. A field whose setter you don't call stays unset.
 * A setter throws `ERR_INVALID_ARGUMENT` if the value doesn't have the field's type.
 */
export class InstallHooksBuilder {
  /** The tool whose hooks were to be installed. */
  toolId(value: string | null): this;
  /** The outcome. */
  status(value: InstallHooksStatus | (string & {}) | null): this;
  /** The installer's message, if it had one. */
  message(value: string | null): this;
  /**
   * Returns the event as a plain object.
   * @param timestamp unix seconds; default now
   * @throws `ERR_INVALID_ARGUMENT`
   */
  build(attributes: EventAttributes, timestamp?: number): InstallHooksEvent;
}

/** Values of `checkpoint`. A field that isn't set is absent; `null` is an explicit null. */
export interface CheckpointEventValues {
  /** Time of the checkpoint. */
  checkpointTs?: number | null;
  /** Who made the change. */
  kind?: CheckpointKind | (string & {}) | null;
  /** The file that changed. */
  filePath?: string | null;
  /** Lines added. */
  linesAdded?: number | null;
  /** Lines deleted. */
  linesDeleted?: number | null;
  /** Lines of source code added, without blanks and comments. */
  linesAddedSloc?: number | null;
  /** Lines of source code deleted, without blanks and comments. */
  linesDeletedSloc?: number | null;
  /** The agent's own id of the call that made the change. Since 1.4.0. */
  externalToolUseId?: string | null;
  /** How the change was made. Since 1.4.6. */
  editKind?: CheckpointEditKind | (string & {}) | null;
  /** How the checkpoint was recovered at commit time. Set only on recovered checkpoints. Since 1.6.0. */
  checkpointType?: CheckpointType | (string & {}) | null;
  /** JSON text about the recovery; its `solver` names the method. Since 1.6.0. */
  attributionRecoveryMetadata?: string | null;
}

/**
 * Recorded once for each file of a checkpoint.
 * Metric 4.
 */
export interface CheckpointEvent {
  metric: 'checkpoint';
  /** When it was recorded, in unix seconds. */
  timestamp: number;
  values: CheckpointEventValues;
  attributes: EventAttributes;
  /** Fields that this version doesn't know. Absent if there are none. */
  unknown?: UnknownField[];
}

/**
 * Builder of `CheckpointEvent`.
 * Pass `null` to set an explicit null. A field whose setter you don't call stays unset.
 * A setter throws `ERR_INVALID_ARGUMENT` if the value doesn't have the field's type.
 */
export class CheckpointBuilder {
  /** Time of the checkpoint. */
  checkpointTs(value: number | null): this;
  /** Who made the change. */
  kind(value: CheckpointKind | (string & {}) | null): this;
  /** The file that changed. */
  filePath(value: string | null): this;
  /** Lines added. */
  linesAdded(value: number | null): this;
  /** Lines deleted. */
  linesDeleted(value: number | null): this;
  /** Lines of source code added, without blanks and comments. */
  linesAddedSloc(value: number | null): this;
  /** Lines of source code deleted, without blanks and comments. */
  linesDeletedSloc(value: number | null): this;
  /** The agent's own id of the call that made the change. Since 1.4.0. */
  externalToolUseId(value: string | null): this;
  /** How the change was made. Since 1.4.6. */
  editKind(value: CheckpointEditKind | (string & {}) | null): this;
  /** How the checkpoint was recovered at commit time. Set only on recovered checkpoints. Since 1.6.0. */
  checkpointType(value: CheckpointType | (string & {}) | null): this;
  /** JSON text about the recovery; its `solver` names the method. Since 1.6.0. */
  attributionRecoveryMetadata(value: string | null): this;
  /**
   * Returns the event as a plain object.
   * @param timestamp unix seconds; default now
   * @throws `ERR_INVALID_ARGUMENT`
   */
  build(attributes: EventAttributes, timestamp?: number): CheckpointEvent;
}

/** Values of `session_event`. A field that isn't set is absent; `null` is an explicit null. */
export interface SessionEventValues {
  /** The record as JSON text, exactly as sent. Clients mask what looks like a secret. */
  rawJson?: string | null;
  /** The agent's own id of the record, such as Claude's `uuid`. Absent for agents that have none. */
  externalEventId?: string | null;
  /** The agent's own id of the record before it, such as Claude's `parentUuid`. */
  externalParentEventId?: string | null;
  /** The agent's own id of the first tool use or tool result in the record. */
  externalToolUseId?: string | null;
}

/**
 * One record of an agent's own transcript, which released clients send under id 5.
 * An event of id 5 is a session event if attribute `session_id` is set or position 0 is an object or an array.
 * Metric 5.
 */
export interface SessionEvent {
  metric: 'session_event';
  /** When it was recorded, in unix seconds. */
  timestamp: number;
  values: SessionEventValues;
  attributes: EventAttributes;
  /** Fields that this version doesn't know. Absent if there are none. */
  unknown?: UnknownField[];
}

/**
 * Builder of `SessionEvent`.
 * Pass `null` to set an explicit null. A field whose setter you don't call stays unset.
 * A setter throws `ERR_INVALID_ARGUMENT` if the value doesn't have the field's type.
 */
export class SessionEventBuilder {
  /** The record as JSON text, exactly as sent. Clients mask what looks like a secret. */
  rawJson(value: string | null): this;
  /** The agent's own id of the record, such as Claude's `uuid`. Absent for agents that have none. */
  externalEventId(value: string | null): this;
  /** The agent's own id of the record before it, such as Claude's `parentUuid`. */
  externalParentEventId(value: string | null): this;
  /** The agent's own id of the first tool use or tool result in the record. */
  externalToolUseId(value: string | null): this;
  /**
   * Returns the event as a plain object.
   * @param timestamp unix seconds; default now
   * @throws `ERR_INVALID_ARGUMENT`
   */
  build(attributes: EventAttributes, timestamp?: number): SessionEvent;
}

/** Values of `prompt_event`. A field that isn't set is absent; `null` is an explicit null. */
export interface PromptEventValues {
  /** What the event is. */
  kind?: PromptEventKind | (string & {}) | null;
  /** Identity of the event: `<prompt_id>:<12 hex>`. It stays the same when the event is sent again with more fields. */
  eventId?: string | null;
  /** The event before it; null for the first of its chain. */
  parentId?: string | null;
  /** Whether the parent was guessed because no transcript could be read. */
  parentIdEstimated?: boolean | null;
  /** Name of the tool, skill tool or MCP tool. Set on tool-like kinds. */
  toolCallName?: string | null;
  /** The model's id. Set on everything the assistant did. */
  model?: string | null;
  /** Whether the call failed. Set on tool-like kinds, once known. */
  error?: boolean | null;
  /** When it began, in unix milliseconds. Set if the source has a time. */
  startTs?: number | null;
  /** Duration in milliseconds as the agent reports it. Set on tool-like kinds, once known. */
  reportedDurationMs?: number | null;
  /** Milliseconds between call and result on the wall clock. Set on tool-like kinds, once known. */
  observedDurationMs?: number | null;
  /** 16 hex of the whole input's SHA-256. Set on all kinds except `SessionEnd`. */
  inputHash?: string | null;
  /** The message's text, at most 1,024 bytes of UTF-8. Set on `HumanMessage` and `AiMessage`. */
  inputText?: string | null;
  /** Absolute path of the skill's file. Set on `SkillInvocation`, if found. */
  skillFilePath?: string | null;
  /** The skill file's mtime, in unix milliseconds. Set on `SkillInvocation`, if found. */
  skillFileMtime?: number | null;
  /** 16 hex of the SHA-256 of the skill file's bytes. Set on `SkillInvocation`, if found. */
  skillFileHash?: string | null;
  /** Why the session ended. Set on `SessionEnd`. */
  endReason?: SessionEndReason | (string & {}) | null;
}

/**
 * Recorded once for each message, tool call, file write, skill invocation, MCP call or session end.
 * "Tool-like" below are the kinds `ToolCall`, `FileWrite`, `SkillInvocation` and `McpCall`.
 * It never has attribute `session_id`, which marks a `session_event`.
 * Metric 5.
 */
export interface PromptEvent {
  metric: 'prompt_event';
  /** When it was recorded, in unix seconds. */
  timestamp: number;
  values: PromptEventValues;
  attributes: EventAttributes;
  /** Fields that this version doesn't know. Absent if there are none. */
  unknown?: UnknownField[];
}

/**
 * Builder of `PromptEvent`.
 * Pass `null` to set an explicit null. A field whose setter you don't call stays unset.
 * A setter throws `ERR_INVALID_ARGUMENT` if the value doesn't have the field's type.
 */
export class PromptEventBuilder {
  /** What the event is. */
  kind(value: PromptEventKind | (string & {}) | null): this;
  /** Identity of the event: `<prompt_id>:<12 hex>`. It stays the same when the event is sent again with more fields. */
  eventId(value: string | null): this;
  /** The event before it; null for the first of its chain. */
  parentId(value: string | null): this;
  /** Whether the parent was guessed because no transcript could be read. */
  parentIdEstimated(value: boolean | null): this;
  /** Name of the tool, skill tool or MCP tool. Set on tool-like kinds. */
  toolCallName(value: string | null): this;
  /** The model's id. Set on everything the assistant did. */
  model(value: string | null): this;
  /** Whether the call failed. Set on tool-like kinds, once known. */
  error(value: boolean | null): this;
  /** When it began, in unix milliseconds. Set if the source has a time. */
  startTs(value: number | null): this;
  /** Duration in milliseconds as the agent reports it. Set on tool-like kinds, once known. */
  reportedDurationMs(value: number | null): this;
  /** Milliseconds between call and result on the wall clock. Set on tool-like kinds, once known. */
  observedDurationMs(value: number | null): this;
  /** 16 hex of the whole input's SHA-256. Set on all kinds except `SessionEnd`. */
  inputHash(value: string | null): this;
  /** The message's text, at most 1,024 bytes of UTF-8. Set on `HumanMessage` and `AiMessage`. */
  inputText(value: string | null): this;
  /** Absolute path of the skill's file. Set on `SkillInvocation`, if found. */
  skillFilePath(value: string | null): this;
  /** The skill file's mtime, in unix milliseconds. Set on `SkillInvocation`, if found. */
  skillFileMtime(value: number | null): this;
  /** 16 hex of the SHA-256 of the skill file's bytes. Set on `SkillInvocation`, if found. */
  skillFileHash(value: string | null): this;
  /** Why the session ended. Set on `SessionEnd`. */
  endReason(value: SessionEndReason | (string & {}) | null): this;
  /** Sets the three skill fields at once. */
  skillFile(file: SkillFile | null): this;
  /**
   * Returns the event as a plain object.
   * @param timestamp unix seconds; default now
   * @throws `ERR_INVALID_ARGUMENT`
   */
  build(attributes: EventAttributes, timestamp?: number): PromptEvent;
}

/** Values of `otel_trace`. A field that isn't set is absent; `null` is an explicit null. */
export interface OtelTraceEventValues {
  /** The span as JSON text, exactly as sent: `{span, attributes, events}`. */
  rawJson?: string | null;
  /** The span's id. Absent for agents other than Claude, Copilot and OpenCode. */
  externalEventId?: string | null;
  /** The id of the span's parent. Absent if the span's id is. */
  externalParentEventId?: string | null;
  /** The id of the tool call that the span covers. */
  externalToolUseId?: string | null;
}

/**
 * One span of the traces that VS Code Copilot itself records.
 * Metric 6.
 */
export interface OtelTraceEvent {
  metric: 'otel_trace';
  /** When it was recorded, in unix seconds. */
  timestamp: number;
  values: OtelTraceEventValues;
  attributes: EventAttributes;
  /** Fields that this version doesn't know. Absent if there are none. */
  unknown?: UnknownField[];
}

/**
 * Builder of `OtelTraceEvent`.
 * Pass `null` to set an explicit null. A field whose setter you don't call stays unset.
 * A setter throws `ERR_INVALID_ARGUMENT` if the value doesn't have the field's type.
 */
export class OtelTraceBuilder {
  /** The span as JSON text, exactly as sent: `{span, attributes, events}`. */
  rawJson(value: string | null): this;
  /** The span's id. Absent for agents other than Claude, Copilot and OpenCode. */
  externalEventId(value: string | null): this;
  /** The id of the span's parent. Absent if the span's id is. */
  externalParentEventId(value: string | null): this;
  /** The id of the tool call that the span covers. */
  externalToolUseId(value: string | null): this;
  /**
   * Returns the event as a plain object.
   * @param timestamp unix seconds; default now
   * @throws `ERR_INVALID_ARGUMENT`
   */
  build(attributes: EventAttributes, timestamp?: number): OtelTraceEvent;
}

/** Values of `rewrite_committed`. A field that isn't set is absent; `null` is an explicit null. */
export interface RewriteCommittedEventValues {
  /** Lines in the commit that a human added. */
  humanAdditions?: number | null;
  /** Lines that the commit deletes, as git's diff counts them. */
  gitDiffDeletedLines?: number | null;
  /** Lines that the commit adds, as git's diff counts them. */
  gitDiffAddedLines?: number | null;
  /** Tool and model of each entry of the lists below; index 0 is `all`, the aggregate. */
  toolModelPairs?: string[] | null;
  /** Lines in the commit that an AI added, per pair. */
  aiAdditions?: number[] | null;
  /** Lines of an AI that were accepted unchanged, per pair. */
  aiAccepted?: number[] | null;
  /** First line of the commit's message. */
  commitSubject?: string | null;
  /** The rest of the commit's message; null if it is empty. */
  commitBody?: string | null;
  /** git-ai's authorship note of the commit, as git notes hold it. */
  authorshipNote?: string | null;
  /** JSON text: an array of hunks with who wrote them; null if not computed. */
  hunks?: string | null;
  /** The git operation that rewrote the commits. */
  operationKind?: RewriteOperationKind | (string & {}) | null;
  /** The commits that this one replaces. */
  originalCommitShas?: string[] | null;
}

/**
 * One of the new commits after a rebase, an amend, a cherry-pick or another rewrite.
 * Positions 0 to 14 are those of `committed`, for the new commit.
 * Metric 7.
 */
export interface RewriteCommittedEvent {
  metric: 'rewrite_committed';
  /** When it was recorded, in unix seconds. */
  timestamp: number;
  values: RewriteCommittedEventValues;
  attributes: EventAttributes;
  /** Fields that this version doesn't know. Absent if there are none. */
  unknown?: UnknownField[];
}

/**
 * Builder of `RewriteCommittedEvent`.
 * Pass `null` to set an explicit null. A field whose setter you don't call stays unset.
 * A setter throws `ERR_INVALID_ARGUMENT` if the value doesn't have the field's type.
 */
export class RewriteCommittedBuilder {
  /** Lines in the commit that a human added. */
  humanAdditions(value: number | null): this;
  /** Lines that the commit deletes, as git's diff counts them. */
  gitDiffDeletedLines(value: number | null): this;
  /** Lines that the commit adds, as git's diff counts them. */
  gitDiffAddedLines(value: number | null): this;
  /** Tool and model of each entry of the lists below; index 0 is `all`, the aggregate. */
  toolModelPairs(value: readonly string[] | null): this;
  /** Lines in the commit that an AI added, per pair. */
  aiAdditions(value: readonly number[] | null): this;
  /** Lines of an AI that were accepted unchanged, per pair. */
  aiAccepted(value: readonly number[] | null): this;
  /** First line of the commit's message. */
  commitSubject(value: string | null): this;
  /** The rest of the commit's message; null if it is empty. */
  commitBody(value: string | null): this;
  /** git-ai's authorship note of the commit, as git notes hold it. */
  authorshipNote(value: string | null): this;
  /** JSON text: an array of hunks with who wrote them; null if not computed. */
  hunks(value: string | null): this;
  /** The git operation that rewrote the commits. */
  operationKind(value: RewriteOperationKind | (string & {}) | null): this;
  /** The commits that this one replaces. */
  originalCommitShas(value: readonly string[] | null): this;
  /**
   * Returns the event as a plain object.
   * @param timestamp unix seconds; default now
   * @throws `ERR_INVALID_ARGUMENT`
   */
  build(attributes: EventAttributes, timestamp?: number): RewriteCommittedEvent;
}

/** Values of `daemon_ingest_anomaly`. A field that isn't set is absent; `null` is an explicit null. */
export interface DaemonIngestAnomalyEventValues {
  /** Trace payloads dropped because the queue was full. */
  tracePayloadsDroppedQueueFull?: number | null;
  /** Trace connections dropped. */
  traceConnectionsDropped?: number | null;
  /** Batches of metrics dropped. */
  telemetryMetricBatchesDropped?: number | null;
  /** Checkpoints dropped. */
  checkpointsDropped?: number | null;
}

/**
 * Counts of data that the client's daemon has lost since its last report.
 * Metric 8.
 */
export interface DaemonIngestAnomalyEvent {
  metric: 'daemon_ingest_anomaly';
  /** When it was recorded, in unix seconds. */
  timestamp: number;
  values: DaemonIngestAnomalyEventValues;
  attributes: EventAttributes;
  /** Fields that this version doesn't know. Absent if there are none. */
  unknown?: UnknownField[];
}

/**
 * Builder of `DaemonIngestAnomalyEvent`.
 * Pass `null` to set an explicit null. A field whose setter you don't call stays unset.
 * A setter throws `ERR_INVALID_ARGUMENT` if the value doesn't have the field's type.
 */
export class DaemonIngestAnomalyBuilder {
  /** Trace payloads dropped because the queue was full. */
  tracePayloadsDroppedQueueFull(value: number | null): this;
  /** Trace connections dropped. */
  traceConnectionsDropped(value: number | null): this;
  /** Batches of metrics dropped. */
  telemetryMetricBatchesDropped(value: number | null): this;
  /** Checkpoints dropped. */
  checkpointsDropped(value: number | null): this;
  /**
   * Returns the event as a plain object.
   * @param timestamp unix seconds; default now
   * @throws `ERR_INVALID_ARGUMENT`
   */
  build(attributes: EventAttributes, timestamp?: number): DaemonIngestAnomalyEvent;
}

/** An event of a metric that this version knows, discriminated by `metric`. */
export type NamedEvent =
  | CommittedEvent
  | AgentUsageEvent
  | InstallHooksEvent
  | CheckpointEvent
  | SessionEvent
  | PromptEvent
  | OtelTraceEvent
  | RewriteCommittedEvent
  | DaemonIngestAnomalyEvent;
