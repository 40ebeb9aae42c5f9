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

/** Most events that a client puts into one upload. Later clients send up to 1,000, which parsing accepts by default. */
export const MAX_EVENTS_PER_UPLOAD: 250;

// ---- the codec ------------------------------------------------------------------------------------------------------

/**
 * Decodes the body of one upload, `{"v":1,"events":[…]}`. Bytes are the fast way; a string works too.
 *
 * An event that can't be decoded is listed in `errors`; the others are in `events`. The result consists of plain objects
 * that you own. Later calls never modify them.
 *
 * @param body the request's raw body, e.g. a `Buffer`. It is neither changed nor kept
 * @throws a `GitAiMetricsError` whose `code` is `ERR_INVALID_JSON` (line and column in the message), `ERR_INVALID_BATCH`,
 * `ERR_UNSUPPORTED_VERSION`, `ERR_TOO_MANY_EVENTS` or `ERR_BODY_TOO_LARGE` (both figures in the message), or
 * `ERR_INVALID_ARGUMENT`
 */
export function parseMetricsBatch(body: Uint8Array | string, options?: ParseOptions): MetricsBatch;

/**
 * Encodes events as the body of one upload: UTF-8 JSON without white space. It is the inverse of `parseMetricsBatch`:
 * unknown fields are written too, so encoding a parsed body gives an equal document.
 *
 * You may pass an unknown field at a position that this version knows, or an unknown metric with a known id. The body then
 * decodes as the known field or metric.
 *
 * Events that would decode as another metric are refused: a `prompt_event` with attribute `sessionId`, and a
 * `session_event` without it whose `rawJson` is neither an object nor an array. So are more than 1,024 unknown fields.
 *
 * @throws `ERR_INVALID_ARGUMENT` at the first value that doesn't fit the types, with its path:
 * `events[3].values.startTs: expected a safe non-negative integer, found -1`
 */
export function encodeMetricsBatch(events: readonly EncodableEvent[]): Buffer;

export interface ParseOptions {
  /** Most events a body may hold; default 1,000. */
  maxEvents?: number | undefined;
  /** Most bytes a body may have; a string is measured in UTF-8. Default 64 MiB: real uploads have up to 21 MB. */
  maxBytes?: number | undefined;
}

export interface MetricsBatch {
  /** The body's `v`. A body of any other version throws `ERR_UNSUPPORTED_VERSION`. */
  version: 1;
  /** The events that were decoded, in the request's order. */
  events: MetricEvent[];
  /** The events that were refused. Send this list back as the upload's answer, `{ errors }`. */
  errors: EventError[];
}

