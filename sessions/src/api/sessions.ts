/** The list of sessions: a page of it is found first, then what there is to say of its sessions. */
import { queryFor } from '../store/sql.ts';
import type { Queries } from '../store/store.ts';
import { FIRST_PLACE, type Place, type Selection } from './filters.ts';
import { MOST_CHARACTERS } from './selected.ts';

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
  store: Queries,
  selection: Selection,
  limit: number,
  place: Place = FIRST_PLACE,
): Promise<{ sessions: SessionRow[]; next: Place | null }> {
  const { org_id, from, to, now, filters } = selection;
  const ask = <Row>(name: string, parameters: object, parts?: { copies: boolean }): Promise<Row[]> =>
    store.query<Row>(queryFor(name, filters, parts), { org_id, from, to, ...parameters });
  const found = await ask<Found>('sessions_page', { now, filters, ...place, limit: limit + 1 });
  const page = found.slice(0, limit);
  const last = found.length > limit ? page.at(-1) : undefined;
  const said = new Map<string, Said>();
  const read = (query: string, sessions: Found[], parts?: { copies: boolean }) =>
    pieces(sessions).map(async (piece) => {
      const where = {
        sessions: piece.map(({ prompt_id }) => prompt_id),
        days: piece.map(({ merged_day }) => merged_day),
        runs: piece.map(({ merged_run }) => merged_run),
      };
      for (const row of await ask<Said>(query, where, parts)) said.set(row.prompt_id, row);
    });
  const copying = new Set<string>();
  await Promise.all([
    // Few sessions hold copies. These are read again.
    ...pieces(page).map(async (piece) => {
      const where = { sessions: piece.map(({ prompt_id }) => prompt_id) };
      const [messages] = await ask<{ shared: number }>('shared_messages', where);
      if (messages?.shared === 0) return;
      for (const { prompt_id } of await ask<{ prompt_id: string }>('sessions_with_copies', where))
        copying.add(prompt_id);
    }),
    ...read(
      'merged_sessions',
      page.filter(({ merged_run }) => merged_run !== null),
    ),
    ...read(
      'session_rows',
      page.filter(({ merged_run }) => merged_run === null),
      { copies: false },
    ),
  ]);
  const hasCopies = ({ prompt_id }: Found) => copying.has(prompt_id);
  // A merged session has no row if that was just deleted, or if none of its events counts.
  const isUnread = ({ prompt_id, merged_run }: Found) => merged_run !== null && !said.has(prompt_id);
  const again = page.filter((session) => hasCopies(session) || isUnread(session));
  await Promise.all([
    ...read('session_rows', again.filter(hasCopies), { copies: true }),
    ...read(
      'session_rows',
      again.filter((session) => !hasCopies(session)),
      { copies: false },
    ),
  ]);
  return {
    sessions: page.flatMap(({ merged_day: _, merged_run: __, ...session }) => {
      const row = said.get(session.prompt_id);
      return row === undefined ? [] : [{ ...session, ...row }];
    }),
    next: last === undefined ? null : { before: last.filed, before_prompt_id: last.prompt_id },
  };
}

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
