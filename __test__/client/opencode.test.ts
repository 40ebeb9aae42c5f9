import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type PromptEvent, parseTranscript } from '../../index.js';
import { fixtureOf, summary } from '../capture/agents';
import { second } from '../capture/golden';
import { environment, Home, MAIN } from './client';
import { Backend, until } from './server';

// OpenCode's database. Node reads SQLite since version 22.13.

const SESSION = 'ses_debeea698ffe9Tz0stJ8vzqljm';
const DATABASE = '.local/share/opencode/opencode.db';

/** The types of Node 20 don't have it. */
const sqlite = (() => {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return createRequire(__filename)('node:sqlite');
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
})();
const withSqlite = sqlite === undefined ? describe.skip : describe;

type Row = { id: string; session_id?: string; message_id?: string; time_created: number; time_updated: number };

/** OpenCode's database in a home directory. */
class Database {
  readonly path: string;
  #database;

  constructor(home: Home) {
    this.path = join(home.path, DATABASE);
    mkdirSync(dirname(this.path), { recursive: true });
    this.#database = new sqlite.DatabaseSync(this.path);
    this.#database.exec(`
      PRAGMA journal_mode = WAL;
      CREATE TABLE session (id text PRIMARY KEY, project_id text, parent_id text, directory text, time_created integer, time_updated integer);
      CREATE TABLE message (id text PRIMARY KEY, session_id text, time_created integer, time_updated integer, data text);
      CREATE TABLE part (id text PRIMARY KEY, message_id text, session_id text, time_created integer, time_updated integer, data text);
    `);
  }

  session(id: string, parent: string | null = null): this {
    const insert = this.#database.prepare('INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?, ?)');
    insert.run(id, 'p', parent, '/home/dev/proj', second(0), second(0));
    return this;
  }

  /** Writes a message with its parts, as a line of a fixture has them. */
  write(line: string, session = SESSION): this {
    const { message, parts } = JSON.parse(line) as {
      message: Row & { data: object };
      parts: (Row & { data: object })[];
    };
    const of = (id: string | undefined) => (session === SESSION ? id : `${id}_${session}`);
    const put = ({ id, message_id, time_created, time_updated, data }: Row & { data: object }, table: string) => {
      const values = [of(id), ...(table === 'part' ? [of(message_id)] : []), session, time_created, time_updated];
      const places = [...values, 0].map(() => '?').join(', ');
      this.#database.prepare(`INSERT OR REPLACE INTO ${table} VALUES (${places})`).run(...values, JSON.stringify(data));
    };
    put(message, 'message');
    for (const part of parts) put(part, 'part');
    return this;
  }

  close(): void {
    this.#database.close();
  }
}

const lines = (name: string) => fixtureOf('opencode', name).trimEnd().split('\n');
const ids = (events: PromptEvent[]) => new Set(events.map(({ values }) => values.eventId));
const expected = parseTranscript('opencode', fixtureOf('opencode', 'known-answers'), {
  sessionId: SESSION,
  homeDir: '',
});

withSqlite('the database', () => {
  let home: Home;
  let database: Database;
  beforeEach(() => {
    home = new Home();
    database = new Database(home).session(SESSION);
  });
  afterEach(() => database.close());

  describe('capture', () => {
    const captured = (...args: string[]) => {
      const { stdout, stderr, status } = home.run(['capture', '--json', database.path, ...args]);
      expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
      return stdout
        .split('\n')
        .filter(Boolean)
        .flatMap((body) => JSON.parse(body).events);
    };

    test('shows the events of all its sessions, or of one', () => {
      for (const line of lines('known-answers')) database.write(line).write(line, 'ses_other');
      database.session('ses_other', SESSION);
      const all = captured();
      expect(all.map((event) => event.v['1']).slice(0, expected.length)).toEqual([...ids(expected)]);
      // The other one is a subagent's, so its prompt is no human's.
      expect(all).toHaveLength(2 * expected.length - 1);
      expect(captured('--session', SESSION)).toEqual(all.slice(0, expected.length));
    });

    test.each([
      ['an empty session', [], `#${SESSION}`],
      ['a session that it doesn’t have', ['--session', 'ses_none'], ''],
    ])('%s has no events', (_, args, which) => {
      const { stdout, stderr, status } = home.run(['capture', database.path, ...args]);
      expect({ stdout, status }).toEqual({ stdout: '', status: 0 });
      expect(stderr).toBe(`git-ai-metrics: ${database.path}${which}: no prompt events\n`);
    });
  });

  describe('watch', () => {
    let backend: Backend;
    const running = new Set<ChildProcess>();
    beforeEach(async () => {
      backend = await Backend.start();
    });
    afterEach(() => {
      for (const child of running) child.kill('SIGKILL');
      running.clear();
      backend.close();
    });
    const watch = (...more: string[]) => {
      const args = [MAIN, 'watch', '--server', backend.url, '--every', '0.03', ...more];
      const child = spawn(process.execPath, args, { env: environment(home.path), stdio: 'ignore' });
      running.add(child);
      return new Promise((resolve) => child.on('close', resolve));
    };
    const uploaded = () => backend.events.filter(({ values }) => values.kind !== 'SessionEnd');

    test('uploads its sessions once, whoever watches', async () => {
      for (const line of lines('known-answers')) database.write(line);
      expect(await watch('--once')).toBe(0);
      expect(uploaded().map(({ values }) => values)).toEqual(expected.map(({ values }) => values));
      const before = backend.events.length;
      expect(await watch('--once')).toBe(0);
      expect(backend.events).toHaveLength(before);
    });

    test('follows rows that are updated in place', async () => {
      watch();
      const seen = async (count: number) => {
        await until(() => uploaded().length === count, `${count} events`);
        return uploaded().slice(-1).map(summary);
      };
      const [prompt, pending, running, half, done, end] = lines('updated-in-place') as [string, ...string[]];
      let time = second(20);
      const write = (line: string | undefined) => {
        // Each write has a newer time.
        time += 1000;
        database.write((line as string).replaceAll(/"time_updated":\d+/g, `"time_updated":${time}`));
      };
      write(prompt);
      expect(await seen(1)).toEqual(['HumanMessage “go”']);
      write(pending);
      write(running);
      expect(await seen(2)).toEqual(['ToolCall bash (gpt-5.4)']);
      write(half);
      write(done);
      expect(await seen(4)).toEqual(['AiMessage (gpt-5.4) “I write more.”']);
      write(end);
      expect(await seen(5)).toEqual(['AiMessage (gpt-5.4) “No end of its own.”']);
      expect(uploaded().map(summary)[2]).toBe('ToolCall bash (gpt-5.4) failed 2000/2000');
    });
  });
});

test('a file that only looks like a database is reported', () => {
  const home = new Home();
  const path = home.write('opencode.db', `SQLite format 3\0${'x'.repeat(4096)}`);
  const { stdout, stderr, status } = home.run(['capture', path]);
  expect({ stdout, status }).toEqual({ stdout: '', status: 2 });
  expect(stderr).toMatch(
    sqlite === undefined
      ? /OpenCode’s sessions need Node 22\.13 or later, found/
      : /^git-ai-metrics: cannot read .*opencode\.db: .*\n$/,
  );
});

if (sqlite === undefined) {
  test('watch says why it leaves OpenCode out, and goes on', () => {
    const home = new Home();
    home.write(DATABASE, 'SQLite format 3\0');
    const { stderr, status } = home.run(['watch', '--print', '--once']);
    expect(stderr).toMatch(/^git-ai-metrics: OpenCode’s sessions need Node 22\.13 or later, found [\d.]+\n$/);
    expect(status).toBe(0);
  });
}
