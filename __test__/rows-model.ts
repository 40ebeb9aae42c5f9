/** A model of rows in plain TypeScript. It maps the events of parseMetricsBatch to the columns of ClickHouse. */
import { createHash } from 'node:crypto';
import { type MetricEvent, type PromptEvent, ROW_COLUMNS, type RowTable, type SessionEvent } from '../index.js';
import {
  ATTRIBUTES,
  encodeSection,
  type Json,
  METRICS,
  type ModelUnknown,
  promptId,
  readJson,
  wellFormed,
} from './model';

export type Row = Record<string, unknown>;

export interface RowContext {
  orgId: string;
  receivedAtMs: number;
  author?: string;
  installation?: string;
}

const EARLIEST = Date.UTC(2020);
const DAY = 86_400_000;

export const isPromptEvent = (event: MetricEvent): event is PromptEvent => event.metric === 'prompt_event';

export const dateTime64 = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
const dateTime = (seconds: number): string => dateTime64(seconds * 1000).slice(0, -4);

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const columnOfAttribute = (name: string): string =>
  ({ author: 'human_author', model: 'attr_model' })[name] ?? snakeCase(name);

/** The table that an event goes to. */
export function tableOf(event: MetricEvent): RowTable {
  if (event.metric === 'prompt_event') return 'prompt_event_deliveries';
  return event.metric === 'session_event' ? 'session_records' : 'metric_events';
}

/** The row of an event of any table. */
export function rowOf(event: MetricEvent, context: RowContext): Row {
  const row: Row = Object.fromEntries(ROW_COLUMNS[tableOf(event)].map(({ name }) => [name, null]));
  const common = {
    ...row,
    ...timesOf(event, context),
    org_id: context.orgId,
    installation: context.installation ?? null,
  };
  if (event.metric === 'prompt_event') return promptEventRow({ ...common, derived: false }, event, context);
  if (event.metric === 'session_event') return sessionRecordRow({ ...common, deriver_version: 0 }, event, context);
  return metricEventRow(common, event, context);
}

function timesOf(event: MetricEvent, { receivedAtMs }: RowContext): Row {
  const began = event.metric === 'prompt_event' ? event.values.startTs : null;
  const emitted = event.timestamp * 1000;
  const isSane = (ms: number) => ms >= EARLIEST && ms <= receivedAtMs + DAY;
  const filed = began != null && isSane(began) ? began : Math.max(Math.min(emitted, receivedAtMs + DAY), EARLIEST);
  const times: Row = {
    event_ts: dateTime64(filed),
    emitted_at: dateTime(event.timestamp),
    received_at: dateTime64(receivedAtMs),
  };
  if (tableOf(event) === 'metric_events') return times;
  const isFresh =
    receivedAtMs <=
    Math.max(began !== null && began !== undefined && began <= receivedAtMs + DAY ? began : 0, emitted) + 600_000;
  return { ...times, heard_at: isFresh ? dateTime64(receivedAtMs) : null };
}

function fieldColumns(row: Row, { values, attributes }: PromptEvent | SessionEvent, { author }: RowContext): void {
  const set = (column: string, value: unknown) => {
    if (column in row) row[column] = typeof value === 'string' ? wellFormed(value) : (value ?? null);
  };
  for (const [name, value] of Object.entries(values)) set(snakeCase(name), value);
  for (const [name, value] of Object.entries(attributes)) set(columnOfAttribute(name), value);
  set('custom_attributes', sortedMap(attributes.customAttributes));
  set('human_author', attributes.author || author || attributes.author);
  set('named_author', attributes.author || null);
}

function promptEventRow(row: Row, event: PromptEvent, context: RowContext): Row {
  fieldColumns(row, event, context);
  const prompt = event.attributes.promptId || null;
  const id = event.values.eventId || `${prompt ?? ''}:${contentHash(event).slice(0, 12)}`;
  row.event_id = wellFormed(id);
  row.prompt_id = wellFormed(prompt ?? id.slice(0, Math.max(id.lastIndexOf(':'), 0)));
  return row;
}

