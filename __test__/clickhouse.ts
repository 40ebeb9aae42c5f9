/** Real ClickHouse for tests: chDB in a child process, with the tables of sql/single. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './support';

/** chDB has builds for macOS and for Linux with glibc. Where it has one, these tests always run. */
const { platform, report } = process;
const { header } = (report?.getReport() ?? { header: {} }) as { header: { glibcVersionRuntime?: string } };
export const hasChdb = platform === 'darwin' || (platform === 'linux' && header.glibcVersionRuntime !== undefined);

/** `describe` for what needs ClickHouse. */
export function describeWithClickHouse(name: string, tests: () => void): void {
  if (hasChdb) describe(name, tests);
  else describe.skip(`${name} (left out: chDB has no build for this platform)`, tests);
}

export const sqlFile = (...path: string[]): string => readFileSync(join(ROOT, 'sql', ...path), 'utf8');

/** Where the tables and the insert are from: this tree, or a copy of it. */
const SQL = join(ROOT, 'sql');

/** The statements of a text; each ends a line with its semicolon. */
export const statements = (text: string): string[] =>
  text.split(/;\s*$/m).filter((statement) => /^(?!\s*--)\s*\S/m.test(statement));

export type Row = Record<string, unknown>;

export class ClickHouse {
  readonly directory = mkdtempSync(join(tmpdir(), 'git-ai-metrics-'));
  private files = 0;

  private constructor(
    private readonly child: ChildProcess,
    private readonly sql: string,
  ) {}

  /** A new one with the tables of this folder of SQL, and nothing in them; arguments are those of chDB itself. */
  static async start(sql = SQL, ...chdbArguments: string[]): Promise<ClickHouse> {
    const directory = mkdtempSync(join(tmpdir(), 'git-ai-metrics-chdb-'));
    const child = fork(join(__dirname, 'chdb-child.cjs'), [directory, ...chdbArguments], { execArgv: [] });
    child.once('exit', () => rmSync(directory, { recursive: true, force: true }));
    const clickHouse = new ClickHouse(child, sql);
    await clickHouse.answer();
    await clickHouse.migrate();
    return clickHouse;
  }

  private async migrate(): Promise<void> {
    const folder = join(this.sql, 'single');
    for (const name of readdirSync(folder).sort()) {
      for (const statement of statements(readFileSync(join(folder, name), 'utf8'))) await this.run(statement);
    }
  }

  private answer(): Promise<string> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null, signal: string | null) =>
        reject(new Error(`ClickHouse ended with ${code ?? signal}`));
      this.child.once('exit', ended);
      this.child.once('message', ({ answer, error }: { answer: string; error?: string }) => {
        this.child.off('exit', ended);
        if (error === undefined) resolve(answer);
        else reject(new Error(error));
      });
    });
  }

  run(sql: string, params?: Row, format = 'JSONEachRow'): Promise<string> {
    this.child.send({ sql, params, format });
    return this.answer();
  }

  async rows(sql: string, params?: Row): Promise<Row[]> {
    const answer = await this.run(sql, params);
    return answer
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }

  /** Inserts rows by sql/insert-file.sql, as they are. */
  async insert(rows: Uint8Array, { format = 'RowBinary', table = 'prompt_event_deliveries' } = {}): Promise<void> {
    const file = join(this.directory, `${this.files++}.rows`);
    writeFileSync(file, rows);
    const statement = readFileSync(join(this.sql, 'insert-file.sql'), 'utf8');
    await this.run(statement.replace('prompt_event_deliveries', table), { file, format });
    rmSync(file);
  }

  /** The answer of one of sql/queries. */
  ask(name: string, params: Row): Promise<Row[]> {
    return this.rows(sqlFile('queries', `${name}.sql`), params);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.disconnect();
    await ended;
    rmSync(this.directory, { recursive: true, force: true });
  }
}
