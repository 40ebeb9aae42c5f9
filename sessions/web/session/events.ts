/**
 * A session's events as its page holds them. A few are there at once, the others of the same part follow on their own. A page
 * holds one part at a time, so that it answers however long the session is.
 */
import type { Event, SessionDetails } from '../../src/api/answers.ts';
import { ask } from '../api.ts';
import { count } from '../format.ts';
import { EVENTS, PART, sessionOf } from '../questions.ts';

export interface Part extends SessionDetails {
  /** How many events of the session come before these. */
  start: number;
  /** When all its events were asked for, by `performance.now()`. */
  askedAt: number;
}

/** Events of each further answer: few enough to be read without a pause. */
const MORE = 4_000;
/** Of a longer part, what is new is looked for among the last events, and everywhere once in so long. */
const TAIL = 1_000;
const ALL_EVERY_MS = 60_000;

/** Whether nothing of the part is left to load. */
export const isLoaded = ({ start, next_offset: next }: Part): boolean => next === null || next >= start + PART;

/** How many events the session has. */
export const countOf = ({ start, events, event_count: all }: Part): number => Math.max(all ?? 0, start + events.length);

export const isWhole = (part: Part): boolean => isLoaded(part) && part.events.length === countOf(part);

/** Which events are here, and of how many, or null if that is all of them. */
export function extentOf(part: Part): string | null {
  const { start, events } = part;
  const all = countOf(part);
  if (isWhole(part)) return null;
  const loaded = count(events.length);
  if (all <= PART) return `${loaded} of ${count(all)} events loaded`;
  const range = `events ${rangeOf(start, all)} of ${count(all)}`;
  return isLoaded(part) ? range : `${range}, ${loaded} loaded`;
}

/** The first and the last event of a part. */
export const rangeOf = (start: number, all: number): string =>
  `${count(start + 1)} – ${count(Math.min(start + PART, all))}`;

/**
 * Loads a part, or what is new of it. Calls `show` whenever there is more to see.
 * @throws {Failure}
 */
export async function loadPart(
  id: string,
  start: number,
  before: Part | undefined,
  signal: AbortSignal,
  show: (part: Part) => void,
): Promise<Part> {
  let part =
    before === undefined
      ? partOf(start, await ask<SessionDetails>(sessionOf(id, EVENTS, start), { signal }))
      : await refreshed(id, before, signal);
  while (!isLoaded(part)) {
    show(part);
    const next = part.next_offset ?? 0;
    const limit = Math.min(MORE, start + PART - next);
    const more = await ask<SessionDetails>(sessionOf(id, limit, next), { signal });
    part = { ...more, events: distinct([...part.events, ...more.events]), start, askedAt: part.askedAt };
  }
  return part;
}

const partOf = (start: number, details: SessionDetails): Part => ({
  ...details,
  start,
  askedAt: performance.now(),
});

async function refreshed(id: string, before: Part, signal: AbortSignal): Promise<Part> {
  const { start, events: known, askedAt } = before;
  if (known.length > EVENTS && performance.now() - askedAt < ALL_EVERY_MS) {
    const from = known.length - TAIL;
    const limit = Math.min(EVENTS, PART - from);
    const answer = await ask<SessionDetails>(sessionOf(id, limit, start + from), { signal });
    // Otherwise, events came or went before them.
    if (answer.events[0]?.event_id === known[from]?.event_id) {
      return unlessSame(before, { ...answer, events: [...known.slice(0, from), ...answer.events], start, askedAt });
    }
  }
  const limit = Math.max(EVENTS, known.length);
  return unlessSame(before, partOf(start, await ask<SessionDetails>(sessionOf(id, limit, start), { signal })));
}

/** What didn't change is the same object, so it isn't drawn again. */
function unlessSame(before: Part, after: Part): Part {
  const known = new Map(before.events.map((event) => [event.event_id, event]));
  const events = distinct(after.events).map((event) => {
    const old = known.get(event.event_id);
    return old !== undefined && isSame(old, event) ? old : event;
  });
  const same = events.length === before.events.length && events.every((event, n) => event === before.events[n]);
  if (!same || aboutOf(before) !== aboutOf(after)) return { ...after, events };
  before.askedAt = after.askedAt;
  return before;
}

const isSame = (a: Event, b: Event): boolean =>
  a === b || (Object.keys(b) as (keyof Event)[]).every((name) => a[name] === b[name]);

const aboutOf = ({ events: _, askedAt: __, ...about }: Part): string => JSON.stringify(about);

/** An event that arrives between two answers may move one from the first into the second. */
function distinct(events: readonly Event[]): Event[] {
  const ids = new Set<string>();
  return events.filter(({ event_id: id }) => !ids.has(id) && ids.add(id));
}

/**
 * Finds an event in the other parts of a session. Calls `searched` with the number of events that were looked at.
 * @throws {Failure}
 */
export async function findPart(
  id: string,
  { start: here, ...part }: Part,
  isWanted: (event: Event) => boolean,
  signal: AbortSignal,
  searched: (events: number) => void,
): Promise<Part | null> {
  let seen = part.events.length;
  for (let start = 0; start < (part.event_count ?? 0); start += PART) {
    if (start === here) continue;
    searched(seen);
    const found = partOf(start, await ask<SessionDetails>(sessionOf(id, PART, start), { signal }));
    if (found.events.some(isWanted)) return found;
    seen += found.events.length;
  }
  return null;
}
