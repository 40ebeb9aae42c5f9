/** The command as users run it. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { bodyOf, ROOT } from '../../__test__/support';
import { openStore } from '../src/store/open.ts';
import { upload, uploadOf } from './support/app.ts';
import { describeWithClickHouse } from './support/clickhouse.ts';
import { DATA_FOLDER } from './support/folders.ts';
import { command, commandWith, startServer } from './support/server.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(DATA_FOLDER, 'git-ai-sessions-cli-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: string[]) => command(folder, ...args);

test.each([[['--help']], [['-h']], [['serve', '--help']], [['keys', '-h']], [['ingest', '--help', '--org', '']]])(
  '%j prints the help',
  (args) => {
    const { status, stdout, stderr } = run(...args);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Usage: git-ai-sessions /);
  },
);

test('npm start -- --help needs nothing built', () => {
  const { status, stdout } = spawnSync(process.execPath, ['scripts/start.mjs', '--help'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  expect(status).toBe(0);
  expect(stdout).toMatch(/^Usage: npm start/);
});

test.each([
  [[], 'give a command: serve, keys, ingest, migrate'],
  [['sevre'], 'unknown command "sevre", expected: serve, '],
  [['serve', '--nonsense'], "Unknown option '--nonsense'"],
  [['serve', 'extra'], 'serve: unexpected "extra"'],
  [['serve', '--port', 'many'], '--port takes a number from 0 to 65535, found "many"'],
  [['serve', '--port', '65536'], '--port takes a number from 0 to 65535, found "65536"'],
  [['serve', '--max-body-mb', '0'], '--max-body-mb takes a number from 1 to 1024, found "0"'],
  [['serve', '--log-level', 'loud'], '--log-level takes fatal, '],
  [['serve', '--cluster'], '--cluster needs --clickhouse'],
  [['serve', '--clickhouse', 'nowhere'], '--clickhouse takes a URL'],
  [['serve', '--clickhouse', 'localhost:8123'], '--clickhouse takes a URL'],
  [['serve', '--once'], '--once needs --demo'],
  [['serve', '--demo', 'gone', '--once'], 'there is no '],
  [['serve', '--retain-records', '30'], '--retain-records takes days from 1d to 10000d, such as 30d, found "30"'],
  [['serve', '--retain-events', '36500d'], '--retain-events takes days from 1d to 10000d, such as 30d, found "36500d"'],
  [['serve', '--retain-events', '0d'], '--retain-events takes days from 1d to 10000d, such as 30d, found "0d"'],
  [['derive', '--day', '2026-02-30'], '--day takes a day such as 2026-11-26, found "2026-02-30"'],
  [['derive', 'all'], 'derive: unexpected "all"'],
  [['delete', '--yes'], '--org is missing'],
  [['serve', '--host', '0.0.0.0'], '0.0.0.0 is not loopback, so keys are needed'],
  [['ingest'], 'ingest takes at least one file or folder, or - for stdin'],
  [['ingest', 'gone.json'], 'there is no '],
  [['ingest', '--org', '', '.'], '--org takes a text that is not empty'],
  [['keys'], 'keys takes one of: add --org <id>, list, revoke <key id>'],
  [['keys', 'add'], '--org is missing'],
  [['keys', 'add', '--org', 'acme', '--role', 'admin'], '--role takes ingest or view, found "admin"'],
])('misuse, %j, is one line and status 2', (args, line) => {
  const { status, stdout, stderr } = run(...args);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^git-ai-sessions: .*\n$/);
  expect(stderr).toContain(line);
});

test('options can come from the environment; flags take precedence', () => {
  process.env.GIT_AI_SESSIONS_PORT = 'many';
  try {
    expect(run('serve').stderr).toContain('--port takes a number');
    expect(run('serve', '--port', 'few').stderr).toContain('found "few"');
  } finally {
    delete process.env.GIT_AI_SESSIONS_PORT;
  }
});

test('keys: shown once when added, listed without the key, revoked by id', () => {
  const added = run('keys', 'add', '--org', 'acme', '--role', 'view');
  expect(added.stdout).toMatch(/^gas_[\w-]{43}\n$/);
  const [, id = ''] = /^Key (\w+)\./.exec(added.stderr) ?? [];
  const listed = run('keys', 'list').stdout;
  expect(listed).toMatch(new RegExp(`^${id} +view +\\S+ +acme$`, 'm'));
  expect(listed + readFileSync(join(folder, 'data', 'keys.json'), 'utf8')).not.toContain(added.stdout.trim());
  expect(run('keys', 'revoke', id)).toMatchObject({ status: 0 });
  expect(run('keys', 'revoke', id)).toMatchObject({ status: 1, stderr: expect.stringContaining('there is no key') });
});

test.each([
  ['{bad', 'it is not JSON'],
  ['null', 'expected an object with a list of keys'],
  ['{"keys":[null]}', 'keys[0]: expected texts as id and createdAt'],
  [
    '{"keys":[{"id":"a","org":"acme","role":"view","createdAt":"","sha256":"12"}]}',
    'keys[0]: expected 64 hex digits as sha256',
  ],
])('a broken file of keys, %s, is one line, before the server listens', (text, problem) => {
  const path = join(folder, 'data', 'keys.json');
  mkdirSync(join(folder, 'data'));
  writeFileSync(path, text);
  for (const args of [
    ['serve', '--port', '0'],
    ['keys', 'list'],
    ['keys', 'add', '--org', 'acme'],
  ]) {
    expect(run(...args)).toMatchObject({
      status: 1,
      stdout: '',
      stderr: `git-ai-sessions: cannot open ${path}: ${problem}\n`,
    });
  }
  expect(readFileSync(path, 'utf8')).toBe(text);
});

test.each([[['serve', '--port', '0']], [['migrate']], [['ingest', '.']]])(
  '%j: an unreachable ClickHouse is one line that names it, without its password',
  (args) => {
    expect(run(...args, '--clickhouse', 'http://user:secret@127.0.0.1:1/db')).toMatchObject({
      status: 1,
      stdout: '',
      stderr: 'git-ai-sessions: cannot open ClickHouse at http://127.0.0.1:1/db: connect ECONNREFUSED 127.0.0.1:1\n',
    });
  },
);

describe('a data folder that cannot be used is one line', () => {
  test('a file', () => {
    writeFileSync(join(folder, 'data'), '');
    for (const args of [['serve'], ['ingest', '.']]) {
      const { status, stderr } = run(...args);
      expect(status).toBe(2);
      expect(stderr).toMatch(/^git-ai-sessions: --data: cannot use .*\/data: a file or a broken link is in the way\n$/);
    }
  });

  test('a place where no folder can be made, a file in the way, a broken link', () => {
    writeFileSync(join(folder, 'file'), '');
    symlinkSync('gone', join(folder, 'link'));
    const inTheWay = 'a file or a broken link is in the way';
    for (const [data, why] of [
      ['/proc/nope', 'no folder can be made there'],
      ['/proc/nope/deeper', 'no folder can be made there'],
      [join(folder, 'file', 'deeper'), inTheWay],
      [join(folder, 'link'), inTheWay],
      [join(folder, 'link', 'deeper'), inTheWay],
    ] as const) {
      for (const args of [['serve', '--port', '0'], ['ingest', '.'], ['migrate'], ['keys', 'add', '--org', 'acme']]) {
        const stderr = `git-ai-sessions: --data: cannot use ${data}: ${why}\n`;
        expect([args, run(...args, '--data', data)]).toEqual([args, { status: 2, stdout: '', stderr }]);
      }
    }
  });
});

describeWithClickHouse('with ClickHouse', () => {
  test('the sample sessions are shown, and the same a second time', () => {
    const show = () => run('serve', '--demo', join(ROOT, 'examples', 'sessions'), '--once', '--log-level', 'warn');
    const first = show();
    expect(first).toMatchObject({ status: 0, stderr: '' });
    expect(first.stdout).toMatch(/ended \(user_quit\) +claude +\d+ +\d+ +\d+ +\d+ min +Ibrahim Khan +Add a dark mode/);
    // They happened within the last week, whenever this is, and three of them run.
    const starts = [...first.stdout.matchAll(/^(\d{4}-\d\d-\d\d \d\d:\d\d) +(live|quiet|ended)/gm)];
    expect(starts).toHaveLength(16);
    const ages = starts.map(([, start]) => Date.now() - Date.parse(`${start}Z`));
    for (const age of ages) expect(age).toBeLessThan(7.5 * 86_400_000);
    expect(Math.min(...ages)).toBeGreaterThanOrEqual(0);
    expect(starts.filter(([, , state]) => state === 'live')).toHaveLength(3);
    expect(show()).toEqual(first);
  });

  test('derive gives records their events again, and delete leaves nothing of an org', () => {
    const record = { type: 'user', uuid: 'u1', timestamp: '2026-11-02T09:00:00.000Z', message: { content: 'Hello' } };
    const event = { t: 1_793_610_000, e: 5, v: { 0: record, 1: 'u1' }, a: { 20: 'claude', 23: 'x', 24: 's_x' } };
    writeFileSync(join(folder, 'upload.json'), JSON.stringify({ v: 1, events: [event] }));
    for (const org of ['acme', 'other']) expect(run('ingest', '--org', org, 'upload.json').status).toBe(0);
    expect(run('derive', '--org', 'acme').stdout).toMatch(/^Derived 1 row from 1 session in /);
    expect(run('derive', '--day', '2026-11-02').stdout).toMatch(/^Derived 2 rows from 2 sessions in /);
    expect(run('derive', '--day', '2026-11-03').stdout).toMatch(/^Derived 0 rows from 0 sessions in /);
    const unconfirmed = run('delete', '--org', 'acme');
    expect([unconfirmed.status, unconfirmed.stderr]).toEqual([
      2,
      'git-ai-sessions: delete asks for confirmation: use a terminal, or --yes\n',
    ]);
    run('keys', 'add', '--org', 'acme');
    const deleted = run('delete', '--org', 'acme', '--yes');
    expect(deleted.status).toBe(0);
    expect(deleted.stdout).toMatch(
      /^Deleted \d+ rows of org acme, and 0 uploads in quarantine\.\nIt still has 1 key, /,
    );
    expect(run('derive').stdout).toMatch(/^Derived 1 row from 1 session in /);
  });

  test('delete removes the bytes of an org, too, also where the data folder is a link', () => {
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, join(folder, 'data'));
    const holders = () => spawnSync('grep', ['-rlaF', 'xylophone', elsewhere], { encoding: 'utf8' }).stdout;
    for (const n of [1, 2, 3]) {
      writeFileSync(
        join(folder, 'upload.json'),
        bodyOf(`{"t":1793610000,"e":5,"v":{"0":"HumanMessage","1":"p:${n}","11":"xylophone"},"a":{"22":"p"}}`),
      );
      expect(run('ingest', '--org', 'acme', 'upload.json').status).toBe(0);
    }
    expect(holders()).not.toBe('');
    expect(run('delete', '--org', 'acme', '--yes').status).toBe(0);
    expect(holders()).toBe('');
    expect(run('ingest', '--org', 'acme', 'upload.json').stdout).toContain('Stored 1 upload');
  });

  test('takes files and folders, one upload per file or per line, per org, all metrics', async () => {
    const event = (session: string) =>
      `{"t":1775587555,"e":5,"v":{"0":"HumanMessage","1":"${session}:1"},"a":{"22":"${session}"}}`;
    mkdirSync(join(folder, 'uploads', 'deeper'), { recursive: true });
    writeFileSync(join(folder, 'uploads', 'deeper', 'one.json'), bodyOf(event('one')));
    writeFileSync(join(folder, 'uploads', 'lines.jsonl'), `${bodyOf(event('two'))}\n\n${bodyOf(event('three'))}`);
    writeFileSync(join(folder, 'uploads', 'README.txt'), 'not an upload');
    // Another metric, one that nobody knows, and a record of a released client.
    const others =
      '{"t":1,"e":2,"v":{},"a":{}},{"t":1,"e":999,"v":{"0":1},"a":{}},{"t":1,"e":5,"v":{"0":{"a":1}},"a":{"24":"s_1"}}';
    writeFileSync(join(folder, 'others'), bodyOf(others));
    const stored = run('ingest', '--org', 'acme', 'uploads', 'others');
    expect(stored).toMatchObject({
      status: 0,
      stderr: `– ${join(folder, 'uploads', 'README.txt')}: passed over, because its name ends in neither .json nor .jsonl, nor in these and .gz\n`,
    });
    expect(stored.stdout).toMatch(/^Stored 4 uploads in [\d.]+ s: 6 rows\.\n$/);
    // Gzipped, by name or not, and from stdin.
    writeFileSync(
      join(folder, 'uploads', 'lines.jsonl.gz'),
      gzipSync(`${bodyOf(event('two'))}\n${bodyOf(event('four'))}`),
    );
    writeFileSync(join(folder, 'uploads', 'packed.json.gz'), gzipSync(bodyOf(event('five'))));
    rmSync(join(folder, 'uploads', 'README.txt'));
    const pretty = (session: string) => JSON.stringify(JSON.parse(bodyOf(event(session))), null, 2);
    for (const [input, uploads] of [
      [`${bodyOf(event('one'))}\n${bodyOf(event('six'))}\n`, 2],
      [bodyOf(event('seven')), 1],
      [`${bodyOf(event('seven'))}\n`, 1],
      [pretty('eight'), 1],
      [gzipSync(pretty('eight')), 1],
    ] as const) {
      expect(commandWith(input, folder, 'ingest', '--org', 'acme', '-')).toMatchObject({
        status: 0,
        stdout: expect.stringContaining(`Stored ${uploads} upload`),
        stderr: '',
      });
    }
    expect(commandWith('', folder, 'ingest', '-')).toMatchObject({ status: 1, stderr: '✗ stdin: it is empty\n' });
    expect(run('ingest', '--org', 'acme', 'uploads')).toMatchObject({ status: 0, stderr: '' });
    expect(run('ingest', '--org', 'another', 'others').status).toBe(0);

    const store = await openStore({ data: join(folder, 'data') });
    const count = async (table: string) =>
      (await store.query(`SELECT count() AS n FROM ${table} WHERE org_id = 'acme'`))[0];
    expect(await count('prompt_events')).toEqual({ n: 8 });
    expect(await count('session_records')).toEqual({ n: 1 });
    expect(await count('metric_events')).toEqual({ n: 2 });
    await store.close();
  });

  test("files that can't be stored are named, the others are stored, and the status is 1", () => {
    const uploads = join(folder, 'uploads');
    mkdirSync(uploads);
    cpSync(join(ROOT, 'examples', 'upload.json'), join(uploads, 'good.json'));
    writeFileSync(join(uploads, 'broken.json'), '{"v":1,');
    writeFileSync(
      join(uploads, 'partly.json'),
      bodyOf('{"t":-1,"e":5,"v":{},"a":{}}', '{"t":1,"e":5,"v":{"1":"p:1"},"a":{}}'),
    );
    symlinkSync('gone', join(uploads, 'a-dangling.json'));
    symlinkSync('.', join(uploads, 'b-loop.json'));
    execFileSync('mkfifo', [join(uploads, 'e-pipe.json')]);
    writeFileSync(join(uploads, 'f-huge.jsonl'), '');
    // Takes no space: it is one hole.
    truncateSync(join(uploads, 'f-huge.jsonl'), 2 ** 31);
    writeFileSync(join(uploads, 'g-packed.json'), gzipSync('{"v":1,"events":[]}').subarray(0, 20));
    const { status, stdout, stderr } = run('ingest', 'uploads');
    expect(status).toBe(1);
    const lines = stderr.split('\n').map((line) => line.replace(`✗ ${uploads}/`, '').replace(/(E[A-Z]{3,}): .*/, '$1'));
    expect(lines).toEqual([
      'a-dangling.json: ENOENT',
      'b-loop.json: not a regular file',
      expect.stringMatching(/^broken\.json: the body is not JSON: .* line 1 column 8$/),
      'e-pipe.json: not a regular file',
      expect.stringMatching(/^f-huge\.jsonl: File size .* is greater than 2 GiB$/),
      'g-packed.json: unexpected end of file',
      expect.stringMatching(/^partly\.json: events\[0\]\.t: expected a u32 of unix seconds, found -1$/),
      '',
    ]);
    expect(stdout).toContain('Stored 2 uploads');
  });

  test('an upload cannot steer the terminal', () => {
    const hostile = '\\u001b[2J\\u202eevil';
    mkdirSync(join(folder, 'demo'));
    writeFileSync(
      join(folder, 'demo', 'hostile.json'),
      bodyOf(`{"t":1775587555,"e":5,"v":{"0":"HumanMessage","1":"p:1","11":"${hostile}"},"a":{"2":"${hostile}"}}`),
    );
    const { stdout } = run('serve', '--demo', 'demo', '--once');
    expect(stdout).toContain('evil');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
    expect(stdout).not.toMatch(/[\u001b\u202e]/);
  });

  test('with a running server, a locked folder and a busy port give one line each, and a new key works at once', async () => {
    const data = join(folder, 'data');
    const server = await startServer('--data', data);
    const locked = run('ingest', join(ROOT, 'examples', 'upload.json'));
    expect(locked).toMatchObject({
      status: 1,
      stderr: `git-ai-sessions: cannot open ${join(data, 'clickhouse')}: another process is using it\n`,
    });
    const busy = run('serve', '--data', 'another', '--port', new URL(server.url).port, '--log-level', 'warn');
    expect([busy.status, busy.stderr]).toEqual([
      1,
      `git-ai-sessions: port ${new URL(server.url).port} of 127.0.0.1 is taken: choose another with --port\n`,
    ]);
    const busyMetrics = run('serve', '--data', 'another', '--port', '0', '--metrics-port', new URL(server.url).port);
    expect([busyMetrics.status, busyMetrics.stderr]).toEqual([
      1,
      `git-ai-sessions: port ${new URL(server.url).port} of 127.0.0.1 is taken: choose another with --metrics-port\n`,
    ]);
    expect(await upload(server.url, uploadOf(1))).toMatchObject({ status: 200 });
    const key = run('keys', 'add', '--org', 'acme').stdout.trim();
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(await upload(server.url, uploadOf(1))).toMatchObject({ status: 401 });
    expect(await upload(server.url, uploadOf(1), { 'x-api-key': key })).toMatchObject({ status: 200 });
    expect(await server.stop()).toBe(0);
    expect(server.log()).not.toContain(key);
  });

  test('metrics on a port of their own', async () => {
    const probe = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => probe.once('listening', resolve));
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    const server = await startServer('--data', join(folder, 'data'), '--metrics-port', String(port));
    expect((await fetch(`${server.url}/metrics`)).status).toBe(404);
    expect(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).toContain('sessions_queue_rows 0');
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(404);
    expect(await server.stop()).toBe(0);
  });
});

test('the sample uploads match their script', () => {
  const committed = [1, 2, 3, 4, 5].map((n) => readFileSync(join(ROOT, 'examples', 'sessions', `upload-${n}.json`)));
  const copy = join(folder, 'examples');
  cpSync(join(ROOT, 'examples', 'make-sessions.mjs'), join(copy, 'make-sessions.mjs'));
  writeFileSync(join(folder, 'index.js'), `module.exports = require(${JSON.stringify(ROOT)});`);
  const { status, stderr } = spawnSync(process.execPath, [join(copy, 'make-sessions.mjs')], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect([1, 2, 3, 4, 5].map((n) => readFileSync(join(copy, 'sessions', `upload-${n}.json`)))).toEqual(committed);
});
