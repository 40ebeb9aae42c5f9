/** The store that a command line names. */
import { resolve } from 'node:path';
import { type MigrationSet, migrate } from '../store/migrate.ts';
import { type OpenStore, openStore } from '../store/open.ts';
import { CannotOpen, StoreError } from '../store/store.ts';
import { Misuse } from './misuse.ts';
import { type OptionName, textOf, type Values } from './options.ts';

export const STORE_OPTIONS = ['data', 'clickhouse', 'cluster'] as const satisfies readonly OptionName[];

/** npm changes to the package's folder, but paths are relative to the folder where you called it. */
export const fromCaller = (path: string): string => resolve(process.env.INIT_CWD ?? '', path);

export const dataFolder = (values: Values): string => fromCaller(textOf(values, 'data'));

const isHttpUrl = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);

/** @throws {Misuse} if the options of the store are invalid or contradict each other */
export function checkStoreOptions({ clickhouse, cluster }: Values): void {
  if (cluster && clickhouse === undefined) throw new Misuse('--cluster needs --clickhouse');
  if (clickhouse !== undefined && !isHttpUrl(String(clickhouse))) {
    throw new Misuse('--clickhouse takes a URL: http://user:password@host:8123/database');
  }
}

/**
 * Opens the store and brings its tables up to date.
 * @throws {Misuse} like `checkStoreOptions`, {CannotOpen} if it can't be opened
 */
export async function openMigrated(
  values: Values,
): Promise<{ store: OpenStore; set: MigrationSet; applied: string[] }> {
  checkStoreOptions(values);
  const { clickhouse, cluster } = values;
  const store = await openStore(
    clickhouse === undefined ? { data: dataFolder(values) } : { clickhouse: String(clickhouse) },
  );
  try {
    const set = cluster ? 'cluster' : 'single';
    return { store, set, applied: await migrate(store, set) };
  } catch (error) {
    await store.close();
    if (!(error instanceof StoreError)) throw error;
    const name = clickhouse === undefined ? `in ${dataFolder(values)}` : `at ${withoutPassword(String(clickhouse))}`;
    throw new CannotOpen(`cannot open ClickHouse ${name}: ${error.message.replace(/\s+/g, ' ').trim()}`, {
      cause: error,
    });
  }
}

function withoutPassword(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