export interface EventError {
  /** The event's place in the request, from 0. */
  index: number;
  /** One line that says what was expected, what was found and where: `events[3].t: expected a u32 of unix seconds, found "x"`. */
  error: string;
  /** The kind of fault, for programs. */
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

/** A field that this version doesn't recognise, or whose value has another type. It is kept as raw JSON, so nothing is lost. */
export interface UnknownField {
  /** The object that held it: `v` on the wire is `values`, `a` is `attributes`. */
  section: 'values' | 'attributes';
  /** Its key, unchanged. */
  position: string;
  /** The value as raw JSON text. */
  json: string;
}

// ---- rows for ClickHouse --------------------------------------------------------------------------------------------

/**
 * All events of one upload as rows that ClickHouse takes as they are, each for its table: bytes in, bytes out, with no
 * JavaScript object per event in between. Every event that decodes has a row. An upload that comes again makes the same
 * rows again, and the tables make one row of them. A session record also gives rows of the prompt events that are derived
 * from it, if its agent is one of those that `parseTranscript` knows.
 *
 * The tables are in `sql/single` (one node) and `sql/cluster`; `sql/insert.sql` and its siblings are the statements that
 * take the rows.
 *
 * It refuses what `parseMetricsBatch` refuses, with the same limits and the same errors. In columns, a field that isn't
 * set and one that is explicitly null are both NULL, and a lone surrogate is U+FFFD.
 *
 * @param body the request's body as it came, e.g. a `Buffer`; not changed, not kept
 * @throws as `parseMetricsBatch` does
 */
export function encodeRows(body: Uint8Array | string, options: RowOptions): UploadRows;

/**
 * The prompt events of one upload alone, for the table `prompt_event_deliveries`. Events of other metrics are counted
 * and skipped. An event without `event_id` gets one made of its content, one without `prompt_id` the session that its
 * `event_id` names.
 *
 * @param body the request's body as it came, e.g. a `Buffer`; not changed, not kept
 * @throws as `parseMetricsBatch` does
 */
export function encodePromptEventRows(body: Uint8Array | string, options: RowOptions): PromptEventRows;

/**
 * The rows of several uploads as one insert: their bytes one after the other, under the first one's header. All must be
 * of one table and one format.
 *
 * @throws `ERR_INVALID_ARGUMENT`
 */
export function joinRows(parts: readonly Rows[]): Buffer;

export interface RowOptions extends ParseOptions {
  /** Whose events they are: from authentication, never from the body. Not empty. */
  orgId: string;
  /** When the upload arrived, in unix milliseconds from 2001 to the end of 2299; default now. */
  receivedAtMs?: number | undefined;
  /** Who uploads, decoded from `X-Author-Identity`: becomes `human_author` of events that name no author. */
  author?: string | undefined;
  /** The installation that uploads, from `X-Distinct-ID`. */
  installation?: string | undefined;
  /**
   * How far behind the installation's clock is, in milliseconds, negative if it is ahead; default 0. An event counts as a
   * sign of life (`heard_at`) if it was at most 10 minutes old on arrival, by that clock or by the true one.
   */
  clockSkewMs?: number | undefined;
  /**
   * `RowBinaryWithNames`, the default, is the faster for ClickHouse to take. `JSONEachRow` is a JSON object a line. Both
   * name their columns, so rows of one version of this package never land in the wrong columns of another's tables.
   */
  format?: 'RowBinaryWithNames' | 'JSONEachRow' | undefined;
}

export type RowTable = 'prompt_event_deliveries' | 'session_records' | 'metric_events';

/** Rows of one table. */
export interface Rows {
  /** The table that they are for. */
  table: RowTable;
  /** In memory of its own, exactly as large: posting it to another thread takes nothing else along. */
  rows: Buffer;
  rowCount: number;
  /**
   * How many bytes of `rows` name the columns, before the first row; 0 in `JSONEachRow`. An insert has one header: to
   * append rows to others of the same table yourself, leave that many bytes out, or use `joinRows`.
   */
  headerLength: number;
}

export interface UploadRows {
  /** The tables that the upload has rows for. */
  tables: Rows[];
  /** The events that were refused: send this list back as the upload's answer, `{ errors }`. */
  errors: EventError[];
  /** The `t` of the newest event, in unix milliseconds; null if there is none. Its distance to the arrival shows a clock's skew. */
  newestMs: number | null;
}

export interface PromptEventRows extends Rows {
  /** How many events are no prompt events. */
  skipped: number;
  /** The events that were refused: send this list back as the upload's answer, `{ errors }`. */
  errors: EventError[];
  /** As in `UploadRows`. */
  newestMs: number | null;
}

/**
 * The version of the rules by which events are derived from session records: column `deriver_version` of records that had
 * events derived from them on arrival. Records with a lower one are to be derived again.
 */
export const DERIVER_VERSION: number;

/**
 * Members that mark a record which others of the same time depend on, each as a name and its value: the session's origin,
 * a turn's model. `SessionSettler` needs such a record before the others.
 */
export const CONTEXT_RECORDS: readonly (readonly [member: string, value: string])[];

/**
 * How to tell a fork's own header from those that it has copied: `header` is the member that marks a header and its value,
 * `own` the path to a member that only the fork's own has. `SessionSettler` needs the fork's own before the others.
 */
export const FORK_HEADERS: readonly {
  readonly header: readonly [member: string, value: string];
  readonly own: readonly string[];
}[];

export interface SessionSettlerOptions {
  /** Whose session it is. Not empty. */
  orgId: string;
  /** `session_id` of its records. */
  sessionId: string;
  /** The length of the JSON of all of the session's records. Of several readings of a session, that of the most counts. */
  bytes: number;
  /** Write all events, not only what the records' own rows don't say. Default: `false`. */
  all?: boolean | undefined;
  /** Events to judge again: those derived from the session's records that have `settled` set, or, with `all`, all of them. */
  settled?: { eventId: string; eventMs: number; receivedAtMs: number }[] | undefined;
}

/**
 * Reads all records of one session again and writes what only all of them say: a model that an earlier record names, or
 * that an event doesn't count because another record holds it, too. The outcome depends on the set of records alone, also
 * when the session is settled several times.
 */
export class SessionSettler {
  /** @throws `ERR_INVALID_ARGUMENT` */
  constructor(options: SessionSettlerOptions);

