/**
 * What each page asks the server, from the address alone. It imports next to nothing, because it is also in the small script
 * that asks a page's first questions before the rest of the dashboard is there.
 */
import { CONTENT_FILTERS, FILTERS } from '../src/api/answers.ts';

/** Whose sessions are shown, and how to ask for them. */
export function headersOf(query: URLSearchParams): Record<string, string> {
  const org = query.get('org');
  return { accept: 'application/json', ...(org !== null && { 'x-sessions-org': org }) };
}

/** The parameters that choose the time. */
export const TIME: readonly string[] = ['range', 'from', 'to'];

/** What stays when the reader goes from page to page: the filters, the time and whose sessions they are. */
export const SHARED: readonly string[] = [
  ...FILTERS,
  ...FILTERS.map((filter) => `not_${filter}`),
  ...CONTENT_FILTERS,
  'text',
  ...TIME,
  'org',
];

// ---- time -----------------------------------------------------------------------------------------------------------

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

export const RANGES: readonly { name: string; label: string; days?: number; ms?: number }[] = [
  { name: '1h', label: 'Last hour', ms: HOUR },
  { name: '24h', label: 'Last 24 hours', ms: 24 * HOUR },
  { name: 'today', label: 'Today', days: 1 },
  { name: '7d', label: 'Last 7 days', days: 7 },
  { name: '30d', label: 'Last 30 days', days: 30 },
  { name: '90d', label: 'Last 90 days', days: 90 },
  { name: 'all', label: 'All time' },
];
export const DEFAULT_RANGE = '7d';

/** Midnight here, so many days from a time. */
function midnight(ms: number, days: number): number {
  const date = new Date(ms);
  date.setHours(0, 0, 0, 0);
  date.setDate(date.getDate() + days);
  return date.getTime();
}

/** A day such as 2026-11-25, as midnight here; or any time that the browser reads. */
function momentOf(text: string, days: number): number | undefined {
  const day = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  const ms = day
    ? midnight(new Date(Number(day[1]), Number(day[2]) - 1, Number(day[3])).getTime(), days)
    : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** The range of the address: `range`, or `from` and `to`, whose last day counts. */
export function rangeOf(query: URLSearchParams, now: number): { from: number; to: number | undefined } {
  const from = momentOf(query.get('from') ?? '', 0);
  const to = momentOf(query.get('to') ?? '', 1);
  if (from !== undefined || to !== undefined) return { from: from ?? Date.UTC(2020), to };
  const range =
    RANGES.find(({ name }) => name === query.get('range')) ?? RANGES.find(({ name }) => name === DEFAULT_RANGE);
  if (range?.days !== undefined) return { from: midnight(now, 1 - range.days), to: undefined };
  // By the minute, so that one view asks one question.
  if (range?.ms !== undefined) return { from: Math.floor((now - range.ms) / MINUTE) * MINUTE, to: undefined };
  return { from: Date.UTC(2020), to: undefined };
}

// ---- questions ------------------------------------------------------------------------------------------------------

/** The address of an answer of the API for the filters of a query. */
function apiPath(route: string, query: URLSearchParams, own: Record<string, string> = {}): string {
  const { from, to } = rangeOf(query, Date.now());
  const asked = new URLSearchParams();
  for (const [name, value] of query) {
    if (SHARED.includes(name) && !TIME.includes(name) && name !== 'org') asked.append(name, value);
  }
  asked.set('from', String(from));
  if (to !== undefined) asked.set('to', String(to));
  for (const [name, value] of Object.entries(own)) asked.set(name, value);
  return `/api/${route}?${asked}`;
}

const timezone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;
export const overviewOf = (query: URLSearchParams): string => apiPath('overview', query, { timezone: timezone() });

/** The filters of the sessions that run now. Whatever time is chosen: now is now. */
export const runningFilters = (query: URLSearchParams): URLSearchParams =>
  new URLSearchParams([...query].filter(([name]) => ![...TIME, 'state', 'not_state'].includes(name)));
export const runningOf = (query: URLSearchParams): string =>
  apiPath('sessions', runningFilters(query), { state: 'live', limit: '50' });

/** The sessions of a page of the list, and the most that the API returns at once. */
export const PAGE = 50;
export const MOST = 200;
export const isLongestFirst = (query: URLSearchParams): boolean => query.get('order') === 'longest';
export const sessionsOf = (query: URLSearchParams, limit: number = PAGE, cursor?: string): string =>
  isLongestFirst(query)
    ? apiPath('sessions', query, { limit: String(MOST), order: 'longest' })
    : apiPath('sessions', query, { limit: String(limit), ...(cursor !== undefined && { cursor }) });

/** Events of the first answer about a session. The others of the part follow. */
export const EVENTS = 2_000;
/** Events that the page of a session holds at once: a longer session has parts, each with an address. */
export const PART = 10_000;
/** The parameter `part` for the part that begins behind so many events. */
export const partAt = (start: number): string | null => (start === 0 ? null : String(start / PART + 1));
/** How many events come before those of the part in the address. */
export function startIn(query: URLSearchParams): number {
  const part = query.get('part') ?? '';
  return /^[1-9]\d{0,3}$/.test(part) ? (Number(part) - 1) * PART : 0;
}
export const sessionOf = (id: string, limit: number = EVENTS, offset = 0): string =>
  `/api/sessions/${encodeURIComponent(id)}?limit=${limit}${offset === 0 ? '' : `&offset=${offset}`}`;
export const frictionIn = (id: string): string => `/api/sessions/${encodeURIComponent(id)}/friction`;

/** Which signals the page of friction shows, besides the filters of all pages. */
export const FRICTION_FILTERS = ['rule', 'tool_before'] as const;
export const ownFrictionFilters = (query: URLSearchParams): URLSearchParams =>
  new URLSearchParams([...query].filter(([name]) => (FRICTION_FILTERS as readonly string[]).includes(name)));
export function frictionOf(query: URLSearchParams): string {
  const own = ownFrictionFilters(query);
  return `${apiPath('friction', query)}${own.size === 0 ? '' : `&${own}`}`;
}

export const toolsOf = (query: URLSearchParams): string => apiPath('tools', query);
export const skillsOf = (query: URLSearchParams): string => apiPath('skills', query);
export const modelsOf = (query: URLSearchParams): string => apiPath('models', query);
export const agentsOf = (query: URLSearchParams): string => apiPath('agents', query);
export const valuesOf = (query: URLSearchParams): string => apiPath('filters', query);

/** The id in the path of a session's page. */
export function sessionIn(path: string): string | undefined {
  const id = /^\/sessions\/([^/]+)$/.exec(path)?.[1];
  try {
    return id === undefined ? undefined : decodeURIComponent(id);
  } catch {
    return undefined;
  }
}

/** What the page of an address asks first. */
export function firstOf(path: string, query: URLSearchParams): string[] {
  switch (path) {
    case '/':
      return [overviewOf(query), runningOf(query)];
    case '/sessions':
      return [sessionsOf(query)];
    case '/tools':
      return [toolsOf(query)];
    case '/skills':
      return [skillsOf(query)];
    case '/models':
      return [modelsOf(query)];
    case '/agents':
      return [agentsOf(query)];
    case '/friction':
      return [frictionOf(query)];
  }
  const id = sessionIn(path);
  return id === undefined ? [] : [sessionOf(id, EVENTS, startIn(query))];
}
