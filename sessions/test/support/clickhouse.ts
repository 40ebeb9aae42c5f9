/** Real ClickHouse for tests: the embedded one in a folder of its own, with the tables of sql/single. Ready in a second. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { encodeRows, type RowOptions } from 'git-ai-metrics';
import type { Place, Selection } from '../../src/api/filters.ts';
import { askAbout } from '../../src/api/selected.ts';
import { pageOfSessions } from '../../src/api/sessions.ts';
import { ClickHouseStore } from '../../src/store/clickhouse.ts';
import { EmbeddedClickHouse, type EmbeddedOptions } from '../../src/store/embedded.ts';
import { type MigrateOptions, migrate } from '../../src/store/migrate.ts';
import { insertStatement, SQL_FOLDER } from '../../src/store/sql.ts';
import type { Store } from '../../src/store/store.ts';
import { DATA_FOLDER } from './folders.ts';

/** chDB has builds for macOS and for Linux with glibc. Where it has one, these tests always run. */
const { platform, report } = process;
const { header } = (report?.getReport() ?? { header: {} }) as { header: { glibcVersionRuntime?: string } };
export const hasChdb = platform === 'darwin' || (platform === 'linux' && header.glibcVersionRuntime !== undefined);

/** `describe` for what needs ClickHouse. */
export function describeWithClickHouse(name: string, tests: () => void): void {
  if (hasChdb) describe(name, tests);
  else describe.skip(`${name} (left out: chDB has no build for this platform)`, tests);
}

export type Row = Record<string, unknown>;

export const sqlFile = (...path: string[]): string => readFileSync(join(SQL_FOLDER, ...path), 'utf8');

/** A cluster's statements, for where there is no Keeper. */
export const withoutKeeper = (sql: string): string =>
  sql.replaceAll(" ON CLUSTER '{cluster}'", '').replaceAll(/Replicated(\w*MergeTree)\('[^']*', '[^']*'(?:, )?/g, '$1(');

export interface StartOptions extends MigrateOptions, Omit<EmbeddedOptions, 'folder'> {
  /** Which tables it gets; default those of one node. */
  set?: 'single' | 'cluster' | 'none';
}

export class ClickHouse {
  private constructor(
    private readonly folder: string,
    readonly embedded: EmbeddedClickHouse,
    /** What the code under test takes. */
    readonly store: Store,
  ) {}

  /** A new one with nothing in its tables. */
  static async start({ set = 'single', folder: sql, rewrite, ...options }: StartOptions = {}): Promise<ClickHouse> {
    const folder = mkdtempSync(join(DATA_FOLDER, 'git-ai-sessions-clickhouse-'));
    const embedded = await EmbeddedClickHouse.start({ folder, ...options }).catch((error) => {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    });
    const store = new ClickHouseStore({ url: embedded.url });
    const clickHouse = new ClickHouse(folder, embedded, store);
    if (set !== 'none') {
      await migrate(store, set, { ...(sql && { folder: sql }), ...(rewrite && { rewrite }) });
    }
    return clickHouse;
  }

  /** Runs a statement, whatever it answers. */
  async run(sql: string): Promise<void> {
    await this.post('', sql);
  }

  rows<T = Row>(sql: string, parameters?: Row): Promise<T[]> {
    return this.store.query<T>(sql, parameters);
  }

  /** Stores all events of an upload. */
  async upload(body: Uint8Array | string, options: RowOptions): Promise<void> {
    for (const { table, rows } of encodeRows(body, options).tables) {
      await this.insert(rows, { table, format: options.format });
    }
  }

  /** Inserts rows by the statement for their table, if need be into another one with the same columns. */
  async insert(
    rows: Uint8Array,
    {
      format = 'RowBinaryWithNames',
      table = 'prompt_event_deliveries',
      into = table,
      sql = SQL_FOLDER,
    }: { format?: string | undefined; table?: string; into?: string; sql?: string } = {},
  ): Promise<void> {
    const statement = insertStatement(table, sql).replace(`INTO ${table}`, `INTO ${into}`);
    await this.post(statement.replace(/RowBinaryWithNames$/, format), rows);
  }

  /** Sends a statement as the parameter of a request, and these bytes as its body. */
  async post(query: string, body: Uint8Array | string): Promise<void> {
    const url = new URL(this.embedded.url);
    // A connection of its own: ClickHouse may just have closed an idle one.
    const sent = request(`${url.origin}/?query=${encodeURIComponent(query)}`, {
      method: 'POST',
      auth: `${url.username}:${decodeURIComponent(url.password)}`,
      agent: false,
    });
    sent.end(body);
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    const said = await text(answer);
    if (answer.statusCode !== 200) throw new Error(said);
  }

  /** The answer of one of sql/queries, or of several that give the list of sessions. */
  async ask(name: string, parameters: Row): Promise<Row[]> {
    if (name === 'sessions') {
      const { limit, ...others } = parameters as Selection & Place & { limit: number };
      return (await pageOfSessions(this.store, others, limit, others)).sessions.map((row) => ({ ...row }));
    }
    return askAbout(this.store, name, parameters);
  }

  async stop(): Promise<void> {
    await this.store.close();
    await this.embedded.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
