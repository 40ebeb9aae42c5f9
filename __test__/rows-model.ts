/** What rows should be, in plain TypeScript: from the events of parseMetricsBatch to the columns of ClickHouse. */
import { type MetricEvent, PROMPT_EVENT_COLUMNS, type PromptEvent } from '../index.js';

export type Row = Record<string, unknown>;

const EARLIEST = Date.UTC(2020);
const DAY = 86_400_000;

export interface RowContext {
  orgId: string;
  receivedAtMs: number;
}

/** Prompt events, without those of the early shape. */
export const isPromptEvent = (event: MetricEvent): event is PromptEvent =>
  event.metric === 'prompt_event' &&
  !event.unknown?.some(({ section, position, json }) => section === 'values' && position === '0' && json[0] === '{');

export const dateTime64 = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
const dateTime = (seconds: number): string => dateTime64(seconds * 1000).slice(0, -4);

/** Rows hold UTF-8, which has no lone surrogates. */
const wellFormed = (value: string): string => Buffer.from(value).toString();

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const columnOfAttribute = (name: string): string =>
  ({ author: 'human_author', model: 'attr_model' })[name] ?? snakeCase(name);

/** The row of an event; of an event without an id, `event_id` is left for the caller to look at. */
export function rowOf({ timestamp, values, attributes }: PromptEvent, { orgId, receivedAtMs }: RowContext): Row {
  const row: Row = Object.fromEntries(PROMPT_EVENT_COLUMNS.map((column) => [column, null]));
  const set = (column: string, value: unknown) => {
    row[column] = typeof value === 'string' ? wellFormed(value) : (value ?? null);
  };
  for (const [name, value] of Object.entries(values)) set(snakeCase(name), value);
  for (const [name, value] of Object.entries(attributes)) set(columnOfAttribute(name), value);
  // An empty id names nothing.
  if (row.event_id === '') row.event_id = null;
  if (row.prompt_id === '') row.prompt_id = null;
  if (row.prompt_id === null && row.event_id !== null) {
    const eventId = String(row.event_id);
    row.prompt_id = eventId.slice(0, Math.max(eventId.lastIndexOf(':'), 0));
  }
  row.org_id = orgId;
  row.event_ts = dateTime64(Math.max(Math.min(values.startTs ?? timestamp * 1000, receivedAtMs + DAY), EARLIEST));
  row.emitted_at = dateTime(timestamp);
  row.received_at = dateTime64(receivedAtMs);
  const latest = Math.max(values.startTs ?? 0, timestamp * 1000);
  row.heard_at = receivedAtMs <= latest + 600_000 ? dateTime64(receivedAtMs) : null;
  return row;
}
