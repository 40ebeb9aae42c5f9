/**
 * A second, slow and obvious implementation of the codec, written from the description of the wire format and not from
 * the code under test. What the package answers is compared with what this file answers, so nothing here may import it.
 */
import { createHash } from 'node:crypto';

// ---- the table, by hand ---------------------------------------------------------------------------------------------

export type FieldType = 'u32' | 'u64' | 'bool' | 'string' | 'u32[]' | 'u64[]' | 'string[]' | 'json';
export interface Field {
  position: number;
  name: string;
  type: FieldType;
}
export interface Metric {
  id: number;
  name: string;
  fields: Field[];
}

/** Two metrics share this id. */
export const SHARED_ID = 5;

const field = (position: number, name: string, type: FieldType): Field => ({ position, name, type });

export const METRICS: Metric[] = [
  {
    id: 1,
    name: 'committed',
    fields: [
      field(0, 'humanAdditions', 'u32'),
      field(1, 'gitDiffDeletedLines', 'u32'),
      field(2, 'gitDiffAddedLines', 'u32'),
      field(3, 'toolModelPairs', 'string[]'),
      field(4, 'mixedAdditions', 'u32[]'),
      field(5, 'aiAdditions', 'u32[]'),
      field(6, 'aiAccepted', 'u32[]'),
      field(7, 'totalAiAdditions', 'u32[]'),
      field(8, 'totalAiDeletions', 'u32[]'),
      field(9, 'timeWaitingForAi', 'u64[]'),
      field(10, 'firstCheckpointTs', 'u64'),
      field(11, 'commitSubject', 'string'),
      field(12, 'commitBody', 'string'),
      field(13, 'authorshipNote', 'string'),
      field(14, 'hunks', 'string'),
      field(15, 'authorTs', 'u64'),
      field(16, 'commitTs', 'u64'),
      field(17, 'patchId', 'string'),
    ],
  },
  { id: 2, name: 'agent_usage', fields: [] },
  {
    id: 3,
    name: 'install_hooks',
    fields: [field(0, 'toolId', 'string'), field(1, 'status', 'string'), field(2, 'message', 'string')],
  },
  {
    id: 4,
    name: 'checkpoint',
    fields: [
      field(0, 'checkpointTs', 'u64'),
      field(1, 'kind', 'string'),
      field(2, 'filePath', 'string'),
      field(3, 'linesAdded', 'u32'),
      field(4, 'linesDeleted', 'u32'),
      field(5, 'linesAddedSloc', 'u32'),
      field(6, 'linesDeletedSloc', 'u32'),
      field(7, 'externalToolUseId', 'string'),
      field(8, 'editKind', 'string'),
      field(9, 'checkpointType', 'string'),
      field(10, 'attributionRecoveryMetadata', 'string'),
    ],
  },
  {
    id: 5,
    name: 'session_event',
    fields: [
      field(0, 'rawJson', 'json'),
      field(1, 'externalEventId', 'string'),
      field(2, 'externalParentEventId', 'string'),
      field(3, 'externalToolUseId', 'string'),
    ],
  },
  {
    id: 5,
    name: 'prompt_event',
    fields: [
      field(0, 'kind', 'string'),
      field(1, 'eventId', 'string'),
      field(2, 'parentId', 'string'),
      field(3, 'parentIdEstimated', 'bool'),
      field(4, 'toolCallName', 'string'),
      field(5, 'model', 'string'),
      field(6, 'error', 'bool'),
      field(7, 'startTs', 'u64'),
      field(8, 'reportedDurationMs', 'u64'),
      field(9, 'observedDurationMs', 'u64'),
      field(10, 'inputHash', 'string'),
      field(11, 'inputText', 'string'),
      field(12, 'skillFilePath', 'string'),
      field(13, 'skillFileMtime', 'u64'),
      field(14, 'skillFileHash', 'string'),
      field(15, 'endReason', 'string'),
    ],
  },
  {
    id: 6,
    name: 'otel_trace',
    fields: [
      field(0, 'rawJson', 'json'),
      field(1, 'externalEventId', 'string'),
      field(2, 'externalParentEventId', 'string'),
      field(3, 'externalToolUseId', 'string'),
    ],
  },
  {
    id: 7,
    name: 'rewrite_committed',
    fields: [
      field(0, 'humanAdditions', 'u32'),
      field(1, 'gitDiffDeletedLines', 'u32'),
      field(2, 'gitDiffAddedLines', 'u32'),
      field(3, 'toolModelPairs', 'string[]'),
      field(5, 'aiAdditions', 'u32[]'),
      field(6, 'aiAccepted', 'u32[]'),
      field(11, 'commitSubject', 'string'),
      field(12, 'commitBody', 'string'),
      field(13, 'authorshipNote', 'string'),
      field(14, 'hunks', 'string'),
      field(15, 'operationKind', 'string'),
      field(16, 'originalCommitShas', 'string[]'),
    ],
  },
  {
    id: 8,
    name: 'daemon_ingest_anomaly',
    fields: [
      field(0, 'tracePayloadsDroppedQueueFull', 'u64'),
      field(1, 'traceConnectionsDropped', 'u64'),
      field(2, 'telemetryMetricBatchesDropped', 'u64'),
      field(3, 'checkpointsDropped', 'u64'),
    ],
  },
];

