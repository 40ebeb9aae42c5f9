import { queryFor } from '../store/sql.ts';
import type { Store } from '../store/store.ts';
import { duration, table } from './terminal.ts';

interface SessionRow {
  title: string | null;
  agent: string | null;
  author: string | null;
  state: string;
  reason: string | null;
  start: string;
  duration_ms: number;
  turns: number;
  tool_calls: number;
  errors: number;
}

const SHOWN = 20;

/** The newest sessions of an org, as a table on stdout. */
export async function showSessions(store: Store, orgId: string): Promise<void> {
  const sessions = await store.query<SessionRow>(queryFor('sessions'), {
    org_id: orgId,
    from: '2020-01-01 00:00:00.000',
    to: '2299-12-31 00:00:00.000',
    now: new Date().toISOString().replace('T', ' ').replace('Z', ''),
    before: '2299-12-31 23:59:59.999',
    before_prompt_id: '',
    filters: {},
    limit: SHOWN,
  });
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
