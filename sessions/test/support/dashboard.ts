/** The dashboard's server for tests: on ClickHouse, with a clock and faults that the test controls. */
import type { AppOptions } from '../../src/server/app.ts';
import { type Store, StoreError } from '../../src/store/store.ts';
import { type RunningApp, startApp } from './app.ts';
import type { ClickHouse } from './clickhouse.ts';

/** A Wednesday afternoon in winter, 15:00 in Zurich. */
export const NOW = Date.UTC(2026, 10, 25, 14);

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export interface Dashboard extends RunningApp {
  org: string;
  /** The server's clock, in unix milliseconds. It stands still. */
  clock: { ms: number };
  /** What happens to queries: they are answered, they fail, or they wait until that changes. */
  queries(now: 'answered' | 'failing' | 'waiting'): void;
}

/** A server that shows one org to everybody, unless `keyless` is false. */
export async function startDashboard(
  { store }: ClickHouse,
  org: string,
  options: Partial<AppOptions> & { keyless?: boolean } = {},
): Promise<Dashboard> {
  const clock = { ms: NOW };
  let mode: 'answered' | 'failing' | 'waiting' = 'answered';
  const waiting: (() => void)[] = [];
  const gated: Store = {
    query: async (...query) => {
      if (mode === 'waiting') await new Promise<void>((resolve) => waiting.push(resolve));
      if (mode === 'failing') throw new StoreError('no connection', true);
      return store.query(...query);
    },
    command: (...command) => store.command(...command),
    insert: (...insert) => store.insert(...insert),
    ping: () => store.ping(),
    close: () => store.close(),
  };
  const app = await startApp(gated, {
    now: () => clock.ms,
    ...(options.keyless !== false && { authenticate: (_headers, role) => ({ org, role, keyId: null }) }),
    ...options,
  });
  const queries = (now: typeof mode) => {
    mode = now;
    for (const resolve of waiting.splice(0)) resolve();
  };
  return { ...app, org, clock, queries };
}
