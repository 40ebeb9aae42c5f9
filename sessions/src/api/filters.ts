/** The query string that all routes of the API share: a time range, filters, and a page. */
import { HttpError } from '../server/errors.ts';
import { dateTime64 } from '../store/sql.ts';
import { withoutCredentials } from './addresses.ts';
import { CONTENT_FILTERS, FILTERS, STATES } from './answers.ts';

export { dateTime64 };

/** The result of Fastify's parser: a repeated name has a list of values. */
export type Query = Record<string, string | string[] | undefined>;

/** The parameters of queries that choose sessions. */
export interface Selection extends Record<string, unknown> {
  org_id: string;
  from: string;
  to: string;
  now: string;
  filters: Record<string, string[]>;
}

const DAY_MS = 86_400_000;
export const EARLIEST_MS: number = Date.UTC(2020);
/** Two days short of where ClickHouse's DateTime64 ends. */
export const LATEST_MS: number = Date.UTC(2299, 11, 30);
const LONGEST_VALUE = 1024;
const MOST_VALUES = 50;

/** ISO 8601 in UTC of a time as ClickHouse writes it. */
export const iso = (time: string | null): string | null => (time === null ? null : `${time.replace(' ', 'T')}Z`);

/**
 * Parses a query string. The org comes only from the key.
 * @throws {HttpError} 400, in one line
 */
export function selectionOf(query: Query, org: string, nowMs: number, others: readonly string[] = []): Selection {
  const filters: Record<string, string[]> = {};
  for (const [name, value] of Object.entries(query)) {
    const filter = name.startsWith('not_') ? name.slice('not_'.length) : name;
    if ((FILTERS as readonly string[]).includes(filter)) {
      const values = valuesOf(name, value, filter === 'state' ? STATES : undefined);
      filters[name.replace(/^not_/, 'not ')] = filter === 'repo' ? values.map(withoutCredentials) : values;
    } else if ((CONTENT_FILTERS as readonly string[]).includes(name)) {
      filters[name] = valuesOf(name, value, name === 'without_model' ? ['*'] : undefined);
    } else if (name === 'text') {
      const text = single(name, value);
      if (text !== '') filters.text = [text];
    } else if (name !== 'from' && name !== 'to' && !others.includes(name)) {
      throw new HttpError(400, `unknown parameter ${quoted(name)}`);
    }
  }
  // A client's clock may be ahead, and its events still belong to today.
  const toMs = timeOf('to', query.to) ?? nowMs + DAY_MS;
  const fromMs = timeOf('from', query.from) ?? toMs - 8 * DAY_MS;
  if (fromMs >= toMs) throw new HttpError(400, 'expected from to be before to');
  return { org_id: org, from: dateTime64(fromMs), to: dateTime64(toMs), now: dateTime64(nowMs), filters };
}

/** Returns the value of a parameter that may be given once. */
export function single(name: string, value: string | string[] | undefined): string {
  if (Array.isArray(value)) throw new HttpError(400, `expected ${name} once, found it ${value.length} times`);
  return wellFormed(name, value ?? '');
}

/** A whole number within bounds. */
export function numberOf(
  query: Query,
  name: string,
  { min, max, fallback }: Record<'min' | 'max' | 'fallback', number>,
) {
  const text = single(name, query[name]);
  if (text === '') return fallback;
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= min && number <= max)) {
    throw new HttpError(400, `${name}: expected a number from ${min} to ${max}, found ${quoted(text)}`);
  }
  return number;
}

/** Returns the values of a parameter that may be given several times. */
export function valuesOf(name: string, value: string | string[] | undefined, allowed?: readonly string[]): string[] {
  const values = value === undefined ? [] : Array.isArray(value) ? value : [value];
  if (values.length > MOST_VALUES)
    throw new HttpError(400, `${name}: expected at most ${MOST_VALUES} values, found ${values.length}`);
  for (const each of values) {
    wellFormed(name, each);
    if (allowed !== undefined && !allowed.includes(each)) {
      throw new HttpError(400, `${name}: expected ${allowed.join(', ')}, found ${quoted(each)}`);
    }
  }
  return values;
}

function wellFormed(name: string, text: string): string {
  if (text.length > LONGEST_VALUE) {
    throw new HttpError(400, `${quoted(name)}: expected at most ${LONGEST_VALUE} characters, found ${text.length}`);
  }
  return text;
}

/** ISO 8601 with a zone, a date, or unix milliseconds. */
function timeOf(name: string, value: string | string[] | undefined): number | undefined {
  const text = single(name, value);
  if (text === '') return undefined;
  const isTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/.test(text);
  const ms = /^\d{12,15}$/.test(text) ? Number(text) : isTime ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms) || (isTime && !isDate(text.slice(0, 10)))) {
    throw new HttpError(400, `${name}: expected a time such as 2026-11-22T12:00:00Z, found ${quoted(text)}`);
  }
  if (ms < EARLIEST_MS || ms > LATEST_MS) {
    throw new HttpError(
      400,
      `${name}: expected a time from ${dayOf(EARLIEST_MS)} to ${dayOf(LATEST_MS)}, found ${quoted(text)}`,
    );
  }
  return ms;
}

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** Date.parse reads 30 February as 2 March. */
function isDate(text: string): boolean {
  const ms = Date.parse(text);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 80));

/** A place in the list of sessions: behind the session that is filed at this time and has this id. */
export interface Place {
  before: string;
  before_prompt_id: string;
}

/** Before the newest session. */
export const FIRST_PLACE: Place = { before: dateTime64(LATEST_MS + DAY_MS), before_prompt_id: '' };

/** Where a page ends. Opaque to clients. */
export const cursorOf = ({ before, before_prompt_id }: Place): string =>
  Buffer.from(JSON.stringify([before, before_prompt_id])).toString('base64url');

export function placeOf(cursor: string): Place {
  if (cursor === '') return FIRST_PLACE;
  try {
    const [before, before_prompt_id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (
      typeof before_prompt_id === 'string' &&
      typeof before === 'string' &&
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/.test(before)
    ) {
      if (!Number.isNaN(Date.parse(`${before.replace(' ', 'T')}Z`))) return { before, before_prompt_id };
    }
  } catch {
    // Not one of ours: the same answer.
  }
  throw new HttpError(400, 'cursor: expected the `next` of the page before');
}
