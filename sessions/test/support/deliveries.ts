/** Random schedules of deliveries: a session's events with their re-emits, in uploads that come in any order. */
import { encodePromptEventRows, PROMPT_EVENT_COLUMNS, type Rows } from 'git-ai-metrics';
import { ATTRIBUTES, type Field, METRICS } from '../../../__test__/model';
import { rowOf } from '../../../__test__/rows-model';
import type { Row } from './clickhouse.ts';

export type Random = () => number;

/** A small generator with a seed (mulberry32), so that a schedule can be made again. */
export function random(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const below = (next: Random, limit: number): number => Math.floor(next() * limit);

export function shuffle<T>(next: Random, items: readonly T[]): T[] {
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = below(next, i + 1);
    [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
  }
  return shuffled;
}

/** What a schedule's deliveries of one event may differ in. */
export interface Mischief {
  /** Fields that a delivery may leave out, or set to null. */
  fields: 'the last ones' | 'any' | 'any but start_ts';
  /** Whether two deliveries may give a field different values. */
  contradictions: boolean;
}

interface Delivery {
  t: number;
  v: Record<string, unknown>;
  a: Record<string, unknown>;
}

interface Upload {
  receivedAtMs: number;
  /** Who uploads: one of them sorts before all authors that events name, one after. */
  author: string;
  deliveries: Delivery[];
}

const VALUES = METRICS.find(({ name }) => name === 'prompt_event')?.fields as Field[];
const position = (name: string) => VALUES.find((field) => field.name === name)?.position as number;
const EVENT_ID = position('eventId');
const START_TS = position('startTs');
const attribute = (name: string) => ATTRIBUTES.find((field) => field.name === name)?.position as number;
const PROMPT_ID = attribute('promptId');
/** It would make a session record of a prompt event. */
const SESSION_ID = attribute('sessionId');

const HOUR = 3_600_000;

/** The last evening of a month. */
const MONTHS_END = Date.UTC(2026, 9, 31, 21);

/** One session: its uploads in the order in which they were made. */
export function session(seed: number, mischief: Mischief): Upload[] {
  const next = random(seed);
  const promptId = below(next, 2 ** 32)
    .toString(16)
    .padStart(16, '0');
  const deliveries = Array.from({ length: 1 + below(next, 6) }, (_, n) => {
    const eventId = `${promptId}:${n.toString(16).padStart(12, '0')}`;
    const startTs = MONTHS_END + below(next, 6 * HOUR);
    const whole = { v: fill(next, VALUES), a: fill(next, ATTRIBUTES) };
    delete whole.a[PROMPT_ID];
    delete whole.a[SESSION_ID];
    whole.v[START_TS] = startTs;
    return Array.from({ length: 1 + below(next, 5) }, (): Delivery => {
      const knows = next();
      const { v, a } = mischief.contradictions && next() < 0.3 ? { v: fill(next, VALUES), a: whole.a } : whole;
      return {
        // Recorded when the event began, a little later, or a day later.
        t: Math.floor(startTs / 1000) + [0, below(next, 600), below(next, 100_000)][below(next, 3)],
        v: { ...poorer(next, { ...v, [START_TS]: startTs }, mischief, knows), [EVENT_ID]: eventId },
        a: { ...poorer(next, a, mischief, knows), ...(next() < 0.2 ? {} : { [PROMPT_ID]: promptId }) },
      };
    });
  }).flat();

  const uploads: Upload[] = [];
  let rest = shuffle(next, deliveries);
  while (rest.length > 0) {
    const size = next() < 0.3 ? rest.length : 1 + below(next, rest.length);
    const author = ['', '!', 'zz'][below(next, 3)];
    uploads.push({ receivedAtMs: MONTHS_END + below(next, 30 * HOUR), author, deliveries: rest.slice(0, size) });
    // The next upload overlaps with this one, now and then.
    rest = rest.slice(next() < 0.2 ? Math.max(1, size - 1) : size);
  }
  // Some come again, hours later, as a client does that saw no answer.
  const retries = uploads.filter(() => next() < 0.4);
  return [...uploads, ...retries.map((upload) => ({ ...upload, receivedAtMs: upload.receivedAtMs + 20 * HOUR }))];
}

function fill(next: Random, fields: Field[]): Record<string, unknown> {
  const value = ({ type }: Field) => {
    if (type === 'bool') return next() < 0.5;
    if (type === 'string') return below(next, 1000).toString(36);
    return below(next, 1_000_000);
  };
  return Object.fromEntries(fields.map((field) => [field.position, value(field)]));
}

/** Of these fields, those that a delivery knows: `knows` from 0 for few to 1 for all. */
function poorer(
  next: Random,
  fields: Record<string, unknown>,
  mischief: Mischief,
  knows: number,
): Record<string, unknown> {
  const entries = Object.entries(fields);
  const kept = entries.filter(([key], place) => {
    if (mischief.fields !== 'any' && key === String(START_TS)) return true;
    return mischief.fields === 'the last ones' ? place < knows * entries.length : next() < knows;
  });
  const nulls = entries.filter((entry) => !kept.includes(entry) && next() < 0.3);
  return Object.fromEntries([...kept, ...nulls.map(([key]) => [key, null])]);
}

/** The rows of an upload, by the addon. */
export const rowsOf = ({ receivedAtMs, author, deliveries }: Upload, orgId: string): Rows =>
  encodePromptEventRows(JSON.stringify({ v: 1, events: deliveries.map((delivery) => ({ e: 5, ...delivery })) }), {
    orgId,
    receivedAtMs,
    author,
  });

/** One row an event with every field that any delivery set, by event_id. */
export function converged(uploads: Upload[], orgId: string): Row[] {
  const events = new Map<string, Row>();
  for (const { receivedAtMs, author, deliveries } of uploads) {
    for (const { t, v, a } of deliveries) {
      const named = (fields: Field[], values: Record<string, unknown>) =>
        Object.fromEntries(fields.map((field) => [field.name, values[field.position]]));
      const row = rowOf(
        { metric: 'prompt_event', timestamp: t, values: named(VALUES, v), attributes: named(ATTRIBUTES, a) },
        { orgId, receivedAtMs, author },
      );
      const known = events.get(String(row.event_id));
      events.set(String(row.event_id), known === undefined ? row : union(known, row));
    }
  }
  return [...events.values()].sort((a, b) => (String(a.event_id) < String(b.event_id) ? -1 : 1));
}

const nullsFirst = (a: unknown, b: unknown): number =>
  a === b ? 0 : a === null || (b !== null && String(a) < String(b)) ? -1 : 1;

function union(a: Row, b: Row): Row {
  const row: Row = {};
  for (const column of PROMPT_EVENT_COLUMNS) row[column] = a[column] ?? b[column];
  for (const column of ['emitted_at', 'received_at']) row[column] = [a[column], b[column]].sort()[0];
  row.heard_at =
    [a.heard_at, b.heard_at]
      .filter((each) => each !== null)
      .sort()
      .pop() ?? null;
  // An author that any delivery names comes before all who uploaded.
  row.human_author = row.named_author ?? [a.human_author, b.human_author].sort(nullsFirst).pop() ?? null;
  // An event's own time, if any delivery tells it, stands before the times at which it was recorded.
  const timed = [a, b].filter(({ start_ts }) => start_ts !== null);
  row.event_ts = (timed.length > 0 ? timed : [a, b]).map(({ event_ts }) => event_ts).sort()[0];
  return row;
}
