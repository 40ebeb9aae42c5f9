// Written by `npm run generate` from src/wire/metrics.rs; change it there.

import type { SkillFile, UnknownField } from '../index.js';

/** What became of one attempt to install hooks. */
export type InstallHooksStatus = 'not_found' | 'installed' | 'already_installed' | 'failed';

/** Who made the change that a checkpoint records. */
export type CheckpointKind = 'human' | 'ai_agent' | 'ai_tab';

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

/** Attributes that all metrics share. */
export interface EventAttributes {
  /** Version of the git-ai client. Clients always set it. */
  gitAiVersion?: string | null;
  /** Where the repository comes from. */
  repoUrl?: string | null;
  /** The human at the keyboard, as git names them. */
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
  /** Identity of the session: 16 hex of the SHA-256 of `<tool>:<session id>`. */
  promptId?: string | null;
  /** The agent's own session id. */
  externalPromptId?: string | null;
  /** A JSON object of string to string, as text. */
  customAttributes?: string | null;
}

/**
 * Builder of `EventAttributes`.
 * `null` sets an explicit null; a setter never called leaves its field unset.
 * A setter throws `ERR_INVALID_ARGUMENT` at a value that isn't of its field's type.
 */
export class EventAttributesBuilder {
  /** Version of the git-ai client. Clients always set it. */
  gitAiVersion(value: string | null): this;
  /** Where the repository comes from. */
  repoUrl(value: string | null): this;
  /** The human at the keyboard, as git names them. */
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
  /** Identity of the session: 16 hex of the SHA-256 of `<tool>:<session id>`. */
  promptId(value: string | null): this;
  /** The agent's own session id. */
  externalPromptId(value: string | null): this;
  /** Strings by name, which become the field's JSON text. */
  customAttributes(value: Record<string, string> | null): this;
  /** The attributes, as a plain object. */
  build(): EventAttributes;
}

/** Values of `committed`. Absent: not set. `null`: explicitly nothing. */
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
  /** Lines of an AI that were taken as they were, per pair. */
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
}

/**
 * Recorded when a commit is made. The lists run parallel to `tool_model_pairs`.
 * Metric 1.
 */
export interface CommittedEvent {
  metric: 'committed';
  /** When it was recorded, in unix seconds. */
  timestamp: number;
  values: CommittedEventValues;
  attributes: EventAttributes;
  /** Only where the wire held something that this version can't name. */
  unknown?: UnknownField[];
}

/**
 * Builder of `CommittedEvent`.
 * `null` sets an explicit null; a setter never called leaves its field unset.
 * A setter throws `ERR_INVALID_ARGUMENT` at a value that isn't of its field's type.
 */
export class CommittedBuilder {
  /** Lines in the commit that a human added. */
  humanAdditions(value: number | null): this;
  /** Lines that the commit deletes, as git's diff counts them. */
  gitDiffDeletedLines(value: number | null): this;
  /** Lines that the commit adds, as git's diff counts them. */
  gitDiffAddedLines(value: number | null): this;
  /** Tool and model of each entry of the lists below; index 0 is `all`, the aggregate. */
  toolModelPairs(value: string[] | null): this;
  /** Lines that an AI added and a human then edited, per pair. */
  mixedAdditions(value: number[] | null): this;
  /** Lines in the commit that an AI added, per pair. */
  aiAdditions(value: number[] | null): this;
  /** Lines of an AI that were taken as they were, per pair. */
  aiAccepted(value: number[] | null): this;
  /** Lines that an AI added on the way to the commit, kept or not, per pair. */
  totalAiAdditions(value: number[] | null): this;
  /** Lines that an AI deleted on the way to the commit, per pair. */
  totalAiDeletions(value: number[] | null): this;
  /** Time the human waited for the AI, per pair. */
  timeWaitingForAi(value: number[] | null): this;
  /** Time of the commit's first checkpoint; null if there was none. */
  firstCheckpointTs(value: number | null): this;
  /** First line of the commit's message. */
  commitSubject(value: string | null): this;
  /** The rest of the commit's message; null if it is empty. */
  commitBody(value: string | null): this;
  /**
   * The event, as a plain object.
   * @param timestamp unix seconds; default now
   * @throws `ERR_INVALID_ARGUMENT`
   */
  build(attributes: EventAttributes, timestamp?: number): CommittedEvent;
}

/** Values of `agent_usage`. Absent: not set. `null`: explicitly nothing. */
export type AgentUsageEventValues = Record<string, never>;

/**
 * Recorded on every AI checkpoint; it has no values, the attributes say it all.
 * Metric 2.
 */
export interface AgentUsageEvent {
  metric: 'agent_usage';
  /** When it was recorded, in unix seconds. */
  timestamp: number;
  values: AgentUsageEventValues;
  attributes: EventAttributes;
  /** Only where the wire held something that this version can't name. */
  unknown?: UnknownField[];
}

/** Builder of `AgentUsageEvent`. */
export class AgentUsageBuilder {
  /**
   * The event, as a plain object.
   * @param timestamp unix seconds; default now
   * @throws `ERR_INVALID_ARGUMENT`
   */
  build(attributes: EventAttributes, timestamp?: number): AgentUsageEvent;
}

