import { pageOfSessions } from '../api/sessions.ts';
import { dateTime64 } from '../store/sql.ts';
import type { Store } from '../store/store.ts';
import { duration, table } from './terminal.ts';

const SHOWN = 20;

/** The newest sessions of an org, as a table on stdout. */
export async function showSessions(store: Store, orgId: string): Promise<void> {
  const ever = { from: '2020-01-01 00:00:00.000', to: '2299-12-31 00:00:00.000', now: dateTime64(Date.now()) };
  const { sessions } = await pageOfSessions(store, { org_id: orgId, ...ever, filters: {} }, SHOWN);
  console.log(`\nSessions of org ${orgId}, newest first\n`);
  console.log(
    table(sessions, {
      start: ({ start }) => start.slice(0, 16),
      state: ({ state, reason }) => (reason === null ? state : `${state} (${reason})`),
      agent: ({ agent }) => agent,
      turns: ({ turns }) => turns,
      tools: ({ tool_calls }) => tool_calls,
      errors: ({ errors }) => errors,
      duration: ({ duration_ms }) => duration(duration_ms),
      author: ({ author }) => author?.replace(/ <.*/, '') ?? null,
      title: ({ title }) => title,
    }),
  );
}
