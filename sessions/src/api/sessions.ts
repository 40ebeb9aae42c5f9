/** The list of sessions: a page of it is found first, then what there is to say of its sessions. */
import { queryFor } from '../store/sql.ts';
import type { Store } from '../store/store.ts';
import { FIRST_PLACE, type Place, type Selection } from './filters.ts';

/** ClickHouse takes a parameter of up to 128 KiB in a URL, where a character takes up to 9 bytes. */
const MOST_CHARACTERS = 12_000;

interface Found {
  prompt_id: string;
  filed: string;
  state: string;
  reason: string | null;
  heard_at: string | null;
  models: string[];
  merged_day: string | null;
  merged_run: string | null;
}

/** What the sessions' events say. */
interface Said {
  prompt_id: string;
  external_prompt_id: string | null;
  title: string | null;
  agent: string | null;
  author: string | null;
  repo: string | null;
  branch: string | null;
  start: string;
  end: string;
  duration_ms: number;
  active_ms: number;
  turns: number;
  tool_calls: number;
  errors: number;
  last_output: string | null;
}

export type SessionRow = Omit<Found, 'merged_day' | 'merged_run'> & Said;

/**
 * Returns at most `limit` sessions of a selection, newest first, and where the next page begins if there is one. Of merged sessions nothing but a row is read. Only those
 * that something was just stored of, and those with copied events, are read from their deliveries.
 *
 * @throws {StoreError}
 */
export async function pageOfSessions(
  store: Store,
  selection: Selection,
  limit: number,
  place: Place = FIRST_PLACE,
): Promise<{ sessions: SessionRow[]; next: Place | null }> {
  const { org_id, from, to, now, filters } = selection;
  const ask = <Row>(name: string, parameters: object, parts?: { copies: boolean }): Promise<Row[]> =>
    store.query<Row>(queryFor(name, filters, parts), { org_id, from, to, ...parameters });
  const [found, copied] = await Promise.all([
    ask<Found>('sessions_page', { now, filters, ...place, limit: limit + 1 }),
    ask<{ prompt_id: string }>('copied_sessions', {}),
  ]);
  const page = found.slice(0, limit);
  const last = found.length > limit ? page.at(-1) : undefined;
  const holdCopies = new Set(copied.map(({ prompt_id }) => prompt_id));
  const isMerged = ({ prompt_id, merged_run }: Found) => merged_run !== null && !holdCopies.has(prompt_id);
  const said = new Map<string, Said>();
  const take = (rows: Said[]) => {
    for (const row of rows) said.set(row.prompt_id, row);
  };
  const readEvents = async (sessions: Found[]) => {
    const named = (some: Found[], copies: boolean) =>
      pieces(some).map(async (piece) => take(await ask('session_rows', { sessions: idsOf(piece) }, { copies })));
    const hasCopies = ({ prompt_id }: Found) => holdCopies.has(prompt_id);
    await Promise.all([
      ...named(sessions.filter(hasCopies), true),
      ...named(
        sessions.filter((session) => !hasCopies(session)),
        false,
      ),
    ]);
  };
  await Promise.all([
    ...pieces(page.filter(isMerged)).map(async (piece) =>
      take(
        await ask('merged_sessions', {
          sessions: idsOf(piece),
          days: piece.map(({ merged_day }) => merged_day),
          runs: piece.map(({ merged_run }) => merged_run),
        }),
      ),
    ),
    readEvents(page.filter((session) => !isMerged(session))),
  ]);
  // A merged session's row may have just been deleted, or its events don't count.
  await readEvents(page.filter((session) => isMerged(session) && !said.has(session.prompt_id)));
  return {
    sessions: page.flatMap(({ merged_day: _, merged_run: __, ...session }) => {
      const row = said.get(session.prompt_id);
      return row === undefined ? [] : [{ ...session, ...row }];
    }),
    next: last === undefined ? null : { before: last.filed, before_prompt_id: last.prompt_id },
  };
}

const idsOf = (sessions: readonly Found[]) => sessions.map(({ prompt_id }) => prompt_id);

/** Parts of a page that each fit into the parameters of one query. */
function pieces(sessions: readonly Found[]): Found[][] {
  const all: Found[][] = [];
  let characters = MOST_CHARACTERS;
  for (const session of sessions) {
    // With its day and its run.
    characters += session.prompt_id.length + 40;
    if (characters > MOST_CHARACTERS) {
      all.push([]);
      characters = session.prompt_id.length + 40;
    }
    all.at(-1)?.push(session);
  }
  return all;
}
