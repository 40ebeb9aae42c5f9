/// <reference types="node" />

import type {
  ErrorCode,
  EventAttributes,
  EventErrorCode,
  NamedEvent,
  PromptEvent,
  PromptEventKind,
  SessionEndReason,
} from './generated/types.js';

export * from './generated/types.js';

/** The only version of the wire format. */
export const WIRE_VERSION: 1;

/** What a client puts into one upload; later clients use 1,000, which is what parsing takes by default. */
export const MAX_EVENTS_PER_UPLOAD: 250;

// ---- the codec ------------------------------------------------------------------------------------------------------

/**
 * Decodes the body of one upload, `{"v":1,"events":[…]}`. Bytes are the fast way; a string works too.
 *
 * An event that can't be decoded doesn't spoil the others: it is in `errors`, they are in `events`. Everything in the
 * result is the caller's own.
 *
 * @param body the request's body as it came, e.g. a `Buffer`; not changed, not kept
 * @throws an `Error` whose `code` is `ERR_INVALID_JSON` (line and column in the message), `ERR_INVALID_BATCH`,
 * `ERR_UNSUPPORTED_VERSION`, `ERR_TOO_MANY_EVENTS` or `ERR_BODY_TOO_LARGE` (both figures in the message), or
 * `ERR_INVALID_ARGUMENT`
 */
export function parseMetricsBatch(body: Uint8Array | string, options?: ParseOptions): MetricsBatch;

/**
 * The inverse: one body holding these events, as UTF-8 JSON without white space. What a parsed event held comes out
 * again, unknown fields included, so that parse and encode give back an equal document.
 *
 * An unknown field at a position that this version can name, or an unknown metric with an id that it can name, is taken
 * too: the body then decodes as what it names.
 *
 * An event that would decode as another metric is refused: a `prompt_event` with attribute `sessionId`, and a
 * `session_event` without it whose `rawJson` is neither an object nor an array. So are more than 1,024 unknown fields.
 *
 * @throws `ERR_INVALID_ARGUMENT` at the first thing that isn't as the types say, with its path:
 * `events[3].values.startTs: expected a safe non-negative integer, found -1`
 */
export function encodeMetricsBatch(events: readonly EncodableEvent[]): Buffer;

export interface ParseOptions {
  /** Most events a body may hold; default 1,000. */
  maxEvents?: number | undefined;
  /** Most bytes a body may have, a string's counted in UTF-8; default 64 MiB: real uploads have 21 MB. */
  maxBytes?: number | undefined;
}

export interface MetricsBatch {
  /** The body's `v`; another version than this one is `ERR_UNSUPPORTED_VERSION`. */
  version: 1;
  /** The events that decoded, in the request's order. */
  events: MetricEvent[];
  /** The events that did not: send this list back as the upload's answer, `{ errors }`. */
  errors: EventError[];
}

export interface EventError {
  /** Place of the event in the request, from 0. */
  index: number;
  /** What was expected, what was found and where, in one line: `events[3].t: expected a u32 of unix seconds, found "x"`. */
  error: string;
  /** The same for programs: which kind of fault it is. */
  code: EventErrorCode;
}

/**
 * An event of a batch, discriminated by `metric`.
 *
 * Two metrics share id 5. An event of that id is a `session_event` if attribute `sessionId` is set, or if its position 0
 * is an object or an array; otherwise it is a `prompt_event`.
 */
export type MetricEvent = NamedEvent | UnknownEvent;

/** An event to encode: a `MetricEvent`, whose lists may be read-only. */
export type EncodableEvent = ReadonlyLists<MetricEvent>;

/** The same type with read-only lists. */
type ReadonlyLists<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly ReadonlyLists<Item>[]
    : { [Name in keyof T]: ReadonlyLists<T[Name]> };