/** A hash of the event's JSON, without parts that a retry may change or that a row can't show. */
function contentHash({ timestamp, values, attributes, unknown = [] }: PromptEvent): string {
  const { traceId: _, ...identifying } = withSortedMap(attributes);
  return createHash('sha256')
    .update(u32(timestamp))
    .update(encodeSection('values', withoutNulls(values), fieldsOf('prompt_event'), unknown))
    .update(encodeSection('attributes', withoutNulls(identifying), ATTRIBUTES, unknown))
    .digest('hex');
}

function sessionRecordRow(row: Row, event: SessionEvent, context: RowContext): Row {
  fieldColumns(row, event, context);
  const { timestamp, values, attributes, unknown = [] } = event;
  const { tool, externalPromptId } = attributes;
  const hashed = tool && externalPromptId ? promptId(wellFormed(tool), wellFormed(externalPromptId)) : null;
  const sent = attributes.promptId ? wellFormed(attributes.promptId) : null;
  const named = attributes.sessionId ? wellFormed(attributes.sessionId) : null;
  const source = hashed ?? sent;
  const derived = source === null ? null : `s_${cutToBytes(source, 14)}`;
  row.session_id = named ?? derived ?? '';
  row.prompt_id = hashed ?? named ?? sent ?? '';
  const json = values.rawJson ?? encodeSection('values', withoutNulls(values), fieldsOf('session_event'), unknown);
  const hash = createHash('sha256').update(json).digest('hex').slice(0, 16);
  row.record_key = wellFormed(values.externalEventId || `${timestamp}:${hash}`);
  return row;
}

function metricEventRow(row: Row, event: MetricEvent, { author }: RowContext): Row {
  const unknown = (event.unknown ?? []) as ModelUnknown[];
  const metricId = event.metric === 'unknown' ? event.metricId : METRICS.find(({ name }) => name === event.metric)?.id;
  const attributes = withSortedMap(event.attributes);
  const { traceId: _, ...identifying } = attributes;
  const valuesJson = encodeSection('values', event.values as Row, fieldsOf(event.metric), unknown);
  const digest = createHash('sha256')
    .update(encodeSection('attributes', identifying, ATTRIBUTES, unknown))
    .digest();
  const id = Buffer.alloc(2);
  id.writeUInt16LE(Number(metricId));
  const key = createHash('sha256').update(u32(event.timestamp)).update(id).update(digest).update(valuesJson);
  return {
    ...row,
    metric_id: metricId,
    metric: event.metric,
    event_key: key.digest('hex').slice(0, 16),
    values_json: valuesJson,
    attributes_json: encodeSection('attributes', attributes as Row, ATTRIBUTES, unknown),
    human_author: wellFormedOrNull(event.attributes.author || author || event.attributes.author),
  };
}

const wellFormedOrNull = (text: string | null | undefined): string | null => (text == null ? null : wellFormed(text));

const fieldsOf = (metric: string) => METRICS.find(({ name }) => name === metric)?.fields ?? [];

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

const withoutNulls = (values: object): Row =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));

function withSortedMap<T extends { customAttributes?: string | null }>(attributes: T): T {
  const { customAttributes } = attributes;
  return typeof customAttributes === 'string'
    ? { ...attributes, customAttributes: sortedMap(customAttributes) }
    : attributes;
}

/** The JSON object with sorted keys, keeping the last of duplicates. Any other text is returned unchanged. */
function sortedMap(text: string | null | undefined): string | null | undefined {
  if (typeof text !== 'string' || wellFormed(text) !== text) return text;
  let json: Json;
  try {
    json = readJson(text);
  } catch {
    return text;
  }
  if (json.type !== 'object') return text;
  const byKey = new Map(json.entries);
  const keys = [...byKey.keys()].sort(byCodePoint);
  const members = keys.map((key) => {
    const value = byKey.get(key) as Json;
    return `${JSON.stringify(key)}:${value.type === 'string' ? JSON.stringify(value.value) : value.text}`;
  });
  return `{${members.join(',')}}`;
}

function byCodePoint(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => Array.from(text, (character) => character.codePointAt(0) as number));
  const place = left.findIndex((point, index) => point !== right[index]);
  if (place < 0) return left.length - right.length;
  return place >= right.length ? 1 : left[place] - right[place];
}

function cutToBytes(text: string, most: number): string {
  let cut = '';
  for (const character of text) {
    if (Buffer.byteLength(cut + character) > most) break;
    cut += character;
  }
  return cut;
}