/** Values of `install_hooks`. Absent: not set. `null`: explicitly nothing. */
export interface InstallHooksEventValues {
  /** The tool whose hooks were to be installed. */
  toolId?: string | null;
  /** What became of it. */
  status?: InstallHooksStatus | (string & {}) | null;
  /** What the installer had to say, if anything. */
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
  /** Only where the wire held something that this version can't name. */
  unknown?: UnknownField[];
}

/**
 * Builder of `InstallHooksEvent`.
 * `null` sets an explicit null; a setter never called leaves its field unset.
 * A setter throws `ERR_INVALID_ARGUMENT` at a value that isn't of its field's type.
 */
export class InstallHooksBuilder {
  /** The tool whose hooks were to be installed. */
  toolId(value: string | null): this;
  /** What became of it. */
  status(value: InstallHooksStatus | null): this;
  /** What the installer had to say, if anything. */
  message(value: string | null): this;
  /**
   * The event, as a plain object.
   * @param timestamp unix seconds; default now
   * @throws `ERR_INVALID_ARGUMENT`
   */
  build(attributes: EventAttributes, timestamp?: number): InstallHooksEvent;
}

/** Values of `checkpoint`. Absent: not set. `null`: explicitly nothing. */
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
  /** Only where the wire held something that this version can't name. */
  unknown?: UnknownField[];
}

/**
 * Builder of `CheckpointEvent`.
 * `null` sets an explicit null; a setter never called leaves its field unset.
 * A setter throws `ERR_INVALID_ARGUMENT` at a value that isn't of its field's type.
 */
export class CheckpointBuilder {
  /** Time of the checkpoint. */
  checkpointTs(value: number | null): this;
  /** Who made the change. */
  kind(value: CheckpointKind | null): this;
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
  /**
   * The event, as a plain object.
   * @param timestamp unix seconds; default now
   * @throws `ERR_INVALID_ARGUMENT`
   */
  build(attributes: EventAttributes, timestamp?: number): CheckpointEvent;
}

/** Values of `prompt_event`. Absent: not set. `null`: explicitly nothing. */
export interface PromptEventValues {
  /** What the event is. */
  kind?: PromptEventKind | (string & {}) | null;
  /** Identity of the event: `<prompt_id>:<12 hex>`. A re-emit that knows more has the same one. */
  eventId?: string | null;
  /** The event before it; null for the first of its chain. */
  parentId?: string | null;
  /** Whether the parent was guessed, since no transcript could be read. */
  parentIdEstimated?: boolean | null;
  /** Name of the tool, skill tool or MCP tool. Set on tool-like kinds. */
  toolCallName?: string | null;
  /** The model's id. Set on everything the assistant did. */
  model?: string | null;
  /** Whether the call failed. Set on tool-like kinds, once known. */
  error?: boolean | null;
  /** When it began, in unix milliseconds. Set where the source has a time. */
  startTs?: number | null;
  /** Milliseconds it took, as the agent itself reports. Set on tool-like kinds, once known. */
  reportedDurationMs?: number | null;
  /** Milliseconds between call and result on the wall clock. Set on tool-like kinds, once known. */
  observedDurationMs?: number | null;
  /** 16 hex of the whole input's SHA-256. Set on all kinds but `SessionEnd`. */
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
 * Metric 5.
 */
export interface PromptEvent {
  metric: 'prompt_event';
  /** When it was recorded, in unix seconds. */
  timestamp: number;
  values: PromptEventValues;
  attributes: EventAttributes;
  /** Only where the wire held something that this version can't name. */
  unknown?: UnknownField[];
}

/**
 * Builder of `PromptEvent`.
 * `null` sets an explicit null; a setter never called leaves its field unset.
 * A setter throws `ERR_INVALID_ARGUMENT` at a value that isn't of its field's type.
 */
export class PromptEventBuilder {
  /** What the event is. */
  kind(value: PromptEventKind | null): this;
  /** Identity of the event: `<prompt_id>:<12 hex>`. A re-emit that knows more has the same one. */
  eventId(value: string | null): this;
  /** The event before it; null for the first of its chain. */
  parentId(value: string | null): this;
  /** Whether the parent was guessed, since no transcript could be read. */
  parentIdEstimated(value: boolean | null): this;
  /** Name of the tool, skill tool or MCP tool. Set on tool-like kinds. */
  toolCallName(value: string | null): this;
  /** The model's id. Set on everything the assistant did. */
  model(value: string | null): this;
  /** Whether the call failed. Set on tool-like kinds, once known. */
  error(value: boolean | null): this;
  /** When it began, in unix milliseconds. Set where the source has a time. */
  startTs(value: number | null): this;
  /** Milliseconds it took, as the agent itself reports. Set on tool-like kinds, once known. */
  reportedDurationMs(value: number | null): this;
  /** Milliseconds between call and result on the wall clock. Set on tool-like kinds, once known. */
  observedDurationMs(value: number | null): this;
  /** 16 hex of the whole input's SHA-256. Set on all kinds but `SessionEnd`. */
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
  endReason(value: SessionEndReason | null): this;
  /** The three skill fields at once. */
  skillFile(file: SkillFile | null): this;
  /**
   * The event, as a plain object.
   * @param timestamp unix seconds; default now
   * @throws `ERR_INVALID_ARGUMENT`
   */
  build(attributes: EventAttributes, timestamp?: number): PromptEvent;
}

/** An event whose metric this version can name, discriminated by `metric`. */
export type NamedEvent = CommittedEvent | AgentUsageEvent | InstallHooksEvent | CheckpointEvent | PromptEvent;