/** An event whose metric is new to this version: all its values are in `unknown`. */
export interface UnknownEvent {
  metric: 'unknown';
  /** Its id on the wire, a u16. */
  metricId: number;
  /** When it was recorded, in unix seconds. */
  timestamp: number;
  values: Record<string, never>;
  attributes: EventAttributes;
  unknown?: UnknownField[];
}

/** A position that is new to this version, or whose value is not of the field's type: kept, so that nothing is lost. */
export interface UnknownField {
  /** Which object of the event held it: `v` on the wire, or `a`. */
  section: 'values' | 'attributes';
  /** The key as it stood. */
  position: string;
  /** The value as raw JSON text. */
  json: string;
}

// ---- rows for ClickHouse --------------------------------------------------------------------------------------------

/**
 * The prompt events of one upload as rows that ClickHouse takes as they are: bytes in, bytes out, with no JavaScript
 * object in between. `require.resolve('git-ai-metrics/sql/insert.sql')` is the statement that takes them.
 *
 * As strict as `parseMetricsBatch`, with the same limits and the same errors. A field that isn't set and one that is
 * explicitly null are both NULL; a lone surrogate is U+FFFD; what this version can't name has no column. An event
 * without `event_id` gets one made of its content, one without `prompt_id` the session that its `event_id` names.
 *
 * @param body the request's body as it came, e.g. a `Buffer`; not changed, not kept
 * @throws as `parseMetricsBatch` does
 */
export function encodePromptEventRows(body: Uint8Array | string, options: RowOptions): PromptEventRows;

export interface RowOptions extends ParseOptions {
  /** Whose events they are: from authentication, never from the body. Not empty. */
  orgId: string;
  /** When the upload arrived, in unix milliseconds before the end of 2299; default now. */
  receivedAtMs?: number | undefined;
  /** `RowBinary`, the default, is the faster for ClickHouse to take; `JSONEachRow` is a JSON object a line. */
  format?: 'RowBinary' | 'JSONEachRow' | undefined;
}

export interface PromptEventRows {
  rows: Buffer;
  rowCount: number;
  /** Events that are no prompt events. */
  skipped: number;
  /** The events that were refused: send this list back as the upload's answer, `{ errors }`. */
  errors: EventError[];
}

/** The columns, in the order of the rows. */
export const PROMPT_EVENT_COLUMNS: readonly string[];

// ---- capture --------------------------------------------------------------------------------------------------------

/**
 * The prompt events of a whole transcript, as `parseClaudeTranscript` gives them for Claude's.
 *
 * @param agent the agent that wrote it: `'claude'`
 * @param bytes the transcript; not changed, not kept
 * @throws `ERR_INVALID_ARGUMENT`, for an unknown agent with the names of the known ones
 */
export function parseTranscript(agent: string, bytes: Uint8Array | string, options: CaptureOptions): PromptEvent[];

/**
 * The prompt events of a whole Claude Code transcript, in the order of their lines: each once, with all that the
 * transcript tells of it. Lines that aren't JSON are skipped, and so is what tells nothing.
 *
 * @param jsonl the transcript, one JSON object a line; not changed, not kept
 * @throws `ERR_INVALID_ARGUMENT`
 */
export function parseClaudeTranscript(jsonl: Uint8Array | string, options: CaptureOptions): PromptEvent[];

/**
 * A transcript that grows: each `read()` takes what was appended since the last one. It can be read while
 * the agent writes, and goes on after the file was truncated, rewritten, replaced or gone for a while: the file is then
 * read again from its start, and what was given out isn't given out again unless it knows more.
 */
export class TranscriptReader {
  /**
   * @param agent the agent that writes the file: `'claude'`
   * @throws `ERR_INVALID_ARGUMENT`, for an unknown agent with the names of the known ones; the file is looked at only when
   * it is read
   */
  constructor(agent: string, path: string, options: CaptureOptions);

