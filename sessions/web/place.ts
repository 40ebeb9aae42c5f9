/** Where the reader is. The address holds all state of a page, so every view can be linked, and back and forward work. */
import { signal } from '@preact/signals';
import type { Filter } from '../src/api/answers.ts';
import { SHARED, TIME } from './questions.ts';

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
  [...query.keys()].some((name) => SHARED.includes(name) && !TIME.includes(name) && name !== 'org');

export const withoutFilters = (): Patch =>
  Object.fromEntries(SHARED.filter((name) => name !== 'org').map((name) => [name, null]));
