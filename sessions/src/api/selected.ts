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

/** What is known of a selection. `undefined` stands for too many to name. */
interface Known {
  window: string;
  copies?: Promise<Copy[] | undefined>;
  unmerged?: Promise<UnmergedDay[] | undefined>;
}

/**
 * By the filters of a selection, which each request has of its own, so nothing is known for longer than a request. The
 * window is compared, because several selections may have the same filters.
 */
const known = new WeakMap<object, Known>();

function knownOf({ org_id, from, to, now, filters }: Selection): Known {
  const window = [org_id, from, to, now].join(' ');
  const before = known.get(filters);
  if (before?.window === window) return before;
  const nothing = { window };
  known.set(filters, nothing);
  return nothing;
}

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
  const selection = parameters as unknown as Selection;
  const { filters } = selection;
  const isTold = namedQuery(name).includes('-- known: ');
  if (!isTold && name !== 'filter_values') return store.query<Row>(queryFor(name, filters), parameters);
  const about = knownOf(selection);
  about.copies ??= copiesIn(store, selection);
  if (!isTold) {
    const copies = (await about.copies)?.length !== 0;
    return store.query<Row>(queryFor(name, filters, { copies }), parameters);
  }
  about.unmerged ??= unmergedIn(store, selection);
  const [copies, unmerged] = await Promise.all([about.copies, about.unmerged]);
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
