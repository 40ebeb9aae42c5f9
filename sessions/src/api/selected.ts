/**
 * Asks the queries about a selection of sessions.
 *
 * Most of them read merged events, and for the few sessions that go on, deliveries; and all leave copies out. To find both
 * out takes longer than the rest, so it is asked once for all queries about a selection.
 */
import { namedQuery, queryFor } from '../store/sql.ts';
import type { Queries } from '../store/store.ts';
import type { Selection } from './filters.ts';

/**
 * How much can be named. With more, queries find it out themselves. ClickHouse takes a parameter of up to 128 KiB in a URL,
 * where a hash takes up to 23 bytes, and a character of a name up to 9.
 */
export const MOST_CHARACTERS = 12_000;
const MOST_UNMERGED = 300;
const MOST_COPIES = 5_000;

interface UnmergedDay {
  day: string;
  prompt_id: string;
  source: string;
}

interface Copy {
  session: string;
  event: string;
}

/** What is known of a selection. */
interface Known {
  /** `undefined`: too many to name. */
  copies: Copy[] | undefined;
  unmerged: UnmergedDay[] | undefined;
}

/**
 * By the filters of a selection, which each request has of its own, so nothing is known for longer than a request. The
 * window is compared, because several selections may have the same filters.
 */
const known = new WeakMap<object, { window: string; known: Promise<Known> }>();

const windowOf = ({ org_id, from, to, now }: Selection): string => [org_id, from, to, now].join(' ');

/** Returns all copied events in a window. */
async function copiesIn(store: Queries, { org_id, from, to }: Selection): Promise<Copy[] | undefined> {
  const parameters = { org_id, from, to, limit: MOST_COPIES + 1 };
  const copies = await store.query<Copy>(queryFor('copied_events'), parameters);
  return copies.length > MOST_COPIES ? undefined : copies;
}

/** Returns what is to be read of sessions that aren't merged as they are now. */
async function unmergedIn(
  store: Queries,
  { org_id, from, to, now, filters }: Selection,
): Promise<UnmergedDay[] | undefined> {
  const parameters = { org_id, from, to, now, filters, limit: MOST_UNMERGED + 1 };
  const unmerged = await store.query<UnmergedDay>(queryFor('unmerged_sessions', filters), parameters);
  const characters = unmerged.reduce((sum, { prompt_id }) => sum + prompt_id.length, 0);
  return unmerged.length > MOST_UNMERGED || characters > MOST_CHARACTERS ? undefined : unmerged;
}

function knownOf(store: Queries, selection: Selection): Promise<Known> {
  const window = windowOf(selection);
  const before = known.get(selection.filters);
  if (before?.window === window) return before.known;
  const found = Promise.all([copiesIn(store, selection), unmergedIn(store, selection)]).then(([copies, unmerged]) => ({
    copies,
    unmerged,
  }));
  known.set(selection.filters, { window, known: found });
  return found;
}

/**
 * Answers one of sql/queries.
 *
 * What is stored between the two steps doesn't count: sessions that weren't merged are read from deliveries, the others from
 * their last run.
 *
 * @throws {StoreError}
 */
export async function askAbout<Row = Record<string, unknown>>(
  store: Queries,
  name: string,
  parameters: Record<string, unknown>,
): Promise<Row[]> {
  const filters = parameters.filters as Selection['filters'] | undefined;
  if (!namedQuery(name).includes('-- known: ')) return store.query<Row>(queryFor(name, filters), parameters);
  const { copies, unmerged } = await knownOf(store, parameters as Selection);
  if (copies === undefined || unmerged === undefined) return store.query<Row>(queryFor(name, filters), parameters);
  const sql = queryFor(name, filters, { known: true, copies: copies.length > 0, unmerged: unmerged.length > 0 });
  return store.query<Row>(sql, {
    ...parameters,
    unmerged_days: unmerged.map(({ day }) => day),
    unmerged_sessions: unmerged.map(({ prompt_id }) => prompt_id),
    unmerged_sources: unmerged.map(({ source }) => source),
    copied_sessions: copies.map(({ session }) => BigInt(session)),
    copied_events: copies.map(({ event }) => BigInt(event)),
  });
}