export const ATTRIBUTES: Field[] = [
  field(0, 'gitAiVersion', 'string'),
  field(1, 'repoUrl', 'string'),
  field(2, 'author', 'string'),
  field(3, 'commitSha', 'string'),
  field(4, 'baseCommitSha', 'string'),
  field(5, 'branch', 'string'),
  field(20, 'tool', 'string'),
  field(21, 'model', 'string'),
  field(22, 'promptId', 'string'),
  field(23, 'externalPromptId', 'string'),
  field(24, 'sessionId', 'string'),
  field(25, 'traceId', 'string'),
  field(26, 'parentSessionId', 'string'),
  field(27, 'externalParentSessionId', 'string'),
  field(30, 'customAttributes', 'string'),
];

// ---- JSON, with its text kept ---------------------------------------------------------------------------------------

/** `JSON.parse` loses `1.0`, the digits of big integers, duplicate keys and their order; this keeps the text of all. */
export type Json =
  | { type: 'null'; text: string }
  | { type: 'boolean'; text: string; value: boolean }
  | { type: 'number'; text: string }
  | { type: 'string'; text: string; value: string }
  | { type: 'array'; text: string; items: Json[] }
  | { type: 'object'; text: string; entries: [string, Json][] };

export class JsonError extends Error {
  constructor(readonly offset: number) {
    super(`not JSON at ${offset}`);
  }
}