  /**
   * New events, and earlier ones again whose call has become known better since: the same `eventId`, now with error and
   * durations. So that a file of any length takes little memory, one call stops after so many events, and the rest comes
   * with the next calls: all has been read when there are none.
   *
   * @param maxEvents stop after the line that gave as many; default: 1,000, and 100 while more than 4 MiB are left to read
   * @throws `ERR_IO` with path and system code in the message, if there is nothing to give before it; the reader stays
   * where it was, so that a later call can succeed
   */
  read(maxEvents?: number): PromptEvent[];

  /**
   * How far the file has been read and what was given out, to go on from in another process: opaque text, to be stored
   * once the events of the last `read()` are safe. It grows with the calls that have no result yet, and by 10 characters
   * with each event, 20 if it is a call.
   */
  state(): string;

  /** How many bytes of the file have been read: up to where the line begins that is read next, or into one of over 32 MiB. */
  readonly offset: number;

  /**
   * A reader that goes on where another one stood when it gave out `state`.
   * @throws `ERR_INVALID_ARGUMENT` for a state that isn't one, or that is another session's
   */
  static resume(agent: string, path: string, options: CaptureOptions, state: string): TranscriptReader;
}

/** A Claude Code transcript that grows. */
export class ClaudeTranscriptReader {
  /** @throws `ERR_INVALID_ARGUMENT`; the file is looked at only when it is read */
  constructor(path: string, options: CaptureOptions);
  /** @see TranscriptReader.read */
  read(maxEvents?: number): PromptEvent[];
  /** @see TranscriptReader.state */
  state(): string;
  /** @see TranscriptReader.offset */
  readonly offset: number;
  /** @see TranscriptReader.resume */
  static resume(path: string, options: CaptureOptions, state: string): ClaudeTranscriptReader;
}

export interface CaptureOptions {
  /** Claude Code's own id of the session. Not empty. */
  sessionId: string;
  /** Where the session's project is, to find its skills. Default: where the transcript says that Claude worked. */
  cwd?: string | undefined;
  /** Where the user's own skills are found; `''` for nowhere. Default: the user's home directory. */
  homeDir?: string | undefined;
  /**
   * Masks in `inputText` what looks like a secret: keys, tokens, passwords in URLs and behind `password=`, private keys, and
   * strings of 20 characters or more that read like chance. The first and last 4 characters stay: `ghp_********x9Qz`. Paths,
   * names of git objects and uuids stay too. Ids and hashes are of the text as it is. Default: `false`.
   */
  redact?: boolean | undefined;
  /** Attribute `gitAiVersion` of the events. */
  gitAiVersion?: string | undefined;
  /**
   * Further attributes of the events. `tool`, `promptId` and `externalPromptId` are the session's, whatever stands here.
   * `sessionId` is refused: it would make session events of them.
   */
  attributes?: EventAttributes | undefined;
}

/**
 * The prompt events that one hook of an agent brings to light.
 *
 * Of Claude (`agent` is `claude`) they are what its transcript holds that is new, to which the hook adds what it knows of
 * its call. Where there is no transcript that can be read, and for every other agent, it is one event, made from the
 * payload alone, whose parent is estimated.
 *
 * @param hookInput the payload, one JSON object, as the hook received it
 * @param state what the call for the session's previous hook returned; absent for its first
 * @throws `ERR_INVALID_JSON`, or `ERR_INVALID_ARGUMENT` where the payload names no session (the message lists the keys
 * where it could) or the state is not one of this session
 */
export function captureHook(
  agent: string,
  hookInput: string,
  options?: HookOptions,
  state?: string,
): { events: PromptEvent[]; state: string };

/**
 * `captureHook`, with the session's state kept in a file under `<home>/.git-ai/internal/prompt-events/`. A second hook of
 * the session waits until the first is done.
 *
 * @param deliver takes the events to where they are safe, before the state is saved: if it throws, or the process dies
 * meanwhile, the next hook of the session gives them again, with equal ids. It has to be done when it returns: what
 * returns a promise is refused, with the state not saved. Without it the state is saved before the call returns.
 * @throws as `captureHook`; `ERR_INVALID_ARGUMENT` where `deliver` returns a promise; `ERR_IO` where the state's file
 * can't be read or written, is no regular file, or stays locked for 10 s; and whatever `deliver` throws
 */