  /**
   * Reads the next records, in the order of their time, and returns rows of `prompt_event_deliveries`.
   *
   * @param body records that one upload brought, from `encodeMetricsBatch`
   * @throws the errors of `encodeRows`
   */
  read(
    body: Uint8Array | string,
    options: { receivedAtMs: number; author?: string | undefined; installation?: string | undefined },
  ): Rows;

  /** Returns the last rows. */
  finish(): Rows;
}

/** The columns of each table, in the order of the rows, with the types that rows hold. */
export const ROW_COLUMNS: Readonly<Record<RowTable, readonly Readonly<{ name: string; type: string }>[]>>;

/** The names of the columns of `prompt_event_deliveries`, in the order of the rows. */
export const PROMPT_EVENT_COLUMNS: readonly string[];

// ---- capture --------------------------------------------------------------------------------------------------------

/**
 * Says which agent wrote a transcript, and which session it belongs to. The first record that shows the agent decides.
 *
 * @param head the transcript, or its beginning: a last line that is cut off doesn't count. It may be compressed with zstd; then
 * up to 8 MiB of decompressed bytes may be needed before the first line shows
 * @returns `null` if no line shows the agent. `sessionId` is absent if the line doesn't name the session
 * @throws `ERR_INVALID_ARGUMENT`
 */
export function identifyTranscript(head: Uint8Array | string): { agent: string; sessionId?: string } | null;

/**
 * The prompt events of a whole transcript. See `parseClaudeTranscript`.
 *
 * @param agent the agent that wrote it: `'claude'`, `'codex'`, `'github-copilot-cli'`, `'github-copilot'` (VS Code),
 * `'gemini'`, `'qwen'`, `'opencode'`, `'kimi'`, `'droid'` or `'pi'`
 * @param bytes the transcript; not changed, not kept
 * @throws `ERR_INVALID_ARGUMENT`, for an unknown agent with the names of the known ones
 */
export function parseTranscript(agent: string, bytes: Uint8Array | string, options: CaptureOptions): PromptEvent[];

/**
 * Extracts the prompt events of a whole Claude Code transcript, in the order of its lines. Each event comes once, with
 * everything that the transcript says about it. Lines that aren't JSON, or hold no event, are skipped.
 *
 * @param jsonl the transcript, one JSON object a line; not changed, not kept
 * @throws `ERR_INVALID_ARGUMENT`
 */
export function parseClaudeTranscript(jsonl: Uint8Array | string, options: CaptureOptions): PromptEvent[];

/**
 * Reads a transcript that grows: each `read()` returns the events that were appended since the last one. You can read
 * while the agent writes. If the file is truncated, rewritten, replaced, or missing for a while, it is read again from its
 * start; events that you already have aren't repeated unless they have gained something. A file whose name ends in `.zst` is
 * decompressed. If a file is missing, the one that compressing or decompressing it has made is read.
 */
export class TranscriptReader {
  /**
   * @param agent the agent that writes the file, as in `parseTranscript`
   * @throws `ERR_INVALID_ARGUMENT`, for an unknown agent with the names of the known ones; the file is looked at only when
   * it is read
   */
  constructor(agent: string, path: string, options: CaptureOptions);

  /**
   * Returns new events. An event whose call has finished since comes again: the same `eventId`, now with error and durations.
   * To bound memory, one call returns a limited number of events; you have read everything when it returns none.
   *
   * @param maxEvents stop after the line that reaches this number. Default: 1,000, or 100 while over 4 MiB are left to read
   * @throws `ERR_IO` if the file can't be read, after the events before the error have been returned. The reader stays where
   * it was, so a later call can succeed
   */
  read(maxEvents?: number): PromptEvent[];