/** Reads exactly one JSON value of RFC 8259, or throws a {@link JsonError}. */
export function readJson(source: string): Json {
  let at = 0;
  const fail = (): never => {
    throw new JsonError(at);
  };
  const space = () => {
    while (at < source.length && ' \t\n\r'.includes(source[at])) at++;
  };
  const word = (expected: string) => {
    for (const character of expected) {
      if (source[at] !== character) fail();
      at++;
    }
  };
  const digits = () => {
    const start = at;
    while (/^[0-9]$/.test(source[at] ?? '')) at++;
    if (at === start) fail();
  };
  const string = (): string => {
    let value = '';
    word('"');
    for (;;) {
      const character = source[at];
      if (character === undefined || character < ' ') return fail();
      at++;
      if (character === '"') return value;
      if (character !== '\\') {
        value += character;
        continue;
      }
      const letter = source[at];
      const simple = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }[letter];
      if (simple !== undefined) {
        at++;
        value += simple;
      } else if (letter === 'u') {
        at++;
        const hex = source.slice(at, at + 4);
        if (!/^[0-9a-fA-F]{4}$/.test(hex)) fail();
        at += 4;
        value += String.fromCharCode(Number.parseInt(hex, 16));
      } else {
        return fail();
      }
    }
  };
  const value = (): Json => {
    const start = at;
    const text = () => source.slice(start, at);
    switch (source[at]) {
      case 'n':
        word('null');
        return { type: 'null', text: text() };
      case 't':
        word('true');
        return { type: 'boolean', text: text(), value: true };
      case 'f':
        word('false');
        return { type: 'boolean', text: text(), value: false };
      case '"': {
        const read = string();
        return { type: 'string', text: text(), value: read };
      }
      case '[': {
        const items: Json[] = [];
        at++;
        space();
        if (source[at] === ']') {
          at++;
          return { type: 'array', text: text(), items };
        }
        for (;;) {
          space();
          items.push(value());
          space();
          if (source[at] === ',') {
            at++;
          } else {
            word(']');
            return { type: 'array', text: text(), items };
          }
        }
      }
      case '{': {
        const entries: [string, Json][] = [];
        at++;
        space();
        if (source[at] === '}') {
          at++;
          return { type: 'object', text: text(), entries };
        }
        for (;;) {
          space();
          const key = string();
          space();
          word(':');
          space();
          entries.push([key, value()]);
          space();
          if (source[at] === ',') {
            at++;
          } else {
            word('}');
            return { type: 'object', text: text(), entries };
          }
        }
      }
      default: {
        if (source[at] === '-') at++;
        if (source[at] === '0') at++;
        else digits();
        if (source[at] === '.') {
          at++;
          digits();
        }
        if (source[at] === 'e' || source[at] === 'E') {
          at++;
          if (source[at] === '+' || source[at] === '-') at++;
          digits();
        }
        return { type: 'number', text: text() };
      }
    }
  };
  space();
  const whole = value();
  space();
  if (at < source.length) fail();
  return whole;
}

/** Of duplicate keys the last one wins, and takes its own place. */
function lastWins(entries: [string, Json][]): Map<string, Json> {
  const map = new Map<string, Json>();
  for (const [key, value] of entries) {
    map.delete(key);
    map.set(key, value);
  }
  return map;
}

/** What two documents that are equal but for key order, white space, duplicate keys and escapes have in common. */
export function canonical(json: Json): unknown {
  switch (json.type) {
    case 'null':
      return null;
    case 'boolean':
      return json.value;
    case 'number':
      return { number: json.text };
    case 'string':
      return json.value;
    case 'array':
      return { items: json.items.map(canonical) };
    case 'object': {
      const entries = [...lastWins(json.entries)].map(([key, value]) => [key, canonical(value)] as const);
      return { entries: entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)) };
    }
  }
}

// ---- decode ---------------------------------------------------------------------------------------------------------

export interface ModelUnknown {
  section: 'values' | 'attributes';
  position: string;
  json: string;
}
export interface ModelEvent {
  metric: string;
  metricId?: number;
  timestamp: number;
  values: Record<string, unknown>;
  attributes: Record<string, unknown>;
  unknown?: ModelUnknown[];
}
export interface ModelBatch {
  version: 1;
  events: ModelEvent[];
  errors: { index: number; code: string }[];
}
export class ModelError extends Error {
  constructor(
    readonly code: string,
    message = code,
  ) {
    super(message);
  }
}

const U16 = 65_535;
const U32 = 4_294_967_295;

/** The number, where the text is an integer without sign, fraction and exponent that is not above `most`. */
function integer(json: Json, most: number): number | undefined {
  if (json.type !== 'number' || !/^[0-9]+$/.test(json.text) || BigInt(json.text) > BigInt(most)) return undefined;
  return Number(json.text);
}

/** The field's value in JavaScript, or undefined if the wire's value is not of the field's type. */
function fieldValue(json: Json, type: FieldType): unknown {
  if (type.endsWith('[]')) {
    if (json.type !== 'array') return undefined;
    const items = json.items.map((item) => fieldValue(item, type.slice(0, -2) as FieldType));
    return items.includes(undefined) ? undefined : items;
  }
  switch (type) {
    case 'u32':
      return integer(json, U32);
    case 'u64':
      return integer(json, Number.MAX_SAFE_INTEGER);
    case 'bool':
      return json.type === 'boolean' ? json.value : undefined;
    case 'json':
      return json.text;
    default:
      return json.type === 'string' ? json.value : undefined;
  }
}