export function captureStoredHook(
  agent: string,
  hookInput: string,
  options?: HookOptions,
  deliver?: (events: PromptEvent[]) => void,
): PromptEvent[];

export interface HookOptions {
  /**
   * Where the user's own skills are found, and where `captureStoredHook` keeps states; `''` for nowhere, which it refuses.
   * Default: the user's home directory.
   */
  homeDir?: string | undefined;
  /**
   * Masks in `inputText` what looks like a secret: keys, tokens, passwords in URLs and behind `password=`, private keys, and
   * strings of 20 characters or more that read like chance. The first and last 4 characters stay: `ghp_********x9Qz`. Paths,
   * names of git objects and uuids stay too. Ids and hashes are of the text as it is. Default: `false`.
   */
  redact?: boolean | undefined;
  /** Attribute `gitAiVersion` of the events. */
  gitAiVersion?: string | undefined;
  /**
   * Further attributes of the events. `tool`, `promptId` and `externalPromptId` are the session's, whatever stands here.
   * `sessionId` is refused: it would make session events of them.
   */
  attributes?: EventAttributes | undefined;
  /** When the hook was received, in unix milliseconds: payloads have no time. Default: now. */
  receivedAtMs?: number | undefined;
}

/**
 * The file of one of Claude's skills: the first that can be read of `.claude/skills/<name>/SKILL.md` and
 * `.claude/skills/<name>.md`, in `cwd` and then in `homeDir`.
 *
 * The name may come from a model and be anything: only a plain name resolves, only to a regular file of at most 1 MiB,
 * and not through a link that leads out of the skills folder.
 *
 * @param cwd the project's folder
 * @param homeDir `''` for none; default the user's home directory
 * @returns `null` if there is none
 * @throws `ERR_INVALID_ARGUMENT`
 */
export function resolveSkillFile(name: string, cwd: string, homeDir?: string): SkillFile | null;

/** The file behind a skill invocation. */
export interface SkillFile {
  /** Absolute path. */
  path: string;
  /** When it was last changed, in unix milliseconds. */
  mtimeMs: number;
  /** First 16 hex of the SHA-256 of its bytes. */
  hash: string;
}

// ---- sessions -------------------------------------------------------------------------------------------------------

/**
 * Knows which sessions of a client are alive, and ends those whose human has gone.
 *
 * Feed it every event that you flush, then call `sweep()` once a minute and flush what it returns. Memory is bounded: a
 * session is forgotten a day after its end, and of more than 10,000 sessions the ones that were silent longest go first.
 */
export class SessionTracker {
  constructor();

  /**
   * Takes note of an event. The order of events doesn't matter, and neither do repeats. An event that names no session, or
   * whose ids are longer than 256 bytes, is passed over.
   *
   * @param receivedAtMs when the event was flushed, in unix milliseconds. An event that was over 10 minutes old by then is
   * no sign of life
   * @throws `ERR_INVALID_ARGUMENT`
   */
  observe(event: PromptEvent, receivedAtMs: number): void;

  /**
   * The session's state, by the rule of the Sessions backend.
   *
   * @param promptId attribute `promptId` of the session's events
   * @param nowMs unix milliseconds
   * @returns `null` for a session that was never observed, or that has been forgotten
   * @throws `ERR_INVALID_ARGUMENT`
   */
  status(promptId: string, nowMs: number): SessionStatus | null;

  /**
   * Ends the sessions that have no end and whose last message of a human or call of a tool is 30 minutes old: returns a
   * `SessionEnd` with `endReason: 'idle_timeout'` for each. What the agent says or thinks keeps no session alive.
   *
   * The end is tied to that last event: it has its attributes and its time as `startTs`, it is its child, and its own
   * `eventId` follows from the parent's, so two sweeps over the same session make the same event. `timestamp` is `nowMs`.
   * A session that is ended here counts as ended: the next `sweep()` doesn't return it again.
   *
   * @param nowMs unix milliseconds
   * @throws `ERR_INVALID_ARGUMENT`
   */
  sweep(nowMs: number): PromptEvent[];