  /**
   * Takes records that you have read elsewhere, such as rows of a database, and returns their events as `read()` does. The
   * reader's file isn't read then: use either `take` or `read`.
   *
   * @param records one record a line; not changed, not kept
   * @throws `ERR_INVALID_ARGUMENT`
   */
  take(records: Uint8Array | string): PromptEvent[];

  /**
   * For each event of the last `read()` or `take()`, the agent's own id of the record that it comes from; `null` where the record has
   * none. Resume and fork copy records, with their ids, into another session's file: a store of the ids that a user's
   * sessions have given shows which events are copies.
   */
  sources(): (string | null)[];

  /**
   * Opaque text from which `resume()` continues in another process. Store it once the events of the last `read()` are safe.
   * It grows with the calls that have no result yet, and by 10 characters per event, 20 for a call and for any
   * event of an agent other than Claude Code.
   */
  state(): string;

  /**
   * Frees the reader's memory now; a reader that is only dropped keeps it until Node next collects garbage. A closed reader
   * can do nothing more: its methods throw `ERR_INVALID_ARGUMENT`.
   */
  close(): void;

  /** How many bytes have been read: to the start of the next line, or into the middle of one longer than 32 MiB. */
  readonly offset: number;

  /**
   * Creates a reader that continues where another one returned `state`.
   * @throws `ERR_INVALID_ARGUMENT` if the text isn't a state, or belongs to another session
   */
  static resume(agent: string, path: string, options: CaptureOptions, state: string): TranscriptReader;
}

/** A Claude Code transcript that grows. */
export class ClaudeTranscriptReader {
  /** @throws `ERR_INVALID_ARGUMENT`; the file itself is opened by `read()` */
  constructor(path: string, options: CaptureOptions);
  /** @see TranscriptReader.read */
  read(maxEvents?: number): PromptEvent[];
  /** @see TranscriptReader.sources */
  sources(): (string | null)[];
  /** @see TranscriptReader.state */
  state(): string;
  /** @see TranscriptReader.close */
  close(): void;
  /** @see TranscriptReader.offset */
  readonly offset: number;
  /** @see TranscriptReader.resume */
  static resume(path: string, options: CaptureOptions, state: string): ClaudeTranscriptReader;
}

export interface CaptureOptions {
  /** Claude Code's own id of the session. Not empty. */
  sessionId: string;
  /** The session's project folder, whose skills are used. Default: the folder that the transcript names. */
  cwd?: string | undefined;
  /** The folder that holds the user's own skills; `''` for none. Default: the user's home directory. */
  homeDir?: string | undefined;
  /**
   * Masks in `inputText` what looks like a secret: keys, tokens, passwords in URLs and behind `password=`, private keys, and
   * strings of 20 characters or more that read like chance. The first and last 4 characters stay: `ghp_********x9Qz`. Paths,
   * names of git objects and uuids stay too. Ids and hashes are of the text as it is. Default: `false`.
   */
  redact?: boolean | undefined;
  /**
   * Whether a session file may be a link. With `false` a reader throws `ERR_IO` for one, and passes over subagents' files
   * behind a link. Windows follows links of files all the same. Default: `true`.
   */
  followLinks?: boolean | undefined;
  /** Attribute `gitAiVersion` of the events. */
  gitAiVersion?: string | undefined;
  /**
   * More attributes of the events. `tool`, `promptId` and `externalPromptId` always come from the session. So does `branch`,
   * if you don't give it: the first one that the session's files name. `sessionId` is refused, because it would turn them
   * into session events.
   */
  attributes?: EventAttributes | undefined;
}

/**
 * Captures the prompt events of one hook.
 *
 * If the session's transcript can be read (Claude Code, Codex, Copilot's CLI, Gemini CLI, Qwen Code, Kimi Code, Droid),
 * these are its new events, with what the hook alone knows about its call. Otherwise a hook about a prompt, a call or the last message makes one event from its payload,
 * with an estimated parent; the hooks before and after a call share one; all other hooks make none. While Claude Code's
 * transcript doesn't exist yet there are no events. A `SessionEnd` hook adds a `SessionEnd` event to a session that has
 * events.
 *
 * @param hookInput the payload as the hook received it: one JSON object
 * @param state the `state` that the call for the session's previous hook returned; absent for the first
 * @throws `ERR_INVALID_JSON`; `ERR_INVALID_ARGUMENT` if the payload names no session (the message lists the possible keys)
 * or the state belongs to another session
 */
export function captureHook(
  agent: string,
  hookInput: string,
  options?: HookOptions,
  state?: string,
): { events: PromptEvent[]; state: string };

/**
 * Works as `captureHook`, and keeps the session's state in a file under `<home>/.git-ai/internal/prompt-events/`. A second
 * hook of the same session waits until the first is done.
 *
 * @param deliver stores the events somewhere safe. `sources` holds for each event the agent's own id of the record that it
 * comes from, as `TranscriptReader.sources()` does. The state is saved after it returns; if it throws, or the process dies,
 * the session's next hook returns the events again, with equal ids. It must be synchronous: if it returns a promise, the
 * call throws and the state isn't saved. Without `deliver`, the state is saved before the call returns
 * @throws as `captureHook`; `ERR_INVALID_ARGUMENT` if `deliver` returns a promise; `ERR_IO` if the state's file can't be
 * read or written, isn't a regular file, or stays locked for 10 s; and whatever `deliver` throws
 */
export function captureStoredHook(
  agent: string,
  hookInput: string,
  options?: HookOptions,
  deliver?: (events: PromptEvent[], sources: (string | null)[]) => void,
): PromptEvent[];

export interface HookOptions {
  /** The name of the hook's event, for agents whose payloads don't hold it: `'postToolUse'`. */
  event?: string | undefined;
  /**
   * The folder that holds the user's own skills, and in which `captureStoredHook` keeps states. `''` means none, which
   * `captureStoredHook` refuses. Default: the user's home directory.
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
   * More attributes of the events. `tool`, `promptId` and `externalPromptId` always come from the session. So does `branch`,
   * if you don't give it: the first one that the session's files name. `sessionId` is refused, because it would turn them
   * into session events.
   */
  attributes?: EventAttributes | undefined;
  /** When the hook was received, in unix milliseconds, since payloads don't say. Default: now. */
  receivedAtMs?: number | undefined;
}

/**
 * Finds the file of one of Claude's skills: the first readable one of `.claude/skills/<name>/SKILL.md` and
 * `.claude/skills/<name>.md` in `cwd`, in the folders above it up to the git root, in `$CLAUDE_CONFIG_DIR` and in `homeDir`;
 * then the newest version of a plugin, for `plugin:skill`; then `.claude/commands/<name>.md`, or `<a>/<b>.md` for `a:b`.
 *
 * The name may come from a model and be anything. Only plain names resolve, and only to a regular file of at most 1 MiB that
 * is named `SKILL.md` or `*.md`, through links too.
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
 * Returns a session's identity: the first 16 hex digits of `sha256("<tool>:<session id>")`. A lone surrogate counts as U+FFFD.
 * @throws `ERR_INVALID_ARGUMENT`
 */
export function promptId(tool: string, sessionId: string): string;

/**
 * Returns an event's identity, `<prompt id>:<12 hex digits>`, equal to the one that git-ai clients compute. A lone
 * surrogate counts as U+FFFD.
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
 * Returns the first 16 hex digits of the SHA-256 of the whole content. A lone surrogate counts as U+FFFD.
 * @throws `ERR_INVALID_ARGUMENT`
 */
export function inputHash(content: string): string;

/**
 * Returns the start of a message for `inputText`: at most 1,024 bytes of UTF-8, never half a character. A lone surrogate
 * becomes U+FFFD, because UTF-8 can't hold it.
 * @throws `ERR_INVALID_ARGUMENT`
 */
export function truncateInputText(text: string): string;

/**
 * Returns the kind of a call of this tool: `mcp__…` is an `McpCall`, `Write`, `Edit` and `MultiEdit` are `FileWrite`, `Skill`
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
