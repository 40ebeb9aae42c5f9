/** How long rows are kept, and the removal of an org. */
import type { MigrationSet } from './migrate.ts';
import type { Store } from './store.ts';

export interface Retention {
  /** Days that session records are kept after they arrived: they hold prompts and the contents of files. */
  recordDays: number;
  /** The same for everything else. */
  eventDays: number;
}

/** ClickHouse counts the second at which a row expires in 32 bits, until 2106. A later one would be long past. */
export const MOST_DAYS = 10_000;

/**
 * When the rows of a table arrived, and how long they are kept. Days count from the arrival, not from the event: an event
 * from before 2020, or from a transcript of years ago, would else be deleted right after its upload was acknowledged. It is
 * that of the first delivery, so a repeated one keeps nothing longer. A row of session_days names events by their day, so it
 * stays as long as the last of them.
 */
const TABLES: Record<string, { time: string; days: keyof Retention }> = {
  session_records: { time: 'toDateTime(received_at)', days: 'recordDays' },
  record_sessions: { time: 'toDateTime(arrived_at)', days: 'eventDays' },
  prompt_event_deliveries: { time: 'toDateTime(received_at)', days: 'eventDays' },
  metric_events: { time: 'toDateTime(received_at)', days: 'eventDays' },
  session_days: { time: 'toDateTime(arrived_at)', days: 'eventDays' },
  merged_events: { time: 'toDateTime(received_at)', days: 'eventDays' },
  merged_signs: { time: 'toDateTime(received_at)', days: 'eventDays' },
  merged_sessions: { time: 'toDateTime(received_at)', days: 'eventDays' },
};

/** Every table with rows of orgs. */
const ORG_TABLES = [...Object.keys(TABLES), 'upload_clocks'];

export interface TableOptions {
  set?: MigrationSet;
  /** Changes each statement. Tests use it to leave out features that their ClickHouse doesn't have. */
  rewrite?: (sql: string) => string;
}

/** The table that stores the rows, and where a statement about it runs. */
const stored = (table: string, set: MigrationSet): { name: string; onCluster: string } =>
  set === 'cluster' ? { name: `${table}_local`, onCluster: " ON CLUSTER '{cluster}'" } : { name: table, onCluster: '' };

/**
 * Lets ClickHouse delete rows this long after they arrived. It does so when it merges parts: within hours, and also while
 * nobody uploads. Nothing is done if the tables have these limits already.
 *
 * @throws {StoreError}
 */
export async function keepFor(
  store: Store,
  retention: Retention,
  { set = 'single', rewrite = (sql) => sql }: TableOptions = {},
): Promise<void> {
  for (const [table, { time, days }] of Object.entries(TABLES)) {
    const { name, onCluster } = stored(table, set);
    const ttl = `${time} + toIntervalDay(${retention[days]})`;
    const [current] = await store.query<{ engine_full: string }>(
      'SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = {name:String}',
      { name },
    );
    if (current?.engine_full.includes(`TTL ${ttl} `)) continue;
    // ClickHouse would apply the limit to all stored rows before it answers, which can take longer than a request may.
    await store.command(
      rewrite(`ALTER TABLE ${name}${onCluster} MODIFY TTL ${ttl} SETTINGS materialize_ttl_after_modify = 0`),
    );
    await store.command(rewrite(`ALTER TABLE ${name}${onCluster} MATERIALIZE TTL SETTINGS mutations_sync = 0`));
  }
}

/**
 * Deletes everything that is stored of an org, and returns how many rows each table had. ClickHouse keeps the parts that
 * held the rows, and their bytes, for 8 minutes more: see `replacedParts`.
 *
 * @throws {StoreError}
 */
export async function deleteOrg(
  store: Store,
  org: string,
  { set = 'single', rewrite = (sql) => sql }: TableOptions = {},
): Promise<Record<string, number>> {
  const counts = await countOrg(store, org);
  for (const table of ORG_TABLES) {
    const { name, onCluster } = stored(table, set);
    await store.command(
      rewrite(`ALTER TABLE ${name}${onCluster} DELETE WHERE org_id = {org:String} SETTINGS mutations_sync = 2`),
      {
        org,
      },
    );
  }
  return counts;
}

/** How many rows each table has of an org. */
export async function countOrg(store: Store, org: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of ORG_TABLES) {
    const [row] = await store.query<{ n: number }>(`SELECT count() AS n FROM ${table} WHERE org_id = {org:String}`, {
      org,
    });
    counts[table] = row?.n ?? 0;
  }
  return counts;
}

/** The folders of parts that merges and deletions have replaced. No query reads them. */
export async function replacedParts(store: Store): Promise<string[]> {
  const parts = await store.query<{ path: string }>(
    'SELECT path FROM system.parts WHERE database = currentDatabase() AND NOT active',
  );
  return parts.map(({ path }) => path);
}
