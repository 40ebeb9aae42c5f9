import { migrations } from './sql.ts';
import type { Store } from './store.ts';

export type MigrationSet = 'single' | 'cluster';

export interface MigrateOptions {
  /** The folder that contains `single/` and `cluster/`. Default: the addon's. */
  folder?: string;
  /** Changes each statement. Tests use it to leave out features that their ClickHouse doesn't have. */
  rewrite?: (sql: string) => string;
}

/** The table of applied migrations. On a cluster every node must have it. */
const HISTORY = {
  single:
    'CREATE TABLE IF NOT EXISTS schema_migrations (name String, applied_at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY name',
  cluster: `CREATE TABLE IF NOT EXISTS schema_migrations ON CLUSTER '{cluster}' (name String, applied_at DateTime DEFAULT now())
    ENGINE = ReplicatedMergeTree('/clickhouse/tables/{database}/schema_migrations', '{shard}-{replica}') ORDER BY name`,
};

/** Views are replaced each time, so that they always match this version's queries. */
const VIEWS = 'views.sql';

/**
 * Applies the migrations that a database hasn't seen, in their order, and returns their names. Each may be applied
 * again: after a crash in the middle of one, or by two processes that start at once.
 */
export async function migrate(
  store: Store,
  set: MigrationSet = 'single',
  { folder, rewrite = (sql) => sql }: MigrateOptions = {},
): Promise<string[]> {
  await store.command(rewrite(HISTORY[set]));
  const seen = new Set(
    (await store.query<{ name: string }>('SELECT name FROM schema_migrations')).map(({ name }) => name),
  );
  const missing = migrations(set, folder).filter(({ name }) => !seen.has(name));
  for (const { name, statements } of missing) {
    for (const statement of statements) await store.command(rewrite(statement));
    if (name === VIEWS) continue;
    await store.command('INSERT INTO schema_migrations (name) SELECT {name:String}', { name });
  }
  return missing.map(({ name }) => name).filter((name) => name !== VIEWS);
}
