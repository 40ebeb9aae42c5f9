/** The server in this process, on a free port, over a store of the test's choice. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { type App, type AppOptions, createApp } from '../../src/server/app.ts';
import { authenticator } from '../../src/server/auth.ts';
import { KeyFile } from '../../src/server/keys.ts';
import { type Store, StoreError } from '../../src/store/store.ts';

/** A store in memory that does as it is told. */
export class FakeStore implements Store {
  readonly inserts: { table: string; rows: Buffer; rowCount: number }[] = [];
  /** Called with every insert, before it counts as stored. */
  onInsert: (insert: { table: string; rows: Buffer; rowCount: number }) => Promise<void> = async () => {};

  async insert(table: string, rows: Buffer | readonly Buffer[], rowCount: number): Promise<void> {
    const insert = { table, rows: Buffer.isBuffer(rows) ? rows : Buffer.concat(rows), rowCount };
    await this.onInsert(insert);
    this.inserts.push(insert);
  }

  get rowCount(): number {
    return this.inserts.reduce((sum, { rowCount }) => sum + rowCount, 0);
  }

  async query<Row>(): Promise<Row[]> {
    return [];
  }
  async command(): Promise<void> {}
  async ping(): Promise<void> {}
  async close(): Promise<void> {}
}

export const transient = () => new StoreError('no memory', true, 241);
export const permanent = () => new StoreError('cannot parse', false, 27);

export interface RunningApp extends App {
  url: string;
  folder: string;
  keys: KeyFile;
  /** What was logged, a JSON object a line. */
  log: string[];
  stop(): Promise<void>;
}

export async function startApp(
  store: Store,
  { keyless = true, ...options }: Partial<AppOptions> & { keyless?: boolean } = {},
): Promise<RunningApp> {
  const folder = mkdtempSync(join(tmpdir(), 'git-ai-sessions-app-'));
  const keys = new KeyFile(join(folder, 'keys.json'));
  const log: string[] = [];
  const app = createApp({
    store,
    authenticate: authenticator(keys, { keyless }),
    log: pino({ level: 'debug' }, { write: (line: string) => log.push(line) }),
    folder,
    quarantine: join(folder, 'quarantine'),
    concurrentInserts: 1,
    maxBodyBytes: 64 * 2 ** 20,
    minFreeBytes: 0,
    uploadsPerSecond: 1_000_000,
    uploadBurst: 1_000_000,
    allowedHosts: [],
    serveMetrics: true,
    ...options,
  });
  const url = await app.server.listen({ host: '127.0.0.1', port: 0 });
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= app.close(0).then(() => rmSync(folder, { recursive: true, force: true }));
    return stopped;
  };
  return { ...app, url, folder, keys, log, stop };
}

let number = 0;
/** An upload of so many events that no other upload has. */
export function uploadOf(events: number, text = 'hi'): string {
  number += 1;
  const event = (at: number) =>
    `{"t":1775587555,"e":5,"v":{"0":"HumanMessage","1":"u${number}:${at}","11":${JSON.stringify(text)}},"a":{"22":"u${number}"}}`;
  return `{"v":1,"events":[${Array.from({ length: events }, (_, at) => event(at)).join(',')}]}`;
}

export async function upload(
  url: string,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: unknown; headers: Headers }> {
  const answer = await fetch(`${url}/worker/metrics/upload`, {
    method: 'POST',
    body: body as Uint8Array<ArrayBuffer> | string,
    headers,
  });
  return { status: answer.status, body: await answer.json(), headers: answer.headers };
}
