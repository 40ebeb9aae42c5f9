/** Where the reader is. The address holds all state of a page, so every view can be linked, and back and forward work. */
import { signal } from '@preact/signals';
import { CONTENT_FILTERS, FILTERS, type Filter } from '../src/api/answers.ts';

export interface Place {
  path: string;
  query: URLSearchParams;
}

const read = (): Place => ({ path: location.pathname, query: new URLSearchParams(location.search) });

export const place = signal<Place>(read());
/** How the reader came here. A page that was gone back to is scrolled to where it was left. */
export const arrival = signal<{ scroll: number | null; moved: boolean }>({ scroll: null, moved: false });

interface Options {
  /** Replaces the entry of the history instead of adding one. */
  replace?: boolean;
}

export function go(href: string, { replace = false }: Options = {}): void {
  if (href === location.pathname + location.search) return;
  const before = place.value.path;
  rememberScroll();
  if (replace) history.replaceState(history.state, '', href);
  else history.pushState(null, '', href);
  const moved = location.pathname !== before;
  place.value = read();
  arrival.value = { scroll: null, moved };
  if (moved) scrollTo(0, 0);
}

function rememberScroll(): void {
  history.replaceState({ scroll: scrollY }, '');
}

/** Follows links without loading a page, and back and forward. */
export function startRouting(): void {
  history.scrollRestoration = 'manual';
  addEventListener('pagehide', rememberScroll);
  addEventListener('popstate', ({ state }) => {
    const before = place.value.path;
    place.value = read();
    const scroll = (state as { scroll?: number } | null)?.scroll ?? 0;
    arrival.value = { scroll, moved: location.pathname !== before };
    scrollBackTo(scroll);
  });
  // `popstate` comes after the scroll position is lost, so it is kept while the reader scrolls.
  let timer: ReturnType<typeof setTimeout> | undefined;
  addEventListener('scroll', () => {
    clearTimeout(timer);
    timer = setTimeout(rememberScroll, 150);
  });
  addEventListener('click', (event) => {
    const link = (event.target as Element | null)?.closest?.('a');
    if (link == null || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (link.origin !== location.origin || link.target !== '' || link.hasAttribute('download')) return;
    if (link.pathname.startsWith('/api/')) return;
    event.preventDefault();
    // A place on this page, which is no state of the page.
    const fragment = link.getAttribute('href')?.match(/^#(.+)/)?.[1];
    if (fragment !== undefined) return document.getElementById(fragment)?.focus();
    go(link.pathname + link.search);
  });
}

/** The page gets its height when its data is there: try until then, for a second. */
function scrollBackTo(top: number): void {
  const until = performance.now() + 1000;
  const attempt = () => {
    scrollTo(0, top);
    if (Math.abs(scrollY - top) > 2 && performance.now() < until) requestAnimationFrame(attempt);
  };
  requestAnimationFrame(attempt);
}

/** Values of parameters to set. Null removes one. */
export type Patch = Record<string, string | readonly string[] | null | undefined>;

/** What stays when the reader goes from page to page: the filters, the time and whose sessions they are. */
const SHARED: readonly string[] = [
  ...FILTERS,
  ...FILTERS.map((filter) => `not_${filter}`),
  ...CONTENT_FILTERS,
  'text',
  'range',
  'from',
  'to',
  'org',
];

const hrefOf = (path: string, query: URLSearchParams): string => (query.size === 0 ? path : `${path}?${query}`);

function patched(query: URLSearchParams, patch: Patch): URLSearchParams {
  const result = new URLSearchParams(query);
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined) continue;
    result.delete(name);
    for (const each of value === null ? [] : typeof value === 'string' ? [value] : value) result.append(name, each);
  }
  return result;
}

/** The address of a page with the filters in force. */
export function to(path: string, patch: Patch = {}): string {
  const shared = new URLSearchParams([...place.value.query].filter(([name]) => SHARED.includes(name)));
  return hrefOf(path, patched(shared, patch));
}

/** The address of this page with other parameters. */
export const here = (patch: Patch): string => hrefOf(place.value.path, patched(place.value.query, patch));

/** The sessions behind a number. */
export const sessionsOf = (patch: Patch = {}): string => to('/sessions', patch);

/** The address of a session, with the filters, so that the way back to the list is the same list. */
export const sessionAt = (id: string, patch: Patch = {}): string => to(`/sessions/${encodeURIComponent(id)}`, patch);

export const only = (filter: Filter, value: string | null): Patch => ({
  [filter]: value ?? '',
  [`not_${filter}`]: null,
});

/** Whether any filter but the time is set. */
export const isFiltered = (query: URLSearchParams): boolean =>
  [...query.keys()].some((name) => SHARED.includes(name) && !['range', 'from', 'to', 'org'].includes(name));

export const withoutFilters = (): Patch =>
  Object.fromEntries(SHARED.filter((name) => name !== 'org').map((name) => [name, null]));

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

/** The address of an answer of the API for the filters of a query. */
export function apiPath(route: string, query: URLSearchParams, own: Record<string, string> = {}): string {
  const { from, to } = rangeOf(query, Date.now());
  const asked = new URLSearchParams();
  for (const [name, value] of query) {
    if (SHARED.includes(name) && !['range', 'from', 'to', 'org'].includes(name)) asked.append(name, value);
  }
  asked.set('from', String(from));
  if (to !== undefined) asked.set('to', String(to));
  for (const [name, value] of Object.entries(own)) asked.set(name, value);
  return `/api/${route}?${asked}`;
}