function decodeSection(
  section: 'values' | 'attributes',
  entries: [string, Json][],
  fields: Field[],
  unknown: ModelUnknown[],
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [position, json] of lastWins(entries)) {
    const known = fields.find((candidate) => String(candidate.position) === position);
    const value = known && (json.type === 'null' ? null : fieldValue(json, known.type));
    if (known && value !== undefined) result[known.name] = value;
    else unknown.push({ section, position, json: json.text });
  }
  return result;
}

const MOST_UNKNOWN = 1024;

/** The metric of this id; of the two that share one, the one that the event's members speak for. */
function metricOf(id: number, values: [string, Json][], attributes: [string, Json][]): Metric | undefined {
  if (id !== SHARED_ID) return METRICS.find((candidate) => candidate.id === id);
  const sessionId = lastWins(attributes).get('24');
  const record = lastWins(values).get('0');
  const isSession =
    sessionId?.type === 'string' || sessionId?.type === 'null' || record?.type === 'object' || record?.type === 'array';
  return METRICS.find(({ name }) => name === (isSession ? 'session_event' : 'prompt_event'));
}

function decodeEvent(json: Json): ModelEvent | string {
  if (json.type !== 'object') return 'ERR_WRONG_TYPE';
  const keys = lastWins(json.entries);
  const numbers: number[] = [];
  for (const [key, most] of [
    ['t', U32],
    ['e', U16],
  ] as const) {
    const value = keys.get(key);
    if (!value) return 'ERR_MISSING_KEY';
    if (value.type !== 'number' || !/^(0|-?[1-9][0-9]*)$/.test(value.text)) return 'ERR_WRONG_TYPE';
    const read = integer(value, most);
    if (read === undefined) return 'ERR_OUT_OF_RANGE';
    numbers.push(read);
  }
  const [timestamp, metricId] = numbers;
  const sections: [string, Json][][] = [];
  for (const key of ['v', 'a']) {
    const value = keys.get(key);
    if (!value) return 'ERR_MISSING_KEY';
    if (value.type !== 'object') return 'ERR_WRONG_TYPE';
    sections.push(value.entries);
  }
  const metric = metricOf(metricId, sections[0], sections[1]);
  const unknown: ModelUnknown[] = [];
  const values = decodeSection('values', sections[0], metric?.fields ?? [], unknown);
  const attributes = decodeSection('attributes', sections[1], ATTRIBUTES, unknown);
  if (unknown.length > MOST_UNKNOWN) return 'ERR_TOO_MANY_FIELDS';
  return {
    metric: metric?.name ?? 'unknown',
    ...(metric ? {} : { metricId }),
    timestamp,
    values,
    attributes,
    ...(unknown.length > 0 ? { unknown } : {}),
  };
}

function bodyText(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw new ModelError('ERR_INVALID_JSON');
  }
}

/**
 * The events of the batch as the wire holds them; everything that is wrong with the whole throws a {@link ModelError}.
 */
interface Limits {
  maxEvents?: number | undefined;
  maxBytes?: number | undefined;
}

function batchItems(body: Uint8Array | string, limits: Limits): Json[] {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : body;
  if (bytes.length > (limits.maxBytes ?? 64 * 1024 * 1024)) throw new ModelError('ERR_BODY_TOO_LARGE');
  let json: Json;
  try {
    json = readJson(bodyText(bytes));
  } catch {
    throw new ModelError('ERR_INVALID_JSON');
  }
  if (json.type !== 'object') throw new ModelError('ERR_INVALID_BATCH');
  const keys = lastWins(json.entries);
  const version = keys.get('v');
  if (version?.type !== 'number') throw new ModelError('ERR_INVALID_BATCH');
  if (version.text !== '1') throw new ModelError('ERR_UNSUPPORTED_VERSION');
  const events = keys.get('events');
  if (events?.type !== 'array') throw new ModelError('ERR_INVALID_BATCH');
  if (events.items.length > (limits.maxEvents ?? 1_000)) throw new ModelError('ERR_TOO_MANY_EVENTS');
  return events.items;
}

