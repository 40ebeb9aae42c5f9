/** The store that a command line names. */
import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { makeFolder } from '../store/folder.ts';
import { type MigrationSet, migrate } from '../store/migrate.ts';
import type { OpenStore } from '../store/open.ts';
import { CannotOpen, StoreError } from '../store/store.ts';
import { Misuse } from './misuse.ts';
import { type OptionName, textOf, type Values } from './options.ts';

export const STORE_OPTIONS = ['data', 'clickhouse', 'cluster'] as const satisfies readonly OptionName[];

/** npm changes to the package's folder, but paths are relative to the folder where you called it. */
export const fromCaller = (path: string): string => resolve(process.env.INIT_CWD ?? '', path);

export const dataFolder = (values: Values): string => fromCaller(textOf(values, 'data'));

/** @throws {Misuse} if there is something that is no folder, or one that can't be written to */
export function checkDataFolder(values: Values): void {
  const folder = dataFolder(values);
  try {
    const found = statSync(folder, { throwIfNoEntry: false });
    if (found === undefined) return;
    if (!found.isDirectory()) throw Object.assign(new Error(), { code: 'EEXIST' });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw cannotUse(folder, error);
  }
}

/** @throws {Misuse} if there can be no data folder */
export function makeDataFolder(values: Values): void {
  const folder = dataFolder(values);
  try {
    makeFolder(folder, 0o700);
  } catch (error) {
    throw cannotUse(folder, error);
  }
  checkDataFolder(values);
}

const REASONS: Record<string, string> = {
  EEXIST: 'a file or a broken link is in the way',
  ENOTDIR: 'a file or a broken link is in the way',
  ENOENT: 'no folder can be made there',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'it is on a file system that is read-only',
};

function cannotUse(folder: string, error: unknown): Misuse {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new Misuse(`--data: cannot use ${folder}: ${REASONS[code] ?? message}`);
}

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
  if (clickhouse === undefined) makeDataFolder(values);
  // Loaded only now, since help and misuse don't need it.
  const { openStore } = await import('../store/open.ts');
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