  /** All that is known, as opaque text for `resume()` in another process. Store it once the events of the last `sweep()` are safe. */
  state(): string;

  /**
   * A tracker that goes on where another one stood when it returned `state`.
   * @throws `ERR_INVALID_ARGUMENT` for a text that isn't such a state
   */
  static resume(state: string): SessionTracker;
}

/** What is known about a session at some moment. */
export type SessionStatus =
  /** `live`: a fresh event arrived within the last minute. `quiet`: none did, and the session has no end. */
  | { state: 'live' | 'quiet' }
  /** It has an end, and no fresh event arrived after it. */
  | { state: 'ended'; reason: SessionEndReason };

// ---- identities -----------------------------------------------------------------------------------------------------

/**
 * A session's identity: the first 16 hex of `sha256("<tool>:<session id>")`. A lone surrogate counts as U+FFFD.
 * @throws `ERR_INVALID_ARGUMENT`
 */
export function promptId(tool: string, sessionId: string): string;

/**
 * An event's identity, `<prompt id>:<12 hex>`: equal to what the client in the field gives it. A lone surrogate counts as
 * U+FFFD.
 *
 * @param content a message's text, of which the first 256 bytes of UTF-8 count, or `<tool name>:<tool use id>`
 * @param index the event's place in the flattened transcript, from 0
 * @throws `ERR_INVALID_ARGUMENT`
 */
export function eventId(
  promptId: string,
  kind: PromptEventKind | (string & {}),
  content: string,
  index: number,
): string;

/**
 * The first 16 hex of the SHA-256 of a content, which counts as a whole; a lone surrogate in it counts as U+FFFD.
 * @throws `ERR_INVALID_ARGUMENT`
 */
export function inputHash(content: string): string;

/**
 * The start of a message for `inputText`: at most 1,024 bytes of UTF-8, never half a character. A lone surrogate, which
 * UTF-8 can't hold, becomes U+FFFD.
 * @throws `ERR_INVALID_ARGUMENT`
 */
export function truncateInputText(text: string): string;

/**
 * The kind of a call of this tool: `mcp__…` is an `McpCall`, `Write`, `Edit` and `MultiEdit` are `FileWrite`, `Skill`
 * and `SlashCommand` are `SkillInvocation`, any other is a `ToolCall`.
 * @throws `ERR_INVALID_ARGUMENT`
 */
export function kindForTool(toolName: string): PromptEventKind;

// ---- errors ---------------------------------------------------------------------------------------------------------

/**
 * What every function here throws. It is an `Error` of your own realm, so `instanceof Error` and `toThrow(Error)` hold under
 * Jest and Vitest too.
 */
export class GitAiMetricsError extends Error {
  constructor(
    code: ErrorCode,
    message: string,
    details?: {
      path?: string | undefined;
      syscall?: string | undefined;
      errno?: number | undefined;
      cause?: unknown;
    },
  );

  name: 'GitAiMetricsError';

  /** Stable: switch on it. */
  code: ErrorCode;

  /**
   * Where the fault is. `ERR_INVALID_ARGUMENT`: the argument or the part of one, such as `events[3].values.startTs`.
   * `ERR_IO`: the file or folder.
   */
  path?: string;

  /** `ERR_IO`: the system call that failed, such as `open`. */
  syscall?: string;

  /** `ERR_IO`: the system's error as Node numbers it; `util.getSystemErrorName(errno)` is its name, such as `ENOENT`. */
  errno?: number;

  /** What led to this error. `ERR_BINDING_MISSING`: why the addon could not be loaded. */
  cause?: unknown;
}