export function decode(body: Uint8Array | string, limits: Limits = {}): ModelBatch {
  const batch: ModelBatch = { version: 1, events: [], errors: [] };
  for (const [index, item] of batchItems(body, limits).entries()) {
    const event = decodeEvent(item);
    if (typeof event === 'string') batch.errors.push({ index, code: event });
    else batch.events.push(event);
  }
  return batch;
}

/**
 * What encoding the decoded events has to give back: the document without the events that do not decode and without the
 * keys of the envelopes that have no meaning.
 */
export function canonicalBatch(body: Uint8Array | string, limits: Limits = {}): unknown {
  const events = batchItems(body, limits).filter((item) => typeof decodeEvent(item) !== 'string');
  const kept = events.map((item): Json => {
    const entries = item.type === 'object' ? item.entries : [];
    return { type: 'object', text: '', entries: entries.filter(([key]) => ['t', 'e', 'v', 'a'].includes(key)) };
  });
  const items: Json = { type: 'array', text: '', items: kept };
  const version: Json = { type: 'number', text: '1' };
  return canonical({
    type: 'object',
    text: '',
    entries: [
      ['v', version],
      ['events', items],
    ],
  });
}

// ---- encode ---------------------------------------------------------------------------------------------------------

function encodeValue(value: unknown): string {
  // JSON.stringify writes a lone surrogate as an escape, so the text is always one that has a UTF-8 form.
  return JSON.stringify(value);
}

export function encodeSection(
  section: 'values' | 'attributes',
  values: Record<string, unknown>,
  fields: Field[],
  unknown: ModelUnknown[],
): string {
  const members: string[] = [];
  for (const known of fields) {
    const value = values[known.name];
    const isText = known.type === 'json' && value !== null;
    if (value !== undefined) members.push(`"${known.position}":${isText ? value : encodeValue(value)}`);
  }
  for (const entry of unknown) {
    if (entry.section === section) members.push(`${encodeValue(entry.position)}:${entry.json}`);
  }
  return `{${members.join(',')}}`;
}

/** Encodes events that are known to be right. */
export function encode(events: readonly ModelEvent[]): string {
  const encoded = events.map((event) => {
    const metric = METRICS.find((candidate) => candidate.name === event.metric);
    const id = metric ? metric.id : event.metricId;
    const unknown = event.unknown ?? [];
    const values = encodeSection('values', event.values, metric?.fields ?? [], unknown);
    const attributes = encodeSection('attributes', event.attributes, ATTRIBUTES, unknown);
    return `{"t":${event.timestamp},"e":${id},"v":${values},"a":${attributes}}`;
  });
  return `{"v":1,"events":[${encoded.join(',')}]}`;
}

// ---- identities -----------------------------------------------------------------------------------------------------

/** Half a surrogate pair has no UTF-8 form; U+FFFD stands for it. */
export function wellFormed(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

/** As many whole characters from the start as fit into `most` bytes of UTF-8. */
export function cut(text: string, most: number): string {
  let result = '';
  let size = 0;
  for (const character of wellFormed(text)) {
    size += Buffer.byteLength(character, 'utf8');
    if (size > most) break;
    result += character;
  }
  return result;
}

function sha256(text: string, length: number): string {
  return createHash('sha256').update(text, 'utf8').digest('hex').slice(0, length);
}

export function promptId(tool: string, sessionId: string): string {
  return sha256(`${tool}:${sessionId}`, 16);
}

export function eventId(prompt: string, kind: string, content: string, index: number): string {
  const isMessage = ['HumanMessage', 'AiMessage', 'ThinkingMessage'].includes(kind);
  return `${prompt}:${sha256(`${prompt}:${kind}:${isMessage ? cut(content, 256) : content}:${index}`, 12)}`;
}

export function inputHash(content: string): string {
  return sha256(content, 16);
}
